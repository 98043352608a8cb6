/* SPDX-License-Identifier: Apache-2.0 */
#include "pl330/pl330.h"

#include "hal/cache.h"

_Static_assert(PL330_FIXED_BYTES + PL330_FULL_LOOPS_MAX * PL330_LOOP_BYTES +
                       PL330_ELEMENTS_MAX * PL330_ELEMENT_BYTES <=
                   PL330_PRIVATE_BYTES,
               "the longest program of the most elements fits (PLB-05)");

static bool has_bit(uint32_t bits, ULONG n)
{
    return (bits >> n & 1) != 0;
}

static bool is_event_pending(const struct pl330 *dma, ULONG n)
{
    return has_bit(pl330_pending_interrupts(dma->config.base), n);
}

/* ---- set-up ---- */

static VOID initialize_controller(PVOID context)
{
    struct pl330 *dma = context;
    uintptr_t base = dma->config.base;

    dma->nonsecure = pl330_is_manager_nonsecure(base);
    if (pl330_is_manager_faulting(base)) {
        pl330_kill_manager(base);
    }
    for (ULONG n = 0; n < dma->config.channels; n++) {
        if (!pl330_is_stopped(base, n)) {
            (void)pl330_kill(base, n); /* PLB-19 */
        }
    }
    pl330_enable_interrupts(base, (UINT32_C(1) << dma->config.channels) - 1);
}

static VOID report_common_buffer(PVOID context, ULONG n, PVOID memory, PHYSICAL_ADDRESS logical)
{
    struct pl330 *dma = context;

    dma->channels[n].program.code = (struct pl330_code){.bytes = memory, .capacity = PL330_PRIVATE_BYTES};
    dma->channels[n].memory_bus_address = logical.LowPart;
}

/* Does the hardware let our state, secure or not, use this peripheral and this event (PLB-18)? */
static bool are_owned(const struct pl330 *dma, ULONG peripheral, ULONG event)
{
    return !dma->nonsecure || (has_bit(dma->hardware.nonsecure_peripherals, peripheral) &&
                               has_bit(dma->hardware.nonsecure_events, event));
}

/* May this request line use this channel (PLB-03)? */
static BOOLEAN validate_request_line_binding(PVOID context, PDMA_REQUEST_LINE_BINDING_DESCRIPTION binding)
{
    const struct pl330 *dma = context;
    ULONG peripheral = binding->RequestLine - dma->config.first_request_line;
    ULONG n = binding->ChannelNumber;

    return binding->RequestLine >= dma->config.first_request_line && peripheral < dma->config.request_lines &&
           peripheral < dma->hardware.peripherals && n < dma->config.channels && n < dma->hardware.channels &&
           n < dma->config.events && n < dma->hardware.events && are_owned(dma, peripheral, n);
}

/* A program holds as many elements as the code memory was made for (PLB-05). */
static ULONG query_max_fragments(PVOID context, ULONG n, ULONG wanted)
{
    const struct pl330 *dma = context;

    if (dma->channels[n].program.code.bytes == NULL) {
        return 0;
    }
    return wanted < PL330_ELEMENTS_MAX ? wanted : PL330_ELEMENTS_MAX;
}

/* Carry out a function of ConfigureAdapterChannel (PLB-22). */
static NTSTATUS configure_channel(PVOID context, ULONG n, ULONG function, PVOID data)
{
    struct pl330 *dma = context;

    if (!pl330_settings_know(function)) {
        return STATUS_NOT_IMPLEMENTED;
    }
    if (data == NULL) {
        return STATUS_INVALID_PARAMETER; /* CFG-08 */
    }
    if (!pl330_is_stopped(dma->config.base, n)) {
        return STATUS_INVALID_DEVICE_STATE; /* CFG-07 */
    }
    return pl330_settings_change(&dma->channels[n].settings, function, *(const ULONG *)data)
               ? STATUS_SUCCESS
               : STATUS_INVALID_PARAMETER;
}

/* ---- start ---- */

