/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map registers: bounce pages of uncached memory, consecutive in every allocation so that one
 * element can span several (MR-09). The pool is fixed at start (BMT-09).
 */
#ifndef DMA_MAP_REGISTERS_H
#define DMA_MAP_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

/* False if the memory is not there. */
bool map_registers_initialize(void);

/* `count` consecutive registers, at most DMA_MAP_REGISTERS; false if no such run is free now. */
bool map_registers_take(uint32_t count, uint32_t *first);
void map_registers_release(uint32_t first, uint32_t count);

uint32_t map_registers_free(void);

/* The first byte of a register's page, as the CPU and as a device addresses it. */
void *map_register_page(uint32_t index);
uint64_t map_register_logical(uint32_t index);

#endif
