/* SPDX-License-Identifier: Apache-2.0 */
#include "microcode.h"

#include "check.h"

#include <string.h>

static uint32_t operand_word(const uint8_t *code)
{
    return code[2] | (uint32_t)code[3] << 8 | (uint32_t)code[4] << 16 | (uint32_t)code[5] << 24;
}

static size_t length_of(uint8_t opcode)
{
    return opcode == 0xBC ? 6 : opcode >= 0x20 && opcode < 0x40 ? 2 : 1;
}

static bool is_done(const struct microcode *channel, uint8_t opcode)
{
    unsigned int condition = opcode & 3;

    return condition == PL330_ALWAYS || (condition == PL330_IF_SINGLE) == (channel->asked == PL330_SINGLE);
}

/* ---- bursts ---- */

/* One half of CCR, with its fields in the lowest bits. */
struct side {
    uint32_t *address;
    bool increments;
    unsigned int log2, beats;
};

static struct side side_of(struct microcode *channel, enum pl330_register reg, uint8_t opcode)
{
    uint32_t half = channel->registers[PL330_CCR] >> (reg == PL330_DAR ? 14 : 0);
    bool one_beat = (opcode & 3) == PL330_IF_SINGLE;
    struct side side = {
        .address = &channel->registers[reg],
        .increments = (half & 1) != 0,
        .log2 = half >> 1 & 7,
        .beats = one_beat ? 1 : (half >> 4 & 15) + 1,
    };

    CHECK(*side.address % (1U << side.log2) == 0);
    return side;
}

/* False: there is no room. */
static bool load(struct microcode *channel, uint8_t opcode)
{
    struct side side = side_of(channel, PL330_SAR, opcode);

    if (channel->fill + (side.beats << side.log2) > MICROCODE_FIFO) {
        return false;
    }
    for (unsigned int i = 0; i < side.beats << side.log2; i++) {
        uint32_t offset = side.increments ? i : i % (1U << side.log2);

        channel->fifo[channel->fill++] =
            (struct microcode_byte){.from = *side.address + offset, .from_log2 = side.log2};
    }
    *side.address += side.increments ? side.beats << side.log2 : 0;
    channel->loaded_most = channel->fill > channel->loaded_most ? channel->fill : channel->loaded_most;
    return true;
}

static void store(struct microcode *channel, uint8_t opcode)
{
    struct side side = side_of(channel, PL330_DAR, opcode);
    unsigned int bytes = side.beats << side.log2;

    CHECK(bytes <= channel->fill);
    for (unsigned int i = 0; i < bytes; i++) {
        channel->fifo[i].to = *side.address + (side.increments ? i : i % (1U << side.log2));
        channel->fifo[i].to_log2 = side.log2;
        channel->moved(channel->opaque, &channel->fifo[i]);
    }
    channel->unordered = true;
    channel->fill -= bytes;
    memmove(channel->fifo, channel->fifo + bytes, channel->fill * sizeof channel->fifo[0]);
    *side.address += side.increments ? bytes : 0;
}

/* DMALDP and DMASTP: to the peripheral that asked. */
static void check_peripheral(struct microcode *channel)
{
    CHECK_EQ(channel->code[channel->pc + 1] >> 3, channel->peripheral);
    channel->acknowledged++;
}

/* ---- instructions ---- */

static void end_loop(struct microcode *channel, uint8_t opcode)
{
    bool counted = (opcode & 0x10) != 0;
    unsigned int *counter = &channel->lc[opcode >> 2 & 1];

    if (!is_done(channel, opcode) || (counted && *counter == 0)) {
        channel->pc += 2;
        return;
    }
    *counter -= counted ? 1 : 0;
    CHECK(channel->code[channel->pc + 1] <= channel->pc);
    channel->pc -= channel->code[channel->pc + 1];
}

/* False: it locks up. */
static bool transfer(struct microcode *channel, uint8_t opcode)
{
    bool is_load = (opcode & ~0x23U) == 0x04;
    bool of_peripheral = (opcode & 0x20) != 0;

    if (!is_done(channel, opcode)) {
        return true;
    }
    if (of_peripheral) {
        check_peripheral(channel);
    }
    if (is_load) {
        return load(channel, opcode);
    }
    store(channel, opcode);
    return true;
}

/* True: it stops here. */
static bool execute(struct microcode *channel, uint8_t opcode, enum microcode_stop *stop)
{
    const uint8_t *code = channel->code + channel->pc;

    switch (opcode) {
    case 0x00:
        *stop = MICROCODE_END;
        return true;
    case 0x34:
        channel->event = code[1] >> 3;
        *stop = MICROCODE_EVENT;
        return true;
    case 0x30:
    case 0x31:
    case 0x32:
        channel->wanted = (enum pl330_request)(opcode & 3);
        channel->peripheral = code[1] >> 3;
        channel->waiting = true;
        *stop = MICROCODE_WAITS;
        return true;
    case 0x35:
        channel->flushes++;
        return false;
    case 0x20:
    case 0x22:
        channel->lc[opcode >> 1 & 1] = code[1];
        return false;
    case 0xBC:
        *stop = MICROCODE_FAULT;
        if (code[1] >= 3) {
            return true;
        }
        channel->registers[code[1]] = operand_word(code);
        return false;
    case 0x13:
        channel->unordered = false;
        return false;
    case 0xFF:
        *stop = MICROCODE_FAULT;
        return true;
    default:
        CHECK((opcode & ~0x23U) == 0x04 || (opcode & ~0x23U) == 0x08);
        *stop = MICROCODE_FAULT;
        return !transfer(channel, opcode);
    }
}

enum microcode_stop microcode_run(struct microcode *channel)
{
    enum microcode_stop stop = MICROCODE_END;
    bool stopped = false;

    CHECK(!channel->waiting);
    while (!stopped) {
        CHECK(channel->pc < channel->size);
        uint8_t opcode = channel->code[channel->pc];
        bool is_loop_end = (opcode & 0xE8) == 0x28 && (opcode & 0xFC) != 0x28;

        if (channel->before != NULL) {
            channel->before(channel->opaque);
        }
        if (is_loop_end) {
            end_loop(channel, opcode);
            continue;
        }
        stopped = execute(channel, opcode, &stop);
        channel->pc += channel->waiting ? 0 : length_of(opcode);
    }
    CHECK(stop == MICROCODE_FAULT || (channel->fill == 0 && !channel->unordered));
    return stop;
}

void microcode_ask(struct microcode *channel, enum pl330_request request)
{
    CHECK(channel->waiting);
    CHECK(channel->wanted == PL330_PERIPHERAL || channel->wanted == request);
    channel->waiting = false;
    channel->asked = request;
    channel->pc += 2;
}
