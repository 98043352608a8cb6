/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to the data of a mapping before and after the device has it: bounce pages are filled and
 * copied back, cached memory is cleaned and invalidated. Bounce pages are uncached and need no maintenance
 * (CCH-16).
 */
#ifndef LAYER_MAINTENANCE_H
#define LAYER_MAINTENANCE_H

#include "layer/objects.h"

/* Give the data to the device: record the ranges, fill bounce pages, maintain the rest, barrier (MTX-40). */
void maintenance_before_device(const struct mapping *mapping);

/* Give the first `wanted` bytes back to the CPU: maintain them, and deliver what is bounced of the first `keep`
 * of them (FBX-10). */
void maintenance_after_device(const struct mapping *mapping, uint32_t wanted, uint32_t keep);

#endif
