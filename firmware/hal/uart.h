/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command UART: PL011 registers (DDI 0183), received by interrupt, sent by polling.
 */
#ifndef HAL_UART_H
#define HAL_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UART_LINE_SIZE = 516 };

struct uart_line {
    size_t size;  /* without its LF */
    bool overrun; /* it was longer than the channel keeps; the rest is lost */
    char text[UART_LINE_SIZE];
};

void uart_initialize(void);

/* Take what has arrived, also while interrupts are masked. */
void uart_poll(void);

/* Is a whole line there? Then copy it to *line and make room for the next. */
bool uart_take_line(struct uart_line *line);

void uart_write(const char *bytes, size_t size);

#endif
