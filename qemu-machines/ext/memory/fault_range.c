/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/fault_range.h"

static struct {
    uint64_t base, size;
} range;

bool fault_range_has(uint64_t address, uint64_t span)
{
    return address < range.base + range.size && range.base < address + span;
}

static bool set(const char *name, uint64_t value, uint64_t base, uint64_t size, Error **errp)
{
    if (base > UINT32_MAX || size > (1ull << 32) - base) {
        error_setg(errp,
                   "%s=%llu: the range must end below 4 GiB, as in fault-base=1090519040, fault-size=4096",
                   name, (unsigned long long)value);
        return false;
    }
    range.base = base;
    range.size = size;
    return true;
}

uint64_t fault_range_base(void)
{
    return range.base;
}

bool fault_range_set_base(uint64_t value, Error **errp)
{
    return set("fault-base", value, value, range.size, errp);
}

uint64_t fault_range_size(void)
{
    return range.size;
}

bool fault_range_set_size(uint64_t value, Error **errp)
{
    return set("fault-size", value, range.base, value, errp);
}
