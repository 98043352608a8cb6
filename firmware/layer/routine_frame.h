/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around every routine of the interface. */
#ifndef LAYER_ROUTINE_FRAME_H
#define LAYER_ROUTINE_FRAME_H

#include <wdm_dma.h>

#include "hal/oplog.h"
#include "layer/origin.h"

/* A routine that runs, and where it was called. */
struct routine_place {
    enum oplog_id id; /* 0: none does */
    uintptr_t caller;
    uint32_t command; /* origin.h */
};

struct routine_call {
    enum oplog_id id;
    const void *adapter;
    KIRQL level; /* the caller's */
    struct routine_place outer;
};

/* The innermost routine that runs. */
struct routine_place routine_now(void);

/* Record that a routine was entered, raise to DISPATCH_LEVEL (BMT-05), and report a caller whose level is
 * below `lowest` or above `highest` (GEN-07). `adapter` is what the caller passed, unchecked, or NULL. */
struct routine_call routine_enter_from(struct routine_place place, const void *adapter, KIRQL lowest,
                                       KIRQL highest);

/* Called by the routine itself: where it returns to is where the driver called it. A macro, because a debugger
 * would show an inline function as the place of a breakpoint on the routine. */
#define routine_enter(id, adapter, lowest, highest)                                                            \
    routine_enter_from((struct routine_place){id, (uintptr_t)__builtin_return_address(0), origin_now()},       \
                       adapter, lowest, highest)

/* Record what the routine that was entered just now was called with, as its prototype has it, but for
 * DmaAdapter. A pointer is to be given as an uintptr_t. */
#define routine_arguments(...)                                                                                 \
    oplog_arguments((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* Record the result, and return to the caller's level. Deferred calls may run inside. */
void routine_leave(struct routine_call call, NTSTATUS status, uint32_t bytes, uint32_t elements);

#endif
