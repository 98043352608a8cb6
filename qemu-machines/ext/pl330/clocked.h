/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine (engine/engine.h) as this board's PL330.
 *
 * Theory of operation. The engine runs behind the CPU, never ahead. It is brought to now whenever somebody
 * could look: at an access of the CPU to a register, at a property, when the gate closes, before a peripheral
 * changes by itself, and (views.catch_up) before an access of the CPU that reaches DRAM. Where nobody looks, a
 * prediction says when the next interrupt, fault or hold comes, and one timer is set for it; at the latest
 * after CLOCKED_SLICE_NS, so that nothing takes long; on a machine with one view, whose CPU has no hooks, after
 * `quantum_ns`, so that a CPU that waits for what the engine stores sees it. Records and findings carry
 * the engine's time.
 *
 * An access of the CPU that reaches DRAM is seen in a callback of QEMU's translator, in the middle of a block
 * of instructions. There the time is that at the end of the block, and nothing may interrupt the CPU: the
 * engine stops before what could, for which the timer is set.
 *
 * A step of a held channel with the gate closed takes cycles, but no model time; the engine's clock is that
 * much ahead afterwards.
 */
#ifndef DMAV3_CLOCKED_H
#define DMAV3_CLOCKED_H

#include "pl330/clocked_controls.h"
#include "pl330/clocked_time.h"
#include "pl330/clocked_wiring.h"

/* The registers by each of the two interfaces, to be mapped: the non-secure one does not show, and cannot
 * change, what is secure. */
struct clocked_registers {
    MemoryRegion *secure, *nonsecure;
};

/* False with *errp set on failure. */
bool clocked_initialise(const struct clocked_wiring *wiring, struct clocked_registers *registers, Error **errp);

#endif
