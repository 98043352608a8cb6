/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hal on the host: memory whose physical pages are permuted, an interrupt mask, and one log of
 * cache operations and records of the operation log in the order of the calls.
 */
#ifndef FAKE_HAL_H
#define FAKE_HAL_H

#include "hal/oplog.h"

#include <stddef.h>

enum { FAKE_LINE = 64, FAKE_PAGE = 4096, FAKE_PAGES = 64 };

/* Forget the log, memory contents, handlers; unmask. Physical pages back in order. Everything that was entered
 * must have returned. */
void fake_reset(void);

/* The caller's memory: FAKE_PAGES pages, contiguous for the CPU. */
extern uint8_t fake_memory[FAKE_PAGES * FAKE_PAGE];

/* Physical page number of a page of fake_memory; by default 0x40000 + index. */
void fake_map_page(size_t index, uint64_t page_number);

/* No two neighbours are physically adjacent. */
void fake_scatter_pages(void);

/* From here on, as many bytes, registers of devices are mapped: nothing is there to be touched. */
enum { FAKE_REGISTERS = 0x08000000 };

/* What memory_take_pages() has: FAKE_POOL_PAGES pages of each kind, at these physical addresses. */
enum { FAKE_POOL_PAGES = 64, FAKE_DEVICE_MEMORY = 0x51000000, FAKE_WRITE_BACK = 0x52000000 };

/* Low memory, for the layer that is started next. */
enum { FAKE_LOW_MEMORY = 0x0f000000 };
void fake_add_low_memory(void);

/* The byte that a device sees at a physical address, in fake_memory or what the hal hands out. */
uint8_t *fake_device_view(uint64_t physical);

void fake_set_coherent(bool coherent);

/* Assert a shared peripheral interrupt: its handler runs as soon as interrupts are unmasked, once. */
void fake_interrupt(unsigned int spi);

enum fake_kind {
    FAKE_ENTER,      /* id; a: adapter */
    FAKE_EXIT,       /* id; a: status, b: bytes, c: elements */
    FAKE_RANGE,      /* id: enum oplog_range; a: physical, b: length, c: write */
    FAKE_UNMAPPED,   /* a: handle */
    FAKE_VIOLATION,  /* id: code; a, b: p2, p3 */
    FAKE_CLEAN,      /* a: address, b: size; so the next two */
    FAKE_INVALIDATE, /* c: the byte before them, now */
    FAKE_CLEAN_INVALIDATE,
    FAKE_BARRIER,
};

struct fake_event {
    enum fake_kind kind;
    uint32_t id;
    uint64_t a, b, c;
};

/* How many events of a kind; with an id. */
size_t fake_count(enum fake_kind kind);
size_t fake_count_id(enum fake_kind kind, uint32_t id);

/* The n-th (from 0) event of a kind; fails the test if there is none. */
const struct fake_event *fake_event(enum fake_kind kind, size_t n);

/* Position in the log of the last event of a kind and id; fails the test if there is none. */
size_t fake_last(enum fake_kind kind, uint32_t id);

void fake_forget_log(void);

#endif
