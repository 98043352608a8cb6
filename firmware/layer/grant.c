/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/grant.h"

#include "hal/oplog.h"
#include "layer/context.h"
#include "layer/controller.h"
#include "layer/irql.h"
#include "layer/map_registers.h"
#include "layer/mapping.h"
#include "layer/queue.h"
#include "layer/request.h"
#include "layer/running.h"
#include "layer/violation.h"

static bool granting;
static uint32_t adapter_controls; /* that run, nested */

void grants_initialize(void)
{
    granting = false;
    adapter_controls = 0;
}

bool grants_in_adapter_control(void)
{
    return adapter_controls != 0;
}

/* ---- callbacks ---- */

/* Do what AdapterControl returned (ADC-03 to ADC-08). `request` is NULL if the callback has ended its request
 * itself (ADC-10). */
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

    oplog_enter(OPLOG_AdapterControl, adapter, (uintptr_t)request->routine);
    adapter_controls++;
    IO_ALLOCATION_ACTION action =
        request->routine(request->device, request->irp, request->handle, request->routine_context);
    adapter_controls--;
    irql_check(level);
    oplog_exit(OPLOG_AdapterControl, adapter, (uint32_t)action, 0, 0);
    irql_restore(level);

    struct request *still = request_find_handle(handle);

    obey(still != NULL && still->has_channel ? still : NULL, action);
}

/* The channel is given back when the routine returns; the rest waits for PutScatterGatherList (GSX-09). */
static void call_list_control(const struct request *request)
{
    const void *adapter = &request->adapter->public;
    const void *handle = request->handle;
    KIRQL level = KeGetCurrentIrql();

    oplog_enter(OPLOG_AdapterListControl, adapter, (uintptr_t)request->list_routine);
    request->list_routine(request->device, request->irp, request->list, request->routine_context);
    irql_check(level);
    oplog_exit(OPLOG_AdapterListControl, adapter, 0, 0, 0);
    irql_restore(level);

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

/* Report an adapter whose requests together hold more registers than one request may. */
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

/* Map the range of a list request and write its list (GSX-03). If the chain has changed while the request
 * waited, the list is empty. */
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

/* The request owns all that it asked for: map if it is a list request, and tell the driver. */
static void complete_grant(struct request *request)
{
    if (request->list != NULL) {
        make_list(request);
    }
    run_callback(request);
}

/* Give the request its channel if it is first in line and the channel is free, and let it queue for registers.
 */
static bool serve_channel_queue(struct request *request)
{
    struct channel *channel = request->adapter->channel;

    if (request->state != REQUEST_WAITS_CHANNEL || channel->waiting != request || !take_channel(request)) {
        return false;
    }
    queue_for_registers(request);
    return true;
}

static bool move_channels_on(void)
{
    struct request *first = queues_any_for_channel() ? request_first() : NULL;

    for (struct request *request = first; request != NULL; request = request->next_live) {
        if (serve_channel_queue(request)) {
            return true;
        }
    }
    return false;
}

/* Take registers for the next request that can have them. Requests are served in order of arrival; a request
 * that needs no map registers does not wait. */
static struct request *next_ready(void)
{
    struct request *first = queue_first_for_registers();

    for (struct request *request = first; request != NULL; request = request->next) {
        bool is_first = request == first;

        if ((is_first || request->register_count == 0) && take_registers(request)) {
            queues_leave(request);
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

/* ---- submission ---- */

static void mark_context_used(const struct request *request)
{
    if (request->context != NULL) {
        context_set((void *)(uintptr_t)request->context, CONTEXT_USED);
    }
}

/* Take everything that the request needs without overtaking another one; false, with the reason: it would have
 * to wait. */
static bool take_all(struct request *request)
{
    bool overtakes = request->register_count != 0 && queue_first_for_registers() != NULL;

    if (request->adapter->channel->waiting != NULL || !take_channel(request)) {
        (void)refuse(
            STATUS_INSUFFICIENT_RESOURCES,
            "the channel is another request's, or its callback runs: DMA_SYNCHRONOUS_CALLBACK does not "
            "wait for it",
            0, 0);
        return false;
    }
    if (overtakes || !take_registers(request)) {
        (void)refuse(STATUS_INSUFFICIENT_RESOURCES,
                     "{0} map registers in a row are wanted, {1} are free, or others wait for them: "
                     "DMA_SYNCHRONOUS_CALLBACK does not wait",
                     request->register_count, map_registers_free());
        return false;
    }
    return true;
}

/* Grant everything at once and without overtaking another request, or end the request (AAX-04, QUE-07). */
static NTSTATUS grant_now(struct request *request, PVOID *handle)
{
    if (!take_all(request)) {
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
    queue_for_channel(request);
    requests_grant();
    return STATUS_SUCCESS; /* AAX-05 */
}
