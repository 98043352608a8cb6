/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/hazard.h"

#include <stddef.h>

#include "evidence/acts.h"
#include "evidence/declared.h"
#include "evidence/finding.h"
#include "evidence/history.h"
#include "evidence/ownership.h"
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
    enum { NOBODY, MAKER, ENDER } owed; /* by which of the mapping's routines */
};

static struct debt debt_of(enum cache_hazard kind, bool by_device)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return (struct debt){READS, false, BYTE_OR_BOUNCED, ENDER};
    case CACHE_STALE_DEVICE_READ:
        return (struct debt){WRITES, true, BYTE, MAKER};
    case CACHE_LOST_DEVICE_WRITE:
        return (struct debt){READS, by_device, BYTE, MAKER};
    case CACHE_LOST_CPU_WRITE:
        return (struct debt){READS, false, LINE, ENDER};
    case CACHE_SHARED_LINE:
        return (struct debt){READS, false, LINE, MAKER};
    case CACHE_MISSING_BARRIER:
        return by_device ? (struct debt){EITHER, true, BYTE, MAKER} : (struct debt){READS, false, BYTE, ENDER};
    default:
        return (struct debt){EITHER, false, LINE, NOBODY};
    }
}

static const struct mapping *newest_covering(const struct debt *debt, uint64_t physical)
{
    uint64_t size = debt->covered == LINE ? probe->line_size : 1, first = physical & ~(size - 1);

    for (const struct index_entry *entry = line_index_first(first); entry; entry = line_index_next(entry)) {
        const struct mapping *mapping = entry->mapping;
        bool direction = debt->direction == EITHER || mapping->write == (debt->direction == WRITES);

        if (mapping->memory == MEMORY_MAPPED && direction && (mapping->live || !debt->live_only) &&
            declared_covers(entry, first, size, debt->covered != BYTE)) {
            return mapping;
        }
    }
    return NULL;
}

/* The newest of that sort with the byte; live, unless it is what KeFlushIoBuffers had. */
static const struct mapping *newest_of(enum probe_memory memory, uint64_t physical)
{
    const struct index_entry *entry = line_index_first(physical);

    while (entry && (entry->mapping->memory != memory || !declared_covers(entry, physical, 1, false) ||
                     entry->mapping->live != (memory != MEMORY_FLUSHED))) {
        entry = line_index_next(entry);
    }
    return entry ? entry->mapping : NULL;
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

static bool covers_itself(const struct mapping *mapping, uint64_t physical)
{
    const struct index_entry *entry = line_index_first(physical);

    while (entry && (entry->mapping != mapping || !declared_covers(entry, physical, 1, false))) {
        entry = line_index_next(entry);
    }
    return entry != NULL;
}

/* Did the CPU touch the mapping's own bytes, here at `physical`, while they were the device's? */
static bool is_misuse(enum cache_hazard kind, const struct mapping *mapping, uint64_t physical)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return mapping->live || !mapping->flushed || mapping_left_out(mapping, physical);
    case CACHE_STALE_DEVICE_READ:
    case CACHE_LOST_DEVICE_WRITE:
    case CACHE_LOST_CPU_WRITE:
    case CACHE_SHARED_LINE:
        return history_store_epoch(physical) >= mapping->began && !stored_behind(mapping, physical) &&
               covers_itself(mapping, physical);
    default:
        return false;
    }
}

/* The routine that owed what a mapping needed. */
static uint32_t routine_of(const struct mapping *mapping, struct debt debt)
{
    if (debt.owed == NOBODY) {
        return 0;
    }
    if (debt.owed == MAKER) {
        return mapping->maker;
    }
    return mapping->flushed ? mapping->ender : declared_flush_of(mapping->maker);
}

/* Did KeFlushIoBuffers have the byte after what it should have maintained: the store, or the device's write? */
static const struct mapping *flushed_in_vain(enum cache_hazard kind, uint64_t physical)
{
    const struct mapping *flushed = newest_of(MEMORY_FLUSHED, physical);
    bool after_store = kind == CACHE_STALE_DEVICE_READ || kind == CACHE_LOST_DEVICE_WRITE;
    uint32_t epoch;

    if (!flushed || (!after_store && kind != CACHE_STALE_CPU_READ) || (flushed->write && !after_store)) {
        return NULL;
    }
    epoch = after_store ? history_store_epoch(physical) : history_device_write_epoch(physical);
    return epoch < flushed->began ? flushed : NULL;
}

