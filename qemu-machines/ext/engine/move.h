/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMALD, DMAST, DMASTZ in all their forms, and the holds before their bursts. */
#ifndef DMAV3_ENGINE_MOVE_H
#define DMAV3_ENGINE_MOVE_H

#include "engine/issue.h"

enum outcome move_load(const struct issue *issue);
enum outcome move_store(const struct issue *issue);
enum outcome move_store_zeroes(const struct issue *issue);

/* Does a pause begin before this instruction, since the stores of the last burst have been issued? Not before a
 * barrier: behind it they have been carried out. */
bool move_pauses(const struct issue *issue);

#endif
