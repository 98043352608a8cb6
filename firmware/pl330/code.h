/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction set of the PL330 (DDI 0424, 4.3): one function for each instruction. Pure.
 *
 * Events and peripherals are 0 to 31. DMALPFE is not an instruction; the end of an endless loop encodes it.
 */
#ifndef PL330_CODE_H
#define PL330_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values are the instructions' fields. */
enum pl330_if { PL330_ALWAYS = 0, PL330_IF_SINGLE = 1, PL330_IF_BURST = 3 };
enum pl330_request { PL330_SINGLE, PL330_PERIPHERAL, PL330_BURST };
enum pl330_register { PL330_SAR, PL330_CCR, PL330_DAR, PL330_NO_REGISTER = 7 };
enum pl330_counter { PL330_LC0, PL330_LC1 };

/* Code under construction. `overflow`: an instruction did not fit; the code must not be run. */
struct pl330_code {
    uint8_t *bytes;
    size_t capacity;
    size_t length;
    bool overflow;
};

/* Which call emitted the instruction at an address: the harness says it in what it finds in a program. An entry
 * is found by the address's lowest bits; of two addresses the later has it. */
enum { PL330_EMITTERS = 1024 };
struct pl330_emitter {
    uint32_t instruction, caller; /* its address, the call's return address */
};
extern struct pl330_emitter pl330_emitters[PL330_EMITTERS];

void pl330_emit_end(struct pl330_code *code);
void pl330_emit_kill(struct pl330_code *code);
void pl330_emit_nop(struct pl330_code *code);
/* An instruction that no PL330 knows: the thread faults (undef_instr). */
void pl330_emit_undefined(struct pl330_code *code);

/* DMALD, DMAST with S or B: nothing is done unless the last DMAWFP recorded that request. S moves one beat. */
void pl330_emit_load(struct pl330_code *code, enum pl330_if condition);
void pl330_emit_store(struct pl330_code *code, enum pl330_if condition);
void pl330_emit_store_zeroes(struct pl330_code *code);
/* DMALDP, DMASTP: acknowledge to the peripheral as well. Always S or B. */
void pl330_emit_load_peripheral(struct pl330_code *code, enum pl330_if condition, unsigned int peripheral);
void pl330_emit_store_peripheral(struct pl330_code *code, enum pl330_if condition, unsigned int peripheral);

void pl330_emit_read_barrier(struct pl330_code *code);
void pl330_emit_write_barrier(struct pl330_code *code);

void pl330_emit_wait_peripheral(struct pl330_code *code, enum pl330_request request, unsigned int peripheral);
void pl330_emit_flush_peripheral(struct pl330_code *code, unsigned int peripheral);
void pl330_emit_send_event(struct pl330_code *code, unsigned int event);
void pl330_emit_wait_event(struct pl330_code *code, unsigned int event, bool invalidate_cache);

void pl330_emit_move(struct pl330_code *code, enum pl330_register target, uint32_t value);
/* DMAADDH adds 0 to 65,535, DMAADNH subtracts 1 to 65,536. */
void pl330_emit_add(struct pl330_code *code, enum pl330_register target, unsigned int bytes);
void pl330_emit_subtract(struct pl330_code *code, enum pl330_register target, unsigned int bytes);

/* DMALP: `iterations` 1 to 256. Returns the offset of the body. */
size_t pl330_emit_loop(struct pl330_code *code, enum pl330_counter counter, unsigned int iterations);
/* DMALPEND: back to `target`, at most 255 bytes, while the counter is not 0; it is then one less. */
void pl330_emit_loop_end(struct pl330_code *code, enum pl330_counter counter, enum pl330_if condition,
                         size_t target);
void pl330_emit_endless_loop_end(struct pl330_code *code, enum pl330_if condition, size_t target);

/* For the manager. */
void pl330_emit_go(struct pl330_code *code, unsigned int channel, bool nonsecure, uint32_t address);

#endif
