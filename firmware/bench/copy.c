/* SPDX-License-Identifier: Apache-2.0 */
/* Copies 4 MiB, eight bytes at a time: streams through a cache of 1 MiB. */
#include "bench/bench.h"

#include "boot/memlayout.h"

enum { SIZE = 4 << 20, ROUNDS = 24 };

uint64_t bench_run(void)
{
    volatile uint64_t *from = (uint64_t *)(void *)BENCH_MEMORY, *to = from + SIZE / 8;
    uint64_t sum = 0;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < SIZE / 8; i++) {
            to[i] = from[i] + round;
        }
        sum += to[round];
    }
    return sum;
}
