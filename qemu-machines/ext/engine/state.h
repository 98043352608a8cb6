/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the engine, for its own files. A copy of `struct engine` is all that a prediction needs. */
#ifndef DMAV3_ENGINE_STATE_H
#define DMAV3_ENGINE_STATE_H

#include <stddef.h>

#include "engine/engine.h"
#include "engine/instruction.h"

enum { QUEUE_MAX = 16, CACHE_LINES_MAX = 16, CACHE_LINE_MAX = 32, LOCK_UP_CYCLES = 1024, NO_CHANNEL = 0xff };

/* An entry of a queue: a burst, and when it is carried out. */
struct access {
    struct engine_burst burst;
    uint64_t issued_at, begins_at, ends_at; /* cycles: its instruction; its turn on the bus; its last answer */
    uint64_t position;          /* of its first byte in what its channel loads, or stores, since DMAGO */
    bool dropped;               /* its channel was killed or faulted before its turn: it is not carried out */
    bool unwanted;              /* ... after its turn: what it loads goes nowhere */
    bool zeroes;                /* DMASTZ: it takes nothing out of the MFIFO */
    uint8_t swap_log2;          /* of loads: log2 of the bytes of a group that is turned round */
    uint8_t answer, peripheral; /* enum engine_answer for a peripheral; NO_ANSWER */
};
enum { NO_ANSWER = 0xff };

struct queue {
    struct access access[QUEUE_MAX];
    uint32_t first, count;
    uint64_t free_at; /* cycle in which the bus has room for the next */
};

/* The n-th of a queue, from 0; behind the last one it is the place for the next. */
static inline struct access *queue_entry(struct queue *queue, uint32_t n)
{
    return &queue->access[(queue->first + n) % QUEUE_MAX];
}

static inline const struct access *queue_entry_of(const struct queue *queue, uint32_t n)
{
    return &queue->access[(queue->first + n) % QUEUE_MAX];
}

/* Of a channel: bytes since DMAGO. Each is at most the one before it. What is between stored and loading is the
 * MFIFO's. */
struct fifo {
    uint64_t loading; /* loads that have been issued */
    uint64_t loaded;  /* ... carried out */
    uint64_t storing; /* stores that have been issued */
    uint64_t stored;
};

struct thread {
    enum engine_state state;
    bool nonsecure;
    bool stalled; /* it tries again when something has happened on the bus, or another thread gave way */
    bool is_last; /* the request that DMAWFP accepted was the peripheral's last */
    enum engine_request request;
    uint8_t counter[2]; /* LC0, LC1 */
    uint8_t waits_for;  /* number of the event or peripheral */
    uint8_t wait;       /* enum instruction_wait */
    uint32_t pc, fault, sar, dar, ccr;
    uint64_t ready_at; /* to issue an instruction; ENGINE_NEVER: not before something happens */
    uint32_t miss;     /* the line that is fetched; state STATE_CACHE_MISS */
    uint8_t part[INSTRUCTION_BYTES_MAX], part_bytes; /* of the instruction at `pc`, from the line before that */
    uint32_t loads, stores;                          /* that are in the queues and not dropped */
    uint32_t error;                                  /* of an access: bits of FTRn, still to be shown */
    struct fifo fifo;
    uint32_t fifo_lines;            /* its share of the MFIFO's */
    uint64_t bursts, begun, zeroed; /* as in struct engine_thread; bytes stored by DMASTZ */
    uint64_t burst_at, paused;      /* cycle of its last burst; bursts whose pause is over */
    uint64_t step_to;               /* bursts after which a step ends; 0: no step */
    bool held, holding;             /* holding: it is held as soon as nothing of it is on the bus */
    bool told;                      /* of the instruction at its PC: engine_ops.issued() */
    /* For findings. */
    bool stored_since_barrier, moved_since_wait, has_waited, overcommitted;
    uint32_t last_store, last_wait; /* addresses of instructions */
    uint64_t started_at;            /* cycle of DMAGO */
};

struct peripheral {
    enum engine_request request; /* as latched */
    bool last;
    uint64_t since; /* cycle */
};

/* What repeat.h compares: the state at the top of a loop, as far as it changes from round to round. */
enum { ROUND_EVENTS_MAX = 8, ROUND_ACCESSES_MAX = 2 * QUEUE_MAX };
struct loop_top {
    uint64_t now;
    uint32_t pc, sar, dar;
    uint8_t counter[2];
    enum engine_request request;
    uint64_t bursts, begun, zeroed;
    struct fifo fifo;
    uint32_t reads, writes;                   /* on the bus, or waiting for it: */
    struct access access[ROUND_ACCESSES_MAX]; /* reads before writes */
};

