/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The identification page, by which firmware knows this platform and tells it what it does.
 *
 * offset  access  name      meaning
 * 0x00    R  32   MAGIC     0x33764d44
 * 0x04    R  32   LAYOUT    of this page: 1
 * 0x08    R  32   FEATURES  IDENT_COHERENT, IDENT_STREAM, IDENT_GATE, IDENT_LOW_RAM
 * 0x10    R  64   NONCE     the property of this name
 * 0x18    R  64   TIME      model time, nanoseconds
 * 0x20    W  32   READY     any value: the shell waits for its next line (where GATE is set)
 * 0x28    W  64   ALARM     model time at which the alarm's interrupt rises, or earlier, when a
 *                           channel of the PL330 is held; it falls with the next write; 0: never
 * 0x30    R  32   HELD      bit n: channel n of the PL330 is held on request
 * 0x40    W  32   COMMIT    enum probe_kind in bits 7:0, id in bits 31:8: a record with the values of
 * 0x48..0x68 W 64 A to E    ... which the commit takes and clears
 * 0x70    W  32   RECORDS   what the image records of its own accord from now on: IDENT_RECORDS_MEMORY
 *
 * Anything else reads as zero and is ignored when written, with a line in QEMU's log.
 */
#ifndef DMAV3_IDENT_H
#define DMAV3_IDENT_H

#include <stdint.h>

#include "pl330/controller.h"

/* Offsets of the registers in the page. */
enum ident_offset {
    IDENT_MAGIC = 0x00,
    IDENT_LAYOUT = 0x04,
    IDENT_FEATURES = 0x08,
    IDENT_NONCE = 0x10,
    IDENT_TIME = 0x18,
    IDENT_READY = 0x20,
    IDENT_ALARM = 0x28,
    IDENT_HELD = 0x30,
    IDENT_COMMIT = 0x40,
    IDENT_ARGUMENT = 0x48, /* A, of five */
    IDENT_ARGUMENT_END = 0x70,
    IDENT_RECORDS = 0x70,
    IDENT_SIZE = 0x1000,
};

/* Bits of IDENT_FEATURES. */
enum ident_feature { IDENT_COHERENT = 1, IDENT_STREAM = 2, IDENT_GATE = 4, IDENT_LOW_RAM = 8 };

/* Bits of IDENT_RECORDS: mappings with where devices see them, common buffers, channels' private memory and
 * adapters, all of them. */
enum ident_records { IDENT_RECORDS_MEMORY = 1 };

/* Returns the page, to be mapped. The controller is brought to now before time stands still. */
MemoryRegion *ident_page(uint32_t features, uint64_t nonce, const struct controller *controller);

#endif
