/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads whose first or last cache line also holds other data, where no map register is left to bounce the
 * partial line (CCH-12 b).
 *
 * The device writes its part of such a line, and the CPU must leave the line alone as long as the mapping
 * lives. The line is cleaned and invalidated before the transfer and invalidated after it. If the CPU did
 * store into the line meanwhile, the other bytes show it: that is violation 0x51. The other bytes are then
 * set aside around the invalidate, so that what the CPU stored stays, but the device's bytes may be wrong.
 */
#ifndef LAYER_SHARED_LINE_H
#define LAYER_SHARED_LINE_H

#include "layer/objects.h"

/* A checksum of the bytes beside the mapping in its partial lines: it changes when one of them does. */
uint64_t shared_line_sum(const struct mapping *mapping);

/* Report violation 0x1F for each partial line: the driver's buffer should have been whole lines (CCH-11). */
void shared_line_report(const struct mapping *mapping);

/* Invalidate the lines of a direct fragment of a read. `changed`: bytes beside it have changed since the
 * mapping started; keep them. */
void shared_line_invalidate(const struct mapping *mapping, const struct plan_fragment *fragment, bool changed);

#endif
