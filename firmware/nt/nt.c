/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/nt.h"

#include "layer/irql.h"

bool nt_level(enum oplog_id id, uintptr_t caller, KIRQL lowest, KIRQL highest)
{
    KIRQL level = KeGetCurrentIrql();

    if (level > highest) {
        violation_report_in(id, caller, VIOLATION_KERNEL_ABOVE, highest, level);
    } else if (level < lowest) {
        violation_report_in(id, caller, VIOLATION_KERNEL_BELOW, lowest, level);
    }
    return level >= lowest && level <= highest;
}

void nt_returned(enum oplog_id id, uintptr_t routine, KIRQL level)
{
    if (KeGetCurrentIrql() != level) {
        violation_report_in(id, routine, VIOLATION_CALLBACK_IRQL, KeGetCurrentIrql(), level);
        irql_restore(level);
    }
}
