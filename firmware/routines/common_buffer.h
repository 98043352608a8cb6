/* SPDX-License-Identifier: Apache-2.0 */
/* The table of common buffers. */
#ifndef ROUTINES_COMMON_BUFFER_H
#define ROUTINES_COMMON_BUFFER_H

#include <dma.h>

#include "layer/objects.h"

void common_buffers_initialize(void);

/* How many common buffers are allocated. */
uint32_t common_buffers_live(void);

/* Tell of each of them. */
void common_buffers_each_live(dma_tell *tell, void *context);

/* The adapter is being released: its buffers stay, since a device may still use them (PDA-03). */
void common_buffers_leave(const struct adapter *adapter);

#endif
