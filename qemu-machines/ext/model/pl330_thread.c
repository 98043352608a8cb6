/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/pl330_thread.h"

/* Opcodes (DDI 0424, 4.3). */
enum { DMAEND = 0x00, DMAKILL = 0x01, DMASTZ = 0x0c, DMAWFE = 0x36, DMAMOV = 0xbc };

static bool is_load(uint8_t opcode)
{
    return (opcode & 0xfc) == 0x04 || (opcode & 0xfd) == 0x25; /* DMALD, DMALDP */
}

static bool is_store(uint8_t opcode)
{
    return (opcode & 0xfc) == 0x08 || (opcode & 0xfd) == 0x29; /* DMAST, DMASTP */
}

static bool is_add(uint8_t opcode)
{
    return (opcode & 0xf5) == 0x54; /* DMAADDH, DMAADNH */
}

static bool is_wait_for_peripheral(uint8_t opcode)
{
    return opcode >= 0x30 && opcode <= 0x32;
}

bool pl330_is_loop_end(uint8_t opcode)
{
    return (opcode & 0xe8) == 0x28 && !is_store(opcode);
}

bool pl330_is_end(uint8_t opcode)
{
    return opcode == DMAEND || opcode == DMAKILL;
}

bool pl330_waits(uint8_t opcode)
{
    return is_wait_for_peripheral(opcode) || opcode == DMAWFE;
}

unsigned int pl330_instruction_length(uint8_t opcode)
{
    if (opcode == DMAMOV || (opcode & 0xfd) == 0xa0) {
        return 6; /* DMAGO */
    }
    if (is_add(opcode)) {
        return 3;
    }
    return (opcode >= 0x20 && opcode <= 0x3f) ? 2 : 1;
}

/* ---- bursts ---- */

static bool is_no_operation(const struct pl330_thread *channel, uint8_t opcode)
{
    unsigned int condition = opcode & 3; /* 1: S, 3: B */
    bool single = channel->request == REQUEST_SINGLE;

    return (condition == 1 && !single) || (condition == 3 && single);
}

bool pl330_begins_burst(const struct pl330_thread *channel, uint8_t opcode)
{
    return opcode == DMASTZ || (is_load(opcode) && !is_no_operation(channel, opcode));
}

/* One half of the control register: `control` with its fields in the lowest bits. */
static uint32_t beat_size(uint32_t control)
{
    return 1u << (control >> 1 & 7);
}

static struct pl330_access burst(uint32_t address, uint32_t control, uint32_t beats)
{
    uint32_t size = beat_size(control), misaligned = address & (size - 1);
    bool increments = control & 1;
    uint32_t bytes = increments ? size * beats - misaligned : (size - misaligned) * beats;

    return (struct pl330_access){
        .address = address,
        .bytes = bytes,
        .span = increments ? bytes : size - misaligned,
        .advance = increments ? bytes : 0,
    };
}

struct pl330_access pl330_access(const struct pl330_thread *channel, uint8_t opcode)
{
    uint32_t control = channel->control;
    struct pl330_access access = {.kind = ACCESS_NONE};

    if (opcode == DMASTZ) {
        access = burst(channel->target, control >> 14, (control >> 18 & 15) + 1);
        access.kind = ACCESS_ZERO;
        if (access.advance) {
            access.advance += access.address & (beat_size(control >> 14) - 1);
        }
    } else if (is_load(opcode) && !is_no_operation(channel, opcode)) {
        access = burst(channel->source, control, (opcode & 3) == 1 ? 1 : (control >> 4 & 15) + 1);
        access.kind = ACCESS_LOAD;
    } else if (is_store(opcode) && !is_no_operation(channel, opcode)) {
        access = burst(channel->target, control >> 14, (control >> 18 & 15) + 1);
        access.kind = ACCESS_STORE;
    }
    return access;
}

static void move(struct pl330_thread *channel, const struct pl330_access *access)
{
    bool load = access->kind == ACCESS_LOAD;

    *(load ? &channel->source : &channel->target) += access->advance;
    channel->loaded += load ? access->bytes : 0;
    channel->stored += access->kind == ACCESS_STORE ? access->bytes : 0;
    channel->zeroed += access->kind == ACCESS_ZERO ? access->bytes : 0;
    channel->bursts += access->kind != ACCESS_STORE;
}

/* ---- everything else ---- */

static void set_register(struct pl330_thread *channel, const uint8_t *code)
{
    uint32_t value = code[2] | (uint32_t)code[3] << 8 | (uint32_t)code[4] << 16 | (uint32_t)code[5] << 24;

    switch (code[1]) {
    case 0:
        channel->source = value;
        break;
    case 1:
        channel->control = value;
        break;
    case 2:
        channel->target = value;
        break;
    default:
        break; /* faults */
    }
}

static void add(struct pl330_thread *channel, const uint8_t *code)
{
    uint32_t negative = (code[0] & 8) ? 0xffff0000u : 0;

    *((code[0] & 2) ? &channel->target : &channel->source) += negative | code[1] | (uint32_t)code[2] << 8;
}

void pl330_execute(struct pl330_thread *channel, const uint8_t code[PL330_CODE_MAX])
{
    struct pl330_access access = pl330_access(channel, code[0]);

    if (access.kind != ACCESS_NONE) {
        move(channel, &access);
    } else if (code[0] == DMAMOV) {
        set_register(channel, code);
    } else if (is_add(code[0])) {
        add(channel, code);
    } else if (is_wait_for_peripheral(code[0])) {
        channel->request = (enum pl330_request)(code[0] & 3);
    }
}

void pl330_go(struct pl330_thread *channel)
{
    channel->loaded = channel->stored = channel->zeroed = channel->bursts = 0;
}
