/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/oplog.h"

#include "boot/memlayout.h"
#include "hal/ident.h"
#include "hal/mmio.h"

/* Registers of the identification page; the others are in ident.c. */
enum oplog_offset {
    COMMIT = 0x40,
    ARGUMENT = 0x48, /* five of 8 bytes */
    RECORDS = 0x70,
};

/* Record kinds, bits 7:0 of COMMIT; the id is in bits 31:8. */
enum oplog_record {
    RECORD_ENTER = 4,
    RECORD_EXIT,
    RECORD_RANGE,
    RECORD_UNMAPPED,
    RECORD_VIOLATION,
    RECORD_MAPPING = 17,
    RECORD_MEMORY,
    RECORD_ADAPTER,
    RECORD_REASON,
    RECORD_ARGUMENTS,
};

enum { ARGUMENTS = 5 };

static void argument(unsigned int index, uint64_t value)
{
    mmio_write64(IDENT_BASE + ARGUMENT + 8 * index, value);
}

static void commit(uint32_t kind, uint32_t id)
{
    mmio_write32(IDENT_BASE + COMMIT, kind | id << 8);
}

void oplog_announce(void)
{
    if (ident_present()) {
        mmio_write32(IDENT_BASE + RECORDS, IDENT_RECORDS_MEMORY);
    }
}

void oplog_enter(enum oplog_id id, const void *adapter, uintptr_t caller)
{
    argument(0, (uintptr_t)adapter);
    argument(1, caller);
    commit(RECORD_ENTER, id);
}

void oplog_arguments(const uint64_t *values, uint32_t count)
{
    for (uint32_t first = 0; first < count; first += ARGUMENTS) {
        for (uint32_t i = 0; i < ARGUMENTS && first + i < count; i++) {
            argument(i, values[first + i]);
        }
        commit(RECORD_ARGUMENTS, first | count << 8);
    }
}

void oplog_exit(enum oplog_id id, const void *adapter, uint32_t status, uint32_t bytes, uint32_t elements)
{
    argument(0, (uintptr_t)adapter);
    argument(1, status);
    argument(2, bytes | (uint64_t)elements << 32);
    commit(RECORD_EXIT, id);
}

void oplog_adapter(const void *adapter, uint32_t channel)
{
    argument(1, (uintptr_t)adapter);
    commit(RECORD_ADAPTER, channel);
}

void oplog_memory(enum oplog_memory kind, const void *adapter, uint64_t physical, uint32_t length,
                  bool is_there)
{
    argument(1, physical);
    argument(2, length);
    argument(3, is_there);
    argument(4, (uintptr_t)adapter);
    commit(RECORD_MEMORY, kind);
}

void oplog_mapping(const struct oplog_mapping *mapping)
{
    argument(0, (uintptr_t)mapping->handle);
    argument(1, (uintptr_t)mapping->mapping);
    argument(2, mapping->looped);
    argument(3, mapping->caller);
    argument(4, (uintptr_t)mapping->adapter);
    commit(RECORD_MAPPING, mapping->maker);
}

void oplog_range(enum oplog_range kind, const void *handle, uint64_t physical, uint64_t device, uint32_t length,
                 bool write)
{
    argument(0, (uintptr_t)handle);
    argument(1, physical);
    argument(2, length);
    argument(3, write);
    argument(4, device);
    commit(RECORD_RANGE, kind);
}

void oplog_unmapped(const void *handle, const void *mapping, bool flushed)
{
    argument(0, (uintptr_t)handle);
    argument(1, (uintptr_t)mapping);
    commit(RECORD_UNMAPPED, flushed);
}

void oplog_violation(uint32_t code, uint64_t p2, uint64_t p3)
{
    argument(0, p2);
    argument(1, p3);
    commit(RECORD_VIOLATION, code);
}

void oplog_reason(const char *why, uint64_t a, uint64_t b)
{
    argument(0, (uintptr_t)why);
    argument(1, a);
    argument(2, b);
    commit(RECORD_REASON, 0);
}
