/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "boot/memlayout.h"
#include "hal/memory.h"
#include "hal/mmio.h"

int main(void);

static void print(char c)
{
    mmio_write32(BOARD_UART_BASE, (uint8_t)c);
}

/* PSCI SYSTEM_OFF by HVC (DEN 0022). */
static void power_off(void)
{
    register uint64_t function __asm__("x0") = 0x84000008;

    __asm__ volatile("hvc #0" : "+r"(function));
}

int main(void)
{
    uint64_t result;

    print('>');
    memory_initialize();
    result = bench_run();
    for (int shift = 60; shift >= 0; shift -= 4) {
        print("0123456789abcdef"[result >> shift & 15]);
    }
    print('\n');
    power_off();
    return 0;
}
