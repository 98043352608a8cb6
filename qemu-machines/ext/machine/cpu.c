/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tables make the common access cheap and lose nothing:
 *
 *   pages  what a virtual page is (where in RAM, cacheable or not), from QEMU's own TLB; emptied by
 *          everything that changes translation
 *   lines  every resident line that was accessed through some virtual address, with what the model
 *          allows without asking (struct cache_shortcut). An entry goes when the model changes the
 *          line. A line of RAM is in one entry at most, so that it can be found.
 *
 * A memory callback comes after the access. For cacheable memory that does no harm, because an
 * invalid line has the same bytes in both views.
 */
#include "machine/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/history.h"
#include "evidence/oplog.h"
#include "memory/views.h"
#include "model/a64_decode.h"
#include "probe/probe.h"
#include "time/clock.h"

#define HOT __attribute__((hot))

enum { LINES = 1024, PAGES = 512, PAGE_SHIFT = 12, LINE_MASK = 31 /* smallest line - 1 */ };
enum { SCTLR_C = 1 << 2, PHYS_ADDR_AT = 8, PTE_ATTRS_AT = 30 };
#define NO_KEY (~0ull)

struct line_entry {
    uint64_t load_key, store_key; /* virtual line and MMU index, or NO_KEY */
    struct cache_shortcut shortcut;
    uint64_t *origins; /* history_origins() of the line */
};

struct page_entry {
    uint64_t key;
    uint64_t offset; /* of the page in RAM */
    enum { NOT_RAM, UNCACHED, CACHED } kind;
};

static struct line_entry lines[LINES];
static struct page_entry pages[PAGES];
static uint16_t *line_entry_of; /* a line of RAM: its entry in `lines`, plus 1 */
static unsigned int line_shift;
static struct board_cache cache;
static void *cpu_env;
static struct qemu_plugin_register *x_register[31];

static void enter_callback(void)
{
    views_lock();
    clock_enter_callback();
}

static void leave_callback(void)
{
    clock_leave_callback();
    views_unlock();
}

/* ---- what a virtual address is ---- */

static uint64_t key_of(uint64_t address, unsigned int shift, unsigned int mmu_index)
{
    return address >> shift << 4 | mmu_index;
}

static void forget_line_entry(struct line_entry *entry)
{
    __atomic_store_n(&entry->load_key, NO_KEY, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->store_key, NO_KEY, __ATOMIC_RELAXED);
}

void cpu_line_changed(size_t line)
{
    if (line_entry_of[line]) {
        forget_line_entry(&lines[line_entry_of[line] - 1]);
        line_entry_of[line] = 0;
    }
}

void cpu_reset(const struct board_cache *modelled)
{
    cache = *modelled;
    line_shift = (unsigned int)__builtin_ctz(probe->line_size);
    if (!line_entry_of) {
        line_entry_of = calloc(views.size >> line_shift, sizeof(*line_entry_of));
    }
    for (size_t i = 0; i < LINES; i++) {
        forget_line_entry(&lines[i]);
    }
    for (size_t i = 0; i < PAGES; i++) {
        pages[i].key = NO_KEY;
    }
}

/* MAIR attribute bytes of Normal write-back memory: both halves 0b01xx (not 0b0100) or 0b11xx.
 * Write-through is treated as non-cacheable, as the A53's L2 does. */
static bool is_write_back(uint8_t attributes)
{
    uint8_t outer = attributes >> 4;

    return outer > 0xb || (outer > 4 && outer < 8);
}

static _Noreturn void die(const char *why)
{
    qemu.error_report("dmav3: %s", why);
    exit(1);
}

/* Ask QEMU's TLB. `checked`: the physical address that the plugin interface gives for the same
 * access, to be sure of the private layout that is read here. */
