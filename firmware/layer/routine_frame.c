/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/routine_frame.h"

#include "layer/irql.h"
#include "layer/violation.h"

static struct routine_place now;

struct routine_place routine_now(void)
{
    return now;
}

struct routine_call routine_enter_from(struct routine_place place, const void *adapter, KIRQL lowest,
                                       KIRQL highest)
{
    oplog_enter(place.id, adapter, place.caller);

    struct routine_call call = {place.id, adapter, irql_raise_to_dispatch(), now};

    now = place;

    if (call.level < lowest || call.level > highest) { /* GEN-07 */
        bool exact = lowest == DISPATCH_LEVEL;

        violation_report(VIOLATION_IRQL, exact ? VIOLATION_IRQL_EXACT : VIOLATION_IRQL_ABOVE, call.level);
    }
    return call;
}

void routine_leave(struct routine_call call, NTSTATUS status, uint32_t bytes, uint32_t elements)
{
    now = call.outer;
    oplog_exit(call.id, call.adapter, (uint32_t)status, bytes, elements);
    irql_return_to(call.level);
}
