/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects channel[0] to channel[7] below the board: their properties are those of pace.h. */
#ifndef DMAV3_PACE_OBJECT_H
#define DMAV3_PACE_OBJECT_H

#include "qemu_abi.h"

void pace_object_register(void);
void pace_object_add(Object *board);

#endif
