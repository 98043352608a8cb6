/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/irql.h"

#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "layer/violation.h"

static KIRQL current_level;
static struct dpc *queue_head;
static struct dpc **queue_end = &queue_head;

void irql_queue_dpc(struct dpc *dpc)
{
    uint64_t state = irq_save();

    if (!dpc->queued) {
        dpc->queued = true;
        dpc->next = NULL;
        *queue_end = dpc;
        queue_end = &dpc->next;
    }
    irq_restore(state);
}

static struct dpc *take_first(void)
{
    struct dpc *first = queue_head;

    queue_head = first->next;
    if (queue_head == NULL) {
        queue_end = &queue_head;
    }
    first->queued = false;
    return first;
}

/* Run every queued call. Entered and left with interrupts masked; the queue is empty afterwards (BMT-04). */
static void drain_queue(void)
{
    current_level = DISPATCH_LEVEL;
    while (queue_head != NULL) {
        struct dpc *dpc = take_first();

        irq_enable();
        dpc->run(dpc);
        (void)irq_save();
    }
}

/* The interrupted level decides: at DISPATCH_LEVEL the calls wait until it drops. */
static void at_interrupt_exit(void)
{
    KIRQL interrupted = current_level;

    if (interrupted < DISPATCH_LEVEL) {
        drain_queue();
        current_level = interrupted;
    }
}

void irql_initialize(void)
{
    current_level = PASSIVE_LEVEL;
    queue_head = NULL;
    queue_end = &queue_head;
    irq_set_exit_hook(at_interrupt_exit);
}

KIRQL KeGetCurrentIrql(void)
{
    return current_level;
}

void KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql)
{
    *OldIrql = current_level;
    if (NewIrql < current_level) {
        violation_report_in(OPLOG_KeRaiseIrql, (uintptr_t)__builtin_return_address(0), VIOLATION_IRQL,
                            VIOLATION_IRQL_ABOVE, current_level);
        return;
    }
    if (NewIrql > DISPATCH_LEVEL) {
        (void)irq_save();
    }
    current_level = NewIrql;
}

void KeLowerIrql(KIRQL NewIrql)
{
    KIRQL old = current_level;

    if (NewIrql > old) {
        violation_report_in(OPLOG_KeLowerIrql, (uintptr_t)__builtin_return_address(0), VIOLATION_IRQL,
                            VIOLATION_IRQL_ABOVE, NewIrql);
        return;
    }
    if (NewIrql >= DISPATCH_LEVEL) {
        current_level = NewIrql;
    } else {
        (void)irq_save();
        drain_queue();
        current_level = NewIrql;
    }
    if (NewIrql < DISPATCH_LEVEL || (old > DISPATCH_LEVEL && NewIrql == DISPATCH_LEVEL)) {
        irq_enable();
    }
}

KIRQL irql_raise_to_dispatch(void)
{
    KIRQL old = current_level;

    if (old < DISPATCH_LEVEL) {
        current_level = DISPATCH_LEVEL;
    }
    return old;
}

void irql_return_to(KIRQL level)
{
    if (level < DISPATCH_LEVEL) {
        KeLowerIrql(level);
    }
}

void irql_switch(KIRQL level)
{
    current_level = level;
}

KIRQL irql_enter_interrupt(void)
{
    KIRQL interrupted = current_level;

    current_level = IRQL_DEVICE;
    return interrupted;
}

void irql_leave_interrupt(KIRQL interrupted)
{
    current_level = interrupted;
}

void irql_check(KIRQL level)
{
    if (current_level != level) {
        violation_report(VIOLATION_CALLBACK_IRQL, current_level, level);
    }
}

void irql_restore(KIRQL level)
{
    if (current_level < level) {
        current_level = level;
    } else if (current_level > level) {
        KeLowerIrql(level);
    }
}
