/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/fault_range.h"

struct fault_range fault_range;

static bool set(const char *name, uint64_t value, uint64_t base, uint64_t size, Error **errp)
{
    if (base > UINT32_MAX || size > (1ull << 32) - base) {
        error_setg(errp,
                   "%s=%llu: the range must end below 4 GiB, as in fault-base=1090519040, fault-size=4096",
                   name, (unsigned long long)value);
        return false;
    }
    fault_range.base = base;
    fault_range.size = size;
    return true;
}

uint64_t fault_range_base(void)
{
    return fault_range.base;
}

bool fault_range_set_base(uint64_t value, Error **errp)
{
    return set("fault-base", value, value, fault_range.size, errp);
}

uint64_t fault_range_size(void)
{
    return fault_range.size;
}

bool fault_range_set_size(uint64_t value, Error **errp)
{
    return set("fault-size", value, fault_range.base, value, errp);
}
