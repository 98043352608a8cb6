/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The properties fault-base and fault-size: a range of addresses that answers devices with bus errors. A
 * size of 0 means that there is none.
 */
#ifndef DMAV3_FAULT_RANGE_H
#define DMAV3_FAULT_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

extern struct fault_range {
    uint64_t base, size;
} fault_range;

/* Is any of the `span` bytes from `address` on in the range? */
static inline bool fault_range_has(uint64_t address, uint64_t span)
{
    return address < fault_range.base + fault_range.size && fault_range.base < address + span;
}

uint64_t fault_range_base(void);
bool fault_range_set_base(uint64_t value, Error **errp);
uint64_t fault_range_size(void);
bool fault_range_set_size(uint64_t value, Error **errp);

#endif
