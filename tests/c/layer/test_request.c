/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on the scripted back end: contexts, queues, grants, and how they end. */
#include "check.h"
#include "fixture.h"

#include <string.h>

/* ---- contexts ---- */

TEST(a_context_is_somewhere, "ITC-03")
{
    start(Width8Bits);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, NULL), STATUS_INVALID_PARAMETER);
}

TEST(a_context_is_aligned, "ITC-04")
{
    start(Width8Bits);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, &contexts[0][4]), STATUS_INVALID_PARAMETER);
}

TEST(a_context_that_lives_is_not_overwritten, "ITC-08")
{
    start(Width8Bits);
    (void)driver_raise();
    (void)hold_channel(1);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x40), 1);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(contexts_follow_the_state_table, "STM-02")
{
    PVOID base = NULL;

    start(Width8Bits);
    (void)driver_raise();
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* Raw */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    base = hold_channel(1);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x40), 1);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* Finished */
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
    memcpy(contexts[1], contexts[0], sizeof contexts[0]);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[1], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* a copy is Raw */
    for (size_t i = DMA_TRANSFER_CONTEXT_SIZE_V1; i < sizeof contexts[2]; i++) {
        CHECK_EQ(contexts[2][i], 0xFF); /* ITC-02 */
    }
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* ---- allocation ---- */

TEST(the_argument_table_of_allocation_holds, "AAX-01 AAX-13")
{
    static const struct {
        ULONG flags;
        int routine, handle, accepted;
    } rows[] = {{0, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 0, 1}, {0, 1, 1, 0}, {1, 0, 0, 0},
                {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 1}, {2, 1, 0, 0}, {3, 1, 0, 0}};

    start(Width8Bits);
    (void)driver_raise();
    expect_grants(KeepObject);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PVOID base = NULL;

        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
        NTSTATUS status = dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, rows[i].flags,
                                                        rows[i].routine ? on_grant : NULL, NULL,
                                                        rows[i].handle ? &base : NULL);

        CHECK_EQ(status, rows[i].accepted ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        CHECK_EQ(base != NULL, rows[i].accepted && rows[i].handle);
        if (rows[i].accepted) {
            CHECK(base == NULL || !rows[i].routine || base == granted.base); /* OQ-02 */
            dma->FreeAdapterChannel(adapter);
        }
    }
    CHECK_EQ(granted.calls, 3);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(waiting_requests_are_served_in_order, "QUE-03 QUE-07 FAC-07")
{
    PVOID base;

    start(Width8Bits);
    (void)driver_raise();
    expect_grants(KeepObject);
    (void)hold_channel(1);
    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(adapter, 2, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(granted.calls, 0);
    CHECK_EQ(allocate_sync(adapter, 3, 1, &base), STATUS_INSUFFICIENT_RESOURCES); /* QUE-07 */
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(granted.irql, DISPATCH_LEVEL);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(granted.calls, 2);
    CHECK(granted.order[0] == 1 && granted.order[1] == 2);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[3], 1, 1, on_grant, NULL, NULL),
             STATUS_INSUFFICIENT_RESOURCES); /* STM-04: still Idle */
    dma->FreeAdapterChannel(adapter);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x04), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static PDMA_ADAPTER get_large_adapter(ULONG channel)
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, channel);

    description.MaximumLength = 0; /* IGA-10 */
    return IoGetDmaAdapter(NULL, &description, &register_maximum);
}

TEST(more_registers_than_the_adapter_s_maximum_are_refused, "QUE-05")
{
    start(Width8Bits);
    PDMA_ADAPTER large = get_large_adapter(0);

    CHECK_EQ(register_maximum, DMA_MAP_REGISTERS);
    (void)driver_raise();
    CHECK_EQ(allocate(large, 0, DMA_MAP_REGISTERS + 1, 0), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0C), 1);
    CHECK_EQ(granted.calls, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* Let an adapter of another channel own all map registers; the caller is at DISPATCH_LEVEL then. */
static PDMA_ADAPTER take_all_registers(void)
{
    PVOID base = NULL;

    start(Width8Bits);
    PDMA_ADAPTER large = get_large_adapter(1);

    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate_sync(large, 0, DMA_MAP_REGISTERS, &base), STATUS_SUCCESS);
    return large;
}

