/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked.h"

#include <string.h>

#include "devices/alarm.h"
#include "engine/engine.h"
#include "engine/instruction.h"
#include "evidence/finding.h"
#include "memory/fault_range.h"
#include "memory/views.h"
#include "pl330/bus.h"
#include "pl330/trace.h"
#include "probe/probe.h"
#include "time/clock.h"

#define NS_PER_SECOND 1000000000ull
enum { PL330_SIZE = 0x1000, DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c };
enum { CLOCK_MIN = 1000, INTERVAL_MAX_NS = 1000000000, LOOK_CYCLES_MIN = 1000, STEP_CYCLES_MAX = 1000000 };
enum { DMAKILL = 0x01, EVENT_SHIFT = 3, PIECE = 64, WORD = 8, INSTRUCTION_MAX = 6 };

static struct {
    struct engine *engine;
    struct clocked_wiring wiring;
    uint64_t ahead; /* cycles that were executed while model time stood still */
    bool runs;      /* the engine: what it does must not bring it to now */
    struct model_timer wake;
    bool predicted;
    uint64_t wake_cycle;            /* as predicted */
    uint64_t look_cycles;           /* how far a prediction looks */
    bool asks[CLOCKED_PERIPHERALS]; /* each peripheral, now */
    struct order_starts starts[CLOCKED_CHANNELS];
    uint64_t interval_ns[CLOCKED_CHANNELS];
    uint64_t failed[CLOCKED_CHANNELS]; /* the address of its last bus error, */
    uint32_t failed_bytes;             /* and how many bytes it was of */
    uint32_t debug[2];                 /* DBGINST0, DBGINST1 */
} clocked;

/* ---- cycles and nanoseconds ---- */

static uint64_t cycle_of(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * clocked.wiring.clock_hz / NS_PER_SECOND) + clocked.ahead;
}

/* The first nanosecond in which the cycle has been reached. */
static uint64_t ns_of(uint64_t cycle)
{
    unsigned __int128 cycles = cycle > clocked.ahead ? cycle - clocked.ahead : 0;

    return (uint64_t)((cycles * NS_PER_SECOND + clocked.wiring.clock_hz - 1) / clocked.wiring.clock_hz);
}

/* ---- memory ---- */

static struct accessor accessor_of(const struct engine_burst *burst)
{
    return (struct accessor){
        .channel = burst->channel,
        .microcode = burst->microcode,
        .burst = burst->number,
        .starts = &clocked.starts[burst->channel],
    };
}

static bool access_piece(uint32_t address, uint8_t *data, uint32_t bytes, bool is_write, struct accessor *by)
{
    clock_look_back(ns_of(engine_now(clocked.engine)));
    return !bus_access(address, data, bytes, is_write, by);
}

/* In memory, a line at a time; to a device, beat by beat. */
static uint32_t piece_at(const struct engine_burst *burst, uint32_t address)
{
    bool memory = burst->increments && views_has(address);
    uint32_t size = memory && burst->size < PIECE ? PIECE : burst->size > WORD ? WORD : burst->size;

    return size - (address & (size - 1));
}

static bool access(const struct engine_burst *burst, uint8_t *data, bool is_write)
{
    struct accessor by = accessor_of(burst);
    uint32_t address = burst->address;

    for (uint32_t done = 0; done < burst->bytes;) {
        uint32_t piece = piece_at(burst, address), rest = burst->bytes - done;

        piece = piece < rest ? piece : rest;
        if (!access_piece(address, data + done, piece, is_write, &by)) {
            clocked.failed[burst->channel] = address;
            clocked.failed_bytes = piece;
            return false;
        }
        done += piece;
        address += burst->increments ? piece : 0;
    }
    return true;
}

static bool read_burst(void *opaque, const struct engine_burst *burst, uint8_t *data)
{
    (void)opaque;
    return access(burst, data, false);
}

static bool write_burst(void *opaque, const struct engine_burst *burst, const uint8_t *data)
{
    (void)opaque;
    return access(burst, (uint8_t *)(uintptr_t)data, true);
}

static bool is_faulty(void *opaque, const struct engine_burst *burst)
{
    (void)opaque;
    return bus_is_faulty(burst->address, burst->increments ? burst->bytes : burst->size);
}

