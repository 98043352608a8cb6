/* SPDX-License-Identifier: Apache-2.0 */
/* How many map registers and list elements a transfer will need, before anything is allocated for it. */
#ifndef LAYER_NEEDS_H
#define LAYER_NEEDS_H

#include "layer/mapping.h"

/* What a full mapping of a range needs, in the larger of both directions unless `write_only` (GTI). The range
 * must have passed mapping_check_range(). */
void adapter_count_needs(const struct adapter *adapter, const struct mapping_range *range, bool write_only,
                         DMA_TRANSFER_INFO_V1 *needs);

/* What `length` bytes of any memory need in the worst case, if only the address of the first byte is known
 * (CSL-02, CSL-04). */
void adapter_count_worst(const struct adapter *adapter, uintptr_t start, uint32_t length,
                         DMA_TRANSFER_INFO_V1 *needs);

#endif
