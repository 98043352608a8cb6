/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/board.h"

#include "boot/memlayout.h"
#include "hal/mmio.h"

void board_print(const char *text)
{
    while (*text) {
        mmio_write32(BOARD_UART_BASE, (uint8_t)*text++);
    }
}

void board_print_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        const char digit[] = {"0123456789abcdef"[value >> shift & 15], '\0'};

        board_print(digit);
    }
}

/* PSCI SYSTEM_OFF by HVC (DEN 0022). */
void board_power_off(void)
{
    register uint64_t function __asm__("x0") = 0x84000008;

    __asm__ volatile("hvc #0" : "+r"(function));
}
