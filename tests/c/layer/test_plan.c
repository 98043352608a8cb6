/* SPDX-License-Identifier: Apache-2.0 */
/* The cutting of a chain into fragments, against MTX-19 to MTX-38 and CCH-12. */
#include "check.h"
#include "fake_hal.h"
#include "layer/mdl.h"
#include "layer/plan.h"

enum { FRAGMENTS_MAX = 64 };

static struct plan_fragment fragments[FRAGMENTS_MAX];
static uint32_t count;
static struct plan plan;

static PMDL make_mdl(size_t offset, ULONG length, PMDL previous)
{
    PMDL mdl = IoAllocateMdl(&fake_memory[offset], length, FALSE, FALSE, NULL);

    CHECK(mdl != NULL);
    MmBuildMdlForNonPagedPool(mdl);
    if (previous != NULL) {
        previous->Next = mdl;
    }
    return mdl;
}

static void free_chain(PMDL mdl)
{
    while (mdl != NULL) {
        PMDL next = mdl->Next;

        IoFreeMdl(mdl);
        mdl = next;
    }
}

static struct plan_range range_of(const MDL *chain, uint64_t offset, uint32_t length)
{
    return (struct plan_range){.chain = chain,
                               .chain_offset = offset,
                               .length = length,
                               .unit = 1,
                               .address_bits = 32,
                               .registers = 64};
}

static void make_plan(const struct plan_range *range)
{
    count = 0;
    plan_begin(&plan, range);
    while (count < FRAGMENTS_MAX && plan_next(&plan, &fragments[count])) {
        count++;
    }
}

static void check_fragment(uint32_t i, size_t offset, uint32_t length, bool bounced)
{
    CHECK(i < count);
    CHECK_EQ(fragments[i].virtual_address - (uintptr_t)fake_memory, offset);
    CHECK_EQ(fragments[i].length, length);
    CHECK_EQ(fragments[i].bounced, bounced);
}

TEST(contiguous_memory_is_one_fragment, "MTX-22")
{
    PMDL mdl = make_mdl(100, 20000, NULL);
    struct plan_range range = range_of(mdl, 0, 20000);

    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 100, 20000, false);
    CHECK_EQ(plan_physical(&fragments[0], 0), 0x40000064);
    CHECK_EQ(plan_physical(&fragments[0], 5000), 0x40000064 + 5000);
    CHECK_EQ(plan.registers_used, 0);
    free_chain(mdl);
}

TEST(scattered_pages_are_a_fragment_each, "MTX-22")
{
    fake_scatter_pages();
    PMDL mdl = make_mdl(100, 3 * FAKE_PAGE, NULL);
    struct plan_range range = range_of(mdl, 0, 3 * FAKE_PAGE);

    make_plan(&range);
    CHECK_EQ(count, 4);
    check_fragment(0, 100, FAKE_PAGE - 100, false);
    check_fragment(1, FAKE_PAGE, FAKE_PAGE, false);
    check_fragment(3, 3 * FAKE_PAGE, 100, false);
    CHECK_EQ(plan_physical(&fragments[1], 0), UINT64_C(0x40025000));
    free_chain(mdl);
}

TEST(a_range_starts_in_the_mdl_that_holds_its_offset, "MTX-19")
{
    PMDL first = make_mdl(0, 1000, NULL);

    (void)make_mdl(2000, 1000, first);
    struct plan_range range = range_of(first, 1000, 500);

    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 2000, 500, false); /* byte 0 of the next MDL */
    range = range_of(first, 999, 501);
    make_plan(&range);
    CHECK_EQ(count, 2);
    check_fragment(0, 999, 1, false);
    free_chain(first);
}

TEST(adjacent_mdls_stay_separate, "MTX-22")
{
    PMDL first = make_mdl(0, 1000, NULL);

    (void)make_mdl(1000, 1000, first);
    struct plan_range range = range_of(first, 500, 1500);

    make_plan(&range);
    CHECK_EQ(count, 2);
    check_fragment(0, 500, 500, false);
    check_fragment(1, 1000, 1000, false);
    free_chain(first);
}

TEST(empty_mdls_are_skipped, "MTX-53")
{
    PMDL first = make_mdl(0, 1000, NULL);
    PMDL second = make_mdl(3000, 1, first);
    struct plan_range range = range_of(first, 500, 1500);

    (void)make_mdl(2000, 1000, second);
    second->ByteCount = 0;
    make_plan(&range);
    CHECK_EQ(count, 2);
    check_fragment(1, 2000, 1000, false);
    free_chain(first);
}

