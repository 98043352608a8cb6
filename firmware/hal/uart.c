/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/uart.h"

#include "boot/memlayout.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/mmio.h"

enum { DR = 0x00, FR = 0x18, CR = 0x30, IMSC = 0x38, ICR = 0x44 };
enum { DR_OE = 1 << 11, FR_RXFE = 1 << 4, FR_TXFF = 1 << 5, INT_RX = 1 << 4, CR_ENABLE = 0x301 };
enum { TRANSMIT_POLLS = 1000000 };

static struct uart_line received;
static volatile bool complete; /* `received` is whole and not yet taken */

static void receive_byte(uint32_t data)
{
    received.overrun |= (data & DR_OE) != 0;
    if ((uint8_t)data == '\n') {
        complete = true;
    } else if (received.size < UART_LINE_SIZE) {
        received.text[received.size++] = (char)(uint8_t)data;
    } else {
        received.overrun = true;
    }
}

/* Clear first, drain after: a byte that comes in between raises the interrupt again. */
static void interrupt(void *context)
{
    (void)context;
    mmio_write32(UART_BASE + ICR, INT_RX);
    while (!complete && !(mmio_read32(UART_BASE + FR) & FR_RXFE)) {
        receive_byte(mmio_read32(UART_BASE + DR));
    }
    if (complete) {
        mmio_write32(UART_BASE + IMSC, 0);
    }
}

void uart_initialize(void)
{
    mmio_write32(UART_BASE + CR, CR_ENABLE);
    irq_connect(UART_SPI, interrupt, NULL);
    mmio_write32(UART_BASE + IMSC, INT_RX);
}

void uart_poll(void)
{
    uint64_t state = irq_save();

    interrupt(NULL);
    irq_restore(state);
}

bool uart_take_line(struct uart_line *line)
{
    if (!complete) {
        return false;
    }
    *line = received;
    received.size = 0;
    received.overrun = false;
    complete = false;
    mmio_write32(UART_BASE + IMSC, INT_RX);
    return true;
}

void uart_write(const char *bytes, size_t size)
{
    while (size--) {
        unsigned int polls = TRANSMIT_POLLS;

        while ((mmio_read32(UART_BASE + FR) & FR_TXFF) && --polls) {
        }
        mmio_write32(UART_BASE + DR, (uint8_t)*bytes++);
    }
}
