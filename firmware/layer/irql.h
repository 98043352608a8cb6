/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt request level of the one core, and deferred calls.
 *
 * The level is one integer. Below DISPATCH_LEVEL deferred calls run as soon as they are queued; at
 * DISPATCH_LEVEL interrupts are taken and only queue; above it interrupts are masked. Deferred
 * calls run one after the other, at DISPATCH_LEVEL, interrupts enabled, when the level drops
 * below DISPATCH_LEVEL: in KeLowerIrql(), or at the exit of an interrupt that interrupted such code.
 */
#ifndef LAYER_IRQL_H
#define LAYER_IRQL_H

#include <wdm_dma.h>

#include <stdbool.h>

enum { IRQL_DEVICE = DISPATCH_LEVEL + 1 };

/* A deferred call. The caller of irql_queue_dpc() owns it, and it must stay until it has run. */
struct dpc {
    void (*run)(struct dpc *dpc);
    struct dpc *next;
    bool queued;
};

/* Start at PASSIVE_LEVEL with an empty queue, and set the exit hook of irq.h. */
void irql_initialize(void);

/* Queue a call; they run in order of arrival. A call that is queued already keeps its place (CMP-16). Any
 * level.
 */
void irql_queue_dpc(struct dpc *dpc);

/* Raise to DISPATCH_LEVEL if the level is lower. Give the result to irql_return_to(). */
KIRQL irql_raise_to_dispatch(void);
void irql_return_to(KIRQL level);

/* Another thread goes on, at its own level: both are below DISPATCH_LEVEL, where no deferred call waits. */
void irql_switch(KIRQL level);

/* Call these around the body of an interrupt handler: they go to device level, and back to the interrupted
 * level. */
KIRQL irql_enter_interrupt(void);
void irql_leave_interrupt(KIRQL interrupted);

/* Call these after driver code that was entered at `level`. If it left another level behind, that is violation
 * 0x42, and is undone (GEN-09); deferred calls may run then. */
void irql_check(KIRQL level);
void irql_restore(KIRQL level);

#endif
