/* SPDX-License-Identifier: Apache-2.0 */
/* The interface, routine by routine: adapters, channels, transfers, common buffers. */
#include "rpc/routine.h"

/* ---- adapters ---- */

static const char *run_IoGetDmaAdapter(struct rpc_call *call)
{
    return reply_address(call, IoGetDmaAdapter(pointer(call, 0), pointer(call, 1), pointer(call, 2)));
}
RPC_COMMAND(IoGetDmaAdapter, "PhysicalDeviceObject DeviceDescription NumberOfMapRegisters", 3, 3,
            run_IoGetDmaAdapter);

static const char *run_PutDmaAdapter(struct rpc_call *call)
{
    table()->PutDmaAdapter(pointer(call, 0));
    return NULL;
}
RPC_COMMAND(PutDmaAdapter, "DmaAdapter", 1, 1, run_PutDmaAdapter);

static const char *run_GetDmaAlignment(struct rpc_call *call)
{
    return reply_value(call, table()->GetDmaAlignment(pointer(call, 0)));
}
RPC_COMMAND(GetDmaAlignment, "DmaAdapter", 1, 1, run_GetDmaAlignment);

static const char *run_GetDmaAdapterInfo(struct rpc_call *call)
{
    return reply_status(call, table()->GetDmaAdapterInfo(pointer(call, 0), pointer(call, 1)));
}
RPC_COMMAND(GetDmaAdapterInfo, "DmaAdapter AdapterInfo", 2, 2, run_GetDmaAdapterInfo);

static const char *run_GetDmaTransferInfo(struct rpc_call *call)
{
    return reply_status(call, table()->GetDmaTransferInfo(pointer(call, 0), pointer(call, 1), call->argument[2],
                                                          ulong(call, 3), boolean(call, 4), pointer(call, 5)));
}
RPC_COMMAND(GetDmaTransferInfo, "DmaAdapter Mdl Offset Length WriteOnly TransferInfo", 6, 6,
            run_GetDmaTransferInfo);

/* ---- common buffers ---- */

static const char *run_AllocateCommonBuffer(struct rpc_call *call)
{
    return reply_address(call, table()->AllocateCommonBuffer(pointer(call, 0), ulong(call, 1), pointer(call, 2),
                                                             boolean(call, 3)));
}
RPC_COMMAND(AllocateCommonBuffer, "DmaAdapter Length LogicalAddress CacheEnabled", 4, 4,
            run_AllocateCommonBuffer);

static const char *run_AllocateCommonBufferEx(struct rpc_call *call)
{
    return reply_address(call,
                         table()->AllocateCommonBufferEx(pointer(call, 0), pointer(call, 1), ulong(call, 2),
                                                         pointer(call, 3), boolean(call, 4), ulong(call, 5)));
}
RPC_COMMAND(AllocateCommonBufferEx,
            "DmaAdapter MaximumAddress Length LogicalAddress CacheEnabled PreferredNode", 6, 6,
            run_AllocateCommonBufferEx);

static const char *run_FreeCommonBuffer(struct rpc_call *call)
{
    PHYSICAL_ADDRESS logical = {.QuadPart = (LONGLONG)call->argument[2]};

    table()->FreeCommonBuffer(pointer(call, 0), ulong(call, 1), logical, pointer(call, 3), boolean(call, 4));
    return NULL;
}
RPC_COMMAND(FreeCommonBuffer, "DmaAdapter Length LogicalAddress VirtualAddress CacheEnabled", 5, 5,
            run_FreeCommonBuffer);

/* ---- channel and map registers ---- */

static const char *run_InitializeDmaTransferContext(struct rpc_call *call)
{
    return reply_status(call, table()->InitializeDmaTransferContext(pointer(call, 0), pointer(call, 1)));
}
RPC_COMMAND(InitializeDmaTransferContext, "DmaAdapter DmaTransferContext", 2, 2,
            run_InitializeDmaTransferContext);

static const char *run_AllocateAdapterChannel(struct rpc_call *call)
{
    return reply_status(call,
                        table()->AllocateAdapterChannel(pointer(call, 0), pointer(call, 1), ulong(call, 2),
                                                        adapter_control(call, 3), pointer(call, 4)));
}
RPC_COMMAND(AllocateAdapterChannel, "DmaAdapter DeviceObject NumberOfMapRegisters ExecutionRoutine Context", 5,
            5, run_AllocateAdapterChannel);

static const char *run_AllocateAdapterChannelEx(struct rpc_call *call)
{
    return reply_status(call, table()->AllocateAdapterChannelEx(pointer(call, 0), pointer(call, 1),
                                                                pointer(call, 2), ulong(call, 3),
                                                                ulong(call, 4), adapter_control(call, 5),
                                                                pointer(call, 6), pointer(call, 7)));
}
RPC_COMMAND(AllocateAdapterChannelEx,
            "DmaAdapter DeviceObject DmaTransferContext NumberOfMapRegisters Flags ExecutionRoutine "
            "ExecutionContext MapRegisterBase",
            8, 8, run_AllocateAdapterChannelEx);

