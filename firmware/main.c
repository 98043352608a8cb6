/* SPDX-License-Identifier: Apache-2.0 */
#include <dma.h>
#include <dmav3_board.h>

#include "boot/memlayout.h"
#include "hal/exception.h"
#include "hal/ident.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "hal/uart.h"
#include "pl330/pl330.h"
#include "rpc/shell.h"

_Static_assert(DMAV3_PL330_BASE == PL330_BASE && DMAV3_BOARD_UART_BASE == BOARD_UART_BASE,
               "drivers and the shim agree on addresses");

int main(void);

static struct pl330 pl330;

static void report_fault(const char *line)
{
    struct frame_text event = {.size = 0};

    frame_append(&event, "!0 ");
    frame_append(&event, line);
    frame_end(&event, true);
    uart_write(event.text, event.size);
}

/* The controller of `virt` as the extension builds it; the two lowest request lines are the stream's. */
static void start_dma(void)
{
    static const struct pl330_config config = {
        .base = PL330_BASE,
        .abort_spi = PL330_ABORT_SPI,
        .first_event_spi = PL330_EVENT_SPI,
        .request_lines = 28,
        .channels = 8,
        .events = 16,
    };
    static const struct dma_peripheral stream[] = {
        {DMAV3_STREAM_RECEIVE_LINE, FALSE, DMAV3_STREAM_DATA},
        {DMAV3_STREAM_TRANSMIT_LINE, TRUE, DMAV3_STREAM_DATA},
    };
    static struct dma_controller controller;

    pl330_describe(&pl330, &config, &controller);
    if ((ident_features() & IDENT_STREAM) != 0) {
        controller.peripherals = stream;
        controller.peripheral_count = sizeof stream / sizeof stream[0];
    }
    if (!dma_initialize(&controller, 1)) {
        exception_panic("no memory for the DMA layer");
    }
}

int main(void)
{
    memory_initialize();
    irq_initialize();
    exception_set_reporter(report_fault);
    uart_initialize();
    start_dma();
    irq_enable();
    rpc_serve();
}
