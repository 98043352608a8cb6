/* SPDX-License-Identifier: Apache-2.0 */
/* The PL330 back end on a recording fake of the registers: what it writes, and what it makes of what it reads.
 */
#include <dmav3_board.h>

#include "check.h"
#include "fake_hal.h"
#include "hal/mmio.h"
#include "pl330/pl330.h"

#include <string.h>

/* ---- a fake register file ---- */

enum {
    BASE = DMAV3_PL330_BASE,
    DEVICE = DMAV3_STREAM_DATA,
    MEMORY_BUS = 0x45000000, /* of channel 0; the others follow */
    WRITES_MAX = 64,
};

enum {
    DSR = 0x000,
    INTEN = 0x020,
    INTMIS = 0x028,
    INTCLR = 0x02C,
    FSRD = 0x030,
    FSRC = 0x034,
    FTR0 = 0x040,
    CSR0 = 0x100,
    CPC0 = 0x104,
    SAR0 = 0x400,
    DAR0 = 0x404,
    CCR0 = 0x408,
    DBGSTATUS = 0xD00,
    DBGCMD = 0xD04,
    DBGINST0 = 0xD08,
    DBGINST1 = 0xD0C,
    CR0 = 0xE00,
    CR3 = 0xE0C,
    CR4 = 0xE10,
    CRD = 0xE14,
};

enum {
    STOPPED = 0,
    EXECUTING = 1,
    WAITING_FOR_EVENT = 4,
    WAITING_FOR_PERIPHERAL = 7,
    FAULTING = 15,
    FAULT_DATA_WRITE = 1 << 17
};

static uint32_t registers[0x1000 / 4];
static struct {
    uint32_t offset, value;
} writes[WRITES_MAX];
static size_t write_count;
static bool kill_works;
static uint32_t event_at_kill; /* INTMIS from then on: the end won the race */

static uint32_t *reg(uint32_t offset)
{
    return &registers[offset / 4];
}

static uint32_t *csr(ULONG n)
{
    return reg(CSR0 + 8 * n);
}

uint32_t mmio_read32(uintptr_t address)
{
    CHECK(address >= BASE && address < BASE + sizeof registers && address % 4 == 0);
    return registers[(address - BASE) / 4];
}

static void execute(uint32_t instruction)
{
    uint32_t n = instruction >> 8 & 7;
    bool kill = (instruction & 0xFF0000) == 0x010000;

    if (kill && kill_works && (instruction & 1) != 0) {
        *csr(n) = STOPPED;
        *reg(FSRC) &= ~(UINT32_C(1) << n);
        *reg(INTMIS) |= event_at_kill;
    } else if (kill && kill_works) {
        *reg(DSR) = *reg(FSRD) = 0;
    }
}

/* What the controller does with a write, as far as the back end waits for it. */
static void react(uint32_t offset, uint32_t value)
{
    if (offset == INTCLR) {
        *reg(INTMIS) &= ~value;
    } else if (offset == DBGCMD) {
        execute(*reg(DBGINST0));
    }
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    uint32_t offset = (uint32_t)(address - BASE);

    CHECK(write_count < WRITES_MAX);
    writes[write_count].offset = offset;
    writes[write_count++].value = value;
    *reg(offset) = value;
    react(offset, value);
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    (void)address;
    (void)value;
    FAIL("the PL330 takes 32-bit accesses only");
}

static void check_write(size_t i, uint32_t offset, uint32_t value)
{
    CHECK(i < write_count);
    CHECK_EQ(writes[i].offset, offset);
    CHECK_EQ(writes[i].value, value);
}

/* The i-th instruction of the debug interface since the writes were forgotten. */
static void check_executed(size_t i, uint32_t instruction, uint32_t operand)
{
    check_write(3 * i, DBGINST0, instruction);
    check_write(3 * i + 1, DBGINST1, operand);
    check_write(3 * i + 2, DBGCMD, 0);
}

/* ---- a back end ---- */

static struct pl330 dma;
static struct dma_controller controller;
static const DMA_FUNCTION_TABLE *entries;
static uint8_t memory[8][PL330_PRIVATE_BYTES];
static union {
    DMA_SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + 2 * sizeof(SCATTER_GATHER_ELEMENT)];
} list;

