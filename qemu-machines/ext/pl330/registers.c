/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/registers.h"

#include <string.h>

#include "memory/views.h"
#include "pl330/fetch.h"
#include "probe/probe.h"

/* Registers (DDI 0424, 3.3) and opcodes (4.3). */
enum { DSR = 0x000, INTEN = 0x020, FSRC = 0x034, FTR0 = 0x040, CSR0 = 0x100, CSR_STEP = 8 };
enum { SAR0 = 0x400, LC0 = 0x40c, LC1 = 0x410, CHANNEL_STEP = 0x20 };
enum { DBGSTATUS = 0xd00, DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c, PL330_SIZE = 0x1000 };
enum { STATE_MASK = 0xf, EVENT_MASK = 0x1f0, DMAGO = 0xa0, DMAGO_MASK = 0xfd, DMAKILL = 0x01 };
enum { KILL_MANAGER = DMAKILL << 16 };

static struct {
    MemoryRegion *model; /* the region of its own registers */
    qemu_irq kick;
    bool kick_level;
    const struct registers_events *events;
    uint32_t debug[2];
    uint32_t fault[FETCH_CHANNELS];
    uint32_t started; /* a bit a channel: since the last reset */
    uint32_t interrupts;
} registers;

/* ---- the model's own ---- */

uint32_t registers_of_model(hwaddr offset)
{
    uint64_t value = 0;

    qemu.memory_region_dispatch_read(registers.model, offset, &value, MO_32, MEMTXATTRS_UNSPECIFIED);
    return (uint32_t)value;
}

static void set_model_register(hwaddr offset, uint32_t value)
{
    qemu.memory_region_dispatch_write(registers.model, offset, value, MO_32, MEMTXATTRS_UNSPECIFIED);
}

static uint32_t manager_state(void)
{
    return registers_of_model(DSR) & STATE_MASK;
}

uint32_t registers_state(uint32_t n)
{
    return registers_of_model(CSR0 + CSR_STEP * n) & STATE_MASK;
}

uint32_t registers_fault_of_model(uint32_t n)
{
    return registers_of_model(FTR0 + 4 * n);
}

static void debug_execute(uint32_t instruction)
{
    set_model_register(DBGINST0, instruction);
    set_model_register(DBGCMD, 0);
}

/* The model's engine runs after every debug instruction. Killing the idle manager changes nothing;
 * where the manager or its interface is not idle, a change of a request line must do, a little later. */
void registers_kick(void)
{
    if (manager_state() != CHANNEL_STOPPED || (registers_of_model(DBGSTATUS) & 1)) {
        registers.kick_level = !registers.kick_level;
        qemu.qemu_set_irq(registers.kick, registers.kick_level);
        return;
    }
    debug_execute(KILL_MANAGER);
    set_model_register(DBGINST0, registers.debug[0]); /* the CPU may be between its two stores */
}

void registers_reset(void)
{
    if (manager_state() != CHANNEL_STOPPED) {
        debug_execute(KILL_MANAGER);
    }
    memset(registers.fault, 0, sizeof(registers.fault));
    memset(registers.debug, 0, sizeof(registers.debug));
    registers.started = registers.interrupts = 0;
    registers.kick_level = false;
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
    if (registers_state(n) == CHANNEL_STOPPED) {
        if (!registers.events->start(n, address)) {
            return false;
        }
        views_device_started(fetch_starts(n), false);
    }
    registers.started |= 1u << n;
    record(PROBE_DMAGO, n, address);
    return true;
}

/* False: it must not be carried out. */
static bool debug_command(void)
{
    uint8_t opcode = (uint8_t)(registers.debug[0] >> 16);
    uint32_t n = registers.debug[0] >> 8 & 7;
    bool by_channel = registers.debug[0] & 1;

    if (!by_channel && (opcode & DMAGO_MASK) == DMAGO) {
        return start(registers.debug[0] >> 24 & 7, registers.debug[1]);
    }
    if (by_channel && opcode == DMAKILL) {
        record(PROBE_DMAKILL, n, fetch_thread(n)->at);
        registers.events->kill(n);
        registers.fault[n] = 0;
    }
    return true;
}

