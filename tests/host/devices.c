/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/memlayout.h"
#include "check.h"
#include "fake_irq.h"
#include "hal/ident.h"
#include "hal/irq.h"
#include "hal/mmio.h"

/* ---- GICv2, as hal/irq.c uses it ---- */

enum { GICD_ISENABLER = 0x100, GICC_IAR = 0x0c, INTIDS = 288, SPURIOUS = 1023 };

static bool enabled[INTIDS], raised[INTIDS];

static bool uart_interrupts(void);

/* The first one that is to be taken; INTIDS if there is none. */
static unsigned int pending(void)
{
    unsigned int intid = 0;

    raised[UART_SPI + SPI_FIRST] = uart_interrupts();
    while (intid < INTIDS && !(raised[intid] && enabled[intid])) {
        intid++;
    }
    return intid;
}

bool fake_irq_is_pending(void)
{
    return pending() < INTIDS;
}

void fake_irq_handle(void)
{
    irq_dispatch(0, NULL);
}

void devices_raise(unsigned int intid)
{
    raised[intid] = true;
    fake_irq_take();
}

static uint32_t acknowledge(void)
{
    unsigned int intid = pending();

    if (intid == INTIDS) {
        return SPURIOUS;
    }
    raised[intid] = false;
    return intid;
}

static void enable(uintptr_t offset, uint32_t bits)
{
    for (unsigned int bit = 0; bit < 32; bit++) {
        unsigned int intid = (unsigned int)offset * 8 + bit;

        if (bits >> bit & 1 && intid < INTIDS) {
            enabled[intid] = true;
        }
    }
}

/* ---- PL011, as hal/uart.c uses it ---- */

enum { DR = 0x00, FR = 0x18, IMSC = 0x38, FR_RXFE = 1 << 4, INT_RX = 1 << 4 };
enum { INPUT_MAX = 4096, OUTPUT_MAX = 1024 };

static uint32_t interrupt_mask;
static char input[INPUT_MAX], output[OUTPUT_MAX];
static size_t input_at, input_size, output_size;

static bool uart_interrupts(void)
{
    return input_at < input_size && interrupt_mask & INT_RX;
}

static void flush_output(void)
{
    size_t done = 0;

    while (done < output_size) {
        ssize_t written = write(STDOUT_FILENO, output + done, output_size - done);

        if (written <= 0) {
            exit(0); /* nobody listens any more */
        }
        done += (size_t)written;
    }
    output_size = 0;
}

static void transmit(char byte)
{
    output[output_size++] = byte;
    if (byte == '\n' || output_size == OUTPUT_MAX) {
        flush_output();
    }
}

static uint32_t receive(void)
{
    CHECK(input_at < input_size);
    return (uint8_t)input[input_at++];
}

void devices_wait_for_line(void)
{
    ssize_t size;

    flush_output();
    size = read(STDIN_FILENO, input, sizeof(input));
    if (size <= 0) {
        exit(0);
    }
    input_at = 0;
    input_size = (size_t)size;
    if (memchr(input, '\n', input_size) != NULL) {
        log_begin_command();
    }
}

/* ---- identification page, as hal/ident.c and hal/oplog.c use it ---- */

enum {
    MAGIC = 0x00,
    FEATURES = 0x08,
    NONCE = 0x10,
    TIME = 0x18,
    ALARM = 0x28,
    HELD = 0x30,
    COMMIT = 0x40,
    ARGUMENT = 0x48,
    RECORDS = 0x70
};
enum { MAGIC_VALUE = 0x33764d44, ARGUMENTS = 5, KINDS = 22 };

/* How many arguments a record has, by its kind. */
static const uint8_t argument_counts[KINDS] = {[4] = 2,  [5] = 3,  [6] = 5,  [7] = 2,  [8] = 2,
                                               [17] = 5, [18] = 5, [19] = 2, [20] = 3, [21] = 5};

static uint64_t nonce, alarm_at, arguments[ARGUMENTS];
static uint32_t features;

static uint32_t read_ident(uintptr_t offset)
{
    switch (offset) {
    case MAGIC:
        return MAGIC_VALUE;
    case FEATURES:
        return features;
    case NONCE:
        return (uint32_t)nonce;
    case NONCE + 4:
        return (uint32_t)(nonce >> 32);
    case TIME:
        return (uint32_t)machine_time();
    case TIME + 4:
        return (uint32_t)(machine_time() >> 32);
    case HELD:
        return 0; /* no channel ever is */
    default:
        FAIL("a read of the identification page where nothing is");
    }
}

static void commit(uint32_t kind, uint32_t id)
{
    uint64_t given[ARGUMENTS] = {0};

    CHECK(kind < KINDS && argument_counts[kind] != 0);
    memcpy(given, arguments, argument_counts[kind] * sizeof(given[0]));
    log_record(kind, id, given);
}

static void write_ident(uintptr_t offset, uint64_t value)
{
    if (offset == COMMIT) {
        commit(value & 0xff, (uint32_t)value >> 8);
    } else if (offset == ALARM) {
        alarm_at = value;
    } else if (offset == RECORDS) {
        CHECK(value == IDENT_RECORDS_MEMORY);
    } else if (offset >= ARGUMENT && offset < ARGUMENT + 8 * ARGUMENTS) {
        arguments[(offset - ARGUMENT) / 8] = value;
    } else {
        FAIL("a write to the identification page where nothing is");
    }
}

bool devices_ring_alarm(void)
{
    if (!alarm_at) {
        return false;
    }
    machine_set_time(alarm_at);
    alarm_at = 0;
    devices_raise(ALARM_SPI + SPI_FIRST);
    return true;
}

void devices_initialize(uint64_t given, bool coherent)
{
    nonce = given;
    features = coherent ? IDENT_COHERENT : 0;
}

/* ---- the door ---- */

static bool is_in(uintptr_t address, uintptr_t base)
{
    return address - base < 0x1000;
}

uint32_t mmio_read32(uintptr_t address)
{
    if (is_in(address, IDENT_BASE)) {
        return read_ident(address - IDENT_BASE);
    }
    if (address == UART_BASE + DR) {
        return receive();
    }
    if (address == UART_BASE + FR) {
        return input_at < input_size ? 0 : FR_RXFE;
    }
    return address == GICC_BASE + GICC_IAR ? acknowledge() : 0;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    if (is_in(address, IDENT_BASE)) {
        write_ident(address - IDENT_BASE, value);
    } else if (address == UART_BASE + DR) {
        transmit((char)value);
    } else if (address == UART_BASE + IMSC) {
        interrupt_mask = value;
    } else if (address >= GICD_BASE + GICD_ISENABLER && address < GICD_BASE + GICD_ISENABLER + INTIDS / 8) {
        enable(address - GICD_BASE - GICD_ISENABLER, value);
    }
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    CHECK(is_in(address, IDENT_BASE));
    write_ident(address - IDENT_BASE, value);
}
