/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back end for Arm's PL330 (CoreLink DMA-330).
 *
 * Channel n raises event n at the end of its program, or of a round; event n is interrupt n (PLB-01). A fault
 * raises the abort interrupt. A program lives in the channel's private memory.
 *
 * A transfer that cannot be started raises event n by the manager and is reported as an error (MTX-49).
 */
#ifndef PL330_PL330_H
#define PL330_PL330_H

#include <dma_backend.h>

#include "pl330/program.h"
#include "pl330/registers.h"
#include "pl330/settings.h"

enum { PL330_CHANNELS_MAX = 8, PL330_PRIVATE_BYTES = 16384 };

struct pl330_config {
    uintptr_t base;               /* of the 4 KiB of registers */
    unsigned int abort_spi;       /* shared peripheral interrupts, as irq_connect() counts them */
    unsigned int first_event_spi; /* event n is first_event_spi + n */
    ULONG controller_id;
    ULONG first_request_line; /* the system-wide number of peripheral 0 */
    ULONG request_lines;      /* that devices may use */
    ULONG channels;           /* at most PL330_CHANNELS_MAX and `events` */
    ULONG events;
};

struct pl330_channel {
    uint32_t memory_bus_address; /* of the program */
    struct pl330_settings settings;
    struct pl330_program program;
    bool write;
    enum { OWES_NOTHING, OWES_ERROR, OWES_CANCELLED } report; /* that no register shows */
    bool ended;                                               /* `left` is latched (PLB-14) */
    ULONG left;
    uint32_t fault_type; /* FTRn of its last fault, for a debugger */
};

struct pl330 {
    struct pl330_config config;
    struct pl330_configuration hardware;
    bool nonsecure; /* state of the manager, and of every channel (PLB-18) */
    ULONG last_started;
    struct pl330_channel channels[PL330_CHANNELS_MAX];
};

/* Describe a controller for dma_initialize(). *dma must stay. Only registers that say what was built into the
 * controller are read; nothing is written before InitializeController. */
void pl330_describe(struct pl330 *dma, const struct pl330_config *config, struct dma_controller *controller);

#endif
