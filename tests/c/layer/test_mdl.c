/* SPDX-License-Identifier: Apache-2.0 */
/* MDLs: what they say, and what happens to pointers that are none. */
#include "check.h"
#include "fake_hal.h"

#include "hal/memory.h"
#include "layer/mdl.h"

#include <string.h>

enum { NONE = 4 };

static PMDL make(size_t offset, ULONG length)
{
    PMDL mdl = IoAllocateMdl(&fake_memory[offset], length, FALSE, FALSE, NULL);

    CHECK(mdl != NULL);
    MmBuildMdlForNonPagedPool(mdl);
    return mdl;
}

TEST(an_mdl_describes_pages_in_any_order, "MDL-01 MDL-03 MDL-09")
{
    fake_reset();
    fake_map_page(1, 0x999);
    fake_map_page(2, 0x40000);
    PMDL mdl = make(100, 2 * FAKE_PAGE);

    CHECK(MmGetMdlVirtualAddress(mdl) == &fake_memory[100]); /* MDL-04 */
    CHECK_EQ(MmGetMdlByteCount(mdl), 2 * FAKE_PAGE);
    CHECK_EQ(MmGetMdlByteOffset(mdl), 100);
    CHECK((UCHAR *)MmGetMdlPfnArray(mdl) == (UCHAR *)mdl + sizeof(MDL)); /* MDL-03 */
    CHECK_EQ(MmGetMdlPfnArray(mdl)[0], 0x40000);                         /* MDL-09: repeated below */
    CHECK_EQ(MmGetMdlPfnArray(mdl)[1], 0x999);
    CHECK_EQ(MmGetMdlPfnArray(mdl)[2], 0x40000);
    CHECK_EQ(mdl->Size, sizeof(MDL) + 3 * sizeof(PFN_NUMBER));
    CHECK_EQ(mdl->MdlFlags, MDL_SOURCE_IS_NONPAGED_POOL);
    CHECK(mdl->Next == NULL);
    IoFreeMdl(mdl);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

TEST(sizes_that_cannot_be_are_refused, "")
{
    const ULONG most = (INT16_MAX - (ULONG)sizeof(MDL)) / (ULONG)sizeof(PFN_NUMBER) * FAKE_PAGE;

    fake_reset();
    CHECK(IoAllocateMdl(fake_memory, 0, FALSE, FALSE, NULL) == NULL);
    CHECK(IoAllocateMdl(fake_memory, most + 1, FALSE, FALSE, NULL) == NULL);
    CHECK(IoAllocateMdl(&fake_memory[1], most, FALSE, FALSE, NULL) == NULL);
    CHECK(IoAllocateMdl(&fake_memory[1], UINT32_MAX, FALSE, FALSE, NULL) == NULL);
    PMDL mdl = IoAllocateMdl(fake_memory, most, FALSE, FALSE, NULL);

    CHECK(mdl != NULL && mdl->Size > 0);
    IoFreeMdl(mdl);
}

TEST(memory_that_is_not_there_stays_unlocked, "MDL-08")
{
    fake_reset();
    PMDL mdl = IoAllocateMdl((PVOID)(uintptr_t)0x2000, 100, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(mdl);
    CHECK_EQ(mdl->MdlFlags, 0);
    CHECK_EQ(mdl_check_range(mdl, 0, 100), MDL_RANGE_NOT_LOCKED); /* MDL-08 */
    IoFreeMdl(mdl);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

TEST(uncached_memory_is_told_apart, "ACX-11")
{
    fake_reset();
    UCHAR *uncached = memory_take_uncached(2 * FAKE_PAGE);
    PMDL mdl = IoAllocateMdl(uncached, 2 * FAKE_PAGE, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(mdl);
    CHECK_EQ(mdl->MdlFlags, MDL_SOURCE_IS_NONPAGED_POOL | MDL_IO_SPACE); /* ACX-11 */
    IoFreeMdl(mdl);
}

/* ---- pointers that are no MDL ---- */

TEST(wild_pointers_are_refused_and_reported, "")
{
    static _Alignas(64) UCHAR junk[256];

    fake_reset();
    memset(junk, 0xFF, sizeof junk);
    PMDL wild[NONE] = {NULL, (PMDL)(uintptr_t)0x1230, (PMDL)(uintptr_t)&junk[1], (PMDL)(uintptr_t)junk};

    for (size_t i = 0; i < NONE; i++) {
        CHECK(!mdl_is_sound(wild[i]));
        MmBuildMdlForNonPagedPool(wild[i]);
        IoFreeMdl(wild[i]);
        CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0E), 2 * (i + 1));
        CHECK_EQ(fake_event(FAKE_VIOLATION, 2 * i)->a, (uintptr_t)wild[i]);
    }
    for (size_t i = 0; i < sizeof junk; i++) {
        CHECK_EQ(junk[i], 0xFF);
    }
    CHECK_EQ(mdl_check_range(wild[1], 0, 1), MDL_RANGE_NOT_AN_MDL);
}

TEST(an_mdl_of_somebody_else_may_be_used_but_not_freed, "MDL-05")
{
    static struct {
        MDL mdl;
        PFN_NUMBER page;
    } own;

    fake_reset();
    own.mdl = (MDL){.Size = sizeof own, .StartVa = fake_memory, .ByteCount = 100};
    MmBuildMdlForNonPagedPool(&own.mdl);
    CHECK_EQ(own.page, 0x40000);
    CHECK_EQ(mdl_check_range(&own.mdl, 0, 100), MDL_RANGE_INSIDE);
    IoFreeMdl(&own.mdl);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0E), 1);
    CHECK_EQ(own.mdl.ByteCount, 100);
}

