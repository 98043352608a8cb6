/* SPDX-License-Identifier: Apache-2.0 */
#include "pl330/code.h"

enum opcode {
    DMAEND = 0x00,
    DMAKILL = 0x01,
    DMALD = 0x04, /* | condition */
    DMAST = 0x08, /* | condition */
    DMASTZ = 0x0C,
    DMARMB = 0x12,
    DMAWMB = 0x13,
    DMANOP = 0x18,
    DMALP = 0x20,    /* | counter << 1 */
    DMALDP = 0x24,   /* | condition */
    DMASTP = 0x28,   /* | condition */
    DMALPEND = 0x28, /* | counted << 4 | counter << 2 | condition */
    DMAWFP = 0x30,   /* | request */
    DMASEV = 0x34,
    DMAFLUSHP = 0x35,
    DMAWFE = 0x36,
    DMAADDH = 0x54, /* | destination << 1 */
    DMAADNH = 0x5C, /* | destination << 1 */
    DMAGO = 0xA0,   /* | nonsecure << 1 */
    DMAMOV = 0xBC,
    UNDEFINED = 0xFF,
};

enum { LOOP_COUNTED = 1 << 4, LOOP_LC1 = 1 << 2, WFE_INVALIDATE = 1 << 1 };

struct pl330_emitter pl330_emitters[PL330_EMITTERS];

/* A part of the function that the header declares, so that the return address is into that one's caller. */
#define PART static inline __attribute__((always_inline)) void

PART note_caller(const uint8_t *instruction)
{
    uint32_t address = (uint32_t)(uintptr_t)instruction;

    pl330_emitters[address % PL330_EMITTERS] =
        (struct pl330_emitter){address, (uint32_t)(uintptr_t)__builtin_return_address(0)};
}

/* All of an instruction or nothing of it. */
PART emit(struct pl330_code *code, const uint8_t *bytes, size_t length)
{
    if (code->overflow || length > code->capacity - code->length) {
        code->overflow = true;
        return;
    }
    note_caller(code->bytes + code->length);
    for (size_t i = 0; i < length; i++) {
        code->bytes[code->length + i] = bytes[i];
    }
    code->length += length;
}

PART emit_plain(struct pl330_code *code, unsigned int opcode)
{
    const uint8_t bytes[] = {(uint8_t)opcode};

    emit(code, bytes, sizeof bytes);
}

PART emit_operand(struct pl330_code *code, unsigned int opcode, unsigned int operand)
{
    const uint8_t bytes[] = {(uint8_t)opcode, (uint8_t)operand};

    emit(code, bytes, sizeof bytes);
}

/* Numbers of events and peripherals stand in the upper five bits. */
PART emit_numbered(struct pl330_code *code, unsigned int opcode, unsigned int number)
{
    emit_operand(code, opcode, number << 3);
}

PART emit_half(struct pl330_code *code, unsigned int opcode, unsigned int value)
{
    const uint8_t bytes[] = {(uint8_t)opcode, (uint8_t)value, (uint8_t)(value >> 8)};

    emit(code, bytes, sizeof bytes);
}

PART emit_word(struct pl330_code *code, unsigned int opcode, unsigned int operand, uint32_t value)
{
    const uint8_t bytes[] = {
        (uint8_t)opcode,       (uint8_t)operand,       (uint8_t)value,
        (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24),
    };

    emit(code, bytes, sizeof bytes);
}

void pl330_emit_end(struct pl330_code *code)
{
    emit_plain(code, DMAEND);
}

void pl330_emit_kill(struct pl330_code *code)
{
    emit_plain(code, DMAKILL);
}

void pl330_emit_nop(struct pl330_code *code)
{
    emit_plain(code, DMANOP);
}

void pl330_emit_undefined(struct pl330_code *code)
{
    emit_plain(code, UNDEFINED);
}

/* ---- bursts ---- */

