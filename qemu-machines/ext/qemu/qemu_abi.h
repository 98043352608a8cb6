/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of QEMU that the extension uses, and nothing else of it.
 *
 * QEMU's plugin header is in no Debian package and its internal headers need its build tree, so the
 * functions are declared here, with opaque types. Every one is looked up by name when the plugin is
 * loaded (qemu_abi_load), and a QEMU that lacks one is refused with the name. QEMU promises nothing
 * for all but the qemu_plugin_ functions; Debian's builds export them, and all stayed the same from
 * QEMU 10.0 on.
 *
 * Layouts that had to be known, each checked where it is used: TypeInfo with InterfaceInfo, MemoryRegionOps,
 * the first of PCIIOMMUOps, MemTxAttrs (8 bytes, passed by value), the first words of ObjectClass and TypeImpl,
 * VersionInfo, two fields of CPUTLBEntryFull, the keys of system registers. And three bits of the flags of
 * translation, CF_....
 */
#ifndef DMAV3_QEMU_ABI_H
#define DMAV3_QEMU_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A variable of each thread that is found without a call. There must be few of them: a library that is loaded
 * late shares little room for such variables with all others. */
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

#define QEMU_PLUGIN_API  4 /* QEMU 10.0 */
#define QEMU_NEEDS_MAJOR 10

typedef struct Object Object;
typedef struct ObjectClass ObjectClass;
typedef struct DeviceState DeviceState;
typedef struct DeviceClass DeviceClass;
typedef struct SysBusDevice SysBusDevice;
typedef struct MemoryRegion MemoryRegion;
typedef struct AddressSpace AddressSpace;
typedef struct PCIBus PCIBus;
typedef struct PCIDevice PCIDevice;
typedef struct HostMemoryBackend HostMemoryBackend;
typedef struct ResettableClass ResettableClass;
typedef struct Chardev Chardev;
typedef struct CPUState CPUState;
typedef struct AioContext AioContext;
typedef struct Visitor Visitor;
typedef struct Error Error;
typedef struct TypeImpl *Type;
typedef struct IRQState *qemu_irq;
typedef uint64_t hwaddr;
typedef uint64_t MemTxAttrs;

/* QEMU initialises these in memory that we provide; none is larger in any release. */
typedef struct QemuRegion {
    _Alignas(16) uint8_t opaque[1024];
} QemuRegion;
typedef struct QemuAddressSpace {
    _Alignas(16) uint8_t opaque[1024];
} QemuAddressSpace;
typedef struct QemuTimer {
    _Alignas(16) uint8_t opaque[128];
} QemuTimer;
typedef struct QemuCharBackend {
    _Alignas(16) uint8_t opaque[256];
} QemuCharBackend;

#define MEMTXATTRS_UNSPECIFIED 0x100000000ull
enum {
    MEMTX_OK = 0,
    MEMTX_ERROR = 1,
    QEMU_CLOCK_VIRTUAL = 1,
    SCALE_NS = 1,
    MMU_DATA_LOAD = 0,
    CF_PARALLEL = 1 << 15,
    CF_NOIRQ = 1 << 16,
    CF_PCREL = 1 << 17,
};

typedef struct TypeInfo {
    const char *name, *parent;
    size_t instance_size, instance_align;
    void (*instance_init)(Object *);
    void (*instance_post_init)(Object *);
    void (*instance_finalize)(Object *);
    bool abstract;
    size_t class_size;
    void (*class_init)(ObjectClass *, void *);
    void (*class_base_init)(ObjectClass *, void *);
    void *class_data;
    const void *interfaces;
} TypeInfo;

typedef struct MemoryRegionOps {
    uint64_t (*read)(void *opaque, hwaddr offset, unsigned int size);
    void (*write)(void *opaque, hwaddr offset, uint64_t value, unsigned int size);
    uint32_t (*read_with_attrs)(void *opaque, hwaddr offset, uint64_t *value, unsigned int size, MemTxAttrs);
    uint32_t (*write_with_attrs)(void *opaque, hwaddr offset, uint64_t value, unsigned int size, MemTxAttrs);
    int endianness; /* 2: little */
    struct {
        unsigned int min_access_size, max_access_size;
        bool unaligned;
        void *accepts;
    } valid;
    struct {
        unsigned int min_access_size, max_access_size;
        bool unaligned;
    } impl;
} MemoryRegionOps;

typedef struct ResettablePhases {
    void *enter, *hold, *exit;
} ResettablePhases;

typedef struct VersionInfo {
    struct {
        int64_t major, minor, micro;
    } *qemu;
    char *package;
} VersionInfo;

