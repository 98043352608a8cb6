/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the v3 layer share: its objects and who owns them.
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
 * A *mapping* is a part of an MDL chain that a device may access. A request has one at a time
 * (MTX-14), but for those of MapTransfer (MPT-06). It holds no fragments: the plan that made them is
 * walked again when they are needed, after a look whether the chain is still the same (GEN-12).
 *
 * All objects live in fixed tables. A pointer or handle from outside is looked up, never followed
 * before that. Everything here runs at DISPATCH_LEVEL or above on one core, so it needs no lock; what
 * the interrupt changes too is the state of a channel's mapping, and that is read or written with
 * interrupts masked.
 */
#ifndef DMA_LAYER_H
#define DMA_LAYER_H

#include "dma/completion.h"
#include "dma/dma.h"
#include "dma/irql.h"
#include "dma/plan.h"
#include "dma/violation.h"
#include "hal/trace.h"

/* STM-01; "no mapping" is Granted. A bus master's is Running until it is flushed. */
enum mapping_state {
    MAPPING_PLANNED, /* nothing has happened yet: may be released without a trace */
    MAPPING_RUNNING,
    MAPPING_DONE,    /* ended by itself */
    MAPPING_STOPPED, /* cut short */
};

struct mapping {
    enum mapping_state state;
    DMA_COMPLETION_STATUS end; /* if it is Done */
    struct request *request;
    struct mapping *next;    /* an earlier one of the request */
    struct plan_range range; /* as planned; what of it is mapped: */
    uint32_t length;
    uint32_t elements;
    uint32_t registers; /* that it uses */
    bool write;
    bool flushing;                 /* the driver no longer waits for its end */
    bool guarded;                  /* there are guards around its bounced elements */
    uint64_t chain_sum;            /* of the MDLs of the range */
    uint64_t shared_sum;           /* of the bytes beside it in shared lines (CCH-12 b) */
    struct completion *completion; /* NULL: the driver asked for none, or it is delivered */
};

struct controller;

struct channel {
    struct controller *controller; /* NULL: a bus master's */
    ULONG number;
    struct request *owner;   /* has the channel, perhaps not yet its registers */
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
    uint32_t unit;              /* bytes: what every element is a multiple of (MTX-38) */
    uint32_t byte_limit;        /* of a mapping, 0: none */
    uint32_t address_bits;
    ULONG register_maximum; /* of a request */
    DMA_WIDTH width;        /* this and the rest: of a subordinate device */
    ULONG request_line;
    PHYSICAL_ADDRESS device_address;
};

enum request_state {
    REQUEST_FREE,
    REQUEST_WAITS_CHANNEL,
    REQUEST_WAITS_REGISTERS,
    REQUEST_GRANTED,
    REQUEST_SPENT, /* all but the list is given back (GSX-11) */
};

struct request {
    enum request_state state;
    bool has_channel;
    bool cancelled;       /* marked by CancelMappedTransfer; stays (CMT-02) */
    bool called_back;     /* its routine has returned, or there is none */
    bool empty_mapping;   /* a map of length 0 awaits its flush of length 0 (OQ-04) */
    struct request *next; /* in the queue it waits in */
    struct request *next_live;
    struct adapter *adapter;
    const void *context; /* NULL: a v1 request */
    PDEVICE_OBJECT device;
    PIRP irp;                /* as it was at the call (ADC-02) */
    PDRIVER_CONTROL routine; /* NULL: none, or a list request */
    PVOID routine_context;   /* of either routine */
    PVOID handle;            /* MapRegisterBase: a number never used twice, not an address */
    uint32_t register_count;
    uint32_t first_register;
    struct mapping *mappings; /* the latest first; of a list request it is planned before the grant */

    /* A list request has a list, any other has none. */
    PSCATTER_GATHER_LIST list;
    PSCATTER_GATHER_LIST *list_out; /* where to store the pointer at the grant (GSX-13), or NULL */
    PDRIVER_LIST_CONTROL list_routine;
    void (*list_release)(PSCATTER_GATHER_LIST list); /* NULL: the list is the caller's */
};

/* ---- adapter.c ---- */

void adapters_initialize(void);

uint32_t adapters_count(void);

/* NULL, and a violation, for what is not a live adapter (GEN-04, GEN-05). */
struct adapter *adapter_find(const void *candidate);

/* Bytes of a cache line if data is moved in whole lines in this direction, else 0 (CCH-06, CCH-13). */
uint32_t adapter_line(const struct adapter *adapter, bool write);

/* The last physical address that the device reaches. */
uint64_t adapter_highest_address(const struct adapter *adapter);

/* Around every routine: the record of it, the IRQL check against `highest` (and `lowest`), GEN-07,
 * and DISPATCH_LEVEL in between (BMT-05). */
struct layer_call {
    int id; /* enum trace_id */
    const void *adapter;
    KIRQL level;
};
struct layer_call layer_enter(int id, const void *adapter, KIRQL lowest, KIRQL highest);
void layer_leave(struct layer_call call, NTSTATUS status, uint32_t bytes, uint32_t elements);

/* ---- request.c: the table, and the end of a request ---- */

