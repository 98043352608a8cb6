/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/driver.h"

#include <string.h>

#include "layer/irql.h"
#include "nt/bus.h"
#include "nt/nt.h"

enum { DRIVER_OBJECT_TYPE = 4 };

DRIVER_INITIALIZE DriverEntry;

static DRIVER_OBJECT driver;
static DRIVER_EXTENSION extension;
static bool loaded;

static void initialize(void)
{
    static const UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Driver\\Driver");

    memset(&driver, 0, sizeof driver);
    extension = (DRIVER_EXTENSION){.DriverObject = &driver};
    driver.Type = DRIVER_OBJECT_TYPE;
    driver.Size = sizeof driver;
    driver.DriverExtension = &extension;
    driver.DriverName = name;
    driver.DriverInit = DriverEntry;
}

/* What AddDevice has to have done with its device. */
static void check_device(void)
{
    uintptr_t routine = (uintptr_t)extension.AddDevice;

    if (bus_top() == bus_device()) {
        violation_report_in(OPLOG_AddDevice, routine, VIOLATION_ADD_DEVICE, VIOLATION_NOT_ATTACHED, 0);
    } else if ((bus_top()->Flags & DO_DEVICE_INITIALIZING) != 0) {
        violation_report_in(OPLOG_AddDevice, routine, VIOLATION_ADD_DEVICE, VIOLATION_STILL_INITIALIZING,
                            (uintptr_t)bus_top());
    }
}

static NTSTATUS enter(void)
{
    UNICODE_STRING path =
        RTL_CONSTANT_STRING(L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Driver");
    KIRQL level = KeGetCurrentIrql();

    initialize();

    NTSTATUS status = DriverEntry(&driver, &path);

    nt_returned(OPLOG_DispatchRoutine, (uintptr_t)DriverEntry, level);
    return status;
}

static NTSTATUS add_device(void)
{
    KIRQL level = KeGetCurrentIrql();

    if (extension.AddDevice == NULL) {
        return STATUS_NOT_SUPPORTED;
    }
    NTSTATUS status = extension.AddDevice(&driver, bus_device());

    nt_returned(OPLOG_AddDevice, (uintptr_t)extension.AddDevice, level);
    if (NT_SUCCESS(status)) {
        check_device();
    }
    return status;
}

NTSTATUS driver_load(enum driver_step *step)
{
    NTSTATUS status;

    *step = DRIVER_STEP_NONE;
    if (loaded) {
        return STATUS_DEVICE_BUSY;
    }
    *step = DRIVER_STEP_ENTRY;
    status = enter();
    if (NT_SUCCESS(status)) {
        loaded = true;
        *step = DRIVER_STEP_ADD;
        status = add_device();
        if (!NT_SUCCESS(status)) {
            (void)driver_unload();
            loaded = false;
        }
    }
    return status;
}

NTSTATUS driver_unload(void)
{
    KIRQL level = KeGetCurrentIrql();

    if (!loaded) {
        return STATUS_DEVICE_NOT_READY;
    }
    if (driver.DriverUnload == NULL) {
        return STATUS_NOT_SUPPORTED;
    }
    driver.DriverUnload(&driver);
    nt_returned(OPLOG_DriverUnload, (uintptr_t)driver.DriverUnload, level);
    loaded = false;
    return STATUS_SUCCESS;
}

PDRIVER_DISPATCH driver_routine(UCHAR major)
{
    return driver.MajorFunction[major];
}
