/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of completion routines that are owed to drivers. */
#ifndef DMA_COMPLETION_H
#define DMA_COMPLETION_H

#include "dma/irql.h"

/* The call that a mapping owes its driver. It outlives the mapping: adapter, device, routine and
 * context are those of the mapping that ended (CMP-08). */
struct completion {
    struct dpc dpc; /* first: the deferred call finds the record by it */
    bool in_use;
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

/* Queue the call; any level. */
void completion_deliver(struct completion *completion, DMA_COMPLETION_STATUS status);

/* There will be no call (FBX-15, FAC-04). */
void completion_drop(struct completion *completion);

#endif
