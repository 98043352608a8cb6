/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against opcodes as an assembler gives them. */
#include "check.h"
#include "decode.h"

static const struct {
    uint32_t opcode;
    enum decode_kind kind;
    unsigned int rt;
    const char *assembly;
} cases[] = {
    {0xd5087620, DECODE_INVALIDATE, 0, "dc ivac, x0"},
    {0xd508763f, DECODE_INVALIDATE, 31, "dc ivac, xzr"},
    {0xd50b7a23, DECODE_CLEAN, 3, "dc cvac, x3"},
    {0xd50b7c20, DECODE_CLEAN, 0, "dc cvap, x0"},
    {0xd50b7d20, DECODE_CLEAN, 0, "dc cvadp, x0"},
    {0xd50b7e3e, DECODE_CLEAN_INVALIDATE, 30, "dc civac, x30"},
    {0xd50b7424, DECODE_ZERO, 4, "dc zva, x4"},
    {0xd50b7b20, DECODE_OTHER, 0, "dc cvau, x0"},
    {0xd50b7520, DECODE_OTHER, 0, "ic ivau, x0"},
    {0xd508711f, DECODE_OTHER, 31, "ic ialluis"},
    {0xd5087800, DECODE_OTHER, 0, "at s1e1r, x0"},
    {0xd508871f, DECODE_TRANSLATION, 31, "tlbi vmalle1"},
    {0xd5181000, DECODE_TRANSLATION, 0, "msr sctlr_el1, x0"},
    {0xd5182000, DECODE_TRANSLATION, 0, "msr ttbr0_el1, x0"},
    {0xd5182040, DECODE_TRANSLATION, 0, "msr tcr_el1, x0"},
    {0xd518a200, DECODE_TRANSLATION, 0, "msr mair_el1, x0"},
    {0xd518c000, DECODE_OTHER, 0, "msr vbar_el1, x0"},
    {0xd5381000, DECODE_OTHER, 0, "mrs x0, sctlr_el1"},
    {0xd5087640, DECODE_INVALIDATE_SET_WAY, 0, "dc isw, x0"},
    {0xd5087a41, DECODE_CLEAN_SET_WAY, 1, "dc csw, x1"},
    {0xd5087e42, DECODE_CLEAN_INVALIDATE_SET_WAY, 2, "dc cisw, x2"},
    {0xd5033f9f, DECODE_DSB, 31, "dsb sy"},
    {0xd5033a9f, DECODE_DSB, 31, "dsb ishst"},
    {0xd5033fbf, DECODE_DMB, 31, "dmb sy"},
    {0xd5033bbf, DECODE_DMB, 31, "dmb ish"},
    {0xd5033fdf, DECODE_OTHER, 31, "isb"},
    {0xf9400000, DECODE_OTHER, 0, "ldr x0, [x0]"},
};

/* Of the Cortex-A53's L2 and the Cortex-A9's L1 data cache, as their manuals have them. */
static void cache_sizes(void)
{
    struct cache_geometry l2 = decode_ccsidr(0x707fe07a), l1 = decode_ccsidr(0xe01fe019);

    CHECK(l2.line == 64 && l2.sets == 1024 && l2.ways == 16);
    CHECK(l1.line == 32 && l1.sets == 256 && l1.ways == 4);
}

int main(void)
{
    cache_sizes();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct decoded decoded = decode_a64(cases[i].opcode);

        if (decoded.kind != cases[i].kind || (decoded.kind != DECODE_OTHER && decoded.rt != cases[i].rt)) {
            fprintf(stderr, "%s: kind %u, register %u\n", cases[i].assembly, decoded.kind, decoded.rt);
            return 1;
        }
    }
    puts("ok decode");
    return 0;
}
