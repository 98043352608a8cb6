/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/context.h"

#include "dma/mdl.h"

#define SEAL UINT64_C(0x643A5F3176334D44)

enum context_state { CONTEXT_IDLE = 1, CONTEXT_USED };

struct context {
    uint64_t seal; /* SEAL and the address: a copy elsewhere is not initialised */
    uint32_t state;
};

_Static_assert(sizeof(struct context) <= DMA_TRANSFER_CONTEXT_SIZE_V1, "ITC-02");

static uint64_t seal_of(const struct context *context)
{
    return SEAL ^ (uintptr_t)context;
}

bool context_is_usable(const void *context)
{
    return context != NULL && memory_is_readable(context, DMA_TRANSFER_CONTEXT_SIZE_V1);
}

void context_make_idle(void *memory)
{
    struct context *context = memory;

    *context = (struct context){.seal = seal_of(context), .state = CONTEXT_IDLE};
}

bool context_is_idle(const void *memory)
{
    const struct context *context = memory;

    return context_is_usable(memory) && context->seal == seal_of(context) && context->state == CONTEXT_IDLE;
}

void context_mark_used(void *memory)
{
    struct context *context = memory;

    context->state = CONTEXT_USED;
}
