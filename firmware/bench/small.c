/* SPDX-License-Identifier: Apache-2.0 */
/* Copies 32 KiB within 64 KiB, over and over: two buffers that stay in the cache, 512 KiB apart. */
#include "bench/bench.h"

#include "boot/memlayout.h"

enum { SIZE = 32 << 10, APART = 512 << 10, ROUNDS = 10000 };

uint64_t bench_run(void)
{
    volatile uint64_t *from = (uint64_t *)(void *)BENCH_MEMORY, *to = from + APART / 8;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < SIZE / 8; i++) {
            to[i] = from[i] + round;
        }
    }
    return to[0];
}
