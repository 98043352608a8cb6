/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of one line, from their words to the answer. A line has several if words `;` divide them: they
 * run back to back, and nothing is done between them that would order memory accesses, no barrier, no sleep.
 */
#ifndef RPC_EXECUTE_H
#define RPC_EXECUTE_H

#include "rpc/command.h"

/* The table of commands: the linker names the ends of the section that DMAV3_ROW puts its rows into. */
extern const struct dmav3_command __start_dmav3_commands[], __stop_dmav3_commands[];

/* Run the commands of a line that has words, and put its answer together. If one of them is unknown or has
 * wrong arguments, none runs. The others stop at the first that is refused. `call` says when the line came. */
void execute(const struct frame *frame, struct rpc_call *call, struct frame_text *answer);

/* Let the answer be that the line is refused: "CODE text", and a detail behind it. */
void execute_refuse(struct frame_text *answer, const struct frame *frame, const char *error,
                    const char *detail);

#endif
