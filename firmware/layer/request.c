/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/request.h"

#include "hal/memory.h"
#include "layer/context.h"
#include "layer/limits.h"
#include "layer/map_registers.h"
#include "layer/mdl.h"
#include "layer/queue.h"
#include "layer/running.h"
#include "layer/violation.h"

enum { REQUESTS_MAX = 8192 };

static struct request requests[REQUESTS_MAX] MEMORY_TABLE;
static size_t requests_used; /* of them, the first were in use at some time */
static struct request *free_requests;
static struct request *live_requests; /* in order of arrival */
static struct request **live_end;     /* where the next one goes */
static uintptr_t last_handle;

void requests_initialize(void)
{
    requests_used = 0;
    free_requests = NULL;
    live_requests = NULL;
    live_end = &live_requests;
}

/* ---- the table ---- */

/* The device's current IRP (ADC-02, AAX-15); nothing else of the object is looked at (GEN-15). */
static PIRP current_irp(PDEVICE_OBJECT device)
{
    return device != NULL && memory_is_readable(device, sizeof *device) ? device->CurrentIrp : NULL;
}

static struct request *take_free(void)
{
    struct request *request = free_requests;

    if (request != NULL) {
        free_requests = request->next;
    } else if (requests_used < REQUESTS_MAX) {
        request = &requests[requests_used++];
    }
    return request;
}

struct request *request_take(struct adapter *adapter, PDEVICE_OBJECT device, const void *context)
{
    struct request *request = take_free();

    if (request == NULL) {
        (void)refuse(STATUS_INSUFFICIENT_RESOURCES, "{0} requests live, which is the most: end one before",
                     REQUESTS_MAX, 0);
        return NULL;
    }
    last_handle += 2; /* odd, so never NULL nor the address of anything aligned (MR-04) */
    *request = (struct request){
        .state = REQUEST_WAITS_CHANNEL,
        .adapter = adapter,
        .context = context,
        .device = device,
        .irp = current_irp(device),
        .handle = (PVOID)(last_handle | 1),
        .maker = routine_now(),
    };
    *live_end = request;
    live_end = &request->next_live;
    return request;
}

static void forget(struct request *request)
{
    struct request **link = &live_requests;

    while (*link != request) {
        link = &(*link)->next_live;
    }
    *link = request->next_live;
    if (live_end == &request->next_live) {
        live_end = link;
    }
    request->state = REQUEST_FREE;
    request->next = free_requests;
    free_requests = request;
}

struct request *request_first(void)
{
    return live_requests;
}

struct request *request_find_handle(const void *handle)
{
    struct request *request = live_requests;

    while (request != NULL && request->handle != handle) {
        request = request->next_live;
    }
    return request;
}

struct request *request_find_mappable(const struct adapter *adapter, const void *handle)
{
    struct request *request = request_find_handle(handle);
    bool mappable = request != NULL && request->adapter == adapter && request->state == REQUEST_GRANTED &&
                    request->list == NULL && (request->has_channel || adapter->master); /* STM-06 */

    return mappable ? request : NULL;
}

struct request *request_find_context(const void *context)
{
    struct request *request = context != NULL ? live_requests : NULL;

    while (request != NULL && request->context != context) {
        request = request->next_live;
    }
    return request;
}

struct request *request_find_list(const struct adapter *adapter, const void *list)
{
    struct request *request = list != NULL ? live_requests : NULL;

    while (request != NULL &&
           (request->list != list || request->adapter != adapter || request->state < REQUEST_GRANTED)) {
        request = request->next_live;
    }
    return request;
}

struct request *request_find_holder(const struct adapter *adapter)
{
    struct request *owner = adapter->channel->owner;

    return owner != NULL && owner->adapter == adapter && owner->state == REQUEST_GRANTED ? owner : NULL;
}

struct request *request_find_outstanding(PDEVICE_OBJECT device)
{
    struct request *request = live_requests;

    while (request != NULL && (request->context != NULL || request->list != NULL || request->device != device ||
                               request->called_back)) {
        request = request->next_live;
    }
    return request;
}

