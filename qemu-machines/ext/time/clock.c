/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "time/clock.h"

static struct {
    bool stopped;
    uint64_t lead_ns;    /* virtual clock minus model time; right while the clock runs */
    uint64_t stopped_ns; /* model time when the clock was stopped */
    uint64_t read_ns;    /* model time when it was last read from QEMU's clock */
    uint32_t command;
    struct model_timer *timers;
} model;

static THREAD_LOCAL bool in_callback, looks_back;
static THREAD_LOCAL uint64_t back_ns;

static uint64_t virtual_time(void)
{
    return (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

uint64_t clock_time(void)
{
    if (looks_back) {
        return back_ns;
    }
    if (model.stopped) {
        return model.stopped_ns;
    }
    if (!in_callback) {
        uint64_t now = virtual_time() - model.lead_ns;

        model.read_ns = now > model.read_ns ? now : model.read_ns;
    }
    return model.read_ns;
}

uint32_t clock_command(void)
{
    return model.command;
}

bool clock_runs(void)
{
    return !model.stopped;
}

void clock_enter_callback(void)
{
    in_callback = true;
}

void clock_leave_callback(void)
{
    in_callback = false;
}

void clock_read_in_callback(void)
{
    CPUState **current = qemu_abi_current_cpu(), *cpu = *current;
    uint64_t now;

    if (model.stopped) {
        return;
    }
    qemu.icount_update(cpu);
    *current = NULL; /* as another thread reads it: QEMU forbids this one to */
    now = virtual_time() - model.lead_ns;
    *current = cpu;
    model.read_ns = now > model.read_ns ? now : model.read_ns;
}

void clock_look_back(uint64_t ns)
{
    looks_back = true;
    back_ns = ns;
}

void clock_look_ahead(void)
{
    looks_back = false;
}

/* ---- stop and go ---- */

static void start(struct model_timer *timer)
{
    qemu.timer_mod_ns(&timer->timer, (int64_t)(timer->deadline_ns + model.lead_ns));
}

void clock_reset(void)
{
    for (struct model_timer *timer = model.timers; timer; timer = timer->next) {
        model_timer_disarm(timer);
    }
    model.stopped = false;
    model.command = 0;
    model.read_ns = 0;
    model.lead_ns = virtual_time();
}

void clock_stop(void)
{
    for (struct model_timer *timer = model.timers; timer; timer = timer->next) {
        qemu.timer_del(&timer->timer);
    }
    model.stopped_ns = clock_time();
    model.stopped = true;
}

void clock_start(uint32_t command)
{
    model.lead_ns = virtual_time() - model.stopped_ns;
    model.stopped = false;
    model.command = command;
}

void clock_start_timers(void)
{
    for (struct model_timer *timer = model.timers; timer; timer = timer->next) {
        if (timer->armed) {
            start(timer);
        }
    }
}

/* ---- timers ---- */

/* Model time is `now`, though QEMU's clock says more; but a time that was read already stays true. */
static void set_back(uint64_t now)
{
    model.lead_ns = virtual_time() - (now > model.read_ns ? now : model.read_ns);
    clock_start_timers();
}

static void timer_expired(void *opaque)
{
    struct model_timer *timer = opaque;

    timer->armed = false;
    if (virtual_time() - model.lead_ns > timer->deadline_ns) {
        set_back(timer->deadline_ns);
    }
    timer->expired(timer->opaque);
}

void model_timer_initialise(struct model_timer *timer, void (*expired)(void *), void *opaque)
{
    timer->expired = expired;
    timer->opaque = opaque;
    timer->next = model.timers;
    model.timers = timer;
    qemu.timer_init_full(&timer->timer, NULL, QEMU_CLOCK_VIRTUAL, SCALE_NS, 0, timer_expired, timer);
}

void model_timer_arm(struct model_timer *timer, uint64_t deadline_ns)
{
    uint64_t now = clock_time();

    if (timer->armed && timer->deadline_ns == deadline_ns) {
        return; /* to arm one wakes a thread of QEMU's */
    }
    timer->deadline_ns = deadline_ns > now ? deadline_ns : now;
    timer->armed = true;
    if (!model.stopped) {
        start(timer);
    }
}

void model_timer_disarm(struct model_timer *timer)
{
    timer->armed = false;
    qemu.timer_del(&timer->timer);
}