static void look_up(struct page_entry *page, uint64_t address, unsigned int mmu_index, const uint64_t *checked)
{
    void *host = NULL;
    uint8_t *full = NULL;
    uint64_t physical;
    int flags =
        qemu.probe_access_full_mmu(cpu_env, address, 0, MMU_DATA_LOAD, (int)mmu_index, &host, (void **)&full);

    page->key = key_of(address, PAGE_SHIFT, mmu_index);
    page->kind = NOT_RAM;
    if (flags & TLB_INVALID) {
        page->key = NO_KEY;
        return;
    }
    memcpy(&physical, full + PHYS_ADDR_AT, sizeof(physical));
    physical = physical >> PAGE_SHIFT << PAGE_SHIFT;
    if (checked && physical != *checked >> PAGE_SHIFT << PAGE_SHIFT) {
        die("this QEMU lays out its TLB in another way than the extension knows (CPUTLBEntryFull.phys_addr)");
    }
    if (views_has(physical)) {
        bool cached = is_write_back(full[PTE_ATTRS_AT]) && (qemu.arm_sctlr(cpu_env, 1) & SCTLR_C);

        page->offset = physical - views.base;
        page->kind = cached ? CACHED : UNCACHED;
        if (cached) {
            cache_model_page_cacheable(views.model, page->offset);
        }
    }
}

static const struct page_entry *page_of(uint64_t address, unsigned int mmu_index, const uint64_t *checked)
{
    struct page_entry *page = &pages[(address >> PAGE_SHIFT) % PAGES];

    if (page->key != key_of(address, PAGE_SHIFT, mmu_index)) {
        look_up(page, address, mmu_index, checked);
    }
    return page;
}

/* ---- loads and stores ---- */

static void remember(uint64_t address, unsigned int mmu_index, const struct cache_shortcut *shortcut)
{
    uint64_t key = key_of(address, line_shift, mmu_index);
    struct line_entry *entry = &lines[(address >> line_shift) % LINES];

    cpu_line_changed(shortcut->line);
    if (entry->load_key != NO_KEY || entry->store_key != NO_KEY) {
        line_entry_of[entry->shortcut.line] = 0;
    }
    entry->shortcut = *shortcut;
    entry->origins = history_origins(views.base + ((uint64_t)shortcut->line << line_shift));
    entry->load_key = shortcut->readable ? key : NO_KEY;
    entry->store_key = shortcut->writable ? key : NO_KEY;
    if (shortcut->readable || shortcut->writable) {
        line_entry_of[shortcut->line] = (uint16_t)(entry - lines + 1);
    }
}

static void access_uncached(size_t offset, unsigned int size, bool store, const struct accessor *by)
{
    if (store) {
        history_stored(views.base + offset, size, by->pc);
        cache_cpu_write_uncached(views.model, offset, size, by);
    } else {
        cache_cpu_read_uncached(views.model, offset, by);
    }
}

static struct cache_shortcut access_cached(size_t offset, unsigned int size, bool store,
                                           const struct accessor *by)
{
    if (store) {
        history_stored(views.base + offset, size, by->pc);
        return cache_cpu_write(views.model, offset, size, by);
    }
    return cache_cpu_read(views.model, offset, size, by);
}

/* One access within one line. */
static void access_line(uint64_t address, unsigned int size, unsigned int mmu_index, bool store, uint64_t pc,
                        const uint64_t *checked)
{
    const struct page_entry *page = page_of(address, mmu_index, checked);
    size_t offset = page->offset + (address & ((1u << PAGE_SHIFT) - 1));
    const struct accessor by = {.pc = pc};
    struct cache_shortcut shortcut;

    if (page->kind == UNCACHED) {
        access_uncached(offset, size, store, &by);
    } else if (page->kind == CACHED) {
        shortcut = access_cached(offset, size, store, &by);
        remember(address, mmu_index, &shortcut);
    }
}

