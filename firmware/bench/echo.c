/* SPDX-License-Identifier: Apache-2.0 */
/* Sends every line of the command UART back: what a round trip costs without a shell. */
#include "bench/bench.h"

#include "hal/cpu.h"
#include "hal/ident.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/uart.h"

uint64_t bench_run(void)
{
    static struct uart_line line;

    irq_initialize();
    uart_initialize();
    irq_enable();
    for (;;) {
        uint64_t state = irq_save();

        uart_poll();
        if (uart_take_line(&line)) {
            uart_write(line.text, line.size);
            uart_write("\n", 1);
        } else {
            ident_ready();
            cpu_sleep();
        }
        irq_restore(state);
    }
}
