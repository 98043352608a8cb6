/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes with the kernel around a driver, each a command; test_kernel_mistakes.py says what must be reported
 * for it, at the line that is marked with its name. */
#include <dmav3.h>
#include <ntddk.h>

#define TAG 'klsM'

/* `mistake` runs a case by its number; cases are in the order of this file. */
#define CASES(X)                                                                                               \
    X(Nothing)                                                                                                 \
    X(FreeTwice)                                                                                               \
    X(Overrun)                                                                                                 \
    X(Underrun)                                                                                                \
    X(WrongTag)                                                                                                \
    X(NoBytes)                                                                                                 \
    X(NoKind)                                                                                                  \
    X(WriteFreed)                                                                                              \
    X(NoBlock)                                                                                                 \
    X(Leak)                                                                                                    \
    X(RawLookaside)                                                                                            \
    X(Assertion)                                                                                               \
    X(BrokenList)                                                                                              \
    X(PagedCode)                                                                                               \
    X(LockTooLow)                                                                                              \
    X(LockTwice)                                                                                               \
    X(UnlockTwice)                                                                                             \
    X(LeaveLock)                                                                                               \
    X(WaitInDpc)                                                                                               \
    X(WaitForever)                                                                                             \
    X(RawEvent)                                                                                                \
    X(SemaphoreLimit)                                                                                          \
    X(ForeignMutex)                                                                                            \
    X(LeaveTimer)                                                                                              \
    X(LeaveThread)                                                                                             \
    X(RaiseInDpc)                                                                                              \
    X(QueueTwice)                                                                                              \
    X(LockPagesTwice)                                                                                          \
    X(UnlockUnlocked)                                                                                          \
    X(UnmapLength)                                                                                             \
    X(LeaveMapping)                                                                                            \
    X(LeaveInterrupt)                                                                                          \
    X(CompleteTwice)                                                                                           \
    X(Unmarked)                                                                                                \
    X(MarkedOnly)                                                                                              \
    X(CancelLeft)                                                                                              \
    X(NoLocation)                                                                                              \
    X(LeaveIrp)                                                                                                \
    X(LeaveDevice)                                                                                             \
    X(CsqTwice)                                                                                                \
    X(RawCsq)                                                                                                  \
    X(CsqRelease)                                                                                              \
    X(ReleaseFree)                                                                                             \
    X(ReleaseTag)                                                                                              \
    X(RawRemoveLock)                                                                                           \
    X(LeaveRemoveLock)                                                                                         \
    X(RemoveTooEarly)                                                                                          \
    X(FreeQueued)                                                                                              \
    X(WorkTwice)                                                                                               \
    X(LeaveWorkItem)                                                                                           \
    X(NoStartIo)                                                                                               \
    X(RaiseInStartIo)                                                                                          \
    X(StartTwice)                                                                                              \
    X(RawDeviceQueue)                                                                                          \
    X(FreePagesTwice)                                                                                          \
    X(LeaveContiguous)                                                                                         \
    X(LeavePages)                                                                                              \
    X(LeaveLink)                                                                                               \
    X(RawInterrupt)

static PUCHAR Block(void)
{
    return (PUCHAR)ExAllocatePool2(POOL_FLAG_NON_PAGED, 20, TAG); /* Overrun, Underrun, Leak */
}

static VOID Nothing(void)
{
    ExFreePoolWithTag(Block(), TAG);
}

static VOID FreeTwice(void)
{
    PVOID block = Block();

    ExFreePool(block);
    ExFreePool(block); /* FreeTwice */
}

static VOID Overrun(void)
{
    PUCHAR block = Block();

    block[20] = 1;
    ExFreePool(block);
}

static VOID Underrun(void)
{
    PUCHAR block = Block();

    block[-1] = 1;
    ExFreePool(block);
}

static VOID WrongTag(void)
{
    ExFreePoolWithTag(Block(), 'rehO'); /* WrongTag */
}

static VOID NoBytes(void)
{
    (void)ExAllocatePool2(POOL_FLAG_NON_PAGED, 0, TAG); /* NoBytes */
}

