/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overlay.h"

#include <string.h>

#include "fetch.h"
#include "probe.h"
#include "views.h"

/* Registers (DDI 0424, 3.3) and opcodes (4.3). */
enum { DSR = 0x000, FTR0 = 0x040, CSR0 = 0x100, CSR_STEP = 8, SAR0 = 0x400, DBGSTATUS = 0xd00 };
enum { STATE_MASK = 0xf, STATE_STOPPED = 0, STATE_EXECUTING = 1, STATE_FAULTING = 15 };
enum { DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c, PL330_SIZE = 0x1000 };
enum { DMAGO = 0xa0, DMAGO_MASK = 0xfd, DMAKILL = 0x01, KILL_MANAGER = DMAKILL << 16 };

static struct {
    MemoryRegion *registers; /* the model's own */
    qemu_irq kick;
    bool kick_level;
    const struct overlay_events *events;
    uint32_t debug[2];
    uint32_t fault[FETCH_CHANNELS];
    uint64_t fault_base, fault_size;
} overlay;

uint32_t overlay_model_register(hwaddr offset)
{
    uint64_t value = 0;

    qemu.memory_region_dispatch_read(overlay.registers, offset, &value, MO_32, MEMTXATTRS_UNSPECIFIED);
    return (uint32_t)value;
}

static void set_model_register(hwaddr offset, uint32_t value)
{
    qemu.memory_region_dispatch_write(overlay.registers, offset, value, MO_32, MEMTXATTRS_UNSPECIFIED);
}

static uint32_t state(hwaddr status_register)
{
    return overlay_model_register(status_register) & STATE_MASK;
}

bool overlay_is_stopped(uint32_t n)
{
    return state(CSR0 + CSR_STEP * n) == STATE_STOPPED;
}

/* ---- what a reset does not repair ---- */

/* QEMU's model loses count of what is queued for a channel that ends otherwise than by DMAEND, and a
 * reset does not set that right: every later load of the channel may lock up. A fault that a reset meets
 * leaves its interrupt, and the manager keeps its own; a kill repairs both. */
static void spoil_channel(uint32_t n)
{
    if (!overlay_is_stopped(n) && !overlay.events->is_clean(n)) {
        probe->spoiled |= 1u << n;
    }
}

static void spoil_manager(void)
{
    if (state(DSR) == STATE_FAULTING) {
        probe->spoiled |= PROBE_SPOILED_MANAGER;
    }
}

void overlay_reset(void)
{
    for (uint32_t n = 0; overlay.registers && n < FETCH_CHANNELS; n++) {
        spoil_channel(n);
        if (state(CSR0 + CSR_STEP * n) == STATE_FAULTING) {
            probe->spoiled |= 1u << n;
        }
    }
    if (overlay.registers) {
        spoil_manager();
    }
    memset(overlay.fault, 0, sizeof(overlay.fault));
    memset(overlay.debug, 0, sizeof(overlay.debug));
    overlay.kick_level = false;
}

/* ---- memory ---- */

static bool in_fault_range(uint64_t address, uint64_t span)
{
    return overlay.fault_size && address < overlay.fault_base + overlay.fault_size &&
           overlay.fault_base < address + span;
}

static bool is_hole(uint64_t address)
{
    return !views_has(address) && !qemu.memory_region_present(qemu.get_system_memory(), address);
}

bool overlay_is_faulty(uint64_t address, uint64_t span)
{
    return in_fault_range(address, span) || is_hole(address) || is_hole(address + span - 1);
}

void overlay_set_fault(uint32_t n, uint32_t type)
{
    overlay.fault[n] = type;
}

static uint64_t dma_read(void *opaque, hwaddr offset, unsigned int size)
{
    uint64_t value = 0;

    (void)opaque;
    views_device_read(offset, &value, size);
    fetch_read(views.base + offset, (uint8_t *)&value, size);
    return value;
}

static void dma_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    if (!in_fault_range(views.base + offset, size)) {
        views_device_write(offset, &value, size);
    }
}

static uint64_t hole_read(void *opaque, hwaddr address, unsigned int size)
{
    uint64_t value = 0;

    (void)opaque;
    fetch_read(address, (uint8_t *)&value, size);
    return value;
}

static void hole_write(void *opaque, hwaddr address, uint64_t value, unsigned int size)
{
    (void)opaque;
    (void)address;
    (void)value;
    (void)size;
}

