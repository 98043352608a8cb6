/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The v3 layer as the boot code and the shell see it. Drivers see wdm_dma.h only.
 */
#ifndef DMA_H
#define DMA_H

#include "dma/dma_backend.h"

#include <stdbool.h>

enum { DMA_CONTROLLERS_MAX = 3, DMA_MAP_REGISTERS = 64, DMA_FRAGMENTS_MAX = 64 };

/*
 * Start the layer: takes the bounce pages and the channels' private memory, initialises and connects
 * the controllers. Call once, at PASSIVE_LEVEL, with interrupts masked or enabled, before any other
 * routine; the descriptions are copied. False if there are more than DMA_CONTROLLERS_MAX or memory
 * is short; the layer must not be used then.
 */
bool dma_initialize(const struct dma_controller *controllers, size_t count);

/* The table that every adapter points to: for callers that pass adapters they cannot trust. */
PDMA_OPERATIONS dma_operations_table(void);

#endif
