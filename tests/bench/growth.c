/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of growth.py: live mappings, findings, accesses and copies, as many as are asked for. */
#include <dmav3.h>
#include <dmav3_board.h>
#include <wdm_dma.h>

enum { LINE = 64, DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c, CSR0 = 0x100, PROGRAM_BYTES = 64 };

static PDMA_ADAPTER Adapter;
static DEVICE_OBJECT Device;

static VOID Keep(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context)
{
    *(ULONG *)context += list->NumberOfElements;
    (void)device, (void)irp;
}

/* One live mapping for each line from an address on, which the device is to read. */
static NTSTATUS Map(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .ScatterGather = TRUE,
                                      .DmaAddressWidth = 32,
                                      .InterfaceType = PCIBus,
                                      .MaximumLength = 65536};
    UCHAR *memory = (UCHAR *)(ULONG_PTR)argument[0];
    ULONG maximum, elements = 0;
    KIRQL level;

    Adapter = IoGetDmaAdapter(NULL, &description, &maximum);
    for (ULONGLONG i = 0; i < argument[1]; i++) {
        PMDL mdl = IoAllocateMdl(memory + i * LINE, LINE, FALSE, FALSE, NULL);
        NTSTATUS status;

        if (mdl == NULL) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        MmBuildMdlForNonPagedPool(mdl);
        KeRaiseIrql(DISPATCH_LEVEL, &level);
        status = Adapter->DmaOperations->GetScatterGatherList(Adapter, &Device, mdl, memory + i * LINE, LINE,
                                                              Keep, &elements, TRUE);
        KeLowerIrql(level);
        if (status != STATUS_SUCCESS) {
            return status;
        }
    }
    dmav3_reply_value(reply, "elements", elements);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(map, "address count", Map);

#define STORES_4(i)                                                                                            \
    memory[(i) * LINE] = 1, memory[((i) + 1) * LINE] = 2, memory[((i) + 2) * LINE] = 3,                        \
                 memory[((i) + 3) * LINE] = 4
#define STORES_16(i)  STORES_4(i), STORES_4((i) + 4), STORES_4((i) + 8), STORES_4((i) + 12)
#define STORES_64(i)  STORES_16(i), STORES_16((i) + 16), STORES_16((i) + 32), STORES_16((i) + 48)
#define STORES_256(i) STORES_64(i), STORES_64((i) + 64), STORES_64((i) + 128), STORES_64((i) + 192)

/* A store to each of 256 lines, by an instruction of its own: if a device reads them next, as many hazards. */
static NTSTATUS Touch(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    volatile UCHAR *memory = (volatile UCHAR *)(ULONG_PTR)argument[0];

    STORES_256(0);
    (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(touch, "address", Touch);

/* A load and a store of each word of some memory. */
static NTSTATUS Walk(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    volatile ULONGLONG *memory = (volatile ULONGLONG *)(ULONG_PTR)argument[0];

    for (ULONGLONG round = 0; round < argument[2]; round++) {
        for (ULONGLONG i = 0; i < argument[1] / sizeof(*memory); i++) {
            memory[i] += round;
        }
    }
    (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(walk, "address bytes rounds", Walk);

static volatile ULONG *Register(ULONG offset)
{
    return (volatile ULONG *)(DMAV3_PL330_BASE + (ULONG_PTR)offset);
}

static VOID MoveTo(UCHAR **at, UCHAR what, ULONG value)
{
    UCHAR code[] = {0xbc, what, (UCHAR)value, (UCHAR)(value >> 8), (UCHAR)(value >> 16), (UCHAR)(value >> 24)};

    RtlCopyMemory(*at, code, sizeof(code));
    *at += sizeof(code);
}

/* So many times 8 KiB from one place to another by each of the first channels, at once as far as they can be.
 * The programs lie at a third place; all three are clean. */
static NTSTATUS Copy(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    static const UCHAR Loops[] = {0x22, 0, 0x20, 255, 0x04, 0x08, 0x38, 2, 0x3c, 6, 0x13, 0x00};
    const ULONG bytes = (ULONG)argument[4] << 13;

    for (ULONG channel = 0; channel < argument[3]; channel++) {
        UCHAR *program = (UCHAR *)(ULONG_PTR)argument[2] + channel * PROGRAM_BYTES, *at = program;

        MoveTo(&at, 0, (ULONG)argument[0] + channel * bytes);
        MoveTo(&at, 2, (ULONG)argument[1] + channel * bytes);
        MoveTo(&at, 1, 0x000dc037); /* CCR: eight beats of four bytes, both addresses go up */
        RtlCopyMemory(at, Loops, sizeof(Loops));
        at[1] = (UCHAR)(argument[4] - 1);
        __asm__ volatile("dc cvac, %0; dsb sy" ::"r"(program) : "memory");
        *Register(DBGINST0) = 0x00a00000 | channel << 24;
        *Register(DBGINST1) = (ULONG)(ULONG_PTR)program;
        *Register(DBGCMD) = 0;
    }
    for (ULONG channel = 0; channel < argument[3]; channel++) {
        while ((*Register(CSR0 + 8 * channel) & 15) != 0) {
        }
    }
    (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(copy_channels, "from to programs channels times", Copy);
