/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers on the scripted back end: flush, completion, levels. */
#include "check.h"
#include "fixture.h"

#include <string.h>

/* ---- the device's side ---- */

/* Map 64 bytes for such a device, and count the violations with that code; no other comes. */
static size_t doubts(DEVICE_DESCRIPTION description, BOOLEAN write, uint32_t code)
{
    fixture_reset();
    start(Width8Bits);
    adapter = get_adapter_for(description);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    CHECK_EQ(map(mdl, hold_channel(0), 0, 64, write), STATUS_SUCCESS);
    CHECK_EQ(scripted.program.device_address, description.DeviceAddress.QuadPart); /* it starts all the same */
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(fake_count(FAKE_VIOLATION), fake_count_id(FAKE_VIOLATION, code));
    return fake_count_id(FAKE_VIOLATION, code);
}

static DEVICE_DESCRIPTION at(ULONG line, uint64_t address)
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, 0);

    description.DmaRequestLine = line;
    description.DeviceAddress.QuadPart = (LONGLONG)address;
    return description;
}

TEST(a_transfer_of_a_known_device_names_its_register_and_line, "IGA-21")
{
    CHECK_EQ(doubts(at(SCRIPTED_TRANSMIT_LINE, SCRIPTED_REGISTER), TRUE, 0x56), 0);
    CHECK_EQ(doubts(at(SCRIPTED_RECEIVE_LINE, SCRIPTED_REGISTER), FALSE, 0x56), 0);
    CHECK_EQ(doubts(at(SCRIPTED_RECEIVE_LINE, SCRIPTED_REGISTER + 4), FALSE, 0x56), 1);
    CHECK_EQ(doubts(at(SCRIPTED_TRANSMIT_LINE, 0), TRUE, 0x56), 1);
    CHECK_EQ(doubts(at(SCRIPTED_TRANSMIT_LINE, SCRIPTED_REGISTER), FALSE, 0x57), 1);
    CHECK_EQ(doubts(at(SCRIPTED_RECEIVE_LINE, SCRIPTED_REGISTER), TRUE, 0x57), 1);
    CHECK_EQ(doubts(at(3, SCRIPTED_REGISTER), TRUE, 0x57), 1); /* the line of no device */
}

TEST(a_transfer_of_an_unknown_device_is_free, "IGA-21")
{
    CHECK_EQ(doubts(at(3, SCRIPTED_REGISTER + 4), TRUE, 0x56), 0);
    CHECK_EQ(doubts(at(3, 0xFFFFFFFF), FALSE, 0x55), 0);
    CHECK_EQ(doubts(at(3, UINT64_C(1) << 32), FALSE, 0x55), 1);
}

/* ---- flush ---- */

/* A read of 64 bytes at the start of the MDL that has ended and waits for its flush. */
static PVOID end_a_read(PMDL mdl)
{
    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeCompletion);
    return base;
}

static void finish_read(PMDL mdl, PVOID base)
{
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 0);
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 1);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_flush_must_name_the_mapping, "FBX-04")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 128);
    PMDL other = driver_mdl(0, 128);
    PVOID base = end_a_read(mdl);

    CHECK_EQ(flush(other, base, 0, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(flush(mdl, base, 1, 63, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x16), 2);
    CHECK_EQ(flush(mdl, base, 0, 65, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x00), 1);
    finish_read(mdl, base);
    IoFreeMdl(other);
}

TEST(a_flush_has_the_direction_of_the_mapping, "FBX-18")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 128);
    PVOID base = end_a_read(mdl);

    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x48), 1);
    finish_read(mdl, base);
}

TEST(a_flush_needs_the_handle_of_a_request, "")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 128);
    PVOID base = end_a_read(mdl);

    CHECK_EQ(flush(mdl, (PVOID)(uintptr_t)1, 0, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x4D), 1);
    finish_read(mdl, base);
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_INVALID_PARAMETER); /* Finished */
}

TEST(the_next_part_is_mapped_after_the_flush, "FBX-12")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 128);
    PVOID base = end_a_read(mdl);

    CHECK_EQ(map(mdl, base, 64, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0D), 1);
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 64, 64, FALSE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 64, 64, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

