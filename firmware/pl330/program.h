/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the program of one transfer, and says how far a channel is in it. Pure.
 *
 * Theory of operation. One side of a transfer is a device, at a fixed address (a data register) or at one
 * that advances with the data; the other the elements of a list. A *unit* is what the device moves for
 * one request: one beat of its width, or a burst of them. For every element the program sets the memory
 * address, and then for units of one kind the control register and a loop of
 *
 *     DMAWFP; write: DMALD..., DMASTP / read: DMALDP, DMAST...; DMAWMB
 *
 * so that the FIFO is empty between units, and address registers and memory agree. Inside of a unit the
 * address is ahead: code and registers say by how much, so that what counts as done are whole units whose
 * stores have arrived. The device side is always one burst of whole
 * beats (PLB-20); the memory side has as many beats as fill it, narrower ones where the address is not
 * aligned, in several bursts where they are more than 16. The bytes that do not fill a burst come as single
 * requests.
 *
 * If the peripheral decides, DMAWFP takes either request and a unit is one burst or as many singles; a
 * device must not mix them within a unit. Only beats of the full width at aligned addresses; the others come as
 * single requests.
 *
 * Counters are of 8 bits. Two of them count to 65,536 units, then there is another loop. If the peripheral
 * decides, one counts its singles, so that there are only 256 units a loop.
 *
 * An endless program jumps back at the end of each round. A jump is of 255 bytes at most, so there are
 * *hops* in longer ones: loop ends of LC1, which is 0 when a round comes by them, and counts them on the way
 * back.
 */
#ifndef PL330_PROGRAM_H
#define PL330_PROGRAM_H

#include "pl330/code.h"

enum {
    PL330_BEATS_MAX = 16,
    PL330_ELEMENTS_MAX = 64,
    PL330_FULL_LOOP_UNITS = 65536,
    PL330_FULL_LOOPS_MAX = 128,

    /* The most that a program needs, except one with notices or one where the peripheral decides (PLB-05). */
    PL330_UNIT_BYTES = 2 + 8 + 2 + 1,
    PL330_LOOP_BYTES = 2 + 2 + PL330_UNIT_BYTES + 2 + 2,
    PL330_RUN_BYTES = 6 + 2 * PL330_LOOP_BYTES,
    PL330_ELEMENT_BYTES = 6 + 3 * PL330_RUN_BYTES,
    PL330_FIXED_BYTES = 2 + 6 + 10,
};

struct pl330_element {
    uint32_t address;
    uint32_t length; /* bytes, a multiple of the width */
};

enum pl330_ending {
    PL330_ENDS_WELL,
    PL330_ENDS_UNDEFINED, /* with an undefined instruction */
    PL330_ENDS_OPERAND,   /* with an operand that cannot be */
    PL330_ENDS_LOCKED_UP, /* with a full FIFO */
};

struct pl330_transfer {
    uint32_t device_address;
    bool device_advances;       /* it advances with the data (PLB-17) */
    unsigned int width_log2;    /* of the device's beats, 0 to 3; if it advances, of the widest allowed */
    unsigned int beats;         /* of a burst, 1 to 16 */
    enum pl330_request request; /* of units; PL330_SINGLE: of one beat, whatever `beats` is */
    bool write;                 /* memory to device */
    bool loop;                  /* round and round, until the channel is killed */
    uint32_t notice_bytes;      /* of a loop: an event whenever so many are done in a round; 0: only then */
    bool nonsecure;             /* the channel's state: the accesses must match it */
    unsigned int peripheral;    /* request line of this controller */
    unsigned int event;         /* raised at the end, or of each round */
    enum pl330_ending ending;
};

struct pl330_program {
    /* The caller's: memory and capacity of the code, and the list. */
    struct pl330_code code;
    uint32_t element_count;
    struct pl330_element elements[PL330_ELEMENTS_MAX];

    bool loop, write;
    uint32_t notice_bytes;               /* UINT32_MAX: there are no notices in a round */
    uint32_t total;                      /* bytes, of a round */
    uint16_t starts[PL330_ELEMENTS_MAX]; /* code_offset at which each element begins */
    size_t ending;                       /* ... and what follows the last */
};

/* Make the program. False, and the code must not be run: it does not fit, or the address of the device, a
 * length or the bytes of a notice are no multiple of the width. */
bool pl330_program_make(struct pl330_program *program, const struct pl330_transfer *transfer);

/* Where a channel is. */
struct pl330_position {
    uint32_t code_offset; /* bytes of the code before the next instruction */
    uint32_t address;     /* the memory side's, SAR or DAR */
    uint32_t control;     /* CCR */
    uint32_t lc1;
};

/* Bytes left of the transfer, or of a loop's round. In a loop it is never 0, since there the next round begins.
 * What counts as done are units whose stores are known to have arrived (PLB-15): for a channel in the middle of
 * one, the units before it. */
uint32_t pl330_program_left(const struct pl330_program *program, const struct pl330_position *position);

/* Does the channel wait there for stores to arrive, so that it cannot be known whether they have? */
bool pl330_program_stores_at(const struct pl330_program *program, uint32_t code_offset);

#endif
