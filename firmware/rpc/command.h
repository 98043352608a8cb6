/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command is a row that RPC_COMMAND registers, in any file:
 *
 *     static const char *run_ping(struct rpc_call *call) { (void)call; return NULL; }
 *     RPC_COMMAND(ping, "", 0, 0, run_ping);
 */
#ifndef RPC_COMMAND_H
#define RPC_COMMAND_H

#include <dmav3.h>

#include "rpc/frame.h"

enum { RPC_ARGUMENTS_MAX = 19, RPC_LEVEL = 2 };

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

#endif