/* A whole transfer of 256 bytes, of which the flush names 100. */
static void flush_short_after(DMA_INTERRUPT_TYPE end, BOOLEAN write, bool ignore_count)
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, 0);

    fixture_reset();
    start(Width8Bits);
    description.IgnoreCount = ignore_count;
    adapter = get_adapter_for(description);
    PMDL mdl = driver_mdl(0, 256);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, 256, write), STATUS_SUCCESS);
    scripted_end(0, end);
    CHECK_EQ(flush(mdl, base, 0, 100, write), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 1); /* all of it is over */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_flush_of_less_than_was_moved_gives_no_more_back, "FBX-03 FBX-06")
{
    flush_short_after(InterruptTypeCompletion, FALSE, false);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->id, 0x53);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->a, 100);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->b, 256);
    CHECK_EQ(fake_count(FAKE_INVALIDATE), 1);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->a, (uintptr_t)fake_memory);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->b, 128); /* whole lines */
    flush_short_after(InterruptTypeCompletion, TRUE, false);
    CHECK_EQ(driver_violations(0x53), 1);
}

TEST(any_length_is_right_if_nobody_knows_what_was_moved, "FBX-03")
{
    flush_short_after(InterruptTypeError, FALSE, false);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    flush_short_after(InterruptTypeCancelled, FALSE, false);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    flush_short_after(InterruptTypeCompletion, FALSE, true);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

TEST(flushing_a_running_transfer_stops_it, "FBX-15")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(10, 20);

    memset(fake_memory, 0x11, 64);
    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills(0x22);
    scripted.bytes_left = 15;
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x23), 1);
    CHECK(fake_last(FAKE_EXIT, OPLOG_CancelTransfer) < fake_last(FAKE_ENTER, OPLOG_FlushChannel));
    CHECK(fake_memory[14] == 0x22 && fake_memory[15] == 0x11); /* MR-13 */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0); /* FBX-15 */
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_flush_that_loses_the_race_keeps_the_callback, "FBX-15 CMP-08")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(1);

    scripted.cancel_result = FALSE;
    CHECK_EQ(map(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    scripted_report(0, InterruptTypeCompletion); /* signalled, not taken */
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(completed.calls, 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1); /* CMP-08 */
    CHECK_EQ(completed.status, DmaComplete);
    IoFreeMdl(mdl);
}

/* ---- completion ---- */

TEST(completion_waits_for_the_level_to_drop, "CMP-01 CMP-03 BMT-04")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    scripted.ends_at_once = true;
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(completed.calls, 0); /* BMT-04 */
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(completed.irql, DISPATCH_LEVEL);
    CHECK(completed.adapter == adapter && completed.context == &completed);
    CHECK_EQ(completed.status, DmaComplete);
    scripted_report(0, InterruptTypeError); /* HBE-12: late, dropped */
    fake_interrupt(SCRIPTED_SPI);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_completion_from_an_interrupt_is_at_dispatch_level, "GEN-08")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    KeLowerIrql(PASSIVE_LEVEL);
    scripted_report(0, InterruptTypeCompletion);
    fake_interrupt(SCRIPTED_SPI);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(completed.irql, DISPATCH_LEVEL);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(completion_at_passive_level_sees_the_final_length, "CMP-09 MTX-39 BMT-05")
{
    fake_scatter_pages();
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 2 * FAKE_PAGE);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    KeLowerIrql(PASSIVE_LEVEL);
    scripted.ends_at_once = true;
    scripted.max_fragments = 1;
    CHECK_EQ(map(mdl, base, 0, 2 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(completed.calls, 1);               /* CMP-09: before the return */
    CHECK_EQ(completed.length_seen, FAKE_PAGE); /* MTX-39 */
    CHECK(fake_last(FAKE_EXIT, OPLOG_MapTransferEx) < fake_last(FAKE_ENTER, OPLOG_DmaCompletionRoutine));
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    scripted.ends_at_once = false;
    CHECK_EQ(map(mdl, base, FAKE_PAGE, FAKE_PAGE, TRUE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeError); /* runs at the interrupt's exit */
    CHECK_EQ(completed.calls, 2);
    CHECK_EQ(completed.status, DmaError);
    CHECK_EQ(KeGetCurrentIrql(), PASSIVE_LEVEL);
    CHECK_EQ(flush(mdl, base, FAKE_PAGE, FAKE_PAGE, TRUE), STATUS_SUCCESS);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

static struct {
    PMDL mdl;
    PVOID base;
    ULONG offset, total;
    int calls;
} loop;

/* Pattern E inside the completion routine, CMP-12. */
static VOID map_next_part(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)object;
    (void)context;
    CHECK_EQ(status, DmaComplete);
    loop.calls++;
    CHECK_EQ(flush(loop.mdl, loop.base, loop.offset, length, TRUE), STATUS_SUCCESS);
    loop.offset += length;
    if (loop.offset == loop.total) {
        dma->FreeAdapterChannel(from);
        return;
    }
    length = loop.total - loop.offset;
    CHECK_EQ(dma->MapTransferEx(from, loop.mdl, loop.base, loop.offset, 0, &length, TRUE, NULL, 0,
                                map_next_part, NULL),
             STATUS_SUCCESS);
}

TEST(the_completion_routine_can_drive_the_whole_transfer, "MTX-33")
{
    enum { TOTAL = 10 * FAKE_PAGE };

    fake_scatter_pages();
    start(Width32Bits);
    PMDL mdl = driver_mdl(0, TOTAL);

    scripted.ends_at_once = true;
    scripted.max_fragments = 1;
    memset(&loop, 0, sizeof loop);
    loop.mdl = mdl;
    loop.total = TOTAL;
    (void)driver_raise();
    loop.base = hold_channel(0);
    length = TOTAL;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, loop.base, 0, 16, &length, TRUE, NULL, 0, map_next_part, NULL),
             STATUS_SUCCESS);
    CHECK_EQ(scripted.program.device_address, DRIVER_REGISTER + 16); /* MTX-33 */
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(loop.calls, 10);
    CHECK_EQ(loop.offset, TOTAL);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(callbacks_that_cannot_run_yet_are_never_lost, "FBX-22 CMP-06")
{
    enum { ROUNDS = 96 };

    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    scripted.ends_at_once = true;
    for (int i = 0; i < ROUNDS; i++) { /* FBX-22, at one level */
        CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
        CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    }
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, ROUNDS);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

/* ---- levels ---- */

/* More transfers than there are records of completions, ended in every way (CMP-06). */
TEST(records_of_completions_come_back, "CMP-06 FBX-15 FBX-16")
{
    enum { ROUNDS = 200 };

    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    for (int i = 0; i < ROUNDS; i++) {
        bool ends = i % 2 == 0;

        CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
        if (ends) {
            scripted_end(0, InterruptTypeCompletion);
            KeLowerIrql(PASSIVE_LEVEL);
            (void)driver_raise();
        }
        CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
        CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_CancelTransfer), ends ? 0 : 1);
        fake_forget_log();
    }
    CHECK_EQ(completed.calls, ROUNDS / 2);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_late_report_is_of_no_other_mapping, "HBE-12")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);
    PDMA_ADAPTER first = adapter;

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    adapter = get_adapter(Width8Bits, 1);
    CHECK_EQ(allocate_sync(adapter, 1, 0, &base), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeCompletion);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    scripted_end(1, InterruptTypeCompletion);
    CHECK_EQ(completed.calls, 1);
    dma->PutDmaAdapter(first);
    dma->PutDmaAdapter(adapter);
    IoFreeMdl(mdl);
}

