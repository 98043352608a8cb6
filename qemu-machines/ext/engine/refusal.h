/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes an instruction impossible: the precise faults that are known before it is executed. */
#ifndef DMAV3_ENGINE_REFUSAL_H
#define DMAV3_ENGINE_REFUSAL_H

#include "engine/issue.h"

/* The bits of FTRD or FTRn; 0: it may be executed. It needs one of `threads` (enum instruction_thread). */
uint32_t refusal(const struct issue *issue, uint32_t threads);

#endif
