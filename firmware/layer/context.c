/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/context.h"

#include <wdm_dma.h>

#include "layer/mdl.h"

#define SEAL UINT64_C(0x643A5F3176334D44)

struct context {
    uint64_t seal; /* SEAL and the address: a copy elsewhere is not initialised */
    uint32_t state;
};

_Static_assert(sizeof(struct context) <= DMA_TRANSFER_CONTEXT_SIZE_V1, "ITC-02");

bool context_is_usable(const void *memory)
{
    return memory != NULL && memory_is_readable(memory, DMA_TRANSFER_CONTEXT_SIZE_V1);
}

static uint64_t seal_of(const struct context *context)
{
    return SEAL ^ (uintptr_t)context;
}

void context_initialize(void *memory)
{
    struct context *context = memory;

    *context = (struct context){.seal = seal_of(context), .state = CONTEXT_IDLE};
}

enum context_state context_state(const void *memory)
{
    const struct context *context = memory;
    bool known =
        context_is_usable(memory) && context->seal == seal_of(context) && context->state <= CONTEXT_USED;

    return known ? (enum context_state)context->state : CONTEXT_RAW;
}

void context_set(void *memory, enum context_state state)
{
    struct context *context = memory;

    context->state = state;
}