TEST(a_synchronous_request_does_not_wait_for_registers, "AAX-04 QUE-06")
{
    PVOID base = NULL;
    PDMA_ADAPTER large = take_all_registers();

    CHECK_EQ(allocate_sync(adapter, 1, 1, &base), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQ(dma_count().requests, 1);
    dma->FreeAdapterChannel(large);
    CHECK_EQ(granted.calls, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(another_request_waits_for_registers, "QUE-06")
{
    PDMA_ADAPTER large = take_all_registers();

    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(granted.calls, 0);
    dma->FreeAdapterChannel(adapter); /* it holds the channel, but is not granted */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x04), 1);
    dma->FreeAdapterChannel(large);
    CHECK_EQ(granted.calls, 1);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(a_sys_driver_that_deallocates_is_obeyed_and_reported, "ADC-08")
{
    start(Width8Bits);
    (void)driver_raise();
    expect_grants(DeallocateObject);
    CHECK_EQ(allocate(adapter, 0, 3, 0), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x45), 1);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS);
    expect_grants((IO_ALLOCATION_ACTION)9);
    CHECK_EQ(allocate(adapter, 0, 3, DMA_SYNCHRONOUS_CALLBACK), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x46), 1);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS - 3);
    dma->FreeAdapterChannel(adapter);
    expect_grants(DeallocateObjectKeepRegisters);
    CHECK_EQ(allocate(adapter, 0, 3, 0), STATUS_SUCCESS);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS - 3);
    length = 4;
    CHECK_EQ(dma->MapTransferEx(adapter, NULL, granted.base, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    dma->PutDmaAdapter(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x09), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

enum { MANY = 1000 };
static int many_left;
static bool inside_callback;
static _Alignas(8) UCHAR many[MANY][DMA_TRANSFER_CONTEXT_SIZE_V1];

static IO_ALLOCATION_ACTION free_inside(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)object;
    (void)irp;
    (void)base;
    (void)context;
    CHECK(!inside_callback);
    inside_callback = true;
    many_left--;
    dma->FreeAdapterChannel(adapter); /* ADC-10 */
    inside_callback = false;
    return KeepObject;
}

TEST(a_thousand_requests_use_bounded_stack, "QUE-13 ADC-10")
{
    start(Width8Bits);
    (void)driver_raise();
    (void)hold_channel(0);
    many_left = MANY;
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, many[i]), STATUS_SUCCESS);
        CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, many[i], 1, 0, free_inside, NULL, NULL),
                 STATUS_SUCCESS);
    }
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(many_left, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static PDMA_ADAPTER waiting_adapter;

static IO_ALLOCATION_ACTION ask_for_another_and_free(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)on_grant(object, irp, base, context);
    CHECK_EQ(allocate(waiting_adapter, 2, 0, 0), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(granted.calls, 1); /* QUE-14: not in here */
    return KeepObject;
}

TEST(who_waits_is_called_after_the_callback_that_made_room, "QUE-12 QUE-14")
{
    start(Width8Bits);
    waiting_adapter = get_adapter(Width8Bits, 0);
    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, DMA_SYNCHRONOUS_CALLBACK,
                                           ask_for_another_and_free, (PVOID)(intptr_t)5, NULL),
             STATUS_SUCCESS);
    CHECK(granted.calls == 2 && granted.order[0] == 5 && granted.order[1] == 2);
    dma->FreeAdapterChannel(waiting_adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static PDMA_ADAPTER holders[2];

static IO_ALLOCATION_ACTION free_both(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)object;
    (void)irp;
    (void)base;
    (void)context;
    dma->FreeAdapterChannel(holders[0]);
    dma->FreeAdapterChannel(holders[1]);
    return KeepObject;
}

