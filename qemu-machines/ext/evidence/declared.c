/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/declared.h"

#include <stddef.h>

#include "evidence/history.h"
#include "memory/views.h"
#include "model/cache_model.h"

static struct mapping mappings[MAPPINGS];
static uint32_t newest;                   /* index */
static uint64_t bounce_first, bounce_end; /* the bounce pages of reads since reset lie between */

static struct mapping *nth_newest(uint32_t n)
{
    return &mappings[(newest + MAPPINGS - n) % MAPPINGS];
}

const struct mapping *declared_nth_newest(uint32_t n)
{
    return nth_newest(n);
}

void declared_reset(void)
{
    for (uint32_t i = 0; i < MAPPINGS; i++) {
        mappings[i].handle = 0;
        mappings[i].live = false;
    }
    bounce_first = UINT64_MAX;
    bounce_end = 0;
}

static struct mapping *live_mapping(uint64_t handle)
{
    for (uint32_t n = 0; n < MAPPINGS; n++) {
        if (nth_newest(n)->live && nth_newest(n)->handle == handle) {
            return nth_newest(n);
        }
    }
    return NULL;
}

static struct mapping *begin(uint64_t handle, uint64_t adapter, bool write)
{
    newest = (newest + 1) % MAPPINGS;
    mappings[newest] = (struct mapping){
        .handle = handle, .adapter = adapter, .live = true, .write = write, .began = history_begin_epoch()};
    return &mappings[newest];
}

/* Is the whole range in RAM? The firmware may declare anything. */
static bool is_in_ram(uint64_t physical, uint32_t length)
{
    return length && views_has(physical) && views_has(physical + length - 1);
}

/* A device will write to the range's bounce pages. What a device wrote for the range before is void. */
static void expect_bounced(const struct range *range)
{
    uint64_t end = range->device + range->length;

    bounce_first = range->device < bounce_first ? range->device : bounce_first;
    bounce_end = end > bounce_end ? end : bounce_end;
    if (views.model && is_in_ram(range->physical, range->length)) {
        cache_forget_bounced(views.model, range->physical - views.base, range->length);
    }
}

const struct mapping *declared_add(uint64_t handle, uint64_t adapter, bool write, const struct range *range)
{
    struct mapping *mapping = live_mapping(handle);

    if (!mapping) {
        mapping = begin(handle, adapter, write);
    }
    if (mapping->ranges < RANGES) {
        mapping->range[mapping->ranges++] = *range;
    }
    if (range->kind == RANGE_BOUNCED && !mapping->write) {
        expect_bounced(range);
    }
    return mapping;
}

const struct mapping *declared_end(uint64_t handle, bool abandoned)
{
    struct mapping *mapping = live_mapping(handle);

    if (mapping) {
        mapping->live = false;
        mapping->ended = history_begin_epoch();
        mapping->abandoned = abandoned;
    }
    return mapping;
}

void declared_flushed(const struct mapping *mapping, uint32_t length)
{
    mappings[mapping - mappings].flushed = length;
}

bool mapping_left_out(const struct mapping *mapping, uint64_t physical)
{
    uint64_t before = 0; /* bytes of the mapping before the range */

    for (uint32_t i = 0; i < mapping->ranges; i++) {
        const struct range *range = &mapping->range[i];

        if (physical - range->physical < range->length) {
            return before + (physical - range->physical) >= mapping->flushed;
        }
        before += range->length;
    }
    return false;
}

bool mapping_covers(const struct mapping *mapping, uint64_t physical, uint64_t length, bool or_bounced)
{
    for (uint32_t i = 0; i < mapping->ranges; i++) {
        const struct range *range = &mapping->range[i];

        if ((range->kind == RANGE_MAPPED || or_bounced) && physical < range->physical + range->length &&
            range->physical < physical + length) {
            return true;
        }
    }
    return false;
}

/* A write to [physical, end): the part in the range's bounce page counts as written where it will be copied
 * to. */
static void write_bounced(const struct range *range, uint64_t physical, uint64_t end, const struct accessor *by)
{
    uint64_t first = physical > range->device ? physical : range->device;
    uint64_t last = end < range->device + range->length ? end : range->device + range->length;
    uint64_t here = range->physical + (first - range->device);

    if (first < last && is_in_ram(here, (uint32_t)(last - first))) {
        cache_bounced(views.model, here - views.base, (unsigned int)(last - first));
        history_device_wrote(here, by);
    }
}

void declared_device_wrote(uint64_t physical, unsigned int size, const struct accessor *by)
{
    if (physical >= bounce_end || physical + size <= bounce_first) {
        return;
    }
    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = nth_newest(n);

        for (uint32_t i = 0; mapping->live && !mapping->write && i < mapping->ranges; i++) {
            if (mapping->range[i].kind == RANGE_BOUNCED) {
                write_bounced(&mapping->range[i], physical, physical + size, by);
            }
        }
    }
}
