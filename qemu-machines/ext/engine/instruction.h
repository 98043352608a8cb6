/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction set of the PL330 (DDI 0424, 4.3) as one table, by which the engine decodes and executes, the
 * trace knows how long an instruction is, and tests know what there is. Plain C, no QEMU.
 */
#ifndef DMAV3_ENGINE_INSTRUCTION_H
#define DMAV3_ENGINE_INSTRUCTION_H

#include <stdint.h>

enum { INSTRUCTION_BYTES_MAX = 6 };

/* What an instruction does; 0 of a row of the table says that there is none. */
enum instruction_operation {
    OPERATION_NONE,
    OPERATION_END,
    OPERATION_KILL,
    OPERATION_NOP,
    OPERATION_LOAD,
    OPERATION_STORE,
    OPERATION_STORE_ZEROES,
    OPERATION_READ_BARRIER,
    OPERATION_WRITE_BARRIER,
    OPERATION_LOOP,
    OPERATION_LOOP_END,
    OPERATION_ENDLESS_LOOP_END,
    OPERATION_WAIT_PERIPHERAL,
    OPERATION_FLUSH_PERIPHERAL,
    OPERATION_SEND_EVENT,
    OPERATION_WAIT_EVENT,
    OPERATION_MOVE,
    OPERATION_ADD,
    OPERATION_GO,
    OPERATIONS,
};

/* What is behind the opcode. */
enum instruction_operand {
    OPERAND_NONE,
    OPERAND_COUNT,      /* byte: iterations less one */
    OPERAND_JUMP,       /* byte: how far back */
    OPERAND_PERIPHERAL, /* byte: its number << 3 */
    OPERAND_EVENT,      /* byte: its number << 3 */
    OPERAND_WAIT,       /* byte: the number of an event << 3, and 2: invalidate the instruction cache */
    OPERAND_HALF,       /* two bytes: what is added */
    OPERAND_REGISTER,   /* a byte for the register (enum instruction_register), and four for its value */
    OPERAND_CHANNEL,    /* a byte for the channel, and four for its first address */
};

enum instruction_register { REGISTER_SAR, REGISTER_CCR, REGISTER_DAR };

/* Who may execute it: bits. The debug interface takes what has THREAD_DEBUG, for either kind of thread. */
enum instruction_thread { THREAD_MANAGER = 1, THREAD_CHANNEL = 2, THREAD_DEBUG = 4 };

/* The suffix. S and B: it is executed if the last request was a single one, or a burst; else it does nothing.
 */
enum instruction_condition { CONDITION_NONE, CONDITION_SINGLE, CONDITION_BURST };

/* `select`: loop counter 0 or 1; for DMAWFP enum instruction_wait; for DMAADDH and DMAADNH the register; for
 * DMAGO 1 if the channel will be non-secure. */
enum instruction_wait { WAIT_SINGLE, WAIT_PERIPHERAL, WAIT_BURST };

struct instruction {
    const char *name;
    uint8_t operation; /* enum instruction_operation */
    uint8_t length;    /* bytes */
    uint8_t operand;   /* enum instruction_operand */
    uint8_t threads;   /* bits of enum instruction_thread */
    uint8_t cycles;    /* until its thread may issue the next */
    uint8_t condition; /* enum instruction_condition */
    uint8_t select;
};

/* By opcode. */
extern const struct instruction instructions[256];

/* The 16 or 32 bits behind the opcode, or behind the byte behind the opcode. */
uint32_t instruction_half(const uint8_t *code);
uint32_t instruction_word(const uint8_t *code);

#endif
