/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in the program, that is a program counter of any 64 bits, in 32 bits: the number of its page,
 * numbered in the order in which they come, and the instruction in that page. So a store needs no more room
 * than it has (evidence/history.h). Plain C, no QEMU.
 *
 * There are numbers for 4194303 pages, 16 GiB of code, of which none is ever given up. The program counters of
 * pages beyond that are not known.
 */
#ifndef DMAV3_PLACE_H
#define DMAV3_PLACE_H

#include <stdint.h>

/* Of an instruction; 0: not known. On the CPU's thread only. */
uint32_t place_of(uint64_t pc);

/* The program counter of a place that place_of() has returned, 0 of 0. On any thread. */
uint64_t place_pc(uint32_t place);

#endif
