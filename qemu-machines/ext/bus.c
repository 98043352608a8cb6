/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus.h"

#include "fetch.h"
#include "views.h"

static struct {
    AddressSpace *system;
    uint64_t own, own_size;
    uint64_t fault_base, fault_size;
    void (*failed)(uint64_t address, bool is_write);
} bus;

void bus_watch(void (*failed)(uint64_t address, bool is_write))
{
    bus.failed = failed;
}

/* ---- what answers with errors ---- */

static bool overlaps(uint64_t base, uint64_t size, uint64_t address, uint64_t span)
{
    return address < base + size && base < address + span;
}

bool bus_is_cut_off(uint64_t address, uint64_t span)
{
    return overlaps(bus.fault_base, bus.fault_size, address, span) ||
           overlaps(bus.own, bus.own_size, address, span);
}

static bool is_hole(uint64_t address)
{
    return !views_has(address) && !qemu.memory_region_present(qemu.get_system_memory(), address);
}

bool bus_is_faulty(uint64_t address, uint64_t span)
{
    return bus_is_cut_off(address, span) || is_hole(address) || is_hole(address + span - 1);
}

/* ---- accesses ---- */

/* True: the bus answered with an error. */
static bool access_ram(hwaddr address, void *value, unsigned int size, bool is_write)
{
    if (bus_is_cut_off(address, size)) {
        return true;
    }
    if (is_write) {
        views_device_write(address - views.base, value, size);
    } else {
        views_device_read(address - views.base, value, size);
    }
    return false;
}

static bool access_rest(hwaddr address, void *value, unsigned int size, bool is_write)
{
    if (!bus.system) {
        bus.system = qemu.cpu_get_address_space(qemu.qemu_get_cpu(0), 0);
    }
    return bus_is_cut_off(address, size) || qemu.address_space_rw(bus.system, address, MEMTXATTRS_UNSPECIFIED,
                                                                  value, size, is_write) != MEMTX_OK;
}

static uint64_t bus_read(void *opaque, hwaddr address, unsigned int size)
{
    bool is_fetch = fetch_begins(address, size), failed;
    uint64_t value = 0;

    (void)opaque;
    failed = (views_has(address) ? access_ram : access_rest)(address, &value, size, false);
    if (is_fetch) {
        fetch_read(address, (uint8_t *)&value, size);
    } else if (failed) {
        bus.failed(address, false);
    }
    return value;
}

static void bus_write(void *opaque, hwaddr address, uint64_t value, unsigned int size)
{
    (void)opaque;
    if ((views_has(address) ? access_ram : access_rest)(address, &value, size, true)) {
        bus.failed(address, true);
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
    /* It has no owner: with one, QEMU blocks an access to a device that is in use. */
    qemu.memory_region_init_io(region(&memory), NULL, &bus_ops, NULL, "dmav3-bus", UINT64_MAX);
    return region(&memory);
}

/* ---- properties ---- */

static bool set_fault_range(const char *name, uint64_t value, uint64_t base, uint64_t size, Error **errp)
{
    if (base > UINT32_MAX || size > (1ull << 32) - base) {
        error_setg(errp,
                   "%s=%llu: the range must end below 4 GiB, as in fault-base=1090519040, fault-size=4096",
                   name, (unsigned long long)value);
        return false;
    }
    bus.fault_base = base;
    bus.fault_size = size;
    return true;
}

uint64_t bus_fault_base(void)
{
    return bus.fault_base;
}

bool bus_set_fault_base(uint64_t value, Error **errp)
{
    return set_fault_range("fault-base", value, value, bus.fault_size, errp);
}

uint64_t bus_fault_size(void)
{
    return bus.fault_size;
}

bool bus_set_fault_size(uint64_t value, Error **errp)
{
    return set_fault_range("fault-size", value, bus.fault_base, value, errp);
}
