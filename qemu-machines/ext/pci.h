/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own PCI devices as bus masters that do not see the caches, and low RAM for narrow ones.
 *
 * Each device has an address space of its own, so that every access is known by bus and function: QEMU's
 * system memory (the frame that message-signalled interrupts are written to, flash, what others have there),
 * over it RAM as devices see it, and low RAM. An access in fault-base, fault-size (bus.h) is answered by an
 * error. Nobody gates these devices: what they do when the gate is closed happens then, and what they cause
 * is recorded as ungated.
 *
 * A store of the CPU to a BAR starts a device (views_device_started), before the device sees it.
 */
#ifndef DMAV3_PCI_H
#define DMAV3_PCI_H

#include <stdint.h>

#include "pace.h"
#include "qemu_abi.h"

/* pace_position.channel of a PCI device: this, bus number << 8, device << 3, function. */
enum { PCI_REQUESTER = 0x10000 };

enum { LOW_RAM_BASE = 0x0f000000, LOW_RAM_SIZE = 1 << 20 };

/* Take the bus of the board over and lay low RAM into system memory. */
bool pci_initialise(Error **errp);

/* Low RAM is as it was at the start. */
void pci_reset(void);

/* Whose access to memory is under way: a PCI device's or, otherwise, a channel's of the PL330. */
struct pace_position device_position(void);

#endif