TEST(a_range_lies_in_its_chain_or_is_refused, "")
{
    PMDL first = make_mdl(0, 1000, NULL);
    PMDL second = make_mdl(1000, 1000, first);

    CHECK_EQ(mdl_check_range(first, 1999, 1), MDL_RANGE_INSIDE);
    CHECK_EQ(mdl_check_range(first, 2000, 0), MDL_RANGE_STARTS_AFTER); /* MTX-01 */
    CHECK_EQ(mdl_check_range(first, 1999, 2), MDL_RANGE_TOO_LONG);     /* MTX-02 */
    second->MdlFlags = 0;
    CHECK_EQ(mdl_check_range(first, 1500, 1), MDL_RANGE_NOT_LOCKED);
    second->MdlFlags = MDL_PAGES_LOCKED;
    free_chain(first);
}

TEST(no_fragment_crosses_4_gib, "MTX-22")
{
    for (size_t i = 0; i < 4; i++) {
        fake_map_page(i, 0xFFFFE + i);
    }
    PMDL mdl = make_mdl(0, 4 * FAKE_PAGE, NULL);
    struct plan_range range = range_of(mdl, 0, 4 * FAKE_PAGE);

    range.address_bits = 40;
    make_plan(&range);
    CHECK_EQ(count, 2);
    check_fragment(0, 0, 2 * FAKE_PAGE, false);
    check_fragment(1, 2 * FAKE_PAGE, 2 * FAKE_PAGE, false);

    range.address_bits = 32; /* MR-07 a */
    make_plan(&range);
    CHECK_EQ(count, 2);
    check_fragment(1, 2 * FAKE_PAGE, 2 * FAKE_PAGE, true);
    CHECK_EQ(plan.registers_used, 2);

    fake_map_page(2, 0x200000); /* wherever it lies, no needless split (MTX-26) */
    fake_map_page(3, 0x100000);
    MmBuildMdlForNonPagedPool(mdl);
    make_plan(&range);
    CHECK_EQ(count, 2);
    check_fragment(1, 2 * FAKE_PAGE, 2 * FAKE_PAGE, true);
    free_chain(mdl);
}

TEST(a_read_bounces_its_partial_lines, "CCH-14")
{
    PMDL mdl = make_mdl(10, 1000, NULL);
    struct plan_range range = range_of(mdl, 0, 1000);

    range.line = FAKE_LINE;
    make_plan(&range);
    CHECK_EQ(count, 3);
    check_fragment(0, 10, 54, true);
    check_fragment(1, 64, 896, false);
    check_fragment(2, 960, 50, true);
    CHECK_EQ(fragments[0].bounce_offset, 10);
    CHECK_EQ(fragments[2].bounce_offset, FAKE_PAGE + 960);
    CHECK_EQ(plan.registers_used, 2);

    range.registers = 1; /* CCH-12 b: the tail shares its line, */
    make_plan(&range);
    CHECK_EQ(count, 3);
    check_fragment(1, 64, 896, false);
    check_fragment(2, 960, 50, false);
    CHECK(!fragments[1].continues && fragments[2].continues);
    CHECK_EQ(plan.mapped, 1000);

    range.registers = 0; /* and the head too */
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 10, 1000, false);
    free_chain(mdl);
}

TEST(a_shared_line_is_shared_at_the_ends_of_a_span_only, "")
{
    fake_scatter_pages();
    PMDL mdl = make_mdl(10, 2 * FAKE_PAGE, NULL);
    struct plan_range range = range_of(mdl, 0, 2 * FAKE_PAGE);

    range.line = FAKE_LINE;
    range.registers = 0;
    make_plan(&range);
    CHECK_EQ(count, 3);
    check_fragment(0, 10, FAKE_PAGE - 10, false);
    check_fragment(2, 2 * FAKE_PAGE, 10, false);
    range.byte_limit = 1000; /* the cut is at a whole line */
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 10, 950, false);
    CHECK_EQ(plan.end, PLAN_NO_REGISTERS);
    range.byte_limit = 40; /* and nothing fits before it */
    make_plan(&range);
    CHECK_EQ(count, 0);
    free_chain(mdl);
}

