/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/rival.h"

#include "evidence/finding.h"
#include "memory/fault_range.h"
#include "memory/views.h"
#include "pl330/bus.h"

/* ---- its memory ---- */

static void access(hwaddr address, uint64_t *value, unsigned int size, bool is_write)
{
    struct accessor by = {.channel = ACCESSOR_RIVAL};

    if (bus_access(address, value, size, is_write, &by) && !fault_range_has(address, size)) {
        views_lock();
        finding_bus_error(address, is_write, BUS_ERROR_ANSWERED, &by);
        views_unlock();
    }
}

static uint64_t bus_read(void *opaque, hwaddr address, unsigned int size)
{
    uint64_t value = 0;

    (void)opaque;
    access(address, &value, size, false);
    return value;
}

static void bus_write(void *opaque, hwaddr address, uint64_t value, unsigned int size)
{
    (void)opaque;
    access(address, &value, size, true);
}

static const MemoryRegionOps bus_ops = {
    .read = bus_read,
    .write = bus_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

MemoryRegion *rival_memory(void)
{
    static QemuRegion memory;

    /* The region has no owner: with one, QEMU blocks an access to a device that is in use. */
    qemu.memory_region_init_io(region(&memory), NULL, &bus_ops, NULL, "dmav3-bus", UINT64_MAX);
    return region(&memory);
}

/* ---- what the board asks ---- */

static void nothing(void)
{
}

static uint32_t no_channel(void)
{
    return 0;
}

const struct controller rival_controller = {
    .reset = nothing, /* QEMU's own reset does what it does */
    .catch_up = nothing,
    .held_channels = no_channel,
};
