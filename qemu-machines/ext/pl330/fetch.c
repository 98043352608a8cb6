/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/fetch.h"

#include <stddef.h>
#include <string.h>

enum {
    DMASTZ = 0x0c,
    DMAWMB = 0x13,
    DMALPEND_FOREVER = 0x2c,
    DMAWFP = 0x30,
    DMAWFE = 0x36,
    NO_INSTRUCTION = 0xff
};

static struct {
    struct fetch_thread thread[FETCH_CHANNELS];
    struct order_starts starts[FETCH_CHANNELS];
    const struct fetch_hooks *hooks;
    uint32_t current;
    bool begun;                   /* the current channel's fetch, */
    uint64_t place;               /* from here */
    uint64_t base;                /* of the instruction that is fetched for the second time */
    unsigned int length, rest;    /* its bytes, those still to come */
    uint8_t code[PL330_CODE_MAX]; /* as served */
} fetch = {.current = FETCH_NOBODY};

void fetch_initialise(const struct fetch_hooks *hooks)
{
    fetch.hooks = hooks;
}

const struct fetch_thread *fetch_thread(uint32_t n)
{
    return &fetch.thread[n];
}

struct order_starts *fetch_starts(uint32_t n)
{
    return &fetch.starts[n];
}

void fetch_start(uint32_t n, uint64_t address, uint32_t source, uint32_t target, uint32_t control)
{
    struct fetch_thread *thread = &fetch.thread[n];
    struct pl330_thread is = {
        .source = source, .target = target, .control = control, .request = thread->is.request};

    pl330_go(&is);
    *thread = (struct fetch_thread){
        .is = is,
        .active = true,
        .at = address,
        .serving = thread->stale_request ? SERVE_PASS : SERVE_PROGRAM,
        .waited = thread->waited,
    };
    fetch.current = FETCH_NOBODY;
    fetch.rest = 0;
}

void fetch_stop(uint32_t n)
{
    fetch.thread[n].active = false;
    fetch.thread[n].serving = SERVE_PROGRAM;
}

void fetch_let_go(uint32_t n)
{
    if (fetch.thread[n].serving == SERVE_HOLD) {
        fetch.thread[n].serving = SERVE_PASS;
    }
}

void fetch_reset(void)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        bool stale = fetch.thread[n].stale_request || fetch.thread[n].is.request != REQUEST_SINGLE;

        fetch.thread[n] = (struct fetch_thread){.stale_request = stale};
        fetch.starts[n].count = 0;
    }
    fetch.current = FETCH_NOBODY;
    fetch.rest = 0;
}

/* ---- whose fetch ---- */

/* Bytes of the first half of a trampoline, 0 where there is none. */
static unsigned int trampoline(const struct fetch_thread *thread)
{
    return thread->serving == SERVE_PASS ? 2 : thread->serving == SERVE_DRAIN ? 1 : 0;
}

static bool goes_on_at(const struct fetch_thread *thread, uint64_t address)
{
    return thread->active && (address == thread->at ||
                              (thread->fetched && (address == thread->after || address == thread->target)) ||
                              (trampoline(thread) && address == thread->at + trampoline(thread)));
}

static bool stopped_at(const struct fetch_thread *thread, uint64_t address)
{
    return thread->active && !thread->ending && address == thread->at;
}

static uint32_t who_fetches(uint64_t address)
{
    uint32_t first = fetch.current == FETCH_NOBODY ? 0 : fetch.current + 1;

    if (fetch.current != FETCH_NOBODY && goes_on_at(&fetch.thread[fetch.current], address)) {
        return fetch.current;
    }
    for (uint32_t i = 0; i < FETCH_CHANNELS; i++) {
        uint32_t n = (first + i) % FETCH_CHANNELS;

        if (stopped_at(&fetch.thread[n], address)) {
            return n;
        }
    }
    return FETCH_NOBODY;
}

static bool is_second(uint64_t address)
{
    return fetch.rest && address - fetch.base < fetch.length;
}

bool fetch_begins(uint64_t address, unsigned int size)
{
    uint32_t n = is_second(address) ? fetch.current : size == 1 ? who_fetches(address) : FETCH_NOBODY;

    fetch.begun = n != FETCH_NOBODY;
    if (fetch.begun) {
        fetch.current = n;
        fetch.place = address;
    }
    return fetch.begun;
}

struct accessor fetch_accessor(void)
{
    struct accessor by = {.channel = fetch.current};
    const struct fetch_thread *thread;