static void describe(void)
{
    static const struct pl330_config config = {
        .base = BASE, .abort_spi = 0, .first_event_spi = 1, .request_lines = 29, .channels = 8, .events = 16};

    pl330_describe(&dma, &config, &controller);
    entries = controller.block.Operations;
}

static void start(void)
{
    memset(registers, 0, sizeof registers);
    *reg(CR0) = 0x001FF071; /* 8 channels, 32 peripherals, 16 events */
    *reg(CRD) = 0x0FFF7F73; /* 256 lines of 8 bytes */
    kill_works = true;
    event_at_kill = 0;
    write_count = 0;
    describe();
    CHECK_EQ(write_count, 0);
    entries->InitializeController(&dma);
    for (ULONG n = 0; n < 8; n++) {
        PHYSICAL_ADDRESS bus = {.QuadPart = MEMORY_BUS + n * PL330_PRIVATE_BYTES};

        entries->ReportCommonBuffer(&dma, n, memory[n], bus);
    }
    write_count = 0;
}

static NTSTATUS configure(ULONG n, ULONG function, ULONG value)
{
    return entries->ConfigureChannel(&dma, n, function, &value);
}

static void own(ULONG n, DMA_WIDTH width)
{
    CHECK_EQ(configure(n, DMA_CONFIGURE_NEW_OWNER, width), STATUS_SUCCESS);
}

/* 64 and 32 bytes at the same address. */
static void program_at(ULONG n, uint64_t device, bool write, bool loop)
{
    list.list.NumberOfElements = 2;
    list.list.Elements[0] = (SCATTER_GATHER_ELEMENT){.Address = {.QuadPart = 0x40001000}, .Length = 64};
    list.list.Elements[1] = (SCATTER_GATHER_ELEMENT){.Address = {.QuadPart = 0x40001000}, .Length = 32};
    write_count = 0;
    entries->ProgramChannel(&dma, n, 1, &list.list, (PHYSICAL_ADDRESS){.QuadPart = (LONGLONG)device}, write,
                            loop);
}

static void program(ULONG n, bool write)
{
    own(n, Width32Bits);
    program_at(n, DEVICE, write, false);
}

/* As if the channel had come there: a place in the code of an element, and the memory's address. */
static void stand(ULONG n, uint32_t element, uint32_t offset, uint32_t address)
{
    uint32_t start_of_element = dma.channels[n].program.starts[element];

    *csr(n) = WAITING_FOR_PERIPHERAL;
    *reg(CPC0 + 8 * n) = MEMORY_BUS + n * PL330_PRIVATE_BYTES + start_of_element + offset;
    *reg((dma.channels[n].write ? SAR0 : DAR0) + 0x20 * n) = address;
}

static void fault(ULONG n, uint32_t type)
{
    *csr(n) = FAULTING;
    *reg(FSRC) |= UINT32_C(1) << n;
    *reg(FTR0 + 4 * n) = type;
}

static ULONG left(ULONG n)
{
    return entries->ReadDmaCounter(&dma, n);
}

static void check_report(ULONG expected, DMA_INTERRUPT_TYPE expected_type)
{
    ULONG channel = 99;
    DMA_INTERRUPT_TYPE type;

    CHECK(entries->HandleInterrupt(&dma, &channel, &type));
    CHECK_EQ(channel, expected);
    CHECK_EQ(type, expected_type);
}

static void check_no_report(void)
{
    ULONG channel;
    DMA_INTERRUPT_TYPE type;

    CHECK(!entries->HandleInterrupt(&dma, &channel, &type));
}

/* ---- set-up ---- */

TEST(initialisation_clears_what_a_loader_left, "PLB-01 PLB-19")
{
    start();
    *csr(3) = FAULTING;
    *csr(6) = EXECUTING;
    entries->InitializeController(&dma);
    check_executed(0, 0x00010301, 0); /* DMAKILL */
    check_executed(1, 0x00010601, 0);
    check_write(6, INTEN, 0xFF);
    check_write(7, INTCLR, 0xFF);
    CHECK_EQ(write_count, 8);

    write_count = 0;
    *reg(DSR) = FAULTING;
    *reg(FSRD) = 1;
    entries->InitializeController(&dma);
    check_executed(0, 0x00010000, 0);
    CHECK_EQ(write_count, 5);
}

