/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that a test sends to the top of its device's stack, as the I/O manager and the Plug and Play manager
 * do: with the caller's memory buffered, locked, or as it is, by the device's flags or the control code.
 */
#ifndef NT_SENT_H
#define NT_SENT_H

#include <wdm.h>

#include <stdbool.h>

/* `code`: of IRP_MJ_DEVICE_CONTROL the control code; of reads and writes the byte offset; of IRP_MJ_POWER the
 * state, and 0x100 if it is one of the device. Input and output are memory of the caller, size 0: none. */
struct sending {
    UCHAR major, minor;
    ULONGLONG code;
    PVOID input;
    ULONG input_size;
    PVOID output;
    ULONG output_size;
};

struct sent {
    LIST_ENTRY entry;
    ULONG number;
    struct sending what;
    PIRP irp;
    PVOID system_buffer;
    bool has_ended;
    IO_STATUS_BLOCK result; /* once it has */
    ULONGLONG since, until; /* model time, in nanoseconds */
};

/* Send one at PASSIVE_LEVEL, and keep it until sent_forget(); `returned` receives what the dispatch routine
 * returned. NULL: no memory. */
struct sent *sent_send(const struct sending *what, NTSTATUS *returned);

/* NULL: there is no such. */
struct sent *sent_find(ULONG number);

/* Ask for an end before its time; false: it has ended, or has no cancel routine. */
bool sent_cancel(struct sent *sent);

/* False: it has not ended, and a driver has it. */
bool sent_forget(struct sent *sent);

#endif
