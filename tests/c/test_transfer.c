/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers on the scripted back end: flush, completion, levels. */
#include "check.h"
#include "fixture.h"

#include <string.h>

/* ---- flush ---- */

static void a_flush_must_name_the_mapping(void)
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 128);
    PMDL other = driver_mdl(0, 128);

    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 64, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0D), 1);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(other, base, 0, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(flush(mdl, base, 1, 63, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x16), 2);
    CHECK_EQ(flush(mdl, base, 0, 65, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x00), 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x48), 1);
    CHECK_EQ(flush(mdl, (PVOID)(uintptr_t)1, 0, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x4D), 1);
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 0);
    CHECK_EQ(flush(mdl, base, 0, 10, FALSE), STATUS_SUCCESS); /* FBX-03 */
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 1);
    CHECK_EQ(map(mdl, base, 64, 64, FALSE), STATUS_SUCCESS); /* FBX-12 */
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 64, 64, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_INVALID_PARAMETER); /* Finished */
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    IoFreeMdl(other);
    check_idle();
}

static void flushing_a_running_transfer_stops_it(void)
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
    CHECK(fake_last(FAKE_EXIT, TRACE_CancelTransfer) < fake_last(FAKE_ENTER, TRACE_FlushChannel));
    CHECK(fake_memory[14] == 0x22 && fake_memory[15] == 0x11); /* MR-13 */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0); /* FBX-15 */
    IoFreeMdl(mdl);
    check_idle();
}

static void a_flush_that_loses_the_race_keeps_the_callback(void)
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

static void completion_waits_for_the_level_to_drop(void)
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

static void completion_at_passive_level_sees_the_final_length(void)
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
    CHECK(fake_last(FAKE_EXIT, TRACE_MapTransferEx) < fake_last(FAKE_ENTER, TRACE_DmaCompletionRoutine));
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

static void the_completion_routine_can_drive_the_whole_transfer(void)
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

static void callbacks_that_cannot_run_yet_are_never_lost(void)
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

static VOID change_level(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)from;
    (void)object;
    (void)context;
    (void)status;
    KeLowerIrql(PASSIVE_LEVEL);
}

static void calls_at_the_wrong_level_are_reported_and_work(void)
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

static void a_device_level_masks_interrupts(void)
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

int main(void)
{
    static void (*const tests[])(void) = {
        a_flush_must_name_the_mapping,
        flushing_a_running_transfer_stops_it,
        a_flush_that_loses_the_race_keeps_the_callback,
        completion_waits_for_the_level_to_drop,
        completion_at_passive_level_sees_the_final_length,
        the_completion_routine_can_drive_the_whole_transfer,
        callbacks_that_cannot_run_yet_are_never_lost,
        calls_at_the_wrong_level_are_reported_and_work,
        a_device_level_masks_interrupts,
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        fixture_reset();
        tests[i]();
    }
    printf("ok test_transfer (%zu)\n", sizeof tests / sizeof tests[0]);
    return 0;
}