TEST(two_channels_that_become_free_at_once_both_move_on, "QUE-01 QUE-02 GEN-16")
{
    PVOID base;

    start(Width8Bits);
    PDMA_ADAPTER pool = driver_master_of(32, TRUE, NULL);
    PDMA_ADAPTER large = get_large_adapter(2);

    holders[0] = get_large_adapter(0);
    holders[1] = get_adapter(Width8Bits, 1);
    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate_sync(large, 0, DMA_MAP_REGISTERS - 4, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate_sync(holders[0], 1, 0, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate_sync(holders[1], 2, 0, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate(holders[0], 3, 8, 0), STATUS_SUCCESS); /* will have the channel, but no registers */
    CHECK_EQ(allocate(holders[1], 4, 0, 0), STATUS_SUCCESS); /* needs none */
    CHECK_EQ(dma->AllocateAdapterChannel(pool, &device, 0, free_both, NULL), STATUS_SUCCESS);
    CHECK(granted.calls == 1 && granted.order[0] == 4);
    CHECK_EQ(allocate_sync(get_adapter(Width8Bits, 3), 5, 1, &base),
             STATUS_INSUFFICIENT_RESOURCES); /* QUE-07 */
    CHECK_EQ(allocate_sync(get_adapter(Width8Bits, 4), 6, 0, &base), STATUS_SUCCESS);
    dma->FreeAdapterChannel(large);
    CHECK(granted.calls == 2 && granted.order[1] == 3);
    KeLowerIrql(PASSIVE_LEVEL);
}

static IO_ALLOCATION_ACTION lower_level(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)object;
    (void)irp;
    (void)base;
    (void)context;
    KeLowerIrql(PASSIVE_LEVEL);
    return DeallocateObject;
}

TEST(a_context_is_used_up_however_it_was_granted, "STM-01 STM-03")
{
    start(Width8Bits);
    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate(adapter, 0, 1, 0), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 0, on_grant, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(allocate(adapter, 0, 1, 0), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static IO_ALLOCATION_ACTION map_and_keep_registers(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)object;
    (void)irp;
    CHECK_EQ(map(context, base, 0, 64, TRUE), STATUS_SUCCESS);
    return DeallocateObjectKeepRegisters;
}

TEST(a_transfer_is_stopped_before_its_channel_goes, "ADC-06")
{
    struct dma_channel_state state;

    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    CHECK_EQ(dma->AllocateAdapterChannel(adapter, &device, 2, map_and_keep_registers, mdl), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_CancelTransfer), 1);
    CHECK(driver_violations(0x45) == 1 && driver_violations(0x10) == 1);
    CHECK(dma_channel_by_number(0, &state) && state.owner == NULL);
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - 2);
    dma->PutDmaAdapter(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(adapter_control_returns_at_its_level, "GEN-09")
{
    start_master(TRUE);
    (void)driver_raise();
    CHECK_EQ(dma->AllocateAdapterChannel(adapter, &device, 1, lower_level, NULL), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x42), 1);
    CHECK_EQ(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(requests_run_out, "QUE-16")
{
    enum { REQUESTS = 8192 };
    static _Alignas(8) UCHAR all[REQUESTS + 1][DMA_TRANSFER_CONTEXT_SIZE_V1];
    uint32_t count = 0;

    start(Width8Bits);
    (void)driver_raise();
    expect_grants(KeepObject);
    for (NTSTATUS status = STATUS_SUCCESS; status == STATUS_SUCCESS; count++) {
        CHECK(count <= REQUESTS);
        fake_forget_log();
        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, all[count]), STATUS_SUCCESS);
        status = dma->AllocateAdapterChannelEx(adapter, &device, all[count], 1, 0, on_grant, NULL, NULL);
    }
    CHECK_EQ(dma->AllocateAdapterChannel(adapter, &device, 1, on_grant, NULL), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQ(dma_count().requests, REQUESTS);
    dma->PutDmaAdapter(adapter);
    CHECK_EQ(driver_violations(0x08), REQUESTS); /* QUE-16 */
    CHECK_EQ(granted.calls, 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(putting_the_adapter_reclaims_everything, "QUE-16")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 0);

    (void)driver_raise();
    expect_grants(KeepObject);
    PVOID base = hold_channel(2);

    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(other, 2, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    dma->PutDmaAdapter(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x08), 2);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x09), 1);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x10), 1);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_CancelTransfer), 1);
    CHECK(fake_last(FAKE_ENTER, OPLOG_FlushChannel) > fake_last(FAKE_ENTER, OPLOG_CancelTransfer));
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(granted.order[0], 2);
    dma->FreeAdapterChannel(other);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- cancelling what waits ---- */

