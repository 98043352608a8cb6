/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/bus.h"

#include "nt/nt.h"

/* The first shared interrupt of the GIC. */
enum { DEVICE_OBJECT_TYPE = 3, FIRST_SPI = 32, RESOURCES_MAX = 16 };

_Static_assert(sizeof(((struct bus_resources *)0)->others) / sizeof(CM_PARTIAL_RESOURCE_DESCRIPTOR) + 1 ==
                   RESOURCES_MAX,
               "room for all resources");

static DRIVER_DISPATCH answer_power, answer_pnp, leave_as_it_is;
static DRIVER_OBJECT driver = {.MajorFunction = {[IRP_MJ_POWER] = answer_power,
                                                 [IRP_MJ_PNP] = answer_pnp,
                                                 [IRP_MJ_SYSTEM_CONTROL] = leave_as_it_is}};
static DEVICE_OBJECT device = {.Type = DEVICE_OBJECT_TYPE,
                               .Size = sizeof(DEVICE_OBJECT),
                               .DriverObject = &driver,
                               .DeviceType = FILE_DEVICE_UNKNOWN,
                               .StackSize = 1};
static CM_PARTIAL_RESOURCE_DESCRIPTOR resource[RESOURCES_MAX];
static ULONG resource_count;
static const IRP *last;

PDEVICE_OBJECT bus_device(void)
{
    return &device;
}

PDEVICE_OBJECT bus_top(void)
{
    PDEVICE_OBJECT top = &device;

    while (top->AttachedDevice != NULL) {
        top = top->AttachedDevice;
    }
    return top;
}

void bus_forget(const IRP *irp)
{
    if (irp == last) {
        last = NULL;
    }
}

bool bus_was_reached_by(const IRP *irp)
{
    return irp == last;
}

/* ---- resources ---- */

bool bus_add_resource(const CM_PARTIAL_RESOURCE_DESCRIPTOR *added)
{
    if (resource_count == RESOURCES_MAX) {
        return false;
    }
    resource[resource_count++] = *added;
    return true;
}

void bus_list_resources(struct bus_resources *resources, bool translated)
{
    CM_FULL_RESOURCE_DESCRIPTOR *full = &resources->list.List[0];
    CM_PARTIAL_RESOURCE_DESCRIPTOR *to = full->PartialResourceList.PartialDescriptors;

    resources->list.Count = resource_count != 0;
    full->InterfaceType = Internal;
    full->BusNumber = 0;
    full->PartialResourceList.Version = full->PartialResourceList.Revision = 1;
    full->PartialResourceList.Count = resource_count;
    for (ULONG i = 0; i < resource_count; i++) {
        to[i] = resource[i];
        if (!translated && to[i].Type == CmResourceTypeInterrupt) {
            to[i].u.Interrupt.Level = to[i].u.Interrupt.Vector = resource[i].u.Interrupt.Vector + FIRST_SPI;
        }
    }
}

ULONG bus_line(ULONG otherwise)
{
    for (ULONG i = 0; i < resource_count; i++) {
        if (resource[i].Type == CmResourceTypeInterrupt) {
            return resource[i].u.Interrupt.Vector;
        }
    }
    return otherwise;
}

/* ---- requests ---- */

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    last = irp;
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS leave_as_it_is(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    (void)DeviceObject;
    return complete(Irp, Irp->IoStatus.Status);
}

static NTSTATUS answer_power(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UCHAR minor = IoGetCurrentIrpStackLocation(Irp)->MinorFunction;

    (void)DeviceObject;
    return complete(Irp, minor == IRP_MN_SET_POWER || minor == IRP_MN_QUERY_POWER ? STATUS_SUCCESS
                                                                                  : Irp->IoStatus.Status);
}

static NTSTATUS answer_pnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UCHAR minor = IoGetCurrentIrpStackLocation(Irp)->MinorFunction;

    (void)DeviceObject;
    return complete(Irp, minor <= IRP_MN_CANCEL_STOP_DEVICE || minor == IRP_MN_SURPRISE_REMOVAL
                             ? STATUS_SUCCESS
                             : Irp->IoStatus.Status);
}
