/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/watch.h"

#include <stddef.h>
#include <unistd.h>

#include "memory/views.h"
#include "probe/probe.h"
#include "time/clock.h"

#define SAME_CHANGE(name) _Static_assert((int)CACHE_##name == (int)WATCH_##name, #name)
SAME_CHANGE(FILLED);
SAME_CHANGE(FILLED_AHEAD);
SAME_CHANGE(EVICTED);
SAME_CHANGE(WRITTEN_BACK);
SAME_CHANGE(FORCED_OUT);
SAME_CHANGE(CLEANED);
SAME_CHANGE(INVALIDATED);
SAME_CHANGE(CLEANED_INVALIDATED);
SAME_CHANGE(DEVICE_READ);
SAME_CHANGE(DEVICE_WRITTEN);

struct watch_wanted watch_wanted = {.fd = ~0ull};

static struct {
    uint64_t records, accesses, lost;
    uint64_t operation; /* pc of the maintenance that is under way */
    uint32_t last;      /* kind of the last record */
} watch;

static bool is_access(uint32_t kind)
{
    return kind >= WATCH_DEVICE_READ && kind <= WATCH_STORED;
}

static void record(struct watch_record one)
{
    size_t offset = watch_wanted.address - views.base;

    if (watch.records == WATCH_RECORDS) {
        watch.lost++;
        return;
    }
    one.time_ns = clock_time();
    one.after = probe->ring_head - probe->ring_reset;
    one.cpu = views.cpu[offset];
    one.dram = views.dram[offset];
    watch.last = one.kind;
    watch.records++;
    watch.accesses += is_access(one.kind);
    if (write((int)watch_wanted.fd, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
        watch.lost++;
    }
}

static bool reaches(uint64_t physical, unsigned int size)
{
    return physical < watch_wanted.address + watch_wanted.bytes && watch_wanted.address < physical + size;
}

/* ---- the cache and devices ---- */

static uint64_t pc_of(enum cache_change change)
{
    return change >= CACHE_CLEANED && change <= CACHE_CLEANED_INVALIDATED ? watch.operation : 0;
}

static void line_changed(void *opaque, const struct cache_watched *what)
{
    static const struct accessor nobody = {.channel = ACCESSOR_NO_CHANNEL};
    const struct accessor *by = what->access ? what->access : &nobody;
    uint64_t physical = views.base + what->offset;

    (void)opaque;
    if (!reaches(physical, what->size)) {
        return;
    }
    record((struct watch_record){
        .pc = pc_of(what->change),
        .address = physical,
        .microcode = by->microcode,
        .burst = by->burst,
        .kind = what->change,
        .size = what->size,
        .channel = by->channel,
        .before = what->before,
        .is_fetch = by->is_fetch,
    });
}

/* ---- the CPU ---- */

static void enter(void)
{
    views_lock();
    clock_enter_callback();
}

static void leave(void)
{
    clock_leave_callback();
    views_unlock();
}

static void accessed(uint64_t physical, unsigned int size, uint64_t pc, bool store)
{
    record((struct watch_record){
        .pc = pc,
        .address = physical,
        .kind = store ? WATCH_STORED : WATCH_LOADED,
        .size = size,
        .channel = ACCESSOR_NO_CHANNEL,
        .before = probe_lines()[(physical - views.base) / probe->line_size] & CACHE_LINE_BITS,
    });
}

static void on_access(qemu_plugin_meminfo_t info, uint64_t address, uint64_t pc, bool store)
{
    const struct qemu_plugin_hwaddr *found = qemu.qemu_plugin_get_hwaddr(info, address);
    uint64_t physical = found ? qemu.qemu_plugin_hwaddr_phys_addr(found) : 0;
    unsigned int size = 1u << (info >> 4 & 7);

    if (found && reaches(physical, size)) {
        enter();
        accessed(physical, size, pc, store);
        leave();
    }
}

static void on_load(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    (void)vcpu;
    on_access(info, address, (uintptr_t)pc, false);
}

static void on_store(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    (void)vcpu;
    on_access(info, address, (uintptr_t)pc, true);
}

void watch_zeroed(uint64_t physical, unsigned int size, uint64_t pc)
{
    if (reaches(physical, size)) {
        accessed(physical, size, pc, true);
    }
}

static void on_operation(unsigned int vcpu, void *pc)
{
    (void)vcpu;
    watch.operation = (uintptr_t)pc;
}

static void on_barrier(unsigned int vcpu, void *pc)
{
    (void)vcpu;
    enter();
    if (watch.last && watch.last != WATCH_BARRIER) {
        record((struct watch_record){
            .pc = (uintptr_t)pc,
            .address = watch_wanted.address,
            .kind = WATCH_BARRIER,
            .channel = ACCESSOR_NO_CHANNEL,
            .before = probe_lines()[(watch_wanted.address - views.base) / probe->line_size] & CACHE_LINE_BITS,
        });
    }
    leave();
}

void watch_hook_operation(struct qemu_plugin_insn *instruction, enum a64_kind kind, uint64_t pc)
{
    bool is_barrier = kind == A64_BARRIER || kind == A64_BARRIER_STORES;
    bool is_maintenance = (kind >= A64_CLEAN && kind <= A64_CLEAN_INVALIDATE) ||
                          (kind >= A64_CLEAN_SET_WAY && kind <= A64_CLEAN_INVALIDATE_SET_WAY);

    if (watch_wanted.bytes && (is_barrier || is_maintenance)) {
        qemu.qemu_plugin_register_vcpu_insn_exec_cb(instruction, is_barrier ? on_barrier : on_operation,
                                                    QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)pc);
    }
}

void watch_hook_access(struct qemu_plugin_insn *instruction, enum a64_kind kind, uint64_t pc)
{
    void *opaque = (void *)(uintptr_t)pc;

    if (watch_wanted.bytes && (kind == A64_OTHER || kind == A64_STORE_RELEASE)) {
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, on_load, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_R,
                                              opaque);
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, on_store, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W,
                                              opaque);
    }
}

/* ---- start and reset ---- */

bool watch_initialise(Error **errp)
{
    uint64_t room = probe->line_size - watch_wanted.address % probe->line_size;

    if (!watch_wanted.bytes) {
        return true;
    }
    if (!views.model || !views_has(watch_wanted.address)) {
        error_setg(errp, "watch-address=0x%llx: not in RAM, or view=none, where nothing can be watched",
                   (unsigned long long)watch_wanted.address);
        return false;
    }
    watch_wanted.bytes = watch_wanted.bytes < room ? watch_wanted.bytes : room;
    cache_model_watch(views.model, watch_wanted.address - views.base, line_changed);
    return true;
}

void watch_reset(void)
{
    watch.records = watch.accesses = watch.lost = watch.last = 0;
    if (watch_wanted.bytes) {
        (void)!ftruncate((int)watch_wanted.fd, 0);
        (void)lseek((int)watch_wanted.fd, 0, SEEK_SET);
    }
}

uint64_t watch_accesses(void)
{
    return watch.accesses;
}

uint64_t watch_lost(void)
{
    return watch.lost;
}