TEST(a_waiting_request_can_be_cancelled_by_its_own_names_only, "CAC-01 CAC-07 CAC-09")
{
    DEVICE_OBJECT another = {0};

    start(Width8Bits);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 0);

    (void)driver_raise();
    expect_grants(KeepObject);
    (void)hold_channel(1);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(allocate(adapter, i, 1, 0), STATUS_SUCCESS);
    }
    CHECK(!dma->CancelAdapterChannel(other, &device, contexts[2]));
    CHECK(!dma->CancelAdapterChannel(adapter, &another, contexts[2]));
    CHECK_EQ(driver_violations(0x4C), 2); /* CAC-07 */
    CHECK(dma->CancelAdapterChannel(adapter, &device, contexts[2]));
    CHECK(dma->CancelAdapterChannel(adapter, &device, contexts[2])); /* CAC-05 */
    CHECK_EQ(allocate_sync(adapter, 4, 1, &granted.base), STATUS_INSUFFICIENT_RESOURCES);
    dma->FreeAdapterChannel(adapter);
    dma->FreeAdapterChannel(adapter);
    CHECK(granted.calls == 2 && granted.order[0] == 1 && granted.order[1] == 3); /* CAC-09 */
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[2], 1, 0, on_grant, NULL, NULL),
             STATUS_CANCELLED); /* AAX-11, CAC-12 */
    CHECK_EQ(granted.calls, 2);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(no_context_and_a_raw_one_have_nothing_to_cancel, "CAC-13")
{
    start(Width8Bits);
    CHECK(!dma->CancelAdapterChannel(adapter, &device, NULL));
    CHECK(!dma->CancelAdapterChannel(adapter, &device, contexts[0])); /* still Raw */
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
    CHECK(dma->CancelAdapterChannel(adapter, &device, contexts[0]));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    check_idle();
}

TEST(cancelling_who_waits_for_registers_gives_the_channel_back, "CAC-08 QUE-02")
{
    PVOID base;

    start(Width8Bits);
    PDMA_ADAPTER large = get_large_adapter(0);
    PDMA_ADAPTER other = get_large_adapter(1);
    PDMA_ADAPTER behind = get_adapter(Width8Bits, 1);

    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate_sync(large, 0, DMA_MAP_REGISTERS, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate(other, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(behind, 2, 0, 0), STATUS_SUCCESS);
    CHECK_EQ(granted.calls, 0);
    CHECK_EQ(dma_count().waiting_for_registers, 1);
    CHECK(dma->CancelAdapterChannel(other, &device, contexts[1])); /* CAC-08 */
    CHECK(granted.calls == 1 && granted.order[0] == 2);
    dma->FreeAdapterChannel(large);
    dma->FreeAdapterChannel(behind);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(a_small_request_does_not_overtake_in_the_pool, "QUE-04 GEN-16")
{
    PVOID base;

    start(Width8Bits);
    PDMA_ADAPTER large = get_large_adapter(0);
    PDMA_ADAPTER masters[2] = {driver_master_of(32, TRUE, NULL), driver_master_of(32, TRUE, NULL)};

    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate_sync(large, 0, DMA_MAP_REGISTERS - 4, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate(masters[0], 1, 8, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(masters[1], 2, 1, 0), STATUS_SUCCESS); /* QUE-04 */
    CHECK_EQ(granted.calls, 0);
    dma->FreeAdapterChannel(large);
    CHECK(granted.calls == 2 && granted.order[0] == 1 && granted.order[1] == 2);
    dma->FreeAdapterChannel(masters[0]);
    dma->FreeAdapterChannel(masters[1]);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static IO_ALLOCATION_ACTION cancel_own(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)irp;
    (void)base;
    CHECK(!dma->CancelAdapterChannel(adapter, object, context)); /* CAC-06 */
    CHECK_EQ(dma->CancelMappedTransfer(adapter, context), STATUS_SUCCESS);
    return KeepObject;
}

TEST(a_marked_request_is_granted_all_the_same, "CMT-05 CMT-17 MTX-17")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    expect_grants(KeepObject);
    (void)hold_channel(1);
    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[1]), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(granted.calls, 1); /* CMT-17 */
    CHECK_EQ(map(mdl, granted.base, 0, 64, TRUE), STATUS_CANCELLED);
    CHECK_EQ(length, 64);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[2]), STATUS_SUCCESS);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[2], 1, 0, cancel_own, contexts[2], NULL),
             STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0); /* CMT-05 */
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- AllocateAdapterChannel ---- */

