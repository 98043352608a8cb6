/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/stray.h"

#include <stddef.h>

#include "evidence/declared.h"
#include "evidence/finding.h"
#include "evidence/history.h"
#include "memory/views.h"
#include "probe/probe.h"

enum { CHANNELS = 32, RUNS = 128 };

/* What a device accesses in one go: a run that leaves its mapping is behind the end of that one. */
struct run {
    uint32_t channel; /* as in struct accessor */
    bool is_write, is_fetch;
    uint64_t end;
    struct mapping *mapping; /* in which it is, or was, held; NULL: none */
    uint32_t range;
};

static struct {
    bool announced, masters;
    uint32_t channels;              /* a bit each */
    uint64_t window, window_length; /* 0: there is none */
    struct run run[RUNS];
} stray;

/* The mapping, or memory for devices, that is nearest to a stray byte. */
struct nearest {
    enum probe_near near;
    const struct mapping *mapping;
    uint32_t range;
};

void stray_reset(void)
{
    stray.announced = stray.masters = false;
    stray.channels = 0;
    stray.window_length = 0;
    for (struct run *run = stray.run; run < stray.run + RUNS; run++) {
        *run = (struct run){.channel = ACCESSOR_NO_CHANNEL};
    }
}

void stray_announced(void)
{
    stray.announced = true;
}

bool stray_set_window(uint64_t physical, uint64_t length)
{
    if (stray.window_length || !line_index_has(physical, length)) {
        return false;
    }
    stray.window = physical;
    stray.window_length = length;
    return true;
}

void stray_adapter_made(uint32_t channel)
{
    if (channel < CHANNELS) {
        stray.channels |= 1u << channel;
    } else if (channel == STRAY_BUS_MASTER) {
        stray.masters = true;
    } else {
        finding_bad_record(BAD_RECORD_UNKNOWN, channel);
    }
}

static bool is_judged(const struct accessor *by)
{
    return stray.announced && (by->channel & (ACCESSOR_PCI | ACCESSOR_REMOTE)
                                   ? stray.masters
                                   : by->channel < CHANNELS && (stray.channels >> by->channel & 1));
}

static bool is_in_window(uint64_t physical)
{
    return physical - stray.window < stray.window_length;
}

static bool is_for(const struct mapping *mapping, bool is_write)
{
    return mapping->memory != MEMORY_MAPPED || mapping->write != is_write;
}

/* ---- runs ---- */

static struct run *run_of(const struct accessor *by, bool is_write)
{
    return &stray.run[(by->channel * 4 + by->is_fetch * 2 + is_write) % RUNS];
}

static void begin_run(struct run *run, const struct accessor *by, bool is_write)
{
    if (run->mapping) {
        declared_let_go(run->mapping);
    }
    *run = (struct run){.channel = by->channel, .is_write = is_write, .is_fetch = by->is_fetch};
}

static bool is_of(const struct run *run, const struct accessor *by, bool is_write)
{
    return run->channel == by->channel && run->is_write == is_write && run->is_fetch == by->is_fetch;
}

/* The run is in this entry's mapping now. */
static void enter(struct run *run, const struct index_entry *entry)
{
    if (run->mapping != entry->mapping) {
        declared_hold(entry->mapping);
        if (run->mapping) {
            declared_let_go(run->mapping);
        }
        run->mapping = entry->mapping;
    }
    run->range = entry->range;
}

/* The bytes of a line that nothing gives the device. The run enters what gives it the first. */
static uint64_t nobodys(struct run *run, uint64_t physical, uint64_t size, bool is_write)
{
    uint64_t left = line_index_bytes(physical, size);

    for (const struct index_entry *entry = line_index_first(physical); left && entry;
         entry = line_index_next(entry)) {
        if (entry->mapping->live && (entry->sides & SIDE_DEVICE) && (entry->bytes & left) &&
            ((entry->sides & SIDE_EITHER) || is_for(entry->mapping, is_write))) {
            left &= ~entry->bytes;
            enter(run, entry);
        }
    }
    return left;
}

/* ---- the nearest ---- */

static uint64_t start_of(const struct mapping *mapping, uint32_t range)
{
    return mapping->range[range].device;
}

static uint64_t end_of(const struct mapping *mapping, uint32_t range)
{
    return mapping->range[range].device + mapping->range[range].length;
}

