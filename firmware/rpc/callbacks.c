/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/callbacks.h"

#include "rpc/shell.h"

IO_ALLOCATION_ACTION callback_adapter_control(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase,
                                              PVOID Context)
{
    struct frame_text event;

    rpc_event(&event, "AdapterControl");
    frame_append_pair(&event, "cookie", (uintptr_t)Context);
    frame_append_pair(&event, "device", (uintptr_t)DeviceObject);
    frame_append_pair(&event, "irp", (uintptr_t)Irp);
    frame_append_pair(&event, "base", (uintptr_t)MapRegisterBase);
    return (IO_ALLOCATION_ACTION)rpc_call_back(&event);
}

VOID callback_list_control(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather,
                           PVOID Context)
{
    struct frame_text event;

    rpc_event(&event, "AdapterListControl");
    frame_append_pair(&event, "cookie", (uintptr_t)Context);
    frame_append_pair(&event, "device", (uintptr_t)DeviceObject);
    frame_append_pair(&event, "irp", (uintptr_t)Irp);
    frame_append_pair(&event, "list", (uintptr_t)ScatterGather);
    (void)rpc_call_back(&event);
}

VOID callback_completion(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext,
                         DMA_COMPLETION_STATUS Status)
{
    struct frame_text event;

    rpc_event(&event, "DmaCompletionRoutine");
    frame_append_pair(&event, "cookie", (uintptr_t)CompletionContext);
    frame_append_pair(&event, "adapter", (uintptr_t)DmaAdapter);
    frame_append_pair(&event, "device", (uintptr_t)DeviceObject);
    frame_append_pair(&event, "status", Status);
    (void)rpc_call_back(&event);
}
