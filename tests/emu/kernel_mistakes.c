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
    X(LeaveDevice)

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

static NTSTATUS Mistake(const ULONGLONG *argument, struct dmav3_reply *reply)
{
#define ROW(name) name,
    static VOID (*const cases[])(void) = {CASES(ROW)};

    (void)reply;
    cases[argument[0]]();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(mistake, "number", Mistake);