TEST(registration_says_what_the_controller_has, "PLB-05 HBE-01 HBE-07")
{
    start();
    CHECK_EQ(controller.channels[7].InterruptNumber, 8);
    CHECK_EQ(controller.block.MaximumRequestLine, 28);
    CHECK_EQ(controller.block.SupportedPortWidths, 0x1F); /* PLB-02 */
    *reg(CRD) = 0x01FF7F72;                               /* 32 lines of 4 bytes */
    describe();
    CHECK_EQ(controller.block.SupportedPortWidths, 0x0F);
    CHECK_EQ(entries->QueryMaxFragments(&dma, 2, 5), 0); /* no private memory yet */
    start();
    CHECK_EQ(entries->QueryMaxFragments(&dma, 2, 5), 5);
    CHECK_EQ(entries->QueryMaxFragments(&dma, 2, 1000), 64); /* PLB-05 */
}

static void check_binding(ULONG line, ULONG n, bool valid)
{
    DMA_REQUEST_LINE_BINDING_DESCRIPTION binding = {line, n};

    CHECK_EQ(entries->ValidateRequestLineBinding(&dma, &binding), valid);
}

TEST(bindings_are_checked_against_the_configuration, "PLB-03 PLB-18 HBE-02")
{
    start();
    check_binding(0, 0, true);
    check_binding(28, 7, true);
    check_binding(29, 0, false);
    check_binding(0, 8, false);
    check_binding(UINT32_MAX, 0, false);
    check_binding(0, UINT32_MAX, false);

    *reg(CR0) = 0x00020011; /* 2 channels, 1 peripheral, 2 events */
    describe();
    check_binding(0, 1, true);
    check_binding(1, 0, false);
    check_binding(0, 2, false);

    *reg(CR0) = 0x0021F010; /* none: the number of peripherals means nothing */
    describe();
    check_binding(0, 0, false);
    *reg(CR0) = 0x00020011;

    *reg(DSR) = 1 << 9; /* a non-secure manager owns what CR3 and CR4 grant, PLB-18 */
    entries->InitializeController(&dma);
    check_binding(0, 0, false);
    *reg(CR3) = *reg(CR4) = 1;
    describe();
    entries->InitializeController(&dma);
    check_binding(0, 0, true);
    check_binding(0, 1, false);
}

/* ---- settings ---- */

TEST(settings_are_checked, "CFG-07 CFG-08 HBE-16")
{
    static const struct {
        ULONG function, value;
        NTSTATUS status;
    } rows[] = {
        {PL330_SET_BURST_BEATS, 0, STATUS_INVALID_PARAMETER},
        {PL330_SET_BURST_BEATS, 1, STATUS_SUCCESS},
        {PL330_SET_BURST_BEATS, 16, STATUS_SUCCESS},
        {PL330_SET_BURST_BEATS, 17, STATUS_INVALID_PARAMETER},
        {PL330_SET_BURST_BEATS, 3, STATUS_SUCCESS},
        {PL330_SET_NOTICE_BYTES, 12, STATUS_SUCCESS},
        {PL330_SET_NOTICE_BYTES, 6, STATUS_INVALID_PARAMETER}, /* bursts have 3 * 4 bytes */
        {PL330_SET_NOTICE_BYTES, 16, STATUS_INVALID_PARAMETER},
        {PL330_SET_NOTICE_BYTES, 0, STATUS_SUCCESS},
        {PL330_SET_REQUEST_POLICY, PL330_POLICY_SINGLE, STATUS_SUCCESS},
        {PL330_SET_REQUEST_POLICY, PL330_POLICY_PERIPHERAL, STATUS_SUCCESS},
        {PL330_SET_REQUEST_POLICY, 3, STATUS_INVALID_PARAMETER},
        {PL330_INJECT_FAULT, PL330_ENDS_LOCKED_UP, STATUS_SUCCESS},
        {PL330_INJECT_FAULT, 4, STATUS_INVALID_PARAMETER},
        {0x0004, 0, STATUS_NOT_IMPLEMENTED},
        {0x0101, 0, STATUS_NOT_IMPLEMENTED},
        {UINT32_MAX, 0, STATUS_NOT_IMPLEMENTED},
    };

    start();
    own(0, Width32Bits);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(configure(0, rows[i].function, rows[i].value), rows[i].status);
    }
    CHECK_EQ(write_count, 0);
    CHECK_EQ(dma.channels[0].settings.beats, 3); /* a refusal changes nothing */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool known = rows[i].status != STATUS_NOT_IMPLEMENTED;

        CHECK_EQ(entries->ConfigureChannel(&dma, 0, rows[i].function, NULL),
                 known ? STATUS_INVALID_PARAMETER : STATUS_NOT_IMPLEMENTED);
        *csr(0) = WAITING_FOR_PERIPHERAL;
        CHECK_EQ(configure(0, rows[i].function, rows[i].value),
                 known ? STATUS_INVALID_DEVICE_STATE : STATUS_NOT_IMPLEMENTED);
        *csr(0) = STOPPED;
    }
}

