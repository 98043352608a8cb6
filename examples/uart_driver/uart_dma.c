/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers of the serial port, by a system DMA controller and version 3 of the interface: one at a time in
 * each direction, in as many pieces as the controller wants.
 */
#include "uart.h"

/* One request that is under way. */
struct _UART_TRANSFER {
    ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / sizeof(ULONGLONG)];
    PUART_CHANNEL Channel;
    PIRP Irp;
    ULONG Length; /* of the request */
    ULONG Done;
    ULONG Piece; /* what is mapped, from Done on */
    PVOID MapRegisterBase;
    PSCATTER_GATHER_LIST List;
    ULONG ListSize;
    NTSTATUS Stopped; /* STATUS_PENDING: nobody has stopped it */
};

static DRIVER_CONTROL UartAdapterControl;
static DMA_COMPLETION_ROUTINE UartDmaComplete;
static KDEFERRED_ROUTINE UartReadTimedOut;
static DRIVER_CANCEL UartCancelCurrent;

/* ---- adapters ---- */

/*++
Routine Description:
    Gets the adapter of one direction: the device asks for its data by a request line of its own.
Arguments:
    Channel - the direction.
    Resource - its request line and channel.
IRQL:
    PASSIVE_LEVEL
--*/
static NTSTATUS
UartCreateAdapter(PUART_CHANNEL Channel, PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource)
{
    PUART_DEVICE Device = Channel->Device;
    DEVICE_DESCRIPTION Description;

    RtlZeroMemory(&Description, sizeof(Description));
    Description.Version = DEVICE_DESCRIPTION_VERSION3;
    Description.InterfaceType = Internal;
    Description.DmaWidth = Width8Bits;
    Description.MaximumLength = 1024 * 1024;
    Description.DmaChannel = Resource->u.DmaV3.Channel;
    Description.DmaRequestLine = Resource->u.DmaV3.RequestLine;
    Description.DeviceAddress = Device->RegisterAddress;
    Channel->Adapter = IoGetDmaAdapter(Device->Physical, &Description, &Channel->MapRegisters);
    return Channel->Adapter != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

_Use_decl_annotations_
NTSTATUS
UartCreateAdapters(PUART_DEVICE Device, PCM_PARTIAL_RESOURCE_LIST Resources)
{
    PUART_CHANNEL Channels[] = {&Device->Receive, &Device->Transmit};
    ULONG Count = 0;
    ULONG Index;

    PAGED_CODE();
    for (Index = 0; Index < Resources->Count; Index++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource = &Resources->PartialDescriptors[Index];
        NTSTATUS Status;

        if (Resource->Type != CmResourceTypeDma || !(Resource->Flags & CM_RESOURCE_DMA_V3) ||
            Count == RTL_NUMBER_OF(Channels)) {
            continue;
        }
        Status = UartCreateAdapter(Channels[Count++], Resource);
        if (!NT_SUCCESS(Status)) {
            return Status;
        }
    }
    return Count == RTL_NUMBER_OF(Channels) ? STATUS_SUCCESS : STATUS_DEVICE_CONFIGURATION_ERROR;
}

_Use_decl_annotations_
VOID
UartDeleteAdapters(PUART_DEVICE Device)
{
    PUART_CHANNEL Channels[] = {&Device->Receive, &Device->Transmit};
    ULONG Index;

    PAGED_CODE();
    for (Index = 0; Index < RTL_NUMBER_OF(Channels); Index++) {
        PDMA_ADAPTER Adapter = Channels[Index]->Adapter;

        if (Adapter != NULL) {
            Channels[Index]->Adapter = NULL;
            Adapter->DmaOperations->PutDmaAdapter(Adapter);
        }
    }
}

_Use_decl_annotations_
SIZE_T
UartTransferSize(VOID)
{
    return sizeof(UART_TRANSFER);
}

_Use_decl_annotations_
VOID
UartInitializeChannel(PUART_DEVICE Device, PUART_CHANNEL Channel, BOOLEAN WriteToDevice)
{
    Channel->Device = Device;
    Channel->WriteToDevice = WriteToDevice;
    KeInitializeSpinLock(&Channel->Lock);
    KeInitializeEvent(&Channel->Idle, NotificationEvent, TRUE);
    KeInitializeTimer(&Channel->Timer);
    KeInitializeDpc(&Channel->TimerDpc, UartReadTimedOut, Channel);
}

/* ---- the end of a transfer ---- */

/*++
Routine Description:
    Gives a transfer's memory back.
--*/
static VOID
UartFreeTransfer(PUART_TRANSFER Transfer)
{
    if (Transfer->List != NULL) {
        ExFreePoolWithTag(Transfer->List, UART_TAG);
    }
    ExFreeToNPagedLookasideList(&Transfer->Channel->Device->Transfers, Transfer);
}

/*++
Routine Description:
    Counts, completes the request, and starts the next one. Nobody else knows the transfer any more.
IRQL:
    DISPATCH_LEVEL
--*/
static VOID
UartFinish(PUART_TRANSFER Transfer, NTSTATUS Status)
{
    PUART_CHANNEL Channel = Transfer->Channel;
    PUART_DEVICE Device = Channel->Device;
    PIRP Irp = Transfer->Irp;
    ULONG Done = Transfer->Done;

    KeCancelTimer(&Channel->Timer);
    KeAcquireSpinLockAtDpcLevel(&Channel->Lock);
    Channel->Current = NULL;
    KeReleaseSpinLockFromDpcLevel(&Channel->Lock);
    IoSetCancelRoutine(Irp, NULL);

    KeAcquireSpinLockAtDpcLevel(&Device->CounterLock);
    if (Channel->WriteToDevice) {
        Device->Counters.Sent += Done;
    } else {
        Device->Counters.Received += Done;
    }
    KeReleaseSpinLockFromDpcLevel(&Device->CounterLock);

    UartFreeTransfer(Transfer);
    UartCompleteRequest(Device, Irp, Status, NT_SUCCESS(Status) ? Done : 0);

    KeAcquireSpinLockAtDpcLevel(&Channel->Lock);
    Channel->Busy = FALSE;
    KeReleaseSpinLockFromDpcLevel(&Channel->Lock);
    KeSetEvent(&Channel->Idle, IO_NO_INCREMENT, FALSE);
    UartStartNext(Channel);
}

/* ---- a transfer ---- */

/*++
Routine Description:
    Maps what is left of a transfer, or as much of it as the controller takes at a time, and lets it run.
IRQL:
    DISPATCH_LEVEL
--*/
static VOID
UartMapNext(PUART_TRANSFER Transfer)
{
    PUART_CHANNEL Channel = Transfer->Channel;
    PDMA_ADAPTER Adapter = Channel->Adapter;
    NTSTATUS Status;

    Transfer->Piece = Transfer->Length - Transfer->Done;
    Status = Adapter->DmaOperations->MapTransferEx(
        Adapter, Transfer->Irp->MdlAddress, Transfer->MapRegisterBase, Transfer->Done, 0, &Transfer->Piece,
        Channel->WriteToDevice, Transfer->List, Transfer->ListSize, UartDmaComplete, Transfer);
    if (!NT_SUCCESS(Status)) {
        Adapter->DmaOperations->FreeAdapterChannel(Adapter);
        UartFinish(Transfer, Transfer->Stopped != STATUS_PENDING ? Transfer->Stopped : Status);
    }
}

/*++
Routine Description:
    The controller is done with a piece, or was told to stop: the buffer is the CPU's again after the flush.
--*/
_Use_decl_annotations_
static VOID
UartDmaComplete(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext,
                DMA_COMPLETION_STATUS DmaStatus)
{
    PUART_TRANSFER Transfer = (PUART_TRANSFER)CompletionContext;
    PUART_CHANNEL Channel = Transfer->Channel;
    ULONG Moved = Transfer->Piece - DmaAdapter->DmaOperations->ReadDmaCounter(DmaAdapter);
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(DeviceObject);
    DmaAdapter->DmaOperations->FlushAdapterBuffersEx(DmaAdapter, Transfer->Irp->MdlAddress,
                                                     Transfer->MapRegisterBase, Transfer->Done, Transfer->Piece,
                                                     Channel->WriteToDevice);
    Transfer->Done += Moved;
    if (DmaStatus == DmaComplete && Transfer->Done < Transfer->Length && Transfer->Stopped == STATUS_PENDING) {
        UartMapNext(Transfer);
        return;
    }
    if (Transfer->Done == Transfer->Length) {
        Status = STATUS_SUCCESS;
    } else {
        Status = Transfer->Stopped != STATUS_PENDING ? Transfer->Stopped : STATUS_IO_DEVICE_ERROR;
    }
    DmaAdapter->DmaOperations->FreeAdapterChannel(DmaAdapter);
    UartFinish(Transfer, Status);
}

/*++
Routine Description:
    The channel of the controller is ours.
--*/
_Use_decl_annotations_
static IO_ALLOCATION_ACTION
UartAdapterControl(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    PUART_TRANSFER Transfer = (PUART_TRANSFER)Context;

    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Irp);
    Transfer->MapRegisterBase = MapRegisterBase;
    UartMapNext(Transfer);
    return KeepObject;
}

