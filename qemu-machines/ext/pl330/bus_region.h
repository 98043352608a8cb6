/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus (pl330/bus.h) as QEMU's model of the PL330 takes it: a region. All of the model's accesses pass here,
 * because it ignores what the bus answers.
 */
#ifndef DMAV3_BUS_REGION_H
#define DMAV3_BUS_REGION_H

#include "memory/accessor.h"
#include "qemu/qemu_abi.h"

MemoryRegion *bus_region(void);

/* Have `failed` called after each access for data that was answered by an error. */
void bus_watch(void (*failed)(uint64_t address, bool is_write, const struct accessor *by));

#endif
