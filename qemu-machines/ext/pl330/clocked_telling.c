/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked_telling.h"

#include "devices/alarm.h"
#include "engine/instruction.h"
#include "evidence/finding.h"
#include "memory/fault_range.h"
#include "memory/views.h"
#include "pl330/clocked_memory.h"
#include "pl330/clocked_state.h"
#include "pl330/trace.h"

enum { EVENT_SHIFT = 3 };

void clocked_record(enum probe_kind kind, uint32_t channel, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                    uint64_t e)
{
    if (clocked.runs) {
        clocked_look_back();
    }
    views_lock();
    probe_record(kind, channel, a, b, c, d, e);
    views_unlock();
}

void clocked_deliver(void)
{
    if (clocked.in_callback) {
        return;
    }
    for (uint32_t line = 0; clocked.owed >> line; line++) {
        if (clocked.owed >> line & 1) {
            qemu.qemu_set_irq(clocked.wiring.interrupts[line], clocked.levels >> line & 1);
        }
    }
    clocked.owed = 0;
    if (clocked.rings) {
        clocked.rings = false;
        alarm_ring();
    }
}

static void interrupt(void *opaque, uint32_t line, bool level)
{
    (void)opaque;
    clocked.levels = (clocked.levels & ~(1u << line)) | (uint32_t)level << line;
    clocked.owed |= 1u << line;
    clocked_deliver();
}

void clocked_stream_interrupt(bool level)
{
    interrupt(NULL, CLOCKED_STREAM_OUTPUT, level);
}

static void answer(void *opaque, uint32_t peripheral, enum engine_answer answered)
{
    (void)opaque;
    (void)answered;
    clocked_ask(peripheral);
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
    if (!trace_listens()) {
        trace_skipped(1);
        return;
    }
    clocked_look_back();
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

static bool listens(void *opaque)
{
    (void)opaque;
    return trace_listens();
}

static void skipped(void *opaque, uint64_t count)
{
    (void)opaque;
    trace_skipped(count);
}

/* A bus error that nobody has asked for is a finding as well. */
static void tell_bus_error(uint32_t n, const struct engine_thread *thread, uint64_t address)
{
    const struct accessor by = {.channel = n, .microcode = thread->pc, .burst = thread->bursts};
    bool is_fetch = (thread->fault & ENGINE_FAULT_FETCH) != 0;

    if (!fault_range_has(address, is_fetch ? INSTRUCTION_BYTES_MAX : clocked.failed_bytes)) {
        views_lock();
        finding_bus_error(address, (thread->fault & ENGINE_FAULT_WRITE) != 0, BUS_ERROR_FAULTED, &by);
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
        clocked_record(PROBE_CHANNEL_FAULT, n, thread.pc, thread.fault, thread.sar, thread.dar,
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
    clocked_record(PROBE_HELD, n, thread.pc, thread.bursts, thread.begun, 0, 0);
    clocked.rings = true;
    clocked_deliver();
}

#define SAME_KIND(engine, probe)                                                                               \
    _Static_assert(FINDING_MICROCODE_EARLY_EVENT + (int)(engine) == (int)(probe), #probe)
SAME_KIND(ENGINE_FINDING_EVENT_BEFORE_STORES, FINDING_MICROCODE_EARLY_EVENT);
SAME_KIND(ENGINE_FINDING_LOAD_BEFORE_STORE, FINDING_MICROCODE_EARLY_LOAD);
SAME_KIND(ENGINE_FINDING_UNUSED_REQUEST, FINDING_MICROCODE_UNUSED_REQUEST);
SAME_KIND(ENGINE_FINDING_OLD_REQUEST, FINDING_MICROCODE_OLD_REQUEST);
SAME_KIND(ENGINE_FINDING_FIFO_OVERCOMMITTED, FINDING_MICROCODE_FULL_FIFO);
SAME_KIND(ENGINE_FINDING_PROGRAM_CHANGED, FINDING_MICROCODE_CHANGED_PROGRAM);

static uint64_t code_at(uint32_t address)
{
    uint64_t code = 0;

    (void)clocked_glance(NULL, address, (uint8_t *)&code, INSTRUCTION_BYTES_MAX);
    return code;
}

static void found(void *opaque, const struct engine_finding *finding)
{
    struct accessor by = {
        .channel = finding->channel,
        .microcode = finding->microcode,
        .burst = engine_thread(clocked.engine, finding->channel).bursts,
    };

    (void)opaque;
    clocked_look_back();
    views_lock();
    finding_microcode((enum probe_finding_kind)(FINDING_MICROCODE_EARLY_EVENT + (int)finding->kind),
                      code_at(finding->microcode), finding->other, &by);
    views_unlock();
}

const struct engine_ops clocked_ops = {
    .fetch = clocked_fetch,
    .glance = clocked_glance,
    .look_at = clocked_look_at,
    .is_data = clocked_is_data,
    .read = clocked_read_burst,
    .write = clocked_write_burst,
    .interrupt = interrupt,
    .answer = answer,
    .issued = issued,
    .listens = listens,
    .skipped = skipped,
    .faulted = faulted,
    .held = held,
    .found = found,
};