static NTSTATUS allocate_v1(PDMA_ADAPTER from, PDEVICE_OBJECT object, ULONG registers, intptr_t number)
{
    return dma->AllocateAdapterChannel(from, object, registers, on_grant, (PVOID)number);
}

TEST(a_v1_request_is_queued_with_the_others, "AAC-01 AAC-09 QUE-08")
{
    start(Width8Bits);
    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate_v1(adapter, &device, 2, 7), STATUS_SUCCESS); /* AAC-01 */
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - 2);
    CHECK(granted.calls == 1 && granted.order[0] == 7 && granted.base != NULL);
    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate_v1(adapter, &device, 2, 8), STATUS_SUCCESS); /* AAC-09 */
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(allocate_v1(adapter, &device, 2, 9), STATUS_INVALID_PARAMETER); /* QUE-08 */
    CHECK_EQ(driver_violations(0x41), 1);
    dma->FreeAdapterChannel(adapter);
    dma->FreeAdapterChannel(adapter);
    CHECK(granted.calls == 3 && granted.order[1] == 1 && granted.order[2] == 8);
    CHECK_EQ(dma->AllocateAdapterChannel(adapter, &device, 1, NULL, NULL),
             STATUS_INVALID_PARAMETER); /* AAC-10 */
    CHECK_EQ(allocate_v1(NULL, &device, 1, 9), STATUS_INVALID_PARAMETER);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(a_v1_request_of_too_many_registers_is_refused, "AAC-02")
{
    start(Width8Bits);
    (void)driver_raise();
    CHECK_EQ(allocate_v1(adapter, &device, 18, 9), STATUS_INSUFFICIENT_RESOURCES);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static NTSTATUS inner_v1, inner_ex;

static IO_ALLOCATION_ACTION ask_inside(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    static DEVICE_OBJECT another;

    (void)object;
    (void)irp;
    (void)base;
    (void)context;
    inner_v1 = allocate_v1(adapter, &another, 1, 9);
    inner_ex = allocate(adapter, 1, 1, 0); /* ADC-09: queued, not nested (QUE-14) */
    CHECK_EQ(granted.calls, 0);
    return DeallocateObject;
}

TEST(adapter_control_may_not_ask_the_old_way, "AAC-06 ADC-09 QUE-14")
{
    start_master(TRUE);
    PDMA_ADAPTER other = driver_master();

    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(dma->AllocateAdapterChannel(adapter, &device, 1, ask_inside, NULL), STATUS_SUCCESS);
    CHECK_EQ(inner_v1, STATUS_INVALID_PARAMETER); /* AAC-06 */
    CHECK_EQ(driver_violations(0x41), 1);
    CHECK_EQ(inner_ex, STATUS_SUCCESS);
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(allocate_v1(other, &device, 1, 5), STATUS_SUCCESS); /* the first has returned */
    dma->FreeAdapterChannel(adapter);
    dma->FreeAdapterChannel(other);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* ---- giving back ---- */

TEST(a_master_s_action_decides_what_stays, "ADC-03 ADC-04 ADC-05")
{
    static const struct {
        IO_ALLOCATION_ACTION action;
        uint32_t registers, requests;
        bool holds;
    } rows[] = {{KeepObject, 3, 1, true},
                {DeallocateObject, 0, 0, false},
                {DeallocateObjectKeepRegisters, 3, 1, false}};

    start_master(TRUE);
    PDMA_ADAPTER other = driver_master();

    (void)driver_raise();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dma_channel_state state;

        expect_grants(rows[i].action);
        CHECK_EQ(allocate(adapter, 0, 3, 0), STATUS_SUCCESS);
        CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - rows[i].registers); /* ADC-03 to ADC-05 */
        CHECK_EQ(dma_count().requests, rows[i].requests);
        CHECK(dma_channel_by_adapter(adapter, &state));
        CHECK_EQ(state.owner != NULL, rows[i].holds);
        if (rows[i].holds) {
            dma->FreeMapRegisters(adapter, granted.base, 3);
            CHECK_EQ(driver_violations(0x05), 1); /* FMR-05: held with the channel */
            dma->FreeAdapterChannel(adapter);
        } else if (rows[i].registers != 0) {
            size_t before = driver_violations(0x05);

            dma->FreeMapRegisters(other, granted.base, 3); /* another's */
            CHECK_EQ(driver_violations(0x05), before + 1);
            dma->FreeMapRegisters(adapter, granted.base, 3);
        }
        CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS);
    }
    dma->FreeMapRegisters(adapter, granted.base, 3);
    dma->FreeMapRegisters(adapter, NULL, 3); /* FMR-04 */
    CHECK_EQ(driver_violations(0x05), 4);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* A bus master that owns its adapter and two map registers, while another request waits. */
