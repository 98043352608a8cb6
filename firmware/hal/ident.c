/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/ident.h"

#include "boot/memlayout.h"
#include "hal/cache.h"
#include "hal/mmio.h"
#include "hal/trace.h"

enum {
    MAGIC = 0x00,
    FEATURES = 0x08,
    NONCE = 0x10,
    TIME = 0x18,
    READY = 0x20,
    ALARM = 0x28,
    HELD = 0x30,
    CACHE = 0x38,
    COMMIT = 0x40,
    ARGUMENT = 0x48, /* five of 8 bytes */
};
enum { MAGIC_VALUE = 0x33764d44 };

/* Record kinds, bits 7:0 of COMMIT; the id is in bits 31:8. */
enum { RECORD_ENTER = 4, RECORD_EXIT, RECORD_RANGE, RECORD_UNMAPPED, RECORD_VIOLATION };

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

void ident_report_cache(void)
{
    unsigned int level = cache_coherency_level();

    if (ident_present()) {
        mmio_write64(IDENT_BASE + CACHE, cache_size_id(level) | (uint64_t)level << 32);
    }
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

/* ---- trace.h ---- */

static void argument(unsigned int index, uint64_t value)
{
    mmio_write64(IDENT_BASE + ARGUMENT + 8 * index, value);
}

static void commit(uint32_t kind, uint32_t id)
{
    mmio_write32(IDENT_BASE + COMMIT, kind | id << 8);
}

void trace_enter(enum trace_id id, const void *adapter)
{
    argument(0, (uintptr_t)adapter);
    commit(RECORD_ENTER, id);
}

void trace_exit(enum trace_id id, const void *adapter, uint32_t status, uint32_t bytes, uint32_t elements)
{
    argument(0, (uintptr_t)adapter);
    argument(1, status);
    argument(2, bytes | (uint64_t)elements << 32);
    commit(RECORD_EXIT, id);
}

void trace_range(enum trace_range kind, const void *handle, uint64_t physical, uint64_t device, uint32_t length,
                 bool write)
{
    argument(0, (uintptr_t)handle);
    argument(1, physical);
    argument(2, length);
    argument(3, write);
    argument(4, device);
    commit(RECORD_RANGE, kind);
}

void trace_unmapped(const void *handle)
{
    argument(0, (uintptr_t)handle);
    commit(RECORD_UNMAPPED, 0);
}

void trace_violation(uint32_t code, uint64_t p2, uint64_t p3)
{
    argument(0, p2);
    argument(1, p3);
    commit(RECORD_VIOLATION, code);
}
