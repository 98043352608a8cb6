/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches a few bytes of RAM, all in one line: whatever is done to them goes into a file, in order, so that
 * their story can be told. The event ring has nothing of it, and nothing of the run changes.
 *
 * Only where bytes are watched, more callbacks are registered with the translator. A record of the CPU comes
 * after those that its access or operation gave rise to, a device's before.
 */
#ifndef DMAV3_WATCH_H
#define DMAV3_WATCH_H

#include <stdint.h>

#include "memory/accessor.h"
#include "model/a64_decode.h"
#include "model/cache_model.h"
#include "qemu/qemu_abi.h"

/* What a record reports. Those up to WATCH_DEVICE_WRITTEN are enum cache_change. */
enum watch_kind {
    WATCH_FILLED = 1,
    WATCH_FILLED_AHEAD,
    WATCH_EVICTED,
    WATCH_WRITTEN_BACK,
    WATCH_FORCED_OUT,
    WATCH_CLEANED,
    WATCH_INVALIDATED,
    WATCH_CLEANED_INVALIDATED,
    WATCH_DEVICE_READ,
    WATCH_DEVICE_WRITTEN,
    WATCH_LOADED,
    WATCH_STORED,
    WATCH_BARRIER, /* the first full one, or one of stores, after another record */
};

/* One thing that was done to the bytes, or to their line. */
struct watch_record {
    uint64_t time_ns;          /* model time; of the CPU's: when the clock was read last */
    uint64_t after;            /* so many records of the event ring, since the reset, came before */
    uint64_t pc;               /* of the CPU's instruction; 0: there is none */
    uint64_t address;          /* physical: of the access; of others that of the line */
    uint64_t microcode, burst; /* as in struct accessor */
    uint32_t kind;             /* enum watch_kind */
    uint32_t size;             /* bytes, from `address` on */
    uint32_t channel;          /* of a device, as in struct accessor */
    uint32_t before;           /* enum probe_line, of the line before that */
    uint16_t cpu, dram;        /* the first byte that is watched, as it is afterwards on either side */
    uint16_t is_fetch;         /* of an instruction of the PL330 */
    uint16_t unused;
};

/* Given at the start. bytes of 0: nothing is watched. */
struct watch_wanted {
    uint64_t fd;             /* of the file */
    uint64_t address, bytes; /* physical; those beyond the line do not count */
};
extern struct watch_wanted watch_wanted;

/* False with *errp set: the bytes cannot be watched. */
bool watch_initialise(Error **errp);

/* A new run begins, and with it the file. */
void watch_reset(void);

/* The instruction at `pc` is being translated: before and after its own callbacks are registered. */
void watch_hook_operation(struct qemu_plugin_insn *, enum a64_kind, uint64_t pc);
void watch_hook_access(struct qemu_plugin_insn *, enum a64_kind, uint64_t pc);

/* DC ZVA at `pc` has stored zeroes. The caller holds the views' lock. */
void watch_zeroed(uint64_t physical, unsigned int size, uint64_t pc);

/* Records of accesses so far, of the CPU and of devices. */
uint64_t watch_accesses(void);

/* Records that found no room: there are at most WATCH_RECORDS. */
enum { WATCH_RECORDS = 1 << 20 };
uint64_t watch_lost(void);

#endif
