/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the board's own parts are, and what of QEMU's `virt` the extension knows by address.
 */
#ifndef DMAV3_PLACES_H
#define DMAV3_PLACES_H

/* On `virt`: the hole at 0x0a004000 and shared peripheral interrupts from 176 are free. */
enum board_place {
    PL330_BASE = 0x0b000000,
    PL330_SIZE = 0x1000,
    PL330_NONSECURE_BASE = PL330_BASE + PL330_SIZE, /* of the engine */
    STREAM_BASE = 0x0b010000,
    STREAM_PAGE = 0x1000,
    IDENT_BASE = 0x0b020000,
    UART_BASE = 0x0b030000,
    REMOTE_BASE = 0x0b040000, /* of devices/remote.h */
    RAM_BASE = 0x40000000,
    PL330_ABORT_SPI = 176, /* event n: the next but n */
    UART_SPI = 193,
    ALARM_SPI = 194,
    STREAM_SPI = 195,
    REMOTE_SPI = 196, /* of the first */
};

/* Of QEMU's: the registers of the interrupt controller's CPU interface (GICv2), and the memory-mapped
 * configuration space of PCIe (`highmem=off`). */
enum virt_place {
    GICC_BASE = 0x08010000,
    GICC_IAR = 0x0c,
    GICC_AIAR = 0x20,
    FIRST_SPI = 32,
    NO_SPI = 1020,
    PCI_CONFIGURATION_BASE = 0x3f000000,
};

#endif
