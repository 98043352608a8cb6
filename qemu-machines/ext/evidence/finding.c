/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/finding.h"

#include "time/clock.h"

enum { PAGE_SHIFT = 12 };

static bool same_place(const struct probe_finding *a, const struct probe_finding *b)
{
    if (a->kind == FINDING_BYPASSING_DEVICE) {
        return a->address == b->address;
    }
    return a->by_device ? a->address >> PAGE_SHIFT == b->address >> PAGE_SHIFT : a->cpu_pc == b->cpu_pc;
}

static bool same_cause(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->kind == b->kind && a->routine == b->routine && a->adapter == b->adapter &&
           a->while_mapped == b->while_mapped && a->bounced == b->bounced &&
           (a->routine || (a->by_device == b->by_device && same_place(a, b)));
}

void finding_add(struct probe_finding found, const struct accessor *by)
{
    found.count = 1;
    found.time_ns = clock_time();
    found.command = clock_command();
    for (uint32_t i = 0; i < probe->findings; i++) {
        if (same_cause(&probe->finding[i], &found)) {
            probe->finding[i].count++;
            return;
        }
    }
    if (probe->findings == PROBE_FINDINGS) {
        probe->findings_lost++;
        return;
    }
    found.seq = probe_record_finding(probe->findings, by->ungated);
    probe->finding[probe->findings++] = found;
}

void finding_bus_error(uint64_t physical, const struct accessor *by)
{
    finding_add(
        (struct probe_finding){
            .kind = FINDING_BUS_ERROR,
            .by_device = true,
            .address = physical,
            .channel = by->channel,
            .microcode = by->microcode,
            .burst = by->burst,
        },
        by);
}
