/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that the PL330 sees: RAM as devices see it, and QEMU's system memory around it.
 *
 * Every access of the controller passes here, those to devices too, because its model ignores what the
 * bus answers. These are answered by an error: an access where neither memory nor a device is; one that
 * a device refuses; one inside fault-base, fault-size (memory/fault_range.h); one to the controller's own
 * registers, which QEMU cuts off while the controller runs. All but the second are known before they are made.
 */
#ifndef DMAV3_BUS_H
#define DMAV3_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"
#include "qemu/qemu_abi.h"

/* `own` and `own_size` are address and size of the controller's registers. */
MemoryRegion *bus_memory(hwaddr own, hwaddr own_size);

/* Have `failed` called after each access for data that was answered by an error. */
void bus_watch(void (*failed)(uint64_t address, bool is_write, const struct accessor *by));

/* Would an access to any of the `span` bytes from `address` on be answered by an error, as far as can be known
 * before? */
bool bus_is_faulty(uint64_t address, uint64_t span);

#endif
