/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on the scripted back end: contexts, queues, grants, and how they end. */
#include "check.h"
#include "fixture.h"

#include <string.h>

/* ---- contexts ---- */

static void contexts_follow_the_state_table(void)
{
    PVOID base = NULL;

    start(Width8Bits);
    (void)driver_raise();
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* Raw */
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, &contexts[0][4]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    base = hold_channel(1);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x40), 1);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x40), 2);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* Finished */
    memcpy(contexts[1], contexts[0], sizeof contexts[0]);
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

static void the_argument_table_of_allocation_holds(void)
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

static void waiting_requests_are_served_in_order(void)
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

static void registers_run_out_in_order(void)
{
    PVOID base = NULL;

    start(Width8Bits);
    PDMA_ADAPTER large = get_large_adapter(0);
    PDMA_ADAPTER other = get_large_adapter(1);

    CHECK_EQ(register_maximum, DMA_MAP_REGISTERS);
    (void)driver_raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate(large, 0, DMA_MAP_REGISTERS + 1, 0), STATUS_INSUFFICIENT_RESOURCES); /* QUE-05 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0C), 1);
    CHECK_EQ(allocate_sync(large, 0, DMA_MAP_REGISTERS, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate_sync(other, 1, 1, &base), STATUS_INSUFFICIENT_RESOURCES); /* AAX-04 */
    CHECK_EQ(allocate(other, 1, 1, 0), STATUS_SUCCESS);                         /* AAX-05 */
    CHECK_EQ(granted.calls, 0);
    dma->FreeAdapterChannel(other); /* holds the channel, but is not granted */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x04), 1);
    dma->FreeAdapterChannel(large);
    CHECK_EQ(granted.calls, 1);
    dma->FreeAdapterChannel(other);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static void a_sys_driver_that_deallocates_is_obeyed_and_reported(void)
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
static _Alignas(8) UCHAR many[MANY][DMA_TRANSFER_CONTEXT_SIZE_V1];

static IO_ALLOCATION_ACTION free_inside(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)object;
    (void)irp;
    (void)base;
    (void)context;
    many_left--;
    dma->FreeAdapterChannel(adapter); /* ADC-10 */
    return KeepObject;
}

static void a_thousand_requests_use_bounded_stack(void)
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

static void putting_the_adapter_reclaims_everything(void)
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
    CHECK_EQ(fake_count_id(FAKE_ENTER, TRACE_CancelTransfer), 1);
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(granted.order[0], 2);
    dma->FreeAdapterChannel(other);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

int main(void)
{
    static void (*const tests[])(void) = {
        contexts_follow_the_state_table,
        the_argument_table_of_allocation_holds,
        waiting_requests_are_served_in_order,
        registers_run_out_in_order,
        a_sys_driver_that_deallocates_is_obeyed_and_reported,
        a_thousand_requests_use_bounded_stack,
        putting_the_adapter_reclaims_everything,
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        fixture_reset();
        tests[i]();
    }
    printf("ok test_request (%zu)\n", sizeof tests / sizeof tests[0]);
    return 0;
}
