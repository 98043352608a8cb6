/* SPDX-License-Identifier: Apache-2.0 */
/* The interface, routine by routine: scatter-gather lists. */
#include "rpc/routine.h"

static const char *run_CalculateScatterGatherList(struct rpc_call *call)
{
    return reply_status(call, table()->CalculateScatterGatherList(pointer(call, 0), pointer(call, 1),
                                                                  pointer(call, 2), ulong(call, 3),
                                                                  pointer(call, 4), pointer(call, 5)));
}
RPC_COMMAND(CalculateScatterGatherList,
            "DmaAdapter Mdl CurrentVa Length ScatterGatherListSize NumberOfMapRegisters", 6, 6,
            run_CalculateScatterGatherList);

static const char *run_GetScatterGatherList(struct rpc_call *call)
{
    return reply_status(call, table()->GetScatterGatherList(
                                  pointer(call, 0), pointer(call, 1), pointer(call, 2), pointer(call, 3),
                                  ulong(call, 4), list_control(call, 5), pointer(call, 6), boolean(call, 7)));
}
RPC_COMMAND(GetScatterGatherList,
            "DmaAdapter DeviceObject Mdl CurrentVa Length ExecutionRoutine Context WriteToDevice", 8, 8,
            run_GetScatterGatherList);

static const char *run_BuildScatterGatherList(struct rpc_call *call)
{
    return reply_status(call, table()->BuildScatterGatherList(
                                  pointer(call, 0), pointer(call, 1), pointer(call, 2), pointer(call, 3),
                                  ulong(call, 4), list_control(call, 5), pointer(call, 6), boolean(call, 7),
                                  pointer(call, 8), ulong(call, 9)));
}
RPC_COMMAND(BuildScatterGatherList,
            "DmaAdapter DeviceObject Mdl CurrentVa Length ExecutionRoutine Context WriteToDevice "
            "ScatterGatherBuffer ScatterGatherLength",
            10, 10, run_BuildScatterGatherList);

static const char *run_GetScatterGatherListEx(struct rpc_call *call)
{
    return reply_status(call, table()->GetScatterGatherListEx(
                                  pointer(call, 0), pointer(call, 1), pointer(call, 2), pointer(call, 3),
                                  call->argument[4], ulong(call, 5), ulong(call, 6), list_control(call, 7),
                                  pointer(call, 8), boolean(call, 9), completion(call, 10), pointer(call, 11),
                                  pointer(call, 12)));
}
RPC_COMMAND(GetScatterGatherListEx,
            "DmaAdapter DeviceObject DmaTransferContext Mdl Offset Length Flags ExecutionRoutine Context "
            "WriteToDevice DmaCompletionRoutine CompletionContext ScatterGatherList",
            13, 13, run_GetScatterGatherListEx);

static const char *run_BuildScatterGatherListEx(struct rpc_call *call)
{
    return reply_status(call, table()->BuildScatterGatherListEx(
                                  pointer(call, 0), pointer(call, 1), pointer(call, 2), pointer(call, 3),
                                  call->argument[4], ulong(call, 5), ulong(call, 6), list_control(call, 7),
                                  pointer(call, 8), boolean(call, 9), pointer(call, 10), ulong(call, 11),
                                  completion(call, 12), pointer(call, 13), pointer(call, 14)));
}
RPC_COMMAND(BuildScatterGatherListEx,
            "DmaAdapter DeviceObject DmaTransferContext Mdl Offset Length Flags ExecutionRoutine Context "
            "WriteToDevice ScatterGatherBuffer ScatterGatherLength DmaCompletionRoutine CompletionContext "
            "ScatterGatherList",
            15, 15, run_BuildScatterGatherListEx);

static const char *run_PutScatterGatherList(struct rpc_call *call)
{
    table()->PutScatterGatherList(pointer(call, 0), pointer(call, 1), boolean(call, 2));
    return NULL;
}
RPC_COMMAND(PutScatterGatherList, "DmaAdapter ScatterGather WriteToDevice", 3, 3, run_PutScatterGatherList);

static const char *run_BuildMdlFromScatterGatherList(struct rpc_call *call)
{
    return reply_status(call, table()->BuildMdlFromScatterGatherList(pointer(call, 0), pointer(call, 1),
                                                                     pointer(call, 2), pointer(call, 3)));
}
RPC_COMMAND(BuildMdlFromScatterGatherList, "DmaAdapter ScatterGather OriginalMdl TargetMdl", 4, 4,
            run_BuildMdlFromScatterGatherList);