TEST(one_element_is_the_longer_of_a_run_and_what_registers_gather, "MTX-27 MR-16")
{
    fake_scatter_pages();
    fake_map_page(1, 0x40001);
    PMDL mdl = make_mdl(10, 4 * FAKE_PAGE, NULL);
    struct plan_range range = range_of(mdl, 0, 4 * FAKE_PAGE);

    fake_map_page(0, 0x40000);
    MmBuildMdlForNonPagedPool(mdl);
    range.one_element = true;
    range.registers = 5;
    make_plan(&range); /* MR-09 */
    CHECK_EQ(count, 1);
    check_fragment(0, 10, 4 * FAKE_PAGE, true);
    CHECK_EQ(fragments[0].bounce_offset, 10);
    CHECK_EQ(plan.registers_used, 5);
    range.registers = 2; /* the first two pages are neighbours: longer than two registers reach */
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 10, 2 * FAKE_PAGE - 10, false);
    CHECK_EQ(plan.registers_used, 0);
    range.registers = 3;
    make_plan(&range);
    check_fragment(0, 10, 3 * FAKE_PAGE - 10, true); /* MR-16 */
    CHECK_EQ(plan.end, PLAN_NO_REGISTERS);
    range.length = FAKE_PAGE;
    make_plan(&range); /* MR-17 */
    check_fragment(0, 10, FAKE_PAGE, false);
    CHECK_EQ(plan.end, PLAN_COMPLETE);
    free_chain(mdl);
}

TEST(one_element_of_several_mdls_has_no_gap, "MR-05 MR-08 MR-09")
{
    PMDL first = make_mdl(10, 100, NULL);
    PMDL second = make_mdl(FAKE_PAGE + 3000, 2000, first);

    make_mdl(5 * FAKE_PAGE + 1, 30, second);
    struct plan_range range = range_of(first, 20, 2100);

    range.one_element = true;
    make_plan(&range); /* OQ-16 */
    CHECK_EQ(count, 3);
    check_fragment(0, 30, 80, true);
    check_fragment(1, FAKE_PAGE + 3000, 2000, true);
    check_fragment(2, 5 * FAKE_PAGE + 1, 20, true);
    CHECK_EQ(fragments[0].bounce_offset, 30); /* MR-08 */
    CHECK_EQ(fragments[1].bounce_offset, 110);
    CHECK_EQ(fragments[2].bounce_offset, 2110);
    CHECK(!fragments[0].continues && fragments[1].continues && fragments[2].continues);
    CHECK_EQ(plan.registers_used, 1);
    CHECK_EQ(plan_pages_of_range(&range), 4); /* MR-05 */
    range.registers = 0;
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 30, 80, false);
    free_chain(first);
}

TEST(one_element_of_a_read_is_gathered_for_its_edges, "MTX-27")
{
    PMDL mdl = make_mdl(10, 1000, NULL);
    struct plan_range range = range_of(mdl, 0, 1000);

    range.one_element = true;
    range.line = FAKE_LINE;
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 10, 1000, true);
    range.registers = 0; /* CCH-12 b */
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 10, 1000, false);
    free_chain(mdl);
}

TEST(a_read_within_two_lines_is_one_bounce, "")
{
    PMDL mdl = make_mdl(40, 60, NULL);
    struct plan_range range = range_of(mdl, 0, 60);

    range.line = FAKE_LINE;
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 40, 60, true);
    free_chain(mdl);
}

TEST(an_aligned_read_bounces_nothing, "MR-17")
{
    fake_scatter_pages();
    PMDL mdl = make_mdl(0, 2 * FAKE_PAGE + 64, NULL);
    struct plan_range range = range_of(mdl, 0, 2 * FAKE_PAGE + 64);

    range.line = FAKE_LINE;
    range.registers = 0;
    make_plan(&range);
    CHECK_EQ(count, 3);
    CHECK_EQ(plan.mapped, 2 * FAKE_PAGE + 64);
    free_chain(mdl);
}

TEST(a_page_break_inside_a_unit_is_bounced, "MTX-38")
{
    fake_scatter_pages();
    PMDL mdl = make_mdl(2, 8192, NULL);
    struct plan_range range = range_of(mdl, 0, 8192);

    range.unit = 4;
    make_plan(&range);
    check_fragment(0, 2, 4092, false);
    check_fragment(1, 4094, 4, true);
    check_fragment(2, 4098, 4092, false);
    check_fragment(3, 8190, 4, true);
    CHECK_EQ(count, 4);
    CHECK_EQ(plan.registers_used, 4);

    range.registers = 1; /* MTX-38: the prefix before it, */
    make_plan(&range);
    CHECK_EQ(plan.mapped, 4092);
    range.chain_offset = 4092; /* or nothing */
    range.length = 4;
    make_plan(&range);
    CHECK_EQ(count, 0);
    CHECK_EQ(plan.end, PLAN_ODD_PIECE);
    free_chain(mdl);
}