static void access_slowly(qemu_plugin_meminfo_t info, uint64_t address, bool store, uint64_t pc)
{
    unsigned int size = 1u << qemu.qemu_plugin_mem_size_shift(info);
    const struct qemu_plugin_hwaddr *found = qemu.qemu_plugin_get_hwaddr(info, address);
    uint64_t physical = found ? qemu.qemu_plugin_hwaddr_phys_addr(found) : 0;
    const uint64_t *checked = found ? &physical : NULL;

    if (found && qemu.qemu_plugin_hwaddr_is_io(found)) {
        return;
    }
    enter_callback();
    while (size) {
        unsigned int room = (1u << line_shift) - (unsigned int)(address & ((1u << line_shift) - 1));
        unsigned int part = size < room ? size : room;

        access_line(address, part, info & 15, store, pc, checked);
        address += part;
        size -= part;
        checked = NULL; /* the rest may lie on another page */
    }
    leave_callback();
}

/* MMU index in bits 3:0, log2 of the size in bits 6:4. */
static bool within_line(qemu_plugin_meminfo_t info, uint64_t address)
{
    return (address & ((1u << line_shift) - 1)) + (1u << (info >> 4 & 7)) <= 1u << line_shift;
}

HOT static void on_load(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    struct line_entry *entry = &lines[(address >> line_shift) % LINES];

    (void)vcpu;
    if (entry->load_key == key_of(address, line_shift, info & 15) && within_line(info, address)) {
        *entry->shortcut.stamp = ++*entry->shortcut.clock;
        return;
    }
    access_slowly(info, address, false, (uint64_t)(uintptr_t)pc);
}

HOT static void on_store(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    struct line_entry *entry = &lines[(address >> line_shift) % LINES];

    (void)vcpu;
    if (entry->store_key == key_of(address, line_shift, info & 15) && within_line(info, address)) {
        unsigned int size = 1u << (info >> 4 & 7), at = (unsigned int)address & ((1u << line_shift) - 1);
        uint64_t origin = history_origin((uint64_t)(uintptr_t)pc);

        *entry->shortcut.stamp = ++*entry->shortcut.clock;
        *entry->shortcut.unclean |= ~0ull >> (64 - size) << at;
        for (unsigned int i = at / 8; i <= (at + size - 1) / 8; i++) {
            entry->origins[i] = origin;
        }
        return;
    }
    access_slowly(info, address, true, (uint64_t)(uintptr_t)pc);
}

/* ---- cache operations ---- */

/* What an exec callback needs, packed into its one pointer: translations come and go unseen, so there
 * would be no time to free it. Virtual addresses have 48 bits, and the rest repeats the highest. */
struct operation {
    struct a64_decoded decoded;
    uint64_t pc;
};

static void *pack(struct a64_decoded decoded, uint64_t pc)
{
    return (void *)(uintptr_t)(pc << 16 | (uint64_t)decoded.kind << 8 | decoded.rt);
}

static struct operation unpack(void *opaque)
{
    uint64_t value = (uintptr_t)opaque;

    return (struct operation){
        {(enum a64_kind)(value >> 8 & 0xff), value & 0xff},
        (uint64_t)((int64_t)value >> 16),
    };
}

static uint64_t read_x(unsigned int number)
{
    static GByteArray *bytes;
    uint64_t value = 0;

    if (number == 31) {
        return 0;
    }
    if (!bytes) {
        bytes = qemu.g_byte_array_new();
    }
    qemu.g_byte_array_set_size(bytes, 0);
    if (qemu.qemu_plugin_read_register(x_register[number], bytes) == sizeof(value)) {
        memcpy(&value, bytes->data, sizeof(value));
    }
    return value;
}

static void maintain(const struct operation *operation, size_t offset)
{
    static const enum cache_operation operations[] = {
        [A64_CLEAN] = CACHE_CLEAN,
        [A64_INVALIDATE] = CACHE_INVALIDATE,
        [A64_CLEAN_INVALIDATE] = CACHE_CLEAN_INVALIDATE,
    };
    enum cache_operation what = operations[operation->decoded.kind];
    unsigned int before = cache_maintain(views.model, what, offset);

    oplog_maintenance(operation->pc, views.base + offset, what & CACHE_CLEAN, what & CACHE_INVALIDATE, before);
}

/* DC ZVA stores zeroes and gives no memory callback. This runs before it: the zeroes are put there
 * now, so that an uncached block reaches DRAM as well. */
