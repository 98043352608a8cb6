/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for a serial port: Plug and Play, power, the interrupt, and the requests of applications. Reads and
 * writes wait in a queue for each direction, from where uart_dma.c takes them.
 */
#include "uart.h"

#ifdef __cplusplus
extern "C" DRIVER_INITIALIZE DriverEntry;
#else
DRIVER_INITIALIZE DriverEntry;
#endif
static DRIVER_ADD_DEVICE UartAddDevice;
static DRIVER_UNLOAD UartUnload;
static DRIVER_DISPATCH UartDispatchCreate, UartDispatchClose, UartDispatchCleanup, UartDispatchRead,
    UartDispatchWrite, UartDispatchControl, UartDispatchPnp, UartDispatchPower, UartDispatchSystemControl;
static KSERVICE_ROUTINE UartInterrupt;
static KDEFERRED_ROUTINE UartInterruptDpc;
static KSYNCHRONIZE_ROUTINE UartTakeCauses, UartEnableData;

/* ---- requests ---- */

static NTSTATUS
UartComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/*++
Routine Description:
    Completes a request that holds the remove lock.
IRQL:
    Up to DISPATCH_LEVEL
--*/
_Use_decl_annotations_
VOID
UartCompleteRequest(PUART_DEVICE Device, PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    (VOID) UartComplete(Irp, Status, Information);
    IoReleaseRemoveLock(&Device->RemoveLock, Irp);
}

/*++
Routine Description:
    Takes the remove lock for a request, and refuses it unless the device works.
--*/
static NTSTATUS
UartBeginRequest(PUART_DEVICE Device, PIRP Irp)
{
    NTSTATUS Status = IoAcquireRemoveLock(&Device->RemoveLock, Irp);

    if (!NT_SUCCESS(Status)) {
        return UartComplete(Irp, Status, 0);
    }
    if (!Device->Started) {
        UartCompleteRequest(Device, Irp, STATUS_DEVICE_NOT_READY, 0);
        return STATUS_DEVICE_NOT_READY;
    }
    return STATUS_SUCCESS;
}

/* ---- queues ---- */

static PUART_QUEUE
UartQueueOf(PIO_CSQ Csq)
{
    return CONTAINING_RECORD(Csq, UART_QUEUE, Csq);
}

_Use_decl_annotations_
static VOID
UartInsertIrp(PIO_CSQ Csq, PIRP Irp)
{
    InsertTailList(&UartQueueOf(Csq)->Irps, &Irp->Tail.Overlay.ListEntry);
}

_Use_decl_annotations_
static VOID
UartRemoveIrp(PIO_CSQ Csq, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Csq);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
}

_Use_decl_annotations_
static PIRP
UartPeekNextIrp(PIO_CSQ Csq, PIRP Irp, PVOID PeekContext)
{
    PLIST_ENTRY Head = &UartQueueOf(Csq)->Irps;
    PLIST_ENTRY Next = Irp != NULL ? Irp->Tail.Overlay.ListEntry.Flink : Head->Flink;

    UNREFERENCED_PARAMETER(PeekContext);
    return Next != Head ? CONTAINING_RECORD(Next, IRP, Tail.Overlay.ListEntry) : NULL;
}

_Use_decl_annotations_
static VOID
UartAcquireLock(PIO_CSQ Csq, PKIRQL Irql)
{
    KeAcquireSpinLock(&UartQueueOf(Csq)->Lock, Irql);
}

_Use_decl_annotations_
static VOID
UartReleaseLock(PIO_CSQ Csq, KIRQL Irql)
{
    KeReleaseSpinLock(&UartQueueOf(Csq)->Lock, Irql);
}

