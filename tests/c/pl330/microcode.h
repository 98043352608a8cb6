/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PL330 channel that executes programs as DDI 0424 says (not as QEMU does), and shows every byte that
 * it moves. Loads and stores are done at once. What no program of the back end may do ends the test.
 */
#ifndef MICROCODE_H
#define MICROCODE_H

#include "pl330/code.h"

enum { MICROCODE_FIFO = 256 };

enum microcode_stop {
    MICROCODE_WAITS, /* for a request of `wanted`; microcode_ask() gives it one */
    MICROCODE_EVENT, /* `event` has been raised */
    MICROCODE_END,
    MICROCODE_FAULT,
};

struct microcode_byte {
    uint32_t from, to;               /* addresses */
    unsigned int from_log2, to_log2; /* of the bytes of the beats that moved it */
};

struct microcode {
    const uint8_t *code;
    size_t size;
    void (*before)(void *opaque); /* each instruction; may be NULL */
    void (*moved)(void *opaque, const struct microcode_byte *byte);
    void *opaque;

    size_t pc;
    uint32_t registers[3]; /* by enum pl330_register */
    unsigned int lc[2];
    enum pl330_request wanted, asked; /* by DMAWFP; by the device: PL330_SINGLE or PL330_BURST */
    unsigned int peripheral, event;
    unsigned int flushes;     /* DMAFLUSHP */
    unsigned int loaded_most; /* bytes in the FIFO */
    uint64_t acknowledged;    /* DMALDP and DMASTP that were executed */

    bool waiting;
    bool unordered; /* stored, and no DMAWMB since */
    unsigned int fill;
    struct microcode_byte fifo[MICROCODE_FIFO];
};

/* Go on to the next stop; for ever if there is none. Unless it faults the FIFO is empty then,
 * and what was stored has arrived. */
enum microcode_stop microcode_run(struct microcode *channel);

/* The device makes the request that the channel waits for. */
void microcode_ask(struct microcode *channel, enum pl330_request request);

#endif
