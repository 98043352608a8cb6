/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way down to the back ends: registration of controllers, and calls of their entries. Every call is
 * recorded in the operation log and made with interrupts masked (HBE-04). Nothing here knows why a channel
 * is programmed or what a report means; running.h does.
 */
#ifndef LAYER_CONTROLLER_H
#define LAYER_CONTROLLER_H

#include <stddef.h>

#include "layer/objects.h"

/* Copy the descriptions, initialise the controllers, give them their private memory and connect their
 * interrupts to `handler`, which is passed the struct controller. False: there are too many controllers or
 * channels, or memory is short. */
bool controllers_initialize(const struct dma_controller *descriptions, size_t count,
                            void (*handler)(void *controller));

/* A channel by its number, counted through all controllers, or NULL. */
struct channel *controller_channel(uint32_t number);

/* The channel that serves the request line, or NULL (IGA-19, IGA-20). */
struct channel *controller_bind(ULONG request_line, ULONG channel_number, DMA_WIDTH width);

/* Take one report from the controller (HBE-20); interrupts must be masked. False: it has no more. *channel is
 * NULL if the report names a channel that the controller does not have. */
bool controller_next_report(struct controller *controller, struct channel **channel, DMA_INTERRUPT_TYPE *type);

/* How many elements the channel's next transfer can take, at most `wanted`. */
ULONG channel_max_fragments(struct channel *channel, ULONG wanted);

/* Start the transfer of a mapping: `list` is the memory's side, `device` the device's register. */
void channel_program(const struct mapping *mapping, PDMA_SCATTER_GATHER_LIST list, PHYSICAL_ADDRESS device);

/* Make the channel programmable again. */
void channel_flush(struct channel *channel);

/* Bytes left of the channel's transfer; only if channel_has_counter(). */
ULONG channel_bytes_left(struct channel *channel);
bool channel_has_counter(const struct channel *channel);

/* Does an interrupt tell the end of a transfer on this channel (HBE-17)? */
bool channel_interrupts(const struct channel *channel);

/* Tell the back end that the adapter has been given its channel (CFG-09). */
void channel_set_owner(const struct adapter *adapter);

/* Pass on a function that the driver asked for. */
NTSTATUS channel_configure(struct channel *channel, ULONG function, PVOID data);

/* Stop the channel. True: it was active, and its transfer will not be reported. */
bool channel_cancel(struct channel *channel);

#endif
