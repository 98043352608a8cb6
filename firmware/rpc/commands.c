/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the board itself: who it is, time, levels, memory. */
#include "rpc/shell.h"

#include <wdm_dma.h>

#include "boot/memlayout.h"
#include "hal/alarm.h"
#include "hal/cache.h"
#include "hal/cpu.h"
#include "hal/ident.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "hal/string.h"

static const char no_memory[] = "MEMORY not mapped";

/* ---- who ---- */

extern const uint8_t __build_id_start[], __build_id_end[];

enum { BUILD_ID_NOTE_HEADER = 16, BUILD_ID_BYTES = 8 };

static const char *run_hello(struct rpc_call *call)
{
    uint64_t build = 0;

    for (unsigned int i = 0; i < BUILD_ID_BYTES; i++) {
        build = build << 8 | __build_id_start[BUILD_ID_NOTE_HEADER + i];
    }
    frame_append_pair(call->reply, "level", RPC_LEVEL);
    frame_append_pair(call->reply, "build", build);
    frame_append_pair(call->reply, "nonce", ident_nonce());
    frame_append_pair(call->reply, "features", ident_features());
    return NULL;
}
RPC_COMMAND(hello, "", 0, 0, run_hello);

static const char *run_ping(struct rpc_call *call)
{
    (void)call;
    return NULL;
}
RPC_COMMAND(ping, "", 0, 0, run_ping);

/* ---- time and levels ---- */

enum { WAIT_MAX_S = 3600, POLL_MAX_S = 1 };
#define NS_A_SECOND 1000000000ull

/* Look with interrupts masked and the alarm set: what comes from then on ends the sleep. */
BOOLEAN dmav3_wait(ULONGLONG nanoseconds, DMAV3_CONDITION *ended, PVOID context)
{
    struct alarm alarm = {.ring = alarm_wake};
    uint64_t deadline = ident_time() + nanoseconds, state;
    bool has_ended, late, has_run;

    do {
        state = irq_save();
        has_run = rpc_run_others();
        alarm_set(&alarm, deadline);
        has_ended = ended(context);
        late = ident_time() >= deadline;
        if (!has_ended && !late && !has_run) {
            cpu_sleep();
        }
        irq_restore(state);
    } while (!has_ended && !late);
    (void)alarm_cancel(&alarm);
    return has_ended;
}

/* Has what the request waits for happened since it came? */
static BOOLEAN has_happened(PVOID context)
{
    const struct rpc_call *call = context;
    const char *event = call->arguments > 1 ? call->word[1] : "";

    return (strcmp(event, "irq") == 0 && irq_count() != call->interrupts) ||
           (strcmp(event, "callback") == 0 && rpc_callbacks() != call->callbacks) ||
           (strcmp(event, "held") == 0 && ident_held());
}

static const char *run_wait(struct rpc_call *call)
{
    const char *event = call->arguments > 1 ? call->word[1] : "";
    bool known = strcmp(event, "irq") == 0 || strcmp(event, "callback") == 0 || strcmp(event, "held") == 0;

    if (call->argument[0] > WAIT_MAX_S * NS_A_SECOND) {
        return "ARGUMENT at most an hour, 3600000000000 ns";
    }
    if (*event && !known) {
        return "ARGUMENT wait for irq, callback or held";
    }
    if (KeGetCurrentIrql() >= DISPATCH_LEVEL && strcmp(event, "callback") == 0) {
        return "EIRQL no callback runs at DISPATCH_LEVEL or above";
    }
    frame_append(call->reply, " ended=");
    frame_append(call->reply, dmav3_wait(call->argument[0], has_happened, call) ? event : "time");
    frame_append_pair(call->reply, "time", ident_time());
    return NULL;
}
RPC_COMMAND(wait, "nanoseconds [irq|callback|held]", 1, 2, run_wait);

static const char *run_KeGetCurrentIrql(struct rpc_call *call)
{
    frame_append_pair(call->reply, "irql", KeGetCurrentIrql());
    return NULL;
}
RPC_COMMAND(KeGetCurrentIrql, "", 0, 0, run_KeGetCurrentIrql);

static const char *run_KeRaiseIrql(struct rpc_call *call)
{
    KIRQL old;

    if (call->argument[0] > UINT8_MAX || call->argument[0] < KeGetCurrentIrql()) {
        return "EIRQL the level can only be raised";
    }
    KeRaiseIrql((KIRQL)call->argument[0], &old);
    frame_append_pair(call->reply, "irql", old);
    return NULL;
}
RPC_COMMAND(KeRaiseIrql, "level", 1, 1, run_KeRaiseIrql);

static const char *run_KeLowerIrql(struct rpc_call *call)
{
    KIRQL old = KeGetCurrentIrql();

    if (call->argument[0] > old) {
        return "EIRQL the level can only be lowered";
    }
    KeLowerIrql((KIRQL)call->argument[0]);
    frame_append_pair(call->reply, "irql", old);
    return NULL;
}
RPC_COMMAND(KeLowerIrql, "level", 1, 1, run_KeLowerIrql);

/* ---- memory ---- */

static const char *run_allocate(struct rpc_call *call)
{
    void *block = memory_allocate((size_t)call->argument[0]);

    if (!block) {
        return "MEMORY the heap has no block of that size";
    }
    frame_append_pair(call->reply, "address", (uintptr_t)block);
    return NULL;
}
RPC_COMMAND(allocate, "bytes", 1, 1, run_allocate);

