/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: from AllocateAdapterChannelEx through the two queues to the grant and the end.
 *
 * The channel comes first, then the map registers (QUE-02), each in order of arrival (QUE-03,
 * QUE-04). Whatever frees something calls requests_grant(), which loops instead of recursing: a
 * callback that frees or asks for more only changes the queues that the outer loop looks at (QUE-13).
 */
#include "dma/layer.h"

#include "dma/context.h"
#include "dma/map_registers.h"

enum { REQUESTS_MAX = 1024 };

static struct request requests[REQUESTS_MAX];
static struct request *free_requests;
static struct request *live_requests;
static struct request *waiting_for_registers;
static uintptr_t last_handle;
static bool granting;

void requests_initialize(void)
{
    free_requests = NULL;
    live_requests = NULL;
    waiting_for_registers = NULL;
    granting = false;
    for (size_t i = REQUESTS_MAX; i-- > 0;) {
        requests[i] = (struct request){.state = REQUEST_FREE, .next = free_requests};
        free_requests = &requests[i];
    }
}

/* ---- queues ---- */

static void append(struct request **queue, struct request *request)
{
    while (*queue != NULL) {
        queue = &(*queue)->next;
    }
    request->next = NULL;
    *queue = request;
}

static void remove_from(struct request **queue, const struct request *request)
{
    while (*queue != NULL && *queue != request) {
        queue = &(*queue)->next;
    }
    if (*queue != NULL) {
        *queue = request->next;
    }
}

/* ---- the table ---- */

/* The live ones stand in order of arrival. */
static struct request **live_end(void)
{
    struct request **link = &live_requests;

    while (*link != NULL) {
        link = &(*link)->next_live;
    }
    return link;
}

static struct request *take_request(void)
{
    struct request *request = free_requests;

    if (request != NULL) {
        free_requests = request->next;
        last_handle += 2; /* odd, so never NULL nor the address of anything aligned (MR-04) */
        *request = (struct request){.handle = (PVOID)(last_handle | 1)};
        *live_end() = request;
    }
    return request;
}

static void forget(struct request *request)
{
    struct request **link = &live_requests;

    while (*link != request) {
        link = &(*link)->next_live;
    }
    *link = request->next_live;
    request->state = REQUEST_FREE;
    request->next = free_requests;
    free_requests = request;
}

/* STM-02, ITC-08 */
static bool is_context_live(const void *context)
{
    const struct request *request = live_requests;

    while (request != NULL && request->context != context) {
        request = request->next_live;
    }
    return request != NULL;
}

struct request *request_find_mappable(const struct adapter *adapter, const void *handle)
{
    struct request *owner = adapter->channel->owner;

    if (owner == NULL || owner->state != REQUEST_GRANTED || owner->adapter != adapter ||
        owner->handle != handle) {
        return NULL;
    }
    return owner;
}

/* ---- the end of a request ---- */

static void release_channel(struct request *request)
{
    struct channel *channel = request->adapter->channel;

    if (!request->has_channel) {
        return;
    }
    if (channel->mapping.state != MAPPING_NONE) {
        trace_violation(VIOLATION_FREED_WHILE_MAPPED, (uintptr_t)request->handle, 0); /* FAC-04 */
        mapping_abandon(channel);
    }
    request->has_channel = false;
    channel->owner = NULL;
}

void request_end(struct request *request)
{
    remove_from(&request->adapter->channel->waiting, request);
    remove_from(&waiting_for_registers, request);
    release_channel(request);
    if (request->state == REQUEST_GRANTED) {
        map_registers_release(request->first_register, request->register_count); /* MR-15 */
    }
    forget(request);
}

static void report_leftover(const struct request *request)
{
    /* PDA-02, QUE-16 */
    if (request->state != REQUEST_GRANTED || request->has_channel) {
        trace_violation(VIOLATION_RELEASED_WITH_CHANNEL, (uintptr_t)request->handle, 0);
    }
    if (request->state == REQUEST_GRANTED && request->register_count != 0) {
        trace_violation(VIOLATION_RELEASED_WITH_REGISTERS, (uintptr_t)request->handle, request->register_count);
    }
}

