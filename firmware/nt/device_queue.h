/* SPDX-License-Identifier: Apache-2.0 */
/* Device queues, as seen by the routines that are made of them. */
#ifndef NT_DEVICE_QUEUE_H
#define NT_DEVICE_QUEUE_H

#include <wdm.h>

#include <stdbool.h>

#include "hal/oplog.h"

/* What KeInsertDeviceQueue and KeRemoveDeviceQueue do, with a key what the others do, in a routine that was
 * called at `caller`. */
bool device_queue_insert(enum oplog_id routine, uintptr_t caller, PKDEVICE_QUEUE queue,
                         PKDEVICE_QUEUE_ENTRY entry, const ULONG *key);
PKDEVICE_QUEUE_ENTRY device_queue_remove(enum oplog_id routine, uintptr_t caller, PKDEVICE_QUEUE queue,
                                         const ULONG *key);

#endif
