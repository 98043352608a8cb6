/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against opcodes as an assembler gives them. */
#include "check.h"
#include "model/a64_decode.h"

static const struct {
    uint32_t opcode;
    enum a64_kind kind;
    unsigned int rt;
    const char *assembly;
} cases[] = {
    {0xd5087620, A64_INVALIDATE, 0, "dc ivac, x0"},
    {0xd508763f, A64_INVALIDATE, 31, "dc ivac, xzr"},
    {0xd50b7a23, A64_CLEAN, 3, "dc cvac, x3"},
    {0xd50b7c20, A64_CLEAN, 0, "dc cvap, x0"},
    {0xd50b7d20, A64_CLEAN, 0, "dc cvadp, x0"},
    {0xd50b7e3e, A64_CLEAN_INVALIDATE, 30, "dc civac, x30"},
    {0xd50b7424, A64_ZERO, 4, "dc zva, x4"},
    {0xd50b7b20, A64_OTHER, 0, "dc cvau, x0"},
    {0xd50b7520, A64_OTHER, 0, "ic ivau, x0"},
    {0xd508711f, A64_OTHER, 31, "ic ialluis"},
    {0xd5087800, A64_OTHER, 0, "at s1e1r, x0"},
    {0xd508871f, A64_TRANSLATION, 31, "tlbi vmalle1"},
    {0xd5181000, A64_TRANSLATION, 0, "msr sctlr_el1, x0"},
    {0xd5182000, A64_TRANSLATION, 0, "msr ttbr0_el1, x0"},
    {0xd5182040, A64_TRANSLATION, 0, "msr tcr_el1, x0"},
    {0xd518a200, A64_TRANSLATION, 0, "msr mair_el1, x0"},
    {0xd518c000, A64_OTHER, 0, "msr vbar_el1, x0"},
    {0xd5381000, A64_OTHER, 0, "mrs x0, sctlr_el1"},
    {0xd5087640, A64_INVALIDATE_SET_WAY, 0, "dc isw, x0"},
    {0xd5087a41, A64_CLEAN_SET_WAY, 1, "dc csw, x1"},
    {0xd5087e42, A64_CLEAN_INVALIDATE_SET_WAY, 2, "dc cisw, x2"},
    {0xd5033f9f, A64_DSB, 31, "dsb sy"},
    {0xd5033a9f, A64_DSB, 31, "dsb ishst"},
    {0xd5033fbf, A64_DMB, 31, "dmb sy"},
    {0xd5033bbf, A64_DMB, 31, "dmb ish"},
    {0xd5033fdf, A64_OTHER, 31, "isb"},
    {0xf9400000, A64_OTHER, 0, "ldr x0, [x0]"},
};

/* Of the Cortex-A53's L2 and the Cortex-A9's L1 data cache, as their manuals have them, and of the Neoverse
 * V1's L2. */
static void cache_sizes(void)
{
    struct cache_geometry l2 = a64_decode_ccsidr(0x707fe07a), l1 = a64_decode_ccsidr(0xe01fe019);
    struct cache_geometry l2_of_64 = a64_decode_ccsidr_64(0x000007ff0000003a);

    CHECK(l2.line == 64 && l2.sets == 1024 && l2.ways == 16);
    CHECK(l1.line == 32 && l1.sets == 256 && l1.ways == 4);
    CHECK(l2_of_64.line == 64 && l2_of_64.sets == 2048 && l2_of_64.ways == 8);
}

int main(void)
{
    cache_sizes();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct a64_decoded decoded = a64_decode(cases[i].opcode);

        if (decoded.kind != cases[i].kind || (decoded.kind != A64_OTHER && decoded.rt != cases[i].rt)) {
            fprintf(stderr, "%s: kind %u, register %u\n", cases[i].assembly, decoded.kind, decoded.rt);
            return 1;
        }
    }
    puts("ok a64_decode");
    return 0;
}