static bool take_elements(struct pl330_program *program, const DMA_SCATTER_GATHER_LIST *list)
{
    program->element_count = list->NumberOfElements;
    program->total = 0;
    for (uint32_t i = 0; i < list->NumberOfElements && i < PL330_ELEMENTS_MAX; i++) {
        program->elements[i] = (struct pl330_element){
            .address = list->Elements[i].Address.LowPart,
            .length = list->Elements[i].Length,
        };
        program->total += list->Elements[i].Length;
    }
    return list->NumberOfElements <= PL330_ELEMENTS_MAX;
}

static unsigned int log2_of(uint32_t power)
{
    unsigned int log2 = 0;

    while (power >> log2 > 1) {
        log2++;
    }
    return log2;
}

/* Beats of a burst: at most as many as the channel's share of the FIFO holds (PLB-06). */
static unsigned int beats_of(const struct pl330 *dma, const struct pl330_settings *settings,
                             unsigned int width_log2)
{
    uint32_t share = (dma->hardware.fifo_bytes / dma->hardware.channels) >> width_log2;

    share = share < settings->beats ? share : settings->beats;
    return share > 1 ? share : 1;
}

static struct pl330_transfer describe_transfer(const struct pl330 *dma, ULONG n)
{
    const struct pl330_settings *settings = &dma->channels[n].settings;
    bool advances = settings->width == WidthNoWrap;
    unsigned int width_log2 = advances ? log2_of(dma->hardware.bus_bytes) : (unsigned int)settings->width;

    return (struct pl330_transfer){
        .device_advances = advances,
        .width_log2 = width_log2,
        .beats = beats_of(dma, settings, width_log2),
        .request = pl330_settings_request(settings),
        .notice_bytes = settings->notice_bytes,
        .nonsecure = dma->nonsecure,
        .event = n,
        .ending = settings->ending,
    };
}

/* Start the program of a channel (PLB-07). */
static bool start(struct pl330 *dma, ULONG n)
{
    dma->last_started = n;
    barrier_sync(); /* CCH-21: the program is in memory before the controller fetches it */
    return pl330_start(dma->config.base, n, dma->nonsecure, dma->channels[n].memory_bus_address);
}

static void end_with(struct pl330_channel *channel, ULONG left)
{
    channel->ended = true;
    channel->left = left;
}

static void fail_to_start(struct pl330 *dma, ULONG n)
{
    dma->channels[n].report = OWES_ERROR;
    end_with(&dma->channels[n], dma->channels[n].program.total);
    (void)pl330_raise_event(dma->config.base, n);
}

static VOID program_channel(PVOID context, ULONG n, ULONG request_line, PDMA_SCATTER_GATHER_LIST list,
                            PHYSICAL_ADDRESS device, BOOLEAN write, BOOLEAN loop)
{
    struct pl330 *dma = context;
    struct pl330_channel *channel = &dma->channels[n];
    struct pl330_transfer transfer = describe_transfer(dma, n);

    transfer.device_address = device.LowPart;
    transfer.peripheral = request_line - dma->config.first_request_line;
    transfer.write = write;
    transfer.loop = loop;
    channel->write = write;
    channel->report = OWES_NOTHING;
    channel->ended = false;
    channel->settings.ending = PL330_ENDS_WELL;
    if (!take_elements(&channel->program, list) || device.HighPart != 0 ||
        !pl330_program_make(&channel->program, &transfer) || !start(dma, n)) {
        fail_to_start(dma, n);
    }
}

/* ---- how far it is, PLB-15 ---- */

static struct pl330_position position_now(const struct pl330 *dma, ULONG n)
{
    const struct pl330_channel *channel = &dma->channels[n];
    struct pl330_thread thread = pl330_read_thread(dma->config.base, n);

    return (struct pl330_position){
        .code_offset = thread.cpc - channel->memory_bus_address,
        .address = channel->write ? thread.sar : thread.dar,
        .control = thread.ccr,
        .lc1 = thread.lc1,
    };
}

static ULONG bytes_left_now(const struct pl330 *dma, ULONG n)
{
    const struct pl330_position position = position_now(dma, n);

    return pl330_program_left(&dma->channels[n].program, &position);
}

static ULONG read_dma_counter(PVOID context, ULONG n)
{
    const struct pl330 *dma = context;
    const struct pl330_channel *channel = &dma->channels[n];

    return channel->ended ? channel->left : bytes_left_now(dma, n);
}

/* ---- the end ---- */

