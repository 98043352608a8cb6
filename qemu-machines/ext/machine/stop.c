/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/stop.h"

#include "machine/watch.h"
#include "probe/probe.h"
#include "time/clock.h"

enum { DEBUG = 0 }; /* RunState */

struct stop_wanted stop_wanted;

static struct {
    /* Asked: QEMU has been told, and the CPU leaves each time that it comes here, until the machine stands. */
    enum { IDLE, WAITS, ASKED, STOPPED } state;
    uint64_t runs; /* that have begun */
    uint64_t count;
    struct model_timer timer;
} stop;

static QemuTimer now;

static void time_came(void *opaque)
{
    (void)opaque;
    qemu.vm_stop(DEBUG);
}

static void no_time_passed(void *opaque)
{
    (void)opaque;
}

/* A debugger has stopped the CPU, and the main loop is still to be told. On its way there it would take the CPU
 * for asleep, and set the clock forward to the next timer. So there is one, which expires now. */
static void main_loop_turns(struct qemu_notifier *notifier, void *data)
{
    (void)notifier;
    (void)data;
    if (qemu.runstate_is_running() && qemu.cpu_is_stopped(qemu.qemu_get_cpu(0))) {
        qemu.timer_mod_ns(&now, qemu.qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
    }
}

static void machine_changed(void *opaque, bool runs, int state)
{
    (void)opaque;
    (void)state;
    if (!runs && stop.state == ASKED) {
        stop.state = STOPPED;
    }
}

void stop_initialise(void)
{
    static struct qemu_notifier loop = {.notify = main_loop_turns};

    model_timer_initialise(&stop.timer, time_came, NULL);
    qemu.main_loop_poll_add_notifier(&loop);
    qemu.timer_init_full(&now, NULL, QEMU_CLOCK_VIRTUAL, SCALE_NS, 0, no_time_passed, NULL);
    qemu.qemu_add_vm_change_state_handler(machine_changed, NULL);
}

void stop_reset(void)
{
    stop.count = 0;
    stop.state = stop.runs++ == stop_wanted.run ? WAITS : IDLE;
    if (stop_wanted.ns && stop.state == WAITS) {
        model_timer_arm(&stop.timer, stop_wanted.ns);
    }
}

/* Is the instruction still counted? */
static bool counts(void)
{
    return stop.state == WAITS && (!stop_wanted.finding || probe->findings < stop_wanted.finding) &&
           (!stop_wanted.access || watch_accesses() < stop_wanted.access);
}

/* The CPU is about to execute the instruction, which has done nothing yet. */
static void on_instruction(unsigned int vcpu, void *opaque)
{
    (void)opaque;
    if (stop.state == STOPPED) {
        stop.state = IDLE;
        return; /* this is the time that it was stopped before */
    }
    if (counts()) {
        stop.count++;
        if (stop.count == stop_wanted.nth) {
            stop.state = ASKED;
            qemu.qemu_system_vmstop_request_prepare();
            qemu.qemu_system_vmstop_request(DEBUG);
        }
    }
    if (stop.state == ASKED) {
        qemu.cpu_loop_exit_restore(qemu.qemu_get_cpu((int)vcpu), (uintptr_t)__builtin_return_address(0));
    }
}

void stop_hook(struct qemu_plugin_insn *instruction, uint64_t pc)
{
    if (pc == stop_wanted.pc && pc) {
        qemu.qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_instruction, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
}

uint64_t stop_counted(void)
{
    return stop.count;
}
