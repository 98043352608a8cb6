/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose a buffer is: from the record of a mapping to its end it is the device's, whatever the device has done.
 * A store of the CPU to a live mapping, and a load from a live read mapping, is a finding, if it is the
 * driver's: not while a routine of the layer is the innermost record of the operation log. Loops are free.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_OWNERSHIP_H
#define DMAV3_OWNERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/declared.h"
#include "memory/accessor.h"

/* The CPU accesses `size` bytes of RAM, in one line. To be called if anything of the line is owned. */
void ownership_judge(uint64_t physical, unsigned int size, bool store, const struct accessor *by);

/* What the finding says of a store, or a load, of the byte by the instruction at `pc`. */
struct probe_finding ownership_finding(const struct mapping *mapping, uint64_t physical, uint64_t pc,
                                       bool store);

/* enum declared_owned of a line of RAM. */
static inline unsigned int ownership_of(size_t line)
{
    return declared_owned[line];
}

#endif