static ULONG lowest_bit(uint32_t bits)
{
    ULONG n = 0;

    while (!has_bit(bits, n)) {
        n++;
    }
    return n;
}

/* Acknowledge an event of a channel, and say what it means. A failed start raises the event too. The event of a
 * loop is a notice, even if the loop is killed meanwhile. */
static DMA_INTERRUPT_TYPE take_event(struct pl330 *dma, ULONG n)
{
    struct pl330_channel *channel = &dma->channels[n];

    pl330_clear_interrupt(dma->config.base, n);
    if (channel->report == OWES_ERROR) {
        channel->report = OWES_NOTHING;
        return InterruptTypeError;
    }
    if (!channel->program.loop) {
        end_with(channel, 0);
    }
    return InterruptTypeCompletion;
}

static void take_fault(struct pl330 *dma, ULONG n)
{
    struct pl330_channel *channel = &dma->channels[n];

    channel->fault_type = pl330_fault_type(dma->config.base, n);
    if (!channel->ended) {
        end_with(channel, bytes_left_now(dma, n));
    }
    (void)pl330_kill(dma->config.base, n);
}

/* Clear a fault of the manager. True: it could not start the channel *n. */
static bool take_manager_fault(struct pl330 *dma, ULONG *n)
{
    struct pl330_channel *channel = &dma->channels[dma->last_started];

    *n = dma->last_started;
    pl330_kill_manager(dma->config.base);
    if (channel->ended || !pl330_is_stopped(dma->config.base, *n)) {
        return false;
    }
    end_with(channel, channel->program.total);
    return true;
}

/* Take a report that no register shows. */
static bool take_owed_report(struct pl330 *dma, ULONG *n, DMA_INTERRUPT_TYPE *type)
{
    for (*n = 0; *n < dma->config.channels; (*n)++) {
        struct pl330_channel *channel = &dma->channels[*n];

        if (channel->report != OWES_NOTHING) {
            *type = channel->report == OWES_ERROR ? InterruptTypeError : InterruptTypeCancelled;
            channel->report = OWES_NOTHING;
            return true;
        }
    }
    return false;
}

/* Find one report: events first, then faults, then what is owed (PLB-12). */
static BOOLEAN handle_interrupt(PVOID context, PULONG channel, DMA_INTERRUPT_TYPE *type)
{
    struct pl330 *dma = context;
    uint32_t own = (UINT32_C(1) << dma->config.channels) - 1;
    uint32_t events = pl330_pending_interrupts(dma->config.base) & own;
    uint32_t faults = pl330_faulting_channels(dma->config.base) & own;

    *type = InterruptTypeError;
    if (events != 0) {
        *channel = lowest_bit(events);
        *type = take_event(dma, *channel);
        return TRUE;
    }
    if (faults != 0) {
        *channel = lowest_bit(faults);
        take_fault(dma, *channel);
        return TRUE;
    }
    if (pl330_is_manager_faulting(dma->config.base) && take_manager_fault(dma, channel)) {
        return TRUE;
    }
    return take_owed_report(dma, channel, type);
}

/* Stop the channel and drop its reports (PLB-16). The settings are the owner's and stay (CFG-04). */
static VOID flush_channel(PVOID context, ULONG n)
{
    struct pl330 *dma = context;

    if (!pl330_is_stopped(dma->config.base, n)) {
        (void)pl330_kill(dma->config.base, n);
    }
    if (is_event_pending(dma, n)) {
        pl330_clear_interrupt(dma->config.base, n);
    }
    dma->channels[n].report = OWES_NOTHING;
    end_with(&dma->channels[n], 0);
}

/* Has the transfer ended? The event of a loop is no end: it is reported first, and then that the loop was
 * cancelled (HBE-14). */
static bool is_over(const struct pl330 *dma, ULONG n)
{
    return pl330_is_stopped(dma->config.base, n) || has_bit(pl330_faulting_channels(dma->config.base), n) ||
           (is_event_pending(dma, n) && !dma->channels[n].program.loop);
}

/* Wait until the channel's stores have arrived: where they are on their way when it is killed, nothing says
 * whether they still arrive. False: it stays at the barrier for longer than any store takes, so it was stopped
 * there, and they have. */
