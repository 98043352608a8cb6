/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate.h"

#include "probe.h"
#include "stream.h"
#include "views.h"

enum { READY_WINDOW_NS = 2000 };

static struct {
    enum { OPEN, CLOSING, CLOSED } state;
    uint64_t lead_ns;   /* virtual clock minus model time; right while open */
    uint64_t closed_ns; /* model time when the gate closed */
    uint64_t read_ns;   /* model time when it was last read from the clock */
    uint32_t command;
    QemuTimer window;
    struct model_timer *timers;
    bool (*line_waits)(void);
    void (*take_line)(void);
} gate;

static _Thread_local bool in_callback;

static uint64_t virtual_time(void)
{
    return (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

uint64_t gate_time(void)
{
    if (gate.state != OPEN) {
        return gate.closed_ns;
    }
    if (!in_callback) {
        gate.read_ns = virtual_time() - gate.lead_ns;
    }
    return gate.read_ns;
}

void gate_enter_callback(void)
{
    in_callback = true;
}

void gate_leave_callback(void)
{
    in_callback = false;
}

uint32_t gate_command(void)
{
    return gate.command;
}

bool gate_is_open(void)
{
    return gate.state == OPEN;
}

static void start(struct model_timer *timer)
{
    qemu.timer_mod_ns(&timer->timer, (int64_t)(timer->deadline_ns + gate.lead_ns));
}

static void start_all(void)
{
    for (struct model_timer *timer = gate.timers; timer; timer = timer->next) {
        if (timer->armed) {
            start(timer);
        }
    }
}

static void open_for_line(void)
{
    gate.lead_ns = virtual_time() - gate.closed_ns;
    gate.state = OPEN;
    gate.command++;
    probe->gate_closed = 0;
    probe->command = gate.command;
    views_begin_command(gate.command);
    stream_gate_opened();
    views_lock(); /* a PCI device may have woken the CPU meanwhile */
    probe_record(PROBE_COMMAND, 0, 0, 0, 0, 0, 0);
    views_unlock();
    start_all();
    gate.take_line();
}

void gate_line_arrived(void)
{
    if (gate.state == CLOSED && gate.line_waits()) {
        open_for_line();
    }
}

static void window_passed(void *opaque)
{
    (void)opaque;
    gate.state = CLOSED;
    __atomic_store_n(&probe->gate_closed, 1, __ATOMIC_RELEASE);
    gate_line_arrived();
}

void gate_ready(void)
{
    if (gate.state != OPEN || !gate.line_waits) {
        return;
    }
    for (struct model_timer *timer = gate.timers; timer; timer = timer->next) {
        qemu.timer_del(&timer->timer);
    }
    views_record_counts();
    gate.closed_ns = gate_time();
    gate.state = CLOSING;
    probe->time_ns = gate.closed_ns;
    qemu.timer_mod_ns(&gate.window, (int64_t)virtual_time() + READY_WINDOW_NS);
}

void gate_initialise(bool (*line_waits)(void), void (*take_line)(void))
{
    gate.line_waits = line_waits;
    gate.take_line = take_line;
    qemu.timer_init_full(&gate.window, NULL, QEMU_CLOCK_VIRTUAL, SCALE_NS, 0, window_passed, NULL);
}

void gate_reset(void)
{
    qemu.timer_del(&gate.window);
    for (struct model_timer *timer = gate.timers; timer; timer = timer->next) {
        model_timer_disarm(timer);
    }
    gate.state = OPEN;
    gate.command = 0;
    gate.read_ns = 0;
    gate.lead_ns = virtual_time();
    probe->gate_closed = 0;
    probe->command = 0;
    probe->time_ns = 0;
}

/* Model time is `now`, though the clock says more; but what somebody has read stays true. */
static void set_back(uint64_t now)
{
    gate.lead_ns = virtual_time() - (now > gate.read_ns ? now : gate.read_ns);
    start_all();
}

static void timer_expired(void *opaque)
{
    struct model_timer *timer = opaque;

    timer->armed = false;
    if (virtual_time() - gate.lead_ns > timer->deadline_ns) {
        set_back(timer->deadline_ns);
    }
    timer->expired(timer->opaque);
}

void model_timer_initialise(struct model_timer *timer, void (*expired)(void *), void *opaque)
{
    timer->expired = expired;
    timer->opaque = opaque;
    timer->next = gate.timers;
    gate.timers = timer;
    qemu.timer_init_full(&timer->timer, NULL, QEMU_CLOCK_VIRTUAL, SCALE_NS, 0, timer_expired, timer);
}

void model_timer_arm(struct model_timer *timer, uint64_t deadline_ns)
{
    uint64_t now = gate_time();

    timer->deadline_ns = deadline_ns > now ? deadline_ns : now;
    timer->armed = true;
    if (gate.state == OPEN) {
        start(timer);
    }
}

void model_timer_disarm(struct model_timer *timer)
{
    timer->armed = false;
    qemu.timer_del(&timer->timer);
}