/* ---- checks before one is made ---- */

NTSTATUS request_check_context(const void *context)
{
    if (request_find_context(context) != NULL) {
        violation_report(VIOLATION_CONTEXT_BUSY, (uintptr_t)context, 0); /* STM-02 */
        return STATUS_INVALID_PARAMETER;
    }
    switch (context_state(context)) {
    case CONTEXT_IDLE:
        return STATUS_SUCCESS;
    case CONTEXT_PRECANCELLED:
        return refuse(STATUS_CANCELLED,
                      "DmaTransferContext {0:#x} was cancelled before it was used", /* AAX-11 */
                      (uintptr_t)context, 0);
    default:
        return refuse(STATUS_INVALID_PARAMETER, /* AAX-12, AAX-15 */
                      "DmaTransferContext {0:#x} was not initialised: InitializeDmaTransferContext",
                      (uintptr_t)context, 0);
    }
}

NTSTATUS request_check_registers(const struct adapter *adapter, ULONG registers)
{
    if (registers > adapter->register_maximum) {
        violation_report(VIOLATION_TOO_MANY_REGISTERS, registers, adapter->register_maximum);
        return STATUS_INSUFFICIENT_RESOURCES; /* QUE-05 */
    }
    return registers > limits_now()->map_registers
               ? refuse(STATUS_INSUFFICIENT_RESOURCES, "{0} map registers are asked for, and there are {1}",
                        registers, limits_now()->map_registers)
               : STATUS_SUCCESS;
}

/* ---- its mappings ---- */

void request_flush_nothing(struct request *request, uint32_t length)
{
    if (!request->empty_mapping || length != 0) {
        violation_report(VIOLATION_FLUSH_UNMAPPED, (uintptr_t)request->handle, length);
    }
    request->empty_mapping = false;
}

/* ---- the end ---- */

static void abandon_mappings(struct request *request)
{
    if (request->mappings != NULL && request->list == NULL) {
        violation_report(VIOLATION_FREED_WHILE_MAPPED, (uintptr_t)request->handle, 0); /* FAC-04, FMR-03 */
    }
    while (request->mappings != NULL) {
        mapping_abandon(request->mappings);
    }
}

void request_release_channel(struct request *request)
{
    if (!request->has_channel) {
        return;
    }
    if (!request->adapter->master) {
        abandon_mappings(request);
    }
    request->has_channel = false;
    request->adapter->channel->owner = NULL;
}

static void release_resources(struct request *request)
{
    queues_leave(request);
    abandon_mappings(request);
    request_release_channel(request);
    if (request->state == REQUEST_GRANTED) {
        map_registers_release(request->first_register, request->register_count); /* MR-15 */
    }
}

void request_end(struct request *request)
{
    release_resources(request);
    if (request->list_release != NULL) {
        request->list_release(request->list); /* PSL-01, CAC-10 */
    }
    forget(request);
}

void request_deallocate(struct request *request)
{
    if (request->list == NULL) {
        request_end(request);
        return;
    }
    if (request->mappings != NULL) {
        mapping_take_from_device(request->mappings, request->mappings->length);
    }
    release_resources(request);
    request->state = REQUEST_SPENT;
    request->context = NULL;
}

/* Report what a request still holds when its adapter is released (PDA-02, QUE-16). */
static void report_leftover(const struct request *request)
{
    if (request->list != NULL && request->state >= REQUEST_GRANTED) {
        violation_report(VIOLATION_RELEASED_WITH_LIST, (uintptr_t)request->list, 0);
        return;
    }
    if (request->state != REQUEST_GRANTED || request->has_channel) {
        violation_report(VIOLATION_RELEASED_WITH_CHANNEL, (uintptr_t)request->handle, 0);
    }
    if (request->state == REQUEST_GRANTED && request->register_count != 0) {
        violation_report(VIOLATION_RELEASED_WITH_REGISTERS, (uintptr_t)request->handle,
                         request->register_count);
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
