/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is ordered before the start of a device, and what a device has told the CPU. Plain C, no QEMU.
 *
 * Theory of operation. Nothing is remembered in lists that a barrier empties. There is one counter, the
 * *moment*, which goes on at each barrier that orders anything, at each start of a device, and when the CPU is
 * told something. A store, a maintenance operation and a device's write keep the moment at which they were
 * made; a start keeps its own, and those of the last barriers before it. Whether one is ordered before the
 * other is then a comparison, however many others lie between, and however late somebody asks:
 *
 *     something of moment m is not ordered before a start if  last barrier <= m < start.
 *
 * What the CPU did after the start is not judged by it.
 *
 * Which barriers order what (DDI 0487, K11.5.1, G4.4.7; "DMB", "DSB", "STLR" in C6.2):
 *   - DMB and DSB alike, of loads and stores, SY, OSH or ISH: everything before them.
 *   - The ST forms of these domains: stores, not maintenance.
 *   - The LD forms, those of the domain NSH, and ISB: nothing that is asked here.
 *   - A store-release: the plain accesses before it, never maintenance.
 *
 * A moment has 32 bits. The counter stands still at the last one, and nothing is judged from then on.
 */
#ifndef DMAV3_ORDER_H
#define DMAV3_ORDER_H

#include <stdbool.h>
#include <stdint.h>

enum order_barrier { ORDER_STORES, ORDER_FULL };

struct order_start {
    uint32_t at;          /* its moment */
    uint32_t stores;      /* of the last barrier before it that orders stores */
    uint32_t maintenance; /* of the last full one */
};

/* The starts that a device's accesses are judged by. Zeroes: it was never started, and nothing is judged. Of
 * more than ORDER_STARTS with different barriers before them, the oldest are forgotten. */
enum { ORDER_STARTS = 16 };
struct order_starts {
    struct order_start start[ORDER_STARTS];
    unsigned int count;
    bool accessed; /* the device has accessed memory since the last of them */
};

struct order {
    uint32_t now;
    bool used;             /* something has kept `now` */
    uint32_t full, stores; /* moments of the last barriers */
    uint32_t full_count;   /* of full barriers, whether or not the moment went on */
    uint32_t told, asked;  /* what devices wrote up to these moments, the CPU has been told, has asked for */
    bool releasing;
    struct order_start latest; /* of any device */
};

void order_reset(struct order *);

/* The moment that an access of now keeps. From 1. */
uint32_t order_moment(struct order *);

void order_barrier(struct order *, enum order_barrier);

/* From here to the next call with false, a store-release is being executed: a start is made by that. */
void order_release(struct order *, bool under_way);

/* A device starts. keep: its starts since its last access count as well; else this one takes their place. */
void order_start(struct order *, struct order_starts *, bool keep);

/* Is what was made at the moment not ordered before a start that came after it? */
bool order_store_races(const struct order_starts *, uint32_t moment);
bool order_maintenance_races(const struct order_starts *, uint32_t moment);

/* Was there a full barrier since the moment? */
bool order_is_behind(const struct order *, uint32_t moment);

/* The CPU has been told of everything that devices have written so far: by an interrupt, or (asked) by a
 * device's register. */
void order_tell(struct order *, bool asked);

/* The CPU has loaded what a device wrote at the moment: it has been told of that, and of what came before. */
void order_tell_moment(struct order *, uint32_t moment);

/* Has the CPU been told of what a device wrote at the moment? Has it asked? */
static inline bool order_is_told(const struct order *order, uint32_t moment)
{
    return moment <= order->told;
}

static inline bool order_is_asked(const struct order *order, uint32_t moment)
{
    return moment <= order->asked;
}

#endif
