/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "probe/probe.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct probe *probe;

static struct probe_record *ring;
static uint32_t seq_command, seq;
static struct {
    uint64_t time_ns, address, bytes; /* bytes 0: there is none */
    uint32_t requester;
    bool is_write;
} accesses;                   /* by a PCI device, not yet in the ring */
static uint64_t (*now)(void); /* model time */
static int wake_fd = -1;
static uint64_t wake_mask;

static uint64_t page_align(uint64_t size)
{
    return (size + 4095) & ~4095ull;
}

bool probe_open(int fd, uint64_t ram_base, uint64_t ram_size, uint32_t line_size, uint64_t (*time_ns)(void))
{
    uint64_t lines = PROBE_HEADER_BYTES, records = page_align(lines + ram_size / line_size);
    uint64_t size = page_align(records + sizeof(struct probe_record) * PROBE_RING_RECORDS);
    void *file;

    if (ftruncate(fd, (off_t)size) < 0) {
        return false;
    }
    file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED) {
        return false;
    }
    now = time_ns;
    probe = file;
    ring = (struct probe_record *)((uint8_t *)file + records);
    probe->layout = PROBE_LAYOUT;
    probe->file_size = size;
    probe->ram_base = ram_base;
    probe->ram_size = ram_size;
    probe->line_size = line_size;
    probe->lines_offset = lines;
    probe->ring_offset = records;
    __atomic_store_n(&probe->magic, PROBE_MAGIC, __ATOMIC_RELEASE);
    return true;
}

uint8_t *probe_lines(void)
{
    return (uint8_t *)probe + probe->lines_offset;
}

void probe_wake(int fd, uint64_t mask)
{
    wake_fd = fd;
    wake_mask = mask;
}

static void wake(enum probe_kind kind)
{
    uint64_t one = 1;

    if (wake_fd >= 0 && (wake_mask >> kind & 1)) {
        /* A full counter means that the reader has not looked yet: it is awake all the same. */
        (void)!write(wake_fd, &one, sizeof(one));
    }
}

/* Where a record stands in its command. */
static uint32_t place(bool is_ungated)
{
    if (seq_command != probe->command) {
        seq_command = probe->command;
        seq = 0;
    }
    return is_ungated ? seq : seq++;
}

static void append(const struct probe_record *record)
{
    ring[probe->ring_head & (PROBE_RING_RECORDS - 1)] = *record;
    __atomic_store_n(&probe->ring_head, probe->ring_head + 1, __ATOMIC_RELEASE);
    wake(record->kind);
}

static void append_accesses(void)
{
    struct probe_record record = {
        .time_ns = accesses.time_ns,
        .kind = PROBE_PCI_ACCESS,
        .ungated = 1,
        .id = accesses.requester & 0xffff,
        .a = accesses.address,
        .b = accesses.bytes,
        .d = accesses.is_write,
    };

    if (accesses.bytes) {
        accesses.bytes = 0;
        record.seq = place(true);
        record.command = seq_command;
        append(&record);
    }
}

static uint32_t complete(struct probe_record record)
{
    append_accesses();
    record.seq = place(record.ungated);
    record.command = seq_command;
    append(&record);
    return record.seq;
}

uint32_t probe_record(enum probe_kind kind, uint32_t id, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                      uint64_t e)
{
    probe->violations += kind == PROBE_VIOLATION;
    return complete((struct probe_record){
        .time_ns = now(),
        .kind = (uint16_t)kind,
        .id = id,
        .a = a,
        .b = b,
        .c = c,
        .d = d,
        .e = e,
    });
}

uint32_t probe_record_finding(uint32_t index, bool ungated)
{
    return complete((struct probe_record){
        .time_ns = now(),
        .kind = PROBE_FINDING,
        .ungated = ungated,
        .id = index,
    });
}

void probe_access(uint32_t requester, uint64_t address, unsigned int size, bool is_write)
{
    bool goes_on = accesses.bytes && accesses.requester == requester && accesses.is_write == is_write &&
                   address == accesses.address + accesses.bytes;

    if (!goes_on) {
        append_accesses();
        accesses.time_ns = now();
        accesses.address = address;
        accesses.requester = requester;
        accesses.is_write = is_write;
    }
    accesses.bytes += size;
}

void probe_reset(void)
{
    /* Only what was used: clearing all would touch every page. */
    memset(probe->finding, 0, probe->findings * sizeof(probe->finding[0]));
    memset(probe->cost, 0, probe->costs * sizeof(probe->cost[0]));
    probe->findings = 0;
    probe->findings_lost = 0;
    probe->costs = 0;
    probe->violations = 0;
    probe->ring_reset = probe->ring_head;
    seq = 0;
    seq_command = 0;
    accesses.bytes = 0;
    probe_record(PROBE_RESET, 0, 0, 0, 0, 0, 0);
}
