/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters on the scripted back end: how they come, what they say, how they go. */
#include "check.h"
#include "fixture.h"

#include <string.h>

/* ---- adapters ---- */

TEST(the_table_has_every_member, "TBL-01 TBL-03")
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

TEST(unserved_descriptions_are_refused, "IGA-02 IGA-19 IGA-20")
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

static DEVICE_DESCRIPTION describe_master(ULONG bits)
{
    return (DEVICE_DESCRIPTION){.Version = DEVICE_DESCRIPTION_VERSION3,
                                .Master = 7, /* GEN-11 */
                                .InterfaceType = PCIBus,
                                .MaximumLength = 4 * FAKE_PAGE,
                                .DmaAddressWidth = bits};
}

TEST(a_bus_master_needs_24_to_64_bits_and_nothing_else, "IGA-11 IGA-12 IGA-18")
{
    static const struct {
        ULONG bits;
        bool served;
    } rows[] = {{0, false}, {1, false}, {23, false}, {24, true}, {32, true}, {64, true}, {65, false}};

    start(Width8Bits);
    fake_forget_log();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DEVICE_DESCRIPTION description = describe_master(rows[i].bits);

        if (!rows[i].served) {
            check_refused(description); /* IGA-11, IGA-12 */
            continue;
        }
        description.DmaWidth = MaximumDmaWidth; /* IGA-15 */
        description.DmaRequestLine = 9999;
        description.DmaChannel = 77;
        description.AutoInitialize = TRUE;
        description.DemandMode = TRUE;
        CHECK(get_adapter_for(description) != NULL);
        CHECK_EQ(register_maximum, 5); /* IGA-07, IGA-09 */
    }
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ValidateRequestLineBinding), 0);
    DEVICE_DESCRIPTION description = describe_master(32);

    description.Reserved1 = TRUE;
    check_refused(description); /* IGA-17 */
    description = describe_master(32);
    description.InterfaceType = Eisa;
    check_refused(description);
}

TEST(the_unlimited_width_needs_a_controller_that_has_it, "IGA-20")
{
    struct dma_controller controller = scripted_describe();
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};

    controller.block.SupportedPortWidths |= DMA_PORT_WIDTH_UNLIMITED;
    driver_start_with(&controller);
    adapter = get_adapter(WidthNoWrap, 0); /* IGA-20 */
    CHECK(adapter != NULL);
    CHECK_EQ(dma->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MinimumTransferUnit, 1);
    CHECK(get_adapter((DMA_WIDTH)(WidthNoWrap + 1), 0) == NULL);
}

TEST(adapters_can_come_and_go_for_ever, "PDA-05")
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