/*++
Routine Description:
    Makes a transfer of a request.
Return Value:
    NULL: there is no memory, or the request is none that can be transferred.
--*/
static PUART_TRANSFER
UartMakeTransfer(PUART_CHANNEL Channel, PIRP Irp, PULONG MapRegisters)
{
    PDMA_ADAPTER Adapter = Channel->Adapter;
    PUART_TRANSFER Transfer = (PUART_TRANSFER)ExAllocateFromNPagedLookasideList(&Channel->Device->Transfers);
    DMA_TRANSFER_INFO Info;

    if (Transfer == NULL) {
        return NULL;
    }
    RtlZeroMemory(Transfer, sizeof(*Transfer));
    Transfer->Channel = Channel;
    Transfer->Irp = Irp;
    Transfer->Length = MmGetMdlByteCount(Irp->MdlAddress);
    Transfer->Stopped = STATUS_PENDING;
    RtlZeroMemory(&Info, sizeof(Info));
    Info.Version = DMA_TRANSFER_INFO_VERSION1;
    if (NT_SUCCESS(Adapter->DmaOperations->GetDmaTransferInfo(Adapter, Irp->MdlAddress, 0, Transfer->Length,
                                                              Channel->WriteToDevice, &Info))) {
        *MapRegisters = min(Info.V1.MapRegisterCount, Channel->MapRegisters);
        Transfer->ListSize = Info.V1.ScatterGatherListSize;
        Transfer->List =
            (PSCATTER_GATHER_LIST)ExAllocatePool2(POOL_FLAG_NON_PAGED, Transfer->ListSize, UART_TAG);
    }
    if (Transfer->List == NULL) {
        UartFreeTransfer(Transfer);
        return NULL;
    }
    return Transfer;
}