static void look_for_faults(void)
{
    if (registers_of_model(FSRC)) {
        registers.events->faulting();
    }
}

static void registers_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    bool executes = offset == DBGCMD && (value & 3) == 0;

    (void)opaque;
    (void)size;
    if (offset == DBGINST0 || offset == DBGINST1) {
        registers.debug[offset == DBGINST1] = (uint32_t)value;
    } else if (offset == INTEN) {
        registers.interrupts = (uint32_t)value;
    }
    if (executes && !debug_command()) {
        return;
    }
    set_model_register(offset, (uint32_t)value);
    if (executes) {
        look_for_faults();
    }
}

bool registers_interrupts(uint32_t event)
{
    return registers.interrupts >> event & 1;
}

/* ---- on the way out ---- */

void registers_set_fault(uint32_t n, uint32_t type)
{
    registers.fault[n] = type;
}

static uint32_t shown_status(uint32_t n, uint32_t value)
{
    if (!(registers.started >> n & 1)) {
        return value & STATE_MASK;
    }
    if (!fetch_thread(n)->waited) {
        value &= ~(uint32_t)EVENT_MASK;
    }
    return registers.events->is_held(n) ? (value & ~(uint32_t)STATE_MASK) | CHANNEL_EXECUTING : value;
}

/* For most faults the model's program counter is behind the instruction already. */
static uint32_t shown_place(uint32_t n, uint32_t value)
{
    return registers_state(n) == CHANNEL_FAULTING && fetch_thread(n)->active ? (uint32_t)fetch_thread(n)->at
                                                                             : value;
}

static bool is_loop_counter(hwaddr offset)
{
    return offset % CHANNEL_STEP == LC0 % CHANNEL_STEP || offset % CHANNEL_STEP == LC1 % CHANNEL_STEP;
}

static uint32_t shown(hwaddr offset, uint32_t value)
{
    if (offset >= FTR0 && offset < FTR0 + 4 * FETCH_CHANNELS) {
        uint32_t fault = registers.fault[(offset - FTR0) / 4];

        return fault ? fault : value;
    }
    if (offset >= CSR0 && offset < CSR0 + CSR_STEP * FETCH_CHANNELS) {
        uint32_t n = (uint32_t)(offset - CSR0) / CSR_STEP;

        return offset % CSR_STEP == 0 ? shown_status(n, value) : shown_place(n, value);
    }
    if (offset >= SAR0 && offset < SAR0 + CHANNEL_STEP * FETCH_CHANNELS && is_loop_counter(offset)) {
        return (registers.started >> (offset - SAR0) / CHANNEL_STEP & 1) ? value : 0;
    }
    return offset == DBGSTATUS ? 0 : value;
}

static uint64_t registers_read(void *opaque, hwaddr offset, unsigned int size)
{
    (void)opaque;
    (void)size;
    if (offset >= FSRC && offset < FTR0 + 4 * FETCH_CHANNELS) {
        look_for_faults();
    }
    return shown(offset, registers_of_model(offset));
}

static const MemoryRegionOps register_ops = {
    .read = registers_read,
    .write = registers_write,
    .endianness = 2,
    .valid = {4, 4, false, NULL},
    .impl = {4, 4, false},
};

MemoryRegion *registers_initialise(MemoryRegion *pl330, qemu_irq kick, const struct registers_events *events)
{
    static QemuRegion shown_region;

    registers.model = pl330;
    registers.kick = kick;
    registers.events = events;
    qemu.memory_region_init_io(region(&shown_region), NULL, &register_ops, NULL, "dmav3-pl330", PL330_SIZE);
    return region(&shown_region);
}
