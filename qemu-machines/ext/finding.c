/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "finding.h"

#include <stddef.h>

#include "gate.h"
#include "history.h"
#include "mappings.h"
#include "pci.h"
#include "probe.h"
#include "views.h"

enum { PAGE_SHIFT = 12 };

static uint64_t cpu_pc;

void finding_cpu_at(uint64_t pc)
{
    cpu_pc = pc;
}

/*
 * Which mapping, and so which routine, a hazard belongs to: the newest that covers the address and
 * runs in the hazard's direction. What a device does is owed by a live mapping only; what the CPU reads
 * may have been owed by one that has ended. A line's neighbours count where lines are shared.
 */
struct debt {
    enum { READS, WRITES, EITHER } direction;
    bool live_only;
    enum { BYTE, BYTE_OR_BOUNCED, LINE } covered; /* directly, also by a bounce page, or the line by either */
    uint32_t routine;
};

static struct debt debt_of(enum cache_hazard kind, bool by_device)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return (struct debt){READS, false, BYTE_OR_BOUNCED, FLUSH_ADAPTER_BUFFERS_EX};
    case CACHE_STALE_DEVICE_READ:
        return (struct debt){WRITES, true, BYTE, MAP_TRANSFER_EX};
    case CACHE_LOST_DEVICE_WRITE:
        return (struct debt){READS, by_device, BYTE, MAP_TRANSFER_EX};
    case CACHE_LOST_CPU_WRITE:
        return (struct debt){READS, false, LINE, FLUSH_ADAPTER_BUFFERS_EX};
    case CACHE_SHARED_LINE:
        return (struct debt){READS, false, LINE, MAP_TRANSFER_EX};
    case CACHE_MISSING_BARRIER:
        return by_device ? (struct debt){WRITES, true, BYTE, MAP_TRANSFER_EX}
                         : (struct debt){READS, false, BYTE, FLUSH_ADAPTER_BUFFERS_EX};
    default:
        return (struct debt){EITHER, false, LINE, 0};
    }
}

static const struct mapping *newest_covering(const struct debt *debt, uint64_t physical)
{
    uint64_t size = debt->covered == LINE ? probe->line_size : 1, first = physical & ~(size - 1);

    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = mapping_nth_newest(n);
        bool direction = debt->direction == EITHER || mapping->write == (debt->direction == WRITES);

        if (mapping->handle && direction && (mapping->live || !debt->live_only) &&
            mapping_covers(mapping, first, size, debt->covered != BYTE)) {
            return mapping;
        }
    }
    return NULL;
}

/* What the CPU stored at `physical`, was it stored when the mapping had ended already? */
static bool stored_behind(const struct mapping *mapping, uint64_t physical)
{
    return !mapping->live && history_store_era(physical) >= mapping->ended;
}

/* ... and when a device wrote the line? */
static bool written_behind(const struct mapping *mapping, uint64_t physical)
{
    return !mapping->live && history_device_write_era(physical) >= mapping->ended;
}

/* NULL: nobody owed anything. A mapping that has ended has nothing to do with what came later. */
static const struct mapping *owner(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    struct debt debt = debt_of(kind, by_device);
    const struct mapping *mapping = newest_covering(&debt, physical);
    bool lost_store = kind == CACHE_LOST_CPU_WRITE;

    if (mapping && (lost_store ? stored_behind : written_behind)(mapping, physical)) {
        return NULL;
    }
    return mapping;
}

/* Did the CPU touch the mapping's own bytes, here at `physical`, while they were the device's? */
static bool is_misuse(enum cache_hazard kind, const struct mapping *mapping, uint64_t physical)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return mapping->live || mapping->abandoned;
    case CACHE_STALE_DEVICE_READ:
    case CACHE_LOST_DEVICE_WRITE:
    case CACHE_LOST_CPU_WRITE:
    case CACHE_SHARED_LINE:
        return history_store_era(physical) >= mapping->began && !stored_behind(mapping, physical) &&
               mapping_covers(mapping, physical, 1, false);
    default:
        return false;
    }
}

static struct probe_finding describe(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    const struct mapping *mapping = owner(kind, by_device, physical);
    struct pace_position at = by_device ? device_position() : history_device_write(physical);

    return (struct probe_finding){
        .kind = kind,
        .by_device = by_device,
        .count = 1,
        .time_ns = gate_time(),
        .command = gate_command(),
        .address = physical,
        .adapter = mapping ? mapping->adapter : 0,
        .routine = mapping ? debt_of(kind, by_device).routine : 0,
        .cpu_pc = by_device ? history_store(physical) : cpu_pc,
        .channel = at.channel,
        .microcode = at.microcode,
        .burst = at.burst,
        .while_mapped = mapping && is_misuse(kind, mapping, physical),
        .bounced = kind == CACHE_STALE_CPU_READ && cache_is_bounced(views.model, physical - views.base),
    };
}

static bool same_place(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->by_device ? a->address >> PAGE_SHIFT == b->address >> PAGE_SHIFT : a->cpu_pc == b->cpu_pc;
}

static bool same_cause(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->kind == b->kind && a->routine == b->routine && a->adapter == b->adapter &&
           a->while_mapped == b->while_mapped && a->bounced == b->bounced &&
           (a->routine || (a->by_device == b->by_device && same_place(a, b)));
}

/* A device writes a line with a byte that the CPU has stored. If the byte is to be written too, that is no line
 * that two share, but a buffer that was not made ready, or not left alone. */
static bool is_shared_with_itself(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    static const struct debt own = {READS, true, BYTE, MAP_TRANSFER_EX};

    return kind == CACHE_SHARED_LINE && by_device && newest_covering(&own, physical);
}

static void add(struct probe_finding found)
{
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
    found.seq = probe_record(PROBE_FINDING, probe->findings, 0, 0, 0, 0, 0);
    probe->finding[probe->findings++] = found;
}

void finding_hazard(enum cache_hazard hazard, bool by_device, uint64_t physical)
{
    bool own = is_shared_with_itself(hazard, by_device, physical);

    add(describe(own ? CACHE_LOST_DEVICE_WRITE : hazard, by_device, physical));
}

void finding_bus_error(uint64_t physical)
{
    struct pace_position at = device_position();

    add((struct probe_finding){
        .kind = FINDING_BUS_ERROR,
        .by_device = true,
        .count = 1,
        .time_ns = gate_time(),
        .command = gate_command(),
        .address = physical,
        .channel = at.channel,
        .microcode = at.microcode,
        .burst = at.burst,
    });
}
