/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory as bus masters reach it: RAM as devices see it, and low RAM for narrow ones. Their accesses are
 * judged: whose the bytes were (evidence/stray.h), and what was ordered before the start of the device.
 */
#ifndef DMAV3_MASTER_H
#define DMAV3_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"
#include "qemu/qemu_abi.h"

/* Lay low RAM into system memory; make it as it was at the start. */
bool master_add_low_ram(Error **errp);
void master_reset(void);

/* Is all of it in RAM, or in low RAM? */
bool master_reaches(uint64_t address, unsigned int size);

/* The device `by` accesses memory that it reaches. False: the bus answered with an error, as it does in
 * fault-base, fault-size, and wherever it does not reach; that is a finding, too, since not every model of a
 * device looks. The caller holds the views' lock. */
bool master_access(uint64_t address, void *data, unsigned int size, bool is_write, struct accessor *by);

#endif
