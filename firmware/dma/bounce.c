/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/bounce.h"

#include "dma/map_registers.h"
#include "hal/string.h"

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
