/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own PL330, bare: the rival of the engine (pl330/clocked.h), where a machine's description chooses it.
 *
 * It executes a program whole, inside the store that starts it. Its memory is that of bus.h, so it sees what
 * devices see. It does not say whose an access is: findings name no channel, what is judged by a channel (its
 * start, its adapter) is not judged, and there is no trace. An answer that is an error is a finding; the model
 * ignores it.
 */
#ifndef DMAV3_RIVAL_H
#define DMAV3_RIVAL_H

#include "pl330/controller.h"

/* The memory that is to be its link `memory`. */
MemoryRegion *rival_memory(void);

/* It can neither be paced nor held. */
extern const struct controller rival_controller;

#endif
