/* SPDX-License-Identifier: Apache-2.0 */
/* A driver in pieces: what tests of the layer on the scripted back end need again and again. */
#ifndef DRIVER_H
#define DRIVER_H

#include <dma.h>
#include <dmav3_board.h>

#include "fake_hal.h"
#include "scripted_backend.h"

enum { DRIVER_REGISTER = DMAV3_STREAM_DATA };

/* The table, as driver_start() found it. */
extern PDMA_OPERATIONS dma;

/* Reset the hal, start the layer with one scripted controller. */
void driver_start(void);
void driver_start_with(const struct dma_controller *controller);

/* A subordinate device on a channel of the controller, 8 bits wide. */
PDMA_ADAPTER driver_adapter(ULONG channel);

/* A bus master that reaches 32 bits of addresses. */
PDMA_ADAPTER driver_master(void);

/* A bus master of any kind; the most registers of one request go to *registers, unless that is NULL. */
PDMA_ADAPTER driver_master_of(ULONG address_bits, BOOLEAN scatter_gather, PULONG registers);

/* Hold the adapter's channel with that many registers, at DISPATCH_LEVEL; the MapRegisterBase. */
PVOID driver_hold(PDMA_ADAPTER adapter, ULONG registers);

/* How many cache operations there have been. */
size_t driver_maintenance(void);

/* An MDL of fake_memory from `offset` on, pages filled in. */
PMDL driver_mdl(size_t offset, ULONG length);

KIRQL driver_raise(void);

/* How often a violation was recorded. */
size_t driver_violations(uint32_t code);

#endif
