/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: each in one block of memory with its extension. */
#include "nt/device.h"

#include <dmav3_board.h>

#include "hal/memory.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { DEVICE_OBJECT_TYPE = 3 };

struct device {
    DEVICE_OBJECT object; /* first; the extension is behind it */
    LIST_ENTRY entry;
    uintptr_t caller;
    uint32_t command;
    ULONG line;
};

static LIST_ENTRY devices = {&devices, &devices};

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = devices.Flink; at != &devices; at = at->Flink) {
        const struct device *device = CONTAINING_RECORD(at, struct device, entry);

        const struct dma_live told =
            live_of("device", (uintptr_t)device,
                    &(struct routine_place){OPLOG_IoCreateDevice, device->caller, device->command});

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

static struct device *find(const DEVICE_OBJECT *object)
{
    for (PLIST_ENTRY at = devices.Flink; at != &devices; at = at->Flink) {
        struct device *device = CONTAINING_RECORD(at, struct device, entry);

        if (&device->object == object) {
            return device;
        }
    }
    return NULL;
}

NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                        DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                        PDEVICE_OBJECT *DeviceObject)
{
    size_t size = ALIGN_UP_BY(sizeof(struct device), MEMORY_ALLOCATION_ALIGNMENT);
    struct device *device;

    (void)DeviceName;
    (void)NT_AT_MOST(IoCreateDevice, APC_LEVEL);
    device = memory_allocate(size + DeviceExtensionSize);
    if (device == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    device->caller = NT_CALLER;
    device->command = origin_now();
    device->object.Type = DEVICE_OBJECT_TYPE;
    device->object.Size = (USHORT)(sizeof(DEVICE_OBJECT) + DeviceExtensionSize);
    device->object.DriverObject = DriverObject;
    device->object.NextDevice = DriverObject->DeviceObject;
    device->object.Flags = (ULONG)(DO_DEVICE_INITIALIZING | (Exclusive ? DO_EXCLUSIVE : 0));
    device->object.Characteristics = DeviceCharacteristics;
    device->object.DeviceExtension = DeviceExtensionSize != 0 ? (PUCHAR)device + size : NULL;
    device->object.DeviceType = DeviceType;
    device->object.StackSize = 1;
    device->line = DEVICE_NO_LINE;
    KeInitializeDeviceQueue(&device->object.DeviceQueue);
    KeInitializeEvent(&device->object.DeviceLock, SynchronizationEvent, TRUE);
    DriverObject->DeviceObject = &device->object;
    InsertTailList(&devices, &device->entry);
    live_add(&source);
    *DeviceObject = &device->object;
    return STATUS_SUCCESS;
}

void IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    struct device *device = find(DeviceObject);

    (void)NT_AT_MOST(IoDeleteDevice, APC_LEVEL);
    if (device == NULL) {
        NT_MISTAKE(IoDeleteDevice, VIOLATION_NOT_INITIALIZED, (uintptr_t)DeviceObject, 0);
        return;
    }
    PDEVICE_OBJECT *at = &DeviceObject->DriverObject->DeviceObject;

    while (*at != NULL && *at != DeviceObject) {
        at = &(*at)->NextDevice;
    }
    if (*at != NULL) {
        *at = DeviceObject->NextDevice;
    }
    RemoveEntryList(&device->entry);
    memory_release(device);
}

PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice)
{
    (void)NT_AT_MOST(IoAttachDeviceToDeviceStack, DISPATCH_LEVEL);
    while (TargetDevice->AttachedDevice != NULL) {
        TargetDevice = TargetDevice->AttachedDevice;
    }
    TargetDevice->AttachedDevice = SourceDevice;
    SourceDevice->StackSize = (CCHAR)(TargetDevice->StackSize + 1);
    SourceDevice->AlignmentRequirement = TargetDevice->AlignmentRequirement;
    return TargetDevice;
}

void IoDetachDevice(PDEVICE_OBJECT TargetDevice)
{
    (void)NT_AT_MOST(IoDetachDevice, PASSIVE_LEVEL);
    TargetDevice->AttachedDevice = NULL;
}

ULONG device_line(const DEVICE_OBJECT *object)
{
    const struct device *device = find(object);

    return device != NULL ? device->line : DEVICE_NO_LINE;
}

NTSTATUS dmav3_assign_line(PDEVICE_OBJECT PhysicalDeviceObject, ULONG spi)
{
    struct device *device = find(PhysicalDeviceObject);

    if (device == NULL) {
        return STATUS_NO_SUCH_DEVICE;
    }
    device->line = spi;
    return STATUS_SUCCESS;
}
