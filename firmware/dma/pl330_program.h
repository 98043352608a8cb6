/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microcode of the PL330: one function an instruction, and the program of one transfer. Pure.
 *
 * Theory of operation. One side of a transfer is the data register of a device at a fixed address,
 * the other the elements of a list. A *unit* is one access of the device register. For every element
 * the program sets the memory address and the control register and then repeats
 *
 *     DMAWFP S; write: DMALD, DMASTPS / read: DMALDPS, DMAST; DMAWMB
 *
 * once a unit, so that the FIFO is empty before every load: a channel can be held, sliced or
 * cancelled at any unit without a byte in the controller. The device side is always one beat of
 * the device's width (PLB-20, and QEMU's DMASTPS stores whole bursts); the memory side is one beat
 * of the same width, or as many single bytes where the address is not aligned to it.
 *
 * Two counters of 8 bits count to 65,536 units: the *full blocks* of an element, then a smaller
 * nested loop, then a plain loop for the rest.
 */
#ifndef DMA_PL330_PROGRAM_H
#define DMA_PL330_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL330_PROGRAM_FIXED_BYTES = 6 + 4, /* device address; DMAWMB, DMASEV, DMAEND */
    PL330_PROGRAM_ELEMENT_BYTES = 6 + 6 + 14 + 10,
    PL330_PROGRAM_FULL_BLOCK_UNITS = 65536,
    PL330_PROGRAM_FULL_BLOCK_BYTES = 14,
};

enum pl330_move { PL330_SAR, PL330_CCR, PL330_DAR };
enum pl330_counter { PL330_LC0, PL330_LC1 };

/* Code under construction. `overflow`: an instruction did not fit; the code must not be run. */
struct pl330_code {
    uint8_t *bytes;
    size_t capacity;
    size_t length;
    bool overflow;
};

void pl330_emit_end(struct pl330_code *code);
void pl330_emit_load(struct pl330_code *code);
void pl330_emit_store(struct pl330_code *code);
void pl330_emit_load_peripheral_single(struct pl330_code *code, unsigned int peripheral);
void pl330_emit_store_peripheral_single(struct pl330_code *code, unsigned int peripheral);
void pl330_emit_wait_peripheral_single(struct pl330_code *code, unsigned int peripheral);
void pl330_emit_write_barrier(struct pl330_code *code);
void pl330_emit_send_event(struct pl330_code *code, unsigned int event);
void pl330_emit_move(struct pl330_code *code, enum pl330_move target, uint32_t value);

/* `iterations` 1 to 256. Returns the offset of the body, for pl330_emit_loop_end(). */
size_t pl330_emit_loop(struct pl330_code *code, enum pl330_counter counter, unsigned int iterations);
void pl330_emit_loop_end(struct pl330_code *code, enum pl330_counter counter, size_t body);

struct pl330_element {
    uint32_t address;
    uint32_t length; /* bytes, a multiple of the width */
};

struct pl330_transfer {
    uint32_t device_address;
    unsigned int width_log2; /* of the device register: 0 to 3 */
    bool write;              /* memory to device */
    bool nonsecure;          /* the channel's state: the accesses must match it */
    unsigned int peripheral; /* request line of this controller */
    unsigned int event;      /* raised at the end */
    const struct pl330_element *elements;
    uint32_t element_count;
};

/* Control register for an element at `address`. */
uint32_t pl330_control(const struct pl330_transfer *transfer, uint32_t address);

/* The whole program. element_starts[i] receives the offset of the code of element i. False, and the code
 * unusable, if it does not fit. */
bool pl330_emit_transfer(struct pl330_code *code, const struct pl330_transfer *transfer,
                         uint16_t *element_starts);

#endif
