/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of completion routines that are owed to drivers. */
#ifndef DMA_COMPLETION_H
#define DMA_COMPLETION_H

#include "dma/irql.h"

/* The calls that a mapping owes its driver: one at its end, and of a loop one a notice before. It
 * outlives the mapping: adapter, device, routine and context are those of the mapping that ended
 * (CMP-08). */
struct completion {
    struct dpc dpc; /* first: the deferred call finds the record by it */
    bool in_use;
    bool noticed; /* a notice waits to be delivered */
    bool ended;   /* nothing is owed after what waits now */
    bool calls_at_end;
    PDMA_ADAPTER adapter;
    PDEVICE_OBJECT device;
    PDMA_COMPLETION_ROUTINE routine;
    PVOID context;
    DMA_COMPLETION_STATUS status;
};

void completions_initialize(void);

/* NULL if none is left. The caller ends it with exactly one of deliver and drop (CMP-06). */
struct completion *completion_reserve(PDMA_ADAPTER adapter, PDEVICE_OBJECT device,
                                      PDMA_COMPLETION_ROUTINE routine, PVOID context);

/* Queue a call of a loop that goes on; one that waits already stands for both (CMP-16). Any level. */
void completion_notice(struct completion *completion);

/* Queue the last call; any level. */
void completion_deliver(struct completion *completion, DMA_COMPLETION_STATUS status);

/* There will be no call at the end (FBX-15, FAC-04); a notice that waits is still delivered. */
void completion_drop(struct completion *completion);

#endif
