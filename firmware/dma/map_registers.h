/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map registers: bounce pages of uncached memory, consecutive in every allocation so that one
 * element can span several (MR-09). Of two pools, each physically contiguous and fixed at start (BMT-09);
 * numbers count through both. The second is low memory, where the platform has some, and only for devices
 * that do not reach the first (BMT-16).
 */
#ifndef DMA_MAP_REGISTERS_H
#define DMA_MAP_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

/* False if the memory is not there. */
bool map_registers_initialize(void);

/* `count` consecutive registers; false if no such run is free now. Of the first pool that a device of
 * `address_bits` reaches; if it reaches none, of the first (BMT-16). */
bool map_registers_take(uint32_t count, uint32_t address_bits, uint32_t *first);
void map_registers_release(uint32_t first, uint32_t count);

/* Are there pages that such a device reaches? */
bool map_registers_reach(uint32_t address_bits);

/* Of the first pool, and of the second. */
uint32_t map_registers_free(void);
uint32_t map_registers_free_low(void);

/* Use only so many, from 2, of each pool from now on; false: there are not so many, or some are taken. */
bool map_registers_limit(uint32_t count);

/* The first byte of a register's page, as the CPU and as a device addresses it. */
void *map_register_page(uint32_t index);
uint64_t map_register_logical(uint32_t index);

#endif
