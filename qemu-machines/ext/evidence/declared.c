/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/declared.h"

#include <stddef.h>
#include <stdlib.h>

#include "evidence/finding.h"
#include "evidence/history.h"
#include "memory/views.h"
#include "model/cache_model.h"
#include "time/clock.h"

enum { RANGES_FIRST = 4 };

uint8_t *declared_owned;

static struct mapping *newest;
static uint32_t live;

/* ---- the list ---- */

static void destroy(struct mapping *mapping)
{
    if (mapping->previous) {
        mapping->previous->next = mapping->next;
    } else {
        newest = mapping->next;
    }
    if (mapping->next) {
        mapping->next->previous = mapping->previous;
    }
    free(mapping->range);
    free(mapping);
}

void declared_reset(void)
{
    if (!declared_owned) {
        declared_owned = calloc(probe->ram_size / probe->line_size, 1);
    }
    while (newest) {
        destroy(newest);
    }
    live = 0;
    line_index_reset();
}

const struct mapping *declared_newest(void)
{
    return newest;
}

void declared_hold(struct mapping *mapping)
{
    mapping->users++;
}

void declared_let_go(struct mapping *mapping)
{
    if (--mapping->users == 0 && !mapping->live) {
        destroy(mapping);
    }
}

uint32_t declared_flush_of(uint32_t maker)
{
    switch (maker) {
    case ROUTINE_MapTransfer:
        return ROUTINE_FlushAdapterBuffers;
    case ROUTINE_GetScatterGatherList:
    case ROUTINE_GetScatterGatherListEx:
    case ROUTINE_BuildScatterGatherList:
    case ROUTINE_BuildScatterGatherListEx:
        return ROUTINE_PutScatterGatherList;
    default:
        return ROUTINE_FlushAdapterBuffersEx;
    }
}

void declared_describe(const struct mapping *mapping, struct probe_finding *finding)
{
    finding->adapter = mapping->adapter;
    finding->memory = mapping->memory;
    finding->for_write = mapping->write;
    finding->maker = mapping->maker;
    finding->maker_pc = mapping->maker_pc;
    finding->ender = mapping->ender;
    finding->ended_ns = mapping->ended_ns;
}

struct mapping *declared_begin(const struct mapping *like)
{
    struct mapping *mapping = live < DECLARED_LIVE_MAX ? malloc(sizeof(*mapping)) : NULL;

    if (!mapping) {
        finding_bad_record(BAD_RECORD_TOO_MANY, like->handle);
        return NULL;
    }
    *mapping = *like;
    mapping->live = true;
    mapping->began = history_begin_epoch();
    mapping->next = newest;
    if (newest) {
        newest->previous = mapping;
    }
    newest = mapping;
    live++;
    return mapping;
}

struct mapping *declared_find(uint64_t handle, uint64_t identity)
{
    struct mapping *mapping = newest;

    while (mapping && (!mapping->live || mapping->memory != MEMORY_MAPPED || mapping->handle != handle ||
                       (identity && mapping->identity != identity))) {
        mapping = mapping->next;
    }
    return mapping;
}

struct mapping *declared_find_memory(uint64_t physical)
{
    struct mapping *mapping = newest;

    while (mapping && (!mapping->live || mapping->memory == MEMORY_MAPPED || !mapping->ranges ||
                       mapping->range[0].physical != physical)) {
        mapping = mapping->next;
    }
    return mapping;
}

void declared_end(struct mapping *mapping, uint32_t routine, bool flushed)
{
    mapping->live = false;
    mapping->ended = history_begin_epoch();
    mapping->ended_ns = clock_time();
    mapping->ender = routine;
    mapping->flushed = flushed;
    live--;
    if (mapping->users == 0) {
        destroy(mapping);
    }
}

/* ---- ranges ---- */

static struct range *new_range(struct mapping *mapping)
{
    if (mapping->ranges == mapping->room) {
        uint32_t room = mapping->room ? 2 * mapping->room : RANGES_FIRST;
        struct range *range = realloc(mapping->range, room * sizeof(*range));

        if (!range) {
            return NULL;
        }
        mapping->range = range;
        mapping->room = room;
    }
    return &mapping->range[mapping->ranges++];
}

/* May an entry of the older, which has no byte that the newer has not, go? */
static bool replaces(const struct mapping *newer, const struct mapping *older)
{
    return !older->live && older != newer && older->memory == newer->memory && older->write == newer->write;
}

static bool index_range(struct mapping *mapping, uint64_t physical, uint32_t length, uint32_t sides)
{
    uint64_t line = probe->line_size;
    uint64_t end = line_index_has(physical, length) ? physical + length : physical; /* no lines elsewhere */
    const struct index_entry like = {.mapping = mapping, .range = mapping->ranges - 1, .sides = sides};

    for (uint64_t at = physical; at < end; at = (at | (line - 1)) + 1) {
        uint64_t part = end - at < line - (at & (line - 1)) ? end - at : line - (at & (line - 1));

        if (!line_index_add(&like, at, part, replaces, declared_let_go)) {
            finding_bad_record(BAD_RECORD_TOO_MANY, physical);
            return false;
        }
        declared_hold(mapping);
    }
    return true;
}

/* From now on accesses of the CPU to the range are judged. */
static void own(const struct mapping *mapping, const struct range *range)
{
    uint64_t line = probe->line_size;
    uint64_t first = (range->physical - probe->ram_base) / line;
    uint64_t last = (range->physical - probe->ram_base + range->length - 1) / line;

    if (mapping->memory != MEMORY_MAPPED || mapping->looped || !views_has(range->physical)) {
        return;
    }
    for (uint64_t at = first; at <= last; at++) {
        declared_owned[at] |= mapping->write ? OWNED_STORES : OWNED_STORES | OWNED_LOADS;
        views_forget_line(at);
    }
}