TEST(a_read_off_the_unit_is_bounced_as_one_element, "MR-16")
{
    PMDL mdl = make_mdl(2, 8192, NULL);
    struct plan_range range = range_of(mdl, 0, 8192);

    range.unit = 4;
    range.line = FAKE_LINE;
    make_plan(&range);
    CHECK_EQ(count, 1);
    check_fragment(0, 2, 8192, true);
    CHECK_EQ(plan.registers_used, 3);

    range.registers = 2; /* MR-16, in whole units */
    make_plan(&range);
    check_fragment(0, 2, 8188, true);
    CHECK_EQ(count, 2);
    check_fragment(1, 8190, 4, false);
    free_chain(mdl);
}

TEST(an_odd_mdl_ends_the_mapping_before_the_odd_piece, "MTX-38")
{
    PMDL first = make_mdl(0, 7, NULL);

    make_mdl(64, 9, first);
    struct plan_range range = range_of(first, 0, 16);

    range.unit = 4;
    make_plan(&range);
    CHECK_EQ(count, 1);
    CHECK_EQ(plan.mapped, 4);
    CHECK_EQ(plan.end, PLAN_ODD_PIECE);
    free_chain(first);
}

TEST(the_byte_limit_cuts_at_whole_lines_of_a_read, "")
{
    PMDL mdl = make_mdl(0, 4096, NULL);
    struct plan_range range = range_of(mdl, 0, 4096);

    range.byte_limit = 1000;
    make_plan(&range);
    CHECK_EQ(plan.mapped, 1000);
    CHECK_EQ(plan.end, PLAN_BYTE_LIMIT);
    range.line = FAKE_LINE;
    make_plan(&range);
    check_fragment(0, 0, 960, false);
    CHECK_EQ(plan.mapped, 1000);
    free_chain(mdl);
}

/* Every plan of a read and a write, over many offsets and lengths, keeps the rules that all share. */
static void check_invariants(const struct plan_range *range)
{
    uint32_t total = 0;
    uint32_t registers = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct plan_fragment *fragment = &fragments[i];

        CHECK(fragment->length > 0 && fragment->length % range->unit == 0);
        if (fragment->bounced) {
            CHECK_EQ(fragment->bounce_offset, registers * FAKE_PAGE + fragment->virtual_address % FAKE_PAGE);
            registers += plan_pages(fragment->virtual_address, fragment->length);
        } else if (range->line != 0 && range->registers == 64) {
            CHECK(fragment->virtual_address % range->line == 0 && fragment->length % range->line == 0);
        }
        for (uint32_t at = 0; !fragment->bounced && at < fragment->length; at++) {
            CHECK_EQ(plan_physical(fragment, at), plan_physical(fragment, 0) + at);
        }
        total += fragment->length;
    }
    CHECK_EQ(total, plan.mapped);
    CHECK(registers == plan.registers_used && registers <= range->registers);
    CHECK((plan.mapped == range->length) == (plan.end == PLAN_COMPLETE));
}

TEST(every_plan_keeps_the_common_rules, "MTX-21 MTX-23 MTX-32")
{
    static const uint32_t lengths[] = {8, 56, 64, 128, 4088, 4096, 8200, 12288};

    fake_scatter_pages();
    fake_map_page(1, 0x40026); /* one neighbourly pair */
    for (size_t offset = 0; offset < 200; offset++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            PMDL mdl = make_mdl(offset, lengths[i] + 1, NULL);

            for (uint32_t mode = 0; mode < 4 * 2 * 4; mode++) {
                struct plan_range range = range_of(mdl, 0, lengths[i]);

                range.unit = 1u << mode % 4;
                range.line = mode / 4 % 2 != 0 ? FAKE_LINE : 0;
                range.registers = mode / 8 == 3 ? 64 : mode / 8;
                make_plan(&range);
                check_invariants(&range);
            }
            free_chain(mdl);
        }
    }
}

TEST(an_mdl_holds_the_pages_of_its_buffer, "MDL-03 MDL-04")
{
    fake_scatter_pages();
    PMDL mdl = make_mdl(4000, 200, NULL);

    CHECK_EQ(mdl->Size, sizeof(MDL) + 2 * sizeof(PFN_NUMBER));
    CHECK_EQ(MmGetMdlByteOffset(mdl), 4000);
    CHECK(MmGetMdlVirtualAddress(mdl) == &fake_memory[4000]);
    CHECK_EQ(MmGetMdlPfnArray(mdl)[1], 0x40000 + 37);
    CHECK_EQ(mdl->MdlFlags, MDL_SOURCE_IS_NONPAGED_POOL);
    IoFreeMdl(mdl);
    CHECK(IoAllocateMdl(fake_memory, 0, FALSE, FALSE, NULL) == NULL);
    CHECK(IoAllocateMdl(fake_memory, UINT32_MAX, FALSE, FALSE, NULL) == NULL);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
