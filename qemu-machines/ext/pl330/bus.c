/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/bus.h"

#include "evidence/stray.h"
#include "memory/fault_range.h"
#include "memory/views.h"
#include "pl330/fetch.h"

static struct {
    AddressSpace *system;
    uint64_t own, own_size;
    void (*failed)(uint64_t address, bool is_write, const struct accessor *by);
} bus;

void bus_watch(void (*failed)(uint64_t address, bool is_write, const struct accessor *by))
{
    bus.failed = failed;
}

/* ---- what answers with errors ---- */

static bool is_cut_off(uint64_t address, uint64_t span)
{
    return fault_range_has(address, span) || (address < bus.own + bus.own_size && bus.own < address + span);
}

static bool is_hole(uint64_t address)
{
    return !views_has(address) && !qemu.memory_region_present(qemu.get_system_memory(), address);
}

bool bus_is_faulty(uint64_t address, uint64_t span)
{
    return is_cut_off(address, span) || is_hole(address) || is_hole(address + span - 1);
}

/* ---- accesses ---- */

/* Returns true if the bus answered with an error. */
static bool access_ram(hwaddr address, void *value, unsigned int size, bool is_write, struct accessor *by)
{
    if (is_cut_off(address, size)) {
        return true;
    }
    views_lock(); /* once for what follows, too */
    by->stray = stray_found(by, address, size, is_write);
    if (is_write) {
        views_device_write(address - views.base, value, size, by);
    } else {
        views_device_read(address - views.base, value, size, by);
    }
    views_unlock();
    return false;
}

static bool access_rest(hwaddr address, void *value, unsigned int size, bool is_write)
{
    if (!bus.system) {
        bus.system = qemu.cpu_get_address_space(qemu.qemu_get_cpu(0), 0);
    }
    return is_cut_off(address, size) || qemu.address_space_rw(bus.system, address, MEMTXATTRS_UNSPECIFIED,
                                                              value, size, is_write) != MEMTX_OK;
}

static bool access(hwaddr address, void *value, unsigned int size, bool is_write, struct accessor *by)
{
    return views_has(address) ? access_ram(address, value, size, is_write, by)
                              : access_rest(address, value, size, is_write);
}

static uint64_t bus_read(void *opaque, hwaddr address, unsigned int size)
{
    bool is_fetch = fetch_begins(address, size), failed;
    struct accessor by = fetch_accessor();
    uint64_t value = 0;

    (void)opaque;
    by.is_fetch = is_fetch;
    failed = access(address, &value, size, false, &by);
    if (is_fetch) {
        fetch_read(address, (uint8_t *)&value, size);
    } else if (failed) {
        bus.failed(address, false, &by);
    }
    return value;
}

static void bus_write(void *opaque, hwaddr address, uint64_t value, unsigned int size)
{
    struct accessor by = fetch_accessor();

    (void)opaque;
    if (access(address, &value, size, true, &by)) {
        bus.failed(address, true, &by);
    }
}

static const MemoryRegionOps bus_ops = {
    .read = bus_read,
    .write = bus_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

MemoryRegion *bus_memory(hwaddr own, hwaddr own_size)
{
    static QemuRegion memory;

    bus.own = own;
    bus.own_size = own_size;
    /* The region has no owner: with one, QEMU blocks an access to a device that is in use. */
    qemu.memory_region_init_io(region(&memory), NULL, &bus_ops, NULL, "dmav3-bus", UINT64_MAX);
    return region(&memory);
}
