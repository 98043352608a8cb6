/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device `dmav3-board`: what -device creates on top of a stock `virt` machine.
 *
 * Properties given at the start: dram-fd, probe-fd, stream-fd, wake-fd, lifeline-fd (file descriptors,
 * default none), command (id of the command UART's character device), nonce, seed (uint64), schedule
 * (lru, speculative, never, eager), cache-level, cache-line, cache-sets, cache-ways. Over QMP, at
 * /machine/peripheral/<id>: schedule, seed, wake-mask, findings (ro: root causes so far), ring-lost (ro:
 * records overwritten since reset), trace (1: instructions of the PL330 enter the ring), slice-instructions,
 * unsliceable-instructions, fault-base, fault-size (pace.h, overlay.h), the children channel[0] to
 * channel[7] (pace.h), and the child `stream`: word-interval-ns, rx-fifo-depth, tx-fifo-depth, overruns (ro),
 * underruns (ro).
 *
 * What it adds to the board (addresses and interrupts are in board.c): a PL330 with 8 channels,
 * 32 request lines and 16 events, the stream device, the identification page, the command UART, 1 MiB of RAM
 * that narrow bus masters reach (pci.h).
 */
#ifndef DMAV3_BOARD_H
#define DMAV3_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "cache_model.h"

/* What the properties say about the cache. */
struct board_cache {
    uint32_t level; /* as CLIDR counts, from 1 */
    struct cache_geometry geometry;
};

struct board_cache board_cache(void);

/* Register the types. separate_views: devices have a view of their own; then dram-fd is needed. */
void board_register(bool separate_views);

#endif