/* The first instruction in the loop of units, and the beats of both sides. */
static void check_units(ULONG n, uint8_t wait, unsigned int memory_beats, unsigned int device_beats)
{
    const uint8_t *element = memory[n] + dma.channels[n].program.starts[0];
    uint32_t ccr = element[8] | (uint32_t)element[9] << 8 | (uint32_t)element[10] << 16;
    bool write = dma.channels[n].write;

    CHECK_EQ((ccr >> 4 & 15) + 1, write ? memory_beats : device_beats);
    CHECK_EQ((ccr >> 18 & 15) + 1, write ? device_beats : memory_beats);
    CHECK_EQ(element[14], wait);
}

TEST(settings_hold_until_there_is_a_new_owner, "CFG-04 CFG-09")
{
    start();
    program(0, true);
    check_units(0, 0x30, 1, 1);
    CHECK_EQ(configure(0, PL330_SET_BURST_BEATS, 4), STATUS_SUCCESS);
    program_at(0, DEVICE, false, false);
    check_units(0, 0x32, 4, 4); /* bursts, unless told otherwise */
    entries->FlushChannel(&dma, 0);
    program_at(0, DEVICE, true, false);
    check_units(0, 0x32, 4, 4); /* CFG-04 */
    CHECK_EQ(configure(0, PL330_SET_REQUEST_POLICY, PL330_POLICY_SINGLE), STATUS_SUCCESS);
    program_at(0, DEVICE, true, false);
    check_units(0, 0x30, 1, 1);
    CHECK_EQ(configure(0, PL330_SET_REQUEST_POLICY, PL330_POLICY_BURST), STATUS_SUCCESS);
    program_at(0, DEVICE, true, false);
    check_units(0, 0x32, 4, 4);
    own(0, Width16Bits); /* CFG-09 */
    program_at(0, DEVICE, true, false);
    check_units(0, 0x30, 1, 1);
}

TEST(bursts_stay_within_the_share_of_the_fifo, "PLB-06")
{
    start();
    *reg(CRD) = 0x01FF7F72; /* 32 lines of 4 bytes: 16 for each channel */
    describe();
    entries->InitializeController(&dma);
    entries->ReportCommonBuffer(&dma, 0, memory[0], (PHYSICAL_ADDRESS){.QuadPart = MEMORY_BUS});
    own(0, Width32Bits);
    CHECK_EQ(configure(0, PL330_SET_BURST_BEATS, 16), STATUS_SUCCESS);
    program_at(0, DEVICE, true, false);
    check_units(0, 0x32, 4, 4);
}

TEST(an_advancing_device_is_moved_in_beats_of_the_bus, "PLB-02 PLB-17")
{
    start();
    own(0, WidthNoWrap);
    program_at(0, 0x41000000, true, false);
    CHECK_EQ(memory[0][16], 0x07); /* source: 8 bytes, incrementing */
    CHECK_EQ(memory[0][17] | memory[0][18] << 8, 0x1C0);
    CHECK_EQ(configure(0, PL330_SET_NOTICE_BYTES, 13), STATUS_SUCCESS);
}

