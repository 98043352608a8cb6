/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion routines on their way to the driver. A record is reserved when a mapping with a routine
 * is made and given back when the routine has run, or never will; so a report of the controller
 * always finds its record (BMT-07), however many mappings ended before the level dropped.
 */
#include "dma/completion.h"

#include "dma/dma.h"
#include "hal/trace.h"

enum { COMPLETIONS_MAX = 4 * DMA_CONTROLLERS_MAX * DMA_CONTROLLER_CHANNELS_MAX };

static struct completion completions[COMPLETIONS_MAX];

void completions_initialize(void)
{
    for (size_t i = 0; i < COMPLETIONS_MAX; i++) {
        completions[i] = (struct completion){0};
    }
}

/* CMP-03. The record is free before the call: the routine may map again. */
static void deliver(struct dpc *dpc)
{
    struct completion owed = *(struct completion *)(void *)dpc;
    KIRQL level = KeGetCurrentIrql();

    ((struct completion *)(void *)dpc)->in_use = false;
    trace_enter(TRACE_DmaCompletionRoutine, owed.adapter);
    owed.routine(owed.adapter, owed.device, owed.context, owed.status);
    trace_exit(TRACE_DmaCompletionRoutine, owed.adapter, owed.status, 0, 0);
    irql_end_callback(level);
}

struct completion *completion_reserve(PDMA_ADAPTER adapter, PDEVICE_OBJECT device,
                                      PDMA_COMPLETION_ROUTINE routine, PVOID context)
{
    for (size_t i = 0; i < COMPLETIONS_MAX; i++) {
        if (!completions[i].in_use) {
            completions[i] = (struct completion){.dpc = {.run = deliver},
                                                 .in_use = true,
                                                 .adapter = adapter,
                                                 .device = device,
                                                 .routine = routine,
                                                 .context = context};
            return &completions[i];
        }
    }
    return NULL;
}

void completion_deliver(struct completion *completion, DMA_COMPLETION_STATUS status)
{
    completion->status = status;
    irql_queue_dpc(&completion->dpc);
}

void completion_drop(struct completion *completion)
{
    completion->in_use = false;
}
