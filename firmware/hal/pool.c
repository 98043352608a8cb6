/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/pool.h"

#include <stdbool.h>

static bool is_run_free(const struct pool *pool, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (pool->left[i] != 0) {
            return false;
        }
    }
    return true;
}

static void take_run(struct pool *pool, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pool->left[first + i] = (uint16_t)(count - i);
    }
    pool->next = first + count;
}

void *pool_take(struct pool *pool, size_t size, uint64_t highest)
{
    size_t count = size / pool->unit + (size % pool->unit != 0);

    for (size_t tried = 0; tried < pool->count; tried++) {
        size_t first = (pool->next + tried) % pool->count;
        uint64_t last_byte = pool->physical + (uint64_t)first * pool->unit + (size - 1);

        if (count <= pool->count - first && last_byte <= highest && is_run_free(pool, first, count)) {
            take_run(pool, first, count);
            return pool->start + first * pool->unit;
        }
    }
    return NULL;
}

void pool_return(struct pool *pool, const void *first)
{
    size_t at = (size_t)((const uint8_t *)first - pool->start) / pool->unit;

    for (size_t left = pool->left[at]; left > 0; left--) {
        pool->left[at++] = 0;
    }
}
