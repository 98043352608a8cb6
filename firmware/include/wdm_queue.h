/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait, and devices that are removed: cancel-safe queues, device queues and DriverStartIo, work
 * items, remove locks. Layouts are those of 64-bit Windows.
 */
#ifndef WDM_QUEUE_H
#define WDM_QUEUE_H

#include <wdm_ex.h>
#include <wdm_io.h>

EXTERN_C_START

/* ---- cancel-safe queues: the queue is the driver's, in six routines; the cancel routine is not ---- */

typedef struct _IO_CSQ IO_CSQ, *PIO_CSQ;
typedef VOID IO_CSQ_INSERT_IRP(PIO_CSQ Csq, PIRP Irp);
typedef NTSTATUS IO_CSQ_INSERT_IRP_EX(PIO_CSQ Csq, PIRP Irp, PVOID InsertContext);
typedef VOID IO_CSQ_REMOVE_IRP(PIO_CSQ Csq, PIRP Irp);
typedef PIRP IO_CSQ_PEEK_NEXT_IRP(PIO_CSQ Csq, PIRP Irp, PVOID PeekContext);
typedef VOID IO_CSQ_ACQUIRE_LOCK(PIO_CSQ Csq, PKIRQL Irql);
typedef VOID IO_CSQ_RELEASE_LOCK(PIO_CSQ Csq, KIRQL Irql);
typedef VOID IO_CSQ_COMPLETE_CANCELED_IRP(PIO_CSQ Csq, PIRP Irp);
typedef IO_CSQ_INSERT_IRP *PIO_CSQ_INSERT_IRP;
typedef IO_CSQ_INSERT_IRP_EX *PIO_CSQ_INSERT_IRP_EX;
typedef IO_CSQ_REMOVE_IRP *PIO_CSQ_REMOVE_IRP;
typedef IO_CSQ_PEEK_NEXT_IRP *PIO_CSQ_PEEK_NEXT_IRP;
typedef IO_CSQ_ACQUIRE_LOCK *PIO_CSQ_ACQUIRE_LOCK;
typedef IO_CSQ_RELEASE_LOCK *PIO_CSQ_RELEASE_LOCK;
typedef IO_CSQ_COMPLETE_CANCELED_IRP *PIO_CSQ_COMPLETE_CANCELED_IRP;

#define IO_TYPE_CSQ_IRP_CONTEXT 1
#define IO_TYPE_CSQ             2
#define IO_TYPE_CSQ_EX          3

struct _IO_CSQ {
    ULONG Type;
    PIO_CSQ_INSERT_IRP CsqInsertIrp; /* of IO_TYPE_CSQ_EX: a PIO_CSQ_INSERT_IRP_EX */
    PIO_CSQ_REMOVE_IRP CsqRemoveIrp;
    PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp;
    PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock;
    PIO_CSQ_RELEASE_LOCK CsqReleaseLock;
    PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp;
    PVOID ReservePointer;
};

typedef struct _IO_CSQ_IRP_CONTEXT {
    ULONG Type;
    PIRP Irp; /* NULL: it is not, or no longer, in the queue */
    PIO_CSQ Csq;
} IO_CSQ_IRP_CONTEXT, *PIO_CSQ_IRP_CONTEXT;

/* Any IRQL. */
NTSTATUS IoCsqInitialize(_Out_ PIO_CSQ Csq, _In_ PIO_CSQ_INSERT_IRP CsqInsertIrp,
                         _In_ PIO_CSQ_REMOVE_IRP CsqRemoveIrp, _In_ PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp,
                         _In_ PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock, _In_ PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                         _In_ PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp);
NTSTATUS IoCsqInitializeEx(_Out_ PIO_CSQ Csq, _In_ PIO_CSQ_INSERT_IRP_EX CsqInsertIrp,
                           _In_ PIO_CSQ_REMOVE_IRP CsqRemoveIrp, _In_ PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp,
                           _In_ PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock, _In_ PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                           _In_ PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp);

