/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What instructions and identification registers of an AArch64 CPU mean for the cache model. Plain C, no QEMU.
 */
#ifndef DMAV3_A64_DECODE_H
#define DMAV3_A64_DECODE_H

#include <stdint.h>

#include "model/cache_model.h"

enum a64_kind {
    A64_OTHER,
    A64_CLEAN,                    /* DC CVAC, CVAP, CVADP: to the point of coherency */
    A64_INVALIDATE,               /* DC IVAC */
    A64_CLEAN_INVALIDATE,         /* DC CIVAC */
    A64_ZERO,                     /* DC ZVA: a store that gives no memory callback */
    A64_CLEAN_SET_WAY,            /* DC CSW */
    A64_INVALIDATE_SET_WAY,       /* DC ISW */
    A64_CLEAN_INVALIDATE_SET_WAY, /* DC CISW */
    A64_BARRIER,                  /* DMB or DSB of loads and stores, SY, OSH or ISH */
    A64_BARRIER_STORES,           /* ... of stores only */
    A64_STORE_RELEASE,            /* STLR, STLLR, STLUR, STLXR, STLXP */
    A64_TRANSLATION,              /* changes how addresses translate: SCTLR, TTBR, TCR, MAIR, TLBI */
};

/* An instruction. */
struct a64_decoded {
    enum a64_kind kind;
    unsigned int rt; /* number of the register that holds the address; 31: zero */
};

/* Decode an instruction. Opcodes: Arm ARM C5.3 (DC), C5.5 (TLBI), D19 (system registers). */
struct a64_decoded a64_decode(uint32_t opcode);

/* Decode CCSIDR in its 32-bit format, that of CPUs without FEAT_CCIDX (Arm ARM D19.2.23). */
struct cache_geometry a64_decode_ccsidr(uint32_t value);

/* The same in the 64-bit format, that of CPUs with FEAT_CCIDX. */
struct cache_geometry a64_decode_ccsidr_64(uint64_t value);

#endif
