/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/queue.h"

static struct request *waiting_for_registers;
static ULONG waiting_for_channels; /* how many */

void queues_initialize(void)
{
    waiting_for_registers = NULL;
    waiting_for_channels = 0;
}

static void append(struct request **queue, struct request *request)
{
    while (*queue != NULL) {
        queue = &(*queue)->next;
    }
    request->next = NULL;
    *queue = request;
}

/* Was it there? */
static bool remove_from(struct request **queue, const struct request *request)
{
    while (*queue != NULL && *queue != request) {
        queue = &(*queue)->next;
    }
    if (*queue == NULL) {
        return false;
    }
    *queue = request->next;
    return true;
}

void queue_for_channel(struct request *request)
{
    append(&request->adapter->channel->waiting, request);
    waiting_for_channels++;
}

bool queues_any_for_channel(void)
{
    return waiting_for_channels != 0;
}

void queue_for_registers(struct request *request)
{
    request->adapter->channel->waiting = request->next;
    waiting_for_channels--;
    append(&waiting_for_registers, request);
}

struct request *queue_first_for_registers(void)
{
    return waiting_for_registers;
}

void queues_leave(struct request *request)
{
    if (remove_from(&request->adapter->channel->waiting, request)) {
        waiting_for_channels--;
    } else {
        (void)remove_from(&waiting_for_registers, request);
    }
}