/* Queue a request, and mark it pending; one that is cancelled already goes to CsqCompleteCanceledIrp at once.
 * What CsqInsertIrpEx returned; after an error of it the request is neither queued nor marked. DriverContext[3]
 * of the request is in use meanwhile. A request that is in such a queue already is violation 0x65; a
 * CsqReleaseLock that leaves another IRQL than CsqAcquireLock found, 0x42. At most DISPATCH_LEVEL. */
void IoCsqInsertIrp(_Inout_ PIO_CSQ Csq, _Inout_ PIRP Irp, _Out_opt_ PIO_CSQ_IRP_CONTEXT Context);
NTSTATUS IoCsqInsertIrpEx(_Inout_ PIO_CSQ Csq, _Inout_ PIRP Irp, _Out_opt_ PIO_CSQ_IRP_CONTEXT Context,
                          _In_opt_ PVOID InsertContext);

/* The request, which the caller has to complete; NULL: it is cancelled, or not there. At most DISPATCH_LEVEL.
 */
PIRP IoCsqRemoveIrp(_Inout_ PIO_CSQ Csq, _Inout_ PIO_CSQ_IRP_CONTEXT Context);
PIRP IoCsqRemoveNextIrp(_Inout_ PIO_CSQ Csq, _In_opt_ PVOID PeekContext);

/* ---- device queues: what comes while the device is busy waits ---- */

/* At most DISPATCH_LEVEL. */
void KeInitializeDeviceQueue(_Out_ PKDEVICE_QUEUE DeviceQueue);

/* FALSE: the device was not busy, and now is; the entry does not wait. Keys ascend; equal ones are in the order
 * of arrival. An entry that waits already is violation 0x65. DISPATCH_LEVEL. */
BOOLEAN KeInsertDeviceQueue(_Inout_ PKDEVICE_QUEUE DeviceQueue, _Inout_ PKDEVICE_QUEUE_ENTRY DeviceQueueEntry);
BOOLEAN KeInsertByKeyDeviceQueue(_Inout_ PKDEVICE_QUEUE DeviceQueue,
                                 _Inout_ PKDEVICE_QUEUE_ENTRY DeviceQueueEntry, _In_ ULONG SortKey);

/* The first, or the first with this key or a higher one, and from the beginning if there is none. NULL: nothing
 * waits, and the device is busy no longer. DISPATCH_LEVEL. */
PKDEVICE_QUEUE_ENTRY KeRemoveDeviceQueue(_Inout_ PKDEVICE_QUEUE DeviceQueue);
PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueue(_Inout_ PKDEVICE_QUEUE DeviceQueue, _In_ ULONG SortKey);

/* FALSE: it does not wait there. At most DISPATCH_LEVEL. */
BOOLEAN KeRemoveEntryDeviceQueue(_Inout_ PKDEVICE_QUEUE DeviceQueue,
                                 _Inout_ PKDEVICE_QUEUE_ENTRY DeviceQueueEntry);

/* ---- DriverStartIo: the requests of a device, one after the other, at DISPATCH_LEVEL ---- */

/* Start the request, or let it wait, by *Key if there is one. With a CancelFunction it can be cancelled until
 * the driver takes that away. A driver without DriverStartIo is violation 0x6D, a DriverStartIo that leaves
 * another IRQL behind, 0x42. At most DISPATCH_LEVEL. */
void IoStartPacket(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIRP Irp, _In_opt_ PULONG Key,
                   _In_opt_ PDRIVER_CANCEL CancelFunction);

/* Start the next that waits, if there is one: CurrentIrp says which. DISPATCH_LEVEL. */
void IoStartNextPacket(_In_ PDEVICE_OBJECT DeviceObject, _In_ BOOLEAN Cancelable);
void IoStartNextPacketByKey(_In_ PDEVICE_OBJECT DeviceObject, _In_ BOOLEAN Cancelable, _In_ ULONG Key);

/* The deferred call that each device object has; an interrupt routine asks for it. Any IRQL. */
typedef VOID IO_DPC_ROUTINE(PKDPC Dpc, PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context);
typedef IO_DPC_ROUTINE *PIO_DPC_ROUTINE;

WDM_INLINE void IoInitializeDpcRequest(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIO_DPC_ROUTINE DpcRoutine)
{
    KeInitializeDpc(&DeviceObject->Dpc, (PKDEFERRED_ROUTINE)(void (*)(void))DpcRoutine, DeviceObject);
}

