/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that the PL330 sees: RAM as devices see it, and QEMU's system memory around it.
 *
 * Every access of the controller passes here, those to devices too, because its model ignores what the
 * bus answers. These are answered by an error: an access where neither memory nor a device is; one that
 * a device refuses; one inside fault-base, fault-size; one to the controller's own registers, which QEMU
 * cuts off while the controller runs. All but the second are known before they are made.
 */
#ifndef DMAV3_BUS_H
#define DMAV3_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu_abi.h"

/* `own`: of the controller's registers. */
MemoryRegion *bus_memory(hwaddr own, hwaddr own_size);

/* Is told of each access for data that was answered by an error, after it. */
void bus_watch(void (*failed)(uint64_t address, bool is_write));

/* Would an access to any of these addresses be answered by an error, as far as can be known before? */
bool bus_is_faulty(uint64_t address, uint64_t span);

/* Is it in fault-base, fault-size, or one to the controller's own registers? */
bool bus_is_cut_off(uint64_t address, uint64_t span);

/* fault-base, fault-size: a range that answers with errors. */
uint64_t bus_fault_base(void);
bool bus_set_fault_base(uint64_t value, Error **errp);
uint64_t bus_fault_size(void);
bool bus_set_fault_size(uint64_t value, Error **errp);

#endif
