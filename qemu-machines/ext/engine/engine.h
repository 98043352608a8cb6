/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PL330 DMA controller (CoreLink DMA-330, DDI 0424) in plain C: no QEMU, no globals. It reaches memory, the
 * CPU and peripherals by its struct engine_ops only.
 *
 * Theory of operation. The engine counts *cycles* of its clock. engine_run() executes what happens up to a
 * cycle, and nothing else moves time, so the caller decides when the engine catches up with the CPU. In one
 * cycle one instruction is issued: the manager and the channels alternate, channels take turns (execute.c).
 * Instructions come out of the instruction cache (code_cache.c). Loads and stores enter the read and the write
 * queue and are carried out later (traffic.c), while the thread goes on; so what a program does not order by
 * DMARMB or DMAWMB is not ordered. Loaded bytes wait in the MFIFO, whose lines all channels share.
 *
 * An access goes to memory whole, in the cycle in which its last beat is answered: `latency` and a cycle a beat
 * after its turn on the bus. It keeps its place in its queue, and the accesses of a queue end in order.
 *
 * What no public source of DDI 0424 decides, and this engine therefore chose:
 *   - a DMAGO makes a channel fetch anew the lines of the instruction cache that it has used before;
 *   - a DMAGO leaves SAR, DAR, CCR and the loop counters as they are; the type of request becomes single;
 *   - an event that is pending when its INTEN bit is set is an interrupt from then on, and the other way round;
 *   - a lock-up is found LOCK_UP_CYCLES after the last progress;
 *   - a single request is dropped by DMAWFP B; each answer ends the request, and a burst of which DMALDPS or
 *     DMASTPS has moved a part is there still if the peripheral asks for it again;
 *   - where endian_swap_size is not a divisor of addresses and beats, what is left of a group is not swapped.
 * A burst that crosses 4 KiB is one access here; the silicon splits it.
 */
#ifndef DMAV3_ENGINE_H
#define DMAV3_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ENGINE_CHANNELS_MAX = 8,
    ENGINE_MANAGER = 8, /* as a thread: the one behind all channels */
    ENGINE_THREADS = 9,
    ENGINE_PERIPHERALS_MAX = 32,
    ENGINE_EVENTS_MAX = 32,
    ENGINE_BURST_MAX = 16 * 16, /* bytes: beats of the widest bus */
};

/* Of a cycle: never. */
#define ENGINE_NEVER UINT64_MAX

/* ---- what is built in ---- */

struct engine_config {
    uint8_t channels;                      /* 1 to 8 */
    uint8_t peripherals;                   /* 0 to 32 */
    uint8_t events;                        /* 1 to 32 */
    uint8_t bus_bytes;                     /* 4, 8 or 16 */
    uint8_t read_capacity, write_capacity; /* accesses that are on the bus at a time, 1 to 8 */
    uint8_t read_queue, write_queue;       /* entries, 1 to 16 */
    uint8_t cache_line;                    /* bytes of the instruction cache: 4, 8, 16 or 32 */
    uint8_t cache_lines;                   /* 1 to 16 */
    uint8_t revision;                      /* 0: r0p0, which has no DMAADNH, 1: r1p0, 2: r1p1, 3: r1p2 */
    uint16_t fifo_lines;                   /* as wide as the bus, 1 to 1024 */
    uint32_t nonsecure_events;             /* INS: a bit for each event or interrupt */
    uint32_t nonsecure_peripherals;        /* PNS */
    bool manager_nonsecure;                /* at reset */
    bool boots;                            /* the manager starts at reset, at: */
    uint32_t boot_address;
    uint16_t latency; /* cycles from the address of an access to its first answer */
};

/* ---- what the engine needs ---- */

/* What a burst does, for whoever carries it out. */
struct engine_burst {
    uint32_t address;    /* of the first byte */
    uint32_t microcode;  /* address of the instruction */
    uint64_t number;     /* loads and DMASTZ that the program had begun, this one included */
    uint16_t bytes;      /* in all */
    uint8_t beats, size; /* a beat of `size` bytes ends at a multiple of `size`, so the first may be shorter */
    uint8_t channel;
    uint8_t protection; /* ARPROT, AWPROT: 1 privileged, 2 non-secure, 4 instruction */
    uint8_t cache;      /* ARCACHE, AWCACHE: 1 bufferable, 2 cacheable, 4 read-allocate, 8 write-allocate */
    bool increments;    /* false: all beats go to `address` */
};

