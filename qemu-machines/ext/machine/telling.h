/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which loads of registers tell the CPU what devices have done in memory: of those of a device that accesses
 * memory, or moves data through one that does; and the interrupt controller's, when an interrupt of such a
 * device is taken.
 */
#ifndef DMAV3_TELLING_H
#define DMAV3_TELLING_H

#include <stdint.h>

#include "qemu/qemu_abi.h"

enum telling { TELLS_NOTHING, TELLS_OF_A_DEVICE, TELLS_OF_AN_INTERRUPT };

/* The CPU has loaded the register at a physical address, and `info` is of that access. */
enum telling telling_of(uint64_t physical, qemu_plugin_meminfo_t info);

#endif