static bool is_in_ram(const struct range *range)
{
    return line_index_has(range->physical, range->length) && views_has(range->physical);
}

/* A device will write to the range's bounce pages. What a device wrote for the range before is void. */
static void expect_bounced(const struct range *range)
{
    if (views.model && is_in_ram(range)) {
        cache_forget_bounced(views.model, range->physical - views.base, range->length);
    }
}

/* Is it wholly in RAM, or wholly elsewhere? A caller's memory may be anywhere, if it is not touched. */
static bool is_possible(const struct range *range)
{
    uint64_t last = range->physical + range->length - 1;
    bool is_in = line_index_has(range->physical, 1);

    return range->length && last >= range->physical && is_in == line_index_has(last, 1) &&
           is_in == line_index_has(range->physical, range->length) &&
           (range->kind != RANGE_BOUNCED || line_index_has(range->device, range->length));
}

static bool index_sides(struct mapping *mapping, const struct range *range)
{
    uint32_t reach = mapping->memory == MEMORY_FLUSHED ? 0 : SIDE_DEVICE;

    switch (range->kind) {
    case RANGE_DEVICE:
        return index_range(mapping, range->physical, range->length, SIDE_DEVICE | SIDE_EITHER);
    case RANGE_BOUNCED:
        return index_range(mapping, range->physical, range->length, SIDE_MEMORY | SIDE_BOUNCED) &&
               index_range(mapping, range->device, range->length, SIDE_BOUNCED | SIDE_DEVICE);
    default:
        return index_range(mapping, range->physical, range->length, SIDE_MEMORY | reach);
    }
}

bool declared_add(struct mapping *mapping, const struct range *range)
{
    struct range *added;

    if (!is_possible(range) || (mapping->memory != MEMORY_MAPPED && !line_index_has(range->physical, 1))) {
        finding_bad_record(BAD_RECORD_NOT_RAM, range->physical);
        return false;
    }
    added = new_range(mapping);
    if (!added) {
        finding_bad_record(BAD_RECORD_TOO_MANY, range->physical);
        return false;
    }
    *added = *range;
    if (range->kind != RANGE_DEVICE) {
        own(mapping, range);
    }
    if (range->kind == RANGE_BOUNCED && !mapping->write) {
        expect_bounced(range);
    }
    return index_sides(mapping, range);
}

void declared_flushed(struct mapping *mapping, uint32_t length)
{
    mapping->given_back = length;
}

bool mapping_left_out(const struct mapping *mapping, uint64_t physical)
{
    uint64_t before = 0; /* bytes of the mapping before the range */

    for (uint32_t i = 0; i < mapping->ranges; i++) {
        const struct range *range = &mapping->range[i];

        if (physical - range->physical < range->length) {
            return before + (physical - range->physical) >= mapping->given_back;
        }
        before += range->length;
    }
    return false;
}

bool declared_covers(const struct index_entry *entry, uint64_t physical, uint64_t size, bool or_bounced)
{
    return (entry->sides & SIDE_MEMORY) && (or_bounced || !(entry->sides & SIDE_BOUNCED)) &&
           (entry->bytes & line_index_bytes(physical, size));
}

/* ---- who owns a line ---- */

const struct mapping *declared_owner(uint64_t physical, unsigned int size, bool store, uint64_t *first)
{
    uint64_t bytes = line_index_bytes(physical, size), line = physical & ~(uint64_t)(probe->line_size - 1);
    const struct mapping *owner = NULL;
    unsigned int owned = 0;

    for (const struct index_entry *entry = line_index_first(physical); entry; entry = line_index_next(entry)) {
        const struct mapping *mapping = entry->mapping;

        if (!mapping->live || mapping->memory != MEMORY_MAPPED || mapping->looped ||
            !(entry->sides & SIDE_MEMORY)) {
            continue;
        }
        owned |= mapping->write ? OWNED_STORES : OWNED_STORES | OWNED_LOADS;
        if (!owner && (entry->bytes & bytes) && (store || !mapping->write)) {
            owner = mapping;
            *first = line + (unsigned int)__builtin_ctzll(entry->bytes & bytes);
        }
    }
    declared_owned[(physical - probe->ram_base) / probe->line_size] = (uint8_t)owned;
    return owner;
}

/* ---- bounce pages ---- */

/* A write to [physical, end): the part in the range's bounce page counts as written where it will be copied
 * to. */
static void write_bounced(const struct range *range, uint64_t physical, uint64_t end, const struct accessor *by)
{
    uint64_t first = physical > range->device ? physical : range->device;
    uint64_t last = end < range->device + range->length ? end : range->device + range->length;
    uint64_t here = range->physical + (first - range->device);

    if (first < last && views_has(here)) {
        cache_bounced(views.model, here - views.base, (unsigned int)(last - first));
        history_device_wrote(here, by);
    }
}

void declared_device_wrote(uint64_t physical, unsigned int size, const struct accessor *by)
{
    uint64_t line = probe->line_size, end = physical + size;

    for (uint64_t at = physical; at < end; at = (at | (line - 1)) + 1) {
        uint64_t stop = (at | (line - 1)) + 1 < end ? (at | (line - 1)) + 1 : end;

        for (const struct index_entry *entry = line_index_first(at); entry; entry = line_index_next(entry)) {
            const struct mapping *mapping = entry->mapping;

            if (entry->sides == (SIDE_BOUNCED | SIDE_DEVICE) && mapping->live && !mapping->write) {
                write_bounced(&mapping->range[entry->range], at, stop, by);
            }
        }
    }
}
