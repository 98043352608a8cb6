/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which channel of the PL330 fetches what, and what it gets instead.
 *
 * QEMU's model fetches each instruction twice, first the opcode's byte and then all of it; an
 * instruction that cannot be executed yet is fetched again. A fetch is told from data by its address:
 * the channel that fetched last can only be at the instruction that it fetched last, at the one after,
 * or at the target of its loop; any other channel has stopped at the one that it fetched last, and the
 * model visits channels in order. (A program that copies its own code by single bytes, and two channels
 * that wait at the same address, can be mistaken for each other.)
 *
 * An instruction counts as executed when its channel fetches another.
 */
#ifndef DMAV3_FETCH_H
#define DMAV3_FETCH_H

#include "memory/accessor.h"
#include "model/order.h"
#include "model/pl330_thread.h"

enum { FETCH_CHANNELS = 8 };
#define FETCH_NOBODY ACCESSOR_NO_CHANNEL

/* Request lines of the model that no device has. */
enum { FETCH_LINE_FREE = 30, FETCH_LINE_BUSY = 31 };

/*
 * What a channel gets at its address. PASS, and behind it BACK, is the trampoline by which it leaves a
 * hold: the model's DMAWFP is the only way out of "waiting for peripheral", so it must complete one. The
 * first program after a reset begins so as well, because QEMU's reset forgets the type of request.
 * DRAIN, and behind it BACK, comes before every DMASTZ: QEMU's moves its address again on each try while
 * the write queue is full.
 */
enum fetch_serving {
    SERVE_PROGRAM,
    SERVE_HOLD,  /* DMAWFP of the same type as the channel's last, on a line that is always busy */
    SERVE_PASS,  /* the same DMAWFP on a line that is never busy */
    SERVE_DRAIN, /* DMAWMB */
    SERVE_BACK,  /* DMALPEND for ever, back to its address */
    SERVE_FAULT  /* no instruction */
};

struct fetch_thread {
    struct pl330_thread is;
    bool active; /* started, and not known to have ended */
    bool ending; /* it fetched its last instruction */
    uint64_t at; /* of the instruction fetched last; before that, to be fetched first */
    uint64_t after, target;
    uint64_t tries; /* to fetch an instruction, since DMAGO */
    bool fetched;   /* `code` is the instruction at `at`, perhaps being executed */
    bool drained;   /* ... and DMAWMB was, before it */
    bool told;      /* ... and fetch_hooks.executes() knows of it */
    uint8_t code[PL330_CODE_MAX];
    enum fetch_serving serving;
    bool stale_request; /* the model's type of request is of before the reset */
    bool waited;        /* it has executed DMAWFE since */
};

struct fetch_hooks {
    /* Channel n fetches `opcode`: what it gets, SERVE_PROGRAM, SERVE_HOLD or SERVE_FAULT. */
    enum fetch_serving (*decide)(uint32_t n, uint8_t opcode);
    /* Channel n has fetched all of an instruction for the first time, and begins it. */
    void (*executes)(uint32_t n);
};

void fetch_initialise(const struct fetch_hooks *hooks);

const struct fetch_thread *fetch_thread(uint32_t n);

/* By which accesses of channel n are judged: its last DMAGO, since the reset. */
struct order_starts *fetch_starts(uint32_t n);

/* Channel n will start at `address`, with these registers. */
void fetch_start(uint32_t n, uint64_t address, uint32_t source, uint32_t target, uint32_t control);
void fetch_stop(uint32_t n);

/* End a hold: the trampoline, then the program. */
void fetch_let_go(uint32_t n);

/* The model reads at `address`: is that a fetch? If so its channel is the current one from now on, and
 * fetch_read() is due, which changes the bytes that memory gave to what the channel gets. */
bool fetch_begins(uint64_t address, unsigned int size);
void fetch_read(uint64_t address, uint8_t *bytes, unsigned int size);

/* The channel that accesses memory now, for bus_region.c: the one that fetched last, where it is, and the
 * bursts that it has begun since DMAGO. Its place is, between fetch_begins() and fetch_read(), the address of
 * the fetch. */
struct accessor fetch_accessor(void);

void fetch_reset(void);

#endif
