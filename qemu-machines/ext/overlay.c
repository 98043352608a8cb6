/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overlay.h"

#include <string.h>

#include "fetch.h"
#include "probe.h"
#include "views.h"

/* Registers (DDI 0424, 3.3) and opcodes (4.3). */
enum { DSR = 0x000, INTEN = 0x020, FSRC = 0x034, FTR0 = 0x040, CSR0 = 0x100, CSR_STEP = 8 };
enum { SAR0 = 0x400, LC0 = 0x40c, LC1 = 0x410, CHANNEL_STEP = 0x20 };
enum { DBGSTATUS = 0xd00, DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c, PL330_SIZE = 0x1000 };
enum { STATE_MASK = 0xf, EVENT_MASK = 0x1f0, DMAGO = 0xa0, DMAGO_MASK = 0xfd, DMAKILL = 0x01 };
enum { KILL_MANAGER = DMAKILL << 16 };

static struct {
    MemoryRegion *registers; /* the model's own */
    qemu_irq kick;
    bool kick_level;
    const struct overlay_events *events;
    uint32_t debug[2];
    uint32_t fault[FETCH_CHANNELS];
    uint32_t started; /* a bit a channel: since the last reset */
    uint32_t interrupts;
} overlay;

/* ---- the model's own ---- */

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

static uint32_t manager_state(void)
{
    return overlay_model_register(DSR) & STATE_MASK;
}

uint32_t overlay_state(uint32_t n)
{
    return overlay_model_register(CSR0 + CSR_STEP * n) & STATE_MASK;
}

uint32_t overlay_fault_of_model(uint32_t n)
{
    return overlay_model_register(FTR0 + 4 * n);
}

static void debug_execute(uint32_t instruction)
{
    set_model_register(DBGINST0, instruction);
    set_model_register(DBGCMD, 0);
}

/* The model's engine runs after every debug instruction. Killing the idle manager changes nothing;
 * where the manager or its interface is not idle, a change of a request line must do, a little later. */
void overlay_kick(void)
{
    if (manager_state() != OVERLAY_STOPPED || (overlay_model_register(DBGSTATUS) & 1)) {
        overlay.kick_level = !overlay.kick_level;
        qemu.qemu_set_irq(overlay.kick, overlay.kick_level);
        return;
    }
    debug_execute(KILL_MANAGER);
    set_model_register(DBGINST0, overlay.debug[0]); /* the CPU may be between its two stores */
}

void overlay_reset(void)
{
    if (manager_state() != OVERLAY_STOPPED) {
        debug_execute(KILL_MANAGER);
    }
    memset(overlay.fault, 0, sizeof(overlay.fault));
    memset(overlay.debug, 0, sizeof(overlay.debug));
    overlay.started = overlay.interrupts = 0;
    overlay.kick_level = false;
}

/* ---- on the way in ---- */

static void record(enum probe_kind kind, uint32_t n, uint64_t address)
{
    views_lock();
    probe_record(kind, n, address, 0, 0, 0, 0);
    views_unlock();
}

static bool start(uint32_t n, uint64_t address)
{
    if (overlay_state(n) == OVERLAY_STOPPED && !overlay.events->start(n, address)) {
        return false;
    }
    overlay.started |= 1u << n;
    views_device_started();
    record(PROBE_DMAGO, n, address);
    return true;
}

/* False: it must not be carried out. */
static bool debug_command(void)
{
    uint8_t opcode = (uint8_t)(overlay.debug[0] >> 16);
    uint32_t n = overlay.debug[0] >> 8 & 7;
    bool by_channel = overlay.debug[0] & 1;

    if (!by_channel && (opcode & DMAGO_MASK) == DMAGO) {
        return start(overlay.debug[0] >> 24 & 7, overlay.debug[1]);
    }
    if (by_channel && opcode == DMAKILL) {
        record(PROBE_DMAKILL, n, fetch_thread(n)->at);
        overlay.events->kill(n);
        overlay.fault[n] = 0;
    }
    return true;
}

static void look_for_faults(void)
{
    if (overlay_model_register(FSRC)) {
        overlay.events->faulting();
    }
}

static void overlay_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    bool executes = offset == DBGCMD && (value & 3) == 0;

    (void)opaque;
    (void)size;
    if (offset == DBGINST0 || offset == DBGINST1) {
        overlay.debug[offset == DBGINST1] = (uint32_t)value;
    } else if (offset == INTEN) {
        overlay.interrupts = (uint32_t)value;
    }
    if (executes && !debug_command()) {
        return;
    }
    set_model_register(offset, (uint32_t)value);
    if (executes) {
        look_for_faults();
    }
}

bool overlay_interrupts(uint32_t event)
{
    return overlay.interrupts >> event & 1;
}

/* ---- on the way out ---- */

void overlay_set_fault(uint32_t n, uint32_t type)
{
    overlay.fault[n] = type;
}

static uint32_t shown_status(uint32_t n, uint32_t value)
{
    if (!(overlay.started >> n & 1)) {
        return value & STATE_MASK;
    }
    if (!fetch_thread(n)->waited) {
        value &= ~(uint32_t)EVENT_MASK;
    }
    return overlay.events->is_held(n) ? (value & ~(uint32_t)STATE_MASK) | OVERLAY_EXECUTING : value;
}

/* For most faults the model's program counter is behind the instruction already. */
static uint32_t shown_place(uint32_t n, uint32_t value)
{
    return overlay_state(n) == OVERLAY_FAULTING && fetch_thread(n)->active ? (uint32_t)fetch_thread(n)->at
                                                                           : value;
}

static bool is_loop_counter(hwaddr offset)
{
    return offset % CHANNEL_STEP == LC0 % CHANNEL_STEP || offset % CHANNEL_STEP == LC1 % CHANNEL_STEP;
}

static uint32_t shown(hwaddr offset, uint32_t value)
{
    if (offset >= FTR0 && offset < FTR0 + 4 * FETCH_CHANNELS) {
        uint32_t fault = overlay.fault[(offset - FTR0) / 4];

        return fault ? fault : value;
    }
    if (offset >= CSR0 && offset < CSR0 + CSR_STEP * FETCH_CHANNELS) {
        uint32_t n = (uint32_t)(offset - CSR0) / CSR_STEP;

        return offset % CSR_STEP == 0 ? shown_status(n, value) : shown_place(n, value);
    }
    if (offset >= SAR0 && offset < SAR0 + CHANNEL_STEP * FETCH_CHANNELS && is_loop_counter(offset)) {
        return (overlay.started >> (offset - SAR0) / CHANNEL_STEP & 1) ? value : 0;
    }
    return offset == DBGSTATUS ? 0 : value;
}

static uint64_t overlay_read(void *opaque, hwaddr offset, unsigned int size)
{
    (void)opaque;
    (void)size;
    if (offset >= FSRC && offset < FTR0 + 4 * FETCH_CHANNELS) {
        look_for_faults();
    }
    return shown(offset, overlay_model_register(offset));
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
