/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the clocked PL330 (pl330/clocked.h) is wired to. */
#ifndef DMAV3_CLOCKED_WIRING_H
#define DMAV3_CLOCKED_WIRING_H

#include <stdint.h>

#include "qemu/qemu_abi.h"

enum { CLOCKED_CHANNELS = 8, CLOCKED_PERIPHERALS = 32, CLOCKED_EVENTS = 16 };
/* The outputs: irq_abort, those of the events, and the stream's, which is driven with them. */
enum { CLOCKED_STREAM_OUTPUT = 1 + CLOCKED_EVENTS, CLOCKED_OUTPUTS };
enum { CLOCKED_SLICE_NS = 1000000 };

struct clocked_wiring {
    uint64_t clock_hz;   /* 1 kHz to 1 GHz */
    uint64_t quantum_ns; /* 1 us to 1 s; it counts on a machine with one view */
    qemu_irq interrupts[CLOCKED_OUTPUTS];
    uint32_t tied;                   /* request lines without a device, a bit for each: they always ask */
    uint64_t quiet_base, quiet_size; /* registers where no access of the engine makes an interrupt in time */
};

#endif
