/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pace.h"

#include <string.h>

#include "probe.h"
#include "views.h"

/* PL330 registers (DDI 0424, 3.3) and opcodes (4.3). */
enum { DSR = 0x000, CSR0 = 0x100, CSR_STEP = 8, STATE_MASK = 0xf, STATE_STOPPED = 0, STATE_FAULTING = 15 };
enum { DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c, PL330_SIZE = 0x1000 };
enum { DMAGO = 0xa0, DMAGO_MASK = 0xfd, DMAKILL = 0x01, DMALPEND = 0x28, DMALPEND_MASK = 0xe8 };

struct channel {
    bool active;
    uint64_t at;     /* instruction fetched last */
    uint64_t after;  /* the one behind it */
    uint64_t target; /* of its loop; `after` where it is none */
    uint64_t bursts;
};

static struct {
    struct channel channel[PACE_CHANNELS];
    uint32_t current;
    unsigned int rest; /* bytes of the instruction still to be fetched for the second time */
    uint8_t opcode;
    uint32_t debug[2];
} pace = {.current = PACE_NO_CHANNEL};

static MemoryRegion *registers; /* the model's own */

/* ---- what a reset does not repair ---- */

static uint32_t state(hwaddr status_register)
{
    uint64_t value = 0;

    qemu.memory_region_dispatch_read(registers, status_register, &value, MO_32, MEMTXATTRS_UNSPECIFIED);
    return (uint32_t)value & STATE_MASK;
}

/* QEMU's model loses count of what is queued for a channel that ends otherwise than by DMAEND, and a
 * reset does not set that right: every later load of the channel may lock up. It keeps a fault of the
 * manager, too. Whether something was queued cannot be seen from here. */
static void spoil_channel(uint32_t n)
{
    if (state(CSR0 + CSR_STEP * n) != STATE_STOPPED) {
        probe->spoiled |= 1u << n;
    }
}

static void spoil_manager(void)
{
    if (state(DSR) == STATE_FAULTING) {
        probe->spoiled |= PROBE_SPOILED_MANAGER;
    }
}

void pace_reset(void)
{
    for (uint32_t n = 0; registers && n < PACE_CHANNELS; n++) {
        spoil_channel(n);
    }
    if (registers) {
        spoil_manager();
    }
    memset(&pace, 0, sizeof(pace));
    pace.current = PACE_NO_CHANNEL;
}

struct pace_position pace_position(void)
{
    struct pace_position position = {.channel = pace.current};

    if (pace.current != PACE_NO_CHANNEL) {
        position.microcode = pace.channel[pace.current].at;
        position.burst = pace.channel[pace.current].bursts;
    }
    return position;
}

/* ---- fetches ---- */

static unsigned int instruction_length(uint8_t opcode)
{
    if (opcode == 0xbc || (opcode & DMAGO_MASK) == DMAGO) {
        return 6; /* DMAMOV, DMAGO */
    }
    if ((opcode & 0xf5) == 0x54) {
        return 3; /* DMAADDH, DMAADNH */
    }
    return (opcode >= 0x20 && opcode <= 0x3f) ? 2 : 1;
}

/* DMALD, DMALDS, DMALDB, DMALDPS, DMALDPB. */
static bool is_load(uint8_t opcode)
{
    return (opcode & 0xfc) == 0x04 || (opcode & 0xfd) == 0x25;
}

static bool may_be_at(const struct channel *channel, uint64_t address)
{
    return channel->active &&
           (address == channel->at || address == channel->after || address == channel->target);
}

/* The channel that fetches at `address`: most often the one that fetched before. */
static uint32_t channel_at(uint64_t address)
{
    if (pace.current != PACE_NO_CHANNEL && may_be_at(&pace.channel[pace.current], address)) {
        return pace.current;
    }
    for (uint32_t n = 0; n < PACE_CHANNELS; n++) {
        if (may_be_at(&pace.channel[n], address)) {
            return n;
        }
    }
    return PACE_NO_CHANNEL;
}

static void fetched_opcode(uint32_t n, uint64_t address, uint8_t opcode)
{
    struct channel *channel = &pace.channel[n];

    pace.current = n;
    pace.opcode = opcode;
    pace.rest = instruction_length(opcode);
    channel->at = address;
    channel->after = channel->target = address + pace.rest;
}

