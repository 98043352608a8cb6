/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers' mistakes (docs/interface.md, table 1): their codes, those below 0x40 the ones of Windows' DMA
 * verifier. In checked mode each is recorded; what the routine does is the same in both modes. In plain mode
 * the code is only a reason of the routine.
 */
#ifndef LAYER_VIOLATION_H
#define LAYER_VIOLATION_H

#include <wdm_dma.h>

#include <stdbool.h>

#include "hal/oplog.h"

enum violation {
    VIOLATION_FLUSH_TOO_LONG = 0x00,
    VIOLATION_BUFFER_FREED_TWICE = 0x03,
    VIOLATION_CHANNEL_FREED_TWICE = 0x04,
    VIOLATION_REGISTERS_FREED_TWICE = 0x05,
    VIOLATION_LIST_FREED_TWICE = 0x06,
    VIOLATION_RELEASED_WITH_BUFFERS = 0x07,
    VIOLATION_RELEASED_WITH_CHANNEL = 0x08,
    VIOLATION_RELEASED_WITH_REGISTERS = 0x09,
    VIOLATION_RELEASED_WITH_LIST = 0x0A,
    VIOLATION_TOO_MANY_REGISTERS = 0x0C,
    VIOLATION_NOT_FLUSHED = 0x0D,
    VIOLATION_NOT_LOCKED = 0x0E,
    VIOLATION_GUARD = 0x0F,
    VIOLATION_FREED_WHILE_MAPPED = 0x10,
    VIOLATION_IRQL = 0x13,
    VIOLATION_HOLDS_TOO_MANY = 0x15,
    VIOLATION_FLUSH_UNMAPPED = 0x16,
    VIOLATION_RELEASED_ADAPTER = 0x18,
    VIOLATION_NULL_ADAPTER = 0x19,
    VIOLATION_ADDRESS = 0x1B,
    VIOLATION_MAPPED_TWICE = 0x1D,
    VIOLATION_OUTSIDE_MDL = 0x1F,
    VIOLATION_ZERO_LENGTH = 0x21,
    VIOLATION_FLUSH_RUNNING = 0x23,
    VIOLATION_LENGTH = 0x24,
    VIOLATION_DESCRIPTION_VERSION = 0x25,
    VIOLATION_CONTEXT_BUSY = 0x40,
    VIOLATION_ALLOCATED_TWICE = 0x41,
    VIOLATION_CALLBACK_IRQL = 0x42,
    VIOLATION_CHAIN_CHANGED = 0x43,
    VIOLATION_BUFFER_MISMATCH = 0x44,
    VIOLATION_ACTION_NOT_KEEP = 0x45,
    VIOLATION_ACTION_UNKNOWN = 0x46,
    VIOLATION_COUNTER_OF_MASTER = 0x47,
    VIOLATION_DIRECTION = 0x48,
    VIOLATION_COMPLETION_OF_MASTER = 0x49,
    VIOLATION_DEVICE_OFFSET_OF_MASTER = 0x4A,
    VIOLATION_CONFIGURE_MASTER = 0x4B,
    VIOLATION_CANCEL_FOREIGN = 0x4C,
    VIOLATION_HANDLE = 0x4D,
    VIOLATION_LIST_OF_SUBORDINATE = 0x4E,
    VIOLATION_CANCEL_OF_MASTER = 0x4F,
    VIOLATION_CLEANED_UNDER_READ = 0x50,
    VIOLATION_SHARED_LINE = 0x51,
    VIOLATION_LOOP_CACHED = 0x52,
    VIOLATION_FLUSH_TOO_SHORT = 0x53,
    VIOLATION_OUT_OF_REACH = 0x55,
    VIOLATION_WRONG_REGISTER = 0x56,
    VIOLATION_WRONG_LINE = 0x57,

    /* Of the kernel around a driver, firmware/nt. */
    VIOLATION_KERNEL_ABOVE = 0x58,
    VIOLATION_KERNEL_BELOW = 0x59,
    VIOLATION_ASSERTION = 0x5A,
    VIOLATION_POOL_FREED_TWICE = 0x5B,
    VIOLATION_POOL_GUARD = 0x5C,
    VIOLATION_POOL_TAG = 0x5D,
    VIOLATION_POOL_REQUEST = 0x5E,
    VIOLATION_POOL_WRITTEN = 0x5F,
    VIOLATION_POOL_NO_BLOCK = 0x60,
    VIOLATION_LOCK_TAKEN = 0x61,
    VIOLATION_LOCK_FREE = 0x62,
    VIOLATION_ENDLESS_WAIT = 0x63,
    VIOLATION_RELEASED_TOO_OFTEN = 0x64,
    VIOLATION_QUEUED_TWICE = 0x65,
    VIOLATION_NOT_TO_BE_LOCKED = 0x66,
    VIOLATION_NOT_MAPPED = 0x67,
    VIOLATION_COMPLETED_TWICE = 0x68,
    VIOLATION_PENDING = 0x69,
    VIOLATION_COMPLETED_WRONG = 0x6A,
    VIOLATION_NO_STACK_LOCATION = 0x6B,
    VIOLATION_LIST = 0x6C,
    VIOLATION_NOT_INITIALIZED = 0x6D,
    VIOLATION_FREED_QUEUED = 0x6E,
};

/* p2 of VIOLATION_IRQL. */
enum { VIOLATION_IRQL_EXACT = 1, VIOLATION_IRQL_ABOVE = 2 };

/* p3 of VIOLATION_NOT_LOCKED. */
enum { VIOLATION_NOT_BUILT = 1, VIOLATION_NO_MDL, VIOLATION_NOT_TO_BE_FREED, VIOLATION_NO_MEMORY };

/* p2 of VIOLATION_OUTSIDE_MDL. */
enum {
    VIOLATION_MDL_AFTER = 2,
    VIOLATION_MDL_TOO_LONG = 3,
    VIOLATION_START_UNALIGNED = 4,
    VIOLATION_LENGTH_UNALIGNED = 5,
};

/* p2 of VIOLATION_FLUSH_TOO_LONG. */
enum { VIOLATION_FLUSH_PAST_END = 1, VIOLATION_NO_REGISTERS = 2 };

/* Checked mode; it is on from the start. */
void violations_enable(bool enable);
bool violations_are_enabled(void);

void violation_report(enum violation code, uint64_t p2, uint64_t p3);

/* Report one in a routine that has no frame of its own (routine_frame.h), which was called at `caller`. */
void violation_report_in(enum oplog_id routine, uintptr_t caller, enum violation code, uint64_t p2,
                         uint64_t p3);

/* Record in words why the routine that runs does not do what it was asked for, where no violation says so, in
 * both modes. `why` must be a literal; {0} and {1} in it stand for the numbers, {0:#x} for one in hexadecimal.
 */
NTSTATUS refuse(NTSTATUS status, const char *why, uint64_t a, uint64_t b);

/* The same in a routine that has no frame of its own, which was called at `caller`. */
void refuse_in(enum oplog_id routine, uintptr_t caller, NTSTATUS status, const char *why, uint64_t a,
               uint64_t b);

#endif