static bool is_behind(const struct run *run, uint64_t physical)
{
    return run->mapping && run->mapping->live && is_for(run->mapping, run->is_write) &&
           physical >= end_of(run->mapping, run->range);
}

/* What has, or had, the byte itself: alive for the other direction, or else the last that ended. */
static struct nearest nearest_at(uint64_t physical)
{
    struct nearest found = {.near = NEAR_NOTHING};

    for (const struct index_entry *entry = line_index_first(physical); entry; entry = line_index_next(entry)) {
        bool there = (entry->sides & SIDE_DEVICE) && (entry->bytes & line_index_bytes(physical, 1));

        if (there && entry->mapping->live) {
            return (struct nearest){NEAR_OTHER_DIRECTION, entry->mapping, entry->range};
        }
        if (there && !found.mapping) {
            found = (struct nearest){NEAR_ENDED, entry->mapping, entry->range};
        }
    }
    return found;
}

/* The live one at the least distance. Private memory does not count, since no driver knows it. */
static struct nearest nearest_live(uint64_t physical)
{
    struct nearest found = {.near = NEAR_NOTHING};
    uint64_t least = UINT64_MAX;

    for (const struct mapping *mapping = declared_newest(); mapping; mapping = mapping->next) {
        for (uint32_t i = 0; mapping->live && mapping->memory != MEMORY_PRIVATE && i < mapping->ranges; i++) {
            bool behind = physical >= end_of(mapping, i);
            uint64_t distance = behind ? physical - end_of(mapping, i) : start_of(mapping, i) - physical;

            if (distance < least) {
                least = distance;
                found = (struct nearest){behind ? NEAR_BEHIND : NEAR_BEFORE, mapping, i};
            }
        }
    }
    return found;
}

static struct nearest nearest_to(const struct run *run, uint64_t physical)
{
    struct nearest found;

    if (is_behind(run, physical)) {
        return (struct nearest){NEAR_BEHIND, run->mapping, run->range};
    }
    found = nearest_at(physical);
    return found.mapping ? found : nearest_live(physical);
}

/* ---- findings ---- */

static uint32_t report(const struct accessor *by, const struct run *run, uint64_t physical)
{
    const struct nearest nearest = nearest_to(run, physical);
    struct probe_finding found = {
        .kind = FINDING_STRAY_DEVICE_ACCESS,
        .by_device = true,
        .is_write = run->is_write,
        .address = physical,
        .channel = by->channel,
        .microcode = by->microcode,
        .burst = by->burst,
        .cpu_pc = views_has(physical) ? history_store(physical) : 0,
        .near = nearest.near,
    };

    if (nearest.mapping) {
        declared_describe(nearest.mapping, &found);
        found.near_start = start_of(nearest.mapping, nearest.range);
        found.near_memory = nearest.mapping->range[nearest.range].physical;
        found.near_length = nearest.mapping->range[nearest.range].length;
    }
    return finding_add(found, by);
}

/* As most accesses do: is it in what gave the run the bytes before? */
static bool stays(const struct run *run, uint64_t physical, uint64_t end, bool is_write)
{
    return run->mapping && run->mapping->live && is_for(run->mapping, is_write) &&
           physical >= start_of(run->mapping, run->range) && end <= end_of(run->mapping, run->range);
}

uint32_t stray_found(const struct accessor *by, uint64_t physical, unsigned int size, bool is_write)
{
    uint64_t line = probe->line_size, end = physical + size, first = end;
    struct run *run = run_of(by, is_write);

    if (!is_judged(by) || (is_in_window(physical) && is_in_window(end - 1))) {
        return 0;
    }
    if (is_of(run, by, is_write) && stays(run, physical, end, is_write)) {
        run->end = end;
        return 0;
    }
    if (!is_of(run, by, is_write) || run->end != physical) {
        begin_run(run, by, is_write);
    }
    for (uint64_t at = physical; at < end; at = (at | (line - 1)) + 1) {
        uint64_t left = is_in_window(at) ? 0 : nobodys(run, at, end - at, is_write);

        if (left && first == end) {
            first = (at & ~(line - 1)) + (unsigned int)__builtin_ctzll(left);
        }
    }
    run->end = end;
    return first < end ? report(by, run, first) : 0;
}