typedef void ObjectPropertyAccessor(Object *, Visitor *, const char *name, void *opaque, Error **);

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_plugin_register;
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
typedef struct {
    struct qemu_plugin_register *handle;
    const char *name, *feature;
} qemu_plugin_reg_descriptor;
enum { QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_CB_R_REGS };
enum { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W };

/* What was loaded or stored; the real one has a union of all sizes here. */
typedef struct {
    int type;
    uint64_t low, high;
} qemu_plugin_mem_value;

typedef struct GArray {
    char *data;
    unsigned int len;
} GArray;
typedef struct GByteArray {
    uint8_t *data;
    unsigned int len;
} GByteArray;

typedef void PluginVcpuCallback(qemu_plugin_id_t, unsigned int vcpu);
typedef void PluginTbCallback(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void PluginInsnCallback(unsigned int vcpu, void *opaque);
typedef void PluginMemCallback(unsigned int vcpu, qemu_plugin_meminfo_t, uint64_t vaddr, void *opaque);

/* F(type of result, name, parameters) */
#define QEMU_FUNCTIONS(F)                                                                                      \
    /* plugins */                                                                                              \
    F(void, qemu_plugin_register_vcpu_init_cb, (qemu_plugin_id_t, PluginVcpuCallback *))                       \
    F(void, qemu_plugin_register_vcpu_tb_trans_cb, (qemu_plugin_id_t, PluginTbCallback *))                     \
    F(size_t, qemu_plugin_tb_n_insns, (const struct qemu_plugin_tb *))                                         \
    F(struct qemu_plugin_insn *, qemu_plugin_tb_get_insn, (const struct qemu_plugin_tb *, size_t))             \
    F(size_t, qemu_plugin_insn_data, (const struct qemu_plugin_insn *, void *, size_t))                        \
    F(uint64_t, qemu_plugin_insn_vaddr, (const struct qemu_plugin_insn *))                                     \
    F(void *, qemu_plugin_insn_haddr, (const struct qemu_plugin_insn *))                                       \
    F(void, qemu_plugin_register_vcpu_insn_exec_cb,                                                            \
      (struct qemu_plugin_insn *, PluginInsnCallback *, int flags, void *))                                    \
    F(void, qemu_plugin_register_vcpu_mem_cb,                                                                  \
      (struct qemu_plugin_insn *, PluginMemCallback *, int flags, int rw, void *))                             \
    F(struct qemu_plugin_hwaddr *, qemu_plugin_get_hwaddr, (qemu_plugin_meminfo_t, uint64_t))                  \
    F(bool, qemu_plugin_hwaddr_is_io, (const struct qemu_plugin_hwaddr *))                                     \
    F(uint64_t, qemu_plugin_hwaddr_phys_addr, (const struct qemu_plugin_hwaddr *))                             \
    F(qemu_plugin_mem_value, qemu_plugin_mem_get_value, (qemu_plugin_meminfo_t))                               \
    F(GArray *, qemu_plugin_get_registers, (void))                                                             \
    F(int, qemu_plugin_read_register, (struct qemu_plugin_register *, GByteArray *))                           \
    F(GByteArray *, g_byte_array_new, (void))                                                                  \
    F(GByteArray *, g_byte_array_set_size, (GByteArray *, unsigned int))                                       \
    F(char *, g_array_free, (GArray *, int))                                                                   \
    F(void *, g_strdup, (const char *))                                                                        \
    F(void, g_free, (void *))                                                                                  \
    /* objects */                                                                                              \
    F(Type, type_register_static, (const TypeInfo *))                                                          \
    F(ObjectClass *, object_class_by_name, (const char *))                                                     \
    F(ObjectClass *, object_class_dynamic_cast, (ObjectClass *, const char *))                                 \
    F(Object *, object_new, (const char *))                                                                    \
    F(Object *, object_get_root, (void))                                                                       \
    F(Object *, object_dynamic_cast, (Object *, const char *))                                                 \
    F(const char *, object_get_typename, (const Object *))                                                     \
    F(int, object_child_foreach_recursive, (Object *, int (*)(Object *, void *), void *))                      \
    F(bool, object_property_get_bool, (Object *, const char *, Error **))                                      \
    F(void, object_property_add_child, (Object *, const char *, Object *))                                     \
    F(Object *, object_resolve_path_type, (const char *, const char *, bool *))                                \
    F(bool, object_property_set_link, (Object *, const char *, Object *, Error **))                            \
    F(bool, object_property_set_uint, (Object *, const char *, uint64_t, Error **))                            \
    F(void, object_class_property_add,                                                                         \
      (ObjectClass *, const char *name, const char *type, ObjectPropertyAccessor *get,                         \
       ObjectPropertyAccessor *set, void *release, void *opaque))                                              \
    F(bool, visit_type_uint64, (Visitor *, const char *, uint64_t *, Error **))                                \
    F(bool, visit_type_str, (Visitor *, const char *, char **, Error **))                                      \
    F(void, error_setg_internal,                                                                               \
      (Error **, const char *file, int line, const char *function, const char *format, ...))                   \
    F(void, error_report, (const char *format, ...))                                                           \
    F(int, migrate_add_blocker, (Error * *reason, Error **))                                                   \
    F(VersionInfo *, qmp_query_version, (Error **))                                                            \
    /* devices */                                                                                              \
    F(void, device_class_set_parent_realize,                                                                   \
      (DeviceClass *, void (*)(DeviceState *, Error **), void (**)(DeviceState *, Error **)))                  \
    F(DeviceState *, qdev_new, (const char *))                                                                 \
    F(bool, sysbus_realize_and_unref, (SysBusDevice *, Error **))                                              \
    F(MemoryRegion *, sysbus_mmio_get_region, (SysBusDevice *, int))                                           \
    F(void, sysbus_connect_irq, (SysBusDevice *, int, qemu_irq))                                               \
    F(qemu_irq, qdev_get_gpio_in, (DeviceState *, int))                                                        \
    F(void, qemu_set_irq, (qemu_irq, int))                                                                     \
    F(void, resettable_class_set_parent_phases,                                                                \
      (ResettableClass *, void *enter, void *hold, void *exit, ResettablePhases *))                            \
    F(void, qemu_register_resettable, (Object *))                                                              \
    /* memory */                                                                                               \
    F(MemoryRegion *, get_system_memory, (void))                                                               \
    F(MemoryRegion *, host_memory_backend_get_memory, (HostMemoryBackend *))                                   \
    F(void, memory_region_init, (MemoryRegion *, Object *, const char *, uint64_t))                            \
    F(void, memory_region_init_io,                                                                             \
      (MemoryRegion *, Object *, const MemoryRegionOps *, void *, const char *, uint64_t))                     \
    F(void, memory_region_init_alias,                                                                          \
      (MemoryRegion *, Object *, const char *, MemoryRegion *, hwaddr, uint64_t))                              \
    F(void, memory_region_init_ram_ptr, (MemoryRegion *, Object *, const char *, uint64_t, void *))            \
    F(void, memory_region_add_subregion, (MemoryRegion *, hwaddr, MemoryRegion *))                             \
    F(void, memory_region_add_subregion_overlap, (MemoryRegion *, hwaddr, MemoryRegion *, int))                \
    F(void, address_space_init, (AddressSpace *, MemoryRegion *, const char *))                                \
    F(void, pci_setup_iommu, (PCIBus *, const void *ops, void *))                                              \
    F(int, pci_bus_num, (PCIBus *))                                                                            \
    F(PCIDevice *, pci_find_device, (PCIBus *, uint8_t bus, uint8_t function))                                 \
    F(uint64_t, pci_get_bar_addr, (PCIDevice *, int bar))                                                      \
    F(PCIDevice *, pci_new, (int function, const char *type))                                                  \
    F(bool, pci_realize_and_unref, (PCIDevice *, PCIBus *, Error **))                                          \
    F(void, pci_register_bar, (PCIDevice *, int bar, uint8_t type, MemoryRegion *))                            \
    F(int, msi_init,                                                                                           \
      (PCIDevice *, uint8_t offset, unsigned int vectors, bool of_64_bits, bool masks, Error **))              \
    F(bool, msi_enabled, (const PCIDevice *))                                                                  \
    F(unsigned int, msi_nr_vectors_allocated, (const PCIDevice *))                                             \
    F(void, msi_notify, (PCIDevice *, unsigned int vector))                                                    \
    F(uint32_t, pci_default_read_config, (PCIDevice *, uint32_t offset, int size))                             \
    F(void, pci_default_write_config, (PCIDevice *, uint32_t offset, uint32_t value, int size))                \
    F(int, pci_qdev_find_device, (const char *id, PCIDevice **))                                               \
    F(bool, memory_region_present, (MemoryRegion *, hwaddr))                                                   \
    F(void *, memory_region_get_ram_ptr, (MemoryRegion *))                                                     \
    F(uint64_t, memory_region_get_ram_addr, (MemoryRegion *))                                                  \
    F(int, memory_region_get_fd, (MemoryRegion *))                                                             \
    F(uint64_t, memory_region_size, (MemoryRegion *))                                                          \
    F(void, cpu_physical_memory_rw, (hwaddr, void *, hwaddr, bool is_write))                                   \
    F(AddressSpace *, cpu_get_address_space, (CPUState *, int))                                                \
    F(uint32_t, address_space_rw, (AddressSpace *, hwaddr, MemTxAttrs, void *, hwaddr, bool is_write))         \
    F(void, tb_invalidate_phys_range, (uint64_t first, uint64_t last))                                         \
    /* CPU */                                                                                                  \
    F(CPUState *, qemu_get_cpu, (int))                                                                         \
    F(void, tcg_cflags_set, (CPUState *, uint32_t))                                                            \
    F(bool, tcg_cflags_has, (CPUState *, uint32_t))                                                            \
    F(const void *, helper_lookup_cp_reg, (void *env, uint32_t key))                                           \
    F(uint64_t, read_raw_cp_reg, (void *env, const void *))                                                    \
    F(void, helper_set_cp_reg64, (void *env, const void *, uint64_t))                                          \
    F(int, arm_mmu_idx, (void *env))                                                                           \
    F(uint64_t, arm_sctlr, (void *env, int el))                                                                \
    F(int, probe_access_full_mmu,                                                                              \
      (void *env, uint64_t address, int size, int access_type, int mmu_index, void **host, void **full))       \
    /* time and character devices */                                                                           \
    F(void, timer_init_full,                                                                                   \
      (QemuTimer *, void *group, int clock, int scale, int attributes, void (*)(void *), void *))              \
    F(void, timer_mod_ns, (QemuTimer *, int64_t))                                                              \
    F(void, timer_del, (QemuTimer *))                                                                          \
    F(int64_t, qemu_clock_get_ns, (int))                                                                       \
    F(void, icount_update, (CPUState *))                                                                       \
    /* stopping */                                                                                             \
    F(int, vm_stop, (int state))                                                                               \
    F(bool, runstate_is_running, (void))                                                                       \
    F(bool, cpu_is_stopped, (CPUState *))                                                                      \
    F(void, main_loop_poll_add_notifier, (struct qemu_notifier *))                                             \
    F(void, qemu_system_vmstop_request_prepare, (void))                                                        \
    F(void, qemu_system_vmstop_request, (int state))                                                           \
    F(void *, qemu_add_vm_change_state_handler, (void (*)(void *, bool runs, int state), void *))              \
    F(void, cpu_loop_exit_restore, (CPUState *, uintptr_t))                                                    \
    /* the main loop's work, and that of disks */                                                              \
    F(AioContext *, qemu_get_aio_context, (void))                                                              \
    F(bool, aio_poll, (AioContext *, bool blocking))                                                           \
    F(void, bdrv_drain_all, (void))                                                                            \
    /* the big lock */                                                                                         \
    F(bool, bql_locked, (void))                                                                                \
    F(void, bql_lock_impl, (const char *file, int line))                                                       \
    F(void, bql_unlock, (void))                                                                                \
    F(Chardev *, qemu_chr_find, (const char *))                                                                \
    F(bool, qemu_chr_fe_init, (QemuCharBackend *, Chardev *, Error **))                                        \
    F(void, qemu_chr_fe_set_handlers,                                                                          \
      (QemuCharBackend *, int (*)(void *), void (*)(void *, const uint8_t *, int), void (*)(void *, int),      \
       void *, void *, void *, bool))                                                                          \
    F(int, qemu_chr_fe_write_all, (QemuCharBackend *, const uint8_t *, int))                                   \
    F(void, qemu_chr_fe_accept_input, (QemuCharBackend *))

/* What QEMU calls a Notifier. */
struct qemu_notifier {
    void (*notify)(struct qemu_notifier *, void *data);
    void *next, *previous;
};

struct qemu_abi {
#define F(result, name, parameters) result(*name) parameters;
    QEMU_FUNCTIONS(F)
#undef F
};

/* QEMU's functions, valid after qemu_abi_load(). */
extern struct qemu_abi qemu;

/* Look every function up. NULL, or the name of the first that this QEMU does not have. */
const char *qemu_abi_load(void);

/* "10.0.2", and its first number (0 where QEMU does not tell). */
const char *qemu_abi_version(int *major);

/* The CPU that runs on this thread, as QEMU knows it. */
CPUState **qemu_abi_current_cpu(void);

/* End QEMU with a message: this one cannot be used. */
_Noreturn void qemu_abi_refuse(const char *why);

#define error_setg(errp, ...) qemu.error_setg_internal(errp, __FILE__, __LINE__, __func__, __VA_ARGS__)

static inline AddressSpace *space(QemuAddressSpace *memory)
{
    return (AddressSpace *)memory->opaque;
}

static inline MemoryRegion *region(QemuRegion *memory)
{
    return (MemoryRegion *)memory->opaque;
}

#endif