static VOID raise_level(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    KIRQL old;

    on_completion(from, object, context, status);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
}

TEST(a_callback_that_stays_raised_is_lowered, "GEN-09")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    length = 64;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, raise_level, NULL),
             STATUS_SUCCESS);
    KeLowerIrql(PASSIVE_LEVEL);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(driver_violations(0x42), 1); /* GEN-09 */
    CHECK_EQ(KeGetCurrentIrql(), PASSIVE_LEVEL);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeCompletion); /* interrupts are taken again */
    CHECK_EQ(completed.calls, 2);
    dma->PutDmaAdapter(adapter);
    IoFreeMdl(mdl);
}

static VOID change_level(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)from;
    (void)object;
    (void)context;
    (void)status;
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(calls_at_the_wrong_level_are_reported_and_work, "AAX-19 GEN-09")
{
    PVOID base = NULL;
    KIRQL old;

    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    CHECK_EQ(allocate_sync(adapter, 0, 0, &base), STATUS_SUCCESS); /* AAX-19 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x13), 1);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->a, 1);
    scripted.ends_at_once = true;
    length = 64;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, change_level, NULL),
             STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x42), 1);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x13), 2);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 2)->a, 2);
    CHECK_EQ(KeGetCurrentIrql(), DISPATCH_LEVEL + 1);
    KeLowerIrql(old);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(DISPATCH_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeRaiseIrql(PASSIVE_LEVEL, &old);
    CHECK_EQ(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_device_level_masks_interrupts, "")
{
    KIRQL old;

    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL + 2, &old);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(scripted.report_count, 1);
    KeLowerIrql(old);
    CHECK_EQ(scripted.report_count, 0);
    CHECK_EQ(completed.calls, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

/* ---- cancelling what runs ---- */

/* CMT-03 to CMT-08: how the controller answers, and what the driver hears. */
TEST(a_cancelled_transfer_is_called_back_once, "CMT-03 CMT-04 HBE-13")
{
    static const struct {
        BOOLEAN stopped;
        int reported; /* by HandleInterrupt, or -1 */
        DMA_COMPLETION_STATUS status;
    } rows[] = {{TRUE, -1, DmaCancelled},
                {FALSE, InterruptTypeCompletion, DmaComplete},
                {FALSE, InterruptTypeError, DmaError},
                {FALSE, InterruptTypeCancelled, DmaCancelled},
                {FALSE, -1, DmaError}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture_reset();
        start(Width8Bits);
        PMDL mdl = driver_mdl(0, 64);

        (void)driver_raise();
        PVOID base = hold_channel(0);

        CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
        scripted.cancel_result = rows[i].stopped;
        if (rows[i].reported >= 0) {
            scripted_report(0, (DMA_INTERRUPT_TYPE)rows[i].reported);
        }
        CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_SUCCESS);
        CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS); /* CMT-09: before the callback */
        CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_FlushChannel), 1);
        dma->FreeAdapterChannel(adapter);
        CHECK_EQ(completed.calls, 0);
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK_EQ(completed.calls, 1);
        CHECK_EQ(completed.status, rows[i].status);
        CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
        IoFreeMdl(mdl);
        check_idle();
    }
}

