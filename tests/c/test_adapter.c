/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters on the scripted back end: how they come, what they say, how they go. */
#include "check.h"
#include "fixture.h"

#include <string.h>

/* ---- adapters ---- */

static void the_table_has_every_member(void)
{
    start(Width32Bits);
    CHECK(adapter->DmaOperations == dma);
    CHECK_EQ(dma->Size, sizeof(DMA_OPERATIONS));
    CHECK_EQ(adapter->Version, 1);
    CHECK_EQ(register_maximum, 17); /* IGA-07 */
    for (size_t at = sizeof(void *); at < sizeof *dma; at += sizeof(void *)) {
        uintptr_t member;

        memcpy(&member, (const UCHAR *)dma + at, sizeof member);
        CHECK(member != 0); /* TBL-03 */
    }
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK(!dma->CancelAdapterChannel(adapter, &device, contexts[0]));
}

static void check_refused(DEVICE_DESCRIPTION description)
{
    ULONG registers = 77;

    CHECK(IoGetDmaAdapter(NULL, &description, &registers) == NULL);
    CHECK_EQ(registers, 77); /* GEN-06 */
}

static void unserved_descriptions_are_refused(void)
{
    start(Width32Bits);
    DEVICE_DESCRIPTION description = describe(Width64Bits, 0);

    check_refused(description); /* IGA-20 */
    check_refused(describe(WidthNoWrap, 0));
    check_refused(describe((DMA_WIDTH)-1, 0));
    check_refused(describe(Width8Bits, SCRIPTED_CHANNELS));
    description = describe(Width8Bits, 0);
    description.DmaRequestLine = SCRIPTED_LINES; /* no owner */
    check_refused(description);
    description.DmaRequestLine = SCRIPTED_LINES - 1; /* the back end refuses */
    check_refused(description);
    description = describe(Width8Bits, 0);
    description.Master = TRUE;
    check_refused(description);
    description = describe(Width8Bits, 0);
    description.InterfaceType = Isa;
    check_refused(description);
    description = describe(Width8Bits, 0);
    description.Version = 2;
    check_refused(description);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    description.Version = 4;
    check_refused(description);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x25), 1);
    CHECK(IoGetDmaAdapter(NULL, NULL, &register_maximum) == NULL);
    CHECK(IoGetDmaAdapter(NULL, &description, NULL) == NULL);
}

static void adapters_can_come_and_go_for_ever(void)
{
    start(Width8Bits);
    for (int i = 0; i < 1000; i++) {
        PDMA_ADAPTER other = get_adapter(Width8Bits, 1);

        CHECK(other != NULL && other != adapter);
        dma->PutDmaAdapter(other);
        fake_forget_log();
    }
    check_idle();
}

static void bad_adapters_are_refused_everywhere(void)
{
    start(Width32Bits);
    PDMA_ADAPTER bad[] = {NULL, (PDMA_ADAPTER)(uintptr_t)0x123, adapter};
    DMA_TRANSFER_INFO info = {.Version = 1};
    PVOID base = &base;

    dma->PutDmaAdapter(adapter);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(dma->GetDmaTransferInfo(bad[i], NULL, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->InitializeDmaTransferContext(bad[i], contexts[0]), STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->AllocateAdapterChannelEx(bad[i], &device, contexts[0], 1, 1, NULL, NULL, &base),
                 STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->MapTransferEx(bad[i], NULL, NULL, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
                 STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->FlushAdapterBuffersEx(bad[i], NULL, NULL, 0, 0, TRUE), STATUS_INVALID_PARAMETER);
        dma->FreeAdapterChannel(bad[i]);
        dma->PutDmaAdapter(bad[i]);
    }
    CHECK(base == &base);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x19), 7);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x18), 14);
}

/* ---- GetDmaTransferInfo ---- */

static void transfer_info_describes_the_full_mapping(void)
{
    DMA_TRANSFER_INFO info = {.Version = 1};

    fake_scatter_pages();
    start(Width8Bits);
    PMDL mdl = driver_mdl(10, 2 * FAKE_PAGE);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 2 * FAKE_PAGE, TRUE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MapRegisterCount, 0);
    CHECK_EQ(info.V1.ScatterGatherElementCount, 3);
    CHECK_EQ(info.V1.ScatterGatherListSize, sizeof(SCATTER_GATHER_LIST) + 3 * sizeof(SCATTER_GATHER_ELEMENT));
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 2 * FAKE_PAGE, FALSE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MapRegisterCount, 2); /* GTI-08 */
    CHECK_EQ(info.V1.ScatterGatherElementCount, 4);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 2 * FAKE_PAGE, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 0, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 1, 2 * FAKE_PAGE, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, NULL, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, (PMDL)(uintptr_t)8, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 1, TRUE, NULL), STATUS_INVALID_PARAMETER);
    info.Version = 2;
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 1, TRUE, &info), STATUS_NOT_SUPPORTED);
    IoFreeMdl(mdl);
}

int main(void)
{
    static void (*const tests[])(void) = {
        the_table_has_every_member,
        unserved_descriptions_are_refused,
        adapters_can_come_and_go_for_ever,
        bad_adapters_are_refused_everywhere,
        transfer_info_describes_the_full_mapping,
    };

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        fixture_reset();
        tests[i]();
    }
    printf("ok test_adapter (%zu)\n", sizeof tests / sizeof tests[0]);
    return 0;
}