WDM_INLINE void IoRequestDpc(_In_ PDEVICE_OBJECT DeviceObject, _In_opt_ PIRP Irp, _In_opt_ PVOID Context)
{
    (void)KeInsertQueueDpc(&DeviceObject->Dpc, Irp, Context);
}

/* ---- work items: a routine at PASSIVE_LEVEL, in the one worker thread ---- */

typedef struct _IO_WORKITEM *PIO_WORKITEM;
typedef VOID IO_WORKITEM_ROUTINE(PDEVICE_OBJECT DeviceObject, PVOID Context);
typedef VOID IO_WORKITEM_ROUTINE_EX(PVOID IoObject, PVOID Context, PIO_WORKITEM IoWorkItem);
typedef IO_WORKITEM_ROUTINE *PIO_WORKITEM_ROUTINE;
typedef IO_WORKITEM_ROUTINE_EX *PIO_WORKITEM_ROUTINE_EX;

/* NULL: there is no memory. Free it once, in its routine or when that was called: one that still waits is
 * violation 0x6E. At most DISPATCH_LEVEL. */
PIO_WORKITEM IoAllocateWorkItem(_In_ PDEVICE_OBJECT DeviceObject);
void IoFreeWorkItem(_In_ PIO_WORKITEM IoWorkItem);

/* In memory of the driver, as large as IoSizeofWorkItem says. Any IRQL. */
ULONG IoSizeofWorkItem(void);
void IoInitializeWorkItem(_In_ PVOID IoObject, _Out_ PIO_WORKITEM IoWorkItem);
void IoUninitializeWorkItem(_Inout_ PIO_WORKITEM IoWorkItem);

/* One that waits already is violation 0x65. At most DISPATCH_LEVEL. */
void IoQueueWorkItem(_Inout_ PIO_WORKITEM IoWorkItem, _In_ PIO_WORKITEM_ROUTINE WorkerRoutine,
                     _In_ WORK_QUEUE_TYPE QueueType, _In_opt_ PVOID Context);
void IoQueueWorkItemEx(_Inout_ PIO_WORKITEM IoWorkItem, _In_ PIO_WORKITEM_ROUTINE_EX WorkerRoutine,
                       _In_ WORK_QUEUE_TYPE QueueType, _In_opt_ PVOID Context);

/* ---- remove locks ---- */

typedef struct _IO_REMOVE_LOCK_COMMON_BLOCK {
    BOOLEAN Removed;
    BOOLEAN Reserved[3];
    LONG IoCount; /* acquisitions, and 1 until the device is removed */
    KEVENT RemoveEvent;
} IO_REMOVE_LOCK_COMMON_BLOCK;
typedef struct _IO_REMOVE_LOCK {
    IO_REMOVE_LOCK_COMMON_BLOCK Common;
} IO_REMOVE_LOCK, *PIO_REMOVE_LOCK;

/* PASSIVE_LEVEL, once in the life of a device. The last three are accepted, and not looked at. */
void IoInitializeRemoveLock(_Out_ PIO_REMOVE_LOCK Lock, _In_ ULONG AllocateTag, _In_ ULONG MaxLockedMinutes,
                            _In_ ULONG HighWatermark);

/* STATUS_DELETE_PENDING: the device is being removed. At most DISPATCH_LEVEL. Release it once, with the same
 * tag: a release that nobody's acquisition fits is violation 0x62, an acquisition without release is one that
 * is left behind. */
NTSTATUS IoAcquireRemoveLock(_Inout_ PIO_REMOVE_LOCK RemoveLock, _In_opt_ PVOID Tag);
void IoReleaseRemoveLock(_Inout_ PIO_REMOVE_LOCK RemoveLock, _In_opt_ PVOID Tag);

/* Release it, let nobody acquire it any more, and wait until all have released it; where somebody has not after
 * 10 s of model time, that is violation 0x63. PASSIVE_LEVEL. */
void IoReleaseRemoveLockAndWait(_Inout_ PIO_REMOVE_LOCK RemoveLock, _In_opt_ PVOID Tag);

EXTERN_C_END

#endif
