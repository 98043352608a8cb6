/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers' mistakes (spec 0.5): their codes, those below 0x40 the ones of Windows' DMA verifier. In
 * checked mode each is recorded; what the routine does is the same in both modes.
 */
#ifndef DMA_VIOLATION_H
#define DMA_VIOLATION_H

#include <stdbool.h>
#include <stdint.h>

enum violation {
    VIOLATION_FLUSH_TOO_LONG = 0x00,
    VIOLATION_BUFFER_FREED_TWICE = 0x03,
    VIOLATION_CHANNEL_FREED_TWICE = 0x04,
    VIOLATION_RELEASED_WITH_BUFFERS = 0x07,
    VIOLATION_RELEASED_WITH_CHANNEL = 0x08,
    VIOLATION_RELEASED_WITH_REGISTERS = 0x09,
    VIOLATION_RELEASED_WITH_LIST = 0x0A,
    VIOLATION_TOO_MANY_REGISTERS = 0x0C,
    VIOLATION_NOT_FLUSHED = 0x0D,
    VIOLATION_NOT_LOCKED = 0x0E, /* also where there is no MDL */
    VIOLATION_GUARD = 0x0F,
    VIOLATION_FREED_WHILE_MAPPED = 0x10,
    VIOLATION_IRQL = 0x13,
    VIOLATION_FLUSH_UNMAPPED = 0x16,
    VIOLATION_RELEASED_ADAPTER = 0x18,
    VIOLATION_NULL_ADAPTER = 0x19,
    VIOLATION_OUTSIDE_MDL = 0x1F,
    VIOLATION_ZERO_LENGTH = 0x21,
    VIOLATION_FLUSH_RUNNING = 0x23,
    VIOLATION_LENGTH = 0x24,
    VIOLATION_DESCRIPTION_VERSION = 0x25,
    VIOLATION_CONTEXT_BUSY = 0x40,
    VIOLATION_CALLBACK_IRQL = 0x42,
    VIOLATION_CHAIN_CHANGED = 0x43,
    VIOLATION_BUFFER_MISMATCH = 0x44,
    VIOLATION_ACTION_NOT_KEEP = 0x45,
    VIOLATION_ACTION_UNKNOWN = 0x46,
    VIOLATION_DIRECTION = 0x48,
    VIOLATION_COMPLETION_OF_MASTER = 0x49,
    VIOLATION_DEVICE_OFFSET_OF_MASTER = 0x4A,
    VIOLATION_HANDLE = 0x4D,
    VIOLATION_SHARED_LINE = 0x51,
};

/* p2 of VIOLATION_IRQL. */
enum { VIOLATION_IRQL_EXACT = 1, VIOLATION_IRQL_ABOVE = 2 };

/* p2 of VIOLATION_OUTSIDE_MDL. */
enum { VIOLATION_MDL_AFTER = 2 };

/* Checked mode; it is on from the start. */
void violations_enable(bool enable);

void violation_report(enum violation code, uint64_t p2, uint64_t p3);

#endif
