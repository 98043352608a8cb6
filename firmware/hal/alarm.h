/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms in model time: many of them on the one alarm of the identification page. */
#ifndef HAL_ALARM_H
#define HAL_ALARM_H

#include <stdbool.h>
#include <stdint.h>

struct alarm {
    uint64_t time; /* model time, nanoseconds */
    void (*ring)(struct alarm *alarm);
    struct alarm *next;
    bool is_set;
};

/* Ring once, at `time` or as soon as time passes: `ring` is called inside the interrupt, which ends a sleep.
 * The caller keeps the alarm until it has rung or is cancelled. Set again, it rings at the new time. Any level.
 */
void alarm_set(struct alarm *alarm, uint64_t time);

/* False: it was not set. */
bool alarm_cancel(struct alarm *alarm);

/* A `ring` for those that only want to be woken. */
void alarm_wake(struct alarm *alarm);

#endif
