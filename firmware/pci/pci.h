/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI below dmav3_pci.h: where a device's interrupts arrive. Each returns a shared peripheral interrupt, or
 * PCI_NO_SPI: the device cannot, or there are no more. Messages are edges, a pin is a level.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include <dmav3_pci.h>

#include <stdbool.h>

#define PCI_NO_SPI (~0u)

unsigned int pci_pin(const struct dmav3_pci *device);

/* A vector of MSI. The first call enables as many as the device has, but `most`. */
unsigned int pci_enable_message(const struct dmav3_pci *device, uint32_t vector, uint32_t most);

/* A vector of MSI-X, whose table is behind a BAR: the device is enabled. */
unsigned int pci_enable_vector(const struct dmav3_pci *device, uint32_t vector);

#endif
