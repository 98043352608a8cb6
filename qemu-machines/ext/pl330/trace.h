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

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* An instruction that a channel begins. */
struct trace_instruction {
    uint32_t channel;
    uint64_t at;
    const uint8_t *code;
    uint32_t length;         /* of the code, bytes */
    uint32_t address, bytes; /* that it reads or writes */
    bool interrupts;         /* it is a DMASEV that interrupts the CPU */
};

/* Will the next instruction be recorded? Those that are not are counted. */
bool trace_listens(void);
void trace_skipped(uint64_t count);

void trace_instruction(const struct trace_instruction *it);

void trace_reset(void);

/* trace (1: on), trace-instructions, trace-lost */
uint64_t trace_on(void);
bool trace_set_on(uint64_t value, Error **errp);
uint64_t trace_instructions(void);
bool trace_set_instructions(uint64_t value, Error **errp);
uint64_t trace_lost(void);

#endif
