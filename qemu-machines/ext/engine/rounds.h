/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of the present round of a loop, for repeat.h. */
#ifndef DMAV3_ENGINE_ROUNDS_H
#define DMAV3_ENGINE_ROUNDS_H

#include "engine/state.h"

/* An access is carried out now. */
void rounds_note(struct engine *engine, const struct access *access, bool is_write);

/* An instruction is executed, once; `number` is that of its peripheral. */
void rounds_instruction(struct engine *engine, const struct thread *thread, const struct instruction *row,
                        uint32_t number);

/* What happens now is in no round like others. */
static inline void rounds_break(struct engine *engine)
{
    engine->rounds.usable = false;
    engine->rounds.period = 0;
}

#endif
