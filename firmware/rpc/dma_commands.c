/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface, routine by routine, as commands; and the driver's callbacks as events. Every pointer
 * comes as a number and goes to the layer as it is: misuse is the layer's to refuse.
 */
#include "rpc/shell.h"

#include <wdm_dma.h>

#include "dma/dma.h"
#include "hal/string.h"

enum { DEVICES = 16 };

/* Device objects that carry the numbers by which the harness knows its devices. */
static DEVICE_OBJECT devices[DEVICES];

static void *pointer(uint64_t number)
{
    return (void *)(uintptr_t)number;
}

static void append_status(struct rpc_call *call, NTSTATUS status)
{
    frame_append_pair(call->reply, "status", (uint32_t)status);
}

/* The device object for a number; NULL for 0, or when there are too many. */
static PDEVICE_OBJECT device_object(uint64_t number)
{
    for (unsigned int i = 0; number && i < DEVICES; i++) {
        if (!devices[i].DeviceExtension) {
            devices[i].DeviceExtension = pointer(number);
        }
        if (devices[i].DeviceExtension == pointer(number)) {
            return &devices[i];
        }
    }
    return NULL;
}

static uint64_t device_number(const DEVICE_OBJECT *device)
{
    return device ? (uintptr_t)device->DeviceExtension : 0;
}

/* ---- callbacks: the context is the harness's cookie ---- */

static IO_ALLOCATION_ACTION adapter_control(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase,
                                            PVOID Context)
{
    struct frame_text event;

    rpc_event(&event, "AdapterControl");
    frame_append_pair(&event, "cookie", (uintptr_t)Context);
    frame_append_pair(&event, "device", device_number(DeviceObject));
    frame_append_pair(&event, "irp", (uintptr_t)Irp);
    frame_append_pair(&event, "base", (uintptr_t)MapRegisterBase);
    return (IO_ALLOCATION_ACTION)rpc_call_back(&event);
}

static VOID completion(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext,
                       DMA_COMPLETION_STATUS Status)
{
    struct frame_text event;

    rpc_event(&event, "DmaCompletionRoutine");
    frame_append_pair(&event, "cookie", (uintptr_t)CompletionContext);
    frame_append_pair(&event, "adapter", (uintptr_t)DmaAdapter);
    frame_append_pair(&event, "device", device_number(DeviceObject));
    frame_append_pair(&event, "status", Status);
    (void)rpc_call_back(&event);
}

/* ---- MDLs ---- */

static const char *run_IoAllocateMdl(struct rpc_call *call)
{
    PMDL previous = pointer(call->argument[2]), mdl;

    mdl = call->argument[1] > UINT32_MAX ? NULL
                                         : IoAllocateMdl(pointer(call->argument[0]), (ULONG)call->argument[1],
                                                         previous != NULL, FALSE, NULL);
    if (!mdl) {
        return "MEMORY no MDL of that length";
    }
    if (previous) {
        previous->Next = mdl;
    }
    frame_append_pair(call->reply, "mdl", (uintptr_t)mdl);
    return NULL;
}
RPC_COMMAND(IoAllocateMdl, "address bytes previous", 3, 3, run_IoAllocateMdl);

static const char *run_MmBuildMdlForNonPagedPool(struct rpc_call *call)
{
    MmBuildMdlForNonPagedPool(pointer(call->argument[0]));
    return NULL;
}
RPC_COMMAND(MmBuildMdlForNonPagedPool, "mdl", 1, 1, run_MmBuildMdlForNonPagedPool);

static const char *run_IoFreeMdl(struct rpc_call *call)
{
    IoFreeMdl(pointer(call->argument[0]));
    return NULL;
}
RPC_COMMAND(IoFreeMdl, "mdl", 1, 1, run_IoFreeMdl);

/* ---- routines ---- */

static const char *run_IoGetDmaAdapter(struct rpc_call *call)
{
    DEVICE_DESCRIPTION description;
    ULONG registers = 0;
    PDMA_ADAPTER adapter;

    memset(&description, 0, sizeof(description));
    description.Version = (ULONG)call->argument[0];
    description.Master = call->argument[1] != 0;
    description.ScatterGather = call->argument[2] != 0;
    description.AutoInitialize = call->argument[3] != 0;
    description.IgnoreCount = call->argument[4] != 0;
    description.DmaChannel = (ULONG)call->argument[5];
    description.InterfaceType = (INTERFACE_TYPE)(int32_t)call->argument[6];
    description.DmaWidth = (DMA_WIDTH)call->argument[7];
    description.MaximumLength = (ULONG)call->argument[8];
    description.DmaAddressWidth = (ULONG)call->argument[9];
    description.DmaRequestLine = (ULONG)call->argument[10];
    description.DeviceAddress.QuadPart = (LONGLONG)call->argument[11];
    adapter = IoGetDmaAdapter(NULL, &description, &registers);
    frame_append_pair(call->reply, "adapter", (uintptr_t)adapter);
    frame_append_pair(call->reply, "registers", registers);
    return NULL;
}
RPC_COMMAND(IoGetDmaAdapter,
            "Version Master ScatterGather AutoInitialize IgnoreCount DmaChannel InterfaceType DmaWidth "
            "MaximumLength DmaAddressWidth DmaRequestLine DeviceAddress",
            12, 12, run_IoGetDmaAdapter);