static bool fetch(void *opaque, uint32_t thread, uint32_t address, uint8_t *code, uint32_t bytes)
{
    struct accessor by = {
        .channel = thread,
        .microcode = address,
        .burst = engine_thread(clocked.engine, thread).bursts,
        .starts = &clocked.starts[thread],
    };

    (void)opaque;
    if (views_has(address)) {
        return access_piece(address, code, bytes, false, &by);
    }
    for (uint32_t done = 0; done < bytes; done += WORD / 2) {
        if (!access_piece(address + done, code + done, WORD / 2, false, &by)) {
            return false;
        }
    }
    return true;
}

static bool glance(void *opaque, uint32_t address, uint8_t *code, uint32_t bytes)
{
    (void)opaque;
    if (!views_has(address) || !views_has(address + bytes - 1) || bus_is_faulty(address, bytes)) {
        return false;
    }
    memcpy(code, views.dram + (address - views.base), bytes);
    return true;
}

/* ---- what it tells ---- */

static void record(enum probe_kind kind, uint32_t channel, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e)
{
    if (clocked.runs) {
        clock_look_back(ns_of(engine_now(clocked.engine)));
    }
    views_lock();
    probe_record(kind, channel, a, b, c, d, e);
    views_unlock();
}

static void interrupt(void *opaque, uint32_t line, bool level)
{
    (void)opaque;
    qemu.qemu_set_irq(clocked.wiring.interrupts[line], level);
}

static void answer(void *opaque, uint32_t peripheral, enum engine_answer answered)
{
    (void)opaque;
    (void)answered;
    engine_request(clocked.engine, peripheral,
                   clocked.asks[peripheral] ? ENGINE_REQUEST_BURST : ENGINE_REQUEST_NONE, false);
}

static bool interrupts_cpu(const uint8_t *code)
{
    enum { INTEN = 0x020 };

    return instructions[code[0]].operation == OPERATION_SEND_EVENT &&
           (engine_register_read(clocked.engine, INTEN, false) >> (code[1] >> EVENT_SHIFT) & 1);
}

static void issued(void *opaque, uint32_t thread, uint32_t pc, const uint8_t *code,
                   const struct engine_burst *burst)
{
    (void)opaque;
    clock_look_back(ns_of(engine_now(clocked.engine)));
    trace_instruction(&(struct trace_instruction){
        .channel = thread,
        .at = pc,
        .code = code,
        .length = instructions[code[0]].length,
        .address = burst ? burst->address : 0,
        .bytes = burst ? burst->bytes : 0,
        .interrupts = interrupts_cpu(code),
    });
}

/* A bus error that nobody has asked for is a finding as well. */
static void tell_bus_error(uint32_t n, const struct engine_thread *thread, uint64_t address)
{
    const struct accessor by = {.channel = n, .microcode = thread->pc, .burst = thread->bursts};
    bool is_fetch = (thread->fault & ENGINE_FAULT_FETCH) != 0;

    if (!fault_range_has(address, is_fetch ? INSTRUCTION_MAX : clocked.failed_bytes)) {
        views_lock();
        finding_bus_error(address, (thread->fault & ENGINE_FAULT_WRITE) != 0, true, &by);
        views_unlock();
    }
}

static void faulted(void *opaque, uint32_t n)
{
    struct engine_thread thread = engine_thread(clocked.engine, n);
    bool is_bus_error = (thread.fault & (ENGINE_FAULT_FETCH | ENGINE_FAULT_WRITE | ENGINE_FAULT_READ)) != 0;
    uint64_t address = (thread.fault & ENGINE_FAULT_FETCH) != 0 ? thread.pc : clocked.failed[n];

    (void)opaque;
    if (n != ENGINE_MANAGER) {
        record(PROBE_CHANNEL_FAULT, n, thread.pc, thread.fault, thread.sar, thread.dar,
               is_bus_error ? address : 0);
    }
    if (n != ENGINE_MANAGER && is_bus_error) {
        tell_bus_error(n, &thread, address);
    }
}

static void held(void *opaque, uint32_t n)
{
    struct engine_thread thread = engine_thread(clocked.engine, n);

    (void)opaque;
    record(PROBE_HELD, n, thread.pc, thread.bursts, thread.begun, 0, 0);
    alarm_ring();
}

