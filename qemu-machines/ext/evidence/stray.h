/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of devices to bytes that nothing gave them: no live mapping of that direction, no common buffer, no
 * private memory of a channel.
 *
 * They are judged if the image has promised to record all of these, from the first adapter of the device's sort
 * on: a channel of the PL330 from the first adapter that it serves, PCI devices and remote ones from the first
 * bus master's. Whoever drives a device without an adapter is not judged.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_STRAY_H
#define DMAV3_STRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"

/* Nothing is judged, until both of the next two have come. */
void stray_reset(void);

/* The image promises to record everything. */
void stray_announced(void);

/* Devices may access this memory at any time, by hand too: the window of the tests. False: it is not in RAM, or
 * there is one already. */
bool stray_set_window(uint64_t physical, uint64_t length);

/* An adapter was made, of a channel of the PL330, or STRAY_BUS_MASTER. */
enum { STRAY_BUS_MASTER = 0xffffff };
void stray_adapter_made(uint32_t channel);

/* The device `by` is about to access the bytes, which are in RAM or in low RAM. Returns the number of the
 * finding (finding_add()) if some of them are nobody's, else 0. */
uint32_t stray_found(const struct accessor *by, uint64_t physical, unsigned int size, bool is_write);

#endif
