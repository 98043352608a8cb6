/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board's own UART and its power switch, for images without a shell. Every `virt` board has them.
 */
#ifndef HAL_BOARD_H
#define HAL_BOARD_H

#include <stdint.h>

void board_print(const char *text);
void board_print_hex(uint64_t value); /* 16 digits */

/* The emulator ends; on a board that cannot be switched off, returns. */
void board_power_off(void);

#endif
