/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt request level of the one core, and deferred calls.
 *
 * The level is one integer. Below DISPATCH_LEVEL deferred calls run as soon as they are queued; at
 * DISPATCH_LEVEL interrupts are taken and only queue; above it interrupts are masked. Deferred
 * calls run one after the other, at DISPATCH_LEVEL, interrupts enabled, when the level drops
 * below DISPATCH_LEVEL: in KeLowerIrql(), or at the exit of an interrupt that interrupted such code.
 */
#ifndef DMA_IRQL_H
#define DMA_IRQL_H

#include <wdm_dma.h>

#include <stdbool.h>

enum { IRQL_DEVICE = DISPATCH_LEVEL + 1 };

/* A deferred call. Owned by whoever queues it; must stay until it has run or is cancelled. */
struct dpc {
    void (*run)(struct dpc *dpc);
    struct dpc *next;
    bool queued;
};

/* PASSIVE_LEVEL, empty queue, hook set. */
void irql_initialize(void);

/* First in, first out. A call that is queued already stays where it is (CMP-16). Any level. */
void irql_queue_dpc(struct dpc *dpc);

/* Raise to DISPATCH_LEVEL, or stay where it is higher; give the result to irql_return_to(). */
KIRQL irql_raise_to_dispatch(void);
void irql_return_to(KIRQL level);

/* Around the body of an interrupt handler: device level, and back to the interrupted one. */
KIRQL irql_enter_interrupt(void);
void irql_leave_interrupt(KIRQL interrupted);

/* After a call of driver code that was entered at `level`: anything else is violation 0x42 and undone
 * (GEN-09). */
void irql_end_callback(KIRQL level);

#endif
