/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own PCI devices as bus masters that do not see the caches.
 *
 * Each device has an address space of its own, so that every access is known by bus and function: QEMU's
 * system memory (the frame that message-signalled interrupts are written to, flash, what others have there),
 * over it what devices/master.h has. An access in fault-base, fault-size (memory/fault_range.h) is
 * answered by an error. The gate does not stop these devices: what they do while it is closed happens then, and
 * what they cause is recorded as ungated. NVMe controllers do nothing then (devices/nvme.h).
 *
 * A store of the CPU to a BAR starts the function whose BAR it is (views_device_started), before the device
 * sees it: the last one counts. Of a function with doorbells (devices/doorbells.h) only stores to these do, and
 * all that came since its last access.
 */
#ifndef DMAV3_PCI_H
#define DMAV3_PCI_H

#include <stdbool.h>

#include "qemu/qemu_abi.h"

/* PCIe memory of `virt`, where BARs are. */
enum { BAR_BASE = 0x10000000, BAR_SIZE = 0x2eff0000 };

/* Take the bus of the board over and lay low RAM into system memory. */
bool pci_initialise(Error **errp);

/* Does QEMU let this device past the memory that PCI devices see? A virtio device may be, and only that. */
bool pci_goes_past(Object *device);

/* The address of the BAR that has `address`, if its device goes past that memory, and then the device's number
 * as struct accessor has it; 0: it does not. */
uint64_t pci_bar_past(uint64_t address, uint32_t *channel);

/* Make low RAM as it was at the start. */
void pci_reset(void);

#endif
