/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/violation.h"

static bool checked = true;

void violations_enable(bool enable)
{
    checked = enable;
}

bool violations_are_enabled(void)
{
    return checked;
}

void violation_report(enum violation code, uint64_t p2, uint64_t p3)
{
    if (checked) {
        oplog_violation(code, p2, p3);
    } else {
        oplog_reason("a mistake, which checked mode reports as violation {0:#x}", code, 0);
    }
}

void violation_report_in(enum oplog_id routine, uintptr_t caller, enum violation code, uint64_t p2, uint64_t p3)
{
    if (checked) {
        oplog_enter(routine, NULL, caller);
        oplog_violation(code, p2, p3);
        oplog_exit(routine, NULL, 0, 0, 0);
    }
}

NTSTATUS refuse(NTSTATUS status, const char *why, uint64_t a, uint64_t b)
{
    oplog_reason(why, a, b);
    return status;
}

void refuse_in(enum oplog_id routine, uintptr_t caller, NTSTATUS status, const char *why, uint64_t a,
               uint64_t b)
{
    oplog_enter(routine, NULL, caller);
    oplog_reason(why, a, b);
    oplog_exit(routine, NULL, (uint32_t)status, 0, 0);
}