static PVOID hold_and_wait(void)
{
    start_master(TRUE);
    (void)driver_raise();
    expect_grants(KeepObject);
    PVOID base = hold_channel(2);

    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    KeLowerIrql(PASSIVE_LEVEL);
    return base;
}

TEST(keep_object_frees_nothing, "FAO-03")
{
    (void)hold_and_wait();
    struct dma_counters before = dma_count();

    dma->FreeAdapterObject(adapter, KeepObject);
    struct dma_counters after = dma_count();

    CHECK_EQ(granted.calls, 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
}

TEST(an_adapter_can_be_freed_without_its_registers, "FAO-02")
{
    PVOID base = hold_and_wait();

    dma->FreeAdapterObject(adapter, DeallocateObjectKeepRegisters);
    CHECK(granted.calls == 1 && granted.irql == DISPATCH_LEVEL); /* FAO-08 */
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - 3);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    dma->FreeMapRegisters(adapter, base, 2);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(an_adapter_is_freed_with_its_registers, "FAO-01")
{
    (void)hold_and_wait();
    dma->FreeAdapterObject(adapter, DeallocateObject);
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - 1);
    dma->FreeAdapterObject(adapter, DeallocateObject);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    check_idle();
}

TEST(freeing_no_adapter_and_by_no_action_is_reported, "FAO-05 FAO-06")
{
    (void)hold_and_wait();
    dma->FreeAdapterObject(adapter, (IO_ALLOCATION_ACTION)4);
    CHECK_EQ(driver_violations(0x46), 1); /* FAO-06 */
    CHECK_EQ(granted.calls, 0);
    dma->FreeAdapterObject(adapter, DeallocateObject);
    dma->FreeAdapterObject(adapter, DeallocateObject);
    dma->FreeAdapterObject(adapter, DeallocateObject);
    CHECK_EQ(driver_violations(0x04), 1); /* FAO-05 */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 2);
    check_idle();
}