TEST(cancelling_needs_the_right_names, "CMT-10 CMT-11")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 1);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    length = 64;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, NULL, NULL), STATUS_SUCCESS);
    CHECK_EQ(dma->CancelMappedTransfer(other, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x4C), 1); /* CMT-11 */
    CHECK_EQ(dma->CancelMappedTransfer(adapter, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->CancelMappedTransfer(NULL, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_CancelTransfer), 0);
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_SUCCESS); /* CMT-10: silently */
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(what_was_moved_before_a_cancel_arrives, "RDC-07 CMT-12 MR-13")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(10, 20);

    memset(fake_memory, 0x11, 64);
    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills(0x22);
    scripted.bytes_left = 15;
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_SUCCESS);
    CHECK_EQ(dma->ReadDmaCounter(adapter), 15); /* RDC-07, CMT-12 */
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK(fake_memory[14] == 0x22 && fake_memory[15] == 0x11);
    CHECK_EQ(dma->ReadDmaCounter(adapter), 0); /* RDC-08 */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(an_ignored_count_delivers_all_of_it, "MR-13 IGA-14")
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, 0);

    start(Width8Bits);
    description.IgnoreCount = TRUE; /* MR-13 */
    adapter = get_adapter_for(description);
    PMDL mdl = driver_mdl(10, 20);

    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills(0x33); /* its bounce page has something in it from now on */
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    memset(fake_memory, 0x11, 64);
    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    scripted.bytes_left = 15;
    scripted_end(0, InterruptTypeError);
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK(fake_memory[9] == 0x11 && fake_memory[10] == 0 && fake_memory[29] == 0 && fake_memory[30] == 0x11);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

/* ---- the counter ---- */

TEST(the_counter_of_a_running_transfer_is_the_controller_s, "RDC-01")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 0);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(dma->ReadDmaCounter(adapter), 0);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    scripted.bytes_left = 40;
    CHECK_EQ(dma->ReadDmaCounter(adapter), 40);
    CHECK_EQ(dma->ReadDmaCounter(other), 0); /* the channel is not its */
    CHECK_EQ(dma->ReadDmaCounter(NULL), 0);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