static const char *run_PutDmaAdapter(struct rpc_call *call)
{
    dma_operations_table()->PutDmaAdapter(pointer(call->argument[0]));
    return NULL;
}
RPC_COMMAND(PutDmaAdapter, "adapter", 1, 1, run_PutDmaAdapter);

static const char *run_GetDmaTransferInfo(struct rpc_call *call)
{
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};

    append_status(call, dma_operations_table()->GetDmaTransferInfo(
                            pointer(call->argument[0]), pointer(call->argument[1]), call->argument[2],
                            (ULONG)call->argument[3], call->argument[4] != 0, &info));
    frame_append_pair(call->reply, "registers", info.V1.MapRegisterCount);
    frame_append_pair(call->reply, "elements", info.V1.ScatterGatherElementCount);
    frame_append_pair(call->reply, "size", info.V1.ScatterGatherListSize);
    return NULL;
}
RPC_COMMAND(GetDmaTransferInfo, "adapter mdl Offset Length WriteOnly", 5, 5, run_GetDmaTransferInfo);

static const char *run_InitializeDmaTransferContext(struct rpc_call *call)
{
    append_status(call, dma_operations_table()->InitializeDmaTransferContext(pointer(call->argument[0]),
                                                                             pointer(call->argument[1])));
    return NULL;
}
RPC_COMMAND(InitializeDmaTransferContext, "adapter context", 2, 2, run_InitializeDmaTransferContext);

static const char *run_AllocateAdapterChannelEx(struct rpc_call *call)
{
    PVOID base = NULL;
    uint64_t cookie = call->argument[5];

    append_status(call,
                  dma_operations_table()->AllocateAdapterChannelEx(
                      pointer(call->argument[0]), device_object(call->argument[1]), pointer(call->argument[2]),
                      (ULONG)call->argument[3], (ULONG)call->argument[4], cookie ? adapter_control : NULL,
                      pointer(cookie), call->argument[6] ? &base : NULL));
    frame_append_pair(call->reply, "base", (uintptr_t)base);
    return NULL;
}
RPC_COMMAND(AllocateAdapterChannelEx, "adapter device context registers flags cookie base", 7, 7,
            run_AllocateAdapterChannelEx);

static const char *run_MapTransferEx(struct rpc_call *call)
{
    const uint64_t *argument = call->argument;
    ULONG length = (ULONG)argument[5];

    append_status(call, dma_operations_table()->MapTransferEx(
                            pointer(argument[0]), pointer(argument[1]), pointer(argument[2]), argument[3],
                            (ULONG)argument[4], &length, argument[6] != 0, pointer(argument[7]),
                            (ULONG)argument[8], argument[9] ? completion : NULL, pointer(argument[9])));
    frame_append_pair(call->reply, "length", length);
    return NULL;
}
RPC_COMMAND(MapTransferEx, "adapter mdl base Offset DeviceOffset Length WriteToDevice list list-bytes cookie",
            10, 10, run_MapTransferEx);

static const char *run_FlushAdapterBuffersEx(struct rpc_call *call)
{
    append_status(call, dma_operations_table()->FlushAdapterBuffersEx(
                            pointer(call->argument[0]), pointer(call->argument[1]), pointer(call->argument[2]),
                            call->argument[3], (ULONG)call->argument[4], call->argument[5] != 0));
    return NULL;
}
RPC_COMMAND(FlushAdapterBuffersEx, "adapter mdl base Offset Length WriteToDevice", 6, 6,
            run_FlushAdapterBuffersEx);

static const char *run_FreeAdapterChannel(struct rpc_call *call)
{
    dma_operations_table()->FreeAdapterChannel(pointer(call->argument[0]));
    return NULL;
}
RPC_COMMAND(FreeAdapterChannel, "adapter", 1, 1, run_FreeAdapterChannel);
