/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the objects that can be waited for. */
#ifndef NT_DISPATCHER_H
#define NT_DISPATCHER_H

#include <wdm.h>

#include <stdbool.h>

/* Of DISPATCHER_HEADER.Type. */
enum dispatcher {
    DISPATCHER_NOTIFICATION_EVENT,
    DISPATCHER_SYNCHRONIZATION_EVENT,
    DISPATCHER_MUTANT,
    DISPATCHER_SEMAPHORE = 5,
    DISPATCHER_THREAD,
    DISPATCHER_NOTIFICATION_TIMER = 8,
    DISPATCHER_SYNCHRONIZATION_TIMER,
};

void dispatcher_initialize(DISPATCHER_HEADER *header, enum dispatcher type, size_t size, LONG state);
bool dispatcher_is_initialized(const DISPATCHER_HEADER *header);

/* Would a wait of `thread` for it be over? Then take what ends it. */
bool dispatcher_is_signalled(const DISPATCHER_HEADER *header, PKTHREAD thread);
void dispatcher_take(DISPATCHER_HEADER *header, PKTHREAD thread);

#endif