void requests_initialize(void);

/* A request that waits for nothing yet, or NULL if there are too many. The caller fills in what it asks
 * for and submits it, or ends it. */
struct request *request_take(struct adapter *adapter, PDEVICE_OBJECT device, const void *context);

/* In order of arrival; NULL at the end. */
struct request *request_first(void);

/* By what the driver knows; NULL if there is none. The first: only one that may map now (MTX-13). */
struct request *request_find_mappable(const struct adapter *adapter, const void *handle);
struct request *request_find_handle(const void *handle);
struct request *request_find_context(const void *context);
struct request *request_find_list(const struct adapter *adapter, const void *list);

/* The granted request of this adapter that has its channel, or NULL. */
struct request *request_find_holder(const struct adapter *adapter);

/* A v1 request for a channel of this device whose routine has not returned (QUE-08), or NULL. */
struct request *request_find_outstanding(PDEVICE_OBJECT device);

/* May a request be made with it (STM-02)? STATUS_CANCELLED: it is PreCancelled (AAX-11). */
NTSTATUS request_check_context(const void *context);

/* STATUS_INSUFFICIENT_RESOURCES, and a violation: more than one request may have (QUE-05). */
NTSTATUS request_check_registers(const struct adapter *adapter, ULONG registers);

/* Forget a request: it leaves its queues, its mappings are abandoned with violation 0x10, channel,
 * registers and list are given back. Nobody is granted anything: requests_grant() is the caller's. */
void request_end(struct request *request);

/* The same, as FreeAdapterObject(DeallocateObject) does it: a list stays to be put, flushed (GSX-11). */
void request_deallocate(struct request *request);

void request_release_channel(struct request *request);

/* Drop or end every request of an adapter that is being released (PDA-03, QUE-16). */
void requests_end_all(struct adapter *adapter);

/* ---- grant.c: the queues ---- */

void grants_initialize(void);

/* Grant it now and past nobody, or queue it, by `synchronous`; its callback may run inside. A failure
 * (AAX-04) ends the request. *handle, if not NULL, is written before the callback (AAX-07). */
NTSTATUS request_submit(struct request *request, bool synchronous, PVOID *handle);

/* Does an AdapterControl run (AAC-06)? */
bool grants_in_adapter_control(void);

/* Hand free channels and registers to who waits, callbacks included (QUE-12). */
void requests_grant(void);

/* The request waits no longer. */
void request_leave_queues(struct request *request);

/* ---- mapping.c ---- */

/* What of an MDL chain, and in which direction. */
struct mapping_range {
    const MDL *chain;
    uint64_t offset;
    uint32_t length;
    bool write;
};

void mappings_initialize(void);

/* STATUS_INVALID_PARAMETER, and a violation, if the chain has no such bytes (MTX-01, MTX-02, MDL-08). */
NTSTATUS mapping_check_range(const struct mapping_range *range);

/* The same if the CPU has no memory there, of which only bounces and caches take notice (MDL-07). */
NTSTATUS mapping_check_memory(const struct mapping_range *range);

/* A new mapping of the request: the longest prefix of a range that is checked that all limits allow, in
 * at most `capacity` elements (MTX-26). Nothing happens to memory. STATUS_INSUFFICIENT_RESOURCES: not
 * even a first piece, or too many mappings; else as of mapping_check_memory() where that matters. */
NTSTATUS mapping_plan(struct request *request, const struct mapping_range *range, uint32_t capacity,
                      struct mapping **mapping);

/* Is any of its memory cached? */
bool mapping_is_cached(const struct mapping *mapping);

/* The elements of it. */
void mapping_write_list(const struct mapping *mapping, PSCATTER_GATHER_LIST list);

/* Planned to Running: record the ranges, fill bounce pages, clean or drop lines, barrier (MTX-40). False:
 * the chain is not the one that was planned (violation 0x43), and nothing is done. */
bool mapping_give_to_device(struct mapping *mapping);

/* What the controller reports of a channel; in the interrupt (HBE-20). */
void mapping_report(struct channel *channel, DMA_INTERRUPT_TYPE type);

/* Cut short what runs on a channel; its routine is called with DmaCancelled, or with its end if that came
 * first (CMT-03, CMT-04). */
void mapping_cancel(struct mapping *mapping);

/* The same without a call. True: it was, and its routine will not be called (FBX-15); false: it
 * was over, or is no transfer of a channel. */
bool mapping_stop(struct mapping *mapping);

/* Of a subordinate's transfer, over all of it or the current round (RDC-03, RDC-04); 0 when it is complete. */
uint32_t mapping_bytes_left(const struct mapping *mapping);

/* Flush the channel, then make the data the CPU's, of bounced data the first `wanted` bytes (FBX-10), and
 * forget the mapping. */
void mapping_take_from_device(struct mapping *mapping, uint32_t wanted);

/* Forget it; what was started is stopped, data is not delivered. */
void mapping_abandon(struct mapping *mapping);

/* Of its first element, for the device. */
uint64_t mapping_first_address(const struct mapping *mapping);

/* A flush where nothing is mapped: a mistake, but after a map of length 0 (FBX-20, OQ-04). */
void request_flush_nothing(struct request *request, uint32_t length);