static const char *run_ConfigureAdapterChannel(struct rpc_call *call)
{
    return reply_status(call,
                        table()->ConfigureAdapterChannel(pointer(call, 0), ulong(call, 1), pointer(call, 2)));
}
RPC_COMMAND(ConfigureAdapterChannel, "DmaAdapter FunctionNumber Context", 3, 3, run_ConfigureAdapterChannel);

static const char *run_CancelAdapterChannel(struct rpc_call *call)
{
    return reply_value(call,
                       table()->CancelAdapterChannel(pointer(call, 0), pointer(call, 1), pointer(call, 2)));
}
RPC_COMMAND(CancelAdapterChannel, "DmaAdapter DeviceObject DmaTransferContext", 3, 3, run_CancelAdapterChannel);

static const char *run_FreeAdapterChannel(struct rpc_call *call)
{
    table()->FreeAdapterChannel(pointer(call, 0));
    return NULL;
}
RPC_COMMAND(FreeAdapterChannel, "DmaAdapter", 1, 1, run_FreeAdapterChannel);

static const char *run_FreeAdapterObject(struct rpc_call *call)
{
    table()->FreeAdapterObject(pointer(call, 0), (IO_ALLOCATION_ACTION)ulong(call, 1));
    return NULL;
}
RPC_COMMAND(FreeAdapterObject, "DmaAdapter AllocationAction", 2, 2, run_FreeAdapterObject);

static const char *run_FreeMapRegisters(struct rpc_call *call)
{
    table()->FreeMapRegisters(pointer(call, 0), pointer(call, 1), ulong(call, 2));
    return NULL;
}
RPC_COMMAND(FreeMapRegisters, "DmaAdapter MapRegisterBase NumberOfMapRegisters", 3, 3, run_FreeMapRegisters);

/* ---- transfers ---- */

static const char *run_MapTransfer(struct rpc_call *call)
{
    PHYSICAL_ADDRESS logical = table()->MapTransfer(pointer(call, 0), pointer(call, 1), pointer(call, 2),
                                                    pointer(call, 3), pointer(call, 4), boolean(call, 5));

    return reply_value(call, (uint64_t)logical.QuadPart);
}
RPC_COMMAND(MapTransfer, "DmaAdapter Mdl MapRegisterBase CurrentVa Length WriteToDevice", 6, 6,
            run_MapTransfer);

static const char *run_MapTransferEx(struct rpc_call *call)
{
    return reply_status(call, table()->MapTransferEx(pointer(call, 0), pointer(call, 1), pointer(call, 2),
                                                     call->argument[3], ulong(call, 4), pointer(call, 5),
                                                     boolean(call, 6), pointer(call, 7), ulong(call, 8),
                                                     completion(call, 9), pointer(call, 10)));
}
RPC_COMMAND(MapTransferEx,
            "DmaAdapter Mdl MapRegisterBase Offset DeviceOffset Length WriteToDevice ScatterGatherBuffer "
            "ScatterGatherBufferLength DmaCompletionRoutine CompletionContext",
            11, 11, run_MapTransferEx);

static const char *run_ReadDmaCounter(struct rpc_call *call)
{
    return reply_value(call, table()->ReadDmaCounter(pointer(call, 0)));
}
RPC_COMMAND(ReadDmaCounter, "DmaAdapter", 1, 1, run_ReadDmaCounter);

static const char *run_CancelMappedTransfer(struct rpc_call *call)
{
    return reply_status(call, table()->CancelMappedTransfer(pointer(call, 0), pointer(call, 1)));
}
RPC_COMMAND(CancelMappedTransfer, "DmaAdapter DmaTransferContext", 2, 2, run_CancelMappedTransfer);

static const char *run_FlushAdapterBuffers(struct rpc_call *call)
{
    return reply_value(call, table()->FlushAdapterBuffers(pointer(call, 0), pointer(call, 1), pointer(call, 2),
                                                          pointer(call, 3), ulong(call, 4), boolean(call, 5)));
}
RPC_COMMAND(FlushAdapterBuffers, "DmaAdapter Mdl MapRegisterBase CurrentVa Length WriteToDevice", 6, 6,
            run_FlushAdapterBuffers);

static const char *run_FlushAdapterBuffersEx(struct rpc_call *call)
{
    return reply_status(call,
                        table()->FlushAdapterBuffersEx(pointer(call, 0), pointer(call, 1), pointer(call, 2),
                                                       call->argument[3], ulong(call, 4), boolean(call, 5)));
}
RPC_COMMAND(FlushAdapterBuffersEx, "DmaAdapter Mdl MapRegisterBase Offset Length WriteToDevice", 6, 6,
            run_FlushAdapterBuffersEx);

static const char *run_KeFlushIoBuffers(struct rpc_call *call)
{
    KeFlushIoBuffers(pointer(call, 0), boolean(call, 1), boolean(call, 2));
    return NULL;
}
RPC_COMMAND(KeFlushIoBuffers, "Mdl ReadOperation DmaOperation", 3, 3, run_KeFlushIoBuffers);
