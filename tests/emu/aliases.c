/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that runs at two virtual addresses, as a kernel's does: where it lies, and 4 GiB below the end of all
 * addresses and as much further up. Its accesses race with a device.
 */
#include <dmav3.h>
#include <dmav3_board.h>

#define PL330(offset) (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))
#define UNCACHED      ((volatile UCHAR *)0x40601000) /* in the staging window: a program, then data */
#define SYSTEM_READ(name, value)  __asm__ volatile("mrs %0, " name : "=r"(value))
#define SYSTEM_WRITE(name, value) __asm__ volatile("msr " name ", %0" : : "r"(value))

/* TCR_EL1 (Arm ARM D19.2.139): T1SZ 32, walks write-back inner shareable, 4 KiB granule; EPD1 off. */
#define TCR_TTBR1      (32ull << 16 | 1ull << 24 | 1ull << 26 | 3ull << 28 | 2ull << 30)
#define TCR_TTBR1_MASK (0xffffull << 16)

enum { PAGE = 4096, POLLS = 1000 };

/* A page for each of the two: what a device does is one finding a page. */
static volatile UCHAR Stored[2][PAGE] __attribute__((aligned(PAGE)));
static volatile UCHAR Written[2][PAGE] __attribute__((aligned(PAGE)));

/* The upper half of all addresses gets the tables of the lower. */
static VOID MapTwice(VOID)
{
    ULONGLONG tables, control;

    SYSTEM_READ("ttbr0_el1", tables);
    SYSTEM_READ("tcr_el1", control);
    SYSTEM_WRITE("ttbr1_el1", tables);
    SYSTEM_WRITE("tcr_el1", (control & ~TCR_TTBR1_MASK) | TCR_TTBR1);
    __asm__ volatile("isb\n tlbi vmalle1\n dsb sy\n isb" ::: "memory");
}

/* The last channel: DMAMOV SAR, DMAMOV DAR, DMAMOV CCR (32 bytes in one burst); DMALD, DMAST, DMAWMB, DMAEND.
 */
static VOID DeviceCopy32(volatile UCHAR *to, volatile UCHAR *from)
{
    static const UCHAR rest[] = {0xbc, 1, 0x37, 0xc0, 0x0d, 0, 0x04, 0x08, 0x13, 0};
    volatile UCHAR *at = UNCACHED;

    for (ULONG i = 0; i < 6; i++) {
        at[i] = i == 0 ? 0xbc : i == 1 ? 0 : (UCHAR)((ULONG_PTR)from >> 8 * (i - 2));
        at[i + 6] = i == 0 ? 0xbc : i == 1 ? 2 : (UCHAR)((ULONG_PTR)to >> 8 * (i - 2));
    }
    for (ULONG i = 0; i < sizeof(rest); i++) {
        at[i + 12] = rest[i];
    }
    __asm__ volatile("dsb sy" ::: "memory");
    PL330(0xd08) = 0x07a00000;
    PL330(0xd0c) = (ULONG)(ULONG_PTR)UNCACHED;
    PL330(0xd04) = 0;
    for (ULONG i = 0; i < POLLS && (PL330(0x138) & 15); i++) {
    }
}

/* What runs twice: it reads what a device has written, stores what a device will read, and cleans in vain. */
static __attribute__((noinline)) VOID Touch(const volatile UCHAR *written, volatile UCHAR *stored)
{
    __asm__ volatile("dc cvac, %0" : : "r"(written) : "memory");
    *stored = *written;
}

static NTSTATUS Race(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    const ULONG index = argument[0] != 0;
    VOID (*touch)(const volatile UCHAR *, volatile UCHAR *) =
        (VOID (*)(const volatile UCHAR *, volatile UCHAR *))((ULONG_PTR)Touch + argument[0]);

    MapTwice();
    DeviceCopy32(Written[index], UNCACHED + PAGE / 2);
    touch(Written[index], Stored[index]);
    DeviceCopy32(UNCACHED + PAGE / 2, Stored[index]);
    dmav3_reply_value(reply, "touch", (ULONG_PTR)touch);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(race, "offset", Race);
