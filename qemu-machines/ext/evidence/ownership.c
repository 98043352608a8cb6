/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/ownership.h"

#include <stddef.h>

#include "evidence/finding.h"
#include "evidence/oplog.h"

struct probe_finding ownership_finding(const struct mapping *mapping, uint64_t physical, uint64_t pc,
                                       bool store)
{
    struct probe_finding found = {
        .kind = FINDING_NOT_YOUR_BUFFER,
        .address = physical,
        .cpu_pc = pc,
        .channel = ACCESSOR_NO_CHANNEL,
        .routine = store ? mapping->maker : declared_flush_of(mapping->maker),
        .while_mapped = true,
        .is_write = store,
    };

    declared_describe(mapping, &found);
    return found;
}

void ownership_judge(uint64_t physical, unsigned int size, bool store, const struct accessor *by)
{
    uint64_t first = physical;
    const struct mapping *mapping = declared_owner(physical, size, store, &first);

    if (mapping && !oplog_is_inside_layer()) {
        finding_add(ownership_finding(mapping, first, by->pc, store), by);
    }
}