TEST(the_counter_of_what_has_ended_says_what_is_left, "RDC-05 PAT-D3")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    scripted.bytes_left = 40;
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(dma->ReadDmaCounter(adapter), 0); /* RDC-05 */
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeError);
    CHECK_EQ(dma->ReadDmaCounter(adapter), 40); /* PAT-D3 */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

static struct dma_controller describe_silent(void)
{
    static DMA_FUNCTION_TABLE entries;
    struct dma_controller controller = scripted_describe();

    entries = *controller.block.Operations;
    entries.ReadDmaCounter = NULL;
    controller.block.Operations = &entries;
    for (int n = 0; n < SCRIPTED_CHANNELS; n++) {
        controller.channels[n].GeneratesInterrupt = FALSE;
    }
    return controller;
}

static void start_silent(void)
{
    struct dma_controller controller = describe_silent();

    start(Width8Bits);
    driver_start_with(&controller);
    adapter = get_adapter(Width8Bits, 0);
}

TEST(a_controller_need_not_count, "GAI-05")
{
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};

    start_silent();
    CHECK_EQ(dma->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.ReadDmaCounterAvailable, 0);
}

TEST(a_counter_that_is_not_there_is_zero, "RDC-09")
{
    start_silent();
    PMDL mdl = driver_mdl(10, 20);

    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK_EQ(dma->ReadDmaCounter(adapter), 0);
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

TEST(a_controller_need_not_interrupt, "HBE-17")
{
    start_silent();
    PMDL mdl = driver_mdl(10, 20);

    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills(0x22);
    scripted.cancel_result = FALSE; /* it has ended, and nobody said so */
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_memory[29], 0x22);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
}

TEST(a_controller_that_cannot_interrupt_calls_nobody, "CMP-02")
{
    start_silent();
    PMDL mdl = driver_mdl(0, FAKE_LINE);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, FAKE_LINE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_SUCCESS);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    CHECK_EQ(flush(mdl, base, 0, FAKE_LINE, TRUE), STATUS_SUCCESS);
    dma->PutDmaAdapter(adapter);
    IoFreeMdl(mdl);
}

/* ---- loops ---- */

/* Cancelled below DISPATCH_LEVEL: interrupts are taken again afterwards. */
static void stop_at_passive_level(void)
{
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_SUCCESS);
    scripted_report(SCRIPTED_CHANNELS - 1, InterruptTypeCompletion);
    fake_interrupt(SCRIPTED_SPI);
    CHECK_EQ(scripted.report_count, 0);
}

static PVOID start_loop(PMDL *mdl, BOOLEAN write)
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, 0);

    start(Width8Bits);
    description.AutoInitialize = TRUE;
    adapter = get_adapter_for(description);
    *mdl = driver_mdl(0, 2 * FAKE_LINE);
    (*mdl)->MdlFlags |= MDL_IO_SPACE; /* as of a common buffer, ACX-11 */
    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(*mdl, base, 0, 2 * FAKE_LINE, write), STATUS_SUCCESS);
    CHECK_EQ(length, 2 * FAKE_LINE);
    return base;
}

static void end_loop(PMDL mdl)
{
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(driver_maintenance(), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_loop_is_programmed_once, "MTX-41")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, FALSE);

    CHECK(scripted.program.loop);
    KeLowerIrql(PASSIVE_LEVEL);
    for (int round = 0; round < 3; round++) {
        scripted_end(0, InterruptTypeCompletion);
    }
    (void)driver_raise();
    CHECK_EQ(scripted.program_count, 1);
    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    end_loop(mdl);
}

TEST(each_round_of_a_loop_gives_a_notice, "CMP-14")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, FALSE);

    KeLowerIrql(PASSIVE_LEVEL);
    for (int i = 1; i <= 3; i++) {
        scripted_end(0, InterruptTypeCompletion);
        CHECK_EQ(completed.calls, i);
        CHECK_EQ(completed.status, DmaComplete);
    }
    (void)driver_raise();
    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    end_loop(mdl);
}

TEST(notices_that_wait_are_one, "CMP-16")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, FALSE);

    scripted_end(0, InterruptTypeCompletion);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(completed.calls, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1);
    (void)driver_raise();
    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    end_loop(mdl);
}

