/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU's side: loads, stores and cache operations of the guest, out of QEMU's translator, into the
 * cache model.
 */
#ifndef DMAV3_PLUGIN_H
#define DMAV3_PLUGIN_H

#include <stddef.h>

/* The model changed a line: what the fast path remembers of it is void. */
void plugin_line_changed(size_t line);

/* Forget everything that the fast path remembers. */
void plugin_reset(void);

#endif
