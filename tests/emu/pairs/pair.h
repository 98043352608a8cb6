/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of a wrong and a right piece of driver code. A pair is a command of one argument: with 0 it is wrong
 * and gives one finding, of the kind, routine and rule that its line names; with 1 it is right and gives none.
 * The CPU's access that races is in the line that ends with RACE and the pair's name, if there is one.
 * test_pairs.py reads all of this here.
 *
 * Below it are two devices, driven by hand: the last channel of the PL330, and `edu` on PCI.
 */
#ifndef PAIR_H
#define PAIR_H

#include <dmav3.h>
#include <dmav3_board.h>
#include <dmav3_pci.h>

#define PAIR(name, ...)                                                                                        \
    static VOID name##_pair(BOOLEAN right);                                                                    \
    static NTSTATUS name##_command(const ULONGLONG *argument, struct dmav3_reply *reply)                       \
    {                                                                                                          \
        (void)reply;                                                                                           \
        name##_pair(*argument != 0);                                                                           \
        return STATUS_SUCCESS;                                                                                 \
    }                                                                                                          \
    DMAV3_COMMAND(name, "right", name##_command);                                                              \
    static VOID name##_pair(BOOLEAN right)

#define PL330(offset) (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))
#define UNCACHED      ((volatile UCHAR *)0x40601000) /* in the staging window: a program, then data */
#define DATA          (UNCACHED + 1024)

#define DMB()                  __asm__ volatile("dmb sy" ::: "memory")
#define CLEAN(line)            __asm__ volatile("dc cvac, %0" : : "r"(line) : "memory")
#define INVALIDATE(line)       __asm__ volatile("dc ivac, %0" : : "r"(line) : "memory")
#define CLEAN_INVALIDATE(line) __asm__ volatile("dc civac, %0" : : "r"(line) : "memory")

enum { LINE = 64, PAGE = 4096, POLLS = 10000 };
enum { EDU_SOURCE = 0x80, EDU_DESTINATION = 0x88, EDU_COUNT = 0x90, EDU_COMMAND = 0x98, EDU_BUFFER = 0x40000 };
#define LONG_NS 1000000000ull

enum device { CHANNEL, EDU };

static struct dmav3_pci Pci;

static inline volatile ULONG *EduRegister(ULONG offset)
{
    return (volatile ULONG *)(Pci.bar[0] + offset);
}

static inline BOOLEAN EduStopped(PVOID context)
{
    (void)context;
    return (*EduRegister(EDU_COMMAND) & 1) == 0;
}

static inline VOID EduOpen(VOID)
{
    dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x11E8), 0, &Pci);
    dmav3_pci_enable(&Pci);
    dmav3_wait(LONG_NS, EduStopped, NULL);
}

/* DMAMOV of SAR (0), CCR (1) or DAR (2). */
static inline ULONG Move(volatile UCHAR *at, ULONG n, UCHAR which, ULONG value)
{
    at[n] = 0xbc;
    at[n + 1] = which;
    for (ULONG i = 0; i < 4; i++) {
        at[n + 2 + i] = (UCHAR)(value >> 8 * i);
    }
    return n + 6;
}

/* A program that copies a multiple of 32 bytes: a loop of DMALD and DMAST, DMAWMB, DMAEND. */
static inline VOID Program(volatile UCHAR *at, ULONGLONG to, ULONGLONG from, ULONG bytes)
{
    const UCHAR rest[] = {0x20, (UCHAR)(bytes / 32 - 1), 0x04, 0x08, 0x38, 2, 0x13, 0};
    ULONG n = Move(at, 0, 0, (ULONG)from);

    n = Move(at, n, 2, (ULONG)to);
    n = Move(at, n, 1, 0x000dc037); /* bursts of 32 bytes */
    for (ULONG i = 0; i < sizeof(rest); i++) {
        at[n + i] = rest[i];
    }
}

/* All but the store that starts the device: it is to read, or to write, memory. The rest of its way leads to
 * DATA, or to its own buffer. A barrier is at the end. */
static inline VOID Prepare(enum device device, BOOLEAN write, volatile VOID *memory, ULONG bytes)
{
    ULONGLONG address = (ULONG_PTR)memory;

    if (device == EDU) {
        *EduRegister(EDU_SOURCE) = (ULONG)(write ? EDU_BUFFER : address);
        *EduRegister(EDU_DESTINATION) = (ULONG)(write ? address : EDU_BUFFER);
        *EduRegister(EDU_COUNT) = bytes;
    } else {
        Program(UNCACHED, write ? address : (ULONG_PTR)DATA, write ? (ULONG_PTR)DATA : address, bytes);
        PL330(0xd08) = 0x07a00000; /* DMAGO of channel 7 */
        PL330(0xd0c) = (ULONG)(ULONG_PTR)UNCACHED;
    }
    DMB();
}

/* The store that starts it, by a plain store or by a store-release. */
static inline VOID Start(enum device device, BOOLEAN write, BOOLEAN release)
{
    volatile ULONG *doorbell = device == EDU ? EduRegister(EDU_COMMAND) : &PL330(0xd04);
    ULONG value = device == EDU ? (write ? 3 : 1) : 0;

    if (release) {
        __asm__ volatile("stlr %w0, [%1]" : : "r"(value), "r"(doorbell) : "memory");
    } else {
        *doorbell = value;
    }
}

/* The CPU is told by a register of the device; no barrier is executed. */
static inline VOID Await(enum device device)
{
    if (device == EDU) {
        dmav3_wait(LONG_NS, EduStopped, NULL);
    }
    for (ULONG i = 0; device == CHANNEL && i < POLLS && (PL330(0x138) & 15); i++) {
    }
}

static inline VOID Run(enum device device, BOOLEAN write)
{
    Start(device, write, FALSE);
    Await(device);
    DMB();
}

#endif
