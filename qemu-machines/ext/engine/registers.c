/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers (DDI 0424, 3.3), and the debug interface. */
#include "engine/execute.h"
#include "engine/signals.h"
#include "engine/state.h"

enum register_offset {
    DSR = 0x000,
    DPC = 0x004,
    INTEN = 0x020,
    INT_EVENT_RIS = 0x024,
    INTMIS = 0x028,
    INTCLR = 0x02c,
    FSRD = 0x030,
    FSRC = 0x034,
    FTRD = 0x038,
    FTR0 = 0x040,
    CSR0 = 0x100,
    SAR0 = 0x400,
    DBGCMD = 0xd04,
    DBGINST0 = 0xd08,
    DBGINST1 = 0xd0c,
    CR0 = 0xe00,
    CR1 = 0xe04,
    CR2 = 0xe08,
    CR3 = 0xe0c,
    CR4 = 0xe10,
    CRD = 0xe14,
    WD = 0xe80,
    PERIPH_ID_0 = 0xfe0,
    PCELL_ID_3 = 0xffc,
};
enum { CSR_STEP = 8, SAR_STEP = 0x20, WAKEUP_SHIFT = 4 };

/* May the interface see and steer the thread? */
static bool reaches(const struct thread *thread, bool nonsecure)
{
    return thread->nonsecure || !nonsecure;
}

/* The events that the interface may see and steer. */
static uint32_t events_of(const struct engine *engine, bool nonsecure)
{
    return nonsecure ? engine->config.nonsecure_events : UINT32_MAX;
}

/* ---- threads ---- */

static bool is_faulting(const struct thread *thread)
{
    return thread->state == STATE_FAULTING || thread->state == STATE_FAULTING_COMPLETING;
}

/* DSR or CSRn; `security` is the bit that says non-secure. */
static uint32_t status(const struct thread *thread, uint32_t security)
{
    uint32_t value = thread->state | (uint32_t)thread->nonsecure << security;

    if (thread->state == STATE_WAITING_FOR_EVENT) {
        value |= (uint32_t)thread->waits_for << WAKEUP_SHIFT;
    } else if (thread->state == STATE_WAITING_FOR_PERIPHERAL) {
        value |= (uint32_t)thread->waits_for << WAKEUP_SHIFT | (uint32_t)(thread->wait == WAIT_BURST) << 14 |
                 (uint32_t)(thread->wait == WAIT_PERIPHERAL) << 15;
    }
    return value;
}

static uint32_t manager_register(const struct thread *manager, uint32_t offset)
{
    switch (offset) {
    case DSR:
        return status(manager, 9);
    case DPC:
        return manager->pc;
    case FSRD:
        return is_faulting(manager);
    default:
        return manager->fault; /* FTRD */
    }
}

static uint32_t faulting_channels(const struct engine *engine, bool nonsecure)
{
    uint32_t channels = 0;

    for (uint32_t n = 0; n < engine->config.channels; n++) {
        const struct thread *thread = &engine->thread[n];

        channels |= (uint32_t)(is_faulting(thread) && reaches(thread, nonsecure)) << n;
    }
    return channels;
}

/* SARn and what follows it. */
static uint32_t transfer_register(const struct thread *thread, uint32_t offset)
{
    switch (offset) {
    case 0x00:
        return thread->sar;
    case 0x04:
        return thread->dar;
    case 0x08:
        return thread->ccr;
    case 0x0c:
        return thread->counter[0];
    case 0x10:
        return thread->counter[1];
    default:
        return 0;
    }
}

static const struct thread *reached(const struct engine *engine, uint32_t n, bool nonsecure)
{
    static const struct thread none;

    return n < engine->config.channels && reaches(&engine->thread[n], nonsecure) ? &engine->thread[n] : &none;
}

static uint32_t channel_register(const struct engine *engine, uint32_t offset, bool nonsecure)
{
    if (offset >= SAR0) {
        return transfer_register(reached(engine, (offset - SAR0) / SAR_STEP, nonsecure), offset % SAR_STEP);
    }
    if (offset >= CSR0) {
        const struct thread *thread = reached(engine, (offset - CSR0) / CSR_STEP, nonsecure);

        return offset % CSR_STEP ? thread->pc : status(thread, 21);
    }
    return reached(engine, (offset - FTR0) / 4, nonsecure)->fault;
}

/* ---- what is built in ---- */

static uint32_t log2_of(uint32_t power)
{
    uint32_t log2 = 0;

    while (power >> log2 > 1) {
        log2++;
    }
    return log2;
}

