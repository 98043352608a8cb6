/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For commands that are routines of the interface: a request has the parameters of the prototype, in
 * order, as numbers. Pointers are addresses, and every one goes to the layer as it is, since misuse is
 * the layer's to refuse. What a routine returns is the reply; what it writes is where it was told.
 */
#ifndef RPC_ROUTINE_H
#define RPC_ROUTINE_H

#include "rpc/callbacks.h"
#include "rpc/shell.h"
#include <dma.h>

static inline PDMA_OPERATIONS table(void)
{
    return dma_operations_table();
}

/* ---- parameter n, from 0 ---- */

static inline void *pointer(const struct rpc_call *call, unsigned int n)
{
    return (void *)(uintptr_t)call->argument[n];
}

static inline ULONG ulong(const struct rpc_call *call, unsigned int n)
{
    return (ULONG)call->argument[n];
}

static inline BOOLEAN boolean(const struct rpc_call *call, unsigned int n)
{
    return (BOOLEAN)call->argument[n];
}

/* A driver's routine is the harness's: any number but 0 names it. */
static inline PDRIVER_CONTROL adapter_control(const struct rpc_call *call, unsigned int n)
{
    return call->argument[n] ? callback_adapter_control : NULL;
}

static inline PDRIVER_LIST_CONTROL list_control(const struct rpc_call *call, unsigned int n)
{
    return call->argument[n] ? callback_list_control : NULL;
}

static inline PDMA_COMPLETION_ROUTINE completion(const struct rpc_call *call, unsigned int n)
{
    return call->argument[n] ? callback_completion : NULL;
}

/* ---- the whole reply: for `return` ---- */

static inline const char *reply_status(struct rpc_call *call, NTSTATUS status)
{
    frame_append_pair(call->reply, "status", (uint32_t)status);
    return NULL;
}

static inline const char *reply_value(struct rpc_call *call, uint64_t value)
{
    frame_append_pair(call->reply, "value", value);
    return NULL;
}

static inline const char *reply_address(struct rpc_call *call, const void *address)
{
    return reply_value(call, (uintptr_t)address);
}

#endif
