/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of a device that has no hardware: what it is written, it gives back. `mistake` makes it do one thing
 * wrong, at the line that is marked with its name; test_driver.py says what must be reported. */
#include <dmav3.h>
#include <ntddk.h>

#define MISTAKES(X)                                                                                            \
    X(NOTHING)                                                                                                 \
    X(ADD_FAILS)                                                                                               \
    X(NOT_PASSED_ON)                                                                                           \
    X(NOT_ATTACHED)                                                                                            \
    X(STILL_INITIALIZING)                                                                                      \
    X(TOO_MUCH)                                                                                                \
    X(RETURNS_OTHER)                                                                                           \
    X(DELETES_ATTACHED)                                                                                        \
    X(LEAVES_DEVICE)                                                                                           \
    X(FORGETS_REQUEST)                                                                                         \
    X(COMPLETES_TWICE)                                                                                         \
    X(UNMARKED)                                                                                                \
    X(MARKED_ONLY)                                                                                             \
    X(RAISES)                                                                                                  \
    X(TOUCHES)                                                                                                 \
    X(TOUCHES_STACK)
#define NAME(name) name,
enum { MISTAKES(NAME) };
static ULONGLONG Mistake;

#define IOCTL(function, method) CTL_CODE(FILE_DEVICE_UNKNOWN, function, method, FILE_ANY_ACCESS)
#define IOCTL_BUFFERED          IOCTL(0x800, METHOD_BUFFERED)
#define IOCTL_OUT_DIRECT        IOCTL(0x801, METHOD_OUT_DIRECT)
#define IOCTL_NEITHER           IOCTL(0x802, METHOD_NEITHER)
#define IOCTL_FLAGS             IOCTL(0x803, METHOD_BUFFERED) /* DO_... for what is read and written */
#define IOCTL_FAIL              IOCTL(0x804, METHOD_BUFFERED)

typedef struct {
    PDEVICE_OBJECT Below;
    ULONG Start, Length, Spi, Line; /* of the resources */
    DEVICE_POWER_STATE Power;
    PIRP Pending;
    ULONG Kept;
    UCHAR Data[64];
} EXTENSION, *PEXTENSION;

static NTSTATUS Complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT); /* TOO_MUCH */
    return status;
}

static NTSTATUS PassOn(PEXTENSION extension, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(extension->Below, irp);
}

/* ---- the device ---- */

static VOID TakeResources(PEXTENSION extension, PCM_RESOURCE_LIST list)
{
    PCM_PARTIAL_RESOURCE_LIST partial = &list->List[0].PartialResourceList;

    for (ULONG i = 0; i < partial->Count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR one = &partial->PartialDescriptors[i];

        if (one->Type == CmResourceTypeMemory) {
            extension->Start = one->u.Memory.Start.LowPart;
            extension->Length = one->u.Memory.Length;
        } else if (one->Type == CmResourceTypeInterrupt) {
            extension->Spi = one->u.Interrupt.Vector;
        } else if (one->Type == CmResourceTypeDma && (one->Flags & CM_RESOURCE_DMA_V3)) {
            extension->Line = extension->Line * 16 + one->u.DmaV3.RequestLine;
        }
    }
}

static NTSTATUS Remove(PDEVICE_OBJECT device, PEXTENSION extension, PIRP irp)
{
    PDEVICE_OBJECT below = extension->Below;
    NTSTATUS status = PassOn(extension, irp);

    if (Mistake != DELETES_ATTACHED) {
        IoDetachDevice(below);
    }
    if (Mistake != LEAVES_DEVICE) {
        IoDeleteDevice(device); /* DELETES_ATTACHED */
    }
    return status;
}

