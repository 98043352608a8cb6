/* SPDX-License-Identifier: Apache-2.0 */
/* Adds to each word of 16 KiB, over and over: a load and a store, both always in the cache. */
#include "bench/bench.h"

#include "boot/memlayout.h"

enum { SIZE = 16 << 10, ROUNDS = 20000 };

uint64_t bench_run(void)
{
    volatile uint64_t *memory = (uint64_t *)(void *)BENCH_MEMORY;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < SIZE / 8; i++) {
            memory[i] += round;
        }
    }
    return memory[0];
}
