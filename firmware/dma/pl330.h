/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back end for Arm's PL330 (CoreLink DMA-330).
 *
 * Channel n raises event n at the end of its program, or of a round, which is interrupt n (PLB-01). A fault
 * raises the abort interrupt. A program lives in the channel's private memory.
 *
 * A transfer that cannot be started raises event n by the manager and is reported as an error (MTX-49).
 */
#ifndef DMA_PL330_H
#define DMA_PL330_H

#include "dma/dma_backend.h"
#include "dma/pl330_program.h"
#include "dma/pl330_registers.h"

/*
 * Functions of ConfigureAdapterChannel (PLB-22). The data is an ULONG. They hold for the mappings after
 * them, until the channel is freed. STATUS_INVALID_PARAMETER: no data, or a value that is not named here;
 * STATUS_INVALID_DEVICE_STATE: the channel runs. Nothing is changed then.
 */
enum pl330_function {
    /* Beats of a burst, 1 (the default) to 16; of the unlimited width, the widest. Fewer are moved where the
     * channel's share of the FIFO holds no more (PLB-06). More than 1: requests are bursts unless function 3
     * has said something else. */
    PL330_SET_BURST_BEATS = 0x0001,
    /* A looped mapping gives a notice whenever so many bytes of a round are done, a multiple of the bytes of
     * a burst, and at the end of the round; 0, the default: only then. Each takes some bytes of the private
     * memory: a mapping of several hundred notices ends with an error at once. */
    PL330_SET_NOTICE_BYTES = 0x0002,
    /* enum pl330_policy. */
    PL330_SET_REQUEST_POLICY = 0x0003,
    /* enum pl330_ending: the next program ends like that, after its data. 0 takes it back. */
    PL330_INJECT_FAULT = 0x0100,
};

/* What the device asks with. Single: one beat a request, whatever a burst is. Peripheral: either, see
 * pl330_program.h; limited to several ten thousand bursts a mapping, more end with an error at once. */
enum pl330_policy { PL330_POLICY_SINGLE, PL330_POLICY_BURST, PL330_POLICY_PERIPHERAL };

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

/* Of the channel's owner. */
struct pl330_settings {
    DMA_WIDTH width;
    ULONG beats;
    bool has_request; /* function 3 has been called */
    enum pl330_request request;
    ULONG notice_bytes;
    enum pl330_ending ending; /* of the next program */
};

struct pl330_channel {
    uint32_t memory_bus_address; /* of the program */
    struct pl330_settings settings;
    struct pl330_program program;
    bool write;
    enum { OWES_NOTHING, OWES_ERROR, OWES_CANCELLED } report; /* that no register shows */
    bool ended;                                               /* `left` is latched (PLB-14) */
    ULONG left;
    uint32_t fault_type; /* FTRn of its last fault, for whoever debugs */
};

struct pl330 {
    struct pl330_config config;
    struct pl330_configuration hardware;
    bool nonsecure; /* state of the manager, and of every channel (PLB-18) */
    ULONG last_started;
    struct pl330_channel channels[PL330_CHANNELS_MAX];
};

/* Describe a controller to dma_initialize(). *dma must stay. Of the registers only those are read that say
 * what was built into it; nothing is written before InitializeController. */
void pl330_describe(struct pl330 *dma, const struct pl330_config *config, struct dma_controller *controller);

#endif
