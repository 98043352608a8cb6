/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one instruction does to a channel of the PL330, as QEMU's model has it (which is not always as
 * DDI 0424 has it: DMASTPS stores a whole burst, P requests count as bursts, an unaligned DMASTZ goes
 * too far). Plain C, no QEMU.
 */
#ifndef DMAV3_PL330_THREAD_H
#define DMAV3_PL330_THREAD_H

#include <stdbool.h>
#include <stdint.h>

enum { PL330_CODE_MAX = 6 }; /* bytes of the longest instruction */

/* The type of request: the lower two bits of DMAWFP. The DMAWFP that was executed last decides whether
 * conditional instructions are carried out. */
enum pl330_request { REQUEST_SINGLE, REQUEST_PERIPHERAL, REQUEST_BURST };

struct pl330_thread {
    uint32_t source, target, control; /* SAR, DAR, CCR */
    enum pl330_request request;       /* QEMU never resets it */
    uint64_t loaded, stored, zeroed;  /* bytes since DMAGO; `zeroed` by DMASTZ */
    uint64_t bursts;                  /* loads and DMASTZ since DMAGO */
};

/* Has everything that was loaded been stored? If not, the rest is in the FIFO, or queued for it. */
static inline bool pl330_thread_is_empty(const struct pl330_thread *channel)
{
    return channel->loaded == channel->stored;
}

/* Bytes that the program has moved. */
static inline uint64_t pl330_thread_bytes(const struct pl330_thread *channel)
{
    return channel->loaded + channel->zeroed;
}

struct pl330_access {
    enum { ACCESS_NONE, ACCESS_LOAD, ACCESS_STORE, ACCESS_ZERO } kind;
    uint32_t address, bytes; /* moved */
    uint32_t span;           /* from the first to the last byte touched */
    uint32_t advance;        /* of the address register */
};

/* In bytes. */
unsigned int pl330_instruction_length(uint8_t opcode);

/* Is it DMALPEND, in any of its forms? Only that may be executed twice in a row. */
bool pl330_is_loop_end(uint8_t opcode);

/* Is it DMAEND, or DMAKILL, which QEMU executes in a program too? */
bool pl330_is_end(uint8_t opcode);

/* Is it DMAWFP or DMAWFE, where a program may stay for ever? */
bool pl330_waits(uint8_t opcode);

/* Would `opcode` begin a burst now: a load, or a store of zeroes? */
bool pl330_begins_burst(const struct pl330_thread *channel, uint8_t opcode);

/* The access that `opcode` would make now. */
struct pl330_access pl330_access(const struct pl330_thread *channel, uint8_t opcode);

/* Execute an instruction, as far as registers and counts are concerned. */
void pl330_execute(struct pl330_thread *channel, const uint8_t code[PL330_CODE_MAX]);

/* Execute DMAGO: counts are 0. QEMU leaves registers and the type of request as they are. */
void pl330_go(struct pl330_thread *channel);

#endif
