/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ident.h"

#include <string.h>
#include <unistd.h>

#include "alarm.h"
#include "board.h"
#include "decode.h"
#include "gate.h"
#include "oplog.h"
#include "pace.h"
#include "probe.h"
#include "uart.h"
#include "views.h"

enum {
    MAGIC = 0x00,
    LAYOUT = 0x04,
    FEATURES = 0x08,
    NONCE = 0x10,
    TIME = 0x18,
    READY = 0x20,
    ALARM = 0x28,
    HELD = 0x30,
    CACHE = 0x38,
    COMMIT = 0x40,
    ARGUMENT_A = 0x48,
    ARGUMENT_END = 0x70,
    IDENT_SIZE = 0x1000,
};

static struct {
    uint32_t features;
    uint64_t nonce;
    uint64_t argument[5];
} ident;

static uint64_t word(hwaddr offset)
{
    switch (offset) {
    case MAGIC:
        return PROBE_MAGIC | (uint64_t)1 << 32;
    case FEATURES:
        return ident.features;
    case NONCE:
        return ident.nonce;
    case TIME:
        return gate_time();
    case HELD:
        return pace_held_channels();
    default:
        return 0;
    }
}

static uint64_t ident_read(void *opaque, hwaddr offset, unsigned int size)
{
    uint64_t value = word(offset & ~7ull) >> (offset & 4) * 8;

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

#define CACHE_OPTIONS "cache-level=%u,cache-line=%u,cache-sets=%u,cache-ways=%u"
#define CACHE_VALUES(cache)                                                                                    \
    (cache)->level, (cache)->geometry.line, (cache)->geometry.sets, (cache)->geometry.ways

/* The cache that is modelled must be the one that the CPU says it has. */
static void check_cache(uint32_t level, uint32_t ccsidr)
{
    struct board_cache modelled = board_cache(), own = {level, decode_ccsidr(ccsidr)};

    if (views.model && memcmp(&modelled, &own, sizeof(own)) != 0) {
        qemu.error_report("dmav3: the CPU's CLIDR and CCSIDR (0x%08x) say " CACHE_OPTIONS ", but " CACHE_OPTIONS
                          " is what was given",
                          ccsidr, CACHE_VALUES(&own), CACHE_VALUES(&modelled));
        _exit(IDENT_WRONG_CACHE);
    }
}

static void ident_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    if (offset == READY) {
        uart_flush();
        if (!uart_is_unread()) { /* else it was said before the line came: a PCI device had woken the CPU */
            gate_ready();
        }
    } else if (offset == CACHE && size == 8) {
        check_cache((uint32_t)(value >> 32), (uint32_t)value);
    } else if (offset == ALARM && size == 8) {
        alarm_set(value);
    } else if (offset == COMMIT) {
        commit((uint32_t)value);
    } else if (offset >= ARGUMENT_A && offset < ARGUMENT_END && size == 8) {
        ident.argument[(offset - ARGUMENT_A) / 8] = value;
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

MemoryRegion *ident_page(uint32_t features, uint64_t nonce)
{
    static QemuRegion page;

    ident.features = features;
    ident.nonce = nonce;
    qemu.memory_region_init_io(region(&page), NULL, &ident_ops, NULL, "dmav3-ident", IDENT_SIZE);
    return region(&page);
}
