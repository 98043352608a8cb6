/* SPDX-License-Identifier: Apache-2.0 */
/* Adds up 32 KiB byte by byte, over and over: always in the cache. */
#include "bench/bench.h"

#include "boot/memlayout.h"

enum { SIZE = 32 << 10, ROUNDS = 800 };

uint64_t bench_run(void)
{
    volatile uint8_t *memory = BENCH_MEMORY;
    uint64_t sum = 0;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        for (unsigned int i = 0; i < SIZE; i++) {
            sum += memory[i];
        }
    }
    return sum;
}
