/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of completion routines that are owed to drivers. */
#ifndef LAYER_COMPLETION_H
#define LAYER_COMPLETION_H

#include "layer/irql.h"

/* The calls that a mapping owes its driver: one at its end, and in a loop one for each notice before that. The
 * record outlives the mapping: adapter, device, routine and context are those of the mapping that ended
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

/* Reserve a record; NULL if none is left. The caller ends it with exactly one call of completion_deliver() or
 * completion_drop() (CMP-06). */
struct completion *completion_reserve(PDMA_ADAPTER adapter, PDEVICE_OBJECT device,
                                      PDMA_COMPLETION_ROUTINE routine, PVOID context);

/* Queue a call for a loop that goes on. A notice that waits already stands for both (CMP-16). Any level. */
void completion_notice(struct completion *completion);

/* Queue the last call, with the status of the end. Any level. */
void completion_deliver(struct completion *completion, DMA_COMPLETION_STATUS status);

/* End the record without a call (FBX-15, FAC-04). A notice that waits is still delivered. */
void completion_drop(struct completion *completion);

#endif