void requests_end_all(struct adapter *adapter)
{
    struct request *next;

    for (struct request *request = live_requests; request != NULL; request = next) {
        next = request->next_live;
        if (request->adapter == adapter) {
            report_leftover(request);
            request_end(request);
        }
    }
}

/* ---- the callback ---- */

/* ADC-03 to ADC-08. The callback may have ended its request itself (ADC-10): then there is none. */
static void obey(struct request *request, IO_ALLOCATION_ACTION action)
{
    if (action == KeepObject || request == NULL) {
        return;
    }
    if (action != DeallocateObject && action != DeallocateObjectKeepRegisters) {
        trace_violation(VIOLATION_ACTION_UNKNOWN, (uint32_t)action, 0);
        return;
    }
    trace_violation(VIOLATION_ACTION_NOT_KEEP, (uint32_t)action, 0); /* ADC-06 */
    if (action == DeallocateObject) {
        request_end(request);
    } else {
        release_channel(request);
    }
}

static IO_ALLOCATION_ACTION call_driver(const struct request *request)
{
    const void *adapter = &request->adapter->public;
    KIRQL level = KeGetCurrentIrql();

    trace_enter(TRACE_AdapterControl, adapter);
    IO_ALLOCATION_ACTION action =
        request->routine(request->device, request->irp, request->handle, request->routine_context);
    trace_exit(TRACE_AdapterControl, adapter, (uint32_t)action, 0, 0);
    irql_end_callback(level);
    return action;
}

static void run_callback(struct request *request)
{
    struct channel *channel = request->adapter->channel;
    const struct adapter *adapter = request->adapter;
    const void *handle = request->handle;

    if (request->routine == NULL) {
        return; /* AAX-09 */
    }
    channel->in_callback = true;
    IO_ALLOCATION_ACTION action = call_driver(request);
    channel->in_callback = false;
    obey(request_find_mappable(adapter, handle), action);
}

/* ---- granting ---- */

static bool take_channel(struct request *request)
{
    struct channel *channel = request->adapter->channel;

    if (channel->owner != NULL || channel->in_callback) { /* QUE-14 */
        return false;
    }
    channel->owner = request;
    channel_set_owner(request->adapter);
    request->has_channel = true;
    request->state = REQUEST_WAITS_REGISTERS;
    return true;
}

static bool take_registers(struct request *request)
{
    if (!map_registers_take(request->register_count, &request->first_register)) {
        return false;
    }
    request->state = REQUEST_GRANTED;
    return true;
}

/* Moves the first in line for a channel on to the queue for registers. */
static bool serve_channel_queue(struct request *request)
{
    struct channel *channel = request->adapter->channel;

    if (request->state != REQUEST_WAITS_CHANNEL || channel->waiting != request || !take_channel(request)) {
        return false;
    }
    channel->waiting = request->next;
    append(&waiting_for_registers, request);
    return true;
}

static bool move_channels_on(void)
{
    for (struct request *request = live_requests; request != NULL; request = request->next_live) {
        if (serve_channel_queue(request)) {
            return true;
        }
    }
    return false;
}

/* The next request that has all it needs; none overtakes, but who needs no register waits for none. */
static struct request *next_ready(void)
{
    for (struct request *request = waiting_for_registers; request != NULL; request = request->next) {
        bool is_first = request == waiting_for_registers;

        if ((is_first || request->register_count == 0) && take_registers(request)) {
            remove_from(&waiting_for_registers, request);
            return request;
        }
    }
    return NULL;
}

void requests_grant(void)
{
    struct request *ready;

    if (granting) {
        return; /* the loop that called back goes on */
    }
    granting = true;
    do {
        while (move_channels_on()) {
        }
        ready = next_ready();
        if (ready != NULL) {
            run_callback(ready);
        }
    } while (ready != NULL);
    granting = false;
}

/* ---- AllocateAdapterChannelEx ---- */

static bool are_combinable(ULONG flags, PDRIVER_CONTROL routine, PVOID *handle)
{
    if (flags == DMA_SYNCHRONOUS_CALLBACK) {
        return routine != NULL || handle != NULL;
    }
    return flags == 0 && routine != NULL && handle == NULL; /* AAX-01, AAX-13 */
}