    if (fetch.current != FETCH_NOBODY) {
        thread = &fetch.thread[fetch.current];
        by.starts = &fetch.starts[fetch.current];
        by.microcode = fetch.begun ? fetch.place : thread->at;
        by.burst = thread->is.bursts + (thread->fetched && pl330_begins_burst(&thread->is, thread->code[0]));
    }
    return by;
}

/* ---- what it gets ---- */

/* The instruction before is done, unless this is another try. */
static void retire(struct fetch_thread *thread, uint64_t address)
{
    if (!thread->fetched || (address == thread->at && !pl330_is_loop_end(thread->code[0]))) {
        return;
    }
    pl330_execute(&thread->is, thread->code);
    thread->fetched = thread->drained = thread->told = false;
}

static enum fetch_serving next_serving(uint32_t n, uint64_t address, uint8_t opcode)
{
    struct fetch_thread *thread = &fetch.thread[n];
    enum fetch_serving serving;

    if (thread->serving == SERVE_HOLD || (trampoline(thread) && address == thread->at)) {
        return thread->serving;
    }
    if (trampoline(thread)) {
        thread->drained = thread->serving == SERVE_DRAIN;
        return SERVE_BACK;
    }
    retire(thread, address);
    thread->at = address;
    serving = fetch.hooks->decide(n, opcode);
    return serving == SERVE_PROGRAM && opcode == DMASTZ && !thread->drained ? SERVE_DRAIN : serving;
}

/* The instruction at `address` that takes the place of the program's. */
static void substitute(const struct fetch_thread *thread, uint64_t address, uint8_t *code)
{
    bool hold = thread->serving == SERVE_HOLD;

    if (thread->serving == SERVE_BACK) {
        code[0] = DMALPEND_FOREVER;
        code[1] = (uint8_t)(address - thread->at);
    } else if (thread->serving == SERVE_FAULT) {
        code[0] = NO_INSTRUCTION;
    } else if (thread->serving == SERVE_DRAIN) {
        code[0] = DMAWMB;
    } else {
        code[0] = (uint8_t)(DMAWFP | (unsigned int)thread->is.request);
        code[1] = (uint8_t)((hold ? FETCH_LINE_BUSY : FETCH_LINE_FREE) << 3);
    }
}

static void fetch_opcode(uint32_t n, uint64_t address, uint8_t *byte)
{
    struct fetch_thread *thread = &fetch.thread[n];

    thread->tries++;
    thread->serving = next_serving(n, address, *byte);
    fetch.code[0] = *byte;
    if (thread->serving != SERVE_PROGRAM) {
        substitute(thread, address, fetch.code);
        *byte = fetch.code[0];
        thread->fetched = false;
    }
    fetch.base = address;
    fetch.length = pl330_instruction_length(*byte);
    fetch.rest = thread->serving == SERVE_FAULT ? 0 : fetch.length;
}

static void complete(uint32_t n)
{
    struct fetch_thread *thread = &fetch.thread[n];

    memcpy(thread->code, fetch.code, sizeof(thread->code));
    thread->fetched = true;
    thread->waited |= thread->code[0] == DMAWFE;
    thread->ending = pl330_is_end(thread->code[0]);
    thread->after = thread->target = thread->at + fetch.length;
    if (pl330_is_loop_end(thread->code[0])) {
        thread->target = thread->at - thread->code[1];
    }
    if (!thread->told) { /* it may be held on a later try */
        thread->told = true;
        fetch.hooks->executes(n);
    }
}

static void fetch_rest(uint64_t address, uint8_t *bytes, unsigned int size)
{
    bool real = fetch.thread[fetch.current].serving == SERVE_PROGRAM;

    for (unsigned int i = 0; i < size; i++) {
        uint64_t offset = address + i - fetch.base;

        if (offset >= fetch.length) {
            continue;
        }
        if (real) {
            fetch.code[offset] = bytes[i];
        } else {
            bytes[i] = fetch.code[offset];
        }
        fetch.rest -= fetch.rest != 0;
    }
    if (!fetch.rest && real) {
        complete(fetch.current);
    }
}

void fetch_read(uint64_t address, uint8_t *bytes, unsigned int size)
{
    fetch.begun = false;
    if (is_second(address)) {
        fetch_rest(address, bytes, size);
    } else {
        fetch_opcode(fetch.current, address, bytes);
    }
}
