/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routines that ask for a channel and give it back.
 */
#include "dma/layer.h"

/* ---- AllocateAdapterChannelEx ---- */

static bool are_combinable(ULONG flags, PDRIVER_CONTROL routine, PVOID *handle)
{
    if (flags == DMA_SYNCHRONOUS_CALLBACK) {
        return routine != NULL || handle != NULL;
    }
    return flags == 0 && routine != NULL && handle == NULL; /* AAX-01, AAX-13 */
}

NTSTATUS request_check_registers(const struct adapter *adapter, ULONG registers)
{
    if (registers > adapter->register_maximum) {
        violation_report(VIOLATION_TOO_MANY_REGISTERS, registers, adapter->register_maximum);
        return STATUS_INSUFFICIENT_RESOURCES; /* QUE-05 */
    }
    return STATUS_SUCCESS;
}

static NTSTATUS check_allocation(const struct adapter *adapter, const void *context, ULONG registers,
                                 bool combinable)
{
    if (adapter == NULL || !combinable) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = request_check_context(context);

    return status == STATUS_SUCCESS ? request_check_registers(adapter, registers) : status;
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
    layer_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(AllocateAdapterChannelEx, dma_allocate_adapter_channel_ex);

/* ---- giving it back ---- */

/* FAC-02: what FreeAdapterChannel and FreeAdapterObject(DeallocateObject) have in common. */
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
    struct layer_call call = layer_enter(TRACE_FreeAdapterChannel, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);
    struct request *held = find_held(adapter_find(DmaAdapter));

    if (held != NULL) {
        request_deallocate(held);
        requests_grant(); /* FAC-07 */
    }
    layer_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(FreeAdapterChannel, dma_free_adapter_channel);
