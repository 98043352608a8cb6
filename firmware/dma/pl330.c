/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/pl330.h"

#include "hal/cache.h"
#include "hal/mmio.h"

/* ---- registers ---- */

enum {
    DSR = 0x000,
    INTEN = 0x020,
    INTMIS = 0x028,
    INTCLR = 0x02C,
    FSRD = 0x030,
    FSRC = 0x034,
    CSR0 = 0x100, /* + 8 n */
    CPC0 = 0x104, /* + 8 n */
    SAR0 = 0x400, /* + 0x20 n */
    DAR0 = 0x404, /* + 0x20 n */
    DBGSTATUS = 0xD00,
    DBGCMD = 0xD04,
    DBGINST0 = 0xD08,
    DBGINST1 = 0xD0C,
    CR0 = 0xE00,
    CR3 = 0xE0C, /* events that are non-secure */
    CR4 = 0xE10, /* peripherals that are non-secure */
};

enum {
    STATE_MASK = 0xF,
    STATE_STOPPED = 0,
    STATE_FAULTING = 15,
    DSR_NONSECURE = 1 << 9,
    DBGSTATUS_BUSY = 1 << 0,
    FSRD_FAULTING = 1 << 0,
    POLLS_MAX = 10000,
};

/* Instructions for DBGINST0. */
enum {
    DEBUG_GO_SECURE = 0x00A00000,
    DEBUG_GO_NONSECURE = 0x00A20000,
    DEBUG_KILL = 0x00010000,
    DEBUG_SEND_EVENT = 0x00340000,
    DEBUG_BY_CHANNEL = 1 << 0,
};

static uint32_t read_register(const struct pl330 *dma, uint32_t offset)
{
    return mmio_read32(dma->config.base + offset);
}

static void write_register(const struct pl330 *dma, uint32_t offset, uint32_t value)
{
    mmio_write32(dma->config.base + offset, value);
}

static uint32_t channel_state(const struct pl330 *dma, ULONG n)
{
    return read_register(dma, CSR0 + 8 * n) & STATE_MASK;
}

static bool is_event_pending(const struct pl330 *dma, ULONG n)
{
    return (read_register(dma, INTMIS) >> n & 1) != 0;
}

static bool is_faulting(const struct pl330 *dma, ULONG n)
{
    return (read_register(dma, FSRC) >> n & 1) != 0;
}

/* ---- the debug interface ---- */

