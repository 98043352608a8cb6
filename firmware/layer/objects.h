/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of the v3 layer, and which of them belongs to which.
 *
 *     controller  1 ── n  channel  1 ── n  adapter  1 ── n  request  1 ── n  mapping
 *
 * A *channel* is what only one request may own at a time: a channel of the controller, or, for a bus
 * master, the adapter itself. A bus master's channel belongs to no controller.
 *
 * A *request* is one allocation, of a channel or of a scatter/gather list. It waits in its channel's
 * queue, then owns the channel and waits in the queue for map registers, then owns both (QUE-02), then
 * perhaps the registers only (STM-06).
 *
 * A *mapping* is a part of an MDL chain that a device may access. A request has at most one at a time
 * (MTX-14); only MapTransfer makes more (MPT-06). A mapping holds no fragments: the plan that made them
 * is walked again when they are needed, after a check that the chain is still the same (GEN-12).
 *
 * All objects live in fixed tables. A pointer or handle from outside is looked up there before it is
 * followed. All code of the layer runs at DISPATCH_LEVEL or above on one core, so it needs no lock. The
 * interrupt changes one thing too, the state of a channel's mapping: it is read and written with
 * interrupts masked.
 */
#ifndef LAYER_OBJECTS_H
#define LAYER_OBJECTS_H

#include <dma_backend.h>

#include <stdbool.h>

#include "layer/plan.h"
#include "layer/routine_frame.h"

/* The rows of STM-01 that have a mapping; a request that is Granted has none. A bus master's mapping is
 * Running until it is flushed. */
enum mapping_state {
    MAPPING_PLANNED, /* memory and device are untouched: the mapping may be released without a trace */
    MAPPING_RUNNING,
    MAPPING_DONE,    /* ended by itself */
    MAPPING_STOPPED, /* cut short */
};

struct mapping {
    enum mapping_state state;
    DMA_COMPLETION_STATUS end; /* how it ended, if it is Done */
    struct request *request;
    struct mapping *next;      /* an earlier mapping of the request */
    struct mapping *next_live; /* in the table of mappings */
    struct plan_range range;   /* as planned; the part of it that is mapped: */
    uint32_t length;
    uint32_t elements;
    uint32_t registers;     /* map registers that it uses */
    uint32_t device_offset; /* of a subordinate device: where its side starts (MTX-33) */
    bool write;
    bool flushing;                 /* the driver no longer waits for its end */
    bool has_guards;               /* there are guard bytes around its bounced elements */
    struct routine_place maker;    /* the routine that the driver called for it, and where */
    uint64_t chain_sum;            /* checksum of the MDLs of the range */
    uint64_t neighbours_sum;       /* checksum of other data in its shared lines (CCH-12 b) */
    struct completion *completion; /* NULL: the driver asked for none, or it is delivered */
};

struct controller;

struct channel {
    struct controller *controller; /* NULL: a bus master's channel */
    ULONG number;
    struct request *owner;   /* has the channel, but may still wait for its registers */
    struct request *waiting; /* for the channel, in order of arrival (QUE-03) */
    bool in_callback;        /* a callback of this channel runs (QUE-14) */
    struct mapping *mapping; /* that the controller was programmed with */
};

struct controller {
    struct dma_controller description;
    bool coherent;
    struct channel channels[DMA_CONTROLLER_CHANNELS_MAX];
};

struct adapter {
    DMA_ADAPTER public; /* first: what the driver sees */
    bool live;
    bool master;
    bool one_element; /* a bus master without scatter/gather (MTX-27) */
    bool coherent;    /* platform or controller say that its DMA sees the caches (CCH-07) */
    bool ignore_count;
    bool looped; /* AutoInitialize: mappings repeat until they are stopped (MTX-41) */
    struct channel *channel;
    struct channel own_channel; /* a bus master's */
    uint32_t unit;              /* bytes: every element is a multiple of it (MTX-38) */
    uint32_t byte_limit;        /* bytes of a mapping, 0: no limit */
    uint32_t address_bits;
    ULONG register_maximum; /* map registers of one request */
    struct routine_place maker;

    /* The rest is set for a subordinate device only. */
    DMA_WIDTH width;
    ULONG request_line;
    PHYSICAL_ADDRESS device_address;
};

enum request_state {
    REQUEST_FREE,
    REQUEST_WAITS_CHANNEL,
    REQUEST_WAITS_REGISTERS,
    REQUEST_GRANTED,
    REQUEST_SPENT, /* everything except the list is given back (GSX-11) */
};

struct request {
    enum request_state state;
    bool has_channel;
    bool cancelled;     /* CancelMappedTransfer set this mark, and nothing clears it (CMT-02) */
    bool called_back;   /* its routine has returned, or there is none */
    bool empty_mapping; /* a map of length 0 awaits its flush of length 0 (OQ-04) */
    struct routine_place maker;
    struct request *next; /* in the queue it waits in */
    struct request *next_live;
    struct adapter *adapter;
    const void *context; /* NULL: a request of version 1 */
    PDEVICE_OBJECT device;
    PIRP irp;                /* the device's current one when the request was made (ADC-02) */
    PDRIVER_CONTROL routine; /* NULL: there is none, or it is a list request */
    PVOID routine_context;   /* of either routine */
    PVOID handle;            /* MapRegisterBase: a number never used twice, not an address */
    uint32_t register_count;
    uint32_t first_register;
    struct mapping *mappings; /* the latest first; a list request has its one before the grant */

    /* The rest is set for a list request only; any other has no list. */
    PSCATTER_GATHER_LIST list;
    PSCATTER_GATHER_LIST *list_out; /* where to store the pointer at the grant (GSX-13), or NULL */
    PDRIVER_LIST_CONTROL list_routine;
    void (*list_release)(PSCATTER_GATHER_LIST list); /* NULL: the list is the caller's */
};

#endif