static uint32_t data_register(const struct engine_config *config)
{
    return log2_of(config->bus_bytes) | (config->write_capacity - 1u) << 4 | (config->write_queue - 1u) << 8 |
           (config->read_capacity - 1u) << 12 | (config->read_queue - 1u) << 16 |
           (config->fifo_lines - 1u) << 20;
}

static uint32_t size_register(const struct engine_config *config)
{
    uint32_t peripherals = config->peripherals ? 1u | (config->peripherals - 1u) << 12 : 0;

    return peripherals | (uint32_t)config->boots << 1 | (uint32_t)config->manager_nonsecure << 2 |
           (config->channels - 1u) << 4 | (config->events - 1u) << 17;
}

/* The part number, 0x330 by Arm, and its revision; then the identification of PrimeCells. */
static uint32_t identification(const struct engine_config *config, uint32_t n)
{
    const uint32_t bytes[] = {0x30, 0x13, 0x04u | (uint32_t)config->revision << 4, 0x00, 0x0d, 0xf0,
                              0x05, 0xb1};

    return bytes[n];
}

static uint32_t constant_register(const struct engine_config *config, uint32_t offset)
{
    switch (offset) {
    case CR0:
        return size_register(config);
    case CR1:
        return log2_of(config->cache_line) | (config->cache_lines - 1u) << 4;
    case CR2:
        return config->boot_address;
    case CR3:
        return config->nonsecure_events;
    case CR4:
        return config->nonsecure_peripherals;
    case CRD:
        return data_register(config);
    default:
        return offset >= PERIPH_ID_0 && offset <= PCELL_ID_3
                   ? identification(config, (offset - PERIPH_ID_0) / 4)
                   : 0;
    }
}

/* ---- reads ---- */

uint32_t engine_register_read(const struct engine *engine, uint32_t offset, bool nonsecure)
{
    const struct thread *manager = &engine->thread[ENGINE_MANAGER];
    uint32_t events = events_of(engine, nonsecure);

    switch (offset) {
    case DSR:
    case DPC:
    case FSRD:
    case FTRD:
        return reaches(manager, nonsecure) ? manager_register(manager, offset) : 0;
    case INTEN:
        return engine->enabled & events;
    case INT_EVENT_RIS:
        return engine->pending & events;
    case INTMIS:
        return engine->pending & engine->enabled & events;
    case FSRC:
        return faulting_channels(engine, nonsecure);
    case WD:
        return engine->watchdog_irq_only;
    default:
        break;
    }
    if ((offset >= FTR0 && offset < FTR0 + 4 * ENGINE_CHANNELS_MAX) ||
        (offset >= CSR0 && offset < CSR0 + CSR_STEP * ENGINE_CHANNELS_MAX) ||
        (offset >= SAR0 && offset < SAR0 + SAR_STEP * ENGINE_CHANNELS_MAX)) {
        return channel_register(engine, offset, nonsecure);
    }
    return constant_register(&engine->config, offset);
}

/* ---- writes ---- */

/* DBGCMD: execute DBGINST0 and DBGINST1. */
static void execute_command(struct engine *engine, bool nonsecure)
{
    uint32_t first = engine->debug[0], second = engine->debug[1];
    uint32_t n = (first & 1) ? first >> 8 & 7 : ENGINE_MANAGER;
    const uint8_t code[INSTRUCTION_BYTES_MAX] = {
        (uint8_t)(first >> 16), (uint8_t)(first >> 24),  (uint8_t)second,
        (uint8_t)(second >> 8), (uint8_t)(second >> 16), (uint8_t)(second >> 24),
    };

    if ((n == ENGINE_MANAGER || n < engine->config.channels) && reaches(&engine->thread[n], nonsecure)) {
        execute_debug(engine, &engine->thread[n], code);
    }
}

void engine_register_write(struct engine *engine, uint32_t offset, uint32_t value, bool nonsecure)
{
    uint32_t events = events_of(engine, nonsecure);

    switch (offset) {
    case INTEN:
        engine->enabled = (engine->enabled & ~events) | (value & events);
        break;
    case INTCLR:
        engine->pending &= ~(value & engine->enabled & events);
        break;
    case DBGCMD:
        if (!(value & 3)) {
            execute_command(engine, nonsecure);
        }
        break;
    case DBGINST0:
        engine->debug[0] = value;
        break;
    case DBGINST1:
        engine->debug[1] = value;
        break;
    case WD:
        if (!nonsecure) {
            engine->watchdog_irq_only = value & 1;
        }
        break;
    default:
        break;
    }
    signals_drive(engine);
}
