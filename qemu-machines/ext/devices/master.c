/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "devices/master.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "evidence/declared.h"
#include "evidence/finding.h"
#include "evidence/stray.h"
#include "memory/fault_range.h"
#include "memory/views.h"

static uint8_t *low_ram;

static bool is_low(uint64_t address)
{
    return address - LOW_RAM_BASE < LOW_RAM_SIZE;
}

bool master_reaches(uint64_t address, unsigned int size)
{
    uint64_t last = address + size - 1;

    return (views_has(address) && views_has(last)) || (is_low(address) && is_low(last));
}

static void access_low(uint64_t address, void *data, unsigned int size, bool is_write,
                       const struct accessor *by)
{
    uint8_t *at = low_ram + (address - LOW_RAM_BASE);

    if (is_write && views.model) {
        declared_device_wrote(address, size, by);
    }
    memcpy(is_write ? at : data, is_write ? data : at, size);
}

bool master_access(uint64_t address, void *data, unsigned int size, bool is_write, struct accessor *by)
{
    if (fault_range_has(address, size) || !master_reaches(address, size)) {
        finding_bus_error(address, is_write, BUS_ERROR_ANSWERED, by);
        return false;
    }
    by->stray = stray_found(by, address, size, is_write);
    if (is_low(address)) {
        access_low(address, data, size, is_write, by);
    } else if (is_write) {
        views_device_write(address - views.base, data, size, by);
    } else {
        views_device_read(address - views.base, data, size, by);
    }
    return true;
}

bool master_add_low_ram(Error **errp)
{
    static QemuRegion memory;
    void *bytes =
        mmap(NULL, LOW_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (bytes == MAP_FAILED) {
        error_setg(errp, "no memory for low RAM: %s", strerror(errno));
        return false;
    }
    low_ram = bytes;
    qemu.memory_region_init_ram_ptr(region(&memory), NULL, "dmav3-low-ram", LOW_RAM_SIZE, bytes);
    qemu.memory_region_add_subregion(qemu.get_system_memory(), LOW_RAM_BASE, region(&memory));
    return true;
}

void master_reset(void)
{
    madvise(low_ram, LOW_RAM_SIZE, MADV_DONTNEED);
}
