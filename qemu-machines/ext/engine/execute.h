/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each instruction does. */
#ifndef DMAV3_ENGINE_EXECUTE_H
#define DMAV3_ENGINE_EXECUTE_H

#include "engine/state.h"

/* Issue the instruction at the thread's PC. It may stall there, wait, or fault instead. */
void execute(struct engine *engine, struct thread *thread);

/* Carry out an instruction of the debug interface, as the manager or a channel. */
void execute_debug(struct engine *engine, struct thread *thread, const uint8_t *code);

#endif
