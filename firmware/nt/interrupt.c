/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts of drivers, by the lines of the GIC. */
#include "nt/interrupt.h"

#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "layer/irql.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { CONNECTIONS_MAX = 16, LINES = 256 };

_Static_assert(DMAV3_DEVICE_LEVEL == IRQL_DEVICE, "the level of interrupt routines");

struct _KINTERRUPT {
    PKSERVICE_ROUTINE routine; /* NULL: the row is free */
    PVOID context;
    unsigned int line;
    struct routine_place maker;
};

static struct _KINTERRUPT interrupts[CONNECTIONS_MAX];

static void tell_each(dma_tell *tell, void *context)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (interrupts[i].routine != NULL) {
            const struct dma_live told = live_of("interrupt", (uintptr_t)&interrupts[i], &interrupts[i].maker);

            tell(&told, context);
        }
    }
}

static struct live_source source = {.tell_each = tell_each};

static void interrupted(void *context)
{
    PKINTERRUPT interrupt = context;
    KIRQL level = irql_enter_interrupt();

    if (interrupt->routine != NULL) {
        (void)interrupt->routine(interrupt, interrupt->context);
        if (KeGetCurrentIrql() != IRQL_DEVICE) {
            violation_report_in(OPLOG_ServiceRoutine, (uintptr_t)interrupt->routine, VIOLATION_CALLBACK_IRQL,
                                KeGetCurrentIrql(), IRQL_DEVICE);
        }
    }
    irql_leave_interrupt(level);
}

static PKINTERRUPT find_free(unsigned int line)
{
    PKINTERRUPT found = NULL;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (interrupts[i].routine == NULL) {
            found = &interrupts[i];
        } else if (interrupts[i].line == line) {
            return NULL;
        }
    }
    return line < LINES ? found : NULL;
}

NTSTATUS interrupt_connect(enum oplog_id routine, uintptr_t caller, const struct interrupt_wish *wish)
{
    PKINTERRUPT interrupt = find_free(wish->line);

    if (interrupt == NULL) {
        refuse_in(routine, caller, STATUS_INVALID_PARAMETER,
                  "Vector {0}: lines are 0 to 255, one driver's routine each, and {1} at most", wish->line,
                  CONNECTIONS_MAX);
        return STATUS_INVALID_PARAMETER;
    }
    *interrupt = (struct _KINTERRUPT){.routine = wish->routine,
                                      .context = wish->context,
                                      .line = wish->line,
                                      .maker = {routine, caller, origin_now()}};
    *wish->object = interrupt;
    live_add(&source);
    (wish->mode == Latched ? irq_connect_message : irq_connect)(wish->line, interrupted, interrupt);
    irq_name_routine(wish->line, (const void *)(uintptr_t)wish->routine);
    return STATUS_SUCCESS;
}

NTSTATUS IoConnectInterrupt(PKINTERRUPT *InterruptObject, PKSERVICE_ROUTINE ServiceRoutine,
                            PVOID ServiceContext, PKSPIN_LOCK SpinLock, ULONG Vector, KIRQL Irql,
                            KIRQL SynchronizeIrql, KINTERRUPT_MODE InterruptMode, BOOLEAN ShareVector,
                            KAFFINITY ProcessorEnableMask, BOOLEAN FloatingSave)
{
    (void)SpinLock;
    (void)Irql;
    (void)SynchronizeIrql;
    (void)ShareVector;
    (void)ProcessorEnableMask;
    (void)FloatingSave;
    (void)NT_AT_MOST(IoConnectInterrupt, PASSIVE_LEVEL);
    return interrupt_connect(
        OPLOG_IoConnectInterrupt, NT_CALLER,
        &(struct interrupt_wish){InterruptObject, ServiceRoutine, ServiceContext, Vector, InterruptMode});
}

void interrupt_disconnect(enum oplog_id routine, uintptr_t caller, PKINTERRUPT interrupt)
{
    if (interrupt < interrupts || interrupt >= interrupts + CONNECTIONS_MAX || interrupt->routine == NULL) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)interrupt, 0);
        return;
    }
    irq_disable(interrupt->line);
    interrupt->routine = NULL;
}

void IoDisconnectInterrupt(PKINTERRUPT InterruptObject)
{
    (void)NT_AT_MOST(IoDisconnectInterrupt, PASSIVE_LEVEL);
    interrupt_disconnect(OPLOG_IoDisconnectInterrupt, NT_CALLER, InterruptObject);
}

KIRQL KeAcquireInterruptSpinLock(PKINTERRUPT Interrupt)
{
    KIRQL old = KeGetCurrentIrql();

    (void)Interrupt;
    if (NT_AT_MOST(KeAcquireInterruptSpinLock, IRQL_DEVICE) && old < IRQL_DEVICE) {
        KeRaiseIrql(IRQL_DEVICE, &old);
    }
    return old;
}

void KeReleaseInterruptSpinLock(PKINTERRUPT Interrupt, KIRQL OldIrql)
{
    (void)Interrupt;
    (void)NT_AT_LEAST(KeReleaseInterruptSpinLock, IRQL_DEVICE);
    if (OldIrql < IRQL_DEVICE) {
        KeLowerIrql(OldIrql);
    }
}

BOOLEAN KeSynchronizeExecution(PKINTERRUPT Interrupt, PKSYNCHRONIZE_ROUTINE SynchronizeRoutine,
                               PVOID SynchronizeContext)
{
    KIRQL old = KeAcquireInterruptSpinLock(Interrupt);
    BOOLEAN result = SynchronizeRoutine(SynchronizeContext);

    KeReleaseInterruptSpinLock(Interrupt, old);
    return result;
}
