/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything is on QEMU's `virt` with the dmav3 extension. Read by C, assembly and the linker
 * script, so only macros.
 */
#ifndef BOOT_MEMLAYOUT_H
#define BOOT_MEMLAYOUT_H

/* Devices: QEMU hw/arm/virt.c (GICv2), then what the extension adds. */
#define GICD_BASE       0x08000000
#define GICC_BASE       0x08010000
#define GICV2M_BASE     0x08020000 /* messages become interrupts */
#define BOARD_UART_BASE 0x09000000 /* PL011 */
#define PL330_BASE      0x0b000000
#define IDENT_BASE      0x0b020000
#define UART_BASE       0x0b030000
#define LOW_RAM_START   0x0f000000 /* RAM below 256 MiB: non-cacheable */
#define LOW_RAM_SIZE    0x00100000
#define PCI_BARS_START  0x10000000 /* QEMU has more, up to 0x3efeffff; this much is mapped */
#define PCI_BARS_SIZE   0x01000000
#define PCI_CONFIG_BASE 0x3f000000 /* ECAM, 16 buses (`highmem=off`) */
#define PCI_CONFIG_SIZE 0x01000000

/* Shared peripheral interrupts: GIC INTID minus 32. */
#define PCI_PIN_SPI     3  /* pin A of slot 0; four in all, in turn */
#define PCI_MESSAGE_SPI 48 /* first of 64 that GICv2m makes */
#define PL330_ABORT_SPI 176
#define PL330_EVENT_SPI 177
#define UART_SPI        193
#define ALARM_SPI       194

/* RAM starts at 1 GiB. QEMU puts its device tree into the first 2 MiB, which stay unmapped. */
#define IMAGE_START     0x40200000 /* stack, code, data, heap: write-back */
#define IMAGE_SIZE      0x00200000
#define UNCACHED_START  0x40400000 /* bounce pages, microcode: non-cacheable */
#define UNCACHED_SIZE   0x00200000
#define STAGING_START   0x40600000 /* the one place the harness writes: non-cacheable */
#define STAGING_SIZE    0x00200000
#define ARENA_START     0x40800000 /* buffers of tests, contiguous: write-back */
#define ARENA_SIZE      0x00800000
#define SCATTERED_START 0x41000000 /* pages of the scatter window, mapped nowhere else */
#define COMMON_START    0x41400000 /* uncached common buffers: device memory, so misaligned accesses fault */
#define COMMON_SIZE     0x00200000
#define COHERENT_START  0x41600000 /* cached common buffers, where DMA is coherent: write-back */
#define COHERENT_SIZE   0x00200000
#define TABLES_START    0x41800000 /* objects of the layer, as many as a driver can have: write-back */
#define TABLES_SIZE     0x00400000
#define SCATTER_WINDOW  0x60000000 /* virtual: write-back, physically out of order */
#define SCATTER_SIZE    0x00400000

/* The stack comes first in the image, so that what overflows it hits the unmapped RAM below. Exceptions that
 * end everything have a stack of their own. */
#define STACK_SIZE           0x10000
#define STACK_GUARD_START    0x40000000
#define EXCEPTION_STACK_SIZE 0x1000

#endif
