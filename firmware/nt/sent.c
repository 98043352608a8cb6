/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/sent.h"

#include <string.h>

#include "hal/ident.h"
#include "hal/memory.h"
#include "layer/mdl.h"
#include "nt/bus.h"
#include "nt/driver.h"
#include "nt/irp.h"
#include "nt/nt.h"

enum { FILE_OBJECT_TYPE = 5, OF_DEVICE = 0x100 };

static LIST_ENTRY requests = {&requests, &requests};
static ULONG last_number;
static PFILE_OBJECT file; /* NULL: the device is not open */

struct sent *sent_find(ULONG number)
{
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        struct sent *sent = CONTAINING_RECORD(at, struct sent, entry);

        if (sent->number == number) {
            return sent;
        }
    }
    return NULL;
}

/* ---- the end ---- */

/* The caller's bytes that the driver may say it has moved; no limit where they are no transfer. */
static ULONG_PTR most_information(const struct sending *what)
{
    switch (what->major) {
    case IRP_MJ_READ:
        return what->output_size;
    case IRP_MJ_WRITE:
        return what->input_size;
    case IRP_MJ_DEVICE_CONTROL:
        return METHOD_FROM_CTL_CODE(what->code) == METHOD_BUFFERED ? what->output_size : MAXULONG;
    default:
        return MAXULONG;
    }
}

static void give_output(const struct sent *sent)
{
    ULONG_PTR bytes = min(sent->result.Information, (ULONG_PTR)sent->what.output_size);
    bool is_control = sent->what.major == IRP_MJ_DEVICE_CONTROL;

    if (sent->system_buffer != NULL && !NT_ERROR(sent->result.Status) && bytes > 0 &&
        (sent->what.major == IRP_MJ_READ ||
         (is_control && METHOD_FROM_CTL_CODE(sent->what.code) == METHOD_BUFFERED))) {
        memcpy(sent->what.output, sent->system_buffer, bytes);
    }
}

static void check_end(const struct sent *sent, uintptr_t caller)
{
    bool passes = sent->what.major == IRP_MJ_PNP || sent->what.major == IRP_MJ_POWER;

    if (sent->result.Information > most_information(&sent->what)) {
        violation_report_in(OPLOG_IofCompleteRequest, caller, VIOLATION_INFORMATION, sent->result.Information,
                            most_information(&sent->what));
    }
    if (passes && NT_SUCCESS(sent->result.Status) && !bus_was_reached_by(sent->irp)) {
        violation_report_in(OPLOG_DispatchRoutine, (uintptr_t)driver_routine(sent->what.major),
                            VIOLATION_NOT_PASSED_ON, sent->what.major, sent->what.minor);
    }
}

static void free_mdls(PIRP irp)
{
    while (irp->MdlAddress != NULL) {
        PMDL mdl = irp->MdlAddress;

        irp->MdlAddress = mdl->Next;
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    }
}

/* From its completion on a request is nobody's, and who touches it is found by the cache model, as with a
 * buffer that is a device's. */
static void watch(PIRP irp, uintptr_t caller)
{
    const struct oplog_mapping mapping = {
        .handle = irp, .mapping = irp, .maker = OPLOG_IofCompleteRequest, .caller = caller};
    uint64_t physical;

    if (memory_translate((uintptr_t)irp, &physical)) {
        uint32_t size = irp->Size;

        oplog_mapping(&mapping);
        oplog_range(OPLOG_RANGE_MAPPED, irp, physical, physical, size, false);
    }
}

static void ended(PIRP irp, uintptr_t caller)
{
    struct sent *sent = NULL;

    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        if (CONTAINING_RECORD(at, struct sent, entry)->irp == irp) {
            sent = CONTAINING_RECORD(at, struct sent, entry);
        }
    }
    if (sent == NULL) {
        return;
    }
    sent->result = irp->IoStatus;
    sent->until = ident_time();
    sent->has_ended = true;
    check_end(sent, caller);
    give_output(sent);
    free_mdls(irp);
    memory_release(sent->system_buffer);
    sent->system_buffer = NULL;
    if (sent->what.major == IRP_MJ_CLOSE ||
        (sent->what.major == IRP_MJ_CREATE && !NT_SUCCESS(sent->result.Status))) {
        memory_release(file);
        file = NULL;
    }
    watch(irp, caller);
}

/* ---- the beginning ---- */

/* A buffer of the system's, with the caller's input in it. */
static bool buffer(struct sent *sent, ULONG size)
{
    if (size == 0) {
        return true;
    }
    sent->system_buffer = memory_allocate(size);
    sent->irp->AssociatedIrp.SystemBuffer = sent->system_buffer;
    if (sent->system_buffer == NULL) {
        return false;
    }
    memcpy(sent->system_buffer, sent->what.input, sent->what.input_size);
    return true;
}

static bool lock(struct sent *sent, PVOID memory, ULONG size, LOCK_OPERATION operation)
{
    if (size == 0) {
        return true;
    }
    PMDL mdl = IoAllocateMdl(memory, size, FALSE, FALSE, NULL);

    if (mdl == NULL) {
        return false;
    }
    mdl_leave_untold(mdl);
    MmProbeAndLockPages(mdl, UserMode, operation);
    sent->irp->MdlAddress = mdl;
    return true;
}

