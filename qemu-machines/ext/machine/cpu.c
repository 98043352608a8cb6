/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "evidence/oplog.h"
#include "evidence/place.h"
#include "machine/access.h"
#include "machine/cpu_cache.h"
#include "machine/stop.h"
#include "machine/translation.h"
#include "machine/watch.h"
#include "memory/views.h"
#include "model/a64_decode.h"

enum { PAGE_SHIFT = 12, ZVA_BLOCK = 64 };

static struct board_cache cache;
static void *cpu_env;
static struct qemu_plugin_register *x_register[31];

/* ---- cache operations ---- */

/* What an exec callback needs, packed into its one pointer: translations come and go unseen, so there
 * would be no time to free it. An instruction's address is a multiple of 4, has at most 52 bits, and what is
 * above them repeats one bit (Arm ARM D8.1). */
struct operation {
    struct a64_decoded decoded;
    uint64_t pc;
};

static void *pack(struct a64_decoded decoded, uint64_t pc)
{
    return (void *)(uintptr_t)(pc << 11 | (uint64_t)decoded.kind << 5 | decoded.rt);
}

static struct operation unpack(void *opaque)
{
    uint64_t value = (uintptr_t)opaque;

    return (struct operation){
        {(enum a64_kind)(value >> 5 & 0xff), value & 31},
        (uint64_t)((int64_t)value >> 13) << 2,
    };
}

static uint64_t read_register(struct qemu_plugin_register *handle)
{
    static GByteArray *bytes;
    uint64_t value = 0;

    if (!bytes) {
        bytes = qemu.g_byte_array_new();
    }
    qemu.g_byte_array_set_size(bytes, 0);
    if (qemu.qemu_plugin_read_register(handle, bytes) == sizeof(value)) {
        memcpy(&value, bytes->data, sizeof(value));
    }
    return value;
}

static uint64_t read_x(unsigned int number)
{
    return number == 31 ? 0 : read_register(x_register[number]);
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
    const uint64_t mask = ZVA_BLOCK - 1;

    memset(views.cpu + (offset & ~mask), 0, ZVA_BLOCK);
    access_stored(address & ~mask, ZVA_BLOCK, mmu_index, operation->pc);
    watch_zeroed(views.base + (offset & ~mask), ZVA_BLOCK, operation->pc);
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

        cache_maintain_set_way(views.model, operations[kind],
                               operand / cache.geometry.line & (cache.geometry.sets - 1), way);
    }
}

static void on_set_way(unsigned int vcpu, void *opaque)
{
    struct a64_decoded decoded = unpack(opaque).decoded;

    (void)vcpu;
    access_enter_callback();
    access_catch_up();
    maintain_set_way(decoded.kind, (uint32_t)read_x(decoded.rt));
    access_leave_callback();
}

/* A full barrier is hooked with something, one of stores with nothing. */
static void on_barrier(unsigned int vcpu, void *is_full)
{
    (void)vcpu;
    access_enter_callback();
    cache_barrier(views.model, is_full ? ORDER_FULL : ORDER_STORES);
    access_leave_callback();
}

static void on_store_release(unsigned int vcpu, void *opaque)
{
    (void)vcpu;
    (void)opaque;
    access_release(true);
}

static void on_operation(unsigned int vcpu, void *opaque)
{
    const struct operation operation = unpack(opaque);
    uint64_t address = read_x(operation.decoded.rt);
    unsigned int mmu_index = (unsigned int)qemu.arm_mmu_idx(cpu_env) & 15;
    size_t offset;

    (void)vcpu;
    access_enter_callback();
    if (access_finds_ram(address, mmu_index, &offset)) {
        access_catch_up();
        if (operation.decoded.kind == A64_ZERO) {
            zero(&operation, address, offset, mmu_index);
        } else {
            maintain(&operation, offset);
        }
    }
    access_leave_callback();
}