static bool leaves_barrier(const struct pl330 *dma, ULONG n)
{
    enum { POLLS_MAX = 100 };
    const struct pl330_program *program = &dma->channels[n].program;

    for (int polls = 0; polls < POLLS_MAX; polls++) {
        if (!pl330_program_stores_at(program, position_now(dma, n).code_offset)) {
            return true;
        }
    }
    return false;
}

static ULONG bytes_left_after_kill(const struct pl330 *dma, ULONG n, bool was_at_barrier)
{
    struct pl330_position position = position_now(dma, n);

    position.code_offset += was_at_barrier; /* behind it */
    return pl330_program_left(&dma->channels[n].program, &position);
}

/* Kill a transfer that runs (PLB-13). What it has moved is known only when it moves no more (PLB-14). */
static BOOLEAN cancel_transfer(PVOID context, ULONG n)
{
    struct pl330 *dma = context;
    struct pl330_channel *channel = &dma->channels[n];

    if (is_over(dma, n)) {
        return FALSE;
    }
    bool is_at_barrier = !leaves_barrier(dma, n);

    if (!pl330_kill(dma->config.base, n)) {
        return FALSE;
    }
    if (!channel->ended) {
        end_with(channel, bytes_left_after_kill(dma, n, is_at_barrier));
    }
    if (!is_event_pending(dma, n)) {
        return TRUE;
    }
    channel->report = channel->program.loop ? OWES_CANCELLED : OWES_NOTHING;
    return FALSE;
}

/* ---- registration ---- */

static const DMA_FUNCTION_TABLE entries = {
    .InitializeController = initialize_controller,
    .ValidateRequestLineBinding = validate_request_line_binding,
    .QueryMaxFragments = query_max_fragments,
    .ProgramChannel = program_channel,
    .ConfigureChannel = configure_channel,
    .FlushChannel = flush_channel,
    .HandleInterrupt = handle_interrupt,
    .ReadDmaCounter = read_dma_counter,
    .ReportCommonBuffer = report_common_buffer,
    .CancelTransfer = cancel_transfer,
};

static DMA_CHANNEL_INITIALIZATION_BLOCK describe_channel(const struct pl330_config *config, ULONG n)
{
    return (DMA_CHANNEL_INITIALIZATION_BLOCK){
        .Version = DMA_BACKEND_VERSION,
        .Size = sizeof(DMA_CHANNEL_INITIALIZATION_BLOCK),
        .GeneratesInterrupt = TRUE,
        .InterruptNumber = config->first_event_spi + n,
        .CommonBufferLength = PL330_PRIVATE_BYTES,
    };
}

/* The widths of device registers that the bus can access (PLB-02). */
static ULONG port_widths(const struct pl330_configuration *hardware)
{
    ULONG always = DMA_PORT_WIDTH_UNLIMITED | DMA_PORT_WIDTH_8 | DMA_PORT_WIDTH_16 | DMA_PORT_WIDTH_32;

    return hardware->bus_bytes >= 8 ? always | DMA_PORT_WIDTH_64 : always;
}

void pl330_describe(struct pl330 *dma, const struct pl330_config *config, struct dma_controller *controller)
{
    *dma = (struct pl330){.config = *config, .hardware = pl330_read_configuration(config->base)};
    controller->block = (DMA_INITIALIZATION_BLOCK){
        .Version = DMA_BACKEND_VERSION,
        .Size = sizeof(DMA_INITIALIZATION_BLOCK),
        .ControllerId = config->controller_id,
        .ChannelCount = config->channels,
        .CacheCoherent = FALSE,
        .DmaAddressWidth = 32,
        .SupportedPortWidths = port_widths(&dma->hardware),
        .MinimumTransferUnit = 1,
        .MaximumTransferUnits = PL330_FULL_LOOPS_MAX * PL330_FULL_LOOP_UNITS,
        .MinimumRequestLine = config->first_request_line,
        .MaximumRequestLine = config->first_request_line + config->request_lines - 1,
        .GeneratesInterrupt = TRUE,
        .InterruptNumber = config->abort_spi,
        .InternalData = dma,
        .Operations = &entries,
    };
    for (ULONG n = 0; n < config->channels; n++) {
        controller->channels[n] = describe_channel(config, n);
        dma->channels[n].settings = pl330_settings_of_owner(Width8Bits);
    }
}
