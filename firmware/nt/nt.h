/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel around a driver: what is common to the routines of firmware/nt.
 *
 * They have no frame in the operation log, because a routine that waits lets others run meanwhile; a mistake is
 * recorded with the routine's id and the place of its call. Each checks the level of its caller first, and then
 * goes on as far as it can without harm, whatever the level is.
 */
#ifndef NT_NT_H
#define NT_NT_H

#include <wdm.h>

#include <stdbool.h>

#include "layer/violation.h"

/* Is the present level from `lowest` to `highest`? If it is not, that is a violation. */
bool nt_level(enum oplog_id id, uintptr_t caller, KIRQL lowest, KIRQL highest);

/* The driver's `routine`, a callback `id` that was entered at `level`, has returned: if it left another level
 * behind, that is violation 0x42, and is undone. */
void nt_returned(enum oplog_id id, uintptr_t routine, KIRQL level);

/* For a routine itself, where its return address says where it was called. */
#define NT_CALLER                      ((uintptr_t)__builtin_return_address(0))
#define NT_AT_MOST(name, highest)      nt_level(OPLOG_##name, NT_CALLER, PASSIVE_LEVEL, highest)
#define NT_AT_LEAST(name, lowest)      nt_level(OPLOG_##name, NT_CALLER, lowest, HIGH_LEVEL)
#define NT_MISTAKE(name, code, p2, p3) violation_report_in(OPLOG_##name, NT_CALLER, code, p2, p3)

#endif
