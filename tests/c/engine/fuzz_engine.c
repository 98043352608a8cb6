/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PL330's engine with random configurations, programs and interruptions (libFuzzer). Whatever they are: the
 * sanitizers have nothing to say, time goes on, a prediction is right, and after the last kill the engine is as
 * good as new. Where nobody listens to instructions, the same happens.
 *
 * The input: a byte for the configuration, one for the length of the program, the program, and then actions of
 * three bytes each.
 */
#include "bed.h"

enum { PROGRAM_MAX = 160, CODE_BYTES = 0x400, HORIZON = 3000, COPIED = 64 };

struct input {
    const uint8_t *bytes;
    size_t left;
};

static uint8_t take(struct input *input)
{
    if (!input->left) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

static void configure(uint8_t choice)
{
    bed_reset();
    bed.config.bus_bytes = (uint8_t)(4u << (choice & 3) % 3);
    bed.config.fifo_lines = choice & 4 ? 16 : 256;
    bed.config.read_queue = bed.config.write_queue = choice & 8 ? 1 : 16;
    bed.config.cache_line = choice & 16 ? 32 : 4;
    bed.config.latency = choice & 32 ? 40 : 0;
    bed.config.boots = choice & 64;
    bed.config.boot_address = CODE;
    bed.config.manager_nonsecure = choice & 128;
    bed.config.nonsecure_events = 0xf;
    bed.config.nonsecure_peripherals = 3;
    bed_start();
}

static void put_program(struct input *input)
{
    uint32_t length = take(input) % PROGRAM_MAX;
    static const uint8_t registers[] = {SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 4) | NONSECURE_CONTROL)};

    memset(bed_at(CODE), 0, CODE_BYTES);
    bed_put(CODE, registers, sizeof(registers));
    for (uint32_t i = 0; i < length; i++) {
        *bed_at(CODE + (uint32_t)sizeof(registers) + i) = take(input);
    }
}

/* Nothing that could be noticed happens before the predicted cycle, unless peripherals ask for something new or
 * the program has overwritten itself. */
static void check_prediction(void)
{
    static uint8_t code[CODE_BYTES];
    uint64_t at = engine_predict(bed.engine, bed.now + HORIZON).cycle, lines = bed.lines, quiet;
    uint32_t noticed = bed.rises + bed.faulted + bed.held, answers = bed.answers;

    memcpy(code, bed_at(CODE), CODE_BYTES);
    if (at == ENGINE_NEVER) {
        at = bed.now + HORIZON;
    }
    quiet = engine_quiet(bed.engine, bed.now + HORIZON);
    CHECK(quiet == bed.now || quiet < at || (quiet == at && at == bed.now + HORIZON));
    CHECK(at >= bed.now);
    if (at > bed.now) {
        bed_run(at - bed.now - 1);
    }
    if (bed.answers == answers && memcmp(code, bed_at(CODE), CODE_BYTES) == 0) {
        CHECK_EQ(bed.lines, lines);
        CHECK_EQ(bed.rises + bed.faulted + bed.held, noticed);
    }
}

static void set_hold(uint32_t channel, uint8_t value)
{
    struct engine_hold *hold = engine_hold(bed.engine, channel);

    hold->at_burst = value & 3 ? 0 : value >> 2;
    hold->at_byte = (value & 3) == 1 ? value : 0;
    hold->pause_cycles = (value & 3) == 2 ? value : 0;
}

static void act(struct input *input)
{
    uint8_t action = take(input), a = take(input), b = take(input);
    uint32_t channel = a & 7;

    switch (action % 10) {
    case 0:
        bed_run((uint64_t)a * b % 2048);
        break;
    case 1:
        bed_go(channel, CODE + (a >> 3));
        break;
    case 2:
        bed_go_nonsecure(channel, CODE + (a >> 3));
        break;
    case 3:
        DEBUG(a % ENGINE_THREADS, KILL);
        break;
    case 4:
        engine_request(bed.engine, a, (enum engine_request)(b % 3), b & 4);
        bed.asks = (enum engine_request)(b % 3);
        break;
    case 5:
        engine_register_write(bed.engine, (uint32_t)a * 4 % 0x40, (uint32_t)b * 0x01010101u, b & 1);
        break;
    case 6:
        DEBUG(a % ENGINE_THREADS, b, a);
        break;
    case 7:
        set_hold(channel, b);
        break;
    case 8:
        engine_let_go(bed.engine, channel, b & 3);
        break;
    default:
        check_prediction();
        break;
    }
    for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
        (void)engine_register_read(bed.engine, offset, b & 1);
    }
}

static void check_as_good_as_new(void)
{
    bed_set(0xe80, 0);
    bed_set(INTEN, 0);
    for (uint32_t n = 0; n < ENGINE_THREADS; n++) {
        DEBUG(n, KILL);
        if (n < ENGINE_CHANNELS_MAX) {
            *engine_hold(bed.engine, n) = (struct engine_hold){0};
        }
    }
    bed_settle();
    CHECK_EQ(bed.lines, 0);
    bed_put(CODE,
            (const uint8_t[]){SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 16) | NONSECURE_CONTROL), LD, ST, END},
            21);
    memset(bed_at(TARGET), 0, COPIED);
    bed_go_nonsecure(3, CODE);
    bed_settle();
    CHECK_EQ(bed_state(3), 0);
    CHECK_EQ(bed_fault(3), 0);
    bed_check_copied(COPIED);
}

/* Returns the digest of all that has happened, until it is all killed. */
static uint64_t run(const uint8_t *data, size_t size, bool skips)
{
    struct input input = {data, size};
    uint64_t digest;

    configure(take(&input));
    bed.skips = skips;
    put_program(&input);
    bed_go(0, CODE);
    while (input.left) {
        act(&input);
    }
    for (uint32_t i = 0; i < BED_SIZE; i++) {
        bed_mix(bed.memory[i]);
    }
    bed_mix(bed.issued);
    digest = bed.digest;
    check_as_good_as_new();
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CHECK_EQ(run(data, size, true), run(data, size, false));
    return 0;
}
