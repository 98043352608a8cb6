/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write-back, write-allocate cache over RAM that holds real bytes, and what the CPU and the
 * devices see through it. Plain C: no QEMU, no globals.
 *
 * Theory of operation. There are two copies of RAM. The *CPU view* is what loads and stores of the
 * CPU see; *DRAM* is what every device sees. A line is invalid, clean or dirty. One invariant holds
 * between calls:
 *
 *     an invalid line has the same bytes in both views.
 *
 * So filling a line copies nothing; a clean or a write-back copies it from the CPU view to DRAM; an
 * invalidate or the eviction of a clean line copies it from DRAM to the CPU view. A device writes to
 * DRAM, and to the CPU view as well where the line is invalid; a valid line keeps its old bytes,
 * and the CPU goes on reading those.
 *
 * Beside the state, each line has masks with one bit for each byte, which remember what is owed. They outlive
 * the line, because an eviction is luck and not maintenance; so a finding does not depend on the schedule.
 *
 *   unclean      stored by the CPU through a cacheable mapping, no clean or invalidate since
 *   device       written by a device, no invalidate since that counts
 *   lost_cpu     stores that an invalidate destroyed
 *   lost_device  device's bytes that a write-back of the line destroyed
 *   bounced      a device's bytes for this place are in a bounce page, and no store has brought them here since
 *   stored       stored uncached
 *   cleaned      was unclean, and was cleaned
 *   rushed       ... by set and way, with no full barrier between the store and that
 *   early        was device, and an invalidate came that does not count
 *   pending      was device, and an invalidate came that counts as soon as a full barrier follows
 *   fresh        not accessed by the CPU since the last invalidate by address
 *   news         was device; the next load is the first to get it
 *
 * A store or a device's write takes its bytes out of every mask of the other side: the last writer
 * counts. Which access is a hazard (enum cache_hazard) is said where it is found.
 *
 * Before a start. `stored`, `cleaned` and the last invalidate of a line have moments (model/order.h), and each
 * access of a device is judged by the starts that are given with it.
 *
 * Behind a device's write (DDI 0487, K11.5). The CPU is *told* of it by an interrupt, by a register of a device
 * (it has *asked*), or by a load of bytes that a device wrote. An invalidate by address counts
 *   - if a full barrier lies between the device's write and it: then it comes behind the write in any order
 * that the core may choose, and loads of the line are behind it without another barrier, or
 *   - if the CPU has not been told: polling is right, at whatever moment the device writes;
 *   - if the CPU has asked, it is pending: an order that no silicon promises, but that most drivers rely on;
 *   - else it came too early.
 * For the same reason the first load of a byte behind an invalidate may find what a device has written between:
 * if the CPU has not been told of it, that is polling. An operation by set and way needs full barriers on both
 * sides. It stands for the lines of its set that are outside of the cache, too: they have been written back.
 *
 * Acts. What the cache does of its own accord is told, numbered, and can be had again in part: a cache that
 * follows a script does the acts of the script, and no others. Each is legal for any part of them: no line that
 * may be cached has to be, so a load without its fill reads memory, a store without its fill goes through to
 * it; a line may leave, and a dirty one be written back, at any moment; and a cache without an end need evict
 * nothing. The masks are as ever, so the same accesses are hazards, whatever becomes of the bytes.
 *   An act has the number of the access that it comes with: the CPU's and the devices' are counted apart,
 * because a device that runs behind the CPU is brought to now at other accesses where the CPU misses more
 * often.
 *
 * Offsets are bytes from the start of RAM. Callers serialise all calls.
 */
#ifndef DMAV3_CACHE_MODEL_H
#define DMAV3_CACHE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/order.h"

enum cache_schedule {
    CACHE_LRU,         /* lines leave by geometry only */
    CACHE_SPECULATIVE, /* ... and device writes may be met by speculative fills */
    CACHE_NEVER,       /* lines leave by maintenance only: a cache without an end */
    CACHE_EAGER,       /* as lru, and dirty lines are written back at any moment */
};

/* What becomes of a line. The first four are acts: what the cache does of its own accord. */
enum cache_change {
    CACHE_FILLED = 1,   /* by an access of the CPU that missed, */
    CACHE_FILLED_AHEAD, /* ... or speculatively, while a device wrote */
    CACHE_EVICTED,      /* another line took its way; written back, if it was dirty */
    CACHE_WRITTEN_BACK, /* it stays */
    CACHE_FORCED_OUT,   /* by an uncached access of the CPU */
    CACHE_CLEANED,
    CACHE_INVALIDATED,
    CACHE_CLEANED_INVALIDATED,
    CACHE_DEVICE_READ,
    CACHE_DEVICE_WRITTEN,
};