static VOID NoKind(void)
{
    (void)ExAllocatePool2(POOL_FLAG_UNINITIALIZED, 8, TAG); /* NoKind */
}

static VOID WriteFreed(void)
{
    volatile UCHAR *block = Block();

    ExFreePool((PVOID)block); /* WriteFreed */
    block[3] = 1;
}

static VOID NoBlock(void)
{
    static ULONGLONG Memory[8];

    ExFreePool(Memory + 4); /* NoBlock */
}

static VOID Leak(void)
{
    (void)Block();
}

static VOID RawLookaside(void)
{
    static NPAGED_LOOKASIDE_LIST List;

    (void)ExAllocateFromNPagedLookasideList(&List); /* RawLookaside */
}

static VOID Assertion(void)
{
    volatile ULONG count = 1;

    ASSERT(count == 0); /* Assertion */
}

static VOID BrokenList(void)
{
    LIST_ENTRY head, entry;

    InitializeListHead(&head);
    InsertTailList(&head, &entry);
    RemoveEntryList(&entry);
    head.Flink = &entry;
    RemoveEntryList(&head); /* BrokenList */
}

static VOID PagedCode(void)
{
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    PAGED_CODE(); /* PagedCode */
    KeLowerIrql(old);
}

static VOID LockTooLow(void)
{
    KSPIN_LOCK lock;
    KIRQL old;

    KeInitializeSpinLock(&lock);
    KeAcquireSpinLockAtDpcLevel(&lock); /* LockTooLow */
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeReleaseSpinLockFromDpcLevel(&lock);
    KeLowerIrql(old);
}

static KSPIN_LOCK Lock;
static KEVENT Event;

static VOID LockTwice(void)
{
    KIRQL old, older;

    KeAcquireSpinLock(&Lock, &older);
    KeAcquireSpinLock(&Lock, &old); /* LockTwice */
    KeReleaseSpinLock(&Lock, old);
    KeReleaseSpinLock(&Lock, older);
}

static VOID UnlockTwice(void)
{
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeReleaseSpinLock(&Lock, old); /* UnlockTwice */
}

static VOID LeaveLock(void)
{
    KIRQL old;

    KeAcquireSpinLock(&Lock, &old); /* LeaveLock */
    KeLowerIrql(old);
}

static VOID OnWait(PKDPC dpc, PVOID context, PVOID one, PVOID two)
{
    (void)dpc, (void)context, (void)one, (void)two;
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL); /* WaitInDpc */
}

static VOID WaitInDpc(void)
{
    static KDPC Dpc;

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeInitializeDpc(&Dpc, OnWait, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
}

static VOID WaitForever(void)
{
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL); /* WaitForever */
}

static VOID RawEvent(void)
{
    static KEVENT Raw;

    KeSetEvent(&Raw, IO_NO_INCREMENT, FALSE); /* RawEvent */
}

static VOID SemaphoreLimit(void)
{
    KSEMAPHORE semaphore;

    KeInitializeSemaphore(&semaphore, 1, 1);
    KeReleaseSemaphore(&semaphore, 0, 1, FALSE); /* SemaphoreLimit */
}

static VOID ForeignMutex(void)
{
    KMUTEX mutex;

    KeInitializeMutex(&mutex, 0);
    KeReleaseMutex(&mutex, FALSE); /* ForeignMutex */
}

static VOID LeaveTimer(void)
{
    static KTIMER Timer;
    LARGE_INTEGER due;

    due.QuadPart = -10000000;
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, due, NULL); /* LeaveTimer */
}

static VOID Sleeps(PVOID context)
{
    KeWaitForSingleObject(context, Executive, KernelMode, FALSE, NULL);
}

static VOID LeaveThread(void)
{
    HANDLE handle;

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Sleeps, &Event); /* LeaveThread */
    ZwClose(handle);
}

static VOID OnRaise(PKDPC dpc, PVOID context, PVOID one, PVOID two)
{ /* RaiseInDpc */
    KIRQL old;

    (void)dpc, (void)context, (void)one, (void)two;
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
}

static VOID RaiseInDpc(void)
{
    static KDPC Dpc;

    KeInitializeDpc(&Dpc, OnRaise, NULL);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
}

