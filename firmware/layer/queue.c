/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/queue.h"

static struct request *waiting_for_registers;

void queues_initialize(void)
{
    waiting_for_registers = NULL;
}

static void append(struct request **queue, struct request *request)
{
    while (*queue != NULL) {
        queue = &(*queue)->next;
    }
    request->next = NULL;
    *queue = request;
}

static void remove_from(struct request **queue, const struct request *request)
{
    while (*queue != NULL && *queue != request) {
        queue = &(*queue)->next;
    }
    if (*queue != NULL) {
        *queue = request->next;
    }
}

void queue_for_channel(struct request *request)
{
    append(&request->adapter->channel->waiting, request);
}

void queue_for_registers(struct request *request)
{
    request->adapter->channel->waiting = request->next;
    append(&waiting_for_registers, request);
}

struct request *queue_first_for_registers(void)
{
    return waiting_for_registers;
}

void queues_leave(struct request *request)
{
    remove_from(&request->adapter->channel->waiting, request);
    remove_from(&waiting_for_registers, request);
}
