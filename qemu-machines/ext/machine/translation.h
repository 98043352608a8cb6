/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How QEMU translates the guest's code: two of the flags that it keeps for each CPU. On the CPU's thread,
 * before the first instruction.
 */
#ifndef DMAV3_TRANSLATION_H
#define DMAV3_TRANSLATION_H

#include <stddef.h>

#include "qemu/qemu_abi.h"

/* Check the alignment of accesses to device memory. QEMU loses that together with the atomicity of accesses
 * when it translates for a CPU that has the machine for itself (tcg_canonicalize_memop() drops what
 * memop_atomicity_bits() needs), so say that it has not. */
void translation_check_alignment(CPUState *cpu);

/* Translate for each virtual address anew: otherwise what was translated at one is executed at every other that
 * has the same page, and callbacks are told the instruction's address of the first. `size`: of the CPUState. */
void translation_keep_addresses(CPUState *cpu, size_t size);

#endif
