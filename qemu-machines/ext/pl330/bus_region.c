/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/bus_region.h"

#include "pl330/bus.h"
#include "pl330/fetch.h"

static void (*when_failed)(uint64_t address, bool is_write, const struct accessor *by);

void bus_watch(void (*failed)(uint64_t address, bool is_write, const struct accessor *by))
{
    when_failed = failed;
}

static uint64_t bus_read(void *opaque, hwaddr address, unsigned int size)
{
    bool is_fetch = fetch_begins(address, size), failed;
    struct accessor by = fetch_accessor();
    uint64_t value = 0;

    (void)opaque;
    by.is_fetch = is_fetch;
    failed = bus_access(address, &value, size, false, &by);
    if (is_fetch) {
        fetch_read(address, (uint8_t *)&value, size);
    } else if (failed) {
        when_failed(address, false, &by);
    }
    return value;
}

static void bus_write(void *opaque, hwaddr address, uint64_t value, unsigned int size)
{
    struct accessor by = fetch_accessor();

    (void)opaque;
    if (bus_access(address, &value, size, true, &by)) {
        when_failed(address, true, &by);
    }
}

static const MemoryRegionOps bus_ops = {
    .read = bus_read,
    .write = bus_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

MemoryRegion *bus_region(void)
{
    static QemuRegion memory;

    /* The region has no owner: with one, QEMU blocks an access to a device that is in use. */
    qemu.memory_region_init_io(region(&memory), NULL, &bus_ops, NULL, "dmav3-bus", UINT64_MAX);
    return region(&memory);
}
