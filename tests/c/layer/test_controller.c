/* SPDX-License-Identifier: Apache-2.0 */
/* Registration of controllers, and the way from their interrupts to the layer. */
#include "check.h"
#include "fixture.h"

TEST(a_registration_that_cannot_be_is_refused, "")
{
    static struct dma_controller controllers[DMA_CONTROLLERS_MAX + 1];

    for (size_t i = 0; i <= DMA_CONTROLLERS_MAX; i++) {
        controllers[i] = scripted_describe();
        controllers[i].block.MinimumRequestLine = (ULONG)i * SCRIPTED_LINES; /* HBE-02 */
        controllers[i].block.MaximumRequestLine = (ULONG)i * SCRIPTED_LINES + SCRIPTED_LINES - 1;
    }
    CHECK(dma_initialize(controllers, DMA_CONTROLLERS_MAX));
    fake_reset();
    CHECK(!dma_initialize(controllers, DMA_CONTROLLERS_MAX + 1));
    fake_reset();
    controllers[0].block.ChannelCount = DMA_CONTROLLER_CHANNELS_MAX + 1;
    CHECK(!dma_initialize(controllers, 1));
    fake_reset();
    controllers[0] = scripted_describe();
    controllers[0].channels[0].CommonBufferLength = 1 << 24; /* more than there is */
    CHECK(!dma_initialize(controllers, 1));
}

TEST(a_line_belongs_to_the_controller_with_its_range, "IGA-19 HBE-02")
{
    struct dma_controller controllers[2] = {scripted_describe(), scripted_describe()};
    DEVICE_DESCRIPTION description = describe(Width8Bits, 1);
    struct dma_channel_state state;

    controllers[1].block.MinimumRequestLine = SCRIPTED_LINES;
    controllers[1].block.MaximumRequestLine = 2 * SCRIPTED_LINES - 1;
    CHECK(dma_initialize(controllers, 2));
    dma = dma_operations_table();
    description.DmaRequestLine = SCRIPTED_LINES + 2; /* IGA-19 */
    adapter = get_adapter_for(description);
    CHECK(adapter != NULL);
    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK(dma_channel_by_number(SCRIPTED_CHANNELS + 1, &state));
    CHECK(state.owner == adapter && state.handle == base);
    CHECK(dma_channel_by_number(1, &state) && state.owner == NULL);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(private_memory_is_given_to_who_asks, "HBE-05 HBE-06")
{
    struct dma_controller controller = scripted_describe();

    controller.channels[1].CommonBufferLength = 0;
    driver_start_with(&controller);
    for (ULONG n = 0; n < SCRIPTED_CHANNELS; n++) {
        CHECK_EQ(scripted.memory_reports[n], n == 1 ? 0 : 1); /* HBE-05 */
    }
    CHECK(fake_last(FAKE_EXIT, OPLOG_InitializeController) < fake_last(FAKE_ENTER, OPLOG_ReportCommonBuffer));
}

TEST(a_program_is_all_that_the_adapter_says, "HBE-08")
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, 2);

    for (int looped = 0; looped < 2; looped++) {
        start(Width8Bits);
        description.AutoInitialize = looped == 1;
        adapter = get_adapter_for(description);
        PMDL mdl = driver_mdl(0, 2 * FAKE_LINE);

        mdl->MdlFlags |= MDL_IO_SPACE; /* of a looped one no other memory is mapped without a violation */
        (void)driver_raise();
        PVOID base = hold_channel(0);

        length = 2 * FAKE_LINE;
        CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 8, &length, TRUE, NULL, 0, NULL, NULL),
                 STATUS_SUCCESS);
        CHECK(scripted.program.channel == 2 && scripted.program.request_line == 1 && scripted.program.write);
        CHECK_EQ(scripted.program.count, 1);
        CHECK_EQ(scripted.program.elements[0].Address.QuadPart, 0x40000000);
        CHECK_EQ(scripted.program.elements[0].Length, 2 * FAKE_LINE);
        CHECK_EQ(scripted.program.device_address, DRIVER_REGISTER + 8);
        CHECK_EQ(scripted.program.loop, looped); /* HBE-08 */
        CHECK_EQ(flush(mdl, base, 0, 2 * FAKE_LINE, TRUE), STATUS_SUCCESS);
        dma->PutDmaAdapter(adapter);
        KeLowerIrql(PASSIVE_LEVEL);
        IoFreeMdl(mdl);
        fixture_reset();
    }
}

TEST(reports_of_no_channel_are_dropped_and_endless_ones_come_back, "HBE-11 HBE-12")
{
    start(Width8Bits);
    scripted_report(SCRIPTED_CHANNELS + 7, InterruptTypeCompletion); /* HBE-12 */
    scripted_report(0, InterruptTypeError);
    fake_interrupt(SCRIPTED_SPI);
    CHECK_EQ(scripted.report_count, 0); /* HBE-11 */
    scripted.reports_for_ever = true;
    fake_interrupt(SCRIPTED_SPI); /* the line is level: what is left asserts it again */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

TEST(the_controllers_own_interrupt_is_connected, "HBE-17")
{
    struct dma_controller controller = scripted_describe();

    controller.block.GeneratesInterrupt = TRUE;
    controller.block.InterruptNumber = SCRIPTED_SPI + SCRIPTED_CHANNELS;
    controller.channels[0].GeneratesInterrupt = FALSE;
    controller.channels[1].GeneratesInterrupt = FALSE;
    driver_start_with(&controller);
    adapter = get_adapter(Width8Bits, 0);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    KeLowerIrql(PASSIVE_LEVEL);
    device.CurrentIrp = NULL;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &(ULONG){64}, TRUE, NULL, 0, on_completion, NULL),
             STATUS_SUCCESS);
    scripted_report(0, InterruptTypeCompletion);
    fake_interrupt(SCRIPTED_SPI + SCRIPTED_CHANNELS);
    CHECK_EQ(completed.calls, 1); /* HBE-17: it does interrupt */
    dma->PutDmaAdapter(adapter);
    IoFreeMdl(mdl);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
