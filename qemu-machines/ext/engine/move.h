/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMALD, DMAST, DMASTZ in all their forms, and the holds before their bursts. */
#ifndef DMAV3_ENGINE_MOVE_H
#define DMAV3_ENGINE_MOVE_H

#include "engine/issue.h"

enum outcome move_load(const struct issue *issue);
enum outcome move_store(const struct issue *issue);
enum outcome move_store_zeroes(const struct issue *issue);

/* Does a pause begin, now that the stores of the last burst have been issued? */
bool move_pauses(struct engine *engine, struct thread *thread);

#endif
