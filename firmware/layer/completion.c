/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion routines on their way to the driver. A record is reserved when a mapping with a routine
 * is made and given back when the routine has run, or never will; so a report of the controller
 * always finds its record (BMT-07), however many mappings ended before the level dropped.
 */
#include "layer/completion.h"

#include "hal/irq_mask.h"
#include "hal/oplog.h"
#include <dma.h>

enum { COMPLETIONS_MAX = 4 * DMA_CONTROLLERS_MAX * DMA_CONTROLLER_CHANNELS_MAX };

static struct completion completions[COMPLETIONS_MAX];

void completions_initialize(void)
{
    for (size_t i = 0; i < COMPLETIONS_MAX; i++) {
        completions[i] = (struct completion){0};
    }
}

/* Call the routine and check the level that it leaves behind (CMP-03). */
static void call_driver(const struct completion *owed, DMA_COMPLETION_STATUS status)
{
    KIRQL level = KeGetCurrentIrql();

    oplog_enter(OPLOG_DmaCompletionRoutine, owed->adapter, (uintptr_t)owed->routine);
    owed->routine(owed->adapter, owed->device, owed->context, status);
    irql_check(level);
    oplog_exit(OPLOG_DmaCompletionRoutine, owed->adapter, status, 0, 0);
    irql_restore(level);
}

/* Take what waits out of the record: an interrupt may add to it from then on. The record is free before the
 * last call, since the routine may map again. */
static struct completion take(struct completion *completion)
{
    uint64_t state = irq_save();
    struct completion owed = *completion;

    completion->noticed = false;
    completion->in_use = !owed.ended;
    irq_restore(state);
    return owed;
}

static void deliver(struct dpc *dpc)
{
    struct completion owed = take((struct completion *)(void *)dpc);

    if (owed.noticed) {
        call_driver(&owed, DmaComplete); /* CMP-14 */
    }
    if (owed.ended && owed.calls_at_end) {
        call_driver(&owed, owed.status);
    }
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

void completion_notice(struct completion *completion)
{
    completion->noticed = true;
    irql_queue_dpc(&completion->dpc);
}

void completion_deliver(struct completion *completion, DMA_COMPLETION_STATUS status)
{
    completion->status = status;
    completion->calls_at_end = true;
    completion->ended = true;
    irql_queue_dpc(&completion->dpc);
}

void completion_drop(struct completion *completion)
{
    uint64_t state = irq_save();

    completion->ended = true;
    completion->in_use = completion->noticed;
    irq_restore(state);
}
