/* SPDX-License-Identifier: Apache-2.0 */
/* Packets: requests that DriverStartIo gets one after the other. */
#include "layer/irql.h"
#include "nt/device_queue.h"
#include "nt/nt.h"

/* At DISPATCH_LEVEL. */
static void start(enum oplog_id routine, uintptr_t caller, PDEVICE_OBJECT device, PIRP irp)
{
    PDRIVER_STARTIO start_io = device->DriverObject->DriverStartIo;

    if (start_io == NULL) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)device->DriverObject, 0);
        return;
    }
    start_io(device, irp);
    nt_returned(OPLOG_StartIoRoutine, (uintptr_t)start_io, DISPATCH_LEVEL);
}

/* Queue the request, under the cancel lock. One that waits and is cancelled already: its routine is called,
 * which releases the lock. */
static bool insert(PDEVICE_OBJECT device, PIRP irp, const ULONG *key, PDRIVER_CANCEL cancel, uintptr_t caller)
{
    KIRQL old;
    bool waits;

    IoAcquireCancelSpinLock(&old);
    if (cancel != NULL) {
        (void)IoSetCancelRoutine(irp, cancel);
    }
    waits = device_queue_insert(OPLOG_IoStartPacket, caller, &device->DeviceQueue,
                                &irp->Tail.Overlay.DeviceQueueEntry, key);
    if (!waits) {
        device->CurrentIrp = irp;
    } else if (irp->Cancel && cancel != NULL) {
        irp->CancelIrql = old;
        (void)IoSetCancelRoutine(irp, NULL);
        cancel(device, irp);
        return true;
    }
    IoReleaseCancelSpinLock(old);
    return waits;
}

void IoStartPacket(PDEVICE_OBJECT DeviceObject, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction)
{
    (void)NT_AT_MOST(IoStartPacket, DISPATCH_LEVEL);
    KIRQL old = irql_raise_to_dispatch();

    if (!insert(DeviceObject, Irp, Key, CancelFunction, NT_CALLER)) {
        start(OPLOG_IoStartPacket, NT_CALLER, DeviceObject, Irp);
    }
    irql_return_to(old);
}

static void start_next(enum oplog_id routine, uintptr_t caller, PDEVICE_OBJECT device, const ULONG *key)
{
    PKDEVICE_QUEUE_ENTRY entry;
    KIRQL old;

    (void)nt_level(routine, caller, DISPATCH_LEVEL, DISPATCH_LEVEL);
    IoAcquireCancelSpinLock(&old);
    entry = device_queue_remove(routine, caller, &device->DeviceQueue, key);
    device->CurrentIrp = entry != NULL ? CONTAINING_RECORD(entry, IRP, Tail.Overlay.DeviceQueueEntry) : NULL;
    IoReleaseCancelSpinLock(old);
    if (entry != NULL) {
        start(routine, caller, device, device->CurrentIrp);
    }
}

void IoStartNextPacket(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable)
{
    (void)Cancelable; /* the lock is free here in any case */
    start_next(OPLOG_IoStartNextPacket, NT_CALLER, DeviceObject, NULL);
}

void IoStartNextPacketByKey(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable, ULONG Key)
{
    (void)Cancelable;
    start_next(OPLOG_IoStartNextPacketByKey, NT_CALLER, DeviceObject, &Key);
}
