/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/maintenance.h"

#include "hal/cache.h"
#include "hal/memory.h"
#include "hal/oplog.h"
#include "layer/bounce.h"
#include "layer/mapping.h"
#include "layer/shared_line.h"
#include "layer/violation.h"

static bool needs_maintenance(const struct mapping *mapping)
{
    return !mapping->request->adapter->coherent; /* CCH-06 */
}

/* Does the device access memory that the caches know? */
static bool is_cached(const struct plan_fragment *fragment)
{
    return !fragment->bounced && !fragment->uncached; /* ACX-11 */
}

/* ---- before the device ---- */

/* Record where the device sees a fragment of the caller's memory; this comes before its maintenance. */
static void record_fragment(const struct plan_fragment *fragment, const struct request *request, bool write)
{
    enum oplog_range kind = fragment->bounced ? OPLOG_RANGE_BOUNCED : OPLOG_RANGE_MAPPED;
    uint32_t length;

    for (uint32_t at = 0; at < fragment->length; at += length) {
        uint32_t in_page = PAGE_SIZE - BYTE_OFFSET(fragment->virtual_address + at);
        uint32_t left = fragment->length - at;
        uint64_t physical = plan_physical(fragment, at), device = physical;

        /* A direct fragment is one piece; a bounced one has a piece for each page. */
        length = fragment->bounced && in_page < left ? in_page : left;
        if (fragment->bounced) {
            device = bounce_logical(fragment, request->first_register) + at;
        }
        oplog_range(kind, request->handle, physical, device, length, write);
    }
}

static void record_mapping(const struct mapping *mapping)
{
    const struct request *request = mapping->request;

    oplog_mapping(&(struct oplog_mapping){
        .handle = request->handle,
        .mapping = mapping,
        .adapter = &request->adapter->public,
        .maker = mapping->maker.id,
        .caller = mapping->maker.caller,
        .looped = request->adapter->looped,
    });
}

/* A device may have its register, or its memory, in RAM: the channel accesses that as well. */
static void record_device_side(const struct mapping *mapping)
{
    const struct adapter *adapter = mapping->request->adapter;
    uint64_t device = (uint64_t)adapter->device_address.QuadPart + mapping->device_offset;
    uint32_t bytes =
        adapter->width == WidthNoWrap ? mapping->length : UINT32_C(1) << adapter->width; /* MTX-34 */

    if (!adapter->master && memory_has_ram_at(device)) {
        oplog_range(OPLOG_RANGE_DEVICE, mapping->request->handle, device, device, bytes, mapping->write);
    }
}

static void record_ranges(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    record_mapping(mapping);
    while (mapping_walk_next(&walk, &fragment)) {
        record_fragment(&fragment, mapping->request, mapping->write);
    }
    record_device_side(mapping);
}

/* The bytes of the bounced element that starts with this fragment; 0 if none starts here. */
static uint32_t bounced_element(const struct mapping *mapping, const struct plan_fragment *fragment)
{
    if (!fragment->bounced || fragment->continues) {
        return 0;
    }
    return mapping->range.one_element ? mapping->length : fragment->length;
}

/* Mark the bytes beside each bounced element, which the device must not write (MR-12). */
static void set_guards(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping_walk_next(&walk, &fragment)) {
        uint32_t length = bounced_element(mapping, &fragment);

        if (length != 0) {
            bounce_set_guard(&fragment, mapping->request->first_register, length);
        }
    }
}

static void check_guards(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping_walk_next(&walk, &fragment)) {
        uint32_t length = bounced_element(mapping, &fragment);

        if (length != 0 && !bounce_is_guard_intact(&fragment, mapping->request->first_register, length)) {
            violation_report(VIOLATION_GUARD, (uintptr_t)mapping->request->handle, fragment.bounce_offset);
        }
    }
}

static void fill_bounce_page(const struct mapping *mapping, const struct plan_fragment *fragment)
{
    if (mapping->write) {
        bounce_copy_to_device(fragment, mapping->request->first_register);
    } else if (mapping->request->adapter->ignore_count) {
        bounce_clear(fragment, mapping->request->first_register);
    }
}

static void fill_bounce_pages(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping_walk_next(&walk, &fragment)) {
        if (fragment.bounced) {
            fill_bounce_page(mapping, &fragment);
        }
    }
}

static void maintain_before_device(const struct plan_fragment *fragment, bool write)
{
    if (write) {
        cache_clean(fragment->virtual_address, fragment->length); /* CCH-02 */
    } else {
        cache_clean_invalidate(fragment->virtual_address, fragment->length); /* CCH-04 */
    }
}

static void maintain_all_before_device(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping_walk_next(&walk, &fragment)) {
        if (is_cached(&fragment)) {
            maintain_before_device(&fragment, mapping->write);
        }
    }
}

void maintenance_before_device(const struct mapping *mapping)
{
    record_ranges(mapping);
    if (mapping->has_guards) {
        set_guards(mapping);
    }
    fill_bounce_pages(mapping);
    if (needs_maintenance(mapping)) {
        maintain_all_before_device(mapping);
    }
    barrier_sync(); /* CCH-08 */
}

/* ---- after the device ---- */

/* The walk goes on to the next fragment of the first `*wanted` bytes; the last one is cut to them. */
static bool next_wanted(struct mapping_walk *walk, uint32_t *wanted, struct plan_fragment *fragment)
{
    if (*wanted == 0 || !mapping_walk_next(walk, fragment)) {
        return false;
    }
    if (fragment->length > *wanted) {
        fragment->length = *wanted;
    }
    *wanted -= fragment->length;
    return true;
}

/* Invalidate the lines once more: maintenance_before_device() dropped them, but speculation may have filled
 * them since. The rest of the mapping stays the device's for good (FBX-03). */
static void maintain_after_device(const struct mapping *mapping, uint32_t wanted)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;
    bool changed = shared_line_sum(mapping) != mapping->neighbours_sum;

    if (changed) {
        violation_report(VIOLATION_SHARED_LINE, (uintptr_t)mapping->range.chain, 0);
    }
    while (next_wanted(&walk, &wanted, &fragment)) {
        if (is_cached(&fragment)) {
            shared_line_invalidate(mapping, &fragment, changed); /* CCH-03 */
        }
    }
    barrier_sync();
}

static void copy_bounced(const struct mapping *mapping, uint32_t keep)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (next_wanted(&walk, &keep, &fragment)) {
        if (fragment.bounced) {
            bounce_copy_from_device(&fragment, mapping->request->first_register, fragment.length);
        }
    }
}

void maintenance_after_device(const struct mapping *mapping, uint32_t wanted, uint32_t keep)
{
    barrier_sync(); /* CCH-09 */
    if (mapping->write) {
        return; /* FBX-08 */
    }
    if (needs_maintenance(mapping)) {
        maintain_after_device(mapping, wanted);
    }
    if (mapping->has_guards) {
        check_guards(mapping);
    }
    copy_bounced(mapping, keep);
}
