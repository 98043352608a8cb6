/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/line_index.h"

#include <stddef.h>
#include <stdlib.h>

#include "memory/views.h"
#include "probe/probe.h"

/* Entries, which are 40 bytes each: all of RAM several times over. Only an image that records nonsense gets
 * there. */
enum { ENTRIES_MAX = 1 << 24, ENTRIES_FIRST = 1 << 12 };
#define NONE 0u

/* A head is valid if the entry that it names is of its line: so a reset need not clear them. */
static struct {
    unsigned int line_shift;
    uint32_t *head; /* of each line: index of an entry, 0: none */
    struct index_entry *entry;
    uint32_t used, room; /* entry 0 is none */
    uint32_t free;       /* the first of those that were dropped */
} table;

void line_index_reset(void)
{
    if (!table.head) {
        table.line_shift = (unsigned int)__builtin_ctz(probe->line_size);
        table.head = calloc((probe->ram_size + LOW_RAM_SIZE) >> table.line_shift, sizeof(*table.head));
    }
    table.used = 1;
    table.free = NONE;
}

/* ---- lines ---- */

static bool is_low(uint64_t physical, uint64_t length)
{
    return physical >= LOW_RAM_BASE && length <= LOW_RAM_SIZE &&
           physical - LOW_RAM_BASE <= LOW_RAM_SIZE - length;
}

static bool is_in_ram(uint64_t physical, uint64_t length)
{
    uint64_t offset = physical - probe->ram_base;

    return physical >= probe->ram_base && length <= probe->ram_size && offset <= probe->ram_size - length;
}

bool line_index_has(uint64_t physical, uint64_t length)
{
    return length && (is_in_ram(physical, length) || is_low(physical, length));
}

static uint32_t line_of(uint64_t physical)
{
    uint64_t offset =
        is_in_ram(physical, 1) ? physical - probe->ram_base : probe->ram_size + (physical - LOW_RAM_BASE);

    return (uint32_t)(offset >> table.line_shift);
}

uint64_t line_index_bytes(uint64_t physical, uint64_t size)
{
    uint64_t at = physical & (probe->line_size - 1), room = probe->line_size - at;
    uint64_t count = size < room ? size : room;

    return ~0ull >> (64 - count) << at;
}

/* ---- entries ---- */

static uint32_t first_of(uint32_t line)
{
    uint32_t index = table.head[line];

    return index && index < table.used && table.entry[index].line == line ? index : NONE;
}

static const struct index_entry *entry_at(uint32_t index)
{
    return index ? &table.entry[index] : NULL;
}

const struct index_entry *line_index_first(uint64_t physical)
{
    return line_index_has(physical, 1) ? entry_at(first_of(line_of(physical))) : NULL;
}

const struct index_entry *line_index_next(const struct index_entry *entry)
{
    return entry_at(entry->next);
}

static bool grow(void)
{
    uint32_t room = table.room ? 2 * table.room : ENTRIES_FIRST;
    struct index_entry *entry = room <= ENTRIES_MAX ? realloc(table.entry, room * sizeof(*entry)) : NULL;

    if (entry) {
        table.entry = entry;
        table.room = room;
    }
    return entry != NULL;
}

/* An entry to be filled in, or NONE. */
static uint32_t take(void)
{
    uint32_t index = table.free;

    if (index) {
        table.free = table.entry[index].next;
        return index;
    }
    return table.used < table.room || grow() ? table.used++ : NONE;
}

static void give_back(uint32_t index)
{
    table.entry[index].line = UINT32_MAX;
    table.entry[index].next = table.free;
    table.free = index;
}

/* Drop the entries of the line that `added` replaces. */
static void replace(const struct index_entry *added,
                    bool (*replaces)(const struct mapping *newer, const struct mapping *older),
                    void (*drops)(struct mapping *mapping))
{
    uint32_t first = first_of(added->line), *link = &first;

    while (*link) {
        uint32_t index = *link;
        const struct index_entry *old = &table.entry[index];

        if (old->sides == added->sides && !(old->bytes & ~added->bytes) &&
            replaces(added->mapping, old->mapping)) {
            struct mapping *dropped = old->mapping;

            *link = old->next;
            give_back(index);
            drops(dropped);
        } else {
            link = &table.entry[index].next;
        }
    }
    table.head[added->line] = first;
}

bool line_index_add(const struct index_entry *like, uint64_t physical, uint64_t size,
                    bool (*replaces)(const struct mapping *newer, const struct mapping *older),
                    void (*drops)(struct mapping *mapping))
{
    struct index_entry added = *like;
    uint32_t index;

    added.bytes = line_index_bytes(physical, size);
    added.line = line_of(physical);
    replace(&added, replaces, drops);
    index = take();
    if (!index) {
        return false;
    }
    added.next = first_of(added.line);
    table.entry[index] = added;
    table.head[added.line] = index;
    return true;
}
