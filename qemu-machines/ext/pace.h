/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMA takes time: pace, hold, step, release, and slices for programs that do not end.
 *
 * Theory of operation. QEMU's PL330 runs a program until nothing can make progress, all inside the
 * store that starts it, and it fetches every instruction through our memory. At the fetch of an
 * instruction, while the channel has nothing loaded that is not stored (QEMU loses count otherwise),
 * this file may decide that the channel is *held* there (fetch.h has the means). A channel is held
 *
 *   by a person   from a burst or byte that was asked for until `release` or `step`;
 *   for a time    after each burst, burst-interval-ns long (the pace); or, after slice-instructions in
 *                 one run of the engine, for as long as that many instructions of 10 ns take.
 *
 * Both can be so at once; when neither is any more, the channel goes on. Times are model time: with the
 * gate closed `release` waits until it opens. `step` does not: it lets the channel go at once to its
 * next burst, passing over the pace, in no time; but an event or a fault on the way, which may interrupt
 * the CPU, waits until the gate opens.
 *
 * A channel that comes to no such point within unsliceable-instructions after its slice is faulted
 * (lock-up); fault.h has the other faults.
 *
 * Properties of /machine/peripheral/dmav3/channel[n]: burst-interval-ns (0: not paced), hold-at-burst
 * (from 1, held before it; 0 again once the channel is held), hold-at-byte (held before the first burst
 * that would move more bytes than that; 0 again once it is), held (ro: 1 by a person's wish), step and
 * release (wo: 1). A burst is a load or a DMASTZ.
 */
#ifndef DMAV3_PACE_H
#define DMAV3_PACE_H

#include <stdint.h>

#include "qemu_abi.h"

enum { PACE_CHANNELS = 8 };
#define PACE_NO_CHANNEL (~0u)

/* Bit n: channel n is held by a person's wish. */
uint32_t pace_held_channels(void);

struct pace_position {
    uint32_t channel;   /* that fetched last, or PACE_NO_CHANNEL */
    uint64_t microcode; /* address of that instruction */
    uint64_t burst;     /* bursts it has begun since DMAGO */
};

struct pace_position pace_position(void);

/* Take a PL330 over: returns the region of its registers to be mapped. line_busy and line_kick are
 * its request inputs FETCH_LINE_BUSY and PACE_LINE_KICK. */
enum { PACE_LINE_KICK = 29 };
MemoryRegion *pace_initialise(MemoryRegion *pl330, qemu_irq line_busy, qemu_irq line_kick);

void pace_reset(void);

/* ---- properties ---- */

/* What the board has. */
uint64_t pace_slice_instructions(void);
bool pace_set_slice_instructions(uint64_t value, Error **errp);
uint64_t pace_unsliceable_instructions(void);
bool pace_set_unsliceable_instructions(uint64_t value, Error **errp);

/* What channel n has. */
uint64_t pace_burst_interval_ns(uint32_t n);
bool pace_set_burst_interval_ns(uint32_t n, uint64_t value, Error **errp);
uint64_t pace_hold_at_burst(uint32_t n);
bool pace_set_hold_at_burst(uint32_t n, uint64_t value, Error **errp);
uint64_t pace_hold_at_byte(uint32_t n);
bool pace_set_hold_at_byte(uint32_t n, uint64_t value, Error **errp);
uint64_t pace_held(uint32_t n);
bool pace_step(uint32_t n, uint64_t value, Error **errp);
bool pace_release(uint32_t n, uint64_t value, Error **errp);

#endif