/*++
Routine Description:
    Lets a transfer be cancelled from now on, and stopped when its time is over.
Return Value:
    FALSE: its request has been cancelled already.
--*/
static BOOLEAN
UartArmTransfer(PUART_TRANSFER Transfer)
{
    PUART_CHANNEL Channel = Transfer->Channel;
    ULONG Timeout = Channel->Device->Modes.ReadTimeout;
    LARGE_INTEGER Due;

    Transfer->Irp->Tail.Overlay.DriverContext[0] = Channel;
    KeAcquireSpinLockAtDpcLevel(&Channel->Lock);
    Channel->Current = Transfer;
    KeReleaseSpinLockFromDpcLevel(&Channel->Lock);
    IoSetCancelRoutine(Transfer->Irp, UartCancelCurrent);
    if (Transfer->Irp->Cancel && IoSetCancelRoutine(Transfer->Irp, NULL) != NULL) {
        return FALSE;
    }
    if (!Channel->WriteToDevice && Timeout != 0) {
        Due.QuadPart = -10LL * Timeout;
        KeSetTimer(&Channel->Timer, Due, &Channel->TimerDpc);
    }
    return TRUE;
}

/*++
Routine Description:
    Starts a transfer for a request that no queue has any more.
IRQL:
    DISPATCH_LEVEL
--*/
static VOID
UartStartTransfer(PUART_CHANNEL Channel, PUART_TRANSFER Transfer, ULONG MapRegisters)
{
    PDMA_ADAPTER Adapter = Channel->Adapter;
    NTSTATUS Status;

    if (!UartArmTransfer(Transfer)) {
        UartFinish(Transfer, STATUS_CANCELLED);
        return;
    }
    Status = Adapter->DmaOperations->InitializeDmaTransferContext(Adapter, Transfer->Context);
    if (NT_SUCCESS(Status)) {
        Status = Adapter->DmaOperations->AllocateAdapterChannelEx(Adapter, Channel->Device->Self,
                                                                  Transfer->Context, MapRegisters, 0,
                                                                  UartAdapterControl, Transfer, NULL);
    }
    if (!NT_SUCCESS(Status)) {
        UartFinish(Transfer, Status);
    }
}

