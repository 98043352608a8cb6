/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queues that requests wait in: one of each channel, and one of all for map registers. A request
 * waits for its channel first, then for registers (QUE-02), each time in order of arrival (QUE-03,
 * QUE-04). These functions only move requests; grant.h decides which is served.
 */
#ifndef LAYER_QUEUE_H
#define LAYER_QUEUE_H

#include "layer/objects.h"

/* Empty the queue for registers. A channel's queue is empty when its controller is initialised. */
void queues_initialize(void);

/* Put a request at the end of its channel's queue. */
void queue_for_channel(struct request *request);

/* Does any request wait for its channel? */
bool queues_any_for_channel(void);

/* Move a request from the front of its channel's queue to the end of the queue for registers. */
void queue_for_registers(struct request *request);

/* The first request that waits for registers, or NULL; the others follow by `next`. */
struct request *queue_first_for_registers(void);

/* Take a request out of the queue that it waits in, if any. */
void queues_leave(struct request *request);

#endif
