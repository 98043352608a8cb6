/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/hazard.h"

#include <stddef.h>

#include "evidence/declared.h"
#include "evidence/finding.h"
#include "evidence/history.h"
#include "probe/probe.h"

#define SAME_KIND(name) _Static_assert((int)CACHE_##name == (int)FINDING_##name, #name)
SAME_KIND(STALE_CPU_READ);
SAME_KIND(STALE_DEVICE_READ);
SAME_KIND(LOST_DEVICE_WRITE);
SAME_KIND(LOST_CPU_WRITE);
SAME_KIND(SHARED_LINE);
SAME_KIND(MISSING_BARRIER);
SAME_KIND(MISMATCHED_ALIAS);

/*
 * Which mapping, and so which routine, a hazard belongs to: the newest mapping that covers the address and
 * runs in the hazard's direction. Only a live mapping can owe what a device's access needed; what the CPU's
 * read needed may have been owed by a mapping that has ended. A line's neighbours count where lines are shared.
 */
struct debt {
    enum { READS, WRITES, EITHER } direction;
    bool live_only;
    /* What the mapping must cover: the byte itself; the byte, also by a bounce page; a byte of the line, by
     * either. */
    enum { BYTE, BYTE_OR_BOUNCED, LINE } covered;
    uint32_t routine;
};

static struct debt debt_of(enum cache_hazard kind, bool by_device)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return (struct debt){READS, false, BYTE_OR_BOUNCED, ROUTINE_FlushAdapterBuffersEx};
    case CACHE_STALE_DEVICE_READ:
        return (struct debt){WRITES, true, BYTE, ROUTINE_MapTransferEx};
    case CACHE_LOST_DEVICE_WRITE:
        return (struct debt){READS, by_device, BYTE, ROUTINE_MapTransferEx};
    case CACHE_LOST_CPU_WRITE:
        return (struct debt){READS, false, LINE, ROUTINE_FlushAdapterBuffersEx};
    case CACHE_SHARED_LINE:
        return (struct debt){READS, false, LINE, ROUTINE_MapTransferEx};
    case CACHE_MISSING_BARRIER:
        return by_device ? (struct debt){EITHER, true, BYTE, ROUTINE_MapTransferEx}
                         : (struct debt){READS, false, BYTE, ROUTINE_FlushAdapterBuffersEx};
    default:
        return (struct debt){EITHER, false, LINE, 0};
    }
}

static const struct mapping *newest_covering(const struct debt *debt, uint64_t physical)
{
    uint64_t size = debt->covered == LINE ? probe->line_size : 1, first = physical & ~(size - 1);

    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = declared_nth_newest(n);
        bool direction = debt->direction == EITHER || mapping->write == (debt->direction == WRITES);

        if (mapping->handle && direction && (mapping->live || !debt->live_only) &&
            mapping_covers(mapping, first, size, debt->covered != BYTE)) {
            return mapping;
        }
    }
    return NULL;
}

/* Had the mapping ended when the CPU stored the byte at `physical`? */
static bool stored_behind(const struct mapping *mapping, uint64_t physical)
{
    return !mapping->live && history_store_epoch(physical) >= mapping->ended;
}

/* Had the mapping ended when a device last wrote the line of `physical`? */
static bool written_behind(const struct mapping *mapping, uint64_t physical)
{
    return !mapping->live && history_device_write_epoch(physical) >= mapping->ended;
}

/* The mapping whose routine owed the maintenance, or NULL if none did: a mapping that has ended has nothing to
 * do with what came later. */
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
        return history_store_epoch(physical) >= mapping->began && !stored_behind(mapping, physical) &&
               mapping_covers(mapping, physical, 1, false);
    default:
        return false;
    }
}

static struct probe_finding describe(enum cache_hazard kind, const struct cache_incident *incident,
                                     uint64_t physical, const struct accessor *by)
{
    const struct mapping *mapping = owner(kind, incident->by_device, physical);
    struct accessor device = incident->by_device ? *by : history_device_write(physical);

    return (struct probe_finding){
        .kind = kind,
        .by_device = incident->by_device,
        .address = physical,
        .adapter = mapping ? mapping->adapter : 0,
        .routine = mapping ? debt_of(kind, incident->by_device).routine : 0,
        .cpu_pc = incident->by_device ? history_store(physical) : by->pc,
        .channel = device.channel,
        .microcode = device.microcode,
        .burst = device.burst,
        .while_mapped = mapping && is_misuse(kind, mapping, physical),
        .bounced = incident->bounced,
    };
}

/* A device writes a line with a byte that the CPU has stored. If the device is to write that byte too, the line
 * is not shared: it is in a buffer that was not made ready, or not left alone. */
static bool is_shared_with_itself(const struct cache_incident *incident, uint64_t physical)
{
    static const struct debt own = {READS, true, BYTE, ROUTINE_MapTransferEx};

    return incident->kind == CACHE_SHARED_LINE && incident->by_device && newest_covering(&own, physical);
}

void hazard_found(const struct cache_incident *incident, uint64_t physical, const struct accessor *by)
{
    bool own = is_shared_with_itself(incident, physical);

    finding_add(describe(own ? CACHE_LOST_DEVICE_WRITE : incident->kind, incident, physical, by), by);
}
