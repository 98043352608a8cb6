/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the drivers of the pairs have in common: an adapter of a bus master (`edu`), or of the stream device,
 * an MDL, and one transfer.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "pair.h"

#define STREAM_CONTROL (*(volatile ULONG *)DMAV3_STREAM_CONTROL)

static PDMA_ADAPTER Adapter;
static PMDL Mdl;
static PVOID Registers;
static PSCATTER_GATHER_LIST List;
static ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
static ULONGLONG ListBuffer[64];
static DEVICE_OBJECT Device;
static ULONG Length;
static volatile BOOLEAN Finished;

static inline PDMA_OPERATIONS Operations(VOID)
{
    return Adapter->DmaOperations;
}

static inline VOID Own(PDEVICE_DESCRIPTION description)
{
    ULONG maximum;

    description->Version = DEVICE_DESCRIPTION_VERSION3;
    description->MaximumLength = 65536;
    Adapter = IoGetDmaAdapter(NULL, description, &maximum);
    Operations()->InitializeDmaTransferContext(Adapter, Context);
}

static inline VOID OwnMaster(VOID)
{
    DEVICE_DESCRIPTION description = {
        .Master = TRUE, .ScatterGather = TRUE, .DmaAddressWidth = 32, .InterfaceType = PCIBus};

    EduOpen();
    Own(&description);
}

static inline VOID OwnStream(BOOLEAN write, BOOLEAN looped)
{
    DEVICE_DESCRIPTION description = {.DmaWidth = Width8Bits, .AutoInitialize = looped};

    description.DmaChannel = write;
    description.DmaRequestLine = write ? DMAV3_STREAM_TRANSMIT_LINE : DMAV3_STREAM_RECEIVE_LINE;
    description.DeviceAddress.QuadPart = DMAV3_STREAM_DATA;
    Own(&description);
}

static inline VOID Describe(volatile VOID *memory, ULONG length)
{
    Mdl = IoAllocateMdl((PVOID)(ULONG_PTR)memory, length, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Mdl);
    Length = length;
}

static inline VOID Leave(VOID)
{
    Operations()->PutDmaAdapter(Adapter);
    IoFreeMdl(Mdl);
}

/* ---- lists ---- */

static inline VOID GetList(BOOLEAN write)
{
    KIRQL level;

    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Operations()->GetScatterGatherListEx(Adapter, &Device, Context, Mdl, 0, Length, DMA_SYNCHRONOUS_CALLBACK,
                                         NULL, NULL, write, NULL, NULL, &List);
    KeLowerIrql(level);
}

static inline VOID PutList(BOOLEAN write)
{
    KIRQL level;

    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Operations()->PutScatterGatherList(Adapter, List, write);
    KeLowerIrql(level);
}

/* The device moves bytes from, or to, an address on the bus. */
static inline VOID MoveBus(ULONGLONG address, ULONG bytes, BOOLEAN write)
{
    Prepare(EDU, write, (PVOID)(ULONG_PTR)address, bytes);
    Run(EDU, write);
}

static inline VOID MoveElement(ULONG bytes, BOOLEAN write)
{
    MoveBus((ULONGLONG)List->Elements[0].Address.QuadPart, bytes, write);
}

/* ---- records of the operation log by hand (qemu-machines/ext/machine/ident.h) ---- */

enum { ENTER = 4, EXIT = 5, RANGE = 6, MEMORY = 18 }; /* kinds */
enum { PRIVATE = 1 };                                 /* ids of MEMORY */
enum { FLUSHED = 2 };                                 /* ids of RANGE */

static inline VOID Record(ULONG kind, ULONG id, ULONGLONG physical, ULONGLONG length, BOOLEAN flag)
{
    enum { IDENT = 0x0b020000 };

    *(volatile ULONGLONG *)(IDENT + 0x48ull) = 0;
    *(volatile ULONGLONG *)(IDENT + 0x50ull) = physical;
    *(volatile ULONGLONG *)(IDENT + 0x58ull) = length;
    *(volatile ULONGLONG *)(IDENT + 0x60ull) = flag;
    *(volatile ULONGLONG *)(IDENT + 0x68ull) = physical;
    *(volatile ULONG *)(IDENT + 0x40ull) = kind | id << 8;
}

/* ---- transfers ---- */

static inline VOID Done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context,
                        DMA_COMPLETION_STATUS status)
{
    (void)adapter, (void)device, (void)context, (void)status;
    Finished = TRUE;
}

static inline VOID Allocate(VOID)
{
    KIRQL level;

    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Operations()->AllocateAdapterChannelEx(Adapter, &Device, Context, 4, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL,
                                           &Registers);
    KeLowerIrql(level);
}

/* Of the bus master. */
static inline VOID MapPart(ULONG offset, ULONG length, BOOLEAN write)
{
    List = (PSCATTER_GATHER_LIST)(PVOID)ListBuffer;
    Operations()->MapTransferEx(Adapter, Mdl, Registers, offset, 0, &length, write, List, sizeof(ListBuffer),
                                NULL, NULL);
}

/* Of the stream device. */
static inline VOID MapStream(ULONG length, BOOLEAN write)
{
    Finished = FALSE;
    Operations()->MapTransferEx(Adapter, Mdl, Registers, 0, 0, &length, write, NULL, 0, Done, NULL);
}

static inline VOID FlushPart(ULONG offset, ULONG length, BOOLEAN write)
{
    Operations()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, offset, length, write);
}

/* The stream device asks for data until the transfer is finished or nothing more can come. */
static inline VOID Stream(BOOLEAN write)
{
    STREAM_CONTROL = write ? DMAV3_STREAM_SEND : DMAV3_STREAM_RECEIVE;
    for (ULONG i = 0; i < POLLS && !Finished; i++) {
    }
    STREAM_CONTROL = 0;
}

static inline VOID Free(BOOLEAN master)
{
    KIRQL level;

    KeRaiseIrql(DISPATCH_LEVEL, &level);
    if (master) {
        Operations()->FreeAdapterObject(Adapter, DeallocateObject);
    } else {
        Operations()->FreeAdapterChannel(Adapter);
    }
    KeLowerIrql(level);
}

#endif
