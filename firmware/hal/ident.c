/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/ident.h"

#include "boot/memlayout.h"
#include "hal/mmio.h"

/* Registers of the page; those of the operation log are in oplog.c. */
enum ident_offset {
    MAGIC = 0x00,
    FEATURES = 0x08,
    NONCE = 0x10,
    TIME = 0x18,
    READY = 0x20,
    ALARM = 0x28,
    HELD = 0x30,
};
enum { MAGIC_VALUE = 0x33764d44 };

static uint64_t read64(uintptr_t offset)
{
    uint64_t low = mmio_read32(IDENT_BASE + offset);

    return low | (uint64_t)mmio_read32(IDENT_BASE + offset + 4) << 32;
}

bool ident_present(void)
{
    return mmio_read32(IDENT_BASE + MAGIC) == MAGIC_VALUE;
}

uint32_t ident_features(void)
{
    return ident_present() ? mmio_read32(IDENT_BASE + FEATURES) : 0;
}

uint64_t ident_nonce(void)
{
    return read64(NONCE);
}

uint64_t ident_time(void)
{
    return read64(TIME);
}

uint32_t ident_held(void)
{
    return mmio_read32(IDENT_BASE + HELD);
}

void ident_set_alarm(uint64_t time)
{
    mmio_write64(IDENT_BASE + ALARM, time);
}

void ident_ready(void)
{
    if (ident_features() & IDENT_GATE) {
        mmio_write32(IDENT_BASE + READY, 1);
    }
}