#define SAME_KIND(engine, probe)                                                                               \
    _Static_assert(FINDING_MICROCODE_EARLY_EVENT + (int)(engine) == (int)(probe), #probe)
SAME_KIND(ENGINE_FINDING_EVENT_BEFORE_STORES, FINDING_MICROCODE_EARLY_EVENT);
SAME_KIND(ENGINE_FINDING_LOAD_BEFORE_STORE, FINDING_MICROCODE_EARLY_LOAD);
SAME_KIND(ENGINE_FINDING_UNUSED_REQUEST, FINDING_MICROCODE_UNUSED_REQUEST);
SAME_KIND(ENGINE_FINDING_OLD_REQUEST, FINDING_MICROCODE_OLD_REQUEST);
SAME_KIND(ENGINE_FINDING_FIFO_OVERCOMMITTED, FINDING_MICROCODE_FULL_FIFO);

static void found(void *opaque, const struct engine_finding *finding)
{
    struct accessor by = {
        .channel = finding->channel,
        .microcode = finding->microcode,
        .burst = engine_thread(clocked.engine, finding->channel).bursts,
    };

    (void)opaque;
    clock_look_back(ns_of(engine_now(clocked.engine)));
    views_lock();
    finding_microcode((enum probe_finding_kind)(FINDING_MICROCODE_EARLY_EVENT + (int)finding->kind),
                      finding->other, &by);
    views_unlock();
}

static const struct engine_ops ops = {
    .fetch = fetch,
    .glance = glance,
    .is_faulty = is_faulty,
    .read = read_burst,
    .write = write_burst,
    .interrupt = interrupt,
    .answer = answer,
    .issued = issued,
    .faulted = faulted,
    .held = held,
    .found = found,
};

/* ---- time ---- */

static void run_to(uint64_t cycle)
{
    clocked.runs = true;
    engine_run(clocked.engine, cycle);
    clocked.runs = false;
    clock_look_ahead();
}

/* Set the timer for what comes next. */
static void look_ahead(void)
{
    uint64_t now = engine_now(clocked.engine);
    uint64_t visible =
        (uint64_t)((unsigned __int128)CLOCKED_VISIBLE_NS * clocked.wiring.clock_hz / NS_PER_SECOND) + 1;

    if (!clocked.predicted || clocked.wake_cycle <= now) {
        clocked.look_cycles = clocked.look_cycles < visible / 2 ? 2 * clocked.look_cycles : visible;
        clocked.wake_cycle = engine_predict(clocked.engine, now + clocked.look_cycles).cycle;
        clocked.predicted = true;
    }
    if (clocked.wake_cycle != ENGINE_NEVER) {
        model_timer_arm(&clocked.wake, ns_of(clocked.wake_cycle));
    } else if (engine_next(clocked.engine) != ENGINE_NEVER) { /* it ends, or waits, and nobody is told */
        model_timer_arm(&clocked.wake, ns_of(now + visible));
    } else if (clocked.wake.armed) {
        model_timer_disarm(&clocked.wake);
    }
}

static void catch_up(void)
{
    uint64_t now, due;

    if (clocked.runs) {
        return;
    }
    now = clock_time();
    for (due = stream_due(now); due != UINT64_MAX; due = stream_due(now)) {
        run_to(cycle_of(due));
        clocked.runs = true;
        clock_look_back(due);
        stream_move();
        clocked.runs = false;
        clock_look_ahead();
    }
    run_to(cycle_of(now));
    look_ahead();
}

/* What was predicted does not hold any more. */
static void look_anew(void)
{
    clocked.predicted = false;
    clocked.look_cycles = LOOK_CYCLES_MIN / 2;
    if (!clocked.runs) {
        look_ahead();
    }
}

static void wake(void *opaque)
{
    (void)opaque;
    catch_up();
}

/* ---- peripherals ---- */

static void request(enum stream_line line, bool asks)
{
    if (clocked.asks[line] != asks) {
        clocked.asks[line] = asks;
        engine_request(clocked.engine, line, asks ? ENGINE_REQUEST_BURST : ENGINE_REQUEST_NONE, false);
        clocked.predicted &= !asks; /* without it, less happens than was predicted */
        if (!clocked.runs) {
            look_ahead();
        }
    }
}

const struct stream_server clocked_stream_server = {request, catch_up};

/* ---- registers ---- */

static uint64_t register_read(void *opaque, hwaddr offset, unsigned int size)
{
    (void)opaque;
    (void)size;
    catch_up();
    return engine_register_read(clocked.engine, (uint32_t)offset, false);
}

/* The debug interface is about to execute an instruction. */
static void note_command(void)
{
    uint8_t opcode = (uint8_t)(clocked.debug[0] >> 16);
    bool by_channel = clocked.debug[0] & 1;
    uint32_t n = (by_channel ? clocked.debug[0] >> 8 : clocked.debug[0] >> 24) & (CLOCKED_CHANNELS - 1);

    if (!by_channel && instructions[opcode].operation == OPERATION_GO) {
        if (engine_thread(clocked.engine, n).state == STATE_STOPPED) {
            views_device_started(&clocked.starts[n], false);
        }
        record(PROBE_DMAGO, n, clocked.debug[1], 0, 0, 0, 0);
    } else if (by_channel && opcode == DMAKILL) {
        record(PROBE_DMAKILL, n, engine_thread(clocked.engine, n).pc, 0, 0, 0, 0);
    }
}

static void register_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    (void)size;
    catch_up();
    if (offset == DBGINST0 || offset == DBGINST1) {
        clocked.debug[offset == DBGINST1] = (uint32_t)value;
    } else if (offset == DBGCMD && !(value & 3)) {
        note_command();
    }
    engine_register_write(clocked.engine, (uint32_t)offset, (uint32_t)value, false);
    look_anew();
}

