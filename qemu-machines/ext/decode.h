/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an instruction's opcode to what it means for the cache model. Plain C.
 */
#ifndef DMAV3_DECODE_H
#define DMAV3_DECODE_H

#include <stdint.h>

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

#endif
