/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that the PL330 sees: RAM as devices see it, and QEMU's system memory around it.
 *
 * These accesses are answered by an error: one where neither memory nor a device is; one that a device refuses;
 * one inside fault-base, fault-size (memory/fault_range.h); one to the controller's own registers. All but the
 * second are known before they are made.
 */
#ifndef DMAV3_BUS_H
#define DMAV3_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"
#include "qemu/qemu_abi.h"

/* `own` and `own_size` are address and size of the controller's registers. */
void bus_initialise(hwaddr own, hwaddr own_size);

/* A device of ours at `base`, which is reached without QEMU: by naturally aligned accesses. */
void bus_adjoin(hwaddr base, hwaddr size,
                void (*access)(uint64_t offset, void *data, unsigned int size, bool is_write));

/* Would an access to any of the `span` bytes from `address` on be answered by an error, as far as can be known
 * before? */
bool bus_is_faulty(uint64_t address, uint64_t span);

/* Move `size` bytes, which do not cross a line of the cache; to a device, 1, 2, 4 or 8. Returns true if the bus
 * answered with an error. */
bool bus_access(uint64_t address, void *data, unsigned int size, bool is_write, struct accessor *by);

#endif
