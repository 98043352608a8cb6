/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's commands. With this header and wdm_dma.h a file of yours becomes part of the firmware:
 * `dmav3 build FILE.c -o app.elf`.
 *
 *     static NTSTATUS Add(const ULONGLONG *argument, struct dmav3_reply *reply)
 *     {
 *         dmav3_reply_value(reply, "sum", argument[0] + argument[1]);
 *         return STATUS_SUCCESS;
 *     }
 *     DMAV3_COMMAND(add, "left right", Add);
 *
 * On the board's command line:    add 2 0x28
 * In Python:                      board.call("add", 2, 40)    {"status": 0, "sum": 42}
 *
 * A command runs at the IRQL of the command line, PASSIVE_LEVEL unless somebody raised it, with
 * interrupts enabled. If it returns at another one, that is violation 0x42, and is undone. Model
 * time passes while it runs and stands still between commands; what a command has only started goes
 * on in the next one, such as `wait`.
 */
#ifndef DMAV3_H
#define DMAV3_H

#include <wdm_dma.h>

EXTERN_C_START

struct dmav3_reply; /* of the command that runs, while it runs */

/* argument: as many numbers as were named. What is returned is the key `status` of the reply. */
typedef NTSTATUS DMAV3_ROUTINE(const ULONGLONG *argument, struct dmav3_reply *reply);

/* Add `key=value` to the reply. A key is made of letters, digits and `_`; about ten values fit. A
 * command that breaks either rule is answered with an error. */
void dmav3_reply_value(struct dmav3_reply *reply, const char *key, ULONGLONG value);

/* Sleep until `ended(context)` is TRUE, which is looked at after every interrupt, for at most so many
 * nanoseconds of model time. Deferred calls run as ever. What it was in the end. */
typedef BOOLEAN DMAV3_CONDITION(PVOID context);
BOOLEAN dmav3_wait(ULONGLONG nanoseconds, DMAV3_CONDITION *ended, PVOID context);

/* Once, in any file: the command `name` (a C identifier) with the arguments "named like this", at
 * most 19, runs `routine`. Two commands of one name, the shim's own included, do not link. */
#define DMAV3_COMMAND(name, arguments, routine) DMAV3_ROW(name, arguments, 0, 0, dmav3_run, routine)

/* ---- what the macro makes: a row of the command line's table ---- */

struct rpc_call;

struct dmav3_command {
    const char *name, *arguments;
    unsigned int least, most; /* how many; not used if there is a routine */
    const char *(*run)(struct rpc_call *call);
    DMAV3_ROUTINE *routine; /* of a driver, for dmav3_run() */
};

const char *dmav3_run(struct rpc_call *call);

/* The name has external linkage so that two rows of one name collide. */
#define DMAV3_ROW(name, arguments, least, most, run, routine)                                                  \
    extern const struct dmav3_command dmav3_command_##name;                                                    \
    const struct dmav3_command dmav3_command_##name                                                            \
        __attribute__((used, section("dmav3_commands"), aligned(8))) = {#name, arguments, least,               \
                                                                        most,  run,       routine}

EXTERN_C_END

#endif