/* ---- start ---- */

TEST(a_channel_is_started_through_the_debug_interface, "PLB-04 PLB-07 CCH-21")
{
    start();
    fake_forget_log();
    program(2, true);
    CHECK_EQ(fake_count(FAKE_BARRIER), 1); /* CCH-21 */
    check_executed(0, 0x02A00000, MEMORY_BUS + 2 * PL330_PRIVATE_BYTES);
    CHECK_EQ(write_count, 3);
    CHECK_EQ(memory[2][0], 0x35);
    *reg(DSR) = 1 << 9;
    entries->InitializeController(&dma);
    program(2, true);
    check_executed(0, 0x02A20000, MEMORY_BUS + 2 * PL330_PRIVATE_BYTES);
}

/* Of the layer, and of maintenance: this program is linked with the back end and what it may know, no more. */
extern char mdl_check_range[] __attribute__((weak)), map_registers_take[] __attribute__((weak));
extern char adapter_find[] __attribute__((weak)), request_find_handle[] __attribute__((weak));
extern char irql_queue_dpc[] __attribute__((weak));

TEST(a_back_end_is_complete_without_a_layer, "HBE-18 HBE-03")
{
    const char *const layer[] = {mdl_check_range, map_registers_take, adapter_find, request_find_handle,
                                 irql_queue_dpc};

    for (size_t i = 0; i < sizeof layer / sizeof layer[0]; i++) {
        CHECK(layer[i] == NULL);
    }
    start();
    fake_forget_log();
    program(2, true);
    CHECK_EQ(fake_count(FAKE_CLEAN) + fake_count(FAKE_INVALIDATE) + fake_count(FAKE_CLEAN_INVALIDATE), 0);
    CHECK(fake_count(FAKE_BARRIER) > 0);
}

static void check_fails_to_start(ULONG n)
{
    check_executed(0, 0x00340000 | n << 27, 0); /* DMASEV by the manager */
    CHECK_EQ(write_count, 3);
    *reg(INTMIS) = UINT32_C(1) << n;
    CHECK_EQ(left(n), 96);
    CHECK(!entries->CancelTransfer(&dma, n)); /* its end is signalled */
    check_report(n, InterruptTypeError);
    check_no_report();
}

/* MTX-49 */
TEST(what_cannot_be_started_is_reported, "MTX-49 HBE-08")
{
    start();
    own(1, Width32Bits);
    *csr(1) = EXECUTING;
    program_at(1, DEVICE, true, false);
    *reg(INTMIS) = 1 << 1;
    CHECK_EQ(left(1), 96);
    check_report(1, InterruptTypeError);
    check_no_report();
    *csr(1) = STOPPED;

    program_at(1, DEVICE + 1, true, false); /* no multiple of the width */
    check_fails_to_start(1);
    program_at(1, UINT64_C(0x100000000), true, false); /* not on this bus */
    check_fails_to_start(1);

    *reg(DBGSTATUS) = 1; /* the debug interface is stuck: nothing is written, the end is told all the same */
    program(1, true);
    CHECK_EQ(write_count, 0);
    check_report(1, InterruptTypeError);
    check_no_report();
}

/* ---- reports ---- */

TEST(events_and_faults_are_reported_one_by_one, "PLB-12 HBE-11")
{
    start();
    program(1, true);
    program(5, true);
    program(6, false);
    *reg(INTMIS) = 1 << 5 | 1 << 1;
    stand(6, 0, 20, 0x40001010);
    fault(6, 1 << 18);
    write_count = 0;
    check_report(1, InterruptTypeCompletion);
    check_write(0, INTCLR, 1 << 1);
    CHECK_EQ(left(1), 0);
    check_report(5, InterruptTypeCompletion);
    write_count = 0;
    check_report(6, InterruptTypeError);
    check_executed(0, 0x00010601, 0);
    CHECK_EQ(dma.channels[6].fault_type, 1 << 18);
    CHECK_EQ(left(6), 80);
    check_no_report();
}

