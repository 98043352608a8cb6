/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial port: its control codes, its registers, and what the files of its driver share. uart_driver.c is
 * the device and its requests; uart_dma.c moves the bytes.
 */
#ifndef UART_H
#define UART_H

#include <ntddk.h>

#include <csq.h>

/* ---- what an application may ask for ---- */

#define UART_IOCTL(Function)     CTL_CODE(FILE_DEVICE_SERIAL_PORT, (Function), METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_UART_SET_MODES     UART_IOCTL(0x800) /* input: UART_MODES */
#define IOCTL_UART_GET_COUNTERS  UART_IOCTL(0x801) /* output: UART_COUNTERS */
#define IOCTL_UART_PURGE         UART_IOCTL(0x802) /* reads, writes and waits end as cancelled */
#define IOCTL_UART_WAIT_FOR_DATA UART_IOCTL(0x803) /* ends when the device has received something */

typedef struct _UART_MODES {
    ULONG ReadTimeout; /* of a whole read, in microseconds; it ends with what has come then. 0: none */
} UART_MODES, *PUART_MODES;

typedef struct _UART_COUNTERS {
    ULONGLONG Received;
    ULONGLONG Sent;
    ULONG Interrupts;
    ULONG Errors;
} UART_COUNTERS, *PUART_COUNTERS;

/* ---- registers ---- */

#define UART_STATUS           0x04
#define UART_CONTROL          0x08
#define UART_INTERRUPT_ENABLE 0x0C
#define UART_INTERRUPT_STATUS 0x10

#define UART_STATUS_DATA_IN  0x02
#define UART_STATUS_OVERRUN  0x04
#define UART_STATUS_UNDERRUN 0x08
#define UART_STATUS_ERRORS   (UART_STATUS_OVERRUN | UART_STATUS_UNDERRUN)
#define UART_CONTROL_SEND    0x01
#define UART_CONTROL_RECEIVE 0x02

/* ---- the driver ---- */

#define UART_TAG 'traU'

typedef struct _UART_DEVICE UART_DEVICE, *PUART_DEVICE;
typedef struct _UART_TRANSFER UART_TRANSFER, *PUART_TRANSFER;

/* Requests that wait, each with a cancel routine of the kernel's. */
typedef struct _UART_QUEUE {
    IO_CSQ Csq;
    KSPIN_LOCK Lock;
    LIST_ENTRY Irps;
    PUART_DEVICE Device;
} UART_QUEUE, *PUART_QUEUE;

/* One direction. Lock protects Current, and is never held together with another. */
typedef struct _UART_CHANNEL {
    PUART_DEVICE Device;
    BOOLEAN WriteToDevice;
    UART_QUEUE Queue;
    struct _DMA_ADAPTER *Adapter;
    ULONG MapRegisters; /* that a transfer may have */
    KSPIN_LOCK Lock;
    BOOLEAN Busy;
    PUART_TRANSFER Current;
    KEVENT Idle; /* signalled as long as it is not busy */
    KTIMER Timer;
    KDPC TimerDpc;
} UART_CHANNEL, *PUART_CHANNEL;

struct _UART_DEVICE {
    PDEVICE_OBJECT Self;
    PDEVICE_OBJECT Physical;
    PDEVICE_OBJECT Below;
    IO_REMOVE_LOCK RemoveLock;
    volatile LONG Started;
    PUCHAR Registers;
    ULONG RegisterLength;
    PHYSICAL_ADDRESS RegisterAddress;
    PKINTERRUPT Interrupt;
    KDPC InterruptDpc;
    ULONG Causes; /* protected by the interrupt's lock, as the next one is */
    ULONG Interrupts;
    UART_CHANNEL Receive;
    UART_CHANNEL Transmit;
    UART_QUEUE Waits;
    NPAGED_LOOKASIDE_LIST Transfers;
    KSPIN_LOCK CounterLock;
    UART_COUNTERS Counters;
    UART_MODES Modes;
};

FORCEINLINE
ULONG
UartRead(PUART_DEVICE Device, ULONG Register)
{
    return READ_REGISTER_ULONG((PULONG)(PVOID)(Device->Registers + Register));
}

FORCEINLINE
VOID
UartWrite(PUART_DEVICE Device, ULONG Register, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(PVOID)(Device->Registers + Register), Value);
}

/* uart_driver.c */
VOID UartCompleteRequest(PUART_DEVICE Device, PIRP Irp, NTSTATUS Status, ULONG_PTR Information);

/* uart_dma.c */
NTSTATUS UartCreateAdapters(PUART_DEVICE Device, PCM_PARTIAL_RESOURCE_LIST Resources);
VOID UartDeleteAdapters(PUART_DEVICE Device);
VOID UartInitializeChannel(PUART_DEVICE Device, PUART_CHANNEL Channel, BOOLEAN WriteToDevice);
SIZE_T UartTransferSize(VOID);
VOID UartStartNext(PUART_CHANNEL Channel);
VOID UartStopCurrent(PUART_CHANNEL Channel, NTSTATUS Status);

#endif