static NTSTATUS Pnp(PDEVICE_OBJECT device, PIRP irp)
{ /* NOT_PASSED_ON */
    PEXTENSION extension = device->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    switch (stack->MinorFunction) {
    case IRP_MN_START_DEVICE:
        if (!IoForwardIrpSynchronously(extension->Below, irp)) {
            return Complete(irp, STATUS_UNSUCCESSFUL, 0);
        }
        if (stack->Parameters.StartDevice.AllocatedResourcesTranslated != NULL) {
            TakeResources(extension, stack->Parameters.StartDevice.AllocatedResourcesTranslated);
        }
        return Complete(irp, irp->IoStatus.Status, 0);
    case IRP_MN_QUERY_STOP_DEVICE:
        if (extension->Pending != NULL) {
            return Complete(irp, STATUS_DEVICE_BUSY, 0);
        }
        break;
    case IRP_MN_QUERY_REMOVE_DEVICE:
        if (Mistake == NOT_PASSED_ON) {
            return Complete(irp, STATUS_SUCCESS, 0);
        }
        break;
    case IRP_MN_REMOVE_DEVICE:
        return Remove(device, extension, irp);
    default:
        break;
    }
    irp->IoStatus.Status = STATUS_SUCCESS;
    return PassOn(extension, irp);
}

static NTSTATUS PowerIrp(PDEVICE_OBJECT device, PIRP irp)
{
    PEXTENSION extension = device->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    if (stack->MinorFunction == IRP_MN_SET_POWER && stack->Parameters.Power.Type == DevicePowerState) {
        PoSetPowerState(device, DevicePowerState, stack->Parameters.Power.State);
        extension->Power = stack->Parameters.Power.State.DeviceState;
    }
    PoStartNextPowerIrp(irp);
    IoSkipCurrentIrpStackLocation(irp);
    return PoCallDriver(extension->Below, irp);
}

/* ---- requests ---- */

static VOID Cancel(PDEVICE_OBJECT device, PIRP irp)
{
    PEXTENSION extension = device->DeviceExtension;

    extension->Pending = NULL;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    Complete(irp, STATUS_CANCELLED, 0);
}

static NTSTATUS Keep(PEXTENSION extension, PIRP irp)
{
    if (Mistake != UNMARKED) {
        IoMarkIrpPending(irp); /* KEEPS FORGETS_REQUEST */
    }
    extension->Pending = irp;
    if (Mistake != FORGETS_REQUEST) {
        IoSetCancelRoutine(irp, Cancel);
    }
    return Mistake == MARKED_ONLY ? STATUS_SUCCESS : STATUS_PENDING;
}

static PUCHAR Memory(PDEVICE_OBJECT device, PIRP irp)
{
    if (device->Flags & DO_DIRECT_IO) {
        return MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
    }
    return device->Flags & DO_BUFFERED_IO ? irp->AssociatedIrp.SystemBuffer : irp->UserBuffer;
}

