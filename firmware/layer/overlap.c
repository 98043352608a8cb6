/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/overlap.h"

#include "layer/mapping.h"
#include "layer/violation.h"

/* A walk over the CPU's memory of a mapping, MDL by MDL. */
struct span {
    uintptr_t start;
    uint32_t size;
    const MDL *next;
    uint64_t skip; /* bytes of the chain before the mapping, from `next` on */
    uint32_t left; /* bytes of the mapping behind the span */
};

static struct span spans_of(const struct mapping *mapping)
{
    return (struct span){
        .next = mapping->range.chain, .skip = mapping->range.chain_offset, .left = mapping->length};
}

static bool next_span(struct span *span)
{
    while (span->left != 0 && span->skip >= span->next->ByteCount) {
        span->skip -= span->next->ByteCount;
        span->next = span->next->Next;
    }
    if (span->left == 0) {
        return false;
    }
    uint32_t size = span->next->ByteCount - (uint32_t)span->skip;

    span->start = (uintptr_t)span->next->StartVa + span->next->ByteOffset + (uintptr_t)span->skip;
    span->size = size < span->left ? size : span->left;
    span->left -= span->size;
    span->skip += span->size;
    return true;
}

static bool touches(const struct mapping *mapping, uintptr_t start, uint64_t size)
{
    struct span span = spans_of(mapping);

    while (next_span(&span)) {
        if (start < (uint64_t)span.start + span.size && span.start < start + size) {
            return true;
        }
    }
    return false;
}

bool mappings_touch(uintptr_t start, uint64_t size, bool reads_only)
{
    for (const struct mapping *mapping = mapping_first(); mapping != NULL; mapping = mapping->next_live) {
        bool counts = mapping->state != MAPPING_PLANNED && !(mapping->write && reads_only);

        if (counts && mapping_is_chain_unchanged(mapping) && touches(mapping, start, size)) {
            return true;
        }
    }
    return false;
}

void mapping_report_overlaps(const struct mapping *mapping)
{
    struct span span = spans_of(mapping);

    while (next_span(&span)) {
        if (mappings_touch(span.start, span.size, mapping->write)) {
            violation_report(VIOLATION_MAPPED_TWICE, span.start, span.size); /* one report is enough */
            return;
        }
    }
}
