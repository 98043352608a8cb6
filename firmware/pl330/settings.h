/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of a channel has configured, by functions of ConfigureAdapterChannel (PLB-22). Pure.
 *
 * The data of each function is an ULONG. A setting holds for the mappings after it, until the channel is
 * freed. STATUS_INVALID_PARAMETER: there is no data, or a value that is not named here;
 * STATUS_INVALID_DEVICE_STATE: the channel runs. Nothing is changed then.
 */
#ifndef PL330_SETTINGS_H
#define PL330_SETTINGS_H

#include <dma_backend.h>

#include <stdbool.h>

#include "pl330/program.h"

enum pl330_function {
    /* Beats of a burst, 1 (the default) to 16, each as wide as the owner's data register, or, of the unlimited
     * width, as wide as the bus allows. Fewer are moved where the channel's share of the FIFO holds no more
     * (PLB-06). With more than 1, requests are bursts unless function 3 has said something else. */
    PL330_SET_BURST_BEATS = 0x0001,
    /* A looped mapping gives a notice whenever so many bytes of a round are done, a multiple of the bytes of
     * a burst, and at the end of the round. With 0, the default, it gives one at the end of the round only.
     * Each notice takes some bytes of the private memory: a mapping of several hundred notices ends with an
     * error at once. */
    PL330_SET_NOTICE_BYTES = 0x0002,
    /* enum pl330_policy. */
    PL330_SET_REQUEST_POLICY = 0x0003,
    /* enum pl330_ending: the next program ends like that, after its data. 0 takes it back. */
    PL330_INJECT_FAULT = 0x0100,
};

/* What the device asks with. Single: one beat for each request, whatever a burst is. Peripheral: either, see
 * program.h; a mapping is then limited to several ten thousand bursts, and more end with an error at once. */
enum pl330_policy { PL330_POLICY_SINGLE, PL330_POLICY_BURST, PL330_POLICY_PERIPHERAL };

struct pl330_settings {
    DMA_WIDTH width;
    ULONG beats;
    bool has_request; /* function 3 has been called */
    enum pl330_request request;
    ULONG notice_bytes;
    enum pl330_ending ending; /* of the next program */
};

/* The settings of a new owner whose data register has this width. */
struct pl330_settings pl330_settings_of_owner(DMA_WIDTH width);

/* Is there a function of that number (PLB-22)? DMA_CONFIGURE_NEW_OWNER is one. */
bool pl330_settings_know(ULONG function);

/* Carry out a function that is known. False: the value is not allowed, and nothing is changed. */
bool pl330_settings_change(struct pl330_settings *settings, ULONG function, ULONG value);

/* The kind of request that units are moved by. */
enum pl330_request pl330_settings_request(const struct pl330_settings *settings);

#endif
