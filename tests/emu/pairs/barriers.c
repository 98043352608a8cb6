/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each barrier at each place where one is asked for: between stores or maintenance and the start of a device,
 * and between a device's write and the invalidate behind it (DDI 0487, K11.5). Which of them serve is in the
 * test.
 */
#include "pair.h"

enum { NOTHING, INSTRUCTIONS, RELEASE, DMB_OF = 16, DSB_OF = 32 }; /* the last two with the option added */
enum what { STORED, CLEANED, CLEANED_AWAY, INVALIDATED, EMPTIED, WRITTEN };

static volatile UCHAR Buffer[LINE] __attribute__((aligned(PAGE)));

#define OPTION(n)                                                                                              \
    case DMB_OF + (n):                                                                                         \
        __asm__ volatile("dmb #" #n::: "memory");                                                              \
        break;                                                                                                 \
    case DSB_OF + (n):                                                                                         \
        __asm__ volatile("dsb #" #n::: "memory");                                                              \
        break

static VOID Barrier(ULONGLONG which)
{
    switch (which) {
    case INSTRUCTIONS:
        __asm__ volatile("isb" ::: "memory");
        break;
        OPTION(1);
        OPTION(2);
        OPTION(3);
        OPTION(5);
        OPTION(6);
        OPTION(7);
        OPTION(9);
        OPTION(10);
        OPTION(11);
        OPTION(13);
        OPTION(14);
        OPTION(15);
    default:
        break;
    }
}

/* What must be ordered before the start of a device that reads, or writes, the bytes. */
static VOID Provoke(enum what what)
{
    switch (what) {
    case STORED:
        DATA[512] = 1; /* RACE STORED */
        break;
    case CLEANED:
        Buffer[5] = 1; /* RACE CLEANED */
        CLEAN(Buffer);
        break;
    case CLEANED_AWAY:
        Buffer[5] = 1; /* RACE CLEANED_AWAY */
        CLEAN_INVALIDATE(Buffer);
        break;
    case INVALIDATED:
        INVALIDATE(Buffer); /* RACE INVALIDATED */
        break;
    default:
        Buffer[5] = 1;
        CLEAN_INVALIDATE(Buffer); /* RACE EMPTIED */
    }
}

static NTSTATUS BeforeStart(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    enum device device = argument[0] ? EDU : CHANNEL;
    enum what what = (enum what)argument[1];
    BOOLEAN write = what == INVALIDATED || what == EMPTIED;

    (void)reply;
    if (device == EDU) {
        EduOpen();
    }
    CLEAN_INVALIDATE(Buffer);
    Prepare(device, write, what == STORED ? &DATA[512] : Buffer, LINE);
    Provoke(what);
    Barrier(argument[2]);
    Start(device, write, argument[2] == RELEASE);
    Await(device);
    DMB();
    INVALIDATE(Buffer);
    DMB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(before_start, "device what barrier", BeforeStart);

/* A device's write, of which a register tells; the barrier; the invalidate, and at once the load. */
static NTSTATUS BehindWrite(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    enum device device = argument[0] ? EDU : CHANNEL;

    if (device == EDU) {
        EduOpen();
    }
    CLEAN_INVALIDATE(Buffer);
    Prepare(device, TRUE, Buffer, LINE);
    Start(device, TRUE, FALSE);
    Await(device);
    Barrier(argument[2]);
    INVALIDATE(Buffer);
    dmav3_reply_value(reply, "byte", Buffer[5]); /* RACE WRITTEN */
    DMB();
    INVALIDATE(Buffer);
    DMB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(behind_write, "device what barrier", BehindWrite);