/* What a peripheral asks for. */
enum engine_request { ENGINE_REQUEST_NONE, ENGINE_REQUEST_SINGLE, ENGINE_REQUEST_BURST };

/* What an access comes to: nothing but data, an error, or something that a device makes of it, such as an
 * interrupt. */
enum engine_outlook { ENGINE_OUTLOOK_DATA, ENGINE_OUTLOOK_ERROR, ENGINE_OUTLOOK_EFFECT };

/* What it is told. */
enum engine_answer { ENGINE_ANSWER_SINGLE, ENGINE_ANSWER_BURST, ENGINE_ANSWER_FLUSH };

/* Mistakes of a program that silicon does not tell. `other`: the address of the other instruction. */
enum engine_finding_kind {
    ENGINE_FINDING_EVENT_BEFORE_STORES, /* DMASEV, with no DMAWMB behind the last store, which is `other` */
    ENGINE_FINDING_LOAD_BEFORE_STORE,  /* a load read bytes that the store `other` before it had not written yet
                                        */
    ENGINE_FINDING_UNUSED_REQUEST,     /* the request that the DMAWFP `other` accepted moved nothing */
    ENGINE_FINDING_OLD_REQUEST,        /* DMAWFP took a request of before DMAGO, and no DMAFLUSHP was between */
    ENGINE_FINDING_FIFO_OVERCOMMITTED, /* a load will not fit before a store that is still to be executed */
    ENGINE_FINDING_PROGRAM_CHANGED, /* memory at `other` is not what the thread, which ends now, has fetched */
};

struct engine_finding {
    enum engine_finding_kind kind;
    uint8_t channel;
    uint32_t microcode, other;
};

/* The functions may call engine_now(), engine_thread(), engine_request() and engine_register_read(), nothing
 * else of the engine. */
struct engine_ops {
    /* Read a line of the instruction cache for a thread. False: the bus answered with an error. */
    bool (*fetch)(void *opaque, uint32_t thread, uint32_t address, uint8_t *code, uint32_t bytes);
    /* For predictions, without a trace of it: the same; and what an access would come to, as far as can be
     * known before. */
    bool (*glance)(void *opaque, uint32_t address, uint8_t *code, uint32_t bytes);
    enum engine_outlook (*look_at)(void *opaque, const struct engine_burst *);
    /* Are all of these bytes nothing but data? */
    bool (*is_data)(void *opaque, uint32_t address, uint64_t bytes);
    /* Carry the access out. False: the bus answered with an error. */
    bool (*read)(void *opaque, const struct engine_burst *, uint8_t *data);
    bool (*write)(void *opaque, const struct engine_burst *, const uint8_t *data);
    /* Drive an output: 0 is irq_abort, 1 + n is irq[n]. */
    void (*interrupt)(void *opaque, uint32_t line, bool level);
    /* Answer a peripheral, which may ask again. */
    void (*answer)(void *opaque, uint32_t peripheral, enum engine_answer);
    /* A thread has issued an instruction, and goes on; `burst` is NULL if it accesses no memory. */
    void (*issued)(void *opaque, uint32_t thread, uint32_t pc, const uint8_t *code,
                   const struct engine_burst *);
    /* Does anybody want to be told of instructions? Where nobody does, rounds of a loop that are alike are
     * taken together, and then so many instructions were not told of. NULL, both: all are told. */
    bool (*listens)(void *opaque);
    void (*skipped)(void *opaque, uint64_t count);
    /* A thread faults; engine_thread() has the rest. */
    void (*faulted)(void *opaque, uint32_t thread);
    /* A channel is held as engine_hold() says. */
    void (*held)(void *opaque, uint32_t channel);
    void (*found)(void *opaque, const struct engine_finding *);
};

/* ---- life ---- */

struct engine;

/* What is wrong with a configuration, as a sentence with name, value and range; NULL: nothing. */
const char *engine_config_error(const struct engine_config *);

/* The configuration must be right; `opaque` goes to every operation. In the state after a reset, at cycle 0.
 * NULL: no memory. */
struct engine *engine_new(const struct engine_config *, const struct engine_ops *, void *opaque);
void engine_free(struct engine *);

/* Everything is as after engine_new(), outputs included, but for what engine_hold() has set; accesses that were
 * under way are dropped. Cycles count from 0. */
void engine_reset(struct engine *);

/* ---- time ---- */

/* The cycle up to which everything has happened. */
uint64_t engine_now(const struct engine *);

/* The next cycle in which anything happens; ENGINE_NEVER if nothing does by itself. */
uint64_t engine_next(const struct engine *);

