/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/alarm.h"

#include <stddef.h>

#include "boot/memlayout.h"
#include "hal/ident.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"

static struct alarm *first; /* in order of time */

/* 0 would be no alarm at all. */
static void program(void)
{
    ident_set_alarm(first == NULL ? 0 : first->time == 0 ? 1 : first->time);
}

/* It rings early when a channel is held, for those who wait for that. */
static void rang(void *context)
{
    (void)context;
    ident_set_alarm(0);
    while (first != NULL && first->time <= ident_time()) {
        struct alarm *alarm = first;

        first = alarm->next;
        alarm->is_set = false;
        alarm->ring(alarm);
    }
    program();
}

static bool remove(struct alarm *alarm)
{
    struct alarm **at = &first;

    while (*at != NULL && *at != alarm) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return false;
    }
    *at = alarm->next;
    alarm->is_set = false;
    return true;
}

static void insert(struct alarm *alarm)
{
    struct alarm **at = &first;

    while (*at != NULL && (*at)->time <= alarm->time) {
        at = &(*at)->next;
    }
    alarm->next = *at;
    alarm->is_set = true;
    *at = alarm;
}

void alarm_set(struct alarm *alarm, uint64_t time)
{
    uint64_t state = irq_save();

    irq_connect_clock(ALARM_SPI, rang, NULL);
    (void)remove(alarm);
    alarm->time = time;
    insert(alarm);
    program();
    irq_restore(state);
}

bool alarm_cancel(struct alarm *alarm)
{
    uint64_t state = irq_save();
    bool was_set = remove(alarm);

    if (was_set) {
        program();
    }
    irq_restore(state);
    return was_set;
}

void alarm_wake(struct alarm *alarm)
{
    (void)alarm;
}