static void on_translation_change(unsigned int vcpu, void *opaque)
{
    (void)vcpu;
    (void)opaque;
    access_enter_callback();
    access_forget_translations();
    access_leave_callback();
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
    const struct access_callbacks callbacks = access_callbacks();
    uint64_t pc = qemu.qemu_plugin_insn_vaddr(instruction);
    uint32_t opcode = 0;
    struct a64_decoded decoded;

    qemu.qemu_plugin_insn_data(instruction, &opcode, sizeof(opcode));
    decoded = a64_decode(opcode);
    watch_hook_operation(instruction, decoded.kind, pc);
    switch (decoded.kind) {
    case A64_OTHER:
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, callbacks.load, QEMU_PLUGIN_CB_NO_REGS,
                                              QEMU_PLUGIN_MEM_R, (void *)(uintptr_t)pc);
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, callbacks.store, QEMU_PLUGIN_CB_NO_REGS,
                                              QEMU_PLUGIN_MEM_W, (void *)(uintptr_t)place_of(pc));
        break;
    case A64_TRANSLATION:
        hook(instruction, on_translation_change, NULL);
        break;
    case A64_BARRIER:
        hook(instruction, on_barrier, views.model);
        break;
    case A64_BARRIER_STORES:
        hook(instruction, on_barrier, NULL);
        break;
    case A64_STORE_RELEASE:
        hook(instruction, on_store_release, NULL);
        qemu.qemu_plugin_register_vcpu_mem_cb(instruction, access_store_release, QEMU_PLUGIN_CB_NO_REGS,
                                              QEMU_PLUGIN_MEM_W, (void *)(uintptr_t)place_of(pc));
        break;
    case A64_CLEAN_SET_WAY:
    case A64_INVALIDATE_SET_WAY:
    case A64_CLEAN_INVALIDATE_SET_WAY:
        hook_operation(instruction, decoded, pc, on_set_way);
        break;
    default:
        hook_operation(instruction, decoded, pc, on_operation);
    }
    watch_hook_access(instruction, decoded.kind, pc);
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
        stop_hook(instruction, qemu.qemu_plugin_insn_vaddr(instruction)); /* before what it does is looked at */
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
static void refuse_memory_copies(uint64_t id_register)
{
    if (id_register >> 16 & 15) {
        qemu_abi_refuse(
            "this CPU has FEAT_MOPS, which the cache model cannot follow: take another, such as -cpu "
            "cortex-a53");
    }
}

static void on_any_vcpu(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    translation_check_alignment(qemu.qemu_get_cpu((int)vcpu));
}

static void find_registers(void)
{
    GArray *registers = qemu.qemu_plugin_get_registers();
    uint64_t clidr = 0;

    for (unsigned int i = 0; i < registers->len; i++) {
        const qemu_plugin_reg_descriptor *found = &((qemu_plugin_reg_descriptor *)(void *)registers->data)[i];
        unsigned int number;
        char rest;

        if (sscanf(found->name, "x%u%c", &number, &rest) == 1 && number < 31) {
            x_register[number] = found->handle;
        } else if (!strcmp(found->name, "ID_AA64ISAR2_EL1")) {
            refuse_memory_copies(read_register(found->handle));
        } else if (!strcmp(found->name, "CLIDR")) {
            clidr = read_register(found->handle);
        }
    }
    qemu.g_array_free(registers, 1);
    cpu_cache_read(cpu_env, clidr);
}

static void on_modelled_vcpu(qemu_plugin_id_t id, unsigned int vcpu)
{
    CPUState *cpu = qemu.qemu_get_cpu((int)vcpu);

    on_any_vcpu(id, vcpu);
    if (vcpu > 0) {
        qemu_abi_refuse("more than one CPU: the cache model is of one (leave -smp out)");
    }
    cpu_env = env_of(cpu);
    translation_keep_addresses(cpu, (size_t)((uint8_t *)cpu_env - (uint8_t *)cpu));
    access_initialise(cpu_env);
    views_lock_favours_this_thread();
    find_registers();
}

void cpu_reset(const struct board_cache *modelled)
{
    cache = *modelled;
    cpu_cache_expect(modelled);
    access_reset();
}

void cpu_initialise(qemu_plugin_id_t id, bool separate_views)
{
    qemu.qemu_plugin_register_vcpu_init_cb(id, separate_views ? on_modelled_vcpu : on_any_vcpu);
    if (separate_views) {
        qemu.qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    }
}