TEST(what_has_not_arrived_is_not_counted, "PLB-15")
{
    start();
    own(0, Width32Bits);
    CHECK_EQ(configure(0, PL330_SET_BURST_BEATS, 4), STATUS_SUCCESS);
    program_at(0, DEVICE, true, false);
    *reg(CCR0) = 0x000D0035;     /* 4 beats of 4 bytes */
    stand(0, 0, 19, 0x40001020); /* at the barrier */
    fault(0, FAULT_DATA_WRITE);
    check_report(0, InterruptTypeError);
    CHECK_EQ(left(0), 80);

    program_at(0, DEVICE, true, true); /* the last unit of a round */
    stand(0, 1, 19, 0x40001020);
    fault(0, FAULT_DATA_WRITE);
    check_report(0, InterruptTypeError);
    CHECK_EQ(left(0), 16);
}

TEST(a_fault_of_the_manager_belongs_to_the_channel_it_was_starting, "PLB-12")
{
    start();
    program(6, true);
    *reg(FSRD) = 1;
    *reg(DSR) = FAULTING;
    write_count = 0;
    check_report(6, InterruptTypeError);
    check_executed(0, 0x00010000, 0);
    CHECK_EQ(left(6), 96);
    check_no_report();

    program(6, true); /* this one runs: the fault is somebody else's */
    stand(6, 0, 20, 0x40001020);
    *reg(FSRD) = 1;
    *reg(DSR) = FAULTING;
    write_count = 0;
    check_no_report();
    check_executed(0, 0x00010000, 0);
    CHECK_EQ(left(6), 64);

    *reg(FSRD) = 1; /* QEMU shows that for each state but stopped */
    *reg(DSR) = WAITING_FOR_EVENT;
    write_count = 0;
    check_no_report();
    CHECK_EQ(write_count, 0);
}

TEST(an_injected_fault_is_of_one_program, "PLB-22")
{
    size_t length;

    start();
    program(0, true);
    length = dma.channels[0].program.code.length;
    CHECK_EQ(memory[0][length - 3], 0x34);
    CHECK_EQ(configure(0, PL330_INJECT_FAULT, PL330_ENDS_UNDEFINED), STATUS_SUCCESS);
    program_at(0, DEVICE, true, false);
    CHECK_EQ(dma.channels[0].program.code.length, length - 2);
    CHECK_EQ(memory[0][length - 4], 0xFF);
    program_at(0, DEVICE, true, false);
    CHECK_EQ(dma.channels[0].program.code.length, length);
    CHECK_EQ(memory[0][length - 3], 0x34);
}

/* ---- how far, and the end ---- */

TEST(the_counter_follows_code_and_address, "PLB-15 RDC-04")
{
    start();
    program(0, false);
    stand(0, 0, 20, 0x40001010);
    CHECK_EQ(left(0), 80);
    stand(0, 1, 20, 0x40001010); /* the second, at the same address */
    CHECK_EQ(left(0), 16);
    stand(0, 1, 0, 0x40001020); /* before its DMAMOV */
    CHECK_EQ(left(0), 32);
    stand(0, 1, 20, 0x40001020);
    CHECK_EQ(left(0), 0);
}

TEST(cancelling_kills_only_what_runs, "PLB-13 PLB-14 HBE-13")
{
    start();
    program(0, true);
    CHECK(!entries->CancelTransfer(&dma, 0)); /* stopped */
    stand(0, 0, 20, 0x40001020);
    *reg(INTMIS) = 1;
    CHECK(!entries->CancelTransfer(&dma, 0)); /* its interrupt is asserted */
    *reg(INTMIS) = 0;
    *reg(FSRC) = 1;
    CHECK(!entries->CancelTransfer(&dma, 0)); /* it faults */
    *reg(FSRC) = 0;
    write_count = 0;
    CHECK(entries->CancelTransfer(&dma, 0));
    check_executed(0, 0x00010001, 0);
    *reg(SAR0) = 0;
    CHECK_EQ(left(0), 64); /* PLB-14 */
    check_no_report();
    entries->FlushChannel(&dma, 0);
    CHECK_EQ(left(0), 0);
}

