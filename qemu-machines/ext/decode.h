/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what the CPU has in bits, opcodes and registers, to what it means for the cache model. Plain C.
 */
#ifndef DMAV3_DECODE_H
#define DMAV3_DECODE_H

#include <stdint.h>

#include "cache_model.h"

enum decode_kind {
    DECODE_OTHER,
    DECODE_CLEAN,                    /* DC CVAC, CVAP, CVADP: to the point of coherency */
    DECODE_INVALIDATE,               /* DC IVAC */
    DECODE_CLEAN_INVALIDATE,         /* DC CIVAC */
    DECODE_ZERO,                     /* DC ZVA: a store that gives no memory callback */
    DECODE_CLEAN_SET_WAY,            /* DC CSW */
    DECODE_INVALIDATE_SET_WAY,       /* DC ISW */
    DECODE_CLEAN_INVALIDATE_SET_WAY, /* DC CISW */
    DECODE_DSB,
    DECODE_DMB,
    DECODE_TRANSLATION, /* changes how addresses translate: SCTLR, TTBR, TCR, MAIR, TLBI */
};

struct decoded {
    enum decode_kind kind;
    unsigned int rt; /* number of the register that holds the address; 31: zero */
};

/* AArch64. Opcodes: Arm ARM C5.3 (DC), C5.5 (TLBI), D19 (system registers). */
struct decoded decode_a64(uint32_t opcode);

/* CCSIDR in its 32-bit format, that of CPUs without FEAT_CCIDX (Arm ARM D19.2.23). */
struct cache_geometry decode_ccsidr(uint32_t value);

#endif
