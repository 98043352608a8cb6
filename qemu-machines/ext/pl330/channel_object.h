/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects channel[0] to channel[7] below the board: their properties are those of pl330/controller.h. */
#ifndef DMAV3_CHANNEL_OBJECT_H
#define DMAV3_CHANNEL_OBJECT_H

#include "pl330/controller.h"

void channel_object_register(void);
void channel_object_add(Object *board, const struct controller *controller);

#endif