/* Run it on the adapter's channel, from the device's register `device_offset` on (MTX-40: last). */
void mapping_start(const struct mapping *mapping, uint32_t device_offset);

/* ---- overlap.c ---- */

/* Does a live mapping (a live read, if `reads_only`) share bytes with [start, start + size) of the CPU's
 * addresses? */
bool mappings_touch(uintptr_t start, uint64_t size, bool reads_only);

/* Violation 0x1D if memory of it is mapped already, and one of the two devices writes it. */
void mapping_report_overlaps(const struct mapping *mapping);

/* ---- info.c ---- */

/* What a full mapping of a checked range needs, in both directions unless `write_only` (chapter GTI). */
void adapter_count_needs(const struct adapter *adapter, const struct mapping_range *range, bool write_only,
                         DMA_TRANSFER_INFO_V1 *needs);

/* ---- control.c ---- */

void limits_initialize(void);
const struct dma_limits *limits_now(void);

/* ---- scatter_gather.c ---- */

void lists_initialize(void);

/* ---- common_buffer.c ---- */

void common_buffers_initialize(void);

uint32_t common_buffers_live(void);

/* The adapter is being released: its buffers stay, since a device may still use them (PDA-03). */
void common_buffers_leave(const struct adapter *adapter);

/* ---- controller.c: the back end's entries, recorded, with interrupts masked (HBE-04) ---- */

bool controllers_initialize(const struct dma_controller *descriptions, size_t count);

/* By number, counted through all controllers, or NULL. */
struct channel *controller_channel(uint32_t number);

/* The channel that serves the request line, or NULL (IGA-19, IGA-20). */
struct channel *controller_bind(ULONG request_line, ULONG channel_number, DMA_WIDTH width);

ULONG channel_max_fragments(struct channel *channel, ULONG wanted);
void channel_program(const struct mapping *mapping, PDMA_SCATTER_GATHER_LIST list, PHYSICAL_ADDRESS device);
void channel_flush(struct channel *channel);
ULONG channel_bytes_left(struct channel *channel);
bool channel_has_counter(const struct channel *channel);
bool channel_interrupts(const struct channel *channel);

/* The adapter has been given its channel (CFG-09). */
void channel_set_owner(const struct adapter *adapter);
NTSTATUS channel_configure(struct channel *channel, ULONG function, PVOID data);
bool channel_cancel(struct channel *channel);

/* Take every report the controller has now. */
void controller_take_reports(struct controller *controller);

/* ---- the routines ---- */

/* In a debugger a routine goes by its name in the interface as well (break MapTransferEx). Nobody can link with
 * that name: a driver reaches the routines through the table only, and may have a function so called. GEN-01 */
#define DMA_ROUTINE_NAME(routine, function)                                                                    \
    static __typeof__(function) routine __attribute__((used, alias(#function)))

VOID dma_put_adapter(PDMA_ADAPTER DmaAdapter);
PVOID dma_allocate_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                 BOOLEAN CacheEnabled);
VOID dma_free_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress,
                            PVOID VirtualAddress, BOOLEAN CacheEnabled);
PVOID dma_allocate_common_buffer_ex(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                    PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled,
                                    ULONG PreferredNode);
NTSTATUS dma_get_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo);
NTSTATUS dma_initialize_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
NTSTATUS dma_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters, ULONG Flags,
                                         PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase);
NTSTATUS dma_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                      ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine,
                                      PVOID Context);
VOID dma_free_adapter_channel(PDMA_ADAPTER DmaAdapter);
VOID dma_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction);
VOID dma_free_map_registers(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters);
NTSTATUS dma_configure_adapter_channel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context);
BOOLEAN dma_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                   PVOID DmaTransferContext);
NTSTATUS dma_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
ULONG dma_get_dma_alignment(PDMA_ADAPTER DmaAdapter);
ULONG dma_read_dma_counter(PDMA_ADAPTER DmaAdapter);
NTSTATUS dma_get_adapter_info(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo);
NTSTATUS dma_calculate_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                           PULONG ScatterGatherListSize, PULONG NumberOfMapRegisters);
NTSTATUS dma_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                     PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                     PVOID Context, BOOLEAN WriteToDevice);
NTSTATUS dma_build_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                       PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                       PVOID Context, BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                       ULONG ScatterGatherLength);
NTSTATUS dma_get_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                        PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                        ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                        BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                        PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList);
NTSTATUS dma_build_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                          PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                          ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                          BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                          ULONG ScatterGatherLength,
                                          PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext,
                                          PVOID ScatterGatherList);
VOID dma_put_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                 BOOLEAN WriteToDevice);
NTSTATUS dma_build_mdl_from_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                                PMDL OriginalMdl, PMDL *TargetMdl);
PHYSICAL_ADDRESS dma_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                  PULONG Length, BOOLEAN WriteToDevice);
BOOLEAN dma_flush_adapter_buffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                  ULONG Length, BOOLEAN WriteToDevice);
NTSTATUS dma_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                             ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                             PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext);
NTSTATUS dma_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice);

#endif