/* Every routine refuses the adapter, with the violation. */
static void refuse_adapter(PDMA_ADAPTER bad, uint32_t violation)
{
    DMA_TRANSFER_INFO info = {.Version = 1};
    PVOID base = &base;

    CHECK_EQ(dma->GetDmaTransferInfo(bad, NULL, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->InitializeDmaTransferContext(bad, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->AllocateAdapterChannelEx(bad, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->MapTransferEx(bad, NULL, NULL, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->FlushAdapterBuffersEx(bad, NULL, NULL, 0, 0, TRUE), STATUS_INVALID_PARAMETER);
    dma->FreeAdapterChannel(bad);
    dma->PutDmaAdapter(bad);
    CHECK(base == &base);
    CHECK_EQ(driver_violations(violation), 7);
}

TEST(no_adapter_is_refused_everywhere, "GEN-04")
{
    start(Width32Bits);
    refuse_adapter(NULL, 0x19);
}

TEST(a_released_adapter_is_refused_everywhere, "GEN-05")
{
    start(Width32Bits);
    dma->PutDmaAdapter(adapter);
    refuse_adapter(adapter, 0x18);
}

TEST(what_is_no_adapter_is_refused_everywhere, "GEN-05")
{
    start(Width32Bits);
    refuse_adapter((PDMA_ADAPTER)(uintptr_t)0x123, 0x18);
}

TEST(too_many_adapters_are_refused, "IGA-01")
{
    ULONG count = 1;

    start(Width8Bits);
    while (get_adapter(Width8Bits, 0) != NULL) {
        count++;
    }
    CHECK_EQ(dma_count().adapters, count);
    dma->PutDmaAdapter(adapter);
    CHECK(get_adapter_for(describe_master(32)) != NULL);
}

/* ---- what they say ---- */

static void check_info(PDMA_ADAPTER from, DMA_ADAPTER_INFO_V1 expected)
{
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};

    CHECK_EQ(dma->GetDmaAdapterInfo(from, &info), STATUS_SUCCESS);
    CHECK(memcmp(&info.V1, &expected, sizeof expected) == 0);
}

TEST(adapter_info_describes_the_controller_or_the_master, "GAI-01 GAI-04")
{
    start(Width32Bits);
    scripted.max_fragments = 12;
    check_info(adapter, (DMA_ADAPTER_INFO_V1){1, 12, 32, 0, 4});
    check_info(get_adapter_for(describe_master(40)),
               (DMA_ADAPTER_INFO_V1){0, UINT32_MAX, 40, 0, 1}); /* GAI-04 */
}

TEST(adapter_info_needs_a_place, "GAI-10")
{
    start(Width32Bits);
    CHECK_EQ(dma->GetDmaAdapterInfo(adapter, NULL), STATUS_INVALID_PARAMETER);
}

TEST(adapter_info_has_one_version, "GAI-02")
{
    static const ULONG versions[] = {0, 2, UINT32_MAX};

    start(Width32Bits);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        DMA_ADAPTER_INFO info = {.Version = versions[i], .V1 = {1, 2, 3, 4, 5}};
        DMA_ADAPTER_INFO before = info;

        CHECK_EQ(dma->GetDmaAdapterInfo(adapter, &info), STATUS_NOT_SUPPORTED);
        CHECK(memcmp(&info, &before, sizeof info) == 0);
    }
}

TEST(an_answer_keeps_the_version_that_was_asked_for, "GAI-03")
{
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};

    start(Width32Bits);
    CHECK_EQ(dma->GetDmaAdapterInfo(adapter, &info), STATUS_SUCCESS);
    CHECK_EQ(info.Version, DMA_ADAPTER_INFO_VERSION1);
}

TEST(the_alignment_is_the_line, "GDA-01 GDA-03")
{
    start(Width32Bits);
    CHECK_EQ(dma->GetDmaAlignment(adapter), FAKE_LINE);
    CHECK_EQ(dma->GetDmaAlignment(NULL), 0);
}

TEST(the_alignment_is_the_unit_where_dma_is_coherent, "GDA-04")
{
    fake_set_coherent(true);
    start(Width32Bits);
    CHECK_EQ(dma->GetDmaAlignment(adapter), 4);
    CHECK_EQ(dma->GetDmaAlignment(get_adapter_for(describe_master(32))), 1);
}

/* ---- what tests may set ---- */

TEST(limits_hold_for_adapters_made_afterwards, "")
{
    static const struct dma_limits wrong[] = {{1, 2, 1},  {65, 2, 1}, {2, 1, 1},
                                              {2, 65, 1}, {2, 2, 0},  {2, 2, 65}};
    PVOID base;

    start(Width8Bits);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!dma_set_limits(wrong[i]));
    }
    CHECK(dma_set_limits((struct dma_limits){8, 64, 3}));
    CHECK_EQ(dma_count().free_map_registers, 8);
    CHECK(get_adapter(Width8Bits, 1) != NULL);
    CHECK_EQ(register_maximum, 8);
    CHECK(dma_set_limits((struct dma_limits){64, 4, 64}));
    PDMA_ADAPTER small = get_adapter(Width8Bits, 1);

    CHECK_EQ(register_maximum, 4);
    CHECK(dma_set_limits((struct dma_limits){6, 4, 64}));
    (void)driver_raise();
    CHECK_EQ(allocate_sync(adapter, 0, 7, &base), STATUS_INSUFFICIENT_RESOURCES); /* it could never be had */
    CHECK_EQ(allocate_sync(adapter, 0, 6, &base), STATUS_SUCCESS);
    CHECK(!dma_set_limits((struct dma_limits){6, 4, 64})); /* they are in use */
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(allocate_sync(small, 1, 5, &base), STATUS_INSUFFICIENT_RESOURCES);
    CHECK(dma_set_limits((struct dma_limits){64, 64, 64}));
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(plain_mode_records_nothing, "")
{
    start(Width8Bits);
    dma_set_checked(false);
    dma->PutDmaAdapter(NULL);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    dma_set_checked(true);
    dma->PutDmaAdapter(NULL);
    CHECK_EQ(driver_violations(0x19), 1);
    dma_set_checked(false);
    fake_reset();
    start(Width8Bits); /* checked from the start */
    dma->PutDmaAdapter(NULL);
    CHECK_EQ(driver_violations(0x19), 1);
}

