/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/adapter.h"

#include "hal/cache.h"
#include "layer/violation.h"

enum { ADAPTERS_MAX = 32 };

static struct adapter adapters[ADAPTERS_MAX];
static size_t next_adapter; /* slots are reused as late as possible, so that old pointers stay invalid */
static PDMA_OPERATIONS table;

void adapters_initialize(PDMA_OPERATIONS operations)
{
    for (size_t i = 0; i < ADAPTERS_MAX; i++) {
        adapters[i].live = false;
    }
    next_adapter = 0;
    table = operations;
}

const struct adapter *adapter_next_live(const struct adapter *before)
{
    const struct adapter *adapter = before == NULL ? adapters : before + 1;

    while (adapter < adapters + ADAPTERS_MAX && !adapter->live) {
        adapter++;
    }
    return adapter < adapters + ADAPTERS_MAX ? adapter : NULL;
}

struct adapter *adapter_take(void)
{
    for (size_t tried = 0; tried < ADAPTERS_MAX; tried++) {
        struct adapter *adapter = &adapters[next_adapter];

        next_adapter = (next_adapter + 1) % ADAPTERS_MAX;
        if (!adapter->live) {
            *adapter = (struct adapter){
                .public = {.Version = 1, .Size = sizeof(DMA_ADAPTER), .DmaOperations = table},
                .live = true,
                .maker = routine_now(),
            };
            return adapter;
        }
    }
    return NULL;
}

struct adapter *adapter_find(const void *candidate)
{
    if (candidate == NULL) {
        violation_report(VIOLATION_NULL_ADAPTER, 0, 0); /* GEN-04 */
        return NULL;
    }
    for (size_t i = 0; i < ADAPTERS_MAX; i++) {
        if (candidate == &adapters[i] && adapters[i].live) {
            return &adapters[i];
        }
    }
    violation_report(VIOLATION_RELEASED_ADAPTER, (uintptr_t)candidate, 0); /* GEN-05 */
    return NULL;
}

uint32_t adapter_line(const struct adapter *adapter, bool write)
{
    return write || adapter->coherent ? 0 : (uint32_t)cache_line_size();
}

uint64_t adapter_highest_address(const struct adapter *adapter)
{
    uint32_t bits = adapter->address_bits;

    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}