static const MemoryRegionOps register_ops = {
    .read = register_read,
    .write = register_write,
    .endianness = 2,
    .valid = {4, 4, false, NULL},
    .impl = {4, 4, false},
};

/* ---- set-up ---- */

static const struct engine_config config = {
    .channels = CLOCKED_CHANNELS,
    .peripherals = CLOCKED_PERIPHERALS,
    .events = CLOCKED_EVENTS,
    .bus_bytes = 8,
    .read_capacity = 8,
    .write_capacity = 8,
    .read_queue = 16,
    .write_queue = 16,
    .cache_line = 32,
    .cache_lines = 8,
    .revision = 2,
    .fifo_lines = 256,
    .latency = 8,
};

static void ask_on_tied_lines(void)
{
    for (uint32_t line = 0; line < CLOCKED_PERIPHERALS; line++) {
        clocked.asks[line] = clocked.wiring.tied >> line & 1;
        engine_request(clocked.engine, line, clocked.asks[line] ? ENGINE_REQUEST_BURST : ENGINE_REQUEST_NONE,
                       false);
    }
}

MemoryRegion *clocked_initialise(const struct clocked_wiring *wiring, Error **errp)
{
    static QemuRegion registers;

    if (wiring->clock_hz < CLOCK_MIN || wiring->clock_hz > NS_PER_SECOND) {
        error_setg(errp, "pl330-clock-hz=%llu: 1000 to 1000000000, such as 200000000",
                   (unsigned long long)wiring->clock_hz);
        return NULL;
    }
    clocked.wiring = *wiring;
    clocked.engine = engine_new(&config, &ops, NULL);
    ask_on_tied_lines();
    model_timer_initialise(&clocked.wake, wake, NULL);
    qemu.memory_region_init_io(region(&registers), NULL, &register_ops, NULL, "dmav3-pl330", PL330_SIZE);
    return region(&registers);
}

static void reset(void)
{
    engine_reset(clocked.engine);
    ask_on_tied_lines();
    clocked.ahead = 0;
    clocked.predicted = false;
    memset(clocked.debug, 0, sizeof(clocked.debug));
    memset(clocked.starts, 0, sizeof(clocked.starts));
    trace_reset();
}

/* ---- properties of a channel ---- */

static uint32_t held_channels(void)
{
    uint32_t channels = 0;

    catch_up();
    for (uint32_t n = 0; n < CLOCKED_CHANNELS; n++) {
        channels |= (uint32_t)engine_thread(clocked.engine, n).held << n;
    }
    return channels;
}

static uint64_t burst_interval_ns(uint32_t n)
{
    return clocked.interval_ns[n];
}