static void zero(const struct operation *operation, uint64_t address, size_t offset, unsigned int mmu_index)
{
    size_t block = offset & ~63ull;

    memset(views.cpu + block, 0, 64);
    for (unsigned int at = 0; at < 64; at += 1u << line_shift) {
        access_line((address & ~63ull) + at, 1u << line_shift, mmu_index, true, operation->pc, NULL);
    }
}

/* DC CSW and the like (Arm ARM C5.3): level in bits 3:1, way at the top, set above the offset in the
 * line. Only the level that is modelled is there. */
static void maintain_set_way(enum a64_kind kind, uint32_t operand)
{
    static const enum cache_operation operations[] = {
        [A64_CLEAN_SET_WAY] = CACHE_CLEAN,
        [A64_INVALIDATE_SET_WAY] = CACHE_INVALIDATE,
        [A64_CLEAN_INVALIDATE_SET_WAY] = CACHE_CLEAN_INVALIDATE,
    };
    unsigned int way_bits =
        cache.geometry.ways > 1 ? 32 - (unsigned int)__builtin_clz(cache.geometry.ways - 1) : 0;

    if ((operand >> 1 & 7) + 1 == cache.level) {
        uint32_t way = way_bits ? operand >> (32 - way_bits) : 0;

        cache_maintain_set_way(views.model, operations[kind], operand >> line_shift & (cache.geometry.sets - 1),
                               way);
    }
}

static void on_set_way(unsigned int vcpu, void *opaque)
{
    struct a64_decoded decoded = unpack(opaque).decoded;

    (void)vcpu;
    enter_callback();
    maintain_set_way(decoded.kind, (uint32_t)read_x(decoded.rt));
    leave_callback();
}

/* A DSB is hooked with something, a DMB with nothing. */
static void on_barrier(unsigned int vcpu, void *is_dsb)
{
    (void)vcpu;
    enter_callback();
    cache_barrier(views.model, is_dsb != NULL);
    leave_callback();
}

static void on_operation(unsigned int vcpu, void *opaque)
{
    const struct operation operation = unpack(opaque);
    uint64_t address = read_x(operation.decoded.rt);
    unsigned int mmu_index = (unsigned int)qemu.arm_mmu_idx(cpu_env) & 15;
    const struct page_entry *page;

    (void)vcpu;
    enter_callback();
    page = page_of(address, mmu_index, NULL);
    if (page->kind != NOT_RAM) {
        size_t offset = page->offset + (address & ((1u << PAGE_SHIFT) - 1));

        if (operation.decoded.kind == A64_ZERO) {
            zero(&operation, address, offset, mmu_index);
        } else {
            maintain(&operation, offset);
        }
    }
    leave_callback();
}

static void on_translation_change(unsigned int vcpu, void *opaque)
{
    (void)vcpu;
    (void)opaque;
    enter_callback();
    for (size_t i = 0; i < LINES; i++) {
        if (lines[i].load_key != NO_KEY || lines[i].store_key != NO_KEY) {
            cpu_line_changed(lines[i].shortcut.line);
        }
    }
    for (size_t i = 0; i < PAGES; i++) {
        pages[i].key = NO_KEY;
    }
    cache_model_forget_pages(views.model);
    leave_callback();
}

/* ---- translation ---- */

static void hook_operation(struct qemu_plugin_insn *instruction, struct a64_decoded decoded, uint64_t pc,
                           PluginInsnCallback *callback)
{
    qemu.qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, QEMU_PLUGIN_CB_R_REGS,
                                                pack(decoded, pc));
}

static void hook(struct qemu_plugin_insn *instruction, PluginInsnCallback *callback, void *opaque)
{
    qemu.qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, QEMU_PLUGIN_CB_NO_REGS, opaque);
}

