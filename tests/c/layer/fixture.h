/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One driver on the scripted back end, with one device: its adapter, its contexts, a list, and routines that
 * note how they were called.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "driver.h"
#include "layer/map_registers.h"

enum { LIST_ELEMENTS = 16, CONTEXTS = 8 };

extern PDMA_ADAPTER adapter;   /* what hold_channel(), map() and flush() use */
extern ULONG register_maximum; /* of the adapter that was created last */
extern DEVICE_OBJECT device;
extern UCHAR contexts[CONTEXTS][DMA_TRANSFER_CONTEXT_SIZE_V1 + 8]; /* the last 8 bytes are a guard */
extern ULONG length;                                               /* *Length of map() */

extern union fixture_list {
    SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + LIST_ELEMENTS * sizeof(SCATTER_GATHER_ELEMENT)];
} list;

/* Before each test: hal, back end and records as at power-on. */
void fixture_reset(void);

/* The layer with one scripted controller, and `adapter` on its channel 0; or as a bus master of 32 bits. */
void start(DMA_WIDTH width);
void start_master(BOOLEAN scatter_gather);

DEVICE_DESCRIPTION describe(DMA_WIDTH width, ULONG channel);
PDMA_ADAPTER get_adapter(DMA_WIDTH width, ULONG channel);
PDMA_ADAPTER get_adapter_for(DEVICE_DESCRIPTION description);

/* Nothing is held, nothing waits, the level is PASSIVE_LEVEL. */
void check_idle(void);

/* ---- requests: `context` is an index, and the routine's context as well ---- */

NTSTATUS allocate_sync(PDMA_ADAPTER from, int context, ULONG registers, PVOID *base);
NTSTATUS allocate(PDMA_ADAPTER from, int context, ULONG registers, ULONG flags);
PVOID hold_channel(ULONG registers);

/* What on_grant() saw, and what it returns. */
extern struct fixture_granted {
    int calls;
    int order[8];
    PVOID base;
    KIRQL irql;
    IO_ALLOCATION_ACTION action;
} granted;
DRIVER_CONTROL on_grant;
void expect_grants(IO_ALLOCATION_ACTION action);

/* ---- transfers ---- */

extern struct fixture_completed {
    int calls;
    PDMA_ADAPTER adapter;
    PVOID context;
    DMA_COMPLETION_STATUS status;
    DMA_COMPLETION_STATUS order[8];
    KIRQL irql;
    ULONG length_seen;
} completed;
DMA_COMPLETION_ROUTINE on_completion;

/* With `list`, and with on_completion() unless the adapter is a bus master. */
NTSTATUS map(PMDL mdl, PVOID base, ULONGLONG offset, ULONG wanted, BOOLEAN write);
NTSTATUS flush(PMDL mdl, PVOID base, ULONGLONG offset, ULONG bytes, BOOLEAN write);

/* The device writes all of the last program, or of `list`. */
void device_fills(uint8_t byte);
void device_fills_list(uint8_t byte);

#endif
