/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/shared_line.h"

#include "hal/cache.h"
#include "layer/mapping.h"
#include "layer/violation.h"

enum { LINE_MAX = 128 };

/* The bytes before and behind a direct fragment, in its first and in its last line. */
struct beside {
    uintptr_t before, behind;
    uint32_t before_length, behind_length;
};

static struct beside beside_of(const struct plan_fragment *fragment, uint32_t line)
{
    uintptr_t end = fragment->virtual_address + fragment->length;

    return (struct beside){
        .before = fragment->virtual_address - fragment->virtual_address % line,
        .before_length = (uint32_t)(fragment->virtual_address % line),
        .behind = end,
        .behind_length = (uint32_t)((line - end % line) % line),
    };
}

/* Does the byte belong to the mapping? A chain may have several parts of one line. */
static bool is_mapped(const struct mapping *mapping, uintptr_t address)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping_walk_next(&walk, &fragment)) {
        if (address - fragment.virtual_address < fragment.length) {
            return true;
        }
    }
    return false;
}

static void add_bytes(const struct mapping *mapping, uint64_t *sum, uintptr_t address, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (!is_mapped(mapping, address + i)) {
            *sum = (*sum ^ *(const volatile uint8_t *)(address + i)) * UINT64_C(0x100000001B3); /* FNV-1a */
        }
    }
}

uint64_t shared_line_sum(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;
    uint64_t sum = UINT64_C(0xCBF29CE484222325);

    while (mapping->range.line != 0 && mapping_walk_next(&walk, &fragment)) {
        if (!fragment.bounced && !fragment.uncached) {
            struct beside beside = beside_of(&fragment, mapping->range.line);

            add_bytes(mapping, &sum, beside.before, beside.before_length);
            add_bytes(mapping, &sum, beside.behind, beside.behind_length);
        }
    }
    return sum;
}

/* Are there `length` bytes in the line beside the fragment, and is the one at `address` not of the mapping? */
static bool is_foreign(const struct mapping *mapping, uintptr_t address, uint32_t length)
{
    return length != 0 && !is_mapped(mapping, address);
}

void shared_line_report(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping->range.line != 0 && mapping_walk_next(&walk, &fragment)) {
        struct beside beside = beside_of(&fragment, mapping->range.line);
        bool direct = !fragment.bounced && !fragment.uncached;

        if (direct && is_foreign(mapping, fragment.virtual_address - 1, beside.before_length)) {
            violation_report(VIOLATION_OUTSIDE_MDL, VIOLATION_START_UNALIGNED, fragment.virtual_address);
        }
        if (direct && is_foreign(mapping, beside.behind, beside.behind_length)) {
            violation_report(VIOLATION_OUTSIDE_MDL, VIOLATION_LENGTH_UNALIGNED, beside.behind);
        }
    }
}

static void set_aside(uint8_t *to, uintptr_t from, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        to[i] = *(const volatile uint8_t *)(from + i);
    }
}

static void put_back(const struct mapping *mapping, uintptr_t to, const uint8_t *from, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (!is_mapped(mapping, to + i)) {
            *(volatile uint8_t *)(to + i) = from[i];
        }
    }
}

void shared_line_invalidate(const struct mapping *mapping, const struct plan_fragment *fragment, bool changed)
{
    struct beside beside = beside_of(fragment, mapping->range.line);
    uint8_t before[LINE_MAX];
    uint8_t behind[LINE_MAX];

    if (changed) {
        set_aside(before, beside.before, beside.before_length);
        set_aside(behind, beside.behind, beside.behind_length);
    }
    cache_invalidate(beside.before, beside.before_length + fragment->length + beside.behind_length);
    if (changed) {
        barrier_sync();
        put_back(mapping, beside.before, before, beside.before_length);
        put_back(mapping, beside.behind, behind, beside.behind_length);
    }
}