static void hook_instruction(struct qemu_plugin_insn *instruction)
{
    uint64_t pc = qemu.qemu_plugin_insn_vaddr(instruction);
    uint32_t opcode = 0;
    struct a64_decoded decoded;

    qemu.qemu_plugin_insn_data(instruction, &opcode, sizeof(opcode));
    decoded = a64_decode(opcode);
    switch (decoded.kind) {
    case A64_OTHER:
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, on_load, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_R,
                                              (void *)(uintptr_t)pc);
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, on_store, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W,
                                              (void *)(uintptr_t)pc);
        break;
    case A64_TRANSLATION:
        hook(instruction, on_translation_change, NULL);
        break;
    case A64_DSB:
        hook(instruction, on_barrier, views.model);
        break;
    case A64_DMB:
        hook(instruction, on_barrier, NULL);
        break;
    case A64_CLEAN_SET_WAY:
    case A64_INVALIDATE_SET_WAY:
    case A64_CLEAN_INVALIDATE_SET_WAY:
        hook_operation(instruction, decoded, pc, on_set_way);
        break;
    default:
        hook_operation(instruction, decoded, pc, on_operation);
    }
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    size_t count = qemu.qemu_plugin_tb_n_insns(block);

    (void)id;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu.qemu_plugin_tb_get_insn(block, i);
        size_t offset = (size_t)((uint8_t *)qemu.qemu_plugin_insn_haddr(instruction) - views.cpu);

        if (offset < views.size) {
            views.code_pages[offset >> PAGE_SHIFT] = 1;
        }
        hook_instruction(instruction);
    }
}

/* CPUArchState follows CPUState: QEMU asserts it when it is built. The size of a CPUState is in the
 * type's description: the third word of what the first word of its class points at. */
static void *env_of(CPUState *cpu)
{
    const size_t *const *type = (const size_t *const *)qemu.object_class_by_name("cpu");

    return (uint8_t *)cpu + (*type)[2];
}

/* FEAT_MOPS copies memory in ways that give no callback: ID_AA64ISAR2_EL1.MOPS, bits 19:16. */
static void refuse_memory_copies(struct qemu_plugin_register *id_register)
{
    GByteArray *bytes = qemu.g_byte_array_new();
    uint64_t value = 0;

    if (qemu.qemu_plugin_read_register(id_register, bytes) == sizeof(value)) {
        memcpy(&value, bytes->data, sizeof(value));
    }
    if (value >> 16 & 15) {
        die("this CPU has FEAT_MOPS, which the cache model cannot follow: take another, such as -cpu "
            "cortex-a53");
    }
}

/* A misaligned access to device memory faults. QEMU loses that check together with the atomicity of
 * accesses when it translates for a CPU that has the machine for itself (tcg_canonicalize_memop() drops
 * what memop_atomicity_bits() needs), so say that it has not. */
static void on_any_vcpu(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    qemu.tcg_cflags_set(qemu.qemu_get_cpu((int)vcpu), CF_PARALLEL);
}

static void on_modelled_vcpu(qemu_plugin_id_t id, unsigned int vcpu)
{
    GArray *registers = qemu.qemu_plugin_get_registers();

    on_any_vcpu(id, vcpu);
    if (vcpu > 0) {
        die("more than one CPU: the cache model is of one (leave -smp out)");
    }
    cpu_env = env_of(qemu.qemu_get_cpu(0));
    for (unsigned int i = 0; i < registers->len; i++) {
        const qemu_plugin_reg_descriptor *found = &((qemu_plugin_reg_descriptor *)(void *)registers->data)[i];
        unsigned int number;
        char rest;

        if (sscanf(found->name, "x%u%c", &number, &rest) == 1 && number < 31) {
            x_register[number] = found->handle;
        } else if (!strcmp(found->name, "ID_AA64ISAR2_EL1")) {
            refuse_memory_copies(found->handle);
        }
    }
    qemu.g_array_free(registers, 1);
}

void cpu_initialise(qemu_plugin_id_t id, bool separate_views)
{
    qemu.qemu_plugin_register_vcpu_init_cb(id, separate_views ? on_modelled_vcpu : on_any_vcpu);
    if (separate_views) {
        qemu.qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    }
}
