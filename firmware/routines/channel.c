/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routines that ask for a channel, configure it and give it back.
 */
#include "layer/adapter.h"
#include "layer/controller.h"
#include "layer/grant.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"
#include "routines/routines.h"

/* ---- AllocateAdapterChannelEx ---- */

static bool are_combinable(ULONG flags, PDRIVER_CONTROL routine, PVOID *handle)
{
    if (flags == DMA_SYNCHRONOUS_CALLBACK) {
        return routine != NULL || handle != NULL;
    }
    return flags == 0 && routine != NULL && handle == NULL; /* AAX-01, AAX-13 */
}

static NTSTATUS check_allocation(const struct adapter *adapter, const void *context, ULONG registers,
                                 bool combinable)
{
    if (adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!combinable) {
        return refuse(STATUS_INVALID_PARAMETER,
                      "Flags, ExecutionRoutine and MapRegisterBase do not fit: 0 takes a routine and no "
                      "MapRegisterBase, DMA_SYNCHRONOUS_CALLBACK one of them or both",
                      0, 0);
    }
    NTSTATUS status = request_check_context(context);

    return status == STATUS_SUCCESS ? request_check_registers(adapter, registers) : status;
}

NTSTATUS dma_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters, ULONG Flags,
                                         PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase)
{
    struct routine_call call =
        routine_enter(OPLOG_AllocateAdapterChannelEx, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)DeviceObject, (uintptr_t)DmaTransferContext, NumberOfMapRegisters, Flags,
                      (uintptr_t)ExecutionRoutine, (uintptr_t)ExecutionContext, (uintptr_t)MapRegisterBase);
    struct adapter *adapter = adapter_find(DmaAdapter);
    NTSTATUS status = check_allocation(adapter, DmaTransferContext, NumberOfMapRegisters,
                                       are_combinable(Flags, ExecutionRoutine, MapRegisterBase));
    struct request *request =
        NT_SUCCESS(status) ? request_take(adapter, DeviceObject, DmaTransferContext) : NULL;

    if (request != NULL) {
        request->routine = ExecutionRoutine;
        request->routine_context = ExecutionContext;
        request->register_count = NumberOfMapRegisters;
        status = request_submit(request, Flags == DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase);
    } else if (NT_SUCCESS(status)) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    routine_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(AllocateAdapterChannelEx, dma_allocate_adapter_channel_ex);

/* ---- AllocateAdapterChannel ---- */

/* Refuse a second request of version 1 for the same device, and one from inside AdapterControl (QUE-08,
 * AAC-06). */
