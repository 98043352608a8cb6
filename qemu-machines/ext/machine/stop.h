/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops the machine just before something happens, so that a person can look: at a moment of model time, or
 * before an instruction is executed for the n-th time. Nothing of the run changes: what comes after is what
 * would have come without.
 *
 * Which time that is when a finding is made, or bytes are accessed, is counted in a run before. And where a
 * debugger stops the CPU, no time passes either.
 *
 * The functions for properties hold QEMU's big lock.
 */
#ifndef DMAV3_STOP_H
#define DMAV3_STOP_H

#include <stdint.h>

#include "qemu/qemu_abi.h"

/* Given at the start. 0: not asked for. */
struct stop_wanted {
    uint64_t run;     /* in which run: the n-th reset begins it, 0: the start */
    uint64_t ns;      /* model time */
    uint64_t pc, nth; /* an instruction that is counted, from 1 on; nth of 0: only counted */
    uint64_t finding; /* ... until there are so many findings, */
    uint64_t access;  /* ... or so many accesses of what is watched (machine/watch.h) */
};
extern struct stop_wanted stop_wanted;

void stop_initialise(void);

/* A new run begins, the first one at the start. */
void stop_reset(void);

/* The instruction at `pc` is being translated. */
void stop_hook(struct qemu_plugin_insn *, uint64_t pc);

/* How often the instruction has been begun, up to the finding or the access. */
uint64_t stop_counted(void);

#endif
