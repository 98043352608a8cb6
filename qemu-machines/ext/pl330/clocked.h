/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine (engine/engine.h) as this board's PL330.
 *
 * Theory of operation. The engine runs behind the CPU, never ahead. It is brought to now whenever somebody
 * could look: at an access of the CPU to a register, at a property, when the gate closes, before a peripheral
 * changes by itself. Where nobody looks, a prediction says when the next interrupt, fault or hold comes, and
 * one timer is set for it; at the latest after CLOCKED_VISIBLE_NS, so that what the engine stores is seen by a
 * CPU that waits for it in memory. Records and findings carry the engine's time.
 *
 * A step of a held channel with the gate closed takes cycles, but no model time; the engine's clock is that
 * much ahead afterwards.
 */
#ifndef DMAV3_CLOCKED_H
#define DMAV3_CLOCKED_H

#include "devices/stream.h"
#include "pl330/controller.h"

enum { CLOCKED_CHANNELS = 8, CLOCKED_PERIPHERALS = 32, CLOCKED_EVENTS = 16, CLOCKED_VISIBLE_NS = 100000 };

struct clocked_wiring {
    uint64_t clock_hz;                       /* 1 kHz to 1 GHz */
    qemu_irq interrupts[1 + CLOCKED_EVENTS]; /* irq_abort, and those of the events */
    uint32_t tied; /* request lines without a device, a bit for each: they always ask */
};

/* Returns the region of the registers, to be mapped; NULL with *errp set. */
MemoryRegion *clocked_initialise(const struct clocked_wiring *wiring, Error **errp);

extern const struct controller clocked_controller;
extern const struct stream_server clocked_stream_server;

#endif
