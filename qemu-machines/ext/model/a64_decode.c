/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/a64_decode.h"

#include <stdbool.h>
#include <stddef.h>

/* Fields of MSR, MRS and SYS: op1, CRn, CRm, op2 as in the Arm ARM. */
#define FIELDS(op1, crn, crm, op2) ((uint32_t)(op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define FIELDS_MASK                0x0007ffe0u
#define SYS                        0xd5080000u /* SYS #op1, Cn, Cm, #op2, Xt */
#define MSR_OP0_3                  0xd5180000u /* MSR S3_..., Xt */
#define CLASS_MASK                 0xfff80000u

/* Barriers, of whichever kind and domain (Arm ARM C6.2): of loads or stores in CRm bits 1:0, the domain above.
 */
#define BARRIER_MASK 0xfffff0ffu
#define DSB          0xd503309fu
#define DMB          0xd50330bfu
enum { CRM_AT = 8, NSH = 1, LOADS = 1, STORES = 2 };

/* Stores with release semantics (Arm ARM C6.2), of any size and registers. */
static const struct {
    uint32_t mask, opcode;
} store_releases[] = {
    {0x3fff7c00, 0x089f7c00}, /* STLR, STLLR */
    {0x3fe0fc00, 0x0800fc00}, /* STLXR */
    {0xbfe08000, 0x88208000}, /* STLXP */
    {0x3fe00c00, 0x19000000}, /* STLUR */
};

static enum a64_kind data_cache_operation(uint32_t fields)
{
    switch (fields) {
    case FIELDS(0, 7, 6, 1):
        return A64_INVALIDATE;
    case FIELDS(3, 7, 10, 1):
    case FIELDS(3, 7, 12, 1):
    case FIELDS(3, 7, 13, 1):
        return A64_CLEAN;
    case FIELDS(3, 7, 14, 1):
        return A64_CLEAN_INVALIDATE;
    case FIELDS(3, 7, 4, 1):
        return A64_ZERO;
    case FIELDS(0, 7, 6, 2):
        return A64_INVALIDATE_SET_WAY;
    case FIELDS(0, 7, 10, 2):
        return A64_CLEAN_SET_WAY;
    case FIELDS(0, 7, 14, 2):
        return A64_CLEAN_INVALIDATE_SET_WAY;
    default:
        return A64_OTHER;
    }
}

static enum a64_kind system_register_write(uint32_t fields)
{
    switch (fields >> 12 & 15) {
    case 1:  /* SCTLR_ELx */
    case 2:  /* TTBRx_ELx, TCR_ELx */
    case 10: /* MAIR_ELx */
        return A64_TRANSLATION;
    default:
        return A64_OTHER;
    }
}

/* A reserved CRm is as the strongest (Arm ARM C6.2, DMB), but for two of DSB, which are other instructions:
 * SSBB, PSSBB. */
static enum a64_kind barrier(uint32_t opcode)
{
    unsigned int types = opcode >> CRM_AT & 3, domain = opcode >> CRM_AT >> 2 & 3;

    if (types == LOADS || domain == NSH || ((opcode & BARRIER_MASK) == DSB && types == 0 && domain < 2)) {
        return A64_OTHER;
    }
    return types == STORES ? A64_BARRIER_STORES : A64_BARRIER;
}

static bool is_store_release(uint32_t opcode)
{
    for (size_t i = 0; i < sizeof(store_releases) / sizeof(store_releases[0]); i++) {
        if ((opcode & store_releases[i].mask) == store_releases[i].opcode) {
            return true;
        }
    }
    return false;
}

struct a64_decoded a64_decode(uint32_t opcode)
{
    struct a64_decoded decoded = {A64_OTHER, opcode & 31};
    uint32_t fields = opcode & FIELDS_MASK;

    if ((opcode & CLASS_MASK) == SYS) {
        decoded.kind = (fields >> 12 & 15) == 8 ? A64_TRANSLATION : data_cache_operation(fields);
    } else if ((opcode & CLASS_MASK) == (MSR_OP0_3)) {
        decoded.kind = system_register_write(fields);
    } else if ((opcode & BARRIER_MASK) == DSB || (opcode & BARRIER_MASK) == DMB) {
        decoded.kind = barrier(opcode);
    } else if (is_store_release(opcode)) {
        decoded.kind = A64_STORE_RELEASE;
    }
    return decoded;
}

struct cache_geometry a64_decode_ccsidr(uint32_t value)
{
    return (struct cache_geometry){
        .line = 16u << (value & 7),
        .sets = (value >> 13 & 0x7fff) + 1,
        .ways = (value >> 3 & 0x3ff) + 1,
    };
}

struct cache_geometry a64_decode_ccsidr_64(uint64_t value)
{
    return (struct cache_geometry){
        .line = 16u << (value & 7),
        .sets = (value >> 32 & 0xffffff) + 1,
        .ways = (value >> 3 & 0x1fffff) + 1,
    };
}
