/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schedule of each channel: DMA takes time. A channel has a pace, can be held, stepped and released, and a
 * program that does not end runs in slices.
 *
 * Theory of operation. QEMU's PL330 runs a program until nothing can make progress, all inside the
 * store that starts it, and it fetches every instruction through our memory. At the fetch of an
 * instruction, while the channel has nothing loaded that is not stored (QEMU loses count otherwise),
 * this file may decide that the channel is *held* there (pl330/fetch.h has the means). A channel is held
 *
 *   on request    from a burst or byte that was asked for until `release` or `step`;
 *   for a time    after each burst, burst-interval-ns long (the pace); or, after slice-instructions in
 *                 one run of the engine, for as long as that many instructions of 10 ns take.
 *
 * Both can be the case at once; the channel goes on when neither is any more. Times are model time: with the
 * gate closed `release` waits until it opens. `step` does not: it lets the channel go at once to its
 * next burst, passing over the pace, in no time; but an event or a fault on the way, which may interrupt
 * the CPU, waits until the gate opens.
 *
 * A channel that comes to no such point within unsliceable-instructions after its slice is faulted
 * (lock-up); pl330/fault.h has the other faults.
 *
 * A burst is a load or a DMASTZ.
 */
#ifndef DMAV3_SCHEDULE_H
#define DMAV3_SCHEDULE_H

#include <stdint.h>

#include "pl330/controller.h"

enum { SCHEDULE_CHANNELS = 8 };

/* Take a PL330 over, and return the region of its registers, to be mapped. line_busy and line_kick are
 * its request inputs FETCH_LINE_BUSY and SCHEDULE_LINE_KICK. */
enum { SCHEDULE_LINE_KICK = 29 };
MemoryRegion *schedule_initialise(MemoryRegion *pl330, qemu_irq line_busy, qemu_irq line_kick);

/* Its channels can be held where nothing is on its way. */
extern const struct controller schedule_controller;

/* ---- properties of the board ---- */

uint64_t schedule_slice_instructions(void);
bool schedule_set_slice_instructions(uint64_t value, Error **errp);
uint64_t schedule_unsliceable_instructions(void);
bool schedule_set_unsliceable_instructions(uint64_t value, Error **errp);

#endif
