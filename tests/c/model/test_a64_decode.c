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
    {0xd5033f9f, A64_BARRIER, 31, "dsb sy"},
    {0xd5033b9f, A64_BARRIER, 31, "dsb ish"},
    {0xd503339f, A64_BARRIER, 31, "dsb osh"},
    {0xd5033e9f, A64_BARRIER_STORES, 31, "dsb st"},
    {0xd5033a9f, A64_BARRIER_STORES, 31, "dsb ishst"},
    {0xd5033d9f, A64_OTHER, 31, "dsb ld"},
    {0xd503399f, A64_OTHER, 31, "dsb ishld"},
    {0xd503379f, A64_OTHER, 31, "dsb nsh"},
    {0xd503369f, A64_OTHER, 31, "dsb nshst"},
    {0xd503309f, A64_OTHER, 31, "ssbb"},
    {0xd503349f, A64_OTHER, 31, "pssbb"},
    {0xd503389f, A64_BARRIER, 31, "dsb #8"},
    {0xd5033fbf, A64_BARRIER, 31, "dmb sy"},
    {0xd5033bbf, A64_BARRIER, 31, "dmb ish"},
    {0xd50333bf, A64_BARRIER, 31, "dmb osh"},
    {0xd5033ebf, A64_BARRIER_STORES, 31, "dmb st"},
    {0xd50332bf, A64_BARRIER_STORES, 31, "dmb oshst"},
    {0xd5033dbf, A64_OTHER, 31, "dmb ld"},
    {0xd50331bf, A64_OTHER, 31, "dmb oshld"},
    {0xd50337bf, A64_OTHER, 31, "dmb nsh"},
    {0xd50335bf, A64_OTHER, 31, "dmb nshld"},
    {0xd50330bf, A64_BARRIER, 31, "dmb #0"},
    {0x889ffc20, A64_STORE_RELEASE, 0, "stlr w0, [x1]"},
    {0x089ffc23, A64_STORE_RELEASE, 3, "stlrb w3, [x1]"},
    {0x489ffc23, A64_STORE_RELEASE, 3, "stlrh w3, [x1]"},
    {0xc89fffe3, A64_STORE_RELEASE, 3, "stlr x3, [sp]"},
    {0x889f7c23, A64_STORE_RELEASE, 3, "stllr w3, [x1]"},
    {0x991f8023, A64_STORE_RELEASE, 3, "stlur w3, [x1, #-8]"},
    {0x19008023, A64_STORE_RELEASE, 3, "stlurb w3, [x1, #8]"},
    {0x8802fc23, A64_STORE_RELEASE, 3, "stlxr w2, w3, [x1]"},
    {0xc8229023, A64_STORE_RELEASE, 3, "stlxp w2, x3, x4, [x1]"},
    {0x88dffc20, A64_OTHER, 0, "ldar w0, [x1]"},
    {0x88027c23, A64_OTHER, 3, "stxr w2, w3, [x1]"},
    {0x88221023, A64_OTHER, 3, "stxp w2, w3, w4, [x1]"},
    {0x885ffc22, A64_OTHER, 2, "ldaxr w2, [x1]"},
    {0x88a2fc23, A64_OTHER, 3, "casl w2, w3, [x1]"},
    {0x99400023, A64_OTHER, 3, "ldapur w3, [x1]"},
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
