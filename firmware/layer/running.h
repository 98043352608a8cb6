/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a mapping: it is given to the device, started, ends by a report of the controller or is
 * stopped, and is given back to the CPU or abandoned.
 */
#ifndef LAYER_RUNNING_H
#define LAYER_RUNNING_H

#include "layer/objects.h"

/* Handle an interrupt of a struct controller: take its reports and end what they name (HBE-20). No driver
 * code runs inside; completion routines are queued (BMT-06). For controllers_initialize(). */
void running_handle_interrupt(void *controller);

/* Make a Planned mapping Running: record the ranges, fill bounce pages, clean or drop lines, barrier
 * (MTX-40). False: the chain is not the one that was planned (violation 0x43), and nothing is done. */
bool mapping_give_to_device(struct mapping *mapping);

/* Program the adapter's channel with the mapping, which must be Running. The device's side starts
 * `device_offset` bytes behind the adapter's device address (MTX-33). This comes last (MTX-40). */
void mapping_start(const struct mapping *mapping, uint32_t device_offset);

/* Cut short what runs on a channel. Its routine is called with DmaCancelled, or with its end if that came
 * first (CMT-03, CMT-04). */
void mapping_cancel(struct mapping *mapping);

/* Stop a running transfer without calling its completion routine. Returns true if it was still running
 * (FBX-15), false if it had ended or the adapter is a bus master. */
bool mapping_stop(struct mapping *mapping);

/* Bytes left of a subordinate device's transfer, over the whole mapping or over the current round of a loop
 * (RDC-03, RDC-04); 0 when it is complete. */
uint32_t mapping_bytes_left(const struct mapping *mapping);

/* Flush the channel, give the first `wanted` bytes back to the CPU and forget the mapping. If a completed
 * transfer moved more, that is violation 0x53 (FBX-03). */
void mapping_take_from_device(struct mapping *mapping, uint32_t wanted);

/* Forget the mapping. If it was started, it is stopped first; bounced data is not delivered. */
void mapping_abandon(struct mapping *mapping);

#endif