TEST(a_hoard_of_registers_is_reported, "")
{
    start_master(TRUE);
    PDMA_ADAPTER other = driver_master();

    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters);
    CHECK_EQ(allocate(other, 3, 10, 0), STATUS_SUCCESS); /* another's do not count */
    CHECK_EQ(allocate(adapter, 0, 10, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(adapter, 1, 6, 0), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(allocate(adapter, 2, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x15), 1);
    dma->PutDmaAdapter(adapter);
    dma->PutDmaAdapter(other);
    CHECK_EQ(driver_violations(0x09), 4);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* ---- lists are requests too ---- */

TEST(a_list_whose_adapter_is_freed_holds_the_list_only, "GSX-11 STM-01")
{
    PSCATTER_GATHER_LIST made = NULL;
    PVOID base;

    start_master(TRUE);
    PMDL mdl = driver_mdl(1, 100);

    (void)driver_raise();
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
    CHECK_EQ(dma->GetScatterGatherListEx(adapter, &device, contexts[0], mdl, 0, 100, DMA_SYNCHRONOUS_CALLBACK,
                                         NULL, NULL, FALSE, NULL, NULL, &made),
             STATUS_SUCCESS);
    dma->FreeAdapterObject(adapter, DeallocateObject);
    CHECK(dma_count().free_map_registers == DMA_MAP_REGISTERS && dma_count().lists == 1);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS); /* Finished */
    CHECK_EQ(allocate_sync(adapter, 1, 4, &base), STATUS_SUCCESS);
    dma->PutScatterGatherList(adapter, made, FALSE);
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - 4); /* not those of another */
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

static VOID on_list(PDEVICE_OBJECT object, PIRP irp, PSCATTER_GATHER_LIST made, PVOID context)
{
    CHECK(object == &device && irp == device.CurrentIrp && made->NumberOfElements == 1);
    *(PSCATTER_GATHER_LIST *)context = made;
}

TEST(lists_and_one_channel_may_be_asked_for_at_once, "QUE-08 QUE-10 GSL-04")
{
    PSCATTER_GATHER_LIST made[2] = {NULL, NULL};

    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    expect_grants(KeepObject);
    (void)hold_channel(0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(dma->GetScatterGatherList(adapter, &device, mdl, fake_memory, 64, on_list, &made[i], TRUE),
                 STATUS_SUCCESS);
    }
    CHECK_EQ(allocate_v1(adapter, &device, 1, 5), STATUS_SUCCESS);
    CHECK(made[0] == NULL && granted.calls == 0);
    dma->FreeAdapterChannel(adapter);
    CHECK(made[0] != NULL && made[1] != NULL && made[0] != made[1] && granted.calls == 1);
    dma->FreeAdapterChannel(adapter);
    for (int i = 0; i < 2; i++) {
        dma->PutScatterGatherList(adapter, made[i], TRUE);
    }
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_device_that_is_no_memory_has_no_irp, "GEN-15")
{
    start(Width8Bits);
    (void)driver_raise();
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, (PDEVICE_OBJECT)(uintptr_t)FAKE_REGISTERS, contexts[0], 1,
                                           DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &granted.base),
             STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, (PVOID)(uintptr_t)FAKE_REGISTERS),
             STATUS_INVALID_PARAMETER);
    CHECK(!dma->CancelAdapterChannel(adapter, &device, (PVOID)(uintptr_t)FAKE_REGISTERS));
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* ---- ConfigureAdapterChannel ---- */

TEST(functions_go_to_the_controller_unchanged, "CFG-01 CFG-02 CFG-09")
{
    ULONG data = 4;

    start(Width8Bits);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 0);

    CHECK_EQ(dma->ConfigureAdapterChannel(adapter, 1, &data), STATUS_INVALID_DEVICE_STATE); /* CFG-06 */
    (void)driver_raise();
    (void)hold_channel(0);
    CHECK_EQ(scripted.owner_width[0], Width8Bits); /* CFG-09 */
    scripted.configure_result = STATUS_SUCCESS;
    CHECK_EQ(dma->ConfigureAdapterChannel(adapter, 0x8001, &data), STATUS_SUCCESS); /* CFG-01 */
    CHECK(scripted.configured.channel == 0 && scripted.configured.function == 0x8001 &&
          scripted.configured.data == &data);
    scripted.configure_result = STATUS_INVALID_PARAMETER;
    CHECK_EQ(dma->ConfigureAdapterChannel(adapter, 2, NULL), STATUS_INVALID_PARAMETER); /* CFG-02 */
    CHECK_EQ(dma->ConfigureAdapterChannel(other, 1, &data), STATUS_INVALID_DEVICE_STATE);
    CHECK_EQ(dma->ConfigureAdapterChannel(adapter, DMA_CONFIGURE_NEW_OWNER, &data), STATUS_NOT_IMPLEMENTED);
    CHECK_EQ(dma->ConfigureAdapterChannel(NULL, 1, &data), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ConfigureChannel), 3); /* the new owner, and these two */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
