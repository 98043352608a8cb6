/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/bus.h"

#include "evidence/stray.h"
#include "memory/fault_range.h"
#include "memory/views.h"

static struct {
    AddressSpace *system;
    uint64_t own, own_size;
    uint64_t next, next_size; /* the device that is reached at once */
    void (*access)(uint64_t offset, void *data, unsigned int size, bool is_write);
} bus;

void bus_initialise(hwaddr own, hwaddr own_size)
{
    bus.own = own;
    bus.own_size = own_size;
}

void bus_adjoin(hwaddr base, hwaddr size,
                void (*access)(uint64_t offset, void *data, unsigned int size, bool is_write))
{
    bus.next = base;
    bus.next_size = size;
    bus.access = access;
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
    if (is_cut_off(address, size)) {
        return true;
    }
    if (address - bus.next < bus.next_size && !(address & (size - 1)) && size <= sizeof(uint64_t)) {
        bus.access(address - bus.next, value, size, is_write);
        return false;
    }
    if (!bus.system) {
        bus.system = qemu.cpu_get_address_space(qemu.qemu_get_cpu(0), 0);
    }
    return qemu.address_space_rw(bus.system, address, MEMTXATTRS_UNSPECIFIED, value, size, is_write) !=
           MEMTX_OK;
}

/* How many of the bytes from `address` on lie on its side of a border of RAM. */
static unsigned int before_border(hwaddr address, unsigned int size)
{
    hwaddr left = (views_has(address) ? views.base + views.size : views.base) - address;

    return left < size ? (unsigned int)left : size;
}

bool bus_access(uint64_t address, void *data, unsigned int size, bool is_write, struct accessor *by)
{
    unsigned int part = before_border(address, size);
    bool failed = views_has(address) ? access_ram(address, data, part, is_write, by)
                                     : access_rest(address, data, part, is_write);

    return part < size ? bus_access(address + part, (uint8_t *)data + part, size - part, is_write, by) || failed
                       : failed;
}
