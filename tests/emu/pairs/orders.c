/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order beyond single barriers: what lies between, what comes too late, maintenance by set and way, invalidates
 * on one side only, polling, and mappings of two kinds.
 */
#include "pair.h"

static volatile UCHAR Buffer[2 * LINE] __attribute__((aligned(PAGE)));

/* ---- before a start ---- */

/* A barrier behind the start serves nothing, however late the device accesses. */
PAIR(barrier_behind_the_start, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    Prepare(EDU, FALSE, DATA, LINE);
    DATA[5] = 1; /* RACE barrier_behind_the_start */
    if (right) {
        DMB();
    }
    Start(EDU, FALSE, FALSE);
    DMB();
    Await(EDU);
}

/* Many stores to registers are between. */
PAIR(registers_are_no_barrier, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    DATA[5] = 1; /* RACE registers_are_no_barrier */
    if (right) {
        DMB();
    }
    for (ULONG i = 0; i < 40; i++) {
        *EduRegister(EDU_SOURCE) = (ULONG)(ULONG_PTR)DATA;
    }
    *EduRegister(EDU_DESTINATION) = EDU_BUFFER;
    *EduRegister(EDU_COUNT) = LINE;
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DMB();
}

/* A load of the device's register orders no store. */
PAIR(register_loads_are_no_barrier, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    Prepare(EDU, FALSE, DATA, LINE);
    DATA[5] = 1; /* RACE register_loads_are_no_barrier */
    if (right) {
        DMB();
    }
    (void)*EduRegister(EDU_COMMAND);
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DMB();
}

/* The last of two stores is not ordered; of its neighbours in the line each is. */
PAIR(one_byte_of_many, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    Prepare(EDU, FALSE, DATA, LINE);
    for (ULONG i = 0; i < LINE; i++) {
        DATA[i] = (UCHAR)i;
    }
    DMB();
    DATA[31] = 1; /* RACE one_byte_of_many */
    if (right) {
        DMB();
    }
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DMB();
}

/* A store beside what the device reads, in the same line, is nobody's business. */
PAIR(store_beside, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    Prepare(EDU, FALSE, DATA, 32);
    DATA[5] = 1;
    DMB();
    DATA[right ? 32 : 31] = 1; /* RACE store_beside */
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DMB();
}

/* What is stored behind the start is not judged by it; here the device is started once more. */
PAIR(second_start, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    Prepare(EDU, FALSE, DATA, LINE);
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DATA[5] = 1; /* RACE second_start */
    if (right) {
        DMB();
    }
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DMB();
}

/* Microcode: the last byte of the program. */
PAIR(late_microcode, "missing-barrier", "channel 7 fetched its program there")
{
    Prepare(CHANNEL, FALSE, DATA, LINE);
    UNCACHED[0x18] = UNCACHED[0x18]; /* RACE late_microcode */
    if (right) {
        DMB();
    }
    Run(CHANNEL, FALSE);
}

/* Two lines; the clean of the second comes behind the barrier. */
PAIR(clean_behind_the_barrier, "missing-barrier", "at byte 64 of Buffer")
{
    Prepare(CHANNEL, FALSE, Buffer, 2 * LINE);
    Buffer[0] = 1;
    Buffer[LINE] = 1; /* RACE clean_behind_the_barrier */
    CLEAN(Buffer);
    if (right) {
        CLEAN(&Buffer[LINE]);
    }
    DMB();
    if (!right) {
        CLEAN(&Buffer[LINE]);
    }
    Run(CHANNEL, FALSE);
}

/* Cleaned, and stored to once more. */
PAIR(store_behind_the_clean, "stale-device-read", "at byte 9 of Buffer")
{
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Buffer[0] = 1;
    if (!right) {
        CLEAN(Buffer);
    }
    Buffer[9] = 1; /* RACE store_behind_the_clean */
    if (right) {
        CLEAN(Buffer);
    }
    DMB();
    Run(CHANNEL, FALSE);
}

/* A release orders what is before it, not itself, and needs a clean as any store does. */
PAIR(release_without_a_clean, "stale-device-read", "at byte 9 of Buffer")
{
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Buffer[8] = 1;
    CLEAN(Buffer);
    __atomic_store_n(&Buffer[9], 1, __ATOMIC_RELEASE); /* RACE release_without_a_clean */
    if (right) {
        CLEAN(Buffer);
    }
    DMB();
    Run(CHANNEL, FALSE);
}

PAIR(release_to_the_descriptor, "missing-barrier", "the device was pci 00:01.0")
{
    EduOpen();
    Prepare(EDU, FALSE, DATA, LINE);
    __atomic_store_n(&DATA[5], 1, __ATOMIC_RELEASE); /* RACE release_to_the_descriptor */
    if (right) {
        DMB();
    }
    Start(EDU, FALSE, FALSE);
    Await(EDU);
    DMB();
}

