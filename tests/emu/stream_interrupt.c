/* SPDX-License-Identifier: Apache-2.0 */
/* A driver that takes what the stream device receives byte by byte, when it interrupts. */
#include <dmav3.h>
#include <dmav3_board.h>

#define REGISTER(address) ((volatile ULONG *)(ULONG_PTR)(address))
#define DATA              ((volatile UCHAR *)(ULONG_PTR)DMAV3_STREAM_DATA)

static struct {
    ULONG interrupts, causes, bytes, sum;
} Seen;

static VOID Interrupt(PVOID Context)
{
    ULONG Causes = *REGISTER(DMAV3_STREAM_INTERRUPT_STATUS);

    (void)Context;
    Seen.interrupts++;
    Seen.causes |= Causes;
    while (*REGISTER(DMAV3_STREAM_STATUS) & DMAV3_STREAM_DATA_IN) {
        Seen.sum += *DATA;
        Seen.bytes++;
    }
    *REGISTER(DMAV3_STREAM_INTERRUPT_STATUS) = Causes;
}

static VOID Acknowledge(PVOID Context)
{
    (void)Context;
    Seen.interrupts++;
    *REGISTER(DMAV3_STREAM_INTERRUPT_STATUS) = ~0u;
}

static NTSTATUS Listen(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    NTSTATUS status = dmav3_connect_interrupt(DMAV3_STREAM_SPI, argument[1] ? Interrupt : Acknowledge, NULL);

    (void)reply;
    *REGISTER(DMAV3_STREAM_INTERRUPT_ENABLE) = (ULONG)argument[0];
    return status;
}
DMAV3_COMMAND(listen, "causes takes_data", Listen);

static NTSTATUS Show(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    dmav3_reply_value(reply, "interrupts", Seen.interrupts);
    dmav3_reply_value(reply, "causes", Seen.causes);
    dmav3_reply_value(reply, "bytes", Seen.bytes);
    dmav3_reply_value(reply, "sum", Seen.sum);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(seen, "", Show);
