/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/pl330_program.h"

/* ---- instructions ---- */

enum opcode {
    DMAEND = 0x00,
    DMALD = 0x04,
    DMAST = 0x08,
    DMAWMB = 0x13,
    DMALP = 0x20, /* | counter << 1 */
    DMALDPS = 0x25,
    DMASTPS = 0x29,
    DMAWFP_S = 0x30,
    DMASEV = 0x34,
    DMALPEND = 0x38, /* | counter << 2 */
    DMAMOV = 0xBC,
};

/* All of an instruction or nothing of it. */
static void emit(struct pl330_code *code, const uint8_t *bytes, size_t length)
{
    if (code->overflow || length > code->capacity - code->length) {
        code->overflow = true;
        return;
    }
    for (size_t i = 0; i < length; i++) {
        code->bytes[code->length + i] = bytes[i];
    }
    code->length += length;
}

static void emit_plain(struct pl330_code *code, enum opcode opcode)
{
    const uint8_t bytes[] = {(uint8_t)opcode};

    emit(code, bytes, sizeof bytes);
}

static void emit_operand(struct pl330_code *code, unsigned int opcode, unsigned int operand)
{
    const uint8_t bytes[] = {(uint8_t)opcode, (uint8_t)operand};

    emit(code, bytes, sizeof bytes);
}

/* Numbers of events and peripherals stand in the upper five bits. */
static void emit_numbered(struct pl330_code *code, enum opcode opcode, unsigned int number)
{
    emit_operand(code, opcode, number << 3);
}

void pl330_emit_end(struct pl330_code *code)
{
    emit_plain(code, DMAEND);
}

void pl330_emit_load(struct pl330_code *code)
{
    emit_plain(code, DMALD);
}

void pl330_emit_store(struct pl330_code *code)
{
    emit_plain(code, DMAST);
}

void pl330_emit_load_peripheral_single(struct pl330_code *code, unsigned int peripheral)
{
    emit_numbered(code, DMALDPS, peripheral);
}

void pl330_emit_store_peripheral_single(struct pl330_code *code, unsigned int peripheral)
{
    emit_numbered(code, DMASTPS, peripheral);
}

void pl330_emit_wait_peripheral_single(struct pl330_code *code, unsigned int peripheral)
{
    emit_numbered(code, DMAWFP_S, peripheral);
}

void pl330_emit_write_barrier(struct pl330_code *code)
{
    emit_plain(code, DMAWMB);
}

void pl330_emit_send_event(struct pl330_code *code, unsigned int event)
{
    emit_numbered(code, DMASEV, event);
}

void pl330_emit_move(struct pl330_code *code, enum pl330_move target, uint32_t value)
{
    const uint8_t bytes[] = {
        DMAMOV,
        (uint8_t)target,
        (uint8_t)value,
        (uint8_t)(value >> 8),
        (uint8_t)(value >> 16),
        (uint8_t)(value >> 24),
    };

    emit(code, bytes, sizeof bytes);
}

size_t pl330_emit_loop(struct pl330_code *code, enum pl330_counter counter, unsigned int iterations)
{
    emit_operand(code, DMALP | (unsigned int)counter << 1, iterations - 1);
    return code->length;
}

void pl330_emit_loop_end(struct pl330_code *code, enum pl330_counter counter, size_t body)
{
    size_t jump = code->length - body;

    if (jump > UINT8_MAX) {
        code->overflow = true;
        return;
    }
    emit_operand(code, DMALPEND | (unsigned int)counter << 2, (unsigned int)jump);
}

/* ---- the control register ---- */

enum {
    CCR_SRC_INC = 1 << 0,
    CCR_SRC_SIZE_SHIFT = 1,
    CCR_SRC_LEN_SHIFT = 4,
    CCR_DST_SHIFT = 14, /* the same fields of the destination */
    CCR_NONSECURE = 0x00800200,
};

static uint32_t memory_side(unsigned int width_log2, uint32_t address)
{
    uint32_t width = UINT32_C(1) << width_log2;

    if (address % width != 0) { /* bytes, as many as the device takes at once */
        return CCR_SRC_INC | (width - 1) << CCR_SRC_LEN_SHIFT;
    }
    return CCR_SRC_INC | width_log2 << CCR_SRC_SIZE_SHIFT;
}

uint32_t pl330_control(const struct pl330_transfer *transfer, uint32_t address)
{
    uint32_t memory = memory_side(transfer->width_log2, address);
    uint32_t device = transfer->width_log2 << CCR_SRC_SIZE_SHIFT;
    uint32_t both = transfer->write ? memory | device << CCR_DST_SHIFT : device | memory << CCR_DST_SHIFT;

    return both | (transfer->nonsecure ? CCR_NONSECURE : 0);
}

/* ---- the program ---- */

static void emit_unit(struct pl330_code *code, const struct pl330_transfer *transfer)
{
    pl330_emit_wait_peripheral_single(code, transfer->peripheral);
    if (transfer->write) {
        pl330_emit_load(code);
        pl330_emit_store_peripheral_single(code, transfer->peripheral);
    } else {
        pl330_emit_load_peripheral_single(code, transfer->peripheral);
        pl330_emit_store(code);
    }
    pl330_emit_write_barrier(code);
}

static void emit_loop_of_units(struct pl330_code *code, const struct pl330_transfer *transfer,
                               unsigned int count)
{
    size_t body = pl330_emit_loop(code, PL330_LC0, count);

    emit_unit(code, transfer);
    pl330_emit_loop_end(code, PL330_LC0, body);
}

/* `rounds` times 256 units. */
static void emit_nested_loop(struct pl330_code *code, const struct pl330_transfer *transfer,
                             unsigned int rounds)
{
    size_t body = pl330_emit_loop(code, PL330_LC1, rounds);

    emit_loop_of_units(code, transfer, 256);
    pl330_emit_loop_end(code, PL330_LC1, body);
}

static void emit_units(struct pl330_code *code, const struct pl330_transfer *transfer, uint32_t units)
{
    for (; units >= PL330_PROGRAM_FULL_BLOCK_UNITS && !code->overflow;
         units -= PL330_PROGRAM_FULL_BLOCK_UNITS) {
        emit_nested_loop(code, transfer, 256);
    }
    if (units >= 256) {
        emit_nested_loop(code, transfer, units / 256);
    }
    if (units % 256 != 0) {
        emit_loop_of_units(code, transfer, units % 256);
    }
}

static void emit_element(struct pl330_code *code, const struct pl330_transfer *transfer,
                         const struct pl330_element *element)
{
    pl330_emit_move(code, transfer->write ? PL330_SAR : PL330_DAR, element->address);
    pl330_emit_move(code, PL330_CCR, pl330_control(transfer, element->address));
    emit_units(code, transfer, element->length >> transfer->width_log2);
}

bool pl330_emit_transfer(struct pl330_code *code, const struct pl330_transfer *transfer,
                         uint16_t *element_starts)
{
    pl330_emit_move(code, transfer->write ? PL330_DAR : PL330_SAR, transfer->device_address);
    for (uint32_t i = 0; i < transfer->element_count; i++) {
        element_starts[i] = (uint16_t)code->length;
        emit_element(code, transfer, &transfer->elements[i]);
    }
    pl330_emit_write_barrier(code);
    pl330_emit_send_event(code, transfer->event);
    pl330_emit_end(code);
    return !code->overflow;
}
