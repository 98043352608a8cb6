/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two queues, and the callbacks of who comes to the front.
 *
 * The channel comes first, then the map registers (QUE-02), each in order of arrival (QUE-03,
 * QUE-04). Whatever frees something calls requests_grant(), which loops instead of recursing: a
 * callback that frees or asks for more only changes the queues that the outer loop looks at (QUE-13).
 */
#include "dma/layer.h"

#include "dma/context.h"
#include "dma/map_registers.h"

static struct request *waiting_for_registers;
static bool granting;
static uint32_t adapter_controls; /* that run, one in the other */

void grants_initialize(void)
{
    waiting_for_registers = NULL;
    granting = false;
    adapter_controls = 0;
}

bool grants_in_adapter_control(void)
{
    return adapter_controls != 0;
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

void request_leave_queues(struct request *request)
{
    remove_from(&request->adapter->channel->waiting, request);
    remove_from(&waiting_for_registers, request);
}

/* ---- callbacks ---- */

/* ADC-03 to ADC-08. The callback may have ended its request itself (ADC-10): then there is none. */
static void obey(struct request *request, IO_ALLOCATION_ACTION action)
{
    if (action == KeepObject || request == NULL) {
        return;
    }
    if (action != DeallocateObject && action != DeallocateObjectKeepRegisters) {
        violation_report(VIOLATION_ACTION_UNKNOWN, (uint32_t)action, 0);
        return;
    }
    if (!request->adapter->master) {
        violation_report(VIOLATION_ACTION_NOT_KEEP, (uint32_t)action, 0); /* ADC-06 */
    }
    if (action == DeallocateObject) {
        request_deallocate(request);
    } else {
        request_release_channel(request);
    }
}

static void call_adapter_control(const struct request *request)
{
    const void *adapter = &request->adapter->public;
    const void *handle = request->handle;
    KIRQL level = KeGetCurrentIrql();

    trace_enter(TRACE_AdapterControl, adapter);
    adapter_controls++;
    IO_ALLOCATION_ACTION action =
        request->routine(request->device, request->irp, request->handle, request->routine_context);
    adapter_controls--;
    trace_exit(TRACE_AdapterControl, adapter, (uint32_t)action, 0, 0);
    irql_end_callback(level);

    struct request *still = request_find_handle(handle);

    obey(still != NULL && still->has_channel ? still : NULL, action);
}

/* GSX-09: what is left afterwards waits for PutScatterGatherList. */
static void call_list_control(const struct request *request)
{
    const void *adapter = &request->adapter->public;
    const void *handle = request->handle;
    KIRQL level = KeGetCurrentIrql();

    trace_enter(TRACE_AdapterListControl, adapter);
    request->list_routine(request->device, request->irp, request->list, request->routine_context);
    trace_exit(TRACE_AdapterListControl, adapter, 0, 0, 0);
    irql_end_callback(level);

    struct request *still = request_find_handle(handle);

    if (still != NULL) {
        request_release_channel(still);
    }
}

static void run_callback(struct request *request)
{
    struct channel *channel = request->adapter->channel;
    const void *handle = request->handle;

    channel->in_callback = true;
    if (request->list_routine != NULL) {
        call_list_control(request);
    } else if (request->routine != NULL) { /* else AAX-09 */
        call_adapter_control(request);
    }
    channel->in_callback = false;

    struct request *still = request_find_handle(handle);

    if (still != NULL) {
        still->called_back = true;
    }
}

/* ---- grants ---- */

static bool take_channel(struct request *request)
{
    struct channel *channel = request->adapter->channel;

    if (channel->owner != NULL || channel->in_callback) { /* QUE-14 */
        return false;
    }
    channel->owner = request;
    if (channel->controller != NULL) {
        channel_set_owner(request->adapter);
    }
    request->has_channel = true;
    request->state = REQUEST_WAITS_REGISTERS;
    return true;
}

/* One adapter, over all its requests, should not have more than one request may. */
static void report_hoarding(const struct adapter *adapter)
{
    uint32_t held = 0;

    for (const struct request *request = request_first(); request != NULL; request = request->next_live) {
        held += request->adapter == adapter && request->state == REQUEST_GRANTED ? request->register_count : 0;
    }
    if (held > adapter->register_maximum) {
        violation_report(VIOLATION_HOLDS_TOO_MANY, held, adapter->register_maximum);
    }
}

static bool take_registers(struct request *request)
{
    if (!map_registers_take(request->register_count, request->adapter->address_bits,
                            &request->first_register)) {
        return false;
    }
    request->state = REQUEST_GRANTED;
    report_hoarding(request->adapter);
    return true;
}

/* GSX-03. A chain that changed while the request waited gives an empty list. */
static void make_list(struct request *request)
{
    if (mapping_give_to_device(request->mappings)) {
        mapping_write_list(request->mappings, request->list);
    } else {
        mapping_abandon(request->mappings);
        request->list->NumberOfElements = 0;
    }
    if (request->list_out != NULL) {
        *request->list_out = request->list; /* GSX-13 */
    }
}

/* All is owned: map if that was asked for, and tell the driver. */
static void complete_grant(struct request *request)
{
    if (request->list != NULL) {
        make_list(request);
    }
    run_callback(request);
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
    for (struct request *request = request_first(); request != NULL; request = request->next_live) {
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
            complete_grant(ready);
        }
    } while (ready != NULL);
    granting = false;
}

/* ---- how a request gets here ---- */

static void mark_context_used(const struct request *request)
{
    if (request->context != NULL) {
        context_set((void *)(uintptr_t)request->context, CONTEXT_USED);
    }
}

/* AAX-04, QUE-07: all at once, past nobody, or not at all. */
static NTSTATUS grant_now(struct request *request, PVOID *handle)
{
    bool overtakes = request->adapter->channel->waiting != NULL ||
                     (request->register_count != 0 && waiting_for_registers != NULL);

    if (overtakes || !take_channel(request) || !take_registers(request)) {
        request_end(request);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    mark_context_used(request);
    if (handle != NULL) {
        *handle = request->handle; /* AAX-07 */
    }
    complete_grant(request);
    requests_grant();
    return STATUS_SUCCESS;
}

NTSTATUS request_submit(struct request *request, bool synchronous, PVOID *handle)
{
    if (synchronous) {
        return grant_now(request, handle);
    }
    mark_context_used(request);
    append(&request->adapter->channel->waiting, request);
    requests_grant();
    return STATUS_SUCCESS; /* AAX-05 */
}
