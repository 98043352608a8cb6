/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a test, which wait for their end outside of all drivers. */
#ifndef NT_IRP_H
#define NT_IRP_H

#include <wdm.h>

#include "hal/oplog.h"

/* The request has been completed by a call at `caller`, and is its maker's again. */
typedef void irp_ended(PIRP irp, uintptr_t caller);

/* A request like one of IoAllocateIrp(). As long as a driver has it, it is told as `pending_irp`, kept by who
 * marked it. NULL: no memory. */
PIRP irp_allocate_of_test(CCHAR stack_size, irp_ended *ended);

/* Mark the request pending, for a routine that was called at `caller`. */
void irp_mark_pending(enum oplog_id routine, uintptr_t caller, PIRP irp);

#endif
