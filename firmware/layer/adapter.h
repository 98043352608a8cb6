/* SPDX-License-Identifier: Apache-2.0 */
/* The table of adapters, and what follows from the fields of one. */
#ifndef LAYER_ADAPTER_H
#define LAYER_ADAPTER_H

#include "layer/objects.h"

/* Empty the table. Every adapter that is taken from now on points to `operations`. */
void adapters_initialize(PDMA_OPERATIONS operations);

/* The first live adapter, or the next one after `before`; NULL: there is no more. */
const struct adapter *adapter_next_live(const struct adapter *before);

/* A live adapter whose other fields are zero; NULL if the table is full. It is given back when the caller
 * clears `live`. */
struct adapter *adapter_take(void);

/* Look up a pointer from outside. Anything but a live adapter is a violation (GEN-04, GEN-05), and the result
 * is NULL. */
struct adapter *adapter_find(const void *candidate);

/* Bytes of a cache line if data moves in whole lines in this direction, else 0 (CCH-06, CCH-13). */
uint32_t adapter_line(const struct adapter *adapter, bool write);

/* The last physical address that the device reaches. */
uint64_t adapter_highest_address(const struct adapter *adapter);

#endif
