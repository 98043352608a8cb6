/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace: what each channel of the PL330 executed, into the event ring (PROBE_INSTRUCTION).
 *
 * It is on from the start, but records the first trace-instructions only, counted from the reset, or
 * from when one of its properties was set: a long transfer must not push everything else out of the
 * ring. Instructions that were not recorded for that are counted.
 */
#ifndef DMAV3_TRACE_H
#define DMAV3_TRACE_H

#include <stdint.h>

#include "qemu/qemu_abi.h"

/* Channel n has fetched an instruction, and begins it. */
void trace_instruction(uint32_t n);

void trace_reset(void);

/* trace (1: on), trace-instructions, trace-lost */
uint64_t trace_on(void);
bool trace_set_on(uint64_t value, Error **errp);
uint64_t trace_instructions(void);
bool trace_set_instructions(uint64_t value, Error **errp);
uint64_t trace_lost(void);

#endif
