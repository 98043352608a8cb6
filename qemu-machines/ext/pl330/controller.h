/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the board asks of its PL330, whichever it is: the engine (clocked.h) or QEMU's own (rival.h). */
#ifndef DMAV3_CONTROLLER_H
#define DMAV3_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* The properties of /machine/peripheral/dmav3/channel[n], in this order: */
enum channel_control {
    CONTROL_BURST_INTERVAL_NS, /* model time between two bursts; 0: it is not paced */
    CONTROL_HOLD_AT_BURST,     /* from 1, held before it; 0 again once the channel is held */
    CONTROL_HOLD_AT_BYTE,      /* held before the first burst that would move more bytes; 0 again once it is */
    CONTROL_HELD,              /* 1: held on request; read only */
    CONTROL_STEP,              /* 1: let a held channel execute one burst; write only */
    CONTROL_RELEASE,           /* 1: let a held channel go on; write only */
    /* Read only, as struct engine_thread has them: */
    CONTROL_STATE,
    CONTROL_PC,
    CONTROL_SAR,
    CONTROL_DAR,
    CONTROL_CCR,
    CONTROL_BURSTS,
    CHANNEL_CONTROLS,
};

struct controller {
    void (*reset)(void);
    /* Let everything happen that should have happened by now. */
    void (*catch_up)(void);
    /* Bit n: channel n is held on request. */
    uint32_t (*held_channels)(void);
    /* How far a running channel has come, in the unit of one of the two places; 0: it is stopped. NULL: there
     * are none of the properties above. */
    uint64_t (*come_to)(uint32_t n, enum channel_control place);
    uint64_t (*get[CHANNEL_CONTROLS])(uint32_t n);
    /* The value is a possible one (channel_object.c); a step and a release are of a channel that is held. */
    void (*set[CHANNEL_CONTROLS])(uint32_t n, uint64_t value);
};

#endif
