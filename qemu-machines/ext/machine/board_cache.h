/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache that is modelled, as the properties of the board give it. */
#ifndef DMAV3_BOARD_CACHE_H
#define DMAV3_BOARD_CACHE_H

#include <stdint.h>

#include "model/cache_model.h"

struct board_cache {
    uint32_t level; /* as CLIDR counts, from 1 */
    struct cache_geometry geometry;
};

/* QEMU's exit status where the CPU has another one (machine/cpu_cache.h). */
enum board_exit { BOARD_WRONG_CACHE = 2 };

#endif
