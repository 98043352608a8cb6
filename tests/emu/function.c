/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver does with a PCI function, a step in each command, for test_python_function.py. */
#include <dmav3.h>
#include <dmav3_pci.h>
#include <wdm.h>

enum { VECTORS = 4, DOORBELL = 8, LINE = 64 };

static struct dmav3_pci Function;
static ULONG Came[VECTORS];
static PKINTERRUPT Interrupt;
static UCHAR Buffer[LINE] __attribute__((aligned(LINE)));

static VOID Count(PVOID context)
{
    ++*(ULONG *)context;
}

static BOOLEAN Serve(PKINTERRUPT interrupt, PVOID context)
{
    (void)interrupt;
    Count(context);
    return TRUE;
}

static NTSTATUS Find(const ULONGLONG *index, struct dmav3_reply *reply)
{
    NTSTATUS status = dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x5678), (ULONG)*index, &Function);

    dmav3_reply_value(reply, "slot", Function.slot);
    dmav3_reply_value(reply, "class", Function.class_code);
    return status;
}
DMAV3_COMMAND(find, "index", Find);

static NTSTATUS Enable(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    NTSTATUS status = dmav3_pci_enable(&Function);

    (void)argument;
    dmav3_reply_value(reply, "bar", Function.bar[0]);
    return status;
}
DMAV3_COMMAND(enable, "", Enable);

static NTSTATUS Disable(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    dmav3_pci_disable(&Function);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(disable, "", Disable);

static NTSTATUS Configuration(const ULONGLONG *offset, struct dmav3_reply *reply)
{
    dmav3_reply_value(reply, "value", dmav3_pci_read(&Function, (ULONG)*offset));
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(configuration, "offset", Configuration);

/* One message for all vectors. */
static NTSTATUS ConnectOne(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return dmav3_pci_connect(&Function, Count, &Came[0]);
}
DMAV3_COMMAND(connect_one, "", ConnectOne);

static NTSTATUS ConnectVector(const ULONGLONG *vector, struct dmav3_reply *reply)
{
    (void)reply;
    return dmav3_pci_connect_vector(&Function, (ULONG)*vector, Count, &Came[*vector % VECTORS]);
}
DMAV3_COMMAND(connect_vector, "vector", ConnectVector);

/* As a driver does that knows the line of its message. */
static NTSTATUS ConnectLine(const ULONGLONG *vector, struct dmav3_reply *reply)
{
    ULONG line = 0;
    NTSTATUS status = dmav3_pci_message(&Function, (ULONG)*vector, &line);

    (void)reply;
    return NT_SUCCESS(status)
               ? IoConnectInterrupt(&Interrupt, Serve, &Came[*vector % VECTORS], NULL, line, DMAV3_DEVICE_LEVEL,
                                    DMAV3_DEVICE_LEVEL, Latched, FALSE, 1, FALSE)
               : status;
}
DMAV3_COMMAND(connect_line, "vector", ConnectLine);

static NTSTATUS DisconnectLine(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    IoDisconnectInterrupt(Interrupt);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(disconnect_line, "", DisconnectLine);

static NTSTATUS Counts(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    static const char *const names[VECTORS] = {"0", "1", "2", "3"};

    (void)argument;
    for (ULONG n = 0; n < VECTORS; n++) {
        dmav3_reply_value(reply, names[n], Came[n]);
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(counts, "", Counts);

/* The device is to read what no clean has covered. */
static NTSTATUS Race(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    Buffer[0] = 1; /* RACE */
    WRITE_REGISTER_ULONG((volatile ULONG *)(Function.bar[0] + DOORBELL), (ULONG)(ULONG_PTR)Buffer);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(race, "", Race);