/* By how much it changes in a round. */
struct stride {
    uint64_t cycles, bursts, begun, zeroed, bytes;
    uint32_t sar, dar;
};

/* The round since the last top, as far as it has come. */
struct rounds {
    bool usable; /* all of it is known */
    bool waits;  /* it begins with a DMAWFP: */
    uint8_t peripheral;
    enum instruction_wait wait;
    uint64_t instructions;
    uint64_t period; /* cycles of the last two, which were alike; 0: they were not */
    uint32_t events; /* accesses that were carried out: */
    struct round_event {
        uint64_t cycle; /* since the top */
        bool is_write;
        struct access access;
    } event[ROUND_EVENTS_MAX];
    struct loop_top top[2]; /* the last one, and room for the next */
    uint8_t last;
};

struct cache_line {
    uint32_t address;
    uint32_t valid; /* a bit for each thread */
    uint8_t code[CACHE_LINE_MAX];
};

struct engine {
    struct engine_config config;
    const struct engine_ops *ops;
    void *opaque;
    uint8_t *fifo[ENGINE_CHANNELS_MAX]; /* bytes of each channel, fifo_bytes of them */
    uint32_t fifo_bytes;                /* of the whole MFIFO */
    uint64_t now, issue_at;             /* the next cycle in which an instruction may be issued */
    uint64_t until;                     /* the cycle that engine_run() is to reach */
    uint64_t lock_up_at;                /* cycle in which the watchdog barks; ENGINE_NEVER */
    struct thread thread[ENGINE_THREADS];
    uint32_t alive; /* threads that are not stopped, a bit each */
    struct engine_hold hold[ENGINE_CHANNELS_MAX];
    struct queue reads, writes;
    uint32_t fifo_lines;  /* of the MFIFO that are taken */
    uint8_t load_lock;    /* the channel that has it; NO_CHANNEL */
    uint8_t last_channel; /* that issued */
    bool manager_was_last;
    uint32_t pending, enabled; /* events and interrupts; INTEN */
    uint32_t outputs;          /* irq[n] as driven */
    bool abort, locked_up;     /* irq_abort as driven; lock-up with wd_irq_only */
    bool watchdog_irq_only;    /* WD */
    uint32_t debug[2];         /* DBGINST0, DBGINST1 */
    struct peripheral peripheral[ENGINE_PERIPHERALS_MAX];
    struct cache_line cache[CACHE_LINES_MAX];
    struct rounds rounds;
    /* Of the copy that engine_predict() works with. stop: what it looks for has happened. */
    bool predicting, stop, interrupts;
    const struct engine *original;
};

static inline uint32_t thread_number(const struct engine *engine, const struct thread *thread)
{
    return (uint32_t)(thread - engine->thread);
}

static inline bool has_bit(uint32_t bits, uint32_t n)
{
    return (bits >> n & 1) != 0;
}

/* `n` is each bit that is set, in turn. */
#define FOR_EACH_BIT(n, bits)                                                                                  \
    for (uint32_t n##_left = (bits), n; n##_left && (n = (uint32_t)__builtin_ctz(n##_left), true);             \
         n##_left &= n##_left - 1)

/* `value` modulo `size`, which is a power of two as a rule. */
static inline uint32_t modulo(uint64_t value, uint32_t size)
{
    return (uint32_t)(size & (size - 1) ? value % size : value & (size - 1));
}

/* Let a thread issue the instruction at `pc`, after so many cycles. */
static inline void thread_go_on(const struct engine *engine, struct thread *thread, uint32_t pc,
                                uint32_t cycles)
{
    thread->state = cycles > 1 ? STATE_UPDATING_PC : STATE_EXECUTING;
    thread->stalled = thread->told = false;
    thread->pc = pc;
    thread->ready_at = engine->now + cycles;
}

/* It issues nothing until something happens. */
static inline void thread_rest(struct thread *thread, enum engine_state state)
{
    thread->state = state;
    thread->stalled = false;
    thread->ready_at = ENGINE_NEVER;
}

static inline void thread_stall(struct thread *thread, enum engine_state state)
{
    thread_rest(thread, state);
    thread->stalled = true;
}

#endif