TEST(an_mdl_that_contradicts_itself_is_none, "")
{
    fake_reset();
    PMDL mdl = make(0, 2 * FAKE_PAGE);
    const MDL good = *mdl;

    mdl->ByteCount = 2 * FAKE_PAGE + 1; /* one page number more than there is room for */
    CHECK(!mdl_is_sound(mdl));
    *mdl = good;
    mdl->ByteOffset = FAKE_PAGE;
    mdl->ByteCount = 1;
    CHECK(!mdl_is_sound(mdl));
    *mdl = good;
    mdl->StartVa = &fake_memory[1];
    CHECK(!mdl_is_sound(mdl));
    *mdl = good;
    mdl->Size = -1;
    CHECK(!mdl_is_sound(mdl));
    *mdl = good;
    CHECK(mdl_is_sound(mdl));
    IoFreeMdl(mdl);
}

TEST(a_chain_without_end_ends, "")
{
    fake_reset();
    PMDL mdl = make(0, 100);
    PMDL empty = make(0, 100);

    mdl->Next = empty;
    empty->Next = empty;
    empty->ByteCount = 0;
    CHECK_EQ(mdl_check_range(mdl, 0, 100), MDL_RANGE_INSIDE);
    CHECK_EQ(mdl_check_range(mdl, 0, 101), MDL_RANGE_NOT_AN_MDL);
    mdl->Next = mdl;
    CHECK_EQ(mdl_check_range(mdl, UINT64_MAX, 1), MDL_RANGE_NOT_AN_MDL);
    mdl->Next = NULL;
    empty->Next = NULL;
    IoFreeMdl(mdl);
    IoFreeMdl(empty);
}

TEST(an_address_is_an_index, "MDL-06 MPT-01")
{
    fake_reset();
    PMDL mdl = make(1000, 100);
    uint64_t offset = 77;

    CHECK(mdl_find_address(mdl, &fake_memory[1000], &offset));
    CHECK_EQ(offset, 0);
    CHECK(mdl_find_address(mdl, &fake_memory[1099], &offset));
    CHECK_EQ(offset, 99);
    CHECK(!mdl_find_address(mdl, &fake_memory[999], &offset));
    CHECK(!mdl_find_address(mdl, &fake_memory[1100], &offset));
    CHECK(!mdl_find_address(NULL, &fake_memory[1000], &offset));
    CHECK_EQ(offset, 99);
    IoFreeMdl(mdl);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
