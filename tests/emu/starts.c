/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts of devices, and barriers between them and the stores that they race with. Two `edu` on the board.
 */
#include <dmav3.h>
#include <dmav3_board.h>
#include <dmav3_pci.h>

#define PL330(offset)    (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))
#define UNCACHED         ((volatile UCHAR *)0x40601000) /* in the staging window */
#define DMB()            __asm__ volatile("dmb sy" ::: "memory")
#define INVALIDATE(line) __asm__ volatile("dc ivac, %0" : : "r"(line) : "memory")
#define CLEAN(line)      __asm__ volatile("dc cvac, %0" : : "r"(line) : "memory")

enum { LINE = 64, DEVICE_BUFFER = 0x40000, STATUS = 0x98, INVERSE = 0x04 };

static volatile UCHAR Buffer[LINE] __attribute__((aligned(4096)));
static struct dmav3_pci Edu[2];

static volatile ULONG *Register(ULONG which, ULONG offset)
{
    return (volatile ULONG *)(Edu[which].bar[0] + offset);
}

static NTSTATUS Open(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    for (ULONG n = 0; n < 2; n++) {
        dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x11E8), n, &Edu[n]);
        dmav3_pci_enable(&Edu[n]);
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(open, "", Open);

/* The first device is to move 4 bytes; its doorbell is still to come. */
static VOID Prepare(ULONGLONG from, ULONGLONG to)
{
    *Register(0, 0x80) = (ULONG)from;
    *Register(0, 0x88) = (ULONG)to;
    *Register(0, 0x90) = 4;
    DMB();
}

static BOOLEAN Stopped(PVOID context)
{
    (void)context;
    return (*Register(0, STATUS) & 1) == 0;
}

/* A store, the doorbell with no barrier between; then a barrier, and a store to another register of a device.
 */
static NTSTATUS RingAndTouch(const ULONGLONG *other, struct dmav3_reply *reply)
{
    (void)reply;
    Prepare((ULONG_PTR)UNCACHED, DEVICE_BUFFER);
    *UNCACHED = 1; /* RACE ring_and_touch */
    *Register(0, STATUS) = 1;
    DMB();
    *Register((ULONG)*other, INVERSE) = 5;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(ring_and_touch, "other", RingAndTouch);

static VOID Fill(volatile UCHAR *line)
{
    *line = 1;
}

/* A store in a function of its own, its clean here, the doorbell with no barrier between. */
static NTSTATUS FillAndRing(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    Prepare((ULONG_PTR)Buffer, DEVICE_BUFFER);
    Fill(Buffer); /* RACE fill_and_ring */
    CLEAN(Buffer);
    *Register(0, STATUS) = 1;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(fill_and_ring, "argument", FillAndRing);

static VOID Give(volatile UCHAR *line)
{
    *line = 1; /* RACE give_and_ring */
    CLEAN(line);
}

/* The same, with store and clean in one function. */
static NTSTATUS GiveAndRing(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    Prepare((ULONG_PTR)Buffer, DEVICE_BUFFER);
    Give(Buffer);
    *Register(0, STATUS) = 1;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(give_and_ring, "argument", GiveAndRing);

/* As ring_and_touch, with a device written in Python: its first register, then the second. */
static NTSTATUS RingRemote(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    volatile ULONG *Registers = (volatile ULONG *)(ULONG_PTR)DMAV3_DEVICE_BASE;

    (void)argument, (void)reply;
    DMB();
    *UNCACHED = 1; /* RACE ring_remote */
    Registers[0] = (ULONG)(ULONG_PTR)UNCACHED;
    DMB();
    Registers[1] = 5;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(ring_remote, "", RingRemote);

/* Data that a device has written, loaded behind a load of its status: no barrier stands between that and the
 * invalidate. */
static NTSTATUS PollAndLoad(const ULONGLONG *barrier, struct dmav3_reply *reply)
{
    INVALIDATE(Buffer);
    Prepare(DEVICE_BUFFER, (ULONG_PTR)Buffer);
    *Register(0, STATUS) = 3;
    dmav3_wait(1000000000, Stopped, NULL);
    INVALIDATE(Buffer);
    if (*barrier) {
        DMB();
    }
    dmav3_reply_value(reply, "byte", Buffer[0]);
    DMB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(poll_and_load, "barrier", PollAndLoad);

/* The same with data in uncached memory, loaded at once. */
static NTSTATUS PollUncached(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    Prepare(DEVICE_BUFFER, (ULONG_PTR)UNCACHED);
    *Register(0, STATUS) = 3;
    dmav3_wait(1000000000, Stopped, NULL);
    dmav3_reply_value(reply, "byte", *UNCACHED);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(poll_uncached, "argument", PollUncached);

/* DMAMOV of SAR (0) or DAR (2). */
static ULONG Move(volatile UCHAR *at, ULONG n, UCHAR which, ULONG value)
{
    at[n] = 0xbc;
    at[n + 1] = which;
    for (ULONG i = 0; i < 4; i++) {
        at[n + 2 + i] = (UCHAR)(value >> 8 * i);
    }
    return n + 6;
}

static VOID Go(ULONG channel, volatile UCHAR *program)
{
    PL330(0xd08) = 0x00a00000 | channel << 24;
    PL330(0xd0c) = (ULONG)(ULONG_PTR)program;
    PL330(0xd04) = 0;
}

/* A program of channel 7 races with its start; a barrier follows, and the start of channel 6. Channel 7 takes
 * its time for a burst, and fetches the end of its program behind that. */
static NTSTATUS TwoChannels(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG n = Move(UNCACHED, 0, 0, (ULONG)(ULONG_PTR)UNCACHED + 2 * LINE);

    (void)argument, (void)reply;
    n = Move(UNCACHED, n, 2, (ULONG)(ULONG_PTR)UNCACHED + 3 * LINE);
    UNCACHED[n++] = 0x04; /* DMALD */
    UNCACHED[n++] = 0x08; /* DMAST */
    UNCACHED[LINE] = 0;   /* DMAEND, of channel 6 */
    DMB();
    UNCACHED[n] = 0; /* RACE two_channels */
    Go(7, UNCACHED);
    DMB();
    Go(6, UNCACHED + LINE);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(two_channels, "argument", TwoChannels);
