/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/nt.h"

#include "layer/irql.h"

void nt_mistake(enum oplog_id id, uintptr_t caller, enum violation code, uint64_t p2, uint64_t p3)
{
    violation_report_in(id, caller, code, p2, p3);
}

bool nt_level(enum oplog_id id, uintptr_t caller, KIRQL lowest, KIRQL highest)
{
    KIRQL level = KeGetCurrentIrql();

    if (level > highest) {
        nt_mistake(id, caller, VIOLATION_KERNEL_ABOVE, highest, level);
    } else if (level < lowest) {
        nt_mistake(id, caller, VIOLATION_KERNEL_BELOW, lowest, level);
    }
    return level >= lowest && level <= highest;
}

void nt_returned(enum oplog_id id, uintptr_t routine, KIRQL level)
{
    if (KeGetCurrentIrql() != level) {
        nt_mistake(id, routine, VIOLATION_CALLBACK_IRQL, KeGetCurrentIrql(), level);
        irql_restore(level);
    }
}
