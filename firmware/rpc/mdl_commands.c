/* SPDX-License-Identifier: Apache-2.0 */
/* MDLs. What is in one is read where it lies. */
#include "layer/mdl.h"
#include "rpc/routine.h"

static const char *run_IoAllocateMdl(struct rpc_call *call)
{
    PMDL previous = pointer(call, 2), mdl;

    if (previous && !mdl_is_sound(previous)) {
        return "ARGUMENT previous is the address of an MDL, or 0";
    }
    mdl = call->argument[1] > UINT32_MAX
              ? NULL
              : IoAllocateMdl(pointer(call, 0), (ULONG)call->argument[1], previous != NULL, FALSE, NULL);
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
    MmBuildMdlForNonPagedPool(pointer(call, 0));
    return NULL;
}
RPC_COMMAND(MmBuildMdlForNonPagedPool, "mdl", 1, 1, run_MmBuildMdlForNonPagedPool);

static const char *run_IoFreeMdl(struct rpc_call *call)
{
    IoFreeMdl(pointer(call, 0));
    return NULL;
}
RPC_COMMAND(IoFreeMdl, "mdl", 1, 1, run_IoFreeMdl);