/* Memory that must not be cached, and is: a common buffer, microcode. A barrier is owed by whoever stores to
 * it, which is the driver in the first case and the back end in the second. */
static const struct mapping *uncached_memory(enum cache_hazard kind, uint64_t physical)
{
    const struct mapping *memory = newest_of(MEMORY_COMMON, physical);

    if (memory && kind != CACHE_MISSING_BARRIER && kind != CACHE_MISMATCHED_ALIAS) {
        return memory;
    }
    return newest_of(MEMORY_PRIVATE, physical);
}

/* Where no mapping owed anything. */
static void blame_others(struct probe_finding *found, enum cache_hazard kind, uint64_t physical)
{
    const struct mapping *memory = flushed_in_vain(kind, physical);

    if (!memory) {
        memory = uncached_memory(kind, physical);
    }
    if (memory) {
        declared_describe(memory, found);
        found->routine = memory->memory == MEMORY_PRIVATE ? (uint32_t)ROUTINE_ProgramChannel : memory->maker;
    }
}

/* The CPU's side of a hazard. What a device's write met without a barrier is maintenance. */
static uint64_t cpu_pc(const struct cache_incident *incident, uint64_t physical, const struct accessor *by)
{
    uint64_t pc = 0;

    if (!incident->by_device) {
        return by->pc;
    }
    if (incident->kind == CACHE_MISSING_BARRIER && incident->by_device_write) {
        pc = history_maintenance(physical);
    }
    return pc ? pc : history_store(physical);
}

static struct probe_finding describe(enum cache_hazard kind, const struct cache_incident *incident,
                                     uint64_t physical, const struct accessor *by,
                                     const struct mapping *mapping)
{
    struct accessor device = incident->by_device ? *by : history_device_write(physical);
    struct probe_finding found = {
        .kind = kind,
        .by_device = incident->by_device,
        .address = physical,
        .cpu_pc = cpu_pc(incident, physical, by),
        .clean_pc = incident->of_clean ? history_maintenance(physical) : 0,
        .channel = device.channel,
        .microcode = device.microcode,
        .burst = device.burst,
        .while_mapped = mapping && is_misuse(kind, mapping, physical),
        .bounced = incident->bounced,
    };

    if (mapping) {
        declared_describe(mapping, &found);
        found.routine = routine_of(mapping, debt_of(kind, incident->by_device));
    } else {
        blame_others(&found, kind, physical);
    }
    return found;
}

/* Is it what comes of an access that was a finding itself: the CPU touched the device's buffer, or the device
 * strayed? Then it counts there: returns its number, else 0. */
static uint32_t consequence_of(const struct probe_finding *found, const struct accessor *by,
                               const struct mapping *mapping)
{
    uint64_t pc = found->kind == FINDING_STALE_CPU_READ ? found->cpu_pc : history_store(found->address);
    struct probe_finding touched;

    if (found->by_device && by->stray) {
        return by->stray;
    }
    if (!found->by_device && history_device_write(found->address).stray) {
        finding_met(history_device_write(found->address).stray, by->pc);
        return history_device_write(found->address).stray;
    }
    if (!found->while_mapped) {
        return 0;
    }
    touched = ownership_finding(mapping, found->address, pc, found->kind != FINDING_STALE_CPU_READ);
    /* The access itself is counted already, where it is the one that shows the hazard. */
    return by->pc == pc ? finding_knows(&touched) : finding_counts(&touched);
}

/* A device writes a line with a byte that the CPU has stored. If the device is to write that byte too, the line
 * is not shared: it is in a buffer that was not made ready, or not left alone. */
static bool is_shared_with_itself(const struct cache_incident *incident, uint64_t physical)
{
    static const struct debt own = {READS, true, BYTE, MAKER};

    return incident->kind == CACHE_SHARED_LINE && incident->by_device && newest_covering(&own, physical);
}

void hazard_found(const struct cache_incident *incident, uint64_t physical, const struct accessor *by)
{
    bool own = is_shared_with_itself(incident, physical);
    enum cache_hazard kind = own ? CACHE_LOST_DEVICE_WRITE : incident->kind;
    const struct mapping *mapping = owner(kind, incident->by_device, physical);
    struct probe_finding found = describe(kind, incident, physical, by, mapping);
    uint32_t number = consequence_of(&found, by, mapping);

    acts_wrong(incident, number ? number : finding_add(found, by), found.cpu_pc, by);
}
