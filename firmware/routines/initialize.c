/* SPDX-License-Identifier: Apache-2.0 */
/* The start of the layer. */
#include <dma.h>

#include "hal/oplog.h"
#include "layer/adapter.h"
#include "layer/completion.h"
#include "layer/controller.h"
#include "layer/grant.h"
#include "layer/irql.h"
#include "layer/limits.h"
#include "layer/map_registers.h"
#include "layer/mapping.h"
#include "layer/queue.h"
#include "layer/request.h"
#include "layer/running.h"
#include "routines/common_buffer.h"
#include "routines/lists.h"

bool dma_initialize(const struct dma_controller *descriptions, size_t count)
{
    oplog_announce();
    irql_initialize();
    limits_initialize();
    adapters_initialize(dma_operations_table());
    requests_initialize();
    queues_initialize();
    grants_initialize();
    mappings_initialize();
    completions_initialize();
    common_buffers_initialize();
    lists_initialize();
    return map_registers_initialize() && controllers_initialize(descriptions, count, running_handle_interrupt);
}