static const char *run_release(struct rpc_call *call)
{
    memory_release((void *)(uintptr_t)call->argument[0]);
    return NULL;
}
RPC_COMMAND(release, "address", 1, 1, run_release);

static const char *run_copy(struct rpc_call *call)
{
    uintptr_t to = (uintptr_t)call->argument[0], from = (uintptr_t)call->argument[1];
    size_t size = (size_t)call->argument[2];

    if (!memory_is_mapped(to, size) || !memory_is_mapped(from, size)) {
        return no_memory;
    }
    memcpy((void *)to, (const void *)from, size);
    return NULL;
}
RPC_COMMAND(copy, "to from bytes", 3, 3, run_copy);

static const char *run_fill(struct rpc_call *call)
{
    uintptr_t to = (uintptr_t)call->argument[0];
    size_t size = (size_t)call->argument[1];

    if (call->argument[2] > UINT8_MAX) {
        return "ARGUMENT a byte is 0 to 255";
    }
    if (!memory_is_mapped(to, size)) {
        return no_memory;
    }
    memset((void *)to, (int)call->argument[2], size);
    return NULL;
}
RPC_COMMAND(fill, "address bytes byte", 3, 3, run_fill);

/* Maintenance by hand, with its barriers; the layer's own is inside the routines. */
static const char *maintain(struct rpc_call *call, void (*operation)(uintptr_t address, size_t size))
{
    if (!memory_is_mapped((uintptr_t)call->argument[0], (size_t)call->argument[1])) {
        return no_memory;
    }
    barrier_sync();
    operation((uintptr_t)call->argument[0], (size_t)call->argument[1]);
    barrier_sync();
    return NULL;
}

static const char *run_clean(struct rpc_call *call)
{
    return maintain(call, cache_clean);
}
RPC_COMMAND(clean, "address bytes", 2, 2, run_clean);

static const char *run_invalidate(struct rpc_call *call)
{
    if ((call->argument[0] | call->argument[1]) % cache_line_size()) {
        return "ARGUMENT address and bytes must be whole lines, multiples of 64";
    }
    return maintain(call, cache_invalidate);
}
RPC_COMMAND(invalidate, "address bytes", 2, 2, run_invalidate);

static const char *run_clean_invalidate(struct rpc_call *call)
{
    return maintain(call, cache_clean_invalidate);
}
RPC_COMMAND(clean_invalidate, "address bytes", 2, 2, run_clean_invalidate);

static const char *check_access(uintptr_t address, uint64_t bits)
{
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64) {
        return "ARGUMENT bits: 8, 16, 32 or 64";
    }
    if (address % (bits / 8)) {
        return "ARGUMENT the address is not aligned to the access";
    }
    return memory_is_mapped(address, bits / 8) ? NULL : no_memory;
}

static uint64_t load(uintptr_t address, uint64_t bits)
{
    switch (bits) {
    case 8:
        return *(volatile const uint8_t *)address;
    case 16:
        return *(volatile const uint16_t *)address;
    case 32:
        return *(volatile const uint32_t *)address;
    default:
        return *(volatile const uint64_t *)address;
    }
}

static void store(uintptr_t address, uint64_t bits, uint64_t value)
{
    switch (bits) {
    case 8:
        *(volatile uint8_t *)address = (uint8_t)value;
        break;
    case 16:
        *(volatile uint16_t *)address = (uint16_t)value;
        break;
    case 32:
        *(volatile uint32_t *)address = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)address = value;
    }
}

static const char *run_peek(struct rpc_call *call)
{
    const char *error = check_access((uintptr_t)call->argument[0], call->argument[1]);

    if (!error) {
        frame_append_pair(call->reply, "value", load((uintptr_t)call->argument[0], call->argument[1]));
    }
    return error;
}
RPC_COMMAND(peek, "address bits", 2, 2, run_peek);

/* Load again and again, with nothing between that orders the loads. */
static const char *run_poll(struct rpc_call *call)
{
    uintptr_t address = (uintptr_t)call->argument[0];
    uint64_t bits = call->argument[1], mask = call->argument[2], wanted = call->argument[3], value;
    uint64_t deadline = ident_time() + call->argument[4];
    const char *error = check_access(address, bits);

    if (error) {
        return error;
    }
    if (call->argument[4] > POLL_MAX_S * NS_A_SECOND) {
        return "ARGUMENT at most a second, 1000000000 ns";
    }
    do {
        value = load(address, bits);
    } while ((value & mask) != wanted && ident_time() < deadline);
    frame_append_pair(call->reply, "value", value);
    return NULL;
}
RPC_COMMAND(peek_until, "address bits mask value nanoseconds", 5, 5, run_poll);

/* Values behind the first go to the addresses behind it. */
static const char *run_poke(struct rpc_call *call)
{
    uintptr_t address = (uintptr_t)call->argument[0];
    uint64_t bits = call->argument[1];
    unsigned int count = call->arguments - 2;
    const char *error = check_access(address, bits);

    if (!error && !memory_is_mapped(address, count * bits / 8)) {
        error = no_memory;
    }
    for (unsigned int i = 0; !error && i < count; i++) {
        store(address + i * bits / 8, bits, call->argument[2 + i]);
    }
    return error;
}
RPC_COMMAND(poke, "address bits value...", 3, RPC_ARGUMENTS_MAX, run_poke);
