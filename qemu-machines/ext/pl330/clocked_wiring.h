/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the clocked PL330 (pl330/clocked.h) is wired to. */
#ifndef DMAV3_CLOCKED_WIRING_H
#define DMAV3_CLOCKED_WIRING_H

#include <stdint.h>

#include "qemu/qemu_abi.h"

enum { CLOCKED_CHANNELS = 8, CLOCKED_PERIPHERALS = 32, CLOCKED_EVENTS = 16 };
enum { CLOCKED_SLICE_NS = 1000000 };

struct clocked_wiring {
    uint64_t clock_hz;                       /* 1 kHz to 1 GHz */
    uint64_t quantum_ns;                     /* 1 us to 1 s; it counts on a machine with one view */
    qemu_irq interrupts[1 + CLOCKED_EVENTS]; /* irq_abort, and those of the events */
    uint32_t tied;                   /* request lines without a device, a bit for each: they always ask */
    uint64_t quiet_base, quiet_size; /* registers that interrupt nobody, whatever is done to them */
};

#endif
