/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map registers: bounce pages of uncached memory, consecutive in every allocation so that one
 * element can span several (MR-09). There are two pools, each physically contiguous and fixed at start
 * (BMT-09); numbers count through both. The second is low memory, where the platform has some, and is only
 * for devices that do not reach the first (BMT-16).
 */
#ifndef LAYER_MAP_REGISTERS_H
#define LAYER_MAP_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

/* Take the memory of both pools. False if there is none for the first. */
bool map_registers_initialize(void);

/* Take `count` consecutive registers from the first pool that a device of `address_bits` reaches; if it reaches
 * none, from the first (BMT-16). False if no such run is free now. */
bool map_registers_take(uint32_t count, uint32_t address_bits, uint32_t *first);
void map_registers_release(uint32_t first, uint32_t count);

/* Are there pages that a device of `address_bits` reaches? */
bool map_registers_reach(uint32_t address_bits);

/* How many registers are free in the first pool, and in the second. */
uint32_t map_registers_free(void);
uint32_t map_registers_free_low(void);

/* Use only `count` registers of each pool from now on, 2 or more. False: there are not so many, or some are
 * taken. */
bool map_registers_limit(uint32_t count);

/* The first byte of a register's page, as the CPU and as a device addresses it. */
void *map_register_page(uint32_t index);
uint64_t map_register_logical(uint32_t index);

#endif
