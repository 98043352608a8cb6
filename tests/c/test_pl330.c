/* SPDX-License-Identifier: Apache-2.0 */
/* The PL330 back end: microcode against the encodings of the manual, registers on a recording fake. */
#include "check.h"
#include "dma/pl330.h"
#include "fake_hal.h"
#include "hal/mmio.h"

#include <string.h>

/* ---- a fake register file ---- */

enum { BASE = 0x0B000000, WRITES_MAX = 64, MEMORY_BUS = 0x45000000, DBGCMD = 0xD04 };

static uint32_t registers[0x1000 / 4];
static struct {
    uint32_t offset, value;
} writes[WRITES_MAX];
static size_t write_count;
static bool kill_works;

uint32_t mmio_read32(uintptr_t address)
{
    CHECK(address >= BASE && address < BASE + sizeof registers && address % 4 == 0);
    return registers[(address - BASE) / 4];
}

/* What the controller does with a write, as far as the back end waits for it. */
static void react(uint32_t offset, uint32_t value)
{
    if (offset == 0x02C) {
        registers[0x028 / 4] &= ~value; /* INTCLR */
    }
    if (offset == DBGCMD && kill_works && (registers[0xD08 / 4] & 0xFF0000) == 0x010000) {
        uint32_t n = registers[0xD08 / 4] >> 8 & 7;

        registers[(0x100 + 8 * n) / 4] = 0;
        registers[0x034 / 4] &= ~(UINT32_C(1) << n);
    }
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    uint32_t offset = (uint32_t)(address - BASE);

    CHECK(write_count < WRITES_MAX);
    writes[write_count].offset = offset;
    writes[write_count++].value = value;
    registers[offset / 4] = value;
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

/* ---- microcode ---- */

static uint8_t bytes[PL330_PRIVATE_BYTES + 16];
static struct pl330_code code;

static void fresh_code(size_t capacity)
{
    memset(bytes, 0xEE, sizeof bytes);
    code = (struct pl330_code){.bytes = bytes, .capacity = capacity};
}

static void check_code(const uint8_t *expected, size_t size)
{
    CHECK_EQ(code.length, size);
    for (size_t i = 0; i < size; i++) {
        CHECK_EQ(bytes[i], expected[i]);
    }
}

TEST(every_instruction_is_encoded_as_in_the_manual, "")
{
    static const uint8_t expected[] = {
        0xBC, 0x00, 0x78, 0x56, 0x34, 0x12, /* DMAMOV SAR, 0x12345678 */
        0xBC, 0x01, 0x05, 0x40, 0x01, 0x00, /* DMAMOV CCR, 0x00014005 */
        0xBC, 0x02, 0x00, 0x00, 0x01, 0x0B, /* DMAMOV DAR, 0x0B010000 */
        0x22, 0xFF,                         /* DMALP LC1, 256 */
        0x20, 0x00,                         /* DMALP LC0, 1 */
        0x30, 0x18,                         /* DMAWFP S3 */
        0x04,                               /* DMALD */
        0x29, 0x18,                         /* DMASTPS P3 */
        0x25, 0xF8,                         /* DMALDPS P31 */
        0x08,                               /* DMAST */
        0x13,                               /* DMAWMB */
        0x38, 0x09,                         /* DMALPEND LC0, 9 bytes back */
        0x3C, 0x0D,                         /* DMALPEND LC1, 13 bytes back */
        0x34, 0x28,                         /* DMASEV 5 */
        0x00,                               /* DMAEND */
    };

    fresh_code(sizeof bytes);
    pl330_emit_move(&code, PL330_SAR, 0x12345678);
    pl330_emit_move(&code, PL330_CCR, 0x00014005);
    pl330_emit_move(&code, PL330_DAR, 0x0B010000);
    size_t outer = pl330_emit_loop(&code, PL330_LC1, 256);
    size_t inner = pl330_emit_loop(&code, PL330_LC0, 1);
    pl330_emit_wait_peripheral_single(&code, 3);
    pl330_emit_load(&code);
    pl330_emit_store_peripheral_single(&code, 3);
    pl330_emit_load_peripheral_single(&code, 31);
    pl330_emit_store(&code);
    pl330_emit_write_barrier(&code);
    pl330_emit_loop_end(&code, PL330_LC0, inner);
    pl330_emit_loop_end(&code, PL330_LC1, outer);
    pl330_emit_send_event(&code, 5);
    pl330_emit_end(&code);
    CHECK(!code.overflow);
    check_code(expected, sizeof expected);
}

TEST(code_never_leaves_its_memory, "")
{
    fresh_code(5);
    pl330_emit_move(&code, PL330_SAR, 0);
    CHECK(code.overflow && code.length == 0);
    pl330_emit_end(&code); /* nothing follows a gap */
    CHECK_EQ(code.length, 0);
    CHECK_EQ(bytes[0], 0xEE);

    fresh_code(sizeof bytes);
    size_t body = pl330_emit_loop(&code, PL330_LC0, 2);
    for (int i = 0; i < 256; i++) {
        pl330_emit_load(&code);
    }
    pl330_emit_loop_end(&code, PL330_LC0, body);
    CHECK(code.overflow);
}

TEST(the_control_register_follows_alignment_and_direction, "")
{
    struct pl330_transfer transfer = {.width_log2 = 2, .write = true};

    CHECK_EQ(pl330_control(&transfer, 0x1000), 0x00010005); /* 4 B x1 incrementing to 4 B x1 fixed */
    CHECK_EQ(pl330_control(&transfer, 0x1001), 0x00010031); /* 1 B x4 incrementing */
    transfer.write = false;
    CHECK_EQ(pl330_control(&transfer, 0x1000), 0x00014004);
    CHECK_EQ(pl330_control(&transfer, 0x1002), 0x000C4004);
    transfer.width_log2 = 0;
    CHECK_EQ(pl330_control(&transfer, 0x1003), 0x00004000);
    transfer.nonsecure = true;
    CHECK_EQ(pl330_control(&transfer, 0x1003), 0x00804200);
}

TEST(a_small_write_is_a_plain_loop, "")
{
    static const struct pl330_element element = {0x40001000, 12};
    static const uint8_t expected[] = {
        0xBC, 0x02, 0x00, 0x00, 0x01, 0x0B, 0xBC, 0x00, 0x00, 0x10, 0x00, 0x40, 0xBC, 0x01, 0x05, 0x00,
        0x01, 0x00, 0x20, 0x02, 0x30, 0x08, 0x04, 0x29, 0x08, 0x13, 0x38, 0x06, 0x13, 0x34, 0x18, 0x00,
    };
    const struct pl330_transfer transfer = {
        .device_address = 0x0B010000,
        .width_log2 = 2,
        .write = true,
        .peripheral = 1,
        .event = 3,
        .elements = &element,
        .element_count = 1,
    };
    uint16_t start;

    fresh_code(sizeof bytes);
    CHECK(pl330_emit_transfer(&code, &transfer, &start));
    check_code(expected, sizeof expected);
    CHECK_EQ(start, 6);
}

static size_t jump_target(size_t end_of_body)
{
    return end_of_body - bytes[end_of_body + 1];
}

/* Executes the loops of the emitted code and counts the units. */
static uint64_t count_units(void)
{
    uint64_t units = 0;
    int counters[2] = {0, 0};

    for (size_t pc = 0;;) {
        CHECK(pc < code.length);
        switch (bytes[pc]) {
        case 0xBC:
            pc += 6;
            break;
        case 0x20:
        case 0x22:
            counters[bytes[pc] >> 1 & 1] = bytes[pc + 1];
            pc += 2;
            break;
        case 0x38:
        case 0x3C:
            pc = counters[bytes[pc] >> 2 & 1]-- > 0 ? jump_target(pc) : pc + 2;
            break;
        case 0x30:
            units++;
            pc += 2;
            break;
        case 0x25:
        case 0x29:
        case 0x34:
            pc += 2;
            break;
        case 0x04:
        case 0x08:
        case 0x13:
            pc += 1;
            break;
        case 0x00:
            return units;
        default:
            FAIL("an opcode that the program must not hold");
        }
    }
}

TEST(every_length_is_looped_exactly, "")
{
    static const uint32_t lengths[] = {1,     2,     255,   256,    257,     511,    512,
                                       65535, 65536, 65537, 131072, 1000003, 8388608};
    uint16_t start;

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const struct pl330_element element = {0x40001000, lengths[i]};
        const struct pl330_transfer transfer = {.elements = &element, .element_count = 1};

        fresh_code(PL330_PRIVATE_BYTES);
        CHECK(pl330_emit_transfer(&code, &transfer, &start));
        CHECK_EQ(count_units(), lengths[i]);
    }
}