/* Something that the cache did of its own accord. */
struct cache_act {
    uint64_t number; /* how many accesses of the CPU there had been, or parts of devices' writes */
    uint32_t line;
    uint16_t kind; /* enum cache_change */
    uint16_t by_device;
};

enum cache_operation {
    CACHE_CLEAN = 1,
    CACHE_INVALIDATE = 2,
    CACHE_CLEAN_INVALIDATE = CACHE_CLEAN | CACHE_INVALIDATE,
};

enum cache_hazard {
    CACHE_STALE_CPU_READ = 1, /* a load of `device` or `bounced` bytes */
    CACHE_STALE_DEVICE_READ,  /* a device's read of `unclean` bytes */
    CACHE_LOST_DEVICE_WRITE,  /* a device's write to `unclean` bytes, or any read of `lost_device` */
    CACHE_LOST_CPU_WRITE,     /* any read of `lost_cpu` bytes */
    CACHE_SHARED_LINE,        /* a device's write beside `unclean` bytes, a store beside `device` bytes */
    CACHE_MISSING_BARRIER,    /* a load of `early` or `pending` bytes; a device's read of `stored` or `cleaned`
                               * bytes, or its write to a line that was cleaned or invalidated, with no barrier
                               * between that and the start */
    CACHE_MISMATCHED_ALIAS,   /* an uncached load of `unclean` bytes, or of those that the views differ in; an
                               * uncached store to a line with `unclean` bytes */
};

/* State bits of a line, as in `lines` below. Higher bits are the model's own. */
enum cache_line {
    CACHE_LINE_VALID = 1,
    CACHE_LINE_DIRTY = 2,
    CACHE_LINE_UNCLEAN = 4, /* `unclean` is not empty */
    CACHE_LINE_STALE = 8,   /* `device` is not empty */
    CACHE_LINE_OWED = 16,   /* `early`, `pending`, `lost_cpu`, `lost_device` or `bounced` is not empty */
    CACHE_LINE_BITS = 31,
};

struct cache_geometry {
    uint32_t line; /* bytes: 32 or 64 */
    uint32_t sets; /* a power of two */
    uint32_t ways; /* 1 to 64 */
};

struct cache_counts {
    uint64_t device_reads, device_writes, fills /* speculative */, evictions, write_backs /* by eviction */;
};

struct cache_views {
    uint8_t *cpu, *dram; /* `size` bytes each */
    uint8_t *lines;      /* size / line bytes: the state of each line, kept by the model */
    size_t size;         /* a multiple of 4096 */
};

/* An access that is a hazard. */
struct cache_incident {
    enum cache_hazard kind;
    bool by_device, by_device_write;
    bool bounced;  /* of a CACHE_STALE_CPU_READ: the byte is in `bounced` */
    bool of_clean; /* of a CACHE_MISSING_BARRIER by a device's read: the byte is in `cleaned` */
    size_t offset; /* of the first such byte (CACHE_SHARED_LINE: of the CPU's first byte in the line) */
    /* One bit for each byte of the line, of those that are this hazard: it was read otherwise than the CPU or a
     * device wrote it last. 0 unless the model is watched. */
    uint64_t wrong;
    const void *access; /* what the caller gave with the access, for its own use */
};

struct cache_events {
    /* The line's state or masks changed, or (rewritten) its bytes in the CPU view. Whatever the
     * caller remembered about it (struct cache_shortcut, translated code) is void. */
    void (*line_changed)(void *opaque, size_t line, bool rewritten);
    /* An access is a hazard. It must not call the model. */
    void (*hazard)(void *opaque, const struct cache_incident *);
    /* The model is watched, and acts; `access` is the one that the act comes with. It must not call the model.
     */
    void (*acted)(void *opaque, const struct cache_act *, const void *access);
    void *opaque;
};

/* What has become of the line that is watched. */
struct cache_watched {
    enum cache_change change;
    unsigned int before; /* its CACHE_LINE_ bits before the change */
    size_t offset;       /* of the device's first byte in the line; else of the line */
    unsigned int size;
    const void *access; /* what a device gave with its access; NULL */
};

/* Called after the bytes have moved, and before a device's access is checked for hazards. It must not call the
 * model. */
typedef void cache_watcher(void *opaque, const struct cache_watched *);

/* What is kept of the CPU's cacheable stores to a line. */
struct cache_stores {
    uint64_t unclean,
        recent; /* recent: bytes stored since a full barrier, the one that was number `barriers` */
    uint32_t barriers;
};