TEST(channels_say_who_has_them, "")
{
    struct dma_channel_state state;
    PVOID base;

    start(Width8Bits);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 0);
    PDMA_ADAPTER one_master = driver_master();

    (void)driver_raise();
    base = hold_channel(1);
    CHECK_EQ(allocate(other, 1, 1, 0), STATUS_SUCCESS);
    CHECK(dma_channel_by_number(0, &state));
    CHECK(state.owner == adapter && state.handle == base && state.waiting == 1);
    CHECK(dma_channel_by_adapter(other, &state) && state.owner == adapter);
    CHECK(dma_channel_by_number(1, &state) && state.owner == NULL && state.waiting == 0);
    CHECK(dma_channel_by_adapter(one_master, &state) && state.owner == NULL);
    CHECK(!dma_channel_by_number(SCRIPTED_CHANNELS, &state));
    CHECK(!dma_channel_by_adapter(NULL, &state));
    CHECK(dma_count().requests == 2 && dma_count().lists == 0);
    dma->PutDmaAdapter(other);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* ---- GetDmaTransferInfo ---- */

TEST(transfer_info_covers_a_read_unless_writes_are_all, "GTI-08")
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
    CHECK_EQ(info.V1.MapRegisterCount, 2);
    CHECK_EQ(info.V1.ScatterGatherElementCount, 4);
    IoFreeMdl(mdl);
}

TEST(transfer_info_is_of_a_range_inside_the_chain, "GTI-03")
{
    DMA_TRANSFER_INFO info = {.Version = 1};

    start(Width8Bits);
    PMDL mdl = driver_mdl(10, 2 * FAKE_PAGE);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 2 * FAKE_PAGE, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 0, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 1, 2 * FAKE_PAGE, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, NULL, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, (PMDL)(uintptr_t)8, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 1, TRUE, NULL), STATUS_INVALID_PARAMETER);
    IoFreeMdl(mdl);
}

TEST(transfer_info_has_one_version, "GTI-02")
{
    DMA_TRANSFER_INFO info = {.Version = 2};

    start(Width8Bits);
    PMDL mdl = driver_mdl(10, 2 * FAKE_PAGE);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 1, TRUE, &info), STATUS_NOT_SUPPORTED);
    IoFreeMdl(mdl);
}

/* What a bus master of scattered pages needs, for a write and for either direction. */
struct figures {
    ULONG bits;
    BOOLEAN scatter;
    size_t offset;
    ULONG bytes, write_registers, registers, elements;
};

static void check_figures(const struct figures *expected)
{
    DMA_TRANSFER_INFO info = {.Version = 1};

    fake_reset();
    fake_scatter_pages();
    start(Width8Bits);
    PMDL mdl = driver_mdl(expected->offset, expected->bytes);
    PDMA_ADAPTER from = driver_master_of(expected->bits, expected->scatter, NULL);

    CHECK_EQ(dma->GetDmaTransferInfo(from, mdl, 0, expected->bytes, TRUE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MapRegisterCount, expected->write_registers);
    CHECK_EQ(dma->GetDmaTransferInfo(from, mdl, 0, expected->bytes, FALSE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MapRegisterCount, expected->registers);
    CHECK_EQ(info.V1.ScatterGatherElementCount, expected->elements);
    IoFreeMdl(mdl);
}

TEST(a_master_that_reaches_all_bounces_the_edges_of_a_read, "GTI-06 GTI-08")
{
    check_figures(&(struct figures){32, TRUE, 0, 4 * FAKE_PAGE, 0, 0, 4});
    check_figures(&(struct figures){32, TRUE, 10, 4 * FAKE_PAGE, 0, 2, 6});
}

TEST(a_master_that_reaches_nothing_bounces_all, "GTI-06 MR-05")
{
    check_figures(&(struct figures){30, TRUE, 10, 4 * FAKE_PAGE, 5, 5, 1});
}

TEST(a_master_without_lists_needs_one_element, "GTI-10")
{
    check_figures(&(struct figures){32, FALSE, 10, 4 * FAKE_PAGE, 5, 5, 1});
    check_figures(&(struct figures){32, FALSE, 64, 128, 0, 0, 1});
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
