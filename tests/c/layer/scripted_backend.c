/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_backend.h"

#include "check.h"
#include "fake_hal.h"

#include <string.h>

struct scripted_backend scripted;

void scripted_report(ULONG channel, DMA_INTERRUPT_TYPE type)
{
    CHECK(scripted.report_count < SCRIPTED_REPORTS_MAX);
    scripted.reports[scripted.report_count].channel = channel;
    scripted.reports[scripted.report_count].type = type;
    scripted.report_count++;
}

void scripted_end(ULONG channel, DMA_INTERRUPT_TYPE type)
{
    scripted_report(channel, type);
    fake_interrupt(SCRIPTED_SPI + channel);
}

static VOID initialize_controller(PVOID context)
{
    CHECK(context == &scripted);
}

static BOOLEAN validate(PVOID context, PDMA_REQUEST_LINE_BINDING_DESCRIPTION binding)
{
    (void)context;
    return binding->RequestLine != SCRIPTED_LINES - 1 && binding->ChannelNumber < SCRIPTED_CHANNELS;
}

static ULONG query_max_fragments(PVOID context, ULONG channel, ULONG wanted)
{
    (void)context;
    (void)channel;
    return wanted < scripted.max_fragments ? wanted : scripted.max_fragments;
}

/* An entry of the controller runs, and the test may want its interrupt just then. */
static void interrupt_inside(enum scripted_entry entry, ULONG channel)
{
    if (scripted.interrupts_inside >> entry & 1) {
        fake_interrupt(SCRIPTED_SPI + channel);
    }
}

static VOID program_channel(PVOID context, ULONG channel, ULONG request_line, PDMA_SCATTER_GATHER_LIST list,
                            PHYSICAL_ADDRESS device, BOOLEAN write, BOOLEAN loop)
{
    (void)context;
    scripted.program.channel = channel;
    scripted.program.request_line = request_line;
    scripted.program.count = list->NumberOfElements;
    scripted.program.width = scripted.owner_width[channel];
    scripted.program.device_address = (uint64_t)device.QuadPart;
    scripted.program.write = write;
    scripted.program.loop = loop;
    memcpy(scripted.program.elements, list->Elements, list->NumberOfElements * sizeof list->Elements[0]);
    scripted.programs[scripted.program_count++ % SCRIPTED_PROGRAMS_MAX] = scripted.program;
    interrupt_inside(SCRIPTED_PROGRAM, channel);
    if (scripted.ends_at_once) {
        scripted_end(channel, InterruptTypeCompletion);
    }
}

static NTSTATUS configure_channel(PVOID context, ULONG channel, ULONG function, PVOID data)
{
    (void)context;
    interrupt_inside(SCRIPTED_CONFIGURE, channel);
    if (function == DMA_CONFIGURE_NEW_OWNER) {
        scripted.owner_width[channel] = (DMA_WIDTH) * (const ULONG *)data;
        return STATUS_SUCCESS;
    }
    scripted.configured.channel = channel;
    scripted.configured.function = function;
    scripted.configured.data = data;
    scripted.configured.calls++;
    return scripted.configure_result;
}

static VOID flush_channel(PVOID context, ULONG channel)
{
    (void)context;
    interrupt_inside(SCRIPTED_FLUSH, channel);
}

static BOOLEAN handle_interrupt(PVOID context, PULONG channel, DMA_INTERRUPT_TYPE *type)
{
    (void)context;
    if (scripted.reports_for_ever) {
        *channel = 0;
        *type = InterruptTypeCompletion;
        return TRUE;
    }
    if (scripted.report_count == 0) {
        return FALSE;
    }
    *channel = scripted.reports[0].channel;
    *type = scripted.reports[0].type;
    scripted.report_count--;
    memmove(&scripted.reports[0], &scripted.reports[1], scripted.report_count * sizeof scripted.reports[0]);
    return TRUE;
}

static ULONG read_dma_counter(PVOID context, ULONG channel)
{
    (void)context;
    interrupt_inside(SCRIPTED_COUNTER, channel);
    return scripted.bytes_left;
}

static VOID report_common_buffer(PVOID context, ULONG channel, PVOID memory, PHYSICAL_ADDRESS logical)
{
    (void)context;
    CHECK(memory != NULL && logical.QuadPart != 0);
    scripted.memory_reports[channel]++;
}

static BOOLEAN cancel_transfer(PVOID context, ULONG channel)
{
    (void)context;
    interrupt_inside(SCRIPTED_CANCEL, channel);
    return scripted.cancel_result;
}

static const DMA_FUNCTION_TABLE entries = {
    initialize_controller, validate,         query_max_fragments, program_channel,      configure_channel,
    flush_channel,         handle_interrupt, read_dma_counter,    report_common_buffer, cancel_transfer,
};

struct dma_controller scripted_describe(void)
{
    static const struct dma_peripheral peripherals[] = {
        {SCRIPTED_RECEIVE_LINE, FALSE, SCRIPTED_REGISTER},
        {SCRIPTED_TRANSMIT_LINE, TRUE, SCRIPTED_REGISTER},
    };
    struct dma_controller description = {
        .block = {.Version = DMA_BACKEND_VERSION,
                  .ChannelCount = SCRIPTED_CHANNELS,
                  .DmaAddressWidth = 32,
                  .SupportedPortWidths = DMA_PORT_WIDTH_8 | DMA_PORT_WIDTH_16 | DMA_PORT_WIDTH_32,
                  .MinimumTransferUnit = 1,
                  .MaximumRequestLine = SCRIPTED_LINES - 1,
                  .InternalData = &scripted,
                  .Operations = &entries},
        .peripherals = peripherals,
        .peripheral_count = sizeof peripherals / sizeof peripherals[0],
    };

    for (ULONG n = 0; n < SCRIPTED_CHANNELS; n++) {
        description.channels[n] = (DMA_CHANNEL_INITIALIZATION_BLOCK){
            .GeneratesInterrupt = TRUE, .InterruptNumber = SCRIPTED_SPI + n, .CommonBufferLength = 256};
    }
    scripted = (struct scripted_backend){
        .max_fragments = SCRIPTED_LIST_MAX, .cancel_result = TRUE, .configure_result = STATUS_NOT_IMPLEMENTED};
    return description;
}
