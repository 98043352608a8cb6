/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/ident.h"

#include <string.h>

#include "devices/alarm.h"
#include "devices/gate.h"
#include "devices/uart.h"
#include "evidence/oplog.h"
#include "evidence/stray.h"
#include "memory/views.h"
#include "probe/probe.h"
#include "time/clock.h"

static struct {
    uint32_t features;
    uint64_t nonce;
    uint64_t argument[5];
    const struct controller *controller;
} ident;

static uint64_t word(enum ident_offset offset)
{
    switch (offset) {
    case IDENT_MAGIC:
        return PROBE_MAGIC | (uint64_t)1 << 32;
    case IDENT_FEATURES:
        return ident.features;
    case IDENT_NONCE:
        return ident.nonce;
    case IDENT_TIME:
        return clock_time();
    case IDENT_HELD:
        return ident.controller->held_channels();
    default:
        return 0;
    }
}

static uint64_t ident_read(void *opaque, hwaddr offset, unsigned int size)
{
    uint64_t value = word((enum ident_offset)(offset & ~7ull)) >> (offset & 4) * 8;

    (void)opaque;
    return size == 4 ? (uint32_t)value : value;
}

static void commit(uint32_t value)
{
    views_lock();
    if (!oplog_record(value & 0xff, value >> 8, ident.argument)) {
        qemu.error_report("dmav3: identification page: no record kind %u (offset 0x40)", value & 0xff);
    }
    views_unlock();
    memset(ident.argument, 0, sizeof(ident.argument));
}

static void ident_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    if (offset == IDENT_READY) {
        uart_flush();
        if (!uart_is_unread()) { /* else it was said before the line came: a PCI device had woken the CPU */
            ident.controller->catch_up();
            gate_ready();
        }
    } else if (offset == IDENT_ALARM && size == 8) {
        alarm_set(value);
    } else if (offset == IDENT_COMMIT) {
        commit((uint32_t)value);
    } else if (offset == IDENT_RECORDS && value == IDENT_RECORDS_MEMORY) {
        views_lock();
        stray_announced();
        views_unlock();
    } else if (offset >= IDENT_ARGUMENT && offset < IDENT_ARGUMENT_END && size == 8) {
        ident.argument[(offset - IDENT_ARGUMENT) / 8] = value;
    } else {
        qemu.error_report("dmav3: identification page: write of %u bytes at offset 0x%llx is ignored", size,
                          (unsigned long long)offset);
    }
}

static const MemoryRegionOps ident_ops = {
    .read = ident_read,
    .write = ident_write,
    .endianness = 2,
    .valid = {4, 8, false, NULL},
    .impl = {4, 8, false},
};

MemoryRegion *ident_page(uint32_t features, uint64_t nonce, const struct controller *controller)
{
    static QemuRegion page;

    ident.features = features;
    ident.nonce = nonce;
    ident.controller = controller;
    qemu.memory_region_init_io(region(&page), NULL, &ident_ops, NULL, "dmav3-ident", IDENT_SIZE);
    return region(&page);
}
