/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of `virt` that QEMU lets past the views: they access what the CPU sees, and the model of its cache
 * does not know. What they write may be lost with the line, and what they should not see, they see.
 *
 *   virtio-mmio     every transport with a device behind it: a finding for each, at the first store to its
 *                   QueueNotify (a driver has to say so before its device looks at a queue)
 *   fw_cfg          its interface for DMA: a finding, at the first store that starts it. Its data register is
 *                   no DMA.
 *   virtio on PCI   without `iommu_platform=on`: QEMU is ended with a message; of one that is plugged in later
 * a store to a BAR is the start. (With it, such a device has the address space that every PCI device has:
 * devices/pci.h.)
 */
#ifndef DMAV3_BYPASS_H
#define DMAV3_BYPASS_H

#include <stdbool.h>
#include <stdint.h>

/* Look for the devices. At every reset; there is none that comes later, but on PCI. */
void bypass_reset(void);

/* Does a store of `size` bytes at `physical`, which is not in RAM, start such a device? */
bool bypass_starts(uint64_t physical, unsigned int size);

/* The instruction at `pc` has made such a store: a finding. The caller holds the views' lock. */
void bypass_report(uint64_t physical, uint64_t pc);

#endif
