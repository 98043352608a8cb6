/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts of drivers, for each way to ask for them. */
#ifndef NT_INTERRUPT_H
#define NT_INTERRUPT_H

#include <wdm.h>

#include "hal/oplog.h"

struct interrupt_wish {
    PKINTERRUPT *object; /* receives the connection */
    PKSERVICE_ROUTINE routine;
    PVOID context;
    ULONG line;
    KINTERRUPT_MODE mode;
};

/* What IoConnectInterrupt does, in a routine that was called at `caller`, whose level it has checked. */
NTSTATUS interrupt_connect(enum oplog_id routine, uintptr_t caller, const struct interrupt_wish *wish);
void interrupt_disconnect(enum oplog_id routine, uintptr_t caller, PKINTERRUPT interrupt);

#endif
