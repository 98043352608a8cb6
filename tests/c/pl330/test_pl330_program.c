/* SPDX-License-Identifier: Apache-2.0 */
/* Microcode: instructions against the encodings of DDI 0424, 4.3, programs executed byte by byte. */
#include <dmav3_board.h>

#include "check.h"
#include "microcode.h"
#include "pl330/program.h"

#include <string.h>

enum { CAPACITY = 16384, DEVICE = DMAV3_STREAM_DATA, PERIPHERAL = 5, EVENT = 3 };

static uint8_t bytes[CAPACITY + 16];

/* ---- instructions ---- */

static struct pl330_code code;

static void fresh_code(size_t capacity)
{
    memset(bytes, 0xEE, sizeof bytes);
    code = (struct pl330_code){.bytes = bytes, .capacity = capacity};
}

static void start_at(size_t length)
{
    fresh_code(CAPACITY);
    code.length = length;
}

static void check_code(const char *text, const uint8_t *expected, size_t size)
{
    if (code.overflow || code.length < size || memcmp(bytes + code.length - size, expected, size) != 0 ||
        bytes[code.length] != 0xEE) {
        fprintf(stderr, "%s: not as in tests/vectors/pl330.json\n", text);
        exit(1);
    }
}

TEST(every_instruction_is_encoded_as_in_the_manual, "")
{
#include "instructions.inc"
}

TEST(code_never_leaves_its_memory, "")
{
    fresh_code(5);
    pl330_emit_move(&code, PL330_SAR, 0);
    CHECK(code.overflow && code.length == 0);
    pl330_emit_end(&code); /* nothing follows a gap */
    CHECK_EQ(code.length, 0);
    CHECK_EQ(bytes[0], 0xEE);

    start_at(256);
    pl330_emit_loop_end(&code, PL330_LC0, PL330_ALWAYS, 0);
    CHECK(code.overflow);
}

/* ---- a program and its device ---- */

static struct {
    struct pl330_program program;
    struct pl330_transfer transfer;
    struct microcode channel;
    bool asks_single;     /* where the peripheral decides */
    uint64_t moved;       /* bytes, of all rounds */
    uint64_t moved_asked; /* when the device asked last */
    uint32_t element, in_element;
    uint32_t events, event_at, rounds;
} run;

static struct pl330_transfer fixed_device(unsigned int width_log2, bool write)
{
    return (struct pl330_transfer){.device_address = DEVICE,
                                   .width_log2 = width_log2,
                                   .beats = 1,
                                   .request = PL330_SINGLE,
                                   .write = write,
                                   .peripheral = PERIPHERAL,
                                   .event = EVENT};
}

static void set_list(const struct pl330_element *elements, uint32_t count)
{
    run.program.element_count = count;
    memcpy(run.program.elements, elements, count * sizeof elements[0]);
}

static bool make(const struct pl330_transfer *transfer)
{
    memset(bytes, 0xEE, sizeof bytes);
    run.transfer = *transfer;
    run.program.code = (struct pl330_code){.bytes = bytes, .capacity = CAPACITY};
    return pl330_program_make(&run.program, transfer);
}

static uint32_t device_address(uint32_t at)
{
    uint32_t width = UINT32_C(1) << run.transfer.width_log2;

    return run.transfer.device_address + (run.transfer.device_advances ? at : at % width);
}

/* Every byte in its turn; the device by whole beats (PLB-17, PLB-20). */
static void check_byte(void *opaque, const struct microcode_byte *byte)
{
    const struct pl330_element *element = &run.program.elements[run.element];
    bool write = run.transfer.write;

    (void)opaque;
    CHECK_EQ(write ? byte->from : byte->to, element->address + run.in_element);
    CHECK_EQ(write ? byte->to : byte->from, device_address((uint32_t)(run.moved % run.program.total)));
    if (!run.transfer.device_advances) {
        CHECK_EQ(write ? byte->to_log2 : byte->from_log2, run.transfer.width_log2);
    }
    run.moved++;
    if (++run.in_element == element->length) {
        run.in_element = 0;
        run.element = (run.element + 1) % run.program.element_count;
    }
}

/* PLB-15: before every instruction, but not in the middle of a very long transfer; of a unit that is on its way
 * nothing counts. */
