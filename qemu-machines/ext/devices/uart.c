/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/uart.h"

#include <string.h>

/* PL011 (DDI 0183) registers and bits. */
enum {
    DR = 0x00,
    RSR = 0x04,
    FR = 0x18,
    CR = 0x30,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
    PERIPHERAL_ID = 0xfe0,
    UART_SIZE = 0x1000,
};
enum { DR_OE = 1 << 11, FR_RXFE = 1 << 4, FR_TXFE = 1 << 7, INT_RX = 1 << 4 };
enum uart_most { LINE_KEPT = 513, PENDING = 4096, TRANSMIT = 1024 };

static struct {
    QemuCharBackend backend;
    qemu_irq irq;
    const struct uart_events *events;
    bool ringing;
    uint32_t imsc, cr;
    /* Received and not shown: complete lines, and behind them at most one that is not. */
    uint8_t pending[PENDING];
    int pending_size, line_size /* of the last, incomplete one */;
    uint8_t shown[LINE_KEPT + 1];
    int shown_size, shown_next;
    bool shown_overrun;
    uint8_t transmit[TRANSMIT];
    int transmit_size;
} uart;

static void update_irq(void)
{
    qemu.qemu_set_irq(uart.irq, (uart_is_unread() || uart.ringing) && (uart.imsc & INT_RX));
}

/* ---- host side ---- */

static int can_receive(void *opaque)
{
    (void)opaque;
    return PENDING - uart.pending_size;
}

static void receive_byte(uint8_t byte)
{
    /* Bytes past what is kept are dropped here, so that a line always fits. */
    if (byte != '\n' && uart.line_size >= LINE_KEPT) {
        return;
    }
    uart.pending[uart.pending_size++] = byte;
    uart.line_size = byte == '\n' ? 0 : uart.line_size + 1;
}

static void receive(void *opaque, const uint8_t *bytes, int size)
{
    (void)opaque;
    for (int i = 0; i < size; i++) {
        receive_byte(bytes[i]);
    }
    uart.events->received();
}

static void event(void *opaque, int kind)
{
    (void)opaque;
    (void)kind;
}

bool uart_line_waits(void)
{
    return memchr(uart.pending, '\n', (size_t)uart.pending_size) != NULL;
}

void uart_ring(void)
{
    uart.ringing = true;
    update_irq();
}

void uart_take_line(void)
{
    const uint8_t *end = memchr(uart.pending, '\n', (size_t)uart.pending_size);
    int size = (int)(end - uart.pending) + 1;

    memcpy(uart.shown, uart.pending, (size_t)size);
    uart.shown_size = size;
    uart.shown_next = 0;
    uart.shown_overrun = size > LINE_KEPT - 1;
    uart.ringing = false;
    uart.pending_size -= size;
    memmove(uart.pending, end + 1, (size_t)uart.pending_size);
    update_irq();
    qemu.qemu_chr_fe_accept_input(&uart.backend);
}

bool uart_is_unread(void)
{
    return uart.shown_next < uart.shown_size;
}

void uart_flush(void)
{
    if (uart.transmit_size) {
        qemu.qemu_chr_fe_write_all(&uart.backend, uart.transmit, uart.transmit_size);
        uart.transmit_size = 0;
    }
}

/* ---- guest side ---- */

static uint32_t read_data(void)
{
    uint32_t value = 0;

    if (uart.shown_next < uart.shown_size) {
        value = uart.shown[uart.shown_next++] | (uart.shown_overrun ? DR_OE : 0);
        update_irq();
    }
    return value;
}

static uint64_t uart_read(void *opaque, hwaddr offset, unsigned int size)
{
    static const uint8_t id[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    bool waiting;

    (void)opaque;
    (void)size;
    uart.events->looked();
    waiting = uart_is_unread();
    switch (offset) {
    case DR:
        return read_data();
    case FR:
        return FR_TXFE | (waiting ? 0 : FR_RXFE);
    case CR:
        return uart.cr;
    case IMSC:
        return uart.imsc;
    case RIS:
        return waiting ? INT_RX : 0;
    case MIS:
        return waiting ? INT_RX & uart.imsc : 0;
    default:
        return offset >= PERIPHERAL_ID ? id[(offset - PERIPHERAL_ID) / 4] : 0;
    }
}

static void uart_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    (void)size;
    switch (offset) {
    case DR:
        uart.transmit[uart.transmit_size++] = (uint8_t)value;
        if ((uint8_t)value == '\n' || uart.transmit_size == TRANSMIT) {
            uart_flush();
        }
        break;
    case CR:
        uart.cr = (uint32_t)value;
        break;
    case IMSC:
        uart.imsc = (uint32_t)value;
        update_irq();
        break;
    default:
        break;
    }
}

static const MemoryRegionOps uart_ops = {
    .read = uart_read,
    .write = uart_write,
    .endianness = 2,
    .valid = {1, 4, false, NULL},
    .impl = {1, 4, false},
};

MemoryRegion *uart_initialise(Chardev *chardev, qemu_irq irq, const struct uart_events *events, Error **errp)
{
    static QemuRegion registers;

    if (!qemu.qemu_chr_fe_init(&uart.backend, chardev, errp)) {
        return NULL;
    }
    uart.irq = irq;
    uart.events = events;
    qemu.qemu_chr_fe_set_handlers(&uart.backend, can_receive, receive, event, NULL, NULL, NULL, true);
    qemu.memory_region_init_io(region(&registers), NULL, &uart_ops, NULL, "dmav3-uart", UART_SIZE);
    return region(&registers);
}

void uart_reset(void)
{
    uart.imsc = uart.cr = 0;
    uart.ringing = false;
    uart.pending_size = uart.line_size = 0;
    uart.shown_size = uart.shown_next = 0;
    uart.transmit_size = 0;
    update_irq();
}
