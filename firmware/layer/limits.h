/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that tests may lower: dma_set_limits() and dma_set_checked() of dma.h are implemented here. */
#ifndef LAYER_LIMITS_H
#define LAYER_LIMITS_H

#include <dma.h>

/* Set every limit to its largest value, and record violations. */
void limits_initialize(void);

/* The limits that hold now. */
const struct dma_limits *limits_now(void);

#endif