static NTSTATUS check_first_of_device(PDEVICE_OBJECT device)
{
    if (grants_in_adapter_control() || request_find_outstanding(device) != NULL) {
        violation_report(VIOLATION_ALLOCATED_TWICE, (uintptr_t)device, grants_in_adapter_control());
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS allocate(struct adapter *adapter, PDEVICE_OBJECT device, ULONG registers,
                         PDRIVER_CONTROL routine, PVOID context)
{
    if (adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (routine == NULL) {
        return refuse(STATUS_INVALID_PARAMETER, "ExecutionRoutine is NULL", 0, 0); /* AAC-10 */
    }
    NTSTATUS status = check_first_of_device(device);

    if (NT_SUCCESS(status)) {
        status = request_check_registers(adapter, registers); /* AAC-02 */
    }
    struct request *request = NT_SUCCESS(status) ? request_take(adapter, device, NULL) : NULL;

    if (request == NULL) {
        return NT_SUCCESS(status) ? STATUS_INSUFFICIENT_RESOURCES : status;
    }
    request->routine = routine;
    request->routine_context = context;
    request->register_count = registers;
    return request_submit(request, false, NULL);
}

NTSTATUS dma_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                      ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine,
                                      PVOID Context)
{
    struct routine_call call =
        routine_enter(OPLOG_AllocateAdapterChannel, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)DeviceObject, NumberOfMapRegisters, (uintptr_t)ExecutionRoutine,
                      (uintptr_t)Context);
    NTSTATUS status =
        allocate(adapter_find(DmaAdapter), DeviceObject, NumberOfMapRegisters, ExecutionRoutine, Context);

    routine_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(AllocateAdapterChannel, dma_allocate_adapter_channel);

/* ---- giving it back ---- */

/* Find the request that FreeAdapterChannel or FreeAdapterObject gives back (FAC-02); NULL, and a violation, if
 * there is none. */
static struct request *find_held(const struct adapter *adapter)
{
    struct request *held = adapter != NULL ? request_find_holder(adapter) : NULL;

    if (adapter != NULL && held == NULL) {
        violation_report(VIOLATION_CHANNEL_FREED_TWICE, 0, 0); /* FAC-05, FAO-05 */
    }
    return held;
}

VOID dma_free_adapter_channel(PDMA_ADAPTER DmaAdapter)
{
    struct routine_call call =
        routine_enter(OPLOG_FreeAdapterChannel, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);
    struct request *held = find_held(adapter_find(DmaAdapter));

    if (held != NULL) {
        request_deallocate(held);
        requests_grant(); /* FAC-07 */
    }
    routine_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(FreeAdapterChannel, dma_free_adapter_channel);

static void obey_action(const struct adapter *adapter, IO_ALLOCATION_ACTION action)
{
    if (action != DeallocateObject && action != DeallocateObjectKeepRegisters) {
        if (action != KeepObject) {                                          /* FAO-03 */
            violation_report(VIOLATION_ACTION_UNKNOWN, (uint32_t)action, 0); /* FAO-06 */
        }
        return;
    }
    struct request *held = find_held(adapter);

    if (held == NULL) {
        return;
    }
    if (action == DeallocateObject) {
        request_deallocate(held); /* FAO-01 */
    } else {
        request_release_channel(held); /* FAO-02 */
    }
    requests_grant(); /* FAO-08 */
}

VOID dma_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction)
{
    struct routine_call call =
        routine_enter(OPLOG_FreeAdapterObject, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments(AllocationAction);
    const struct adapter *adapter = adapter_find(DmaAdapter);

    if (adapter != NULL) {
        obey_action(adapter, AllocationAction);
    }
    routine_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(FreeAdapterObject, dma_free_adapter_object);

/* Find a request that has nothing left except its registers; NULL, and a violation, if there is none (FMR-04,
 * FMR-05). */
static struct request *find_kept(const struct adapter *adapter, const void *handle)
{
    struct request *request = request_find_handle(handle);

    if (request == NULL || request->adapter != adapter || request->state != REQUEST_GRANTED ||
        request->has_channel || request->list != NULL) {
        violation_report(VIOLATION_REGISTERS_FREED_TWICE, (uintptr_t)handle, 0);
        return NULL;
    }
    return request;
}

VOID dma_free_map_registers(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters)
{
    struct routine_call call =
        routine_enter(OPLOG_FreeMapRegisters, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)MapRegisterBase, NumberOfMapRegisters);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    struct request *kept = adapter != NULL ? find_kept(adapter, MapRegisterBase) : NULL;

    if (kept != NULL) {
        if (kept->register_count != NumberOfMapRegisters) { /* FMR-02 */
            violation_report(VIOLATION_REGISTERS_FREED_TWICE, NumberOfMapRegisters, kept->register_count);
        }
        request_end(kept);
        requests_grant(); /* FMR-06 */
    }
    routine_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(FreeMapRegisters, dma_free_map_registers);

/* ---- ConfigureAdapterChannel ---- */

/* Pass a function on to the back end; if it refuses, say what that means. */
static NTSTATUS configure_hardware(struct channel *channel, ULONG function, PVOID data)
{
    NTSTATUS status = channel_configure(channel, function, data); /* CFG-01, CFG-02 */

    if (NT_SUCCESS(status)) {
        return status;
    }
    if (status == STATUS_NOT_IMPLEMENTED) {
        return refuse(status, "the controller has no function {0}", function, 0);
    }
    if (status == STATUS_INVALID_DEVICE_STATE) {
        return refuse(status, "the channel runs: configure it before a transfer is mapped", 0, 0);
    }
    return refuse(status, "the controller refuses the value of function {0}, which Context ({1:#x}) points at",
                  function, (uintptr_t)data);
}

static NTSTATUS configure(const struct adapter *adapter, ULONG function, PVOID data)
{
    if (adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (adapter->master) {
        violation_report(VIOLATION_CONFIGURE_MASTER, function, 0);
        return STATUS_NOT_IMPLEMENTED; /* CFG-03 */
    }
    if (request_find_holder(adapter) == NULL) {
        return refuse(STATUS_INVALID_DEVICE_STATE, "the adapter does not have its channel: allocate it", 0,
                      0); /* CFG-06 */
    }
    if (function == DMA_CONFIGURE_NEW_OWNER) {
        return refuse(STATUS_NOT_IMPLEMENTED, "function {0} is for the layer itself", function, 0);
    }
    return configure_hardware(adapter->channel, function, data);
}

NTSTATUS dma_configure_adapter_channel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context)
{
    struct routine_call call =
        routine_enter(OPLOG_ConfigureAdapterChannel, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments(FunctionNumber, (uintptr_t)Context);
    NTSTATUS status = configure(adapter_find(DmaAdapter), FunctionNumber, Context);

    routine_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(ConfigureAdapterChannel, dma_configure_adapter_channel);
