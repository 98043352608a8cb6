/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the v3 layer share: its objects and who owns them.
 *
 *     controller  1 ── n  channel  1 ── n  adapter  1 ── n  request
 *
 * A request is one allocation with a transfer context. It waits in its channel's queue, then owns the
 * channel and waits in the queue for map registers, then owns both (QUE-02). The owner of a channel may
 * have one mapping (MTX-16).
 *
 * All objects live in fixed tables. A pointer or handle from outside is looked up, never followed
 * before that. Everything here runs at DISPATCH_LEVEL or above on one core, so it needs no lock; what
 * the interrupt changes too is the mapping's state, and that is read or written with interrupts masked.
 */
#ifndef DMA_LAYER_H
#define DMA_LAYER_H

#include "dma/completion.h"
#include "dma/dma.h"
#include "dma/irql.h"
#include "dma/plan.h"
#include "dma/violation.h"

/* Table 2.1.2's Running and Done; "no mapping" is Granted. */
enum mapping_state { MAPPING_NONE, MAPPING_RUNNING, MAPPING_DONE };

struct mapping {
    enum mapping_state state;
    DMA_COMPLETION_STATUS end; /* of a Done mapping */
    const MDL *mdl;
    uint64_t offset;
    uint32_t length;
    bool write;
    struct completion *completion; /* NULL: the driver asked for none, or it is delivered */
    uint32_t fragment_count;
    struct plan_fragment fragments[DMA_FRAGMENTS_MAX];
};

struct controller;

struct channel {
    struct controller *controller;
    ULONG number;
    struct request *owner;   /* has the channel, perhaps not yet its registers */
    struct request *waiting; /* for the channel, in order of arrival (QUE-03) */
    bool in_callback;        /* AdapterControl of this channel runs (QUE-14) */
    struct mapping mapping;
};

struct controller {
    struct dma_controller description;
    bool coherent;
    struct channel channels[DMA_CONTROLLER_CHANNELS_MAX];
};

struct adapter {
    DMA_ADAPTER public; /* first: what the driver sees */
    bool live;
    bool ignore_count;
    struct channel *channel;
    DMA_WIDTH width;
    ULONG request_line;
    ULONG register_maximum;
    PHYSICAL_ADDRESS device_address;
};

enum request_state { REQUEST_FREE, REQUEST_WAITS_CHANNEL, REQUEST_WAITS_REGISTERS, REQUEST_GRANTED };

struct request {
    enum request_state state;
    bool has_channel;
    bool empty_mapping;   /* a map of length 0 awaits its flush of length 0 (OQ-04) */
    struct request *next; /* in the queue it waits in */
    struct request *next_live;
    struct adapter *adapter;
    const void *context;
    PDEVICE_OBJECT device;
    PIRP irp; /* as it was at the call (ADC-02) */
    PDRIVER_CONTROL routine;
    PVOID routine_context;
    PVOID handle; /* MapRegisterBase: a number never used twice, not an address */
    uint32_t register_count;
    uint32_t first_register;
};

/* ---- adapter.c ---- */

void adapters_initialize(void);

/* NULL, and a violation, for what is not a live adapter (GEN-04, GEN-05). */
struct adapter *adapter_find(const void *candidate);

/* Bytes of the adapter's transfer unit: the width of its device register. */
uint32_t adapter_unit(const struct adapter *adapter);

/* Bytes of a line if the adapter's reads need their partial lines bounced, else 0 (CCH-06, CCH-12). */
uint32_t adapter_bounce_line(const struct adapter *adapter, bool write);

/* Around every routine: the record of it, the IRQL check against `highest` (and `lowest`), GEN-07,
 * and DISPATCH_LEVEL in between (BMT-05). */
struct layer_call {
    int id; /* enum trace_id */
    const void *adapter;
    KIRQL level;
};
struct layer_call layer_enter(int id, const void *adapter, KIRQL lowest, KIRQL highest);
void layer_leave(struct layer_call call, NTSTATUS status, uint32_t bytes, uint32_t elements);

/* ---- channel.c ---- */

void requests_initialize(void);

/* The granted request of `adapter` that holds its channel and has this handle, or NULL. */
struct request *request_find_mappable(const struct adapter *adapter, const void *handle);

/* Give back all that a request owns and forget it; a mapping is stopped, with violation 0x10. */
void request_end(struct request *request);

/* Drop or end every request of an adapter that is being released (PDA-03, QUE-16). */
void requests_end_all(struct adapter *adapter);

/* Hand free channels and registers to who waits, callbacks included (QUE-12). */
void requests_grant(void);

/* ---- mapping.c ---- */

/* Record the ranges, fill bounce pages, clean or drop lines, barrier (MTX-40). The fragments are planned;
 * nothing runs yet. */
void mapping_give_to_device(const struct channel *channel);

/* The end of a channel's transfer as the controller reports it; in the interrupt (spec 7.3). */
void mapping_report_end(struct channel *channel, DMA_INTERRUPT_TYPE type);

/* Make a Running mapping Done. True: it was cut short and its routine will not be called (FBX-15). */
bool mapping_stop(struct channel *channel);

/* Flush the channel, then make the data of a Done mapping the CPU's, of bounced data the first `wanted`
 * bytes (FBX-10). */
void mapping_take_from_device(struct channel *channel, uint32_t wanted);

void mapping_forget(struct channel *channel);

/* Stop what runs, make the channel programmable, forget the mapping; data is not delivered. */
void mapping_abandon(struct channel *channel);

/* ---- controller.c: the back end's entries, recorded, with interrupts masked (HBE-04) ---- */

bool controllers_initialize(const struct dma_controller *descriptions, size_t count);

/* The channel that serves the request line, or NULL (IGA-19, IGA-20). */
struct channel *controller_bind(ULONG request_line, ULONG channel_number, DMA_WIDTH width);

ULONG channel_max_fragments(struct channel *channel, ULONG wanted);

/* The adapter has been given its channel (CFG-09). */
void channel_set_owner(const struct adapter *adapter);
void channel_program(const struct adapter *adapter, PDMA_SCATTER_GATHER_LIST list, PHYSICAL_ADDRESS device,
                     bool write);
void channel_flush(struct channel *channel);
ULONG channel_bytes_left(struct channel *channel);
bool channel_cancel(struct channel *channel);

/* Take every report the controller has now. */
void controller_take_reports(struct controller *controller);

/* ---- the routines ---- */

/* In a debugger a routine goes by its name in the interface as well (break MapTransferEx). Weak: a
 * driver may have a function of that name. */
#define DMA_ROUTINE_NAME(routine, function)                                                                    \
    extern __typeof__(function) routine __attribute__((weak, alias(#function)))

VOID dma_put_adapter(PDMA_ADAPTER DmaAdapter);
NTSTATUS dma_get_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo);
NTSTATUS dma_initialize_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
NTSTATUS dma_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters, ULONG Flags,
                                         PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase);
VOID dma_free_adapter_channel(PDMA_ADAPTER DmaAdapter);
NTSTATUS dma_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                             ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                             PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext);
NTSTATUS dma_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice);

#endif
