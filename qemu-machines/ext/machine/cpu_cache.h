/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the cache that is modelled the one that the CPU says it has? Whatever the guest is: QEMU's own functions
 * read the registers, before the first instruction.
 *
 * Where the two differ, QEMU ends with both on its error output and with exit status BOARD_WRONG_CACHE.
 */
#ifndef DMAV3_CPU_CACHE_H
#define DMAV3_CPU_CACHE_H

#include <stdint.h>

#include "machine/board_cache.h"

/* Of the last level before the point of coherency, which `clidr` names. On the CPU's thread. */
void cpu_cache_read(void *env, uint64_t clidr);

/* The one that is modelled. In either order with the above. */
void cpu_cache_expect(const struct board_cache *modelled);

#endif
