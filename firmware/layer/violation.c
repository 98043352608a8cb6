/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/violation.h"

#include "hal/oplog.h"

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
    }
}