static NTSTATUS Read(PDEVICE_OBJECT device, PIRP irp)
{ /* UNMARKED MARKED_ONLY RAISES RETURNS_OTHER */
    PEXTENSION extension = device->DeviceExtension;
    ULONG length = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length;
    ULONG count = min(length, extension->Kept);
    KIRQL level;

    if (length == 0) {
        return Complete(irp, STATUS_SUCCESS, 0);
    }
    if (count == 0) {
        return Keep(extension, irp);
    }
    RtlCopyMemory(Memory(device, irp), extension->Data, count);
    extension->Kept = 0;
    Complete(irp, STATUS_SUCCESS, Mistake == TOO_MUCH ? 100 : count);
    if (Mistake == COMPLETES_TWICE) {
        IoCompleteRequest(irp, IO_NO_INCREMENT); /* COMPLETES_TWICE */
    }
    if (Mistake == RAISES) {
        KeRaiseIrql(DISPATCH_LEVEL, &level);
    }
    if (Mistake == TOUCHES) {
        irp->IoStatus.Information = 0; /* TOUCHES */
    }
    if (Mistake == TOUCHES_STACK) {
        extension->Start = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length; /* TOUCHES_STACK */
    }
    return Mistake == RETURNS_OTHER ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

static NTSTATUS Write(PDEVICE_OBJECT device, PIRP irp)
{
    PEXTENSION extension = device->DeviceExtension;
    ULONG length = IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length;
    PIRP reader = extension->Pending;

    if (length == 0) {
        return Complete(irp, STATUS_SUCCESS, 0);
    }
    extension->Kept = min(length, (ULONG)sizeof(extension->Data));
    RtlCopyMemory(extension->Data, Memory(device, irp), extension->Kept);
    if (reader != NULL && IoSetCancelRoutine(reader, NULL) != NULL) {
        extension->Pending = NULL;
        RtlCopyMemory(Memory(device, reader), extension->Data, extension->Kept);
        Complete(reader, STATUS_SUCCESS, extension->Kept);
        extension->Kept = 0;
    }
    return Complete(irp, STATUS_SUCCESS, length);
}

static NTSTATUS Control(PDEVICE_OBJECT device, PIRP irp)
{
    PEXTENSION extension = device->DeviceExtension;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    ULONG in = stack->Parameters.DeviceIoControl.InputBufferLength;
    ULONG out = stack->Parameters.DeviceIoControl.OutputBufferLength;
    PULONG system = irp->AssociatedIrp.SystemBuffer;

    switch (stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_BUFFERED:
        if (out < 5 * sizeof(ULONG)) {
            return Complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
        }
        system[0] = extension->Start;
        system[1] = extension->Length;
        system[2] = extension->Spi;
        system[3] = extension->Line;
        system[4] = (ULONG)extension->Power;
        return Complete(irp, STATUS_SUCCESS, 5 * sizeof(ULONG));
    case IOCTL_OUT_DIRECT:
        RtlCopyMemory(MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority), system, min(in, out));
        return Complete(irp, STATUS_SUCCESS, min(in, out));
    case IOCTL_NEITHER:
        RtlCopyMemory(irp->UserBuffer, stack->Parameters.DeviceIoControl.Type3InputBuffer, min(in, out));
        return Complete(irp, STATUS_SUCCESS, min(in, out));
    case IOCTL_FLAGS:
        device->Flags &= ~(ULONG)(DO_BUFFERED_IO | DO_DIRECT_IO);
        device->Flags |= system[0];
        return Complete(irp, STATUS_SUCCESS, 0);
    case IOCTL_FAIL:
        return Complete(irp, (NTSTATUS)system[0], 0);
    default:
        return Complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static NTSTATUS CleanUp(PDEVICE_OBJECT device, PIRP irp)
{
    PEXTENSION extension = device->DeviceExtension;
    PIRP reader = extension->Pending;

    if (reader != NULL && IoSetCancelRoutine(reader, NULL) != NULL) {
        extension->Pending = NULL;
        Complete(reader, STATUS_CANCELLED, 0);
    }
    return Complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS OpenClose(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    return Complete(irp, STATUS_SUCCESS, 0);
}

/* ---- the driver ---- */

static NTSTATUS AddDevice(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{ /* NOT_ATTACHED STILL_INITIALIZING */
    PDEVICE_OBJECT device;
    PEXTENSION extension;
    NTSTATUS status;

    /* clang-format off */
    status = IoCreateDevice(driver, sizeof(EXTENSION), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device); /* LEAVES_DEVICE */
    /* clang-format on */
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (Mistake == ADD_FAILS) {
        IoDeleteDevice(device);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    extension = device->DeviceExtension;
    if (Mistake == NOT_ATTACHED) {
        IoDeleteDevice(device);
        return STATUS_SUCCESS;
    }
    extension->Below = IoAttachDeviceToDeviceStack(device, physical);
    device->Flags |= DO_BUFFERED_IO;
    if (Mistake != STILL_INITIALIZING) {
        device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    }
    return STATUS_SUCCESS;
}

static VOID Unload(PDRIVER_OBJECT driver)
{
    DbgPrint("bye from %wZ\n", &driver->DriverName);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path);
NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    UNREFERENCED_PARAMETER(path);
    driver->DriverExtension->AddDevice = AddDevice;
    driver->DriverUnload = Unload;
    driver->MajorFunction[IRP_MJ_CREATE] = OpenClose;
    driver->MajorFunction[IRP_MJ_CLOSE] = OpenClose;
    driver->MajorFunction[IRP_MJ_CLEANUP] = CleanUp;
    driver->MajorFunction[IRP_MJ_READ] = Read;
    driver->MajorFunction[IRP_MJ_WRITE] = Write;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    driver->MajorFunction[IRP_MJ_PNP] = Pnp;
    driver->MajorFunction[IRP_MJ_POWER] = PowerIrp;
    return STATUS_SUCCESS;
}

static NTSTATUS SetMistake(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    UNREFERENCED_PARAMETER(reply);
    Mistake = argument[0];
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(mistake, "number", SetMistake);
