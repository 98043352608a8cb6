/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands by which a test drives a driver whole. They are linked with an image whose sources define
 * DriverEntry, and need the rest of firmware/nt.
 */
#include <dmav3.h>
#include <wdm.h>

#include "hal/ident.h"
#include "layer/irql.h"
#include "nt/bus.h"
#include "nt/driver.h"
#include "nt/sent.h"

static NTSTATUS AddResource(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    CM_PARTIAL_RESOURCE_DESCRIPTOR resource = {.Type = (UCHAR)argument[0],
                                               .ShareDisposition = CmResourceShareDeviceExclusive};

    (void)reply;
    switch (argument[0]) {
    case CmResourceTypeMemory:
        resource.Flags = CM_RESOURCE_MEMORY_READ_WRITE;
        resource.u.Memory.Start.QuadPart = (LONGLONG)argument[1];
        resource.u.Memory.Length = (ULONG)argument[2];
        break;
    case CmResourceTypeInterrupt:
        resource.Flags =
            argument[2] != 0 ? CM_RESOURCE_INTERRUPT_LATCHED : CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE;
        resource.u.Interrupt.Level = IRQL_DEVICE;
        resource.u.Interrupt.Vector = (ULONG)argument[1];
        resource.u.Interrupt.Affinity = 1;
        break;
    case CmResourceTypeDma:
        resource.Flags = CM_RESOURCE_DMA_V3;
        resource.u.DmaV3.RequestLine = (ULONG)argument[1];
        resource.u.DmaV3.Channel = (ULONG)argument[2];
        resource.u.DmaV3.TransferWidth = Width8Bits;
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    return bus_add_resource(&resource) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
DMAV3_COMMAND(driver_resource, "type first second", AddResource);

static NTSTATUS Load(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    enum driver_step step;
    NTSTATUS status = driver_load(&step);

    (void)argument;
    dmav3_reply_value(reply, "step", step);
    return status;
}
DMAV3_COMMAND(driver_load, "", Load);

static NTSTATUS Unload(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return driver_unload();
}
DMAV3_COMMAND(driver_unload, "", Unload);

static NTSTATUS Send(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    const struct sending what = {.major = (UCHAR)argument[0],
                                 .minor = (UCHAR)argument[1],
                                 .code = argument[2],
                                 .input = (PVOID)(ULONG_PTR)argument[3],
                                 .input_size = (ULONG)argument[4],
                                 .output = (PVOID)(ULONG_PTR)argument[5],
                                 .output_size = (ULONG)argument[6]};
    NTSTATUS returned = STATUS_SUCCESS;

    if (argument[0] > IRP_MJ_MAXIMUM_FUNCTION) {
        return STATUS_INVALID_PARAMETER;
    }
    const struct sent *sent = sent_send(&what, &returned);

    if (sent == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    dmav3_reply_value(reply, "request", sent->number);
    dmav3_reply_value(reply, "irp", (ULONG_PTR)sent->irp);
    return returned;
}
DMAV3_COMMAND(driver_send, "major minor code input input_size output output_size", Send);

static BOOLEAN HasEnded(PVOID context)
{
    return ((const struct sent *)context)->has_ended;
}

static NTSTATUS Await(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    struct sent *sent = sent_find((ULONG)argument[0]);

    if (sent == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    bool has_ended = sent->has_ended || dmav3_wait(argument[1], HasEnded, sent);

    dmav3_reply_value(reply, "since", sent->since);
    dmav3_reply_value(reply, "until", has_ended ? sent->until : ident_time());
    dmav3_reply_value(reply, "information", has_ended ? sent->result.Information : 0);
    return has_ended ? sent->result.Status : STATUS_PENDING;
}
DMAV3_COMMAND(driver_wait, "request nanoseconds", Await);

static NTSTATUS Cancel(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    struct sent *sent = sent_find((ULONG)argument[0]);

    if (sent == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    dmav3_reply_value(reply, "called", sent_cancel(sent));
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(driver_cancel, "request", Cancel);

static NTSTATUS Forget(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    struct sent *sent = sent_find((ULONG)argument[0]);

    (void)reply;
    if (sent == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    return sent_forget(sent) ? STATUS_SUCCESS : STATUS_DEVICE_BUSY;
}
DMAV3_COMMAND(driver_forget, "request", Forget);
