/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that QEMU lets past the memory that devices see: what a driver does to start one, with no queue and
 * in memory that is not cached, so that nothing else can go wrong.
 */
#include <dmav3.h>
#include <dmav3_pci.h>

#define REGISTER(address) (*(volatile ULONG *)(ULONG_PTR)(address))
#define VIRTIO(number)    (0x0a000000ull + (number) * 0x200)
#define QUEUE_NOTIFY      0x50
#define FW_CFG_DATA       (*(volatile UCHAR *)0x09020000)
#define FW_CFG_SELECTOR   (*(volatile USHORT *)0x09020008)
#define FW_CFG_DMA_HIGH   (*(volatile ULONG *)0x09020010)
#define FW_CFG_DMA_LOW    (*(volatile ULONG *)0x09020014)
#define FW_CFG_DMA        (*(volatile ULONGLONG *)0x09020010)
#define UNCACHED          ((volatile ULONG *)0x40601000) /* in the staging window */

enum { SIGNATURE = 0x0000, READ_SELECTED = 0x0000000a, TRANSPORTS = 32, WORD = 4 };

static NTSTATUS Notify(const ULONGLONG *number, struct dmav3_reply *reply)
{
    (void)reply;
    REGISTER(VIRTIO(*number) + QUEUE_NOTIFY) = 0;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(notify, "number", Notify);

/* What every driver does and what is no DMA: look what is there, and set it up. */
static NTSTATUS SetUp(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG devices = 0;

    (void)argument;
    for (ULONG i = 0; i < TRANSPORTS; i++) {
        devices += REGISTER(VIRTIO(i) + 8) != 0;
        REGISTER(VIRTIO(i) + 0x70) = 0;
    }
    dmav3_reply_value(reply, "devices", devices);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(set_up, "", SetUp);

static NTSTATUS ReadByRegister(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG word = 0;

    (void)argument;
    FW_CFG_SELECTOR = __builtin_bswap16(SIGNATURE);
    for (ULONG i = 0; i < WORD; i++) {
        word |= (ULONG)FW_CFG_DATA << 8 * i;
    }
    dmav3_reply_value(reply, "word", word);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(read_by_register, "", ReadByRegister);

/* The address in one store or in two; all is big-endian. */
static NTSTATUS ReadByDma(const ULONGLONG *halves, struct dmav3_reply *reply)
{
    volatile ULONG *control = UNCACHED, *word = UNCACHED + 8;

    control[0] = __builtin_bswap32(SIGNATURE << 16 | READ_SELECTED);
    control[1] = __builtin_bswap32(WORD);
    control[2] = 0;
    control[3] = __builtin_bswap32((ULONG)(ULONG_PTR)word);
    __asm__ volatile("dsb sy" ::: "memory");
    if (*halves) {
        FW_CFG_DMA_HIGH = 0;
        FW_CFG_DMA_LOW = __builtin_bswap32((ULONG)(ULONG_PTR)control);
    } else {
        FW_CFG_DMA = __builtin_bswap64((ULONG_PTR)control);
    }
    dmav3_reply_value(reply, "word", *word);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(read_by_dma, "halves", ReadByDma);

/* A virtio device on PCI, which may have been plugged in late: its notifications are in BAR 4. */
static NTSTATUS NotifyLate(const ULONGLONG *id, struct dmav3_reply *reply)
{
    struct dmav3_pci device;
    NTSTATUS status = dmav3_pci_find((ULONG)*id, 0, &device);

    (void)reply;
    if (NT_SUCCESS(status)) {
        status = dmav3_pci_enable(&device);
    }
    if (NT_SUCCESS(status)) {
        REGISTER(device.bar[4] + 0x3000) = 0;
    }
    return status;
}
DMAV3_COMMAND(notify_late, "id", NotifyLate);
