/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for QEMU's `edu` as a device of packets: it moves up to 4096 bytes between memory and its buffer,
 * 100 ms of virtual time each. What its registers allow beyond that buffer is never asked for: QEMU 10.0.2
 * would follow (its docs/specs/edu.rst). Addresses of memory are given in 32 bits.
 *
 * A command ends when the device has: with nothing under way between commands, runs are repeatable.
 */
#include <dmav3.h>
#include <dmav3_pci.h>

enum { INTERRUPT_STATUS = 0x24, INTERRUPT_ACKNOWLEDGE = 0x64, COMMAND = 0x98 };
enum { SOURCE = 0x80, DESTINATION = 0x88, COUNT = 0x90 };
enum { RUN = 1, TO_MEMORY = 2, INTERRUPT = 4 };
enum { BUFFER = 0x40000, BUFFER_BYTES = 4096 };
#define EDU_ID     DMAV3_PCI_ID(0x1234, 0x11E8)
#define TIMEOUT_NS 1000000000ull

static struct dmav3_pci edu;
static BOOLEAN is_open;
static ULONG interrupts;

static volatile ULONG *at(ULONG offset)
{
    return (volatile ULONG *)(edu.bar[0] + offset);
}

static BOOLEAN has_stopped(PVOID context)
{
    (void)context;
    return (READ_REGISTER_ULONG(at(COMMAND)) & RUN) == 0;
}

static VOID interrupted(PVOID context)
{
    (void)context;
    interrupts++;
    WRITE_REGISTER_ULONG(at(INTERRUPT_ACKNOWLEDGE), READ_REGISTER_ULONG(at(INTERRUPT_STATUS)));
}

static NTSTATUS start(BOOLEAN message)
{
    NTSTATUS status = dmav3_pci_find(EDU_ID, 0, &edu);

    if (NT_SUCCESS(status)) {
        status = dmav3_pci_enable(&edu);
    }
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!dmav3_wait(TIMEOUT_NS, has_stopped, NULL)) { /* a reset of the machine does not stop it */
        return STATUS_IO_TIMEOUT;
    }
    interrupted(NULL); /* whatever was before */
    interrupts = 0;
    return message ? dmav3_pci_connect(&edu, interrupted, NULL)
                   : dmav3_pci_connect_pin(&edu, interrupted, NULL);
}

static NTSTATUS open_edu(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    NTSTATUS status = is_open ? STATUS_SUCCESS : start(argument[0] != 0);

    (void)reply;
    is_open = NT_SUCCESS(status);
    return status;
}
DMAV3_COMMAND(edu_open, "message", open_edu);

static NTSTATUS move(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONGLONG memory = argument[0], bytes = argument[1], place = BUFFER + argument[2];
    BOOLEAN to_memory = argument[3] != 0;

    if (!is_open) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if (memory > UINT32_MAX || bytes == 0 || bytes > BUFFER_BYTES || argument[2] > BUFFER_BYTES - bytes) {
        return STATUS_INVALID_PARAMETER;
    }
    WRITE_REGISTER_ULONG(at(SOURCE), (ULONG)(to_memory ? place : memory));
    WRITE_REGISTER_ULONG(at(DESTINATION), (ULONG)(to_memory ? memory : place));
    WRITE_REGISTER_ULONG(at(COUNT), (ULONG)bytes);
    WRITE_REGISTER_ULONG(at(COMMAND), RUN | INTERRUPT | (to_memory ? TO_MEMORY : 0));
    if (!dmav3_wait(TIMEOUT_NS, has_stopped, NULL)) {
        return STATUS_IO_TIMEOUT;
    }
    dmav3_reply_value(reply, "interrupts", interrupts);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(edu_move, "address bytes buffer_offset to_memory", move);
