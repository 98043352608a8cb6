/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/bounce.h"

#include "hal/string.h"
#include "layer/map_registers.h"

static void *bounce_memory(const struct plan_fragment *fragment, uint32_t first)
{
    return (uint8_t *)map_register_page(first) + fragment->bounce_offset;
}

uint64_t bounce_logical(const struct plan_fragment *fragment, uint32_t first)
{
    return map_register_logical(first) + fragment->bounce_offset;
}

void bounce_copy_to_device(const struct plan_fragment *fragment, uint32_t first)
{
    memcpy(bounce_memory(fragment, first), (const void *)fragment->virtual_address, fragment->length);
}

void bounce_clear(const struct plan_fragment *fragment, uint32_t first)
{
    memset(bounce_memory(fragment, first), 0, fragment->length);
}

void bounce_copy_from_device(const struct plan_fragment *fragment, uint32_t first, uint32_t length)
{
    memcpy((void *)fragment->virtual_address, bounce_memory(fragment, first), length);
}

/* ---- guards ---- */

enum { GUARD_BYTES = 64, GUARD = 0xC5 };

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct guard {
    uint8_t *before, *behind;
    uint32_t before_length, behind_length;
};

static struct guard guard_of(const struct plan_fragment *start, uint32_t first, uint32_t length)
{
    uint8_t *memory = bounce_memory(start, first);
    uint32_t end = start->bounce_offset + length;
    uint32_t before = smaller(BYTE_OFFSET(start->bounce_offset), GUARD_BYTES);
    uint32_t behind = smaller((PAGE_SIZE - BYTE_OFFSET(end)) % PAGE_SIZE, GUARD_BYTES);

    return (struct guard){memory - before, memory + length, before, behind};
}

void bounce_set_guard(const struct plan_fragment *start, uint32_t first, uint32_t length)
{
    struct guard guard = guard_of(start, first, length);

    memset(guard.before, GUARD, guard.before_length);
    memset(guard.behind, GUARD, guard.behind_length);
}

static bool is_all_guard(const uint8_t *memory, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (memory[i] != GUARD) {
            return false;
        }
    }
    return true;
}

bool bounce_is_guard_intact(const struct plan_fragment *start, uint32_t first, uint32_t length)
{
    struct guard guard = guard_of(start, first, length);

    return is_all_guard(guard.before, guard.before_length) && is_all_guard(guard.behind, guard.behind_length);
}
