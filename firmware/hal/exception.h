/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions that nobody expects, and failed assertions: reported once on the command UART as
 * PROTOCOL.md's `!0 fault`, then the core sleeps for ever. Never a silent hang.
 */
#ifndef HAL_EXCEPTION_H
#define HAL_EXCEPTION_H

#include <stdint.h>

/* As the vectors in boot/a64_start.S lay it out. */
struct exception_frame {
    uint64_t x[31];
    uint64_t elr, spsr, unused;
};
_Static_assert(sizeof(struct exception_frame) == 272, "as the vectors have it");

/* The reporter: gets a line without its end, such as "fault kind=sync esr=0x...". */
void exception_set_reporter(void (*report)(const char *line));

/* For the vectors. kind: position in the table, 4 of each of sync, irq, fiq, serror. */
_Noreturn void exception_fatal(uint64_t kind, const struct exception_frame *frame);
void irq_dispatch(uint64_t kind, struct exception_frame *frame);

/* `why`: a few words. */
_Noreturn void exception_panic(const char *why);

#endif