/* ---- invalidates ---- */

PAIR(invalidate_before_only, "stale-cpu-read", "at byte 9 of Buffer")
{
    INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Run(CHANNEL, TRUE);
    if (right) {
        INVALIDATE(Buffer);
    }
    (void)Buffer[9]; /* RACE invalidate_before_only */
    INVALIDATE(Buffer);
    DMB();
}

/* The line is dirty when the device writes. */
PAIR(invalidate_behind_only, "lost-device-write", "the device's was burst")
{
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Buffer[9] = 1; /* RACE invalidate_behind_only */
    if (right) {
        CLEAN_INVALIDATE(Buffer);
        DMB();
    }
    Run(CHANNEL, TRUE);
    INVALIDATE(Buffer);
    DMB();
    (void)Buffer[9];
}

/* A clean is no invalidate. */
PAIR(clean_for_invalidate, "stale-cpu-read", "at byte 9 of Buffer")
{
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Run(CHANNEL, TRUE);
    if (right) {
        INVALIDATE(Buffer);
    } else {
        CLEAN(Buffer);
    }
    (void)Buffer[9]; /* RACE clean_for_invalidate */
    INVALIDATE(Buffer);
    DMB();
}

/* The last line of two is not invalidated. */
PAIR(invalidate_of_one_line, "stale-cpu-read", "at byte 100 of Buffer")
{
    CLEAN_INVALIDATE(Buffer);
    CLEAN_INVALIDATE(&Buffer[LINE]);
    Prepare(CHANNEL, TRUE, Buffer, 2 * LINE);
    Run(CHANNEL, TRUE);
    INVALIDATE(Buffer);
    if (right) {
        INVALIDATE(&Buffer[LINE]);
    }
    (void)Buffer[100]; /* RACE invalidate_of_one_line */
    INVALIDATE(&Buffer[LINE]);
    DMB();
}

/* The invalidate discards what the CPU has stored beside. */
PAIR(invalidate_of_a_store, "lost-cpu-write", "at byte 100 of Buffer")
{
    Buffer[100] = 1;
    if (right) {
        CLEAN(&Buffer[LINE]);
    }
    INVALIDATE(&Buffer[LINE]);
    DMB();
    (void)Buffer[100]; /* RACE invalidate_of_a_store */
}

/* The flag is polled in uncached memory; the data's invalidate comes before the barrier. */
PAIR(invalidate_before_the_barrier, "missing-barrier", "at byte 9 of Buffer")
{
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Start(CHANNEL, TRUE, FALSE);
    Await(CHANNEL);
    if (right) {
        DMB();
    }
    INVALIDATE(Buffer);
    (void)Buffer[9]; /* RACE invalidate_before_the_barrier */
    DMB();
    INVALIDATE(Buffer);
    DMB();
}

/* The CPU is told of the first transfer only. */
PAIR(load_before_the_device, "stale-cpu-read", "at byte 9 of Buffer")
{
    INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    DMB();
    if (!right) {
        (void)Buffer[9];
    }
    Run(CHANNEL, TRUE);
    if (right) {
        INVALIDATE(Buffer);
    }
    (void)Buffer[9]; /* RACE load_before_the_device */
    INVALIDATE(Buffer);
    DMB();
}

/* ---- maintenance in flight while the device writes ---- */

PAIR(clean_in_flight, "missing-barrier", "the device's was burst")
{
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Buffer[5] = 1;
    CLEAN(Buffer); /* RACE clean_in_flight */
    if (right) {
        DMB();
    }
    Run(CHANNEL, TRUE);
    INVALIDATE(Buffer);
    DMB();
}

PAIR(invalidate_in_flight, "missing-barrier", "the device's was burst")
{
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    INVALIDATE(Buffer); /* RACE invalidate_in_flight */
    if (right) {
        DMB();
    }
    Run(CHANNEL, TRUE);
    INVALIDATE(Buffer);
    DMB();
}

/* ---- by set and way: level 2 ---- */

enum { SETS = 1024, WAYS = 16, LEVEL_2 = 2 };

#define BY_SET_AND_WAY(operation)                                                                              \
    for (ULONGLONG i = 0; i < SETS * WAYS; i++) {                                                              \
        __asm__ volatile("dc " operation ", %0"                                                                \
                         :                                                                                     \
                         : "r"(i / SETS << 28 | i % SETS * LINE | LEVEL_2)                                     \
                         : "memory");                                                                          \
    }

PAIR(set_and_way_behind_a_store, "missing-barrier", "at byte 5 of Buffer")
{
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Buffer[5] = 1; /* RACE set_and_way_behind_a_store */
    if (right) {
        DMB();
    }
    BY_SET_AND_WAY("csw")
    DMB();
    Run(CHANNEL, FALSE);
}