TEST(the_last_notice_of_a_loop_is_of_its_cancel, "CMT-16")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, FALSE);

    scripted_end(0, InterruptTypeCompletion);
    stop_at_passive_level();
    CHECK(completed.calls == 2 && completed.order[0] == DmaComplete);
    CHECK_EQ(completed.status, DmaCancelled);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(completed.calls, 2); /* HBE-12 */
    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    (void)driver_raise();
    end_loop(mdl);
}

TEST(what_is_left_of_a_round_is_the_back_end_s_word, "RDC-03")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, FALSE);

    for (int round = 0; round < 2; round++) {
        scripted.bytes_left = 100;
        CHECK_EQ(dma->ReadDmaCounter(adapter), 100);
        scripted_end(0, InterruptTypeCompletion);
        scripted.bytes_left = length;
        CHECK_EQ(dma->ReadDmaCounter(adapter), length);
    }
    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    end_loop(mdl);
}

/* The back end has a notice to report, and perhaps the end of the loop, when it is stopped. */
TEST(a_notice_that_is_due_comes_before_the_end_of_a_loop, "CMP-14 CMP-16 HBE-14")
{
    for (int reports_end = 0; reports_end < 2; reports_end++) {
        PMDL mdl;

        fixture_reset();
        PVOID base = start_loop(&mdl, TRUE);

        scripted.cancel_result = FALSE;
        scripted_report(0, InterruptTypeCompletion);
        if (reports_end) {
            scripted_report(0, InterruptTypeCancelled);
        }
        CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_SUCCESS);
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(completed.calls == 2 && completed.order[0] == DmaComplete);
        CHECK_EQ(completed.status, DmaCancelled);
        CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
        (void)driver_raise();
        end_loop(mdl);
    }
}

TEST(a_flush_ends_a_loop_without_a_call, "FBX-16")
{
    for (int answer = 0; answer < 3; answer++) {
        PMDL mdl;

        fixture_reset();
        PVOID base = start_loop(&mdl, TRUE);

        scripted_end(0, InterruptTypeCompletion); /* a notice that waits */
        scripted.cancel_result = answer == 0;
        if (answer == 2) {
            scripted_report(0, InterruptTypeCancelled);
        }
        CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS); /* FBX-16 */
        CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK_EQ(completed.calls, 1);
        CHECK_EQ(completed.status, DmaComplete);
        (void)driver_raise();
        end_loop(mdl);
    }
}

TEST(an_error_ends_a_loop, "HBE-21")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, TRUE);

    KeLowerIrql(PASSIVE_LEVEL);
    scripted_end(0, InterruptTypeError);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(completed.calls, 1); /* HBE-21 */
    CHECK_EQ(completed.status, DmaError);
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_CancelTransfer), 0);
    (void)driver_raise();
    end_loop(mdl);
}

TEST(a_loop_is_never_bounced, "MTX-43 MTX-48 CCH-20")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, FALSE);
    PMDL cached = driver_mdl(FAKE_PAGE, 2 * FAKE_LINE);

    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    base = hold_channel(8);
    CHECK_EQ(map(cached, base, 1, 100, FALSE), STATUS_INSUFFICIENT_RESOURCES); /* MTX-43 */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(driver_maintenance(), 0); /* MTX-48 */
    CHECK_EQ(map(cached, base, 0, 2 * FAKE_LINE, FALSE), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x52), 1); /* CCH-20 */
    CHECK_EQ(driver_maintenance(), 1);
    CHECK_EQ(flush(cached, base, 0, length, FALSE), STATUS_SUCCESS);
    CHECK_EQ(driver_maintenance(), 2);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    IoFreeMdl(cached);
    check_idle();
}

static VOID stop_loop(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    on_completion(from, object, context, status);
    if (status == DmaComplete) {
        CHECK_EQ(dma->CancelMappedTransfer(from, contexts[0]), STATUS_SUCCESS);
    }
}

TEST(a_notice_may_stop_its_loop, "CMP-12 CMP-14")
{
    PMDL mdl;
    PVOID base = start_loop(&mdl, TRUE);

    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, stop_loop, NULL),
             STATUS_SUCCESS);
    KeLowerIrql(PASSIVE_LEVEL);
    scripted_end(0, InterruptTypeCompletion);
    CHECK(completed.calls == 2 && completed.order[0] == DmaComplete);
    CHECK_EQ(completed.status, DmaCancelled);
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    (void)driver_raise();
    end_loop(mdl);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
