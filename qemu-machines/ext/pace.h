/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PL330's side of the machine: the memory that it and other DMA masters see, and an overlay
 * on its registers, so that it is known which channel executes what.
 *
 * QEMU's model fetches each instruction twice, first the opcode's byte and then all of it, with
 * one-byte and naturally aligned accesses; a stalled instruction is fetched again. A fetch is
 * told from data by its address: a channel can only be at the instruction that it executed last, at
 * the one after, or at the target of its loop.
 */
#ifndef DMAV3_PACE_H
#define DMAV3_PACE_H

#include <stdint.h>

#include "qemu_abi.h"

enum { PACE_CHANNELS = 8 };
#define PACE_NO_CHANNEL (~0u)

struct pace_position {
    uint32_t channel;   /* that fetched last, or PACE_NO_CHANNEL */
    uint64_t microcode; /* address of that instruction */
    uint64_t burst;     /* loads (DMALD...) it has begun since DMAGO */
};

struct pace_position pace_position(void);

/* The address space for DMA masters: system memory with RAM replaced by the devices' view. */
MemoryRegion *pace_dma_memory(void);

/* Registers of the PL330: forwards to `pl330`, its own region, and watches. */
MemoryRegion *pace_overlay(MemoryRegion *pl330);

void pace_reset(void);

#endif