TEST(a_cancelled_transfer_has_moved_what_has_arrived, "PLB-14 PLB-15")
{
    static const ULONG lefts[] = {[16] = 64, [17] = 68, [18] = 68, [19] = 64, [20] = 64};

    for (uint32_t offset = 17; offset <= 20; offset++) {
        start();
        program(0, true);
        stand(0, 0, offset, 0x40001020);
        *reg(CCR0) = 0x00010005;
        CHECK(entries->CancelTransfer(&dma, 0));
        CHECK_EQ(left(0), lefts[offset]); /* it stays at the barrier, 19, longer than a store can take */
    }
}

TEST(an_end_that_wins_the_race_is_reported, "PLB-13 HBE-14")
{
    start();
    program(0, true);
    stand(0, 1, 20, 0x40001020);
    event_at_kill = 1;
    CHECK(!entries->CancelTransfer(&dma, 0));
    check_report(0, InterruptTypeCompletion);
    check_no_report();
    CHECK_EQ(left(0), 0);
}

TEST(what_cannot_be_killed_is_not_cancelled, "PLB-13")
{
    start();
    program(0, true);
    stand(0, 0, 20, 0x40001020);
    kill_works = false;
    CHECK(!entries->CancelTransfer(&dma, 0));
}

TEST(a_flush_leaves_the_channel_programmable, "PLB-16 HBE-10")
{
    start();
    program(0, true);
    *csr(0) = WAITING_FOR_PERIPHERAL;
    *reg(INTMIS) = 1;
    write_count = 0;
    entries->FlushChannel(&dma, 0);
    check_executed(0, 0x00010001, 0);
    check_write(3, INTCLR, 1);
    check_no_report();
    own(0, Width32Bits);
    program_at(0, DEVICE + 1, true, false); /* cannot be started */
    entries->FlushChannel(&dma, 0);
    *reg(INTMIS) = 0;
    check_no_report();
}

/* ---- loops ---- */

static void start_loop(void)
{
    start();
    own(0, Width32Bits);
    program_at(0, DEVICE, false, true);
    stand(0, 0, 20, 0x40001010);
}

TEST(a_loop_gives_notices_and_goes_on, "HBE-15 PLB-15")
{
    start_loop();
    for (int round = 0; round < 3; round++) {
        *reg(INTMIS) = 1;
        check_report(0, InterruptTypeCompletion);
        check_no_report();
        CHECK_EQ(left(0), 80); /* of this round, HBE-15 */
    }
    stand(0, 1, 20, 0x40001020);
    CHECK_EQ(left(0), 96); /* never 0 */
    CHECK(entries->CancelTransfer(&dma, 0));
    CHECK_EQ(left(0), 96);
    check_no_report();
}

/* HBE-14 */
TEST(a_notice_that_is_due_is_given_before_the_cancel, "HBE-14 PLB-13")
{
    start_loop();
    *reg(INTMIS) = 1;
    CHECK(!entries->CancelTransfer(&dma, 0));
    CHECK_EQ(*csr(0), STOPPED);
    CHECK_EQ(left(0), 80);
    check_report(0, InterruptTypeCompletion);
    check_report(0, InterruptTypeCancelled);
    check_no_report();

    start_loop();
    event_at_kill = 1; /* it became due meanwhile */
    CHECK(!entries->CancelTransfer(&dma, 0));
    check_report(0, InterruptTypeCompletion);
    check_report(0, InterruptTypeCancelled);
    check_no_report();

    start_loop();
    *reg(INTMIS) = 1;
    CHECK(!entries->CancelTransfer(&dma, 0));
    entries->FlushChannel(&dma, 0);
    check_no_report();
}

TEST(a_fault_ends_a_loop, "PLB-12")
{
    start_loop();
    *reg(INTMIS) = 1;
    fault(0, 1 << 18);
    check_report(0, InterruptTypeCompletion);
    check_report(0, InterruptTypeError);
    check_no_report();
    CHECK_EQ(left(0), 80);
    CHECK(!entries->CancelTransfer(&dma, 0));
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
