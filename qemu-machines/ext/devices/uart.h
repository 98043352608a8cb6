/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command UART: a PL011 to its driver (DR, RSR, FR, CR, IMSC, RIS, MIS, ICR; the rest reads as
 * zero), but line-atomic. It shows received bytes a whole line at a time, when the gate opens, and
 * sends a whole line at a time. So neither side's speed is seen by the other.
 *
 * A line has at most 512 bytes with its LF. Of a longer one the first 513 are kept, the rest up to
 * the LF is dropped, and every byte of it reads with DR.OE (bit 11) set. At reset what was received
 * and not shown is dropped.
 */
#ifndef DMAV3_UART_H
#define DMAV3_UART_H

#include <stdbool.h>

#include "qemu/qemu_abi.h"

struct uart_events {
    void (*received)(void); /* bytes arrived: a line may be complete */
    void (*looked)(void);   /* the guest is about to read a register */
};

/* `irq` is raised while IMSC.RXIM is set and a shown byte waits, or it rings. */
MemoryRegion *uart_initialise(Chardev *, qemu_irq irq, const struct uart_events *, Error **errp);
void uart_reset(void);

/* Send what was written so far, though no LF ended it: a prompt. */
void uart_flush(void);

/* Has a whole line been received that is not shown yet? Raise the interrupt before it is. Show it: there must
 * be one. */
bool uart_line_waits(void);
void uart_ring(void);
void uart_take_line(void);

/* Are there bytes of the line shown that the guest has not read? */
bool uart_is_unread(void);

#endif
