/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/place.h"

#include <stddef.h>

enum { PAGE_SHIFT = 12, INSTRUCTION_SHIFT = 2, INDEX_BITS = PAGE_SHIFT - INSTRUCTION_SHIFT };
enum { NUMBER_BITS = 32 - INDEX_BITS, NUMBERS = 1 << NUMBER_BITS };
enum { SLOT_BITS = NUMBER_BITS + 1, SLOTS = 1 << SLOT_BITS };

/* Neither takes memory before it is used. */
static uint64_t pages[NUMBERS]; /* by number, from 1 */
static uint32_t slots[SLOTS];   /* a hash table of numbers; 0: free */
static uint32_t used = 1;

static uint32_t number_of(uint64_t page)
{
    size_t slot = page * 0x9e3779b97f4a7c15u >> (64 - SLOT_BITS);

    while (slots[slot] && pages[slots[slot]] != page) {
        slot = (slot + 1) % SLOTS;
    }
    if (!slots[slot] && used < NUMBERS) {
        pages[used] = page;
        slots[slot] = used++;
    }
    return slots[slot];
}

uint32_t place_of(uint64_t pc)
{
    static uint64_t last_page;
    static uint32_t last_number;
    uint64_t page = pc >> PAGE_SHIFT;

    if (page != last_page || !last_number) {
        last_page = page;
        last_number = number_of(page);
    }
    return last_number ? last_number << INDEX_BITS | (pc >> INSTRUCTION_SHIFT & ((1u << INDEX_BITS) - 1)) : 0;
}

uint64_t place_pc(uint32_t place)
{
    uint64_t index = place & ((1u << INDEX_BITS) - 1);

    return place ? pages[place >> INDEX_BITS] << PAGE_SHIFT | index << INSTRUCTION_SHIFT : 0;
}
