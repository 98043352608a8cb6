/* SPDX-License-Identifier: Apache-2.0 */
/* Which live mappings share memory with a range or with each other. A mapping that is only planned, or whose
 * chain has changed since (GEN-12), does not count. */
#ifndef LAYER_OVERLAP_H
#define LAYER_OVERLAP_H

#include "layer/objects.h"

/* Does a live mapping (a live read, if `reads_only`) share bytes with [start, start + size) of the CPU's
 * addresses? */
bool mappings_touch(uintptr_t start, uint64_t size, bool reads_only);

/* Report violation 0x1D if memory of the mapping is mapped already, and one of the two devices writes it. */
void mapping_report_overlaps(const struct mapping *mapping);

#endif
