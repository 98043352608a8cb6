/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a driver finds the devices of the board. The CPU and the devices use the same addresses.
 */
#ifndef DMAV3_BOARD_H
#define DMAV3_BOARD_H

/*
 * The stream device sends bytes to the test and receives bytes from it, by DMA. Give the address of the data
 * register as DeviceAddress, and a line as DmaRequestLine. An access of w bits moves w / 8 bytes. The device
 * asks for DMA as long as DMAV3_STREAM_SEND or DMAV3_STREAM_RECEIVE is set in the control register.
 */
#define DMAV3_STREAM_BASE          0x0B010000
#define DMAV3_STREAM_DATA          DMAV3_STREAM_BASE
#define DMAV3_STREAM_CONTROL       (DMAV3_STREAM_BASE + 8)
#define DMAV3_STREAM_RECEIVE_LINE  0
#define DMAV3_STREAM_TRANSMIT_LINE 1

/* Bits of the control register: ask for bytes to send; offer the bytes that the test has sent. */
#define DMAV3_STREAM_SEND    1
#define DMAV3_STREAM_RECEIVE 2

/* The DMA controller (PL330), which the shim drives, and the UART of QEMU's board (PL011), which is free. */
#define DMAV3_PL330_BASE      0x0B000000
#define DMAV3_BOARD_UART_BASE 0x09000000

#endif
