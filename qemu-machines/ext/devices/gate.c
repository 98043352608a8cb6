/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/gate.h"

#include "devices/stream.h"
#include "memory/views.h"
#include "probe/probe.h"
#include "time/clock.h"

enum { READY_WINDOW_NS = 2000, MILLISECOND_NS = 1000000 };

static struct {
    enum { OPEN, CLOSING, CLOSED } state;
    bool said;    /* the firmware has said that it is ready, and has not looked for a line since */
    bool missed;  /* it has looked while one waited, and had not said so */
    bool in_step; /* model time and QEMU's clock are whole milliseconds apart, but for what it takes to look */
    bool counted; /* there are devices that count milliseconds of QEMU's clock */
    QemuTimer window;
    const struct gate_lines *lines; /* NULL: there are none */
} gate;

static void open_for_line(void)
{
    clock_start(clock_command() + 1);
    gate.state = OPEN;
    probe->gate_closed = 0;
    probe->command = clock_command();
    views_begin_command(clock_command());
    stream_gate_opened();
    views_lock(); /* a PCI device may have woken the CPU meanwhile */
    probe_record(PROBE_COMMAND, 0, 0, 0, 0, 0, 0);
    views_unlock();
    clock_start_timers();
    gate.lines->take();
}

/* So that a run does not depend on how long the gate was closed by QEMU's clock, a line waits until that is in
 * step with model time: the first one, and where somebody counts, each. The CPU sleeps meanwhile: it is at
 * once. */
static void get_in_step(void)
{
    uint64_t now = (uint64_t)qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    uint64_t beyond = (now - clock_time()) % MILLISECOND_NS;

    qemu.timer_mod_ns(&gate.window, (int64_t)(now - beyond + MILLISECOND_NS));
}

void gate_line_arrived(void)
{
    if (gate.state != CLOSED || !gate.lines->wait()) {
        return;
    }
    if (gate.in_step) {
        gate.lines->ring();
    } else {
        get_in_step();
    }
}

void gate_looked(void)
{
    if (gate.state == CLOSED && gate.in_step && gate.lines->wait()) {
        if (gate.said || gate.missed) {
            gate.missed = false;
            open_for_line();
        } else {
            gate.missed = true;
        }
    }
    gate.said = false;
}

static void window_passed(void *opaque)
{
    (void)opaque;
    gate.in_step |= gate.state == CLOSED;
    gate.state = CLOSED;
    __atomic_store_n(&probe->gate_closed, 1, __ATOMIC_RELEASE);
    gate_line_arrived();
}

void gate_ready(void)
{
    gate.said = true;
    if (gate.state != OPEN || !gate.lines) {
        return;
    }
    views_record_counts();
    clock_stop();
    gate.state = CLOSING;
    gate.in_step &= !gate.counted;
    probe->time_ns = clock_time();
    qemu.timer_mod_ns(&gate.window, qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + READY_WINDOW_NS);
}

void gate_keep_in_step(void)
{
    gate.counted = true;
}

void gate_initialise(const struct gate_lines *lines)
{
    gate.lines = lines;
    qemu.timer_init_full(&gate.window, NULL, QEMU_CLOCK_VIRTUAL, SCALE_NS, 0, window_passed, NULL);
}

void gate_reset(void)
{
    qemu.timer_del(&gate.window);
    clock_reset();
    gate.state = OPEN;
    gate.said = gate.missed = gate.in_step = false;
    probe->gate_closed = 0;
    probe->command = 0;
    probe->time_ns = 0;
}
