/* SPDX-License-Identifier: Apache-2.0 */
/* Waits of the kernel's own routines. */
#ifndef NT_WAIT_H
#define NT_WAIT_H

#include <wdm.h>

#include "hal/oplog.h"

/* Wait for an event in a routine that was called at `caller`, below DISPATCH_LEVEL. A wait that nothing has
 * ended after 10 s of model time is violation 0x63 of that routine, and over. */
void wait_for_event(enum oplog_id routine, uintptr_t caller, PKEVENT event);

#endif
