/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/pages.h"

#include "hal/memory.h"

static size_t pages_of(size_t size)
{
    return size / PAGE_SIZE_BYTES + (size % PAGE_SIZE_BYTES != 0);
}

static bool is_run_free(const struct pages *pages, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (pages->taken[i]) {
            return false;
        }
    }
    return true;
}

static void mark(struct pages *pages, size_t first, size_t count, bool value)
{
    for (size_t i = first; i < first + count; i++) {
        pages->taken[i] = value;
    }
}

void *pages_take(struct pages *pages, size_t size, uint64_t highest)
{
    size_t count = pages_of(size);

    for (size_t tried = 0; tried < pages->count; tried++) {
        size_t first = (pages->next + tried) % pages->count;
        uint64_t last_byte = pages->physical + (uint64_t)first * PAGE_SIZE_BYTES + (size - 1);

        if (count <= pages->count - first && last_byte <= highest && is_run_free(pages, first, count)) {
            mark(pages, first, count, true);
            pages->next = first + count;
            return pages->start + first * PAGE_SIZE_BYTES;
        }
    }
    return NULL;
}

void pages_return(struct pages *pages, const void *first, size_t size)
{
    mark(pages, (size_t)((const uint8_t *)first - pages->start) / PAGE_SIZE_BYTES, pages_of(size), false);
}
