/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream device, a peripheral such as a codec or an SPI block. It has a data register with a FIFO in each
 * direction, and a request line of the PL330 for each. At its other end are two rings in memory that is shared
 * with the host.
 *
 * offset  access        name
 * 0x00    RW 8 to 64    DR  a write enters the transmit FIFO, a read leaves the receive FIFO;
 *                           an access of w bits moves w / 8 bytes, little-endian
 * 0x04    RW 32         SR  1 room for a frame to transmit, 2 a received frame waits,
 *                           4 overrun (a write without room, dropped), 8 underrun (a read without
 *                           data, zeroes); 4 and 8 stay until 1 is written to them
 * 0x08    RW 32         CR  1 transmit requests enabled, 2 receive requests enabled,
 *                           bits 5:4 log2 of the bytes of a frame,
 *                           bits 11:8 the frames that a request asks for (a burst), less 1
 * 0x0c    RW 32         IER which bits of ISR interrupt the CPU; none at reset
 * 0x10    RW 32         ISR what has been true of SR since it was acknowledged, by the bits of SR; 1
 *                           written to a bit acknowledges it, of 4 and 8 in SR too
 *
 * The interrupt is a level: it stands while a bit is set in both IER and ISR. A bit of ISR that is acknowledged
 * while SR still has it stays.
 *
 * A request is there while its FIFO has room for so many frames (transmit) or holds them (receive) and its
 * requests are enabled; at reset they are not. It is a burst, or what one takes of it as singles.
 *
 * Frames move between FIFO and ring one every word-interval-ns of model time in each direction, or
 * at once if that is 0. A full or an empty ring lets the FIFO fill or run dry, and that stalls the
 * request line. What the host writes to its ends of the rings is seen when the gate opens.
 */
#ifndef DMAV3_STREAM_H
#define DMAV3_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

enum { STREAM_FIFO_DEPTH_MAX = 256, STREAM_FIFO_DEPTH = 16 };

enum stream_line { STREAM_RECEIVE, STREAM_TRANSMIT };

/* The controller that serves the requests. */
struct stream_server {
    /* The line asks now, or does not; it may have been so before. */
    void (*request)(enum stream_line line, bool asks);
    /* Something other than the controller is about to change the FIFOs: let what should have happened before
     * happen. */
    void (*catch_up)(void);
    /* Drive the stream's interrupt, at once or as soon as the CPU may be interrupted. */
    void (*interrupt)(bool level);
};

/* An access to its registers, naturally aligned. */
void stream_access(uint64_t offset, void *data, unsigned int size, bool is_write);

/* fd: of the rings' file, whose size is one page and twice a power of two. NULL with *errp set. */
MemoryRegion *stream_initialise(int fd, const struct stream_server *server, Error **errp);

/* For a controller that runs behind the CPU: the model time at which the next frames move, if that is not after
 * `until_ns`, else UINT64_MAX; and have them move now. */
uint64_t stream_due(uint64_t until_ns);
void stream_move(void);
void stream_reset(void);
void stream_gate_opened(void);

/* Properties; depths are in frames and can only change while both FIFOs are empty. */
uint64_t stream_word_interval_ns(void);
bool stream_set_word_interval_ns(uint64_t, Error **errp);
uint64_t stream_rx_fifo_depth(void);
bool stream_set_rx_fifo_depth(uint64_t, Error **errp);
uint64_t stream_tx_fifo_depth(void);
bool stream_set_tx_fifo_depth(uint64_t, Error **errp);
uint64_t stream_overruns(void);
uint64_t stream_underruns(void);

#endif
