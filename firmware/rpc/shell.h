/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell: takes a line, lets its commands run, answers. And callbacks: events inside which it serves
 * commands until one returns.
 */
#ifndef RPC_SHELL_H
#define RPC_SHELL_H

#include "rpc/command.h"

/* Serve commands for ever. At PASSIVE_LEVEL, everything initialised. */
_Noreturn void rpc_serve(void);

/* A driver callback was entered: send `event` (begun by rpc_event), serve commands at the present
 * IRQL until `return`, give its value. */
void rpc_event(struct frame_text *event, const char *name);
uint64_t rpc_call_back(struct frame_text *event);

/* Send a line of its own before the answer to `call`: an event that waits for nothing, "!0 NAME key=value". */
void rpc_notice(const struct rpc_call *call, struct frame_text *notice);

/* Send what a driver prints: a notice "!0 print text=…" to the harness, with what is no printable ASCII, and
 * the space, as %XX, a long text in several; to a person the text itself. Any IRQL. */
void rpc_print(const char *text);

/* Let a driver's other threads run, below DISPATCH_LEVEL and outside of callbacks; false: there was none. */
bool rpc_run_others(void);

/* Callbacks entered so far. */
uint32_t rpc_callbacks(void);

#endif