static VOID Work(PVOID context)
{
    (void)context;
}

static VOID QueueTwice(void)
{
    static WORK_QUEUE_ITEM Item;

    ExInitializeWorkItem(&Item, Work, NULL);
    ExQueueWorkItem(&Item, DelayedWorkQueue);
    ExQueueWorkItem(&Item, DelayedWorkQueue); /* QueueTwice */
}

static UCHAR Buffer[64];

static VOID LockPagesTwice(void)
{
    PMDL mdl = IoAllocateMdl(Buffer, 64, FALSE, FALSE, NULL);

    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess); /* LockPagesTwice */
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

static VOID UnlockUnlocked(void)
{
    PMDL mdl = IoAllocateMdl(Buffer, 64, FALSE, FALSE, NULL);

    MmUnlockPages(mdl); /* UnlockUnlocked */
    IoFreeMdl(mdl);
}

static PHYSICAL_ADDRESS Registers(void)
{
    PHYSICAL_ADDRESS address;

    address.QuadPart = 0x0B020000;
    return address;
}

static VOID UnmapLength(void)
{
    PVOID page = MmMapIoSpace(Registers(), 0x1000, MmNonCached);

    MmUnmapIoSpace(page, 0x100); /* UnmapLength */
    MmUnmapIoSpace(page, 0x1000);
}

static VOID LeaveMapping(void)
{
    (void)MmMapIoSpace(Registers(), 0x1000, MmNonCached); /* LeaveMapping */
}

static BOOLEAN Serve(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt, (void)context;
    return TRUE;
}

static VOID LeaveInterrupt(void)
{
    PKINTERRUPT interrupt;

    IoConnectInterrupt(&interrupt, Serve, NULL, NULL, 240, 3, 3, Latched, FALSE, 1, FALSE); /* LeaveInterrupt */
}

/* ---- requests ---- */

static DRIVER_OBJECT Driver;
static PDEVICE_OBJECT Device;
static PIRP Irp;

/* Send a request to a driver with this routine. */
static VOID Request(PDRIVER_DISPATCH dispatch)
{
    Driver.MajorFunction[IRP_MJ_READ] = dispatch;
    IoCreateDevice(&Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device); /* LeaveDevice */
    Irp = IoAllocateIrp(1, FALSE);                                            /* LeaveIrp */
    IoGetNextIrpStackLocation(Irp)->MajorFunction = IRP_MJ_READ;
    IoCallDriver(Device, Irp);
}

static VOID End(void)
{
    IoFreeIrp(Irp);
    IoDeleteDevice(Device);
}