TEST(the_worst_list_fits_the_private_memory, "PLB-05")
{
    struct pl330_element elements[PL330_ELEMENTS_MAX];
    uint16_t starts[PL330_ELEMENTS_MAX];

    CHECK_EQ(PL330_ELEMENTS_MAX, 63);
    for (uint32_t i = 0; i < PL330_ELEMENTS_MAX; i++) {
        elements[i] = (struct pl330_element){0x40000000 + i * 0x100000, 2 * 65536 + 65535};
    }
    elements[0].length += 65536;
    elements[1].length += 65536;
    const struct pl330_transfer transfer = {.elements = elements, .element_count = PL330_ELEMENTS_MAX};

    fresh_code(PL330_PRIVATE_BYTES);
    CHECK(pl330_emit_transfer(&code, &transfer, starts));
    CHECK_EQ(starts[2], PL330_PROGRAM_FIXED_BYTES - 4 + 2 * (PL330_PROGRAM_ELEMENT_BYTES + 3 * 14));
    CHECK_EQ(bytes[PL330_PRIVATE_BYTES], 0xEE);
}

/* ---- the back end ---- */

static struct pl330 dma;
static struct dma_controller controller;
static const DMA_FUNCTION_TABLE *entries;
static union {
    DMA_SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + 2 * sizeof(SCATTER_GATHER_ELEMENT)];
} list;