static const MemoryRegionOps dma_ops = {
    .read = dma_read,
    .write = dma_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

static const MemoryRegionOps hole_ops = {
    .read = hole_read,
    .write = hole_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

MemoryRegion *overlay_dma_memory(void)
{
    static QemuRegion root, system_memory, ram, holes;

    /* No region has an owner: with one, QEMU blocks an access to a device that is in use. */
    qemu.memory_region_init(region(&root), NULL, "dmav3-dma", UINT64_MAX);
    qemu.memory_region_init_io(region(&holes), NULL, &hole_ops, NULL, "dmav3-holes", UINT64_MAX);
    qemu.memory_region_add_subregion_overlap(region(&root), 0, region(&holes), -1);
    qemu.memory_region_init_alias(region(&system_memory), NULL, "dmav3-dma-system", qemu.get_system_memory(), 0,
                                  UINT64_MAX);
    qemu.memory_region_add_subregion_overlap(region(&root), 0, region(&system_memory), 0);
    qemu.memory_region_init_io(region(&ram), NULL, &dma_ops, NULL, "dmav3-dram", views.size);
    qemu.memory_region_add_subregion_overlap(region(&root), views.base, region(&ram), 1);
    return region(&root);
}

/* ---- registers ---- */

static void start(uint32_t n, uint64_t address)
{
    if (overlay_is_stopped(n)) {
        overlay.events->start(n, address);
    }
    views_device_started();
    views_lock();
    probe_record(PROBE_DMAGO, n, address, 0, 0, 0, 0);
    views_unlock();
}

static void debug_command(void)
{
    uint8_t opcode = (uint8_t)(overlay.debug[0] >> 16);
    uint32_t n = overlay.debug[0] >> 8 & 7;
    bool by_channel = overlay.debug[0] & 1;

    if (!by_channel && (opcode & DMAGO_MASK) == DMAGO) {
        start(overlay.debug[0] >> 24 & 7, overlay.debug[1]);
    } else if (by_channel && opcode == DMAKILL) {
        spoil_channel(n);
        overlay.fault[n] = 0;
        overlay.events->kill(n);
    }
}

/* The model's engine runs after every debug instruction. Killing the idle manager changes nothing;
 * where the manager or its interface is not idle, a change of a request line must do, a little later. */
void overlay_kick(void)
{
    if (state(DSR) != STATE_STOPPED || (overlay_model_register(DBGSTATUS) & 1)) {
        overlay.kick_level = !overlay.kick_level;
        qemu.qemu_set_irq(overlay.kick, overlay.kick_level);
        return;
    }
    set_model_register(DBGINST0, KILL_MANAGER);
    set_model_register(DBGCMD, 0);
    set_model_register(DBGINST0, overlay.debug[0]); /* the CPU may be between its two stores */
}

static uint64_t shown(hwaddr offset, uint32_t value)
{
    uint32_t n;

    if (offset >= FTR0 && offset < FTR0 + 4 * FETCH_CHANNELS) {
        n = (uint32_t)(offset - FTR0) / 4;
        return overlay.fault[n] ? overlay.fault[n] : value;
    }
    if (offset >= CSR0 && offset < CSR0 + CSR_STEP * FETCH_CHANNELS && offset % CSR_STEP == 0) {
        n = (uint32_t)(offset - CSR0) / CSR_STEP;
        return overlay.events->is_held(n) ? (value & ~(uint32_t)STATE_MASK) | STATE_EXECUTING : value;
    }
    return value;
}

static uint64_t overlay_read(void *opaque, hwaddr offset, unsigned int size)
{
    (void)opaque;
    (void)size;
    return shown(offset, overlay_model_register(offset));
}

static void overlay_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    (void)size;
    if (offset == DBGINST0 || offset == DBGINST1) {
        overlay.debug[offset == DBGINST1] = (uint32_t)value;
    } else if (offset == DBGCMD && (value & 3) == 0) {
        debug_command();
    }
    set_model_register(offset, (uint32_t)value);
}

static const MemoryRegionOps register_ops = {
    .read = overlay_read,
    .write = overlay_write,
    .endianness = 2,
    .valid = {4, 4, false, NULL},
    .impl = {4, 4, false},
};

MemoryRegion *overlay_registers(MemoryRegion *pl330, qemu_irq kick, const struct overlay_events *events)
{
    static QemuRegion registers;

    overlay.registers = pl330;
    overlay.kick = kick;
    overlay.events = events;
    qemu.memory_region_init_io(region(&registers), NULL, &register_ops, NULL, "dmav3-pl330", PL330_SIZE);
    return region(&registers);
}

/* ---- properties ---- */

uint64_t overlay_fault_base(void)
{
    return overlay.fault_base;
}

static bool set_fault_range(const char *name, uint64_t value, uint64_t base, uint64_t size, Error **errp)
{
    if (base > UINT32_MAX || size > (1ull << 32) - base) {
        error_setg(errp,
                   "%s=%llu: the range must end below 4 GiB, as in fault-base=1090519040, fault-size=4096",
                   name, (unsigned long long)value);
        return false;
    }
    overlay.fault_base = base;
    overlay.fault_size = size;
    return true;
}

bool overlay_set_fault_base(uint64_t value, Error **errp)
{
    return set_fault_range("fault-base", value, value, overlay.fault_size, errp);
}

uint64_t overlay_fault_size(void)
{
    return overlay.fault_size;
}

bool overlay_set_fault_size(uint64_t value, Error **errp)
{
    return set_fault_range("fault-size", value, overlay.fault_base, value, errp);
}