static void check_left(void *opaque)
{
    bool in_unit = run.channel.pc < run.program.ending;
    bool on_its_way = in_unit && (run.channel.fill != 0 || run.channel.unordered);
    uint64_t moved = on_its_way ? run.moved_asked : run.moved;
    const struct pl330_position position = {
        .code_offset = (uint32_t)run.channel.pc,
        .address = run.channel.registers[run.transfer.write ? PL330_SAR : PL330_DAR],
        .control = run.channel.registers[PL330_CCR],
        .lc1 = run.channel.lc[1],
    };
    uint64_t done = run.transfer.loop ? moved % run.program.total : moved;

    (void)opaque;
    if (run.moved > 10000 && run.moved + 10000 < run.program.total) {
        return;
    }
    CHECK_EQ(pl330_program_left(&run.program, &position), run.program.total - done);
}

/* A request moves a burst, or a beat. */
static void check_request(void)
{
    uint64_t moved = run.moved - run.moved_asked;
    uint64_t beats = run.channel.asked == PL330_BURST ? run.transfer.beats : 1;

    if (!run.transfer.device_advances && run.moved != 0) {
        CHECK_EQ(moved, beats << run.transfer.width_log2);
    }
    run.moved_asked = run.moved;
}

static void ask(void)
{
    bool either = run.channel.wanted == PL330_PERIPHERAL;

    CHECK_EQ(run.channel.peripheral, PERIPHERAL);
    check_request();
    microcode_ask(&run.channel, !either ? run.channel.wanted : run.asks_single ? PL330_SINGLE : PL330_BURST);
}

/* Where in the round the next event is due. */
static uint32_t next_event(uint32_t after)
{
    uint32_t every = run.transfer.loop ? run.transfer.notice_bytes : 0;

    return every == 0 || after + every > run.program.total ? run.program.total : after + every;
}

static void check_event(void)
{
    run.event_at = next_event(run.event_at);
    CHECK_EQ(run.channel.event, EVENT);
    CHECK_EQ(run.moved, (uint64_t)run.rounds * run.program.total + run.event_at);
    run.events++;
    if (run.event_at == run.program.total) {
        run.event_at = 0;
        run.rounds++;
    }
}

static void begin(void)
{
    run.channel = (struct microcode){.code = bytes, .size = run.program.code.length, .moved = check_byte};
    run.channel.before = check_left;
    run.channel.registers[PL330_SAR] = run.channel.registers[PL330_DAR] = 0x40001010; /* of an earlier one */
    run.channel.lc[1] = 77;
    run.moved = run.moved_asked = 0;
    run.element = run.in_element = 0;
    run.events = run.event_at = run.rounds = 0;
}

/* Execute what was made: to its end, or so many rounds of a loop. */
static enum microcode_stop execute(uint32_t rounds)
{
    enum microcode_stop stop;

    begin();
    do {
        stop = microcode_run(&run.channel);
        if (stop == MICROCODE_WAITS) {
            ask();
        } else if (stop == MICROCODE_EVENT) {
            check_event();
        }
    } while (stop != MICROCODE_END && stop != MICROCODE_FAULT && run.rounds < rounds);
    check_request();
    return stop;
}

static void check_transfer(const struct pl330_transfer *transfer)
{
    CHECK(make(transfer));
    (void)execute(UINT32_MAX);
    CHECK_EQ(run.moved, run.program.total);
    CHECK_EQ(run.events, 1);
    CHECK_EQ(run.channel.flushes, 1);
}

/* ---- programs ---- */

TEST(a_small_write_is_a_plain_loop, "PLB-04")
{
    static const struct pl330_element element = {0x40001000, 12};
    static const uint8_t expected[] = {
        0x35, 0x28,                         /* DMAFLUSHP P5 */
        0xBC, 0x02, 0x00, 0x00, 0x01, 0x0B, /* DMAMOV DAR, device */
        0xBC, 0x00, 0x00, 0x10, 0x00, 0x40, /* DMAMOV SAR, element */
        0xBC, 0x01, 0x05, 0x00, 0x01, 0x00, /* DMAMOV CCR, 4 bytes incrementing to 4 bytes fixed */
        0x20, 0x02, 0x30, 0x28, 0x04, 0x29,
        0x28, 0x13, 0x38, 0x06, /* three times: wait, load, store, barrier */
        0x13, 0x34, 0x18, 0x00, /* barrier, event, end */
    };
    struct pl330_transfer transfer = fixed_device(2, true);

    set_list(&element, 1);
    CHECK(make(&transfer));
    CHECK_EQ(run.program.code.length, sizeof expected);
    CHECK(memcmp(bytes, expected, sizeof expected) == 0);
    transfer.nonsecure = true;
    CHECK(make(&transfer));
    CHECK_EQ(bytes[16] | bytes[17] << 8 | bytes[18] << 16, 0x810205);
}

