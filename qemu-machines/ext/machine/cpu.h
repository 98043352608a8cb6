/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU's side: loads, stores, barriers and cache operations of the guest, out of QEMU's translator, into
 * the cache model.
 */
#ifndef DMAV3_CPU_H
#define DMAV3_CPU_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/board_cache.h"
#include "qemu/qemu_abi.h"

/* Register the callbacks of the plugin `id`. separate_views: there is a cache model. */
void cpu_initialise(qemu_plugin_id_t id, bool separate_views);

/* Forget everything that the fast path remembers. Needed before the guest's first access, with the cache that
 * is modelled, and at every reset. */
void cpu_reset(const struct board_cache *);

/* The model changed a line: what the fast path remembers of it is void. */
void cpu_line_changed(size_t line);

#endif
