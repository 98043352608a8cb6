/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell: takes a line, finds its row in the table of commands, answers. And callbacks: events
 * inside which it serves commands until one returns.
 *
 * A command is a row registered by RPC_COMMAND in any file:
 *
 *     static const char *run_ping(struct rpc_call *call) { (void)call; return NULL; }
 *     RPC_COMMAND(ping, "", 0, 0, run_ping);
 */
#ifndef RPC_SHELL_H
#define RPC_SHELL_H

#include <dmav3.h>

#include "rpc/frame.h"

enum { RPC_ARGUMENTS_MAX = FRAME_WORDS_MAX - 1, RPC_LEVEL = 1 };

struct rpc_call {
    const struct dmav3_command *row;
    bool framed;                    /* the harness asks, not a person */
    uint32_t callbacks, interrupts; /* so many there had been when the request came */
    unsigned int arguments;
    uint64_t argument[RPC_ARGUMENTS_MAX]; /* 0 where the word is no number */
    const char *word[RPC_ARGUMENTS_MAX];
    struct frame_text *reply; /* after "ok": append pairs */
};

/* `run` appends to the reply and returns NULL; or it returns an error, "CODE text...", and nothing of
 * the reply is sent. Arguments, named as in PROTOCOL.md, must be numbers, but for words listed in
 * [brackets] in `arguments`. A driver's commands (dmav3.h) stand in the same table. */
#define RPC_COMMAND(name, arguments, least, most, run) DMAV3_ROW(name, arguments, least, most, run, NULL)

/* Serve commands for ever. At PASSIVE_LEVEL, everything initialised. */
_Noreturn void rpc_serve(void);

/* A driver callback was entered: send `event` (begun by rpc_event), serve commands at the present
 * IRQL until `return`, give its value. */
void rpc_event(struct frame_text *event, const char *name);
uint64_t rpc_call_back(struct frame_text *event);

/* Send a line of its own before the answer to `call`: an event that waits for nothing, "!0 NAME key=value". */
void rpc_notice(const struct rpc_call *call, struct frame_text *notice);

/* Callbacks entered so far. */
uint32_t rpc_callbacks(void);

#endif
