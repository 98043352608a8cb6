/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a driver finds the devices of the board, and their interrupts. The CPU and the devices use the same
 * addresses.
 */
#ifndef DMAV3_BOARD_H
#define DMAV3_BOARD_H

#include <wdm_dma.h>

EXTERN_C_START

/*
 * The stream device sends bytes to the test and receives bytes from it, by DMA. Give the address of the data
 * register as DeviceAddress, and a line as DmaRequestLine. An access of w bits moves w / 8 bytes. The device
 * asks for DMA as long as DMAV3_STREAM_SEND or DMAV3_STREAM_RECEIVE is set in the control register.
 */
#define DMAV3_STREAM_BASE          0x0B010000
#define DMAV3_STREAM_DATA          DMAV3_STREAM_BASE
#define DMAV3_STREAM_STATUS        (DMAV3_STREAM_BASE + 4)
#define DMAV3_STREAM_CONTROL       (DMAV3_STREAM_BASE + 8)
#define DMAV3_STREAM_RECEIVE_LINE  0
#define DMAV3_STREAM_TRANSMIT_LINE 1

/* Bits of the control register: ask for bytes to send; offer the bytes that the test has sent. */
#define DMAV3_STREAM_SEND    1
#define DMAV3_STREAM_RECEIVE 2

/*
 * The stream's interrupt, a level. Each bit of the status register that is set in the first of these registers
 * interrupts the CPU; the second says which bits have been set, until 1 is written to them, which clears an
 * overrun and an underrun in the status register as well. At reset none is enabled.
 */
#define DMAV3_STREAM_INTERRUPT_ENABLE (DMAV3_STREAM_BASE + 0xc)
#define DMAV3_STREAM_INTERRUPT_STATUS (DMAV3_STREAM_BASE + 0x10)
#define DMAV3_STREAM_SPI              195

/* Bits of the status register: a write to the data register finds room; a read finds data; a write found no
 * room; a read found no data. 1 written to one of the last two clears it. */
#define DMAV3_STREAM_ROOM     1
#define DMAV3_STREAM_DATA_IN  2
#define DMAV3_STREAM_OVERRUN  4
#define DMAV3_STREAM_UNDERRUN 8

/* The DMA controller (PL330), which the shim drives, and the UART of QEMU's board (PL011), which is free. */
#define DMAV3_PL330_BASE      0x0B000000
#define DMAV3_BOARD_UART_BASE 0x09000000

/* Devices that a test has written in Python: registers and interrupt of the first; those of the n-th, from 0,
 * are n windows, and n, further on. */
#define DMAV3_DEVICE_BASE   0x0B040000
#define DMAV3_DEVICE_WINDOW 0x10000
#define DMAV3_DEVICE_SPI    196

/*
 * A device's interrupt, a shared one of the GIC (DMAV3_..._SPI), calls `routine` as a deferred call: at
 * DISPATCH_LEVEL, once the level drops below it. Until the routine has returned, the interrupt waits. It is a
 * level: the routine must make the device let go, or it runs again. Connect once after a reset, at
 * PASSIVE_LEVEL. STATUS_INSUFFICIENT_RESOURCES: 16 are connected, those of PCI devices included.
 */
typedef VOID DMAV3_INTERRUPT(PVOID context);
NTSTATUS dmav3_connect_interrupt(ULONG spi, DMAV3_INTERRUPT *routine, PVOID context);

/* Give a device object of IoCreateDevice the interrupt line that IoConnectInterruptEx connects for it, as the
 * bus driver of a physical device object does. STATUS_NO_SUCH_DEVICE: it is none. */
NTSTATUS dmav3_assign_line(PDEVICE_OBJECT PhysicalDeviceObject, ULONG spi);

EXTERN_C_END

#endif
