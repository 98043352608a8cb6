/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a chain through 4 MiB, one line each, in an order that no line comes back soon: always a miss. */
#include "bench/bench.h"

#include "boot/memlayout.h"

enum { SIZE = 4 << 20, LINE = 64, LINES = SIZE / LINE, STEP = 4099 /* coprime to LINES */, ROUNDS = 60 };

uint64_t bench_run(void)
{
    volatile uint64_t *at;

    for (unsigned int i = 0, next; i < LINES; i++) {
        next = (i + STEP) % LINES;
        *(volatile uint64_t *)(void *)(BENCH_MEMORY + i * LINE) = (uintptr_t)(BENCH_MEMORY + next * LINE);
    }
    at = (volatile uint64_t *)(void *)BENCH_MEMORY;
    for (unsigned int i = 0; i < LINES * ROUNDS; i++) {
        at = (volatile uint64_t *)(uintptr_t)*at;
    }
    return (uintptr_t)at;
}