/* Two elements, the second within the first. */
static void set_two(uint32_t offset, unsigned int width_log2)
{
    const struct pl330_element elements[] = {
        {0x40001000 + offset, UINT32_C(37) << width_log2},
        {0x40001000 + 2 * offset, UINT32_C(22) << width_log2},
    };

    set_list(elements, 2);
}

static void check_requests_of(struct pl330_transfer *transfer)
{
    transfer->request = PL330_SINGLE;
    check_transfer(transfer);
    transfer->request = PL330_BURST;
    check_transfer(transfer);
    transfer->request = PL330_PERIPHERAL;
    run.asks_single = false;
    check_transfer(transfer);
    run.asks_single = true;
    check_transfer(transfer);
}

TEST(every_width_burst_request_and_alignment_moves_the_right_bytes, "PLB-04 PLB-06 PLB-20")
{
    for (unsigned int width = 0; width <= 3; width++) {
        for (unsigned int beats = 1; beats <= PL330_BEATS_MAX; beats++) {
            for (uint32_t offset = 0; offset < 8; offset++) {
                struct pl330_transfer transfer = fixed_device(width, beats % 2);

                transfer.beats = beats;
                set_two(offset, width);
                check_requests_of(&transfer);
                transfer.write = !transfer.write;
                check_requests_of(&transfer);
                CHECK(run.channel.loaded_most <= beats << width); /* PLB-06 */
            }
        }
    }
}

TEST(a_device_that_advances_is_moved_in_the_widest_beats_there_are, "PLB-17 MTX-34")
{
    for (uint32_t memory = 0; memory < 8; memory++) {
        for (uint32_t device = 0; device < 8; device++) {
            for (uint32_t length = 1; length < 70; length += 3) {
                const struct pl330_element elements[] = {{0x40001000 + memory, length}, {0x40005003, 21}};
                struct pl330_transfer transfer = fixed_device(3, length % 2);

                transfer.device_advances = true;
                transfer.device_address = 0x41000000 + device;
                transfer.beats = 1 + length % 4;
                set_list(elements, 2);
                check_requests_of(&transfer);
            }
        }
    }
    static const struct pl330_element aligned = {0x40001004, 4 + 64 + 3};
    struct pl330_transfer transfer = fixed_device(3, true);

    transfer.device_advances = true;
    transfer.device_address = 0x4100000C;
    set_list(&aligned, 1);
    check_transfer(&transfer);
    CHECK_EQ(run.channel.acknowledged, 4 + 8 + 3);
}

TEST(every_length_is_looped_exactly, "PLB-04")
{
    static const uint32_t units[] = {1,     2,     255,   256,    257,     511,    512,
                                     65535, 65536, 65537, 131072, 1000003, 8388608};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const struct pl330_element element = {0x40001000, units[i]};
        struct pl330_transfer transfer = fixed_device(0, i % 2);

        set_list(&element, 1);
        check_transfer(&transfer);
        CHECK_EQ(run.channel.acknowledged, units[i]);
        transfer.beats = 16;
        transfer.request = PL330_BURST;
        check_transfer(&transfer);
        CHECK_EQ(run.channel.acknowledged, units[i] / 16 + units[i] % 16);
    }
}

/* Many elements, of which some are the same, some touch, and most are at odd addresses. */
static void set_many(uint32_t count, uint32_t seed, unsigned int width_log2)
{
    struct pl330_element elements[PL330_ELEMENTS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        seed = seed * 1103515245 + 12345;
        elements[i] =
            (struct pl330_element){0x40000000 + (seed >> 8 & 0xFFFF), (1 + (seed >> 24) % 40) << width_log2};
        if (i != 0 && seed % 3 == 0) {
            elements[i].address = elements[i - 1].address + (seed % 2) * elements[i - 1].length;
        }
    }
    set_list(elements, count);
}

TEST(lists_are_moved_in_order, "PLB-04 PLB-15")
{
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct pl330_transfer transfer = fixed_device(seed % 4, seed % 3 == 0);

        transfer.beats = 1 + seed % 16;
        set_many(1 + seed * 7 % PL330_ELEMENTS_MAX, seed, seed % 4);
        check_requests_of(&transfer);
    }
}

