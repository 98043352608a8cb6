/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that polls memory which a device writes: two lines of data, then one whose last byte is the flag.
 */
#include <dmav3.h>
#include <dmav3_board.h>

#define PL330(offset)    (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))
#define UNCACHED         ((volatile UCHAR *)0x40601000) /* in the staging window */
#define DMB()            __asm__ volatile("dmb sy" ::: "memory")
#define INVALIDATE(line) __asm__ volatile("dc ivac, %0" : : "r"(line) : "memory")

enum { LINE = 64, LINES = 3, BURST = 32, FLAG = LINES * LINE - 1, POLLS = 20000 };

static volatile UCHAR Buffer[LINES * LINE] __attribute__((aligned(LINE)));

static ULONG Move(volatile UCHAR *at, ULONG n, UCHAR which, ULONG value)
{
    at[n] = 0xbc;
    at[n + 1] = which;
    for (ULONG i = 0; i < 4; i++) {
        at[n + 2 + i] = (UCHAR)(value >> 8 * i);
    }
    return n + 6;
}

/* Channel 7 copies what is in uncached memory to Buffer, burst by burst. */
static VOID Start(UCHAR value)
{
    static const UCHAR rest[] = {0x20, LINES * LINE / BURST - 1, 0x04, 0x08, 0x38, 2, 0x13, 0};
    volatile UCHAR *program = UNCACHED, *data = UNCACHED + 1024;
    ULONG n = Move(program, 0, 0, (ULONG)(ULONG_PTR)data);

    n = Move(program, n, 2, (ULONG)(ULONG_PTR)Buffer);
    n = Move(program, n, 1, 0x000dc037);
    for (ULONG i = 0; i < sizeof(rest); i++) {
        program[n + i] = rest[i];
    }
    for (ULONG i = 0; i < LINES * LINE; i++) {
        data[i] = value;
    }
    DMB();
    PL330(0xd08) = 0x07a00000;
    PL330(0xd0c) = (ULONG)(ULONG_PTR)program;
    PL330(0xd04) = 0;
}

/* Poll for the flag, with an invalidate in the loop or without; then, if it has come, sum up the data. */
static NTSTATUS Poll(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    UCHAR value = (UCHAR)argument[1];
    ULONG polls = 0, sum = 0;

    for (ULONG i = 0; i < sizeof(Buffer); i += LINE) {
        INVALIDATE(&Buffer[i]);
    }
    DMB();
    (void)Buffer[FLAG]; /* the line is in the cache now */
    Start(value);
    do {
        if (argument[0]) {
            INVALIDATE(&Buffer[FLAG]);
            DMB();
        }
    } while (Buffer[FLAG] != value /* RACE poll */ && ++polls < POLLS);
    DMB();
    for (ULONG i = 0; polls < POLLS && i < 2 * LINE; i += LINE) {
        INVALIDATE(&Buffer[i]);
    }
    for (ULONG i = 0; polls < POLLS && i < sizeof(Buffer); i++) {
        sum += Buffer[i];
    }
    while (PL330(0x138) & 15) {
    }
    DMB();
    for (ULONG i = 0; i < sizeof(Buffer); i += LINE) {
        INVALIDATE(&Buffer[i]);
    }
    DMB();
    dmav3_reply_value(reply, "polls", polls);
    dmav3_reply_value(reply, "sum", sum);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(poll, "invalidate value", Poll);