/*++
Routine Description:
    Takes the next request of a queue, if the channel is free.
IRQL:
    Up to DISPATCH_LEVEL
--*/
_Use_decl_annotations_
VOID
UartStartNext(PUART_CHANNEL Channel)
{
    PUART_TRANSFER Transfer;
    ULONG MapRegisters = 0;
    BOOLEAN Busy;
    KIRQL Irql;
    PIRP Irp;

    KeAcquireSpinLock(&Channel->Lock, &Irql);
    Busy = Channel->Busy;
    Channel->Busy = TRUE;
    KeReleaseSpinLockFromDpcLevel(&Channel->Lock);
    if (!Busy) {
        KeClearEvent(&Channel->Idle);
        Irp = IoCsqRemoveNextIrp(&Channel->Queue.Csq, NULL);
        Transfer = Irp != NULL ? UartMakeTransfer(Channel, Irp, &MapRegisters) : NULL;
        if (Transfer != NULL) {
            UartStartTransfer(Channel, Transfer, MapRegisters);
        } else {
            KeAcquireSpinLockAtDpcLevel(&Channel->Lock);
            Channel->Busy = FALSE;
            KeReleaseSpinLockFromDpcLevel(&Channel->Lock);
            KeSetEvent(&Channel->Idle, IO_NO_INCREMENT, FALSE);
            if (Irp != NULL) {
                UartCompleteRequest(Channel->Device, Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
            }
        }
    }
    KeLowerIrql(Irql);
}

/* ---- before its time ---- */

/*++
Routine Description:
    Stops the transfer that is under way; its completion routine is called, and completes the request.
IRQL:
    Up to DISPATCH_LEVEL
--*/
_Use_decl_annotations_
VOID
UartStopCurrent(PUART_CHANNEL Channel, NTSTATUS Status)
{
    PDMA_ADAPTER Adapter = Channel->Adapter;
    KIRQL Irql;

    KeAcquireSpinLock(&Channel->Lock, &Irql);
    if (Channel->Current != NULL && Channel->Current->Stopped == STATUS_PENDING) {
        Channel->Current->Stopped = Status;
        (VOID) Adapter->DmaOperations->CancelMappedTransfer(Adapter, Channel->Current->Context);
    }
    KeReleaseSpinLock(&Channel->Lock, Irql);
}

_Use_decl_annotations_
static VOID
UartReadTimedOut(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    UartStopCurrent((PUART_CHANNEL)DeferredContext, STATUS_TIMEOUT);
}

/*++
Routine Description:
    The cancel routine of the request that is under way. It stays at DISPATCH_LEVEL until the transfer is
    stopped, so that the request cannot be completed meanwhile.
--*/
_Use_decl_annotations_
static VOID
UartCancelCurrent(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_CHANNEL Channel = (PUART_CHANNEL)Irp->Tail.Overlay.DriverContext[0];
    KIRQL Irql = Irp->CancelIrql;

    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(DISPATCH_LEVEL);
    UartStopCurrent(Channel, STATUS_CANCELLED);
    KeLowerIrql(Irql);
}
