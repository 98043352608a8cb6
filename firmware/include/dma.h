/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The v3 layer as the boot code and the shell see it. Drivers see wdm_dma.h only.
 */
#ifndef DMA_H
#define DMA_H

#include <dma_backend.h>

#include <stdbool.h>

enum dma_most { DMA_CONTROLLERS_MAX = 3, DMA_MAP_REGISTERS = 64, DMA_FRAGMENTS_MAX = 64 };

/*
 * Start the layer: takes the bounce pages and the channels' private memory, initialises and connects
 * the controllers. Call once, at PASSIVE_LEVEL, with interrupts masked or enabled, before any other
 * routine; the descriptions are copied. False if there are more than DMA_CONTROLLERS_MAX or memory
 * is short; the layer must not be used then.
 */
bool dma_initialize(const struct dma_controller *controllers, size_t count);

/* The table that every adapter points to, for callers whose adapter pointer may be wrong. */
PDMA_OPERATIONS dma_operations_table(void);

/* ---- for tests: what they may see (OP-6) ---- */

struct dma_counters {
    uint32_t free_map_registers;
    uint32_t free_low_map_registers; /* of those for devices that reach no others; 0 where there are none */
    uint32_t adapters;
    uint32_t requests; /* live ones, granted or waiting */
    uint32_t waiting_for_registers;
    uint32_t mappings; /* that are not flushed */
    uint32_t lists;    /* that are not put */
    uint32_t common_buffers;
};
struct dma_counters dma_count(void);

/* An object that lives, and the call that made it. */
enum dma_waits {
    DMA_WAITS_FOR_NOTHING,
    DMA_WAITS_FOR_CHANNEL,
    DMA_WAITS_FOR_REGISTERS,
    DMA_WAITS_FOR_DEVICE, /* a mapping whose transfer runs on its channel */
};

struct dma_live {
    const char *kind; /* adapter, channel, map_registers, request, list, mapping, common_buffer, mdl; of nt:
                         pool, spin_lock, timer, thread */
    uintptr_t object; /* its address or handle */
    uint32_t maker;   /* the routine, by its id in the operation log */
    uintptr_t caller; /* where it was called: a return address, */
    uint32_t command; /* during this command of the serial line; 0: none with a number */
    enum dma_waits waits;
    uint32_t channel;   /* of a request or mapping: its channel, counted through all controllers; or: */
    uint32_t registers; /* of a request: map registers that it has, or waits for */
    uint32_t line;      /* of a mapping: the request line of its adapter */
};
#define DMA_NO_CHANNEL UINT32_MAX

/* Tell of each object that lives: adapters, what each request has, common buffers, MDLs. A request is told as
 * what it is now: one that waits, a list, the owner of a channel, or one that has kept its map registers. */
typedef void dma_tell(const struct dma_live *live, void *context);
void dma_each_live(dma_tell *tell, void *context);

/* A channel of a controller, or the one of a bus master. */
struct dma_channel_state {
    PDMA_ADAPTER owner; /* the adapter whose request has the channel; NULL: the channel is free */
    PVOID handle;       /* MapRegisterBase of that request */
    uint32_t waiting;   /* requests in its queue */
};

/* Describe a channel, by its number, counted through all controllers, or by its adapter. False: there is no
 * such channel or adapter. */
bool dma_channel_by_number(uint32_t number, struct dma_channel_state *state);
bool dma_channel_by_adapter(PDMA_ADAPTER adapter, struct dma_channel_state *state);

/* ---- for tests: what they may set (CT-1, CT-4, CT-5); dma_initialize() sets the largest limits ---- */

struct dma_limits {
    uint32_t map_registers;         /* in each pool: 2 to DMA_MAP_REGISTERS */
    uint32_t registers_per_request; /* IoGetDmaAdapter's most: 2 to DMA_MAP_REGISTERS */
    uint32_t list_elements;         /* where the driver gives no list: 1 to DMA_FRAGMENTS_MAX */
};

/* Set the limits of adapters and mappings that are made from now on. False, and nothing is changed: a number is
 * out of range, or map registers are in use. */
bool dma_set_limits(struct dma_limits limits);

/* Switch the recording of violations on or off. It does not change what the routines do. */
void dma_set_checked(bool checked);

#endif
