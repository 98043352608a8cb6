/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The property `doorbells`: which registers of PCI devices, and of remote ones, start them. It is given as text
 * at the start, such as "pci1:0x98/pci2:0x1000+0x1008/remote0:0x10": ids of devices, and offsets in BAR 0, or
 * in the registers.
 */
#ifndef DMAV3_DOORBELLS_H
#define DMAV3_DOORBELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

struct doorbells;

/* False with *errp set where the text is none as above. */
bool doorbells_set(const char *text, Error **errp);

/* Ask each of these devices for the size of its BAR 0, as firmware does. At the first reset, when none of them
 * is switched on; later calls do nothing. */
void doorbells_size_bars(void);

/* What they answered, 0 for none: "pci1:0x100000/pci2:0x0". */
const char *doorbells_bars(void);

/* Of a PCI device, and by an id; NULL if none were given for it. */
const struct doorbells *doorbells_of(const PCIDevice *);
const struct doorbells *doorbells_named(const char *id);

bool doorbells_have(const struct doorbells *, uint64_t offset);

#endif