static bool set_burst_interval_ns(uint32_t n, uint64_t value, Error **errp)
{
    if (value > INTERVAL_MAX_NS) {
        error_setg(errp, "burst-interval-ns=%llu: at most one second, such as 1000", (unsigned long long)value);
        return false;
    }
    catch_up();
    clocked.interval_ns[n] = value;
    engine_hold(clocked.engine, n)->pause_cycles =
        (value * clocked.wiring.clock_hz + NS_PER_SECOND - 1) / NS_PER_SECOND;
    look_anew();
    return true;
}

/* A channel that has come past a place cannot be held there. `done`: where a running one is. */
static bool set_place(uint64_t *place, uint32_t n, const char *name, uint64_t value, uint64_t done,
                      Error **errp)
{
    if (value > INT64_MAX) { /* a negative number, as QEMU passes it on */
        error_setg(errp, "%s=%lld: 0 or more", name, (long long)value);
        return false;
    }
    if (value && value <= done && engine_thread(clocked.engine, n).state != STATE_STOPPED) {
        error_setg(errp, "%s=%llu: channel %u has come to %llu already", name, (unsigned long long)value, n,
                   (unsigned long long)done);
        return false;
    }
    *place = value;
    look_anew();
    return true;
}

static uint64_t hold_at_burst(uint32_t n)
{
    catch_up();
    return engine_hold(clocked.engine, n)->at_burst;
}

static bool set_hold_at_burst(uint32_t n, uint64_t value, Error **errp)
{
    struct engine_thread thread;

    catch_up();
    thread = engine_thread(clocked.engine, n);
    return set_place(&engine_hold(clocked.engine, n)->at_burst, n, "hold-at-burst", value,
                     thread.bursts + thread.held, errp);
}

static uint64_t hold_at_byte(uint32_t n)
{
    catch_up();
    return engine_hold(clocked.engine, n)->at_byte;
}

static bool set_hold_at_byte(uint32_t n, uint64_t value, Error **errp)
{
    catch_up();
    return set_place(&engine_hold(clocked.engine, n)->at_byte, n, "hold-at-byte", value,
                     engine_thread(clocked.engine, n).begun, errp);
}

static uint64_t is_held(uint32_t n)
{
    catch_up();
    return engine_thread(clocked.engine, n).held;
}

static bool may_go_on(uint32_t n, const char *name, uint64_t value, Error **errp)
{
    if (value != 1) {
        error_setg(errp, "%s=%llu: 1", name, (unsigned long long)value);
        return false;
    }
    if (!is_held(n)) {
        error_setg(errp, "%s=1: channel %u is not held", name, n);
        return false;
    }
    return true;
}

/* Execute up to the next hold, in no time; but what could interrupt the CPU waits until time passes. */
static void run_ahead(uint32_t n)
{
    uint64_t start = engine_now(clocked.engine);

    while (!engine_thread(clocked.engine, n).held && engine_next(clocked.engine) != ENGINE_NEVER &&
           engine_now(clocked.engine) - start < STEP_CYCLES_MAX) {
        struct engine_prediction next =
            engine_predict(clocked.engine, engine_now(clocked.engine) + LOOK_CYCLES_MIN);

        if (next.cycle == ENGINE_NEVER) {
            next.cycle = engine_now(clocked.engine) + LOOK_CYCLES_MIN;
        }
        run_to(next.cycle - next.interrupts);
        if (next.interrupts) {
            break;
        }
    }
    clocked.ahead += engine_now(clocked.engine) - start;
}

static bool step(uint32_t n, uint64_t value, Error **errp)
{
    if (!may_go_on(n, "step", value, errp)) {
        return false;
    }
    engine_let_go(clocked.engine, n, 1);
    if (!clock_runs()) {
        run_ahead(n);
    }
    look_anew();
    return true;
}

static bool release(uint32_t n, uint64_t value, Error **errp)
{
    if (!may_go_on(n, "release", value, errp)) {
        return false;
    }
    engine_let_go(clocked.engine, n, 0);
    look_anew();
    return true;
}

const struct controller clocked_controller = {
    .reset = reset,
    .catch_up = catch_up,
    .held_channels = held_channels,
    .get = {[CONTROL_BURST_INTERVAL_NS] = burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = hold_at_byte,
            [CONTROL_HELD] = is_held},
    .set = {[CONTROL_BURST_INTERVAL_NS] = set_burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = set_hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = set_hold_at_byte,
            [CONTROL_STEP] = step,
            [CONTROL_RELEASE] = release},
};