/* Execute everything that happens up to and in `cycle`. */
void engine_run(struct engine *, uint64_t cycle);

/* What comes next: in which cycle, and whether it is something that may interrupt the CPU: an output that
 * changes, a thread that faults, an access with an effect. */
struct engine_prediction {
    uint64_t cycle;
    bool interrupts;
};

/* The next cycle, up to `horizon`, in which an output changes, a thread faults, an access has an effect or a
 * channel is held, if memory answers as look_at says, and peripherals go on asking for what they ask now. If
 * there is none, the horizon; ENGINE_NEVER if nothing happens by itself after that. Nothing changes. */
struct engine_prediction engine_predict(const struct engine *, uint64_t horizon);

/* A cycle up to which none of these comes, as far as can be seen without executing the program: at most the
 * horizon; now, where nothing can be seen. Much cheaper, and the bound is within a small factor of the truth.
 */
uint64_t engine_quiet(struct engine *, uint64_t horizon);

/* ---- inputs ---- */

/* A peripheral asks; `last`: its last request, which ends a DMALPFE loop. The engine keeps a request until it
 * is answered, so ENGINE_REQUEST_NONE takes nothing back. */
void engine_request(struct engine *, uint32_t peripheral, enum engine_request, bool last);

/* Registers (registers.c), 32 bits at a multiple of 4. nonsecure: by the non-secure of the two interfaces. */
uint32_t engine_register_read(const struct engine *, uint32_t offset, bool nonsecure);
void engine_register_write(struct engine *, uint32_t offset, uint32_t value, bool nonsecure);

/* ---- holds, for debuggers ---- */

/*
 * A channel can be *held*: it issues no instruction until it is let go. What it had begun is carried out before
 * it counts as held; what it has loaded and not stored stays in the MFIFO. All of it outlives a reset.
 */
struct engine_hold {
    uint64_t at_burst;     /* before it begins its n-th burst (a load or DMASTZ) since DMAGO; 0: not */
    uint64_t at_byte;      /* before a burst that takes the bytes it has begun to move past this; 0: not */
    uint64_t pause_cycles; /* that each burst takes at least, with the barrier behind it */
};

struct engine_hold *engine_hold(struct engine *, uint32_t channel);

/* Let a held channel go on: for so many bursts (1 or more), after which it is held again, or, with 0, for good.
 * A hold that has taken effect is forgotten. */
void engine_let_go(struct engine *, uint32_t channel, uint64_t bursts);

/* ---- looking ---- */

enum engine_state {
    STATE_STOPPED = 0,
    STATE_EXECUTING = 1,
    STATE_CACHE_MISS = 2,
    STATE_UPDATING_PC = 3,
    STATE_WAITING_FOR_EVENT = 4,
    STATE_AT_BARRIER = 5,
    STATE_WAITING_FOR_PERIPHERAL = 7,
    STATE_KILLING = 8,
    STATE_COMPLETING = 9,
    STATE_FAULTING_COMPLETING = 14,
    STATE_FAULTING = 15,
};

enum engine_fault {
    ENGINE_FAULT_UNDEFINED = 1u << 0,
    ENGINE_FAULT_OPERAND = 1u << 1,
    ENGINE_FAULT_DMAGO = 1u << 4,
    ENGINE_FAULT_EVENT = 1u << 5,
    ENGINE_FAULT_PERIPHERAL = 1u << 6,
    ENGINE_FAULT_CONTROL = 1u << 7,
    ENGINE_FAULT_FIFO = 1u << 12,
    ENGINE_FAULT_NO_DATA = 1u << 13,
    ENGINE_FAULT_FETCH = 1u << 16,
    ENGINE_FAULT_WRITE = 1u << 17,
    ENGINE_FAULT_READ = 1u << 18,
    ENGINE_FAULT_DEBUG = 1u << 30,
};
#define ENGINE_FAULT_LOCK_UP (1u << 31)

/* What there is to see of a thread. */
struct engine_thread {
    enum engine_state state;
    bool held;
    uint32_t pc, fault; /* DPC or CPCn, FTRD or FTRn */
    uint32_t sar, dar, ccr;
    uint64_t bursts, begun; /* loads and DMASTZ since DMAGO, and their bytes */
    uint64_t stored;        /* bytes of stores that were carried out since DMAGO */
    uint32_t in_fifo;       /* bytes that have been loaded and not stored */
};

struct engine_thread engine_thread(const struct engine *, uint32_t thread);

#endif
