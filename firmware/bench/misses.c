/* SPDX-License-Identifier: Apache-2.0 */
/* Loads from 4 MiB and stores to 4 MiB, a word of each line: no access is in the cache, and what a store
 * makes room for is dirty. */
#include "bench/bench.h"

#include "boot/memlayout.h"

enum { SIZE = 4 << 20, LINE = 64, WORDS = LINE / 8, ROUNDS = 60 };

uint64_t bench_run(void)
{
    volatile uint64_t *from = (uint64_t *)(void *)BENCH_MEMORY, *to = from + SIZE / 8;
    uint64_t sum = 0;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < SIZE / 8; i += WORDS) {
            sum += from[i];
            to[i] = sum;
        }
    }
    return sum;
}