static void start(void)
{
    const struct pl330_config config = {
        .base = BASE, .abort_spi = 0, .first_event_spi = 1, .request_lines = 29, .channels = 8, .events = 16};

    memset(registers, 0, sizeof registers);
    registers[0xE00 / 4] = 0x001FF071; /* 8 channels, 32 peripherals, 16 events */
    kill_works = true;
    write_count = 0;
    pl330_describe(&dma, &config, &controller);
    entries = controller.block.Operations;
    CHECK_EQ(write_count, 0);
    entries->InitializeController(&dma);
    for (ULONG n = 0; n < 8; n++) {
        entries->ReportCommonBuffer(&dma, n, bytes, (PHYSICAL_ADDRESS){.QuadPart = MEMORY_BUS});
    }
}

static void program(ULONG n, bool write)
{
    list.list.NumberOfElements = 2;
    list.list.Reserved = Width32Bits;
    list.list.Elements[0] = (SCATTER_GATHER_ELEMENT){.Address = {.QuadPart = 0x40001000}, .Length = 64};
    list.list.Elements[1] = (SCATTER_GATHER_ELEMENT){.Address = {.QuadPart = 0x40001000}, .Length = 32};
    write_count = 0;
    entries->ProgramChannel(&dma, n, 1, &list.list, (PHYSICAL_ADDRESS){.QuadPart = 0x0B010000}, write, FALSE);
}

TEST(initialisation_clears_what_a_loader_left, "PLB-01 PLB-19")
{
    start();
    registers[(0x100 + 8 * 3) / 4] = 15;
    write_count = 0;
    entries->InitializeController(&dma);
    check_write(0, 0xD08, 0x00010301); /* DMAKILL channel 3 */
    check_write(1, 0xD0C, 0);
    check_write(2, DBGCMD, 0);
    check_write(3, 0x020, 0xFF); /* INTEN, then INTCLR */
    check_write(4, 0x02C, 0xFF);
    CHECK_EQ(write_count, 5);
    CHECK_EQ(controller.channels[7].InterruptNumber, 8);
    CHECK_EQ(controller.block.MaximumRequestLine, 28);
}

TEST(bindings_are_checked_against_the_configuration, "PLB-03 PLB-18")
{
    static const struct {
        ULONG line, channel;
        int valid;
    } rows[] = {{0, 0, 1}, {28, 7, 1}, {29, 0, 0}, {0, 8, 0}, {UINT32_MAX, 0, 0}, {0, UINT32_MAX, 0}};

    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        DMA_REQUEST_LINE_BINDING_DESCRIPTION binding = {rows[i].line, rows[i].channel};

        CHECK_EQ(entries->ValidateRequestLineBinding(&dma, &binding), rows[i].valid);
    }
    registers[0xE00 / 4] = 0x00020011; /* 2 channels, 1 peripheral, 2 events */
    DMA_REQUEST_LINE_BINDING_DESCRIPTION binding = {1, 0};
    CHECK(!entries->ValidateRequestLineBinding(&dma, &binding));
    binding = (DMA_REQUEST_LINE_BINDING_DESCRIPTION){0, 2};
    CHECK(!entries->ValidateRequestLineBinding(&dma, &binding));
    registers[0] = 1 << 9; /* a non-secure manager owns what CR3 and CR4 grant, PLB-18 */
    entries->InitializeController(&dma);
    binding = (DMA_REQUEST_LINE_BINDING_DESCRIPTION){0, 0};
    CHECK(!entries->ValidateRequestLineBinding(&dma, &binding));
    registers[0xE0C / 4] = 1;
    registers[0xE10 / 4] = 1;
    CHECK(entries->ValidateRequestLineBinding(&dma, &binding));
}