PAIR(set_and_way_before_a_start, "missing-barrier", "at byte 5 of Buffer")
{
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Buffer[5] = 1; /* RACE set_and_way_before_a_start */
    DMB();
    BY_SET_AND_WAY("cisw")
    if (right) {
        DMB();
    }
    Run(CHANNEL, FALSE);
}

PAIR(set_and_way_behind_a_write, "missing-barrier", "at byte 5 of Buffer")
{
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Start(CHANNEL, TRUE, FALSE);
    Await(CHANNEL);
    if (right) {
        DMB();
    }
    BY_SET_AND_WAY("cisw")
    if (right) {
        DMB();
    }
    (void)Buffer[5]; /* RACE set_and_way_behind_a_write */
    DMB();
    INVALIDATE(Buffer);
    DMB();
}

PAIR(set_and_way_before_a_load, "missing-barrier", "at byte 5 of Buffer")
{
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Run(CHANNEL, TRUE);
    BY_SET_AND_WAY("cisw")
    if (right) {
        DMB();
    }
    (void)Buffer[5]; /* RACE set_and_way_before_a_load */
    DMB();
    INVALIDATE(Buffer);
    DMB();
}

/* ---- polling ---- */

PAIR(poll_of_a_line, "stale-cpu-read", "at byte 63 of Buffer")
{
    for (ULONG i = 0; i < LINE; i++) {
        DATA[i] = 1;
    }
    Buffer[63] = 0;
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    (void)Buffer[63]; /* the line is in the cache */
    Start(CHANNEL, TRUE, FALSE);
    for (ULONG i = 0; i < 100; i++) {
        if (right) {
            INVALIDATE(Buffer);
            DMB();
        }
        if (Buffer[63]) { /* RACE poll_of_a_line */
            break;
        }
    }
    Await(CHANNEL);
    DMB();
    INVALIDATE(Buffer);
    DMB();
}

/* The flag says that the data is there; that is in another line, which is not invalidated. */
PAIR(data_behind_a_polled_flag, "stale-cpu-read", "at byte 0 of Buffer")
{
    for (ULONG i = 0; i < 2 * LINE; i++) {
        DATA[i] = 1;
    }
    Buffer[127] = 0;
    CLEAN_INVALIDATE(Buffer);
    CLEAN_INVALIDATE(&Buffer[LINE]);
    Prepare(CHANNEL, TRUE, Buffer, 2 * LINE);
    (void)Buffer[0];
    Start(CHANNEL, TRUE, FALSE);
    for (ULONG i = 0; i < POLLS && !Buffer[127]; i++) {
        INVALIDATE(&Buffer[LINE]);
        DMB();
    }
    DMB();
    if (right) {
        INVALIDATE(Buffer);
    }
    (void)Buffer[0]; /* RACE data_behind_a_polled_flag */
    Await(CHANNEL);
    DMB();
    INVALIDATE(Buffer);
    INVALIDATE(&Buffer[LINE]);
    DMB();
}

/* ---- two mappings of one memory: 1 GiB higher, and not cached ---- */

static volatile UCHAR *Alias(volatile UCHAR *address)
{
    volatile ULONGLONG *tables;

    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(tables));
    tables[2] = 0x40000000ull | 3ull << 53 | 1 << 10 | 1 << 2 | 1; /* no execution, accessed, a block */
    __asm__ volatile("dsb sy\n isb" ::: "memory");
    return address + 0x40000000;
}

PAIR(uncached_load_of_a_store, "mismatched-alias", "at byte 5 of Buffer")
{
    volatile UCHAR *alias = Alias(Buffer);

    Buffer[5] = 1;
    if (right) {
        CLEAN(Buffer);
        DMB();
    }
    (void)alias[5]; /* RACE uncached_load_of_a_store */
    CLEAN_INVALIDATE(Buffer);
    DMB();
}

PAIR(uncached_store_beside_a_store, "mismatched-alias", "at byte 40 of Buffer")
{
    volatile UCHAR *alias = Alias(Buffer);

    Buffer[5] = 1;
    if (right) {
        CLEAN_INVALIDATE(Buffer);
        DMB();
    }
    alias[40] = 1; /* RACE uncached_store_beside_a_store */
    CLEAN_INVALIDATE(Buffer);
    DMB();
}

PAIR(uncached_load_of_an_old_line, "mismatched-alias", "at byte 5 of Buffer")
{
    volatile UCHAR *alias = Alias(Buffer);

    DATA[5] = 1;
    Buffer[5] = 0;
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    (void)Buffer[5];
    Run(CHANNEL, TRUE);
    if (right) {
        INVALIDATE(Buffer);
        DMB();
    }
    (void)alias[5]; /* RACE uncached_load_of_an_old_line */
    INVALIDATE(Buffer);
    DMB();
}
