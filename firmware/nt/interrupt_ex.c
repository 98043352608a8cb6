/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IoConnectInterruptEx: the line is named, or is that of the device. No device of the board interrupts by
 * messages that this kernel delivers; one that has a line uses the routine that its driver gave for that case.
 */
#include "nt/device.h"
#include "nt/interrupt.h"
#include "nt/nt.h"

static NTSTATUS connect_line(uintptr_t caller, PDEVICE_OBJECT device, struct interrupt_wish wish)
{
    ULONG line = device_line(device);

    if (line == DEVICE_NO_LINE) {
        refuse_in(OPLOG_IoConnectInterruptEx, caller, STATUS_NOT_FOUND,
                  "the device object {0:#x} has no interrupt line: dmav3_assign_line gives it one",
                  (uintptr_t)device, 0);
        return STATUS_NOT_FOUND;
    }
    wish.line = line;
    wish.mode = LevelSensitive;
    return interrupt_connect(OPLOG_IoConnectInterruptEx, caller, &wish);
}

static NTSTATUS connect_message(uintptr_t caller, PIO_CONNECT_INTERRUPT_PARAMETERS parameters)
{
    PDEVICE_OBJECT device = parameters->MessageBased.PhysicalDeviceObject;

    if (parameters->MessageBased.FallBackServiceRoutine == NULL || device_line(device) == DEVICE_NO_LINE) {
        refuse_in(OPLOG_IoConnectInterruptEx, caller, STATUS_NOT_SUPPORTED,
                  "the device object {0:#x} has no messages, and no line for a FallBackServiceRoutine: use "
                  "CONNECT_FULLY_SPECIFIED or CONNECT_LINE_BASED",
                  (uintptr_t)device, 0);
        return STATUS_NOT_SUPPORTED;
    }
    parameters->Version = CONNECT_LINE_BASED;
    return connect_line(
        caller, device,
        (struct interrupt_wish){.object = parameters->MessageBased.ConnectionContext.InterruptObject,
                                .routine = parameters->MessageBased.FallBackServiceRoutine,
                                .context = parameters->MessageBased.ServiceContext});
}

NTSTATUS IoConnectInterruptEx(PIO_CONNECT_INTERRUPT_PARAMETERS Parameters)
{
    (void)NT_AT_MOST(IoConnectInterruptEx, PASSIVE_LEVEL);
    switch (Parameters->Version) {
    case CONNECT_FULLY_SPECIFIED:
    case CONNECT_FULLY_SPECIFIED_GROUP:
        return interrupt_connect(OPLOG_IoConnectInterruptEx, NT_CALLER,
                                 &(struct interrupt_wish){Parameters->FullySpecified.InterruptObject,
                                                          Parameters->FullySpecified.ServiceRoutine,
                                                          Parameters->FullySpecified.ServiceContext,
                                                          Parameters->FullySpecified.Vector,
                                                          Parameters->FullySpecified.InterruptMode});
    case CONNECT_LINE_BASED:
        return connect_line(NT_CALLER, Parameters->LineBased.PhysicalDeviceObject,
                            (struct interrupt_wish){.object = Parameters->LineBased.InterruptObject,
                                                    .routine = Parameters->LineBased.ServiceRoutine,
                                                    .context = Parameters->LineBased.ServiceContext});
    case CONNECT_MESSAGE_BASED:
        return connect_message(NT_CALLER, Parameters);
    default:
        refuse_in(OPLOG_IoConnectInterruptEx, NT_CALLER, STATUS_NOT_SUPPORTED,
                  "Version {0} is none of CONNECT_FULLY_SPECIFIED, CONNECT_LINE_BASED, CONNECT_MESSAGE_BASED",
                  Parameters->Version, 0);
        Parameters->Version = CONNECT_FULLY_SPECIFIED; /* what the caller may try instead */
        return STATUS_NOT_SUPPORTED;
    }
}

void IoDisconnectInterruptEx(PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters)
{
    (void)NT_AT_MOST(IoDisconnectInterruptEx, PASSIVE_LEVEL);
    interrupt_disconnect(OPLOG_IoDisconnectInterruptEx, NT_CALLER,
                         Parameters->ConnectionContext.InterruptObject);
}