static bool prepare_transfer(struct sent *sent, PIO_STACK_LOCATION location)
{
    const struct sending *what = &sent->what;
    bool is_read = what->major == IRP_MJ_READ;
    PVOID memory = is_read ? what->output : what->input;
    ULONG flags = bus_top()->Flags, size = is_read ? what->output_size : what->input_size;

    location->Parameters.Read.Length = size; /* that of Write is at the same place */
    location->Parameters.Read.ByteOffset.QuadPart = (LONGLONG)what->code;
    sent->irp->UserBuffer = memory;
    if ((flags & DO_BUFFERED_IO) != 0) {
        return buffer(sent, size);
    }
    return (flags & DO_DIRECT_IO) == 0 || lock(sent, memory, size, is_read ? IoWriteAccess : IoReadAccess);
}

static bool prepare_control(struct sent *sent, PIO_STACK_LOCATION location)
{
    const struct sending *what = &sent->what;
    ULONG method = METHOD_FROM_CTL_CODE((ULONG)what->code);

    location->Parameters.DeviceIoControl.OutputBufferLength = what->output_size;
    location->Parameters.DeviceIoControl.InputBufferLength = what->input_size;
    location->Parameters.DeviceIoControl.IoControlCode = (ULONG)what->code;
    sent->irp->UserBuffer = what->output;
    switch (method) {
    case METHOD_BUFFERED:
        return buffer(sent, max(what->input_size, what->output_size));
    case METHOD_NEITHER:
        location->Parameters.DeviceIoControl.Type3InputBuffer = what->input;
        return true;
    default:
        return buffer(sent, what->input_size) &&
               lock(sent, what->output, what->output_size,
                    method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess);
    }
}

static bool open_file(PIO_STACK_LOCATION location)
{
    file = memory_allocate(sizeof *file);
    if (file == NULL) {
        return false;
    }
    file->Type = FILE_OBJECT_TYPE;
    file->Size = sizeof *file;
    file->DeviceObject = bus_device();
    file->ReadAccess = file->WriteAccess = TRUE;
    location->Parameters.Create.ShareAccess = 0;
    return true;
}

static void prepare_power(const struct sending *what, PIO_STACK_LOCATION location)
{
    location->Parameters.Power.Type = (what->code & OF_DEVICE) != 0 ? DevicePowerState : SystemPowerState;
    location->Parameters.Power.State.SystemState = (SYSTEM_POWER_STATE)(what->code & (OF_DEVICE - 1));
}

static void prepare_start(PIO_STACK_LOCATION location)
{
    static struct bus_resources raw, translated;

    bus_list_resources(&raw, false);
    bus_list_resources(&translated, true);
    location->Parameters.StartDevice.AllocatedResources = raw.list.Count != 0 ? &raw.list : NULL;
    location->Parameters.StartDevice.AllocatedResourcesTranslated =
        raw.list.Count != 0 ? &translated.list : NULL;
}

static bool prepare(struct sent *sent)
{
    PIO_STACK_LOCATION location = IoGetNextIrpStackLocation(sent->irp);

    location->MajorFunction = sent->what.major;
    location->MinorFunction = sent->what.minor;
    location->FileObject = file;
    sent->irp->RequestorMode = UserMode;
    sent->irp->Tail.Overlay.Thread = (PETHREAD)KeGetCurrentThread();
    switch (sent->what.major) {
    case IRP_MJ_CREATE:
        return open_file(location) && (location->FileObject = file) != NULL;
    case IRP_MJ_READ:
    case IRP_MJ_WRITE:
        return prepare_transfer(sent, location);
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL:
        return prepare_control(sent, location);
    case IRP_MJ_PNP:
    case IRP_MJ_POWER:
    case IRP_MJ_SYSTEM_CONTROL:
        sent->irp->RequestorMode = KernelMode;
        sent->irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
        location->FileObject = NULL;
        if (sent->what.major == IRP_MJ_POWER) {
            prepare_power(&sent->what, location);
        } else if (sent->what.major == IRP_MJ_PNP && sent->what.minor == IRP_MN_START_DEVICE) {
            prepare_start(location);
        }
        return true;
    default:
        return true;
    }
}

static void release(struct sent *sent)
{
    RemoveEntryList(&sent->entry);
    if (sent->has_ended) {
        oplog_unmapped(sent->irp, sent->irp, false);
    }
    if (sent->irp != NULL) {
        free_mdls(sent->irp);
        IoFreeIrp(sent->irp);
    }
    memory_release(sent->system_buffer);
    memory_release(sent);
}

struct sent *sent_send(const struct sending *what, NTSTATUS *returned)
{
    struct sent *sent = memory_allocate(sizeof *sent);

    if (sent == NULL) {
        return NULL;
    }
    sent->number = ++last_number;
    sent->what = *what;
    sent->since = ident_time();
    InsertTailList(&requests, &sent->entry);
    sent->irp = irp_allocate_of_test(bus_top()->StackSize, ended);
    if (sent->irp == NULL || !prepare(sent)) {
        release(sent);
        return NULL;
    }
    bus_forget(sent->irp);
    *returned = IofCallDriver(bus_top(), sent->irp);
    return sent;
}

bool sent_cancel(struct sent *sent)
{
    return !sent->has_ended && IoCancelIrp(sent->irp);
}

bool sent_forget(struct sent *sent)
{
    if (sent->has_ended) {
        release(sent);
        return true;
    }
    return false;
}