TEST(a_channel_is_started_through_the_debug_interface, "PLB-05 PLB-07")
{
    start();
    CHECK_EQ(entries->QueryMaxFragments(&dma, 2, 1000), 63);
    CHECK_EQ(entries->QueryMaxFragments(&dma, 2, 5), 5);
    fake_forget_log();
    program(2, true);
    CHECK_EQ(fake_count(FAKE_BARRIER), 1); /* CCH-21 */
    check_write(0, 0xD08, 0x02A00000);
    check_write(1, 0xD0C, MEMORY_BUS);
    check_write(2, DBGCMD, 0);
    CHECK_EQ(write_count, 3);
    CHECK_EQ(bytes[0], 0xBC);
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

TEST(a_busy_channel_is_not_started_but_reported, "MTX-49")
{
    start();
    registers[0x108 / 4] = 1;
    program(1, true);
    check_write(0, 0xD08, 0x08340000); /* DMASEV 1 by the manager */
    registers[0x028 / 4] = 1 << 1;
    CHECK_EQ(entries->ReadDmaCounter(&dma, 1), 96);
    check_report(1, InterruptTypeError);
    check_no_report();

    registers[0x108 / 4] = 0;
    registers[0xD00 / 4] =
        1; /* the debug interface is stuck: nothing is written, the end is told all the same */
    program(1, true);
    CHECK_EQ(write_count, 0);
    check_report(1, InterruptTypeError);
    check_no_report();
}

TEST(events_and_faults_are_reported_one_by_one, "PLB-12 HBE-11")
{
    start();
    program(1, true);
    program(5, true);
    program(6, false);
    registers[0x028 / 4] = 1 << 5 | 1 << 1;
    registers[0x034 / 4] = 1 << 6;
    registers[(0x100 + 8 * 6) / 4] = 15;
    write_count = 0;
    check_report(1, InterruptTypeCompletion);
    check_write(0, 0x02C, 1 << 1);
    CHECK_EQ(entries->ReadDmaCounter(&dma, 1), 0);
    check_report(5, InterruptTypeCompletion);
    check_report(6, InterruptTypeError);
    check_write(2, 0xD08, 0x00010601);
    check_no_report();

    registers[0x030 / 4] = 1; /* the manager faults on the channel it started last */
    registers[0x000] = 15;
    write_count = 0;
    check_report(6, InterruptTypeError);
    check_write(0, 0xD08, 0x00010000);
}

TEST(the_counter_follows_code_and_address, "")
{
    uint32_t second = 6 + 12 + 10;

    start();
    program(0, false);
    registers[0x100 / 4] = 7;
    registers[0x104 / 4] = MEMORY_BUS + 20; /* in the first element */
    registers[0x404 / 4] = 0x40001010;
    CHECK_EQ(entries->ReadDmaCounter(&dma, 0), 80);
    registers[0x104 / 4] = MEMORY_BUS + second; /* the second, at the same address */
    CHECK_EQ(entries->ReadDmaCounter(&dma, 0), 16);
    registers[0x404 / 4] = 0x40001040; /* before its DMAMOV */
    CHECK_EQ(entries->ReadDmaCounter(&dma, 0), 32);
}

TEST(cancelling_kills_only_what_runs, "PLB-14 HBE-13")
{
    start();
    program(0, true);
    CHECK(!entries->CancelTransfer(&dma, 0)); /* stopped */
    registers[0x100 / 4] = 7;
    registers[0x028 / 4] = 1;
    CHECK(!entries->CancelTransfer(&dma, 0)); /* its interrupt is asserted */
    registers[0x028 / 4] = 0;
    registers[0x104 / 4] = MEMORY_BUS + 20;
    registers[0x400 / 4] = 0x40001020;
    write_count = 0;
    CHECK(entries->CancelTransfer(&dma, 0));
    check_write(0, 0xD08, 0x00010001);
    registers[0x400 / 4] = 0;
    CHECK_EQ(entries->ReadDmaCounter(&dma, 0), 64); /* PLB-14 */
    entries->FlushChannel(&dma, 0);
    CHECK_EQ(entries->ReadDmaCounter(&dma, 0), 0);
}

TEST(a_flush_leaves_the_channel_programmable, "")
{
    start();
    program(0, true);
    registers[0x100 / 4] = 7;
    registers[0x028 / 4] = 1;
    write_count = 0;
    entries->FlushChannel(&dma, 0);
    check_write(0, 0xD08, 0x00010001);
    check_write(3, 0x02C, 1);
    check_no_report();
    kill_works = false; /* every poll is bounded */
    registers[0x100 / 4] = 7;
    entries->FlushChannel(&dma, 0);
    CHECK_EQ(entries->ConfigureChannel(&dma, 0, 1, NULL), STATUS_NOT_IMPLEMENTED);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