_Use_decl_annotations_
static VOID
UartCompleteCanceledIrp(PIO_CSQ Csq, PIRP Irp)
{
    UartCompleteRequest(UartQueueOf(Csq)->Device, Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS
UartInitializeQueue(PUART_DEVICE Device, PUART_QUEUE Queue)
{
    Queue->Device = Device;
    KeInitializeSpinLock(&Queue->Lock);
    InitializeListHead(&Queue->Irps);
    return IoCsqInitialize(&Queue->Csq, UartInsertIrp, UartRemoveIrp, UartPeekNextIrp, UartAcquireLock,
                           UartReleaseLock, UartCompleteCanceledIrp);
}

/*++
Routine Description:
    Ends what waits in a queue.
--*/
static VOID
UartEmptyQueue(PUART_QUEUE Queue, NTSTATUS Status)
{
    PIRP Irp;

    while ((Irp = IoCsqRemoveNextIrp(&Queue->Csq, NULL)) != NULL) {
        UartCompleteRequest(Queue->Device, Irp, Status, 0);
    }
}

/*++
Routine Description:
    Ends all requests, those that are under way too, and waits for them.
IRQL:
    PASSIVE_LEVEL
--*/
static VOID
UartPurge(PUART_DEVICE Device, NTSTATUS Status)
{
    PUART_CHANNEL Channels[] = {&Device->Receive, &Device->Transmit};
    ULONG Index;

    PAGED_CODE();
    UartEmptyQueue(&Device->Waits, Status);
    for (Index = 0; Index < RTL_NUMBER_OF(Channels); Index++) {
        UartEmptyQueue(&Channels[Index]->Queue, Status);
        UartStopCurrent(Channels[Index], Status);
        (VOID) KeWaitForSingleObject(&Channels[Index]->Idle, Executive, KernelMode, FALSE, NULL);
    }
}

/* ---- the interrupt ---- */

/*++
Routine Description:
    Takes note of why the device interrupts. That it has data is a state that lasts, so the device is told to be
    silent about it.
--*/
_Use_decl_annotations_
static BOOLEAN
UartInterrupt(PKINTERRUPT Interrupt, PVOID ServiceContext)
{
    PUART_DEVICE Device = (PUART_DEVICE)ServiceContext;
    ULONG Enabled = UartRead(Device, UART_INTERRUPT_ENABLE);
    ULONG Causes = UartRead(Device, UART_INTERRUPT_STATUS) & Enabled;

    UNREFERENCED_PARAMETER(Interrupt);
    if (Causes == 0) {
        return FALSE;
    }
    UartWrite(Device, UART_INTERRUPT_ENABLE, Enabled & ~(Causes & UART_STATUS_DATA_IN));
    UartWrite(Device, UART_INTERRUPT_STATUS, Causes);
    Device->Causes |= Causes;
    Device->Interrupts++;
    KeInsertQueueDpc(&Device->InterruptDpc, NULL, NULL);
    return TRUE;
}

/* What the deferred call takes over from the interrupt routine. */
typedef struct _UART_TAKEN {
    PUART_DEVICE Device;
    ULONG Causes;
    ULONG Interrupts;
} UART_TAKEN, *PUART_TAKEN;

_Use_decl_annotations_
static BOOLEAN
UartTakeCauses(PVOID SynchronizeContext)
{
    PUART_TAKEN Taken = (PUART_TAKEN)SynchronizeContext;

    Taken->Causes = Taken->Device->Causes;
    Taken->Interrupts = Taken->Device->Interrupts;
    Taken->Device->Causes = 0;
    Taken->Device->Interrupts = 0;
    return TRUE;
}

_Use_decl_annotations_
static BOOLEAN
UartEnableData(PVOID SynchronizeContext)
{
    PUART_DEVICE Device = (PUART_DEVICE)SynchronizeContext;

    UartWrite(Device, UART_INTERRUPT_STATUS, UART_STATUS_DATA_IN);
    UartWrite(Device, UART_INTERRUPT_ENABLE, UART_STATUS_ERRORS | UART_STATUS_DATA_IN);
    return TRUE;
}

_Use_decl_annotations_
static VOID
UartInterruptDpc(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeferredContext;
    UART_TAKEN Taken = {Device, 0, 0};

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    KeSynchronizeExecution(Device->Interrupt, UartTakeCauses, &Taken);
    KeAcquireSpinLockAtDpcLevel(&Device->CounterLock);
    Device->Counters.Interrupts += Taken.Interrupts;
    if (Taken.Causes & UART_STATUS_ERRORS) {
        Device->Counters.Errors++;
    }
    KeReleaseSpinLockFromDpcLevel(&Device->CounterLock);
    if (Taken.Causes & UART_STATUS_DATA_IN) {
        UartEmptyQueue(&Device->Waits, STATUS_SUCCESS);
    }
}

/* ---- reads, writes, control codes ---- */

static NTSTATUS
UartQueueTransfer(PUART_DEVICE Device, PUART_CHANNEL Channel, PIRP Irp)
{
    NTSTATUS Status = UartBeginRequest(Device, Irp);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (Irp->MdlAddress == NULL) { /* nothing is to be moved */
        UartCompleteRequest(Device, Irp, STATUS_SUCCESS, 0);
        return STATUS_SUCCESS;
    }
    IoCsqInsertIrp(&Channel->Queue.Csq, Irp, NULL);
    UartStartNext(Channel);
    return STATUS_PENDING;
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchRead(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;

    return UartQueueTransfer(Device, &Device->Receive, Irp);
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;

    return UartQueueTransfer(Device, &Device->Transmit, Irp);
}

static NTSTATUS
UartSetModes(PUART_DEVICE Device, PIRP Irp, ULONG Length)
{
    if (Length < sizeof(UART_MODES)) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    Device->Modes = *(PUART_MODES)Irp->AssociatedIrp.SystemBuffer;
    return STATUS_SUCCESS;
}

static NTSTATUS
UartGetCounters(PUART_DEVICE Device, PIRP Irp, ULONG Length, PULONG_PTR Information)
{
    KIRQL Irql;

    if (Length < sizeof(UART_COUNTERS)) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    KeAcquireSpinLock(&Device->CounterLock, &Irql);
    *(PUART_COUNTERS)Irp->AssociatedIrp.SystemBuffer = Device->Counters;
    KeReleaseSpinLock(&Device->CounterLock, Irql);
    *Information = sizeof(UART_COUNTERS);
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG InputLength = Stack->Parameters.DeviceIoControl.InputBufferLength;
    ULONG OutputLength = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    ULONG_PTR Information = 0;
    NTSTATUS Status = UartBeginRequest(Device, Irp);

    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    switch (Stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_UART_SET_MODES:
        Status = UartSetModes(Device, Irp, InputLength);
        break;
    case IOCTL_UART_GET_COUNTERS:
        Status = UartGetCounters(Device, Irp, OutputLength, &Information);
        break;
    case IOCTL_UART_PURGE:
        UartPurge(Device, STATUS_CANCELLED);
        break;
    case IOCTL_UART_WAIT_FOR_DATA:
        IoCsqInsertIrp(&Device->Waits.Csq, Irp, NULL);
        KeSynchronizeExecution(Device->Interrupt, UartEnableData, Device);
        return STATUS_PENDING;
    default:
        Status = STATUS_INVALID_DEVICE_REQUEST;
        break;
    }
    UartCompleteRequest(Device, Irp, Status, Information);
    return Status;
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;
    NTSTATUS Status;

    PAGED_CODE();
    Status = UartBeginRequest(Device, Irp);
    if (NT_SUCCESS(Status)) {
        UartCompleteRequest(Device, Irp, STATUS_SUCCESS, 0);
    }
    return Status;
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    PAGED_CODE();
    return UartComplete(Irp, STATUS_SUCCESS, 0);
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;

    PAGED_CODE();
    UartPurge(Device, STATUS_CANCELLED);
    return UartComplete(Irp, STATUS_SUCCESS, 0);
}

/* ---- Plug and Play ---- */

/*++
Routine Description:
    Lets the device interrupt and ask for DMA, or neither.
--*/
static VOID
UartEnable(PUART_DEVICE Device, BOOLEAN Enable)
{
    UartWrite(Device, UART_INTERRUPT_STATUS, ~0u);
    UartWrite(Device, UART_INTERRUPT_ENABLE, Enable ? UART_STATUS_ERRORS : 0);
    UartWrite(Device, UART_CONTROL, Enable ? UART_CONTROL_SEND | UART_CONTROL_RECEIVE : 0);
}

/*++
Routine Description:
    Gives back what a start has taken; Touch says whether there still is a device.
IRQL:
    PASSIVE_LEVEL
--*/
static VOID
UartStopDevice(PUART_DEVICE Device, BOOLEAN Touch)
{
    PAGED_CODE();
    InterlockedExchange(&Device->Started, 0);
    UartPurge(Device, STATUS_DELETE_PENDING);
    if (Touch && Device->Registers != NULL) {
        UartEnable(Device, FALSE);
    }
    if (Device->Interrupt != NULL) {
        IoDisconnectInterrupt(Device->Interrupt);
        Device->Interrupt = NULL;
        KeRemoveQueueDpc(&Device->InterruptDpc);
    }
    UartDeleteAdapters(Device);
    if (Device->Registers != NULL) {
        MmUnmapIoSpace(Device->Registers, Device->RegisterLength);
        Device->Registers = NULL;
    }
}

static NTSTATUS
UartConnectInterrupt(PUART_DEVICE Device, PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource)
{
    BOOLEAN IsLatched = (Resource->Flags & CM_RESOURCE_INTERRUPT_LATCHED) != 0;

    return IoConnectInterrupt(&Device->Interrupt, UartInterrupt, Device, NULL, Resource->u.Interrupt.Vector,
                              (KIRQL)Resource->u.Interrupt.Level, (KIRQL)Resource->u.Interrupt.Level,
                              IsLatched ? Latched : LevelSensitive,
                              Resource->ShareDisposition == CmResourceShareShared,
                              Resource->u.Interrupt.Affinity, FALSE);
}

/*++
Routine Description:
    Maps the registers, makes the adapters, connects the interrupt, and lets the device work.
Arguments:
    List - the translated resources.
--*/
static NTSTATUS
UartStartDevice(PUART_DEVICE Device, PCM_RESOURCE_LIST List)
{
    PCM_PARTIAL_RESOURCE_DESCRIPTOR Interrupt = NULL;
    PCM_PARTIAL_RESOURCE_LIST Resources;
    NTSTATUS Status;
    ULONG Index;

    PAGED_CODE();
    if (List == NULL || List->Count == 0) {
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    }
    Resources = &List->List[0].PartialResourceList;
    for (Index = 0; Index < Resources->Count; Index++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource = &Resources->PartialDescriptors[Index];

        if (Resource->Type == CmResourceTypeMemory && Device->Registers == NULL) {
            Device->RegisterAddress = Resource->u.Memory.Start;
            Device->RegisterLength = Resource->u.Memory.Length;
            Device->Registers =
                (PUCHAR)MmMapIoSpace(Resource->u.Memory.Start, Resource->u.Memory.Length, MmNonCached);
        } else if (Resource->Type == CmResourceTypeInterrupt) {
            Interrupt = Resource;
        }
    }
    if (Device->Registers == NULL || Interrupt == NULL) {
        Status = STATUS_DEVICE_CONFIGURATION_ERROR;
    } else {
        Status = UartCreateAdapters(Device, Resources);
    }
    if (NT_SUCCESS(Status)) {
        Status = UartConnectInterrupt(Device, Interrupt);
    }
    if (!NT_SUCCESS(Status)) {
        UartStopDevice(Device, FALSE);
        return Status;
    }
    UartEnable(Device, TRUE);
    InterlockedExchange(&Device->Started, 1);
    return STATUS_SUCCESS;
}

/*++
Routine Description:
    The end of the device: nothing of it is left behind.
--*/
static NTSTATUS
UartRemoveDevice(PUART_DEVICE Device, PIRP Irp)
{
    PDEVICE_OBJECT Below = Device->Below;
    NTSTATUS Status;

    PAGED_CODE();
    UartStopDevice(Device, TRUE);
    IoReleaseRemoveLockAndWait(&Device->RemoveLock, Irp);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoSkipCurrentIrpStackLocation(Irp);
    Status = IoCallDriver(Below, Irp);
    ExDeleteNPagedLookasideList(&Device->Transfers);
    IoDetachDevice(Below);
    IoDeleteDevice(Device->Self);
    return Status;
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status;

    PAGED_CODE();
    Status = IoAcquireRemoveLock(&Device->RemoveLock, Irp);
    if (!NT_SUCCESS(Status)) {
        return UartComplete(Irp, Status, 0);
    }
    switch (Stack->MinorFunction) {
    case IRP_MN_START_DEVICE: /* the devices below start first */
        if (!IoForwardIrpSynchronously(Device->Below, Irp)) {
            Status = STATUS_UNSUCCESSFUL;
        } else if (NT_SUCCESS(Status = Irp->IoStatus.Status)) {
            Status = UartStartDevice(Device, Stack->Parameters.StartDevice.AllocatedResourcesTranslated);
        }
        UartCompleteRequest(Device, Irp, Status, 0);
        return Status;
    case IRP_MN_QUERY_STOP_DEVICE:
        if (Device->Receive.Busy || Device->Transmit.Busy) {
            UartCompleteRequest(Device, Irp, STATUS_DEVICE_BUSY, 0);
            return STATUS_DEVICE_BUSY;
        }
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_STOP_DEVICE:
        UartStopDevice(Device, TRUE);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_SURPRISE_REMOVAL:
        UartStopDevice(Device, FALSE);
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    case IRP_MN_REMOVE_DEVICE:
        return UartRemoveDevice(Device, Irp);
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
        Irp->IoStatus.Status = STATUS_SUCCESS;
        break;
    default: /* not ours: the status stays as it is */
        break;
    }
    IoSkipCurrentIrpStackLocation(Irp);
    Status = IoCallDriver(Device->Below, Irp);
    IoReleaseRemoveLock(&Device->RemoveLock, Irp);
    return Status;
}

/* ---- power, and what is not ours ---- */

_Use_decl_annotations_
static NTSTATUS
UartDispatchPower(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = IoAcquireRemoveLock(&Device->RemoveLock, Irp);

    if (!NT_SUCCESS(Status)) {
        PoStartNextPowerIrp(Irp);
        return UartComplete(Irp, Status, 0);
    }
    if (Stack->MinorFunction == IRP_MN_SET_POWER && Stack->Parameters.Power.Type == DevicePowerState &&
        Device->Registers != NULL) {
        UartEnable(Device, Stack->Parameters.Power.State.DeviceState == PowerDeviceD0);
        PoSetPowerState(DeviceObject, DevicePowerState, Stack->Parameters.Power.State);
    }
    PoStartNextPowerIrp(Irp);
    IoSkipCurrentIrpStackLocation(Irp);
    Status = PoCallDriver(Device->Below, Irp);
    IoReleaseRemoveLock(&Device->RemoveLock, Irp);
    return Status;
}

_Use_decl_annotations_
static NTSTATUS
UartDispatchSystemControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PUART_DEVICE Device = (PUART_DEVICE)DeviceObject->DeviceExtension;

    PAGED_CODE();
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Device->Below, Irp);
}

/* ---- the driver ---- */

/*++
Routine Description:
    Makes the device object for a serial port that was found.
--*/
_Use_decl_annotations_
static NTSTATUS
UartAddDevice(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject)
{
    PDEVICE_OBJECT DeviceObject;
    PUART_DEVICE Device;
    NTSTATUS Status;

    PAGED_CODE();
    Status = IoCreateDevice(DriverObject, sizeof(UART_DEVICE), NULL, FILE_DEVICE_SERIAL_PORT,
                            FILE_DEVICE_SECURE_OPEN, FALSE, &DeviceObject);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Device = (PUART_DEVICE)DeviceObject->DeviceExtension;
    Device->Self = DeviceObject;
    Device->Physical = PhysicalDeviceObject;
    IoInitializeRemoveLock(&Device->RemoveLock, UART_TAG, 0, 0);
    KeInitializeSpinLock(&Device->CounterLock);
    KeInitializeDpc(&Device->InterruptDpc, UartInterruptDpc, Device);
    UartInitializeChannel(Device, &Device->Receive, FALSE);
    UartInitializeChannel(Device, &Device->Transmit, TRUE);
    UartInitializeQueue(Device, &Device->Receive.Queue);
    UartInitializeQueue(Device, &Device->Transmit.Queue);
    UartInitializeQueue(Device, &Device->Waits);
    ExInitializeNPagedLookasideList(&Device->Transfers, NULL, NULL, 0, UartTransferSize(), UART_TAG, 0);
    Device->Below = IoAttachDeviceToDeviceStack(DeviceObject, PhysicalDeviceObject);
    if (Device->Below == NULL) {
        ExDeleteNPagedLookasideList(&Device->Transfers);
        IoDeleteDevice(DeviceObject);
        return STATUS_NO_SUCH_DEVICE;
    }
    DeviceObject->Flags |= DO_DIRECT_IO | DO_POWER_PAGABLE;
    DeviceObject->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
static VOID
UartUnload(PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    ASSERT(DriverObject->DeviceObject == NULL);
    UNREFERENCED_PARAMETER(DriverObject);
}

_Use_decl_annotations_
NTSTATUS
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverExtension->AddDevice = UartAddDevice;
    DriverObject->DriverUnload = UartUnload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = UartDispatchCreate;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = UartDispatchClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = UartDispatchCleanup;
    DriverObject->MajorFunction[IRP_MJ_READ] = UartDispatchRead;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = UartDispatchWrite;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = UartDispatchControl;
    DriverObject->MajorFunction[IRP_MJ_PNP] = UartDispatchPnp;
    DriverObject->MajorFunction[IRP_MJ_POWER] = UartDispatchPower;
    DriverObject->MajorFunction[IRP_MJ_SYSTEM_CONTROL] = UartDispatchSystemControl;
    return STATUS_SUCCESS;
}