static NTSTATUS check_context(const void *context)
{
    if (context != NULL && is_context_live(context)) {
        trace_violation(VIOLATION_CONTEXT_BUSY, (uintptr_t)context, 0);
        return STATUS_INVALID_PARAMETER;
    }
    return context_is_idle(context) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER; /* AAX-12, AAX-15 */
}

/* AAX-04, QUE-07: all at once, past nobody, or not at all. */
static NTSTATUS grant_now(struct request *request, PVOID *handle)
{
    bool overtakes = request->adapter->channel->waiting != NULL ||
                     (request->register_count != 0 && waiting_for_registers != NULL);

    if (overtakes || !take_channel(request)) {
        forget(request);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!take_registers(request)) {
        request_end(request);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    context_mark_used((void *)(uintptr_t)request->context);
    if (handle != NULL) {
        *handle = request->handle; /* AAX-07 */
    }
    run_callback(request);
    requests_grant();
    return STATUS_SUCCESS;
}

static NTSTATUS queue_up(struct request *request)
{
    context_mark_used((void *)(uintptr_t)request->context);
    request->state = REQUEST_WAITS_CHANNEL;
    append(&request->adapter->channel->waiting, request);
    requests_grant();
    return STATUS_SUCCESS; /* AAX-05 */
}

static NTSTATUS check_allocation(const struct adapter *adapter, const void *context, ULONG registers,
                                 bool combinable)
{
    if (adapter == NULL || !combinable) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = check_context(context);

    if (NT_SUCCESS(status) && registers > adapter->register_maximum) {
        trace_violation(VIOLATION_TOO_MANY_REGISTERS, registers, adapter->register_maximum);
        status = STATUS_INSUFFICIENT_RESOURCES; /* QUE-05 */
    }
    return status;
}

NTSTATUS dma_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters, ULONG Flags,
                                         PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase)
{
    struct layer_call call =
        layer_enter(TRACE_AllocateAdapterChannelEx, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);
    struct adapter *adapter = adapter_find(DmaAdapter);
    NTSTATUS status = check_allocation(adapter, DmaTransferContext, NumberOfMapRegisters,
                                       are_combinable(Flags, ExecutionRoutine, MapRegisterBase));
    struct request *request = NT_SUCCESS(status) ? take_request() : NULL;

    if (request != NULL) {
        request->adapter = adapter;
        request->context = DmaTransferContext;
        request->device = DeviceObject;
        request->irp = DeviceObject != NULL ? DeviceObject->CurrentIrp : NULL; /* ADC-02, AAX-15 */
        request->routine = ExecutionRoutine;
        request->routine_context = ExecutionContext;
        request->register_count = NumberOfMapRegisters;
        status = Flags == DMA_SYNCHRONOUS_CALLBACK ? grant_now(request, MapRegisterBase) : queue_up(request);
    } else if (NT_SUCCESS(status)) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    layer_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(AllocateAdapterChannelEx, dma_allocate_adapter_channel_ex);

/* ---- the other routines about requests ---- */

VOID dma_free_adapter_channel(PDMA_ADAPTER DmaAdapter)
{
    struct layer_call call = layer_enter(TRACE_FreeAdapterChannel, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);
    struct adapter *adapter = adapter_find(DmaAdapter);
    struct request *held = adapter != NULL ? adapter->channel->owner : NULL;

    if (held != NULL && held->adapter == adapter && held->state == REQUEST_GRANTED) {
        request_end(held);
        requests_grant(); /* FAC-07 */
    } else if (adapter != NULL) {
        trace_violation(VIOLATION_CHANNEL_FREED_TWICE, 0, 0); /* FAC-05 */
    }
    layer_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(FreeAdapterChannel, dma_free_adapter_channel);

NTSTATUS dma_initialize_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    struct layer_call call =
        layer_enter(TRACE_InitializeDmaTransferContext, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    NTSTATUS status = STATUS_INVALID_PARAMETER;

    if (adapter_find(DmaAdapter) != NULL && context_is_usable(DmaTransferContext)) {
        if (is_context_live(DmaTransferContext)) {
            trace_violation(VIOLATION_CONTEXT_BUSY, (uintptr_t)DmaTransferContext, 0); /* ITC-08 */
        } else {
            context_make_idle(DmaTransferContext);
            status = STATUS_SUCCESS;
        }
    }
    layer_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(InitializeDmaTransferContext, dma_initialize_transfer_context);
