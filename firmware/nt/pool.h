/* SPDX-License-Identifier: Apache-2.0 */
/* Pool for the kernel's own routines, whose result a driver gives back by ExFreePool. */
#ifndef NT_POOL_H
#define NT_POOL_H

#include <wdm.h>

#include "hal/oplog.h"

/* A block of zeroes, of non-paged pool, as of a routine that was called at `caller`. NULL: there is no memory.
 */
void *pool_allocate(enum oplog_id routine, uintptr_t caller, size_t size, uint32_t tag);

#endif
