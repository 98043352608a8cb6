/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unexpected exceptions and failed assertions: each is reported once on the command UART as PROTOCOL.md's
 * `!0 fault`, then the core sleeps for ever. It never hangs silently. A report runs on a stack of its own, so
 * that a stack that is full is one as well.
 */
#ifndef HAL_EXCEPTION_H
#define HAL_EXCEPTION_H

#include <stdint.h>

/* The registers that a64_vectors.S saves, in its order. */
struct exception_frame {
    uint64_t x[31];
    uint64_t elr, spsr, unused;
};
_Static_assert(sizeof(struct exception_frame) == 272, "as the vectors have it");

/* Set the function that reports: it gets a line without its end, such as "fault kind=sync esr=0x...". */
void exception_set_reporter(void (*report)(const char *line));

/* Report an exception. For the vectors. kind: position in the table, 4 of each of sync, irq, fiq, serror. */
_Noreturn void exception_fatal(uint64_t kind, const struct exception_frame *frame);

/* Report an interrupt that has come `times` in a row and stands again, since its handler does not take away the
 * device's reason for it. */
_Noreturn void exception_storm(unsigned int spi, const void *handler, uint32_t times);

/* Report a failed assertion. `why`: a few words. */
_Noreturn void exception_panic(const char *why);

#endif
