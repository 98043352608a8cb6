/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2 (IHI 0048B), one core, no security extension. */
#include "hal/irq.h"

#include <stdbool.h>
#include <stddef.h>

#include "boot/memlayout.h"
#include "hal/exception.h"
#include "hal/irq_mask.h"
#include "hal/mmio.h"

enum {
    GICD_CTLR = 0x000,
    GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180,
    GICD_ITARGETSR = 0x800,
    GICD_ICFGR = 0xc00,
    GICC_CTLR = 0x00,
    GICC_PMR = 0x04,
    GICC_IAR = 0x0c,
    GICC_EOIR = 0x10,
};
enum { SPI_FIRST = 32, INTIDS = 256 + SPI_FIRST, SPURIOUS = 1020, IN_A_ROW_MAX = 10000 };

static struct {
    void (*handler)(void *context);
    void *context;
    const void *routine; /* that a report names */
    bool counted;
} lines[INTIDS];

static void (*exit_hook)(void);
static uint32_t taken;
static uint32_t depth;    /* calls of irq_dispatch() that have not returned */
static uint32_t in_a_row; /* interrupts since none was pending when the outermost of them returned */

void irq_initialize(void)
{
    mmio_write32(GICD_BASE + GICD_CTLR, 1);
    mmio_write32(GICC_BASE + GICC_PMR, 0xff);
    mmio_write32(GICC_BASE + GICC_CTLR, 1);
}

void irq_connect_clock(unsigned int spi, void (*handler)(void *context), void *context)
{
    unsigned int intid = spi + SPI_FIRST;
    uintptr_t target = GICD_BASE + GICD_ITARGETSR + intid / 4 * 4;

    lines[intid].handler = handler;
    lines[intid].routine = (const void *)(uintptr_t)handler;
    lines[intid].context = context;
    /* To core 0: a byte an interrupt, and all registers are accessed as words. */
    mmio_write32(target, mmio_read32(target) | 1u << intid % 4 * 8);
    irq_reenable(spi);
}

/* A bit an interrupt. */
static void write_bit(uint32_t registers, unsigned int spi)
{
    unsigned int intid = spi + SPI_FIRST;

    mmio_write32(GICD_BASE + registers + intid / 32 * 4, 1u << intid % 32);
}

void irq_disable(unsigned int spi)
{
    write_bit(GICD_ICENABLER, spi);
}

void irq_reenable(unsigned int spi)
{
    write_bit(GICD_ISENABLER, spi);
}

void irq_connect(unsigned int spi, void (*handler)(void *context), void *context)
{
    lines[spi + SPI_FIRST].counted = true;
    irq_connect_clock(spi, handler, context);
}

void irq_connect_message(unsigned int spi, void (*handler)(void *context), void *context)
{
    unsigned int intid = spi + SPI_FIRST;
    uintptr_t configuration = GICD_BASE + GICD_ICFGR + intid / 16 * 4;

    mmio_write32(configuration, mmio_read32(configuration) | 2u << intid % 16 * 2);
    irq_connect(spi, handler, context);
}

void irq_name_routine(unsigned int spi, const void *routine)
{
    lines[spi + SPI_FIRST].routine = routine;
}

void irq_set_exit_hook(void (*hook)(void))
{
    exit_hook = hook;
}

uint32_t irq_count(void)
{
    return taken;
}

static void handle(uint32_t intid)
{
    if (intid >= INTIDS || !lines[intid].handler) {
        exception_panic("an interrupt that nobody connected");
    }
    if (++in_a_row > IN_A_ROW_MAX) {
        exception_storm(intid - SPI_FIRST, lines[intid].routine, IN_A_ROW_MAX);
    }
    taken += lines[intid].counted;
    lines[intid].handler(lines[intid].context);
}

/* Called by the vector with interrupts masked. */
void irq_dispatch(uint64_t kind, struct exception_frame *frame)
{
    uint32_t acknowledged;

    (void)kind;
    (void)frame;
    depth++;
    while (((acknowledged = mmio_read32(GICC_BASE + GICC_IAR)) & 0x3ff) < SPURIOUS) {
        handle(acknowledged & 0x3ff);
        mmio_write32(GICC_BASE + GICC_EOIR, acknowledged);
    }
    if (exit_hook) {
        exit_hook();
    }
    if (--depth == 0 && !irq_is_pending()) {
        in_a_row = 0;
    }
}