TEST(a_loop_goes_round_and_round, "PLB-09 PLB-15 HBE-15")
{
    for (uint32_t seed = 1; seed <= 100; seed++) {
        struct pl330_transfer transfer = fixed_device(seed % 4, seed % 3 == 0);

        transfer.loop = true;
        transfer.beats = 1 + seed % 8;
        transfer.request = (enum pl330_request)(seed % 3);
        transfer.notice_bytes = seed % 5 == 0 ? 0 : (8 + seed % 60) * transfer.beats << seed % 4;
        run.asks_single = seed % 2;
        set_many(1 + seed * 7 % PL330_ELEMENTS_MAX, seed, seed % 4);
        CHECK(make(&transfer));
        CHECK_EQ(execute(3), MICROCODE_EVENT);
        CHECK_EQ(run.moved, 3 * run.program.total);
        CHECK_EQ(run.channel.flushes, 1);
    }
}

TEST(notices_divide_a_round, "PLB-22")
{
    static const struct pl330_element element = {0x40001000, 1000};
    struct pl330_transfer transfer = fixed_device(0, true);

    set_list(&element, 1);
    transfer.loop = true;
    for (transfer.notice_bytes = 1; transfer.notice_bytes <= 1001; transfer.notice_bytes += 25) {
        bool fits = make(&transfer);

        CHECK_EQ(fits, transfer.notice_bytes != 1); /* a thousand loops do not fit */
        if (fits) {
            (void)execute(2);
            CHECK_EQ(run.events, 2 * ((1000 + transfer.notice_bytes - 1) / transfer.notice_bytes));
        }
    }
    transfer.loop = false; /* they are a loop's */
    transfer.notice_bytes = 100;
    check_transfer(&transfer);
}

TEST(a_program_may_end_in_a_fault, "PLB-11 PLB-22")
{
    static const struct pl330_element element = {0x40001000, 100};
    struct pl330_transfer transfer = fixed_device(2, false);

    set_list(&element, 1);
    for (int ending = PL330_ENDS_UNDEFINED; ending <= PL330_ENDS_LOCKED_UP; ending++) {
        for (int loop = 0; loop <= 1; loop++) {
            transfer.loop = loop;
            transfer.ending = (enum pl330_ending)ending;
            CHECK(make(&transfer));
            CHECK_EQ(execute(5), MICROCODE_FAULT);
            CHECK_EQ(run.moved, 100);
            CHECK_EQ(run.events, 0);
        }
    }
}

TEST(what_cannot_be_programmed_is_refused, "PLB-06")
{
    struct pl330_element element = {0x40001000, 100};
    struct pl330_transfer transfer = fixed_device(2, false);

    set_list(&element, 1);
    CHECK(make(&transfer));
    transfer.device_address = DEVICE + 2;
    CHECK(!make(&transfer));
    transfer.device_address = DEVICE;
    transfer.notice_bytes = 6;
    CHECK(!make(&transfer));
    transfer.notice_bytes = 0;
    run.program.elements[0].length = 99;
    CHECK(!make(&transfer));
    transfer.device_advances = true;
    CHECK(make(&transfer));

    transfer = fixed_device(0, true);
    transfer.request = PL330_PERIPHERAL;
    transfer.beats = 2;
    run.program.elements[0].length = 2 * 256 * 500;
    CHECK(make(&transfer));
    run.program.elements[0].length = 2 * 256 * 1000;
    CHECK(!make(&transfer));
    CHECK(run.program.code.length <= CAPACITY);
    CHECK_EQ(bytes[CAPACITY], 0xEE);
}

/* PLB-05: the most elements, each with the longest code; and full loops on top. */
TEST(the_longest_program_fits, "PLB-05")
{
    struct pl330_element elements[PL330_ELEMENTS_MAX];
    struct pl330_transfer transfer = fixed_device(3, true);

    for (uint32_t i = 0; i < PL330_ELEMENTS_MAX; i++) {
        elements[i] = (struct pl330_element){0x40000001, 8 * (16 * 257 + 15)};
    }
    set_list(elements, PL330_ELEMENTS_MAX);
    transfer.beats = 16;
    transfer.request = PL330_BURST;
    CHECK(make(&transfer));
    for (uint32_t i = 0; i + 1 < PL330_ELEMENTS_MAX; i++) {
        CHECK(run.program.starts[i + 1] - run.program.starts[i] <= PL330_ELEMENT_BYTES);
    }
    CHECK_EQ(run.program.starts[0], 8);
    CHECK(run.program.code.length + PL330_FULL_LOOPS_MAX * PL330_LOOP_BYTES <= CAPACITY);

    transfer.device_advances = true;
    transfer.device_address = 0x41000001;
    CHECK(make(&transfer));
    CHECK(run.program.starts[1] - run.program.starts[0] <= PL330_ELEMENT_BYTES);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, NULL);
}
