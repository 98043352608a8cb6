/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/context.h"

#include "dma/layer.h"
#include "dma/mdl.h"

#define SEAL UINT64_C(0x643A5F3176334D44)

struct context {
    uint64_t seal; /* SEAL and the address: a copy elsewhere is not initialised */
    uint32_t state;
};

_Static_assert(sizeof(struct context) <= DMA_TRANSFER_CONTEXT_SIZE_V1, "ITC-02");

/* Aligned, and mapped: may be written (ITC-03, ITC-04). */
static bool is_usable(const void *context)
{
    return context != NULL && memory_is_readable(context, DMA_TRANSFER_CONTEXT_SIZE_V1);
}

static uint64_t seal_of(const struct context *context)
{
    return SEAL ^ (uintptr_t)context;
}

enum context_state context_state(const void *memory)
{
    const struct context *context = memory;
    bool known = is_usable(memory) && context->seal == seal_of(context) && context->state <= CONTEXT_USED;

    return known ? (enum context_state)context->state : CONTEXT_RAW;
}

void context_set(void *memory, enum context_state state)
{
    struct context *context = memory;

    context->state = state;
}

static NTSTATUS initialize(void *memory)
{
    struct context *context = memory;

    if (!is_usable(memory)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (request_find_context(memory) != NULL) {
        violation_report(VIOLATION_CONTEXT_BUSY, (uintptr_t)memory, 0); /* ITC-08 */
        return STATUS_INVALID_PARAMETER;
    }
    *context = (struct context){.seal = seal_of(context), .state = CONTEXT_IDLE};
    return STATUS_SUCCESS;
}

NTSTATUS dma_initialize_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    struct layer_call call =
        layer_enter(TRACE_InitializeDmaTransferContext, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    NTSTATUS status =
        adapter_find(DmaAdapter) != NULL ? initialize(DmaTransferContext) : STATUS_INVALID_PARAMETER;

    layer_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(InitializeDmaTransferContext, dma_initialize_transfer_context);
