/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back end for Arm's PL330 (CoreLink DMA-330).
 *
 * Channel n raises event n at the end of its program, which is interrupt n (PLB-01). A fault raises the
 * abort interrupt. A program lives in the channel's private memory: 63 elements of up to 8 Mi units in all.
 *
 * A transfer that cannot be started raises event n by the manager and is reported as an error (MTX-49).
 */
#ifndef DMA_PL330_H
#define DMA_PL330_H

#include "dma/dma_backend.h"
#include "dma/pl330_program.h"

enum {
    PL330_CHANNELS_MAX = 8,
    PL330_PRIVATE_BYTES = 4096,
    PL330_FULL_BLOCKS_MAX = 128,
    /* PLB-05 */
    PL330_ELEMENTS_MAX = (PL330_PRIVATE_BYTES - PL330_PROGRAM_FIXED_BYTES -
                          PL330_FULL_BLOCKS_MAX * PL330_PROGRAM_FULL_BLOCK_BYTES) /
        PL330_PROGRAM_ELEMENT_BYTES,
};

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
    uint8_t *memory; /* private, uncached */
    uint32_t memory_bus_address;
    bool could_not_start; /* an error report is owed */
    bool write;
    bool ended; /* `left` is latched (PLB-14) */
    ULONG total;
    ULONG left;
    uint32_t element_count;
    struct pl330_element elements[PL330_ELEMENTS_MAX];
    uint16_t element_starts[PL330_ELEMENTS_MAX];
};

struct pl330 {
    struct pl330_config config;
    bool nonsecure; /* state of the manager, and of every channel (PLB-18) */
    ULONG last_started;
    struct pl330_channel channels[PL330_CHANNELS_MAX];
};

/* Describe a controller to dma_initialize(). *dma must stay; no register is touched before
 * InitializeController. */
void pl330_describe(struct pl330 *dma, const struct pl330_config *config, struct dma_controller *controller);

#endif
