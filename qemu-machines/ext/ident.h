/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The identification page, by which firmware knows this platform and tells it what it does.
 *
 * offset  access  name      meaning
 * 0x00    R  32   MAGIC     0x33764d44
 * 0x04    R  32   LAYOUT    of this page: 1
 * 0x08    R  32   FEATURES  IDENT_COHERENT, IDENT_STREAM, IDENT_GATE, IDENT_LOW_RAM
 * 0x10    R  64   NONCE     given by whoever started the machine
 * 0x18    R  64   TIME      model time, nanoseconds
 * 0x20    W  32   READY     any value: the shell waits for its next line (where GATE is set)
 * 0x28    W  64   ALARM     model time at which the alarm's interrupt rises, or earlier, when a
 *                           channel of the PL330 is held; it falls with the next write; 0: never
 * 0x30    R  32   HELD      bit n: channel n is held by a person's wish
 * 0x38    W  64   CACHE     CCSIDR of the CPU's last cache level before the point of coherency, and above it
 *                           the level: if the cache that is modelled is another one, QEMU ends, saying so,
 *                           with exit status IDENT_WRONG_CACHE
 * 0x40    W  32   COMMIT    enum probe_kind in bits 7:0, id in bits 31:8: a record with the values of
 * 0x48..0x68 W 64 A to E    ... which the commit takes and clears
 *
 * Anything else reads as zero and is ignored when written, with a line in QEMU's log.
 */
#ifndef DMAV3_IDENT_H
#define DMAV3_IDENT_H

#include "qemu_abi.h"

enum { IDENT_COHERENT = 1, IDENT_STREAM = 2, IDENT_GATE = 4, IDENT_LOW_RAM = 8 };
enum { IDENT_WRONG_CACHE = 2 };

MemoryRegion *ident_page(uint32_t features, uint64_t nonce);

#endif