static bool wait_debug_idle(const struct pl330 *dma)
{
    for (int polls = 0; polls < POLLS_MAX; polls++) {
        if ((read_register(dma, DBGSTATUS) & DBGSTATUS_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

static bool execute(const struct pl330 *dma, uint32_t instruction, uint32_t operand)
{
    if (!wait_debug_idle(dma)) {
        return false;
    }
    write_register(dma, DBGINST0, instruction);
    write_register(dma, DBGINST1, operand);
    write_register(dma, DBGCMD, 0);
    return true;
}

static bool wait_stopped(const struct pl330 *dma, ULONG n)
{
    for (int polls = 0; polls < POLLS_MAX; polls++) {
        if (channel_state(dma, n) == STATE_STOPPED) {
            return true;
        }
    }
    return false;
}

static bool kill_channel(const struct pl330 *dma, ULONG n)
{
    return execute(dma, DEBUG_KILL | DEBUG_BY_CHANNEL | n << 8, 0) && wait_stopped(dma, n);
}

static bool is_manager_faulting(const struct pl330 *dma)
{
    return (read_register(dma, FSRD) & FSRD_FAULTING) != 0 &&
           (read_register(dma, DSR) & STATE_MASK) == STATE_FAULTING;
}

/* ---- set-up ---- */

static VOID initialize_controller(PVOID context)
{
    struct pl330 *dma = context;
    uint32_t events = (UINT32_C(1) << dma->config.channels) - 1;

    dma->nonsecure = (read_register(dma, DSR) & DSR_NONSECURE) != 0;
    if (is_manager_faulting(dma)) {
        (void)execute(dma, DEBUG_KILL, 0);
    }
    for (ULONG n = 0; n < dma->config.channels; n++) {
        if (channel_state(dma, n) != STATE_STOPPED) {
            (void)kill_channel(dma, n); /* PLB-19 */
        }
    }
    write_register(dma, INTEN, events); /* first: without it INTCLR has no effect */
    write_register(dma, INTCLR, events);
}

static VOID report_common_buffer(PVOID context, ULONG n, PVOID memory, PHYSICAL_ADDRESS logical)
{
    struct pl330 *dma = context;

    dma->channels[n].memory = memory;
    dma->channels[n].memory_bus_address = logical.LowPart;
}

/* Peripherals and events that the configuration registers grant to our state, PLB-18. */
static bool are_owned(const struct pl330 *dma, ULONG peripheral, ULONG event)
{
    return !dma->nonsecure ||
           ((read_register(dma, CR4) >> peripheral & 1) != 0 && (read_register(dma, CR3) >> event & 1) != 0);
}

/* PLB-03 */
static BOOLEAN validate_request_line_binding(PVOID context, PDMA_REQUEST_LINE_BINDING_DESCRIPTION binding)
{
    const struct pl330 *dma = context;
    ULONG peripheral = binding->RequestLine - dma->config.first_request_line;
    uint32_t cr0 = read_register(dma, CR0);
    uint32_t peripherals = (cr0 & 1) != 0 ? (cr0 >> 12 & 0x1F) + 1 : 0;
    uint32_t channels = (cr0 >> 4 & 7) + 1;
    uint32_t events = (cr0 >> 17 & 0x1F) + 1;
    ULONG n = binding->ChannelNumber;

    return binding->RequestLine >= dma->config.first_request_line && peripheral < dma->config.request_lines &&
           peripheral < peripherals && n < dma->config.channels && n < channels && n < events &&
           n < dma->config.events && are_owned(dma, peripheral, n);
}

static ULONG query_max_fragments(PVOID context, ULONG n, ULONG wanted)
{
    const struct pl330 *dma = context;

    if (dma->channels[n].memory == NULL) {
        return 0;
    }
    return wanted < PL330_ELEMENTS_MAX ? wanted : PL330_ELEMENTS_MAX;
}

/* ---- start ---- */

static void take_elements(struct pl330_channel *channel, const DMA_SCATTER_GATHER_LIST *list)
{
    channel->total = 0;
    channel->element_count = list->NumberOfElements;
    for (uint32_t i = 0; i < list->NumberOfElements; i++) {
        channel->elements[i] = (struct pl330_element){
            .address = list->Elements[i].Address.LowPart,
            .length = list->Elements[i].Length,
        };
        channel->total += list->Elements[i].Length;
    }
}

static bool write_program(struct pl330_channel *channel, const struct pl330_transfer *transfer)
{
    struct pl330_code code = {.bytes = channel->memory, .capacity = PL330_PRIVATE_BYTES};

    return pl330_emit_transfer(&code, transfer, channel->element_starts);
}

/* PLB-07. A channel that is not stopped must not be started: QEMU's manager faults. */
static bool go(struct pl330 *dma, ULONG n)
{
    uint32_t instruction = dma->nonsecure ? DEBUG_GO_NONSECURE : DEBUG_GO_SECURE;

    dma->last_started = n;
    barrier_sync(); /* CCH-21: the program is in memory before the controller fetches it */
    return channel_state(dma, n) == STATE_STOPPED &&
           execute(dma, instruction | n << 24, dma->channels[n].memory_bus_address);
}

static void report_failed_start(struct pl330 *dma, ULONG n)
{
    dma->channels[n].could_not_start = true;
    dma->channels[n].ended = true;
    dma->channels[n].left = dma->channels[n].total;
    (void)execute(dma, DEBUG_SEND_EVENT | n << 27, 0);
}

static VOID program_channel(PVOID context, ULONG n, ULONG request_line, PDMA_SCATTER_GATHER_LIST list,
                            PHYSICAL_ADDRESS device, BOOLEAN write, BOOLEAN loop)
{
    struct pl330 *dma = context;
    struct pl330_channel *channel = &dma->channels[n];

    channel->write = write;
    channel->ended = false;
    take_elements(channel, list);
    const struct pl330_transfer transfer = {
        .device_address = device.LowPart,
        .width_log2 = (unsigned int)list->Reserved,
        .write = write,
        .nonsecure = dma->nonsecure,
        .peripheral = request_line - dma->config.first_request_line,
        .event = n,
        .elements = channel->elements,
        .element_count = channel->element_count,
    };

    if (loop || !write_program(channel, &transfer) || !go(dma, n)) {
        report_failed_start(dma, n);
    }
}

static NTSTATUS configure_channel(PVOID context, ULONG n, ULONG function, PVOID data)
{
    (void)context;
    (void)n;
    (void)function;
    (void)data;
    return STATUS_NOT_IMPLEMENTED;
}

/* ---- how far it is, PLB-15 ---- */

/* The element whose code the channel executes: an address alone may lie in several. */
static uint32_t current_element(const struct pl330_channel *channel, uint32_t code_offset)
{
    uint32_t i = 0;

    while (i + 1 < channel->element_count && channel->element_starts[i + 1] <= code_offset) {
        i++;
    }
    return i;
}

static ULONG bytes_left_now(const struct pl330 *dma, ULONG n)
{
    const struct pl330_channel *channel = &dma->channels[n];
    uint32_t code_offset = read_register(dma, CPC0 + 8 * n) - channel->memory_bus_address;
    uint32_t address = read_register(dma, (channel->write ? SAR0 : DAR0) + 0x20 * n);
    uint32_t current = current_element(channel, code_offset);
    uint32_t done = address - channel->elements[current].address;
    ULONG left = channel->total;

    for (uint32_t i = 0; i < current; i++) {
        left -= channel->elements[i].length;
    }
    /* An address outside the element: its DMAMOV has not been executed yet. */
    return done <= channel->elements[current].length ? left - done : left;
}

static void latch(struct pl330 *dma, ULONG n)
{
    struct pl330_channel *channel = &dma->channels[n];

    if (!channel->ended) {
        channel->left = bytes_left_now(dma, n);
        channel->ended = true;
    }
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

    while ((bits >> n & 1) == 0) {
        n++;
    }
    return n;
}

static DMA_INTERRUPT_TYPE take_event(struct pl330 *dma, ULONG n)
{
    struct pl330_channel *channel = &dma->channels[n];
    bool failed = channel->could_not_start;

    write_register(dma, INTCLR, UINT32_C(1) << n);
    channel->could_not_start = false;
    if (!failed) {
        channel->left = 0;
        channel->ended = true;
    }
    return failed ? InterruptTypeError : InterruptTypeCompletion;
}

/* Killing is the only way out of the fault state. */
static void take_fault(struct pl330 *dma, ULONG n)
{
    latch(dma, n);
    (void)kill_channel(dma, n);
}

static void take_manager_fault(struct pl330 *dma)
{
    struct pl330_channel *channel = &dma->channels[dma->last_started];

    channel->left = channel->total;
    channel->ended = true;
    (void)execute(dma, DEBUG_KILL, 0);
}

static bool take_failed_start(struct pl330 *dma, ULONG *n)
{
    for (*n = 0; *n < dma->config.channels; (*n)++) {
        if (dma->channels[*n].could_not_start) {
            dma->channels[*n].could_not_start = false;
            return true;
        }
    }
    return false;
}

/* PLB-12 */
static BOOLEAN handle_interrupt(PVOID context, PULONG channel, DMA_INTERRUPT_TYPE *type)
{
    struct pl330 *dma = context;
    uint32_t own = (UINT32_C(1) << dma->config.channels) - 1;
    uint32_t events = read_register(dma, INTMIS) & own;
    uint32_t faults = read_register(dma, FSRC) & own;

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
    if (is_manager_faulting(dma)) {
        *channel = dma->last_started;
        take_manager_fault(dma);
        return TRUE;
    }
    return take_failed_start(dma, channel); /* its event could not be sent either */
}

/* PLB-16 */
static VOID flush_channel(PVOID context, ULONG n)
{
    struct pl330 *dma = context;

    if (channel_state(dma, n) != STATE_STOPPED) {
        (void)kill_channel(dma, n);
    }
    if (is_event_pending(dma, n)) {
        write_register(dma, INTCLR, UINT32_C(1) << n);
    }
    dma->channels[n].could_not_start = false;
    dma->channels[n].ended = true;
    dma->channels[n].left = 0;
}

/* PLB-13 */
static BOOLEAN cancel_transfer(PVOID context, ULONG n)
{
    struct pl330 *dma = context;

    if (is_event_pending(dma, n) || is_faulting(dma, n) || channel_state(dma, n) == STATE_STOPPED) {
        return FALSE;
    }
    latch(dma, n);
    (void)kill_channel(dma, n);
    return !is_event_pending(dma, n);
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

void pl330_describe(struct pl330 *dma, const struct pl330_config *config, struct dma_controller *controller)
{
    *dma = (struct pl330){.config = *config};
    controller->block = (DMA_INITIALIZATION_BLOCK){
        .Version = DMA_BACKEND_VERSION,
        .Size = sizeof(DMA_INITIALIZATION_BLOCK),
        .ControllerId = config->controller_id,
        .ChannelCount = config->channels,
        .DmaAddressWidth = 32, /* PLB-02 */
        .SupportedPortWidths = DMA_PORT_WIDTH_8 | DMA_PORT_WIDTH_16 | DMA_PORT_WIDTH_32 | DMA_PORT_WIDTH_64,
        .MinimumTransferUnit = 1,
        .MaximumTransferUnits = PL330_FULL_BLOCKS_MAX * PL330_PROGRAM_FULL_BLOCK_UNITS,
        .MinimumRequestLine = config->first_request_line,
        .MaximumRequestLine = config->first_request_line + config->request_lines - 1,
        .GeneratesInterrupt = TRUE,
        .InterruptNumber = config->abort_spi,
        .InternalData = dma,
        .Operations = &entries,
    };
    for (ULONG n = 0; n < config->channels; n++) {
        controller->channels[n] = describe_channel(config, n);
    }
}