/* `barriers`: full barriers so far. */
static inline void cache_keep_store(struct cache_stores *stores, uint64_t bytes, uint32_t barriers)
{
    if (stores->barriers != barriers) {
        stores->barriers = barriers;
        stores->recent = 0;
    }
    stores->recent |= bytes;
    stores->unclean |= bytes;
}

/* What the caller may do by itself for a resident line until line_changed() is called for it: loads if
 * `readable`, stores if `writable`. Each access must set *stamp = ++*clock, each store must
 * cache_keep_store(&stores[line], its bytes, *barriers). */
struct cache_shortcut {
    uint64_t *stamp;
    size_t line;
    bool readable, writable;
};

/* What the shortcuts of all lines of a model share. */
struct cache_shared {
    uint64_t *clock;
    const uint32_t *barriers;
    struct cache_stores *stores; /* by line */
};

struct cache_model;

/* NULL if the geometry or the views are not as said above, or without memory. */
struct cache_model *cache_model_new(const struct cache_geometry *, const struct cache_views *,
                                    const struct cache_events *);
void cache_model_free(struct cache_model *);

/* Valid as long as the model is. */
struct cache_shared cache_model_shared(struct cache_model *);

/* Empty cache, empty masks, zero counts; no page is known to be cacheable. The views must be equal. */
void cache_model_reset(struct cache_model *);

void cache_model_set_schedule(struct cache_model *, enum cache_schedule, uint64_t seed);

/* Tell of everything that becomes of the line that holds `offset`, but of accesses by shortcuts. NULL: no
 * longer. It changes nothing. */
void cache_model_watch(struct cache_model *, size_t offset, cache_watcher *);

/* From now on tell of acts, and whether bytes are wrong. False: there is no memory for it. */
bool cache_model_track(struct cache_model *);

/* From now on do these acts, in the order in which they were told, and no others of its own accord, whatever
 * the schedule. They are the caller's, and stay there as long as the model. */
void cache_model_follow(struct cache_model *, const struct cache_act *, size_t count);

/* A command begins: draws depend on (seed, command, accesses since here) and on nothing else. */
void cache_model_begin(struct cache_model *, uint32_t command);

/* The guest's tables now map (or no longer map) the page at `offset` cacheable, or not cacheable: only pages
 * that are mapped cacheable and not in the other way as well are filled speculatively, because no software
 * could use the other mapping then. */
void cache_model_page_cacheable(struct cache_model *, size_t offset);
void cache_model_page_uncached(struct cache_model *, size_t offset);
void cache_model_forget_pages(struct cache_model *);

/* A load or store of the CPU within one line, after it happened in the CPU view. `access` is handed on to
 * hazard(), here and below. */
struct cache_shortcut cache_cpu_read(struct cache_model *, size_t offset, unsigned int size,
                                     const void *access);
struct cache_shortcut cache_cpu_write(struct cache_model *, size_t offset, unsigned int size,
                                      const void *access);

/* A load or store through a mapping that is not cacheable, within one line. A valid line (an alias of another
 * kind) is written back if it is dirty, and dropped, so that the views are equal. */
void cache_cpu_read_uncached(struct cache_model *, size_t offset, unsigned int size, const void *access);
void cache_cpu_write_uncached(struct cache_model *, size_t offset, unsigned int size, const void *access);

/* Maintenance of the line that holds `offset`. Returns the line's CACHE_LINE_ bits from before it. */
unsigned int cache_maintain(struct cache_model *, enum cache_operation, size_t offset);

/* Maintenance by set and way, each counted from 0. A set or way that the cache does not have does nothing. */
void cache_maintain_set_way(struct cache_model *, enum cache_operation, uint32_t set, uint32_t way);

/* A barrier of the CPU; a store-release that is under way; the CPU was told of what devices did
 * (model/order.h). */
void cache_barrier(struct cache_model *, enum order_barrier);
void cache_release(struct cache_model *, bool under_way);
void cache_told(struct cache_model *, bool asked);

/* The CPU starts the device of these starts by the store that it executes now: order_start(). */
void cache_device_started(struct cache_model *, struct order_starts *, bool keep);

/* An access, of any size and alignment inside RAM, of the device with these starts. NULL: no start is known,
 * and no barrier is missed. */
void cache_device_read(struct cache_model *, size_t offset, void *data, unsigned int size,
                       struct order_starts *, const void *access);
void cache_device_write(struct cache_model *, size_t offset, const void *data, unsigned int size,
                        struct order_starts *, const void *access);

/* Mark bytes whose data is in a bounce page and still has to be copied here; clear the mark. */
void cache_bounced(struct cache_model *, size_t offset, unsigned int size);
void cache_forget_bounced(struct cache_model *, size_t offset, unsigned int size);

const struct cache_counts *cache_model_counts(const struct cache_model *);

#endif
