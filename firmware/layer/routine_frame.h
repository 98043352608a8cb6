/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around every routine of the interface. */
#ifndef LAYER_ROUTINE_FRAME_H
#define LAYER_ROUTINE_FRAME_H

#include <wdm_dma.h>

#include "hal/oplog.h"

struct routine_call {
    enum oplog_id id;
    const void *adapter;
    KIRQL level; /* the caller's */
};

/* Record that a routine was entered, raise to DISPATCH_LEVEL (BMT-05), and report a caller whose level is
 * below `lowest` or above `highest` (GEN-07). `adapter` is what the caller passed, unchecked, or NULL. */
struct routine_call routine_enter(enum oplog_id id, const void *adapter, KIRQL lowest, KIRQL highest);

/* Record the result, and return to the caller's level. Deferred calls may run inside. */
void routine_leave(struct routine_call call, NTSTATUS status, uint32_t bytes, uint32_t elements);

#endif
