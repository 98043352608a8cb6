/* SPDX-License-Identifier: Apache-2.0 */
#include "pl330/registers.h"

#include "hal/mmio.h"
#include "pl330/code.h"

enum {
    DSR = 0x000,
    INTEN = 0x020,
    INTMIS = 0x028,
    INTCLR = 0x02C,
    FSRD = 0x030,
    FSRC = 0x034,
    FTR0 = 0x040, /* + 4 n */
    CSR0 = 0x100, /* + 8 n */
    CPC0 = 0x104,
    SAR0 = 0x400, /* + 0x20 n */
    DAR0 = 0x404,
    CCR0 = 0x408,
    LC1_0 = 0x410,
    DBGSTATUS = 0xD00,
    DBGCMD = 0xD04,
    DBGINST0 = 0xD08,
    DBGINST1 = 0xD0C,
    CR0 = 0xE00,
    CR3 = 0xE0C,
    CR4 = 0xE10,
    CRD = 0xE14,
};

enum {
    STATE_MASK = 0xF,
    STATE_STOPPED = 0,
    STATE_FAULTING = 15,
    DSR_NONSECURE = 1 << 9,
    DBGSTATUS_BUSY = 1 << 0,
    FSRD_FAULTING = 1 << 0,
    CR0_HAS_PERIPHERALS = 1 << 0,
    POLLS_MAX = 10000,
};

static uint32_t field(uint32_t value, unsigned int shift, uint32_t mask)
{
    return value >> shift & mask;
}

struct pl330_configuration pl330_read_configuration(uintptr_t base)
{
    uint32_t cr0 = mmio_read32(base + CR0);
    uint32_t crd = mmio_read32(base + CRD);
    uint32_t bus_bytes = UINT32_C(1) << field(crd, 0, 7);

    return (struct pl330_configuration){
        .channels = field(cr0, 4, 7) + 1,
        .peripherals = (cr0 & CR0_HAS_PERIPHERALS) != 0 ? field(cr0, 12, 0x1F) + 1 : 0,
        .events = field(cr0, 17, 0x1F) + 1,
        .nonsecure_events = mmio_read32(base + CR3),
        .nonsecure_peripherals = mmio_read32(base + CR4),
        .bus_bytes = bus_bytes,
        .fifo_bytes = (field(crd, 20, 0x3FF) + 1) * bus_bytes,
    };
}

/* ---- threads ---- */

bool pl330_is_manager_nonsecure(uintptr_t base)
{
    return (mmio_read32(base + DSR) & DSR_NONSECURE) != 0;
}

/* QEMU's FSRD is set for a manager that is not stopped, too. */
bool pl330_is_manager_faulting(uintptr_t base)
{
    return (mmio_read32(base + FSRD) & FSRD_FAULTING) != 0 &&
           (mmio_read32(base + DSR) & STATE_MASK) == STATE_FAULTING;
}

bool pl330_is_stopped(uintptr_t base, uint32_t n)
{
    return (mmio_read32(base + CSR0 + 8 * n) & STATE_MASK) == STATE_STOPPED;
}

uint32_t pl330_faulting_channels(uintptr_t base)
{
    return mmio_read32(base + FSRC);
}

uint32_t pl330_fault_type(uintptr_t base, uint32_t n)
{
    return mmio_read32(base + FTR0 + 4 * n);
}

struct pl330_thread pl330_read_thread(uintptr_t base, uint32_t n)
{
    return (struct pl330_thread){
        .cpc = mmio_read32(base + CPC0 + 8 * n),
        .sar = mmio_read32(base + SAR0 + 0x20 * n),
        .dar = mmio_read32(base + DAR0 + 0x20 * n),
        .ccr = mmio_read32(base + CCR0 + 0x20 * n),
        .lc1 = mmio_read32(base + LC1_0 + 0x20 * n),
    };
}

/* ---- the debug interface ---- */

enum { DEBUG_INSTRUCTION_BYTES = 6, BY_MANAGER = 0, BY_CHANNEL = 1 };

struct debug_instruction {
    uint8_t bytes[DEBUG_INSTRUCTION_BYTES];
    struct pl330_code code;
};

static struct pl330_code *begin(struct debug_instruction *instruction)
{
    *instruction = (struct debug_instruction){.code.capacity = DEBUG_INSTRUCTION_BYTES};
    instruction->code.bytes = instruction->bytes;
    return &instruction->code;
}

static bool wait_debug_idle(uintptr_t base)
{
    for (int polls = 0; polls < POLLS_MAX; polls++) {
        if ((mmio_read32(base + DBGSTATUS) & DBGSTATUS_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

static bool execute(uintptr_t base, const struct debug_instruction *instruction, uint32_t thread)
{
    const uint8_t *bytes = instruction->bytes;

    if (!wait_debug_idle(base)) {
        return false;
    }
    mmio_write32(base + DBGINST0, thread | (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 24);
    mmio_write32(base + DBGINST1,
                 bytes[2] | (uint32_t)bytes[3] << 8 | (uint32_t)bytes[4] << 16 | (uint32_t)bytes[5] << 24);
    mmio_write32(base + DBGCMD, 0);
    return true;
}

bool pl330_start(uintptr_t base, uint32_t n, bool nonsecure, uint32_t program)
{
    struct debug_instruction go;

    pl330_emit_go(begin(&go), n, nonsecure, program);
    return pl330_is_stopped(base, n) && execute(base, &go, BY_MANAGER);
}

static bool wait_stopped(uintptr_t base, uint32_t n)
{
    for (int polls = 0; polls < POLLS_MAX; polls++) {
        if (pl330_is_stopped(base, n)) {
            return true;
        }
    }
    return false;
}

bool pl330_kill(uintptr_t base, uint32_t n)
{
    struct debug_instruction kill;

    pl330_emit_kill(begin(&kill));
    return execute(base, &kill, BY_CHANNEL | n << 8) && wait_stopped(base, n);
}

void pl330_kill_manager(uintptr_t base)
{
    struct debug_instruction kill;

    pl330_emit_kill(begin(&kill));
    (void)execute(base, &kill, BY_MANAGER);
}

bool pl330_raise_event(uintptr_t base, uint32_t event)
{
    struct debug_instruction send;

    pl330_emit_send_event(begin(&send), event);
    return execute(base, &send, BY_MANAGER);
}

/* ---- events ---- */

void pl330_enable_interrupts(uintptr_t base, uint32_t events)
{
    mmio_write32(base + INTEN, events); /* first: without it INTCLR has no effect */
    mmio_write32(base + INTCLR, events);
}

uint32_t pl330_pending_interrupts(uintptr_t base)
{
    return mmio_read32(base + INTMIS);
}

void pl330_clear_interrupt(uintptr_t base, uint32_t event)
{
    mmio_write32(base + INTCLR, UINT32_C(1) << event);
}
