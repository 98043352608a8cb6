/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/alarm.h"

#include <stddef.h>

#include "time/clock.h"

static struct {
    qemu_irq irq;
    struct model_timer timer;
} alarm;

static void expired(void *opaque)
{
    (void)opaque;
    qemu.qemu_set_irq(alarm.irq, 1);
}

void alarm_set(uint64_t time_ns)
{
    qemu.qemu_set_irq(alarm.irq, 0);
    if (time_ns) {
        model_timer_arm(&alarm.timer, time_ns);
    } else {
        model_timer_disarm(&alarm.timer);
    }
}

void alarm_ring(void)
{
    if (alarm.timer.armed) {
        model_timer_arm(&alarm.timer, clock_time());
    }
}

void alarm_reset(void)
{
    alarm_set(0);
}

void alarm_initialise(qemu_irq irq)
{
    alarm.irq = irq;
    model_timer_initialise(&alarm.timer, expired, NULL);
}
