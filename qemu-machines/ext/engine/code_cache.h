/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction cache. Line number (address / bytes of a line) goes to entry (that modulo the number of
 * lines). A line belongs to the threads that have fetched from it since their DMAGO; another has to fetch it
 * again, and then all see the new bytes.
 */
#ifndef DMAV3_ENGINE_CODE_CACHE_H
#define DMAV3_ENGINE_CODE_CACHE_H

#include "engine/state.h"

enum code_result { CODE_READY, CODE_MISSES, CODE_FAILED };

/* Copy the instruction at the thread's PC, INSTRUCTION_BYTES_MAX bytes or what it has. CODE_MISSES: the thread
 * waits for a line, and tries again then. CODE_FAILED: the bus answered with an error. */
enum code_result code_fetch(struct engine *engine, struct thread *thread, uint8_t *code);

/* The same without a trace of it: what the thread would get now. False: that cannot be known. */
bool code_glance(const struct engine *engine, const struct thread *thread, uint32_t address, uint8_t *code);

/* Compare what the thread has fetched, as far as it is here, with memory. Where they differ it is a finding. */
void code_compare(const struct engine *engine, const struct thread *thread);

/* DMAGO, DMAKILL of one thread; DMAWFE with `invalid`: all lines, for all. */
void code_forget(struct engine *engine, const struct thread *thread);
void code_invalidate(struct engine *engine);

#endif
