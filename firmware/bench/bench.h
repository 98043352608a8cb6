/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the bench: boots as the shim does, with MMU and caches on, runs bench_run() and powers
 * the board off. It needs nothing that a stock `virt` board lacks.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdint.h>

/* Cacheable memory that nothing else uses: the tests' arena. */
#define BENCH_MEMORY ((uint8_t *)ARENA_START)

/* The program. What it returns is printed, so that no compiler leaves it out. */
uint64_t bench_run(void);

#endif
