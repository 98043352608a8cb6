/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of the structures in wdm_ke.h, wdm_ex.h, wdm_io.h and wdm_queue.h, which are those of 64-bit Windows.
 */
#include <wdm.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define OFFSET(type, member, offset)                                                                           \
    _Static_assert(offsetof(type, member) == (offset), "offset of " #type "." #member)

SIZE(WCHAR, 2);
SIZE(LONG, 4);
SIZE(SIZE_T, 8);
SIZE(LARGE_INTEGER, 8);
SIZE(UNICODE_STRING, 16);
SIZE(LIST_ENTRY, 16);
SIZE(GUID, 16);

SIZE(KDPC, 64);
OFFSET(KDPC, DeferredRoutine, 24);
OFFSET(KDPC, SystemArgument1, 40);
SIZE(DISPATCHER_HEADER, 24);
SIZE(KEVENT, 24);
SIZE(KSEMAPHORE, 32);
SIZE(KMUTEX, 56);
SIZE(KTIMER, 64);
OFFSET(KTIMER, DueTime, 24);
OFFSET(KTIMER, Dpc, 48);
SIZE(KLOCK_QUEUE_HANDLE, 24);
SIZE(KDEVICE_QUEUE, 40);
SIZE(KDEVICE_QUEUE_ENTRY, 24);

SIZE(NPAGED_LOOKASIDE_LIST, 128);
SIZE(SLIST_HEADER, 16);
SIZE(FAST_MUTEX, 56);
SIZE(WORK_QUEUE_ITEM, 32);

SIZE(DEVICE_OBJECT, 336);
OFFSET(DEVICE_OBJECT, DriverObject, 8);
OFFSET(DEVICE_OBJECT, CurrentIrp, 32);
OFFSET(DEVICE_OBJECT, Flags, 48);
OFFSET(DEVICE_OBJECT, DeviceExtension, 64);
OFFSET(DEVICE_OBJECT, StackSize, 76);
OFFSET(DEVICE_OBJECT, AlignmentRequirement, 152);
OFFSET(DEVICE_OBJECT, DeviceQueue, 160);
OFFSET(DEVICE_OBJECT, Dpc, 200);
OFFSET(DEVICE_OBJECT, DeviceLock, 280);

SIZE(DRIVER_OBJECT, 336);
OFFSET(DRIVER_OBJECT, DriverExtension, 48);
OFFSET(DRIVER_OBJECT, DriverUnload, 104);
OFFSET(DRIVER_OBJECT, MajorFunction, 112);
SIZE(IRP, 208);
OFFSET(IRP, MdlAddress, 8);
OFFSET(IRP, AssociatedIrp, 24);
OFFSET(IRP, IoStatus, 48);
OFFSET(IRP, PendingReturned, 65);
OFFSET(IRP, Cancel, 68);
OFFSET(IRP, UserIosb, 72);
OFFSET(IRP, CancelRoutine, 104);
OFFSET(IRP, Tail, 120);
OFFSET(IRP, Tail.Overlay.ListEntry, 168);
OFFSET(IRP, Tail.Overlay.CurrentStackLocation, 184);
SIZE(IO_STACK_LOCATION, 72);
OFFSET(IO_STACK_LOCATION, Parameters, 8);
OFFSET(IO_STACK_LOCATION, Parameters.Read.ByteOffset, 24);
OFFSET(IO_STACK_LOCATION, Parameters.DeviceIoControl.IoControlCode, 24);
OFFSET(IO_STACK_LOCATION, DeviceObject, 40);
OFFSET(IO_STACK_LOCATION, CompletionRoutine, 56);

SIZE(IO_CSQ, 64);
OFFSET(IO_CSQ, CsqAcquireLock, 32);
SIZE(IO_CSQ_IRP_CONTEXT, 24);
SIZE(IO_REMOVE_LOCK, 32);
OFFSET(IO_REMOVE_LOCK, Common.RemoveEvent, 8);

SIZE(IO_CONNECT_INTERRUPT_PARAMETERS, 80);
OFFSET(IO_CONNECT_INTERRUPT_PARAMETERS, FullySpecified, 8);
OFFSET(IO_CONNECT_INTERRUPT_PARAMETERS, FullySpecified.Vector, 52);
OFFSET(IO_CONNECT_INTERRUPT_PARAMETERS, FullySpecified.Group, 72);
OFFSET(IO_CONNECT_INTERRUPT_PARAMETERS, MessageBased.FallBackServiceRoutine, 56);
SIZE(IO_DISCONNECT_INTERRUPT_PARAMETERS, 16);
SIZE(IO_INTERRUPT_MESSAGE_INFO_ENTRY, 48);
SIZE(IO_INTERRUPT_MESSAGE_INFO, 56);