static NTSTATUS DispatchDone(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID CompleteTwice(void)
{
    Request(DispatchDone);
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* CompleteTwice */
    End();
}

static NTSTATUS DispatchUnmarked(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device, (void)irp;
    return STATUS_PENDING; /* Unmarked */
}

static VOID Unmarked(void)
{
    Request(DispatchUnmarked);
    End();
}

static NTSTATUS DispatchMarked(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoMarkIrpPending(irp); /* MarkedOnly */
    return STATUS_SUCCESS;
}

static VOID MarkedOnly(void)
{
    Request(DispatchMarked);
    End();
}

static VOID OnCancel(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
}

static NTSTATUS DispatchCancel(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoSetCancelRoutine(irp, OnCancel);
    irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(irp, IO_NO_INCREMENT); /* CancelLeft */
    return STATUS_SUCCESS;
}

static VOID CancelLeft(void)
{
    Request(DispatchCancel);
    End();
}

static NTSTATUS DispatchOn(PDEVICE_OBJECT device, PIRP irp)
{
    if (irp->CurrentLocation == 1) {
        IoCallDriver(device, irp); /* NoLocation */
    }
    return DispatchDone(device, irp);
}

static VOID NoLocation(void)
{
    Request(DispatchOn);
    End();
}

static VOID LeaveIrp(void)
{
    Request(DispatchDone);
    IoDeleteDevice(Device);
}

static VOID LeaveDevice(void)
{
    Request(DispatchDone);
    IoFreeIrp(Irp);
}

/* ---- cancel-safe queues ---- */

static LIST_ENTRY Queue;
static BOOLEAN KeepsLevel;

static VOID CsqInsert(PIO_CSQ csq, PIRP irp)
{
    (void)csq;
    InsertTailList(&Queue, &irp->Tail.Overlay.ListEntry);
}

static VOID CsqRemove(PIO_CSQ csq, PIRP irp)
{
    (void)csq;
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
}

static PIRP CsqPeek(PIO_CSQ csq, PIRP irp, PVOID context)
{
    PLIST_ENTRY next = irp != NULL ? irp->Tail.Overlay.ListEntry.Flink : Queue.Flink;

    (void)csq, (void)context;
    return next != &Queue ? CONTAINING_RECORD(next, IRP, Tail.Overlay.ListEntry) : NULL;
}

static VOID CsqAcquire(PIO_CSQ csq, PKIRQL old)
{
    (void)csq;
    KeAcquireSpinLock(&Lock, old);
}

static VOID ReleaseCsq(PIO_CSQ csq, KIRQL old)
{ /* CsqRelease */
    (void)csq;
    KeReleaseSpinLock(&Lock, KeepsLevel ? DISPATCH_LEVEL : old);
}

static VOID CsqComplete(PIO_CSQ csq, PIRP irp)
{
    (void)csq;
    irp->IoStatus.Status = STATUS_CANCELLED;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
}

static IO_CSQ Csq;

static NTSTATUS DispatchCsq(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoCsqInsertIrp(&Csq, irp, NULL);
    return STATUS_PENDING;
}

static VOID RequestCsq(void)
{
    InitializeListHead(&Queue);
    IoCsqInitialize(&Csq, CsqInsert, CsqRemove, CsqPeek, CsqAcquire, ReleaseCsq, CsqComplete);
    Request(DispatchCsq);
}

static VOID EndCsq(void)
{
    IoCancelIrp(Irp);
    End();
}

static VOID CsqTwice(void)
{
    RequestCsq();
    IoCsqInsertIrp(&Csq, Irp, NULL); /* CsqTwice */
    EndCsq();
}

static VOID RawCsq(void)
{
    static IO_CSQ Raw;

    IoCsqRemoveNextIrp(&Raw, NULL); /* RawCsq */
}

static VOID CsqRelease(void)
{
    RequestCsq();
    KeepsLevel = TRUE;
    IoCsqRemoveNextIrp(&Csq, NULL);
    KeepsLevel = FALSE;
    CsqComplete(&Csq, Irp);
    End();
}

/* ---- remove locks ---- */

static IO_REMOVE_LOCK RemoveLock;

static VOID ReleaseFree(void)
{
    IoInitializeRemoveLock(&RemoveLock, TAG, 0, 0);
    IoReleaseRemoveLock(&RemoveLock, NULL); /* ReleaseFree */
}

static VOID ReleaseTag(void)
{
    IoInitializeRemoveLock(&RemoveLock, TAG, 0, 0);
    IoAcquireRemoveLock(&RemoveLock, &Irp);
    IoReleaseRemoveLock(&RemoveLock, NULL); /* ReleaseTag */
    IoReleaseRemoveLock(&RemoveLock, &Irp);
}

static VOID RawRemoveLock(void)
{
    static IO_REMOVE_LOCK Raw;

    IoAcquireRemoveLock(&Raw, NULL); /* RawRemoveLock */
}

static VOID LeaveRemoveLock(void)
{
    IoInitializeRemoveLock(&RemoveLock, TAG, 0, 0);
    IoAcquireRemoveLock(&RemoveLock, NULL); /* LeaveRemoveLock */
}

static VOID RemoveTooEarly(void)
{
    IoInitializeRemoveLock(&RemoveLock, TAG, 0, 0);
    IoAcquireRemoveLock(&RemoveLock, &Irp);
    IoAcquireRemoveLock(&RemoveLock, NULL);
    IoReleaseRemoveLockAndWait(&RemoveLock, NULL); /* RemoveTooEarly */
    IoReleaseRemoveLock(&RemoveLock, &Irp);
}

/* ---- work items ---- */

static PIO_WORKITEM Item;

static VOID OnWorkItem(PDEVICE_OBJECT device, PVOID context)
{
    (void)device, (void)context;
}

static VOID Allocate(void)
{
    Item = IoAllocateWorkItem(NULL); /* LeaveWorkItem */
}

static VOID FreeQueued(void)
{
    Allocate();
    IoQueueWorkItem(Item, OnWorkItem, DelayedWorkQueue, NULL);
    IoFreeWorkItem(Item); /* FreeQueued */
}

static VOID WorkTwice(void)
{
    LARGE_INTEGER delay;

    delay.QuadPart = -10000;
    Allocate();
    IoQueueWorkItem(Item, OnWorkItem, DelayedWorkQueue, NULL);
    IoQueueWorkItem(Item, OnWorkItem, DelayedWorkQueue, NULL); /* WorkTwice */
    KeDelayExecutionThread(KernelMode, FALSE, &delay);
    IoFreeWorkItem(Item);
}

static VOID LeaveWorkItem(void)
{
    Allocate();
}

/* ---- device queues ---- */

static NTSTATUS DispatchStart(PDEVICE_OBJECT device, PIRP irp)
{
    IoMarkIrpPending(irp);
    IoStartPacket(device, irp, NULL, NULL); /* NoStartIo */
    return STATUS_PENDING;
}

static VOID OnStartIo(PDEVICE_OBJECT device, PIRP irp)
{ /* RaiseInStartIo */
    KIRQL old;

    (void)device, (void)irp;
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
}

static VOID Start(PDRIVER_STARTIO routine)
{
    Driver.DriverStartIo = routine;
    Request(DispatchStart);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    End();
}

static VOID NoStartIo(void)
{
    Start(NULL);
}

static VOID RaiseInStartIo(void)
{
    Start(OnStartIo);
}

static KDEVICE_QUEUE DeviceQueue;
static KDEVICE_QUEUE_ENTRY Entry;

static VOID StartTwice(void)
{
    KIRQL old;

    KeInitializeDeviceQueue(&DeviceQueue);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeInsertDeviceQueue(&DeviceQueue, &Entry);
    KeInsertDeviceQueue(&DeviceQueue, &Entry);
    KeInsertDeviceQueue(&DeviceQueue, &Entry); /* StartTwice */
    KeLowerIrql(old);
}

static VOID RawDeviceQueue(void)
{
    static KDEVICE_QUEUE Raw;

    KeRemoveEntryDeviceQueue(&Raw, &Entry); /* RawDeviceQueue */
}

/* ---- pages ---- */

static PHYSICAL_ADDRESS Anywhere(void)
{
    PHYSICAL_ADDRESS address;

    address.QuadPart = -1;
    return address;
}

static VOID FreePagesTwice(void)
{
    PVOID memory = MmAllocateContiguousMemory(PAGE_SIZE, Anywhere());

    MmFreeContiguousMemory(memory);
    MmFreeContiguousMemory(memory); /* FreePagesTwice */
}

static VOID LeaveContiguous(void)
{
    (void)MmAllocateContiguousMemory(PAGE_SIZE, Anywhere()); /* LeaveContiguous */
}

static VOID LeavePages(void)
{
    PHYSICAL_ADDRESS none;

    none.QuadPart = 0;
    ExFreePool(MmAllocatePagesForMdl(none, Anywhere(), none, PAGE_SIZE)); /* LeavePages */
}

static VOID LeaveLink(void)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\DosDevices\\Mistake");

    IoCreateSymbolicLink(&name, &name); /* LeaveLink */
}

static VOID RawInterrupt(void)
{
    IO_DISCONNECT_INTERRUPT_PARAMETERS parameters;

    parameters.Version = CONNECT_LINE_BASED;
    parameters.ConnectionContext.InterruptObject = NULL;
    IoDisconnectInterruptEx(&parameters); /* RawInterrupt */
}

static NTSTATUS Mistake(const ULONGLONG *argument, struct dmav3_reply *reply)
{
#define ROW(name) name,
    static VOID (*const cases[])(void) = {CASES(ROW)};

    (void)reply;
    cases[argument[0]]();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(mistake, "number", Mistake);
