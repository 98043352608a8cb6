/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU's side of the cache model: at each instruction of the guest that QEMU translates, a callback for its
 * loads and stores (machine/access.h), or for the barrier or cache operation that it is.
 */
#ifndef DMAV3_CPU_H
#define DMAV3_CPU_H

#include <stdbool.h>

#include "machine/board_cache.h"
#include "qemu/qemu_abi.h"

/* Register the callbacks of the plugin `id`. separate_views: there is a cache model. */
void cpu_initialise(qemu_plugin_id_t id, bool separate_views);

/* Forget everything about the accesses so far. Needed before the guest's first access, with the cache that is
 * modelled, and at every reset. */
void cpu_reset(const struct board_cache *);

#endif