void pl330_emit_load(struct pl330_code *code, enum pl330_if condition)
{
    emit_plain(code, DMALD | (unsigned int)condition);
}

void pl330_emit_store(struct pl330_code *code, enum pl330_if condition)
{
    emit_plain(code, DMAST | (unsigned int)condition);
}

void pl330_emit_store_zeroes(struct pl330_code *code)
{
    emit_plain(code, DMASTZ);
}

void pl330_emit_load_peripheral(struct pl330_code *code, enum pl330_if condition, unsigned int peripheral)
{
    emit_numbered(code, DMALDP | (unsigned int)condition, peripheral);
}

void pl330_emit_store_peripheral(struct pl330_code *code, enum pl330_if condition, unsigned int peripheral)
{
    emit_numbered(code, DMASTP | (unsigned int)condition, peripheral);
}

void pl330_emit_read_barrier(struct pl330_code *code)
{
    emit_plain(code, DMARMB);
}

void pl330_emit_write_barrier(struct pl330_code *code)
{
    emit_plain(code, DMAWMB);
}

/* ---- peripherals and events ---- */

void pl330_emit_wait_peripheral(struct pl330_code *code, enum pl330_request request, unsigned int peripheral)
{
    emit_numbered(code, DMAWFP | (unsigned int)request, peripheral);
}

void pl330_emit_flush_peripheral(struct pl330_code *code, unsigned int peripheral)
{
    emit_numbered(code, DMAFLUSHP, peripheral);
}

void pl330_emit_send_event(struct pl330_code *code, unsigned int event)
{
    emit_numbered(code, DMASEV, event);
}

void pl330_emit_wait_event(struct pl330_code *code, unsigned int event, bool invalidate_cache)
{
    emit_operand(code, DMAWFE, event << 3 | (invalidate_cache ? WFE_INVALIDATE : 0));
}

/* ---- registers ---- */

void pl330_emit_move(struct pl330_code *code, enum pl330_register target, uint32_t value)
{
    emit_word(code, DMAMOV, target, value);
}

static unsigned int adds_to(enum pl330_register target)
{
    return target == PL330_DAR ? 1 << 1 : 0;
}

void pl330_emit_add(struct pl330_code *code, enum pl330_register target, unsigned int bytes)
{
    emit_half(code, DMAADDH | adds_to(target), bytes);
}

void pl330_emit_subtract(struct pl330_code *code, enum pl330_register target, unsigned int bytes)
{
    emit_half(code, DMAADNH | adds_to(target), 0x10000 - bytes);
}

/* ---- loops ---- */

size_t pl330_emit_loop(struct pl330_code *code, enum pl330_counter counter, unsigned int iterations)
{
    emit_operand(code, DMALP | (unsigned int)counter << 1, iterations - 1);
    return code->length;
}

PART emit_jump_back(struct pl330_code *code, unsigned int opcode, size_t target)
{
    size_t jump = code->length - target;

    if (jump > UINT8_MAX) {
        code->overflow = true;
        return;
    }
    emit_operand(code, opcode, (unsigned int)jump);
}

void pl330_emit_loop_end(struct pl330_code *code, enum pl330_counter counter, enum pl330_if condition,
                         size_t target)
{
    unsigned int uses_lc1 = counter == PL330_LC1 ? LOOP_LC1 : 0;

    emit_jump_back(code, DMALPEND | LOOP_COUNTED | uses_lc1 | (unsigned int)condition, target);
}

/* The counter's bit is set: without it these are the opcodes of DMASTP. */
void pl330_emit_endless_loop_end(struct pl330_code *code, enum pl330_if condition, size_t target)
{
    emit_jump_back(code, DMALPEND | LOOP_LC1 | (unsigned int)condition, target);
}

/* ---- the manager ---- */

void pl330_emit_go(struct pl330_code *code, unsigned int channel, bool nonsecure, uint32_t address)
{
    emit_word(code, DMAGO | (nonsecure ? 1 << 1 : 0), channel, address);
}