static void fetched_rest(uint64_t address, const uint8_t *bytes, unsigned int size)
{
    struct channel *channel = &pace.channel[pace.current];

    if ((pace.opcode & DMALPEND_MASK) == DMALPEND && address <= channel->at + 1 &&
        channel->at + 1 < address + size) {
        channel->target = channel->at - bytes[channel->at + 1 - address];
    }
    pace.rest -= size < pace.rest ? size : pace.rest;
    channel->bursts += !pace.rest && is_load(pace.opcode);
}

static void watch_read(uint64_t address, const uint8_t *bytes, unsigned int size)
{
    if (pace.rest && address >= pace.channel[pace.current].at && address < pace.channel[pace.current].after) {
        fetched_rest(address, bytes, size);
    } else if (size == 1) {
        uint32_t n = channel_at(address);

        if (n != PACE_NO_CHANNEL) {
            fetched_opcode(n, address, bytes[0]);
        }
    }
}

/* ---- memory ---- */

static uint64_t dma_read(void *opaque, hwaddr offset, unsigned int size)
{
    uint64_t value = 0;

    (void)opaque;
    views_device_read(offset, &value, size);
    watch_read(views.base + offset, (const uint8_t *)&value, size);
    return value;
}

static void dma_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    views_device_write(offset, &value, size);
}

static const MemoryRegionOps dma_ops = {
    .read = dma_read,
    .write = dma_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

MemoryRegion *pace_dma_memory(void)
{
    static QemuRegion root, system_memory, ram;

    /* No region has an owner: with one, QEMU blocks an access to a device that is in use. */
    qemu.memory_region_init(region(&root), NULL, "dmav3-dma", UINT64_MAX);
    qemu.memory_region_init_alias(region(&system_memory), NULL, "dmav3-dma-system", qemu.get_system_memory(), 0,
                                  UINT64_MAX);
    qemu.memory_region_add_subregion_overlap(region(&root), 0, region(&system_memory), 0);
    qemu.memory_region_init_io(region(&ram), NULL, &dma_ops, NULL, "dmav3-dram", views.size);
    qemu.memory_region_add_subregion_overlap(region(&root), views.base, region(&ram), 1);
    return region(&root);
}

/* ---- registers ---- */

static void debug_command(void)
{
    uint8_t opcode = (uint8_t)(pace.debug[0] >> 16);
    bool by_channel = pace.debug[0] & 1;

    if (!by_channel && (opcode & DMAGO_MASK) == DMAGO) {
        uint32_t n = pace.debug[0] >> 24 & 7;

        pace.channel[n] = (struct channel){true, pace.debug[1], pace.debug[1], pace.debug[1], 0};
        pace.rest = 0;
        views_device_started();
        views_lock();
        probe_record(PROBE_DMAGO, n, pace.debug[1], 0, 0, 0, 0);
        views_unlock();
    } else if (by_channel && opcode == DMAKILL) {
        spoil_channel(pace.debug[0] >> 8 & 7);
        pace.channel[pace.debug[0] >> 8 & 7].active = false;
    } else if (opcode == DMAKILL) {
        spoil_manager();
    }
}

static uint64_t overlay_read(void *opaque, hwaddr offset, unsigned int size)
{
    uint64_t value = 0;

    (void)size;
    qemu.memory_region_dispatch_read(opaque, offset, &value, MO_32, MEMTXATTRS_UNSPECIFIED);
    return value;
}

static void overlay_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)size;
    if (offset == DBGINST0 || offset == DBGINST1) {
        pace.debug[offset == DBGINST1] = (uint32_t)value;
    } else if (offset == DBGCMD && (value & 3) == 0) {
        debug_command();
    }
    qemu.memory_region_dispatch_write(opaque, offset, value, MO_32, MEMTXATTRS_UNSPECIFIED);
}

static const MemoryRegionOps overlay_ops = {
    .read = overlay_read,
    .write = overlay_write,
    .endianness = 2,
    .valid = {4, 4, false, NULL},
    .impl = {4, 4, false},
};

MemoryRegion *pace_overlay(MemoryRegion *pl330)
{
    static QemuRegion overlay;

    registers = pl330;
    qemu.memory_region_init_io(region(&overlay), NULL, &overlay_ops, pl330, "dmav3-pl330", PL330_SIZE);
    return region(&overlay);
}
