/* SPDX-License-Identifier: Apache-2.0 */
/* MapTransferEx and FlushAdapterBuffersEx on the scripted back end: limits, maintenance, bounce pages. */
#include "check.h"
#include "fixture.h"
#include "layer/violation.h"

#include <string.h>

/* ---- mapping ---- */

/* A write of three elements. */
static PVOID map_a_write(PMDL *mdl)
{
    fake_scatter_pages();
    start(Width32Bits);
    *mdl = driver_mdl(100, 2 * FAKE_PAGE);
    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(*mdl, base, 0, 2 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(length, 2 * FAKE_PAGE);
    CHECK_EQ(list.list.NumberOfElements, 3);
    return base;
}

static void flush_a_write(PMDL mdl, PVOID base)
{
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_FlushChannel), 1);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_write_is_cleaned_before_it_starts, "CCH-02")
{
    PMDL mdl;
    PVOID base = map_a_write(&mdl);

    CHECK_EQ(fake_count(FAKE_CLEAN), 3);
    CHECK_EQ(fake_event(FAKE_CLEAN, 0)->a, (uintptr_t)&fake_memory[100]);
    CHECK_EQ(fake_event(FAKE_CLEAN, 0)->b, FAKE_PAGE - 100);
    CHECK(fake_last(FAKE_RANGE, OPLOG_RANGE_MAPPED) < fake_last(FAKE_CLEAN, 0));
    CHECK(fake_last(FAKE_CLEAN, 0) < fake_last(FAKE_BARRIER, 0));
    CHECK(fake_last(FAKE_BARRIER, 0) < fake_last(FAKE_ENTER, OPLOG_ProgramChannel));
    flush_a_write(mdl, base);
}

TEST(what_is_programmed_is_what_is_listed, "MTX-31")
{
    PMDL mdl;
    PVOID base = map_a_write(&mdl);

    CHECK_EQ(scripted.program.count, 3);
    CHECK_EQ(scripted.program.width, Width32Bits);
    CHECK_EQ(scripted.program.device_address, DRIVER_REGISTER);
    CHECK(scripted.program.write);
    for (ULONG i = 0; i < 3; i++) {
        CHECK_EQ(scripted.program.elements[i].Address.QuadPart, list.list.Elements[i].Address.QuadPart);
        CHECK_EQ(scripted.program.elements[i].Length, list.list.Elements[i].Length);
    }
    flush_a_write(mdl, base);
}

TEST(the_flush_of_a_write_leaves_the_caches_alone, "FBX-08")
{
    PMDL mdl;
    PVOID base = map_a_write(&mdl);
    size_t before = driver_maintenance();

    flush_a_write(mdl, base);
    CHECK_EQ(driver_maintenance(), before);
}

TEST(bounced_data_waits_for_the_flush, "MR-11")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(100, 20);

    memset(fake_memory, 0x11, 200);
    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills(0x22);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(fake_memory[100], 0x11);
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_memory[100], 0x22);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

/* A read of 1,000 bytes that begins and ends inside of lines: 28 bytes and 12 are bounced, 960 are whole lines.
 */
enum { EDGES_START = 100, EDGES_BYTES = 1000, WHOLE_START = 128, WHOLE_BYTES = 960 };

static PVOID map_edges(PMDL *mdl)
{
    start(Width8Bits);
    *mdl = driver_mdl(EDGES_START, EDGES_BYTES);
    memset(fake_memory, 0x11, 2000);
    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(*mdl, base, 0, EDGES_BYTES, FALSE), STATUS_SUCCESS);
    CHECK_EQ(list.list.NumberOfElements, 3);
    return base;
}

static void flush_edges(PMDL mdl, PVOID base)
{
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, EDGES_BYTES, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

static void check_whole_lines(enum fake_kind kind)
{
    CHECK_EQ(fake_count(kind), 1);
    CHECK_EQ(fake_event(kind, 0)->a, (uintptr_t)&fake_memory[WHOLE_START]);
    CHECK_EQ(fake_event(kind, 0)->b, WHOLE_BYTES);
}

TEST(a_read_has_no_dirty_line_when_it_starts, "CCH-04")
{
    PMDL mdl;
    PVOID base = map_edges(&mdl);

    check_whole_lines(FAKE_CLEAN_INVALIDATE);
    CHECK(fake_last(FAKE_CLEAN_INVALIDATE, 0) < fake_last(FAKE_ENTER, OPLOG_ProgramChannel));
    flush_edges(mdl, base);
}

TEST(a_flush_invalidates_before_it_copies, "CCH-03")
{
    PMDL mdl;
    PVOID base = map_edges(&mdl);

    device_fills(0x22);
    flush_edges(mdl, base);
    check_whole_lines(FAKE_INVALIDATE);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->c, 0x11); /* the bounced bytes were not there yet */
    CHECK(fake_last(FAKE_EXIT, OPLOG_FlushChannel) < fake_last(FAKE_INVALIDATE, 0)); /* FBX-10 */
}

TEST(a_read_bounces_edges_and_keeps_the_neighbours, "CCH-12")
{
    PMDL mdl;
    PVOID base = map_edges(&mdl);

    CHECK_EQ(list.list.Elements[0].Length, WHOLE_START - EDGES_START);
    CHECK_EQ(list.list.Elements[0].Address.QuadPart % FAKE_PAGE, EDGES_START); /* MR-08 */
    CHECK_EQ(fake_count_id(FAKE_RANGE, OPLOG_RANGE_BOUNCED), 2);
    device_fills(0x22);
    fake_memory[EDGES_START - 1] = 0x33; /* during the transfer */
    flush_edges(mdl, base);
    CHECK(fake_memory[EDGES_START - 1] == 0x33 && fake_memory[EDGES_START + EDGES_BYTES] == 0x11);
    for (size_t i = EDGES_START; i < EDGES_START + EDGES_BYTES; i++) {
        CHECK_EQ(fake_memory[i], 0x22);
    }
}

TEST(a_coherent_platform_gets_barriers_only, "CCH-06 FBX-05")
{
    fake_set_coherent(true);
    start(Width8Bits);
    PMDL mdl = driver_mdl(100, 1000);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    for (int write = 0; write < 2; write++) {
        CHECK_EQ(map(mdl, base, 0, 1000, (BOOLEAN)write), STATUS_SUCCESS);
        CHECK_EQ(list.list.NumberOfElements, 1);
        scripted_end(0, InterruptTypeCompletion);
        CHECK_EQ(flush(mdl, base, 0, 1000, (BOOLEAN)write), STATUS_SUCCESS);
    }
    CHECK_EQ(fake_count(FAKE_CLEAN) + fake_count(FAKE_INVALIDATE) + fake_count(FAKE_CLEAN_INVALIDATE), 0);
    CHECK(fake_count(FAKE_BARRIER) >= 4);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_bounced_write_carries_the_data, "MR-10")
{
    fake_scatter_pages();
    start(Width32Bits);
    PMDL mdl = driver_mdl(4094, 4);

    memcpy(&fake_memory[4094], "abcd", 4);
    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 4, TRUE), STATUS_SUCCESS);
    CHECK_EQ(list.list.NumberOfElements, 1);
    CHECK(memcmp(fake_device_view((uint64_t)list.list.Elements[0].Address.QuadPart), "abcd", 4) == 0);
    CHECK_EQ(fake_count(FAKE_CLEAN), 0);
    CHECK_EQ(fake_count_id(FAKE_RANGE, OPLOG_RANGE_BOUNCED), 2); /* page by page */
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, 4, TRUE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

/* Pattern E under one limit; returns the number of maps. */
static int transfer_in_parts(PVOID base, PMDL mdl, ULONG total, ULONG list_bytes)
{
    ULONG offset = 0;
    int maps = 0;

    for (; offset < total; offset += length) {
        length = total - offset;
        CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, offset, 0, &length, FALSE,
                                    list_bytes != 0 ? &list.list : NULL, list_bytes, NULL, NULL),
                 STATUS_SUCCESS);
        CHECK(length >= 1);
        device_fills(0x44);
        scripted_end(0, InterruptTypeCompletion);
        CHECK_EQ(flush(mdl, base, offset, length, FALSE), STATUS_SUCCESS);
        maps++;
    }
    for (ULONG i = 0; i < total; i++) {
        CHECK_EQ(((UCHAR *)MmGetMdlVirtualAddress(mdl))[i], 0x44);
    }
    return maps;
}

/* Four scattered pages, ten bytes into the first, with that many map registers. */
enum { SCATTERED_BYTES = 4 * FAKE_PAGE };

static PVOID hold_scattered(PMDL *mdl, ULONG registers)
{
    fake_scatter_pages();
    start(Width8Bits);
    *mdl = driver_mdl(10, SCATTERED_BYTES);
    (void)driver_raise();
    return hold_channel(registers);
}

static void finish_scattered(PMDL mdl)
{
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_list_alone_splits_the_transfer, "MTX-04")
{
    enum { ONE = sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT) };
    PMDL mdl;
    PVOID base = hold_scattered(&mdl, 2);

    CHECK_EQ(transfer_in_parts(base, mdl, SCATTERED_BYTES, 0), 1);
    CHECK_EQ(transfer_in_parts(base, mdl, SCATTERED_BYTES, ONE), 6); /* head, rest of its page, 3 pages, tail */
    finish_scattered(mdl);
}

TEST(a_controller_alone_splits_the_transfer, "HBE-07")
{
    PMDL mdl;
    PVOID base = hold_scattered(&mdl, 2);

    scripted.max_fragments = 3;
    CHECK_EQ(transfer_in_parts(base, mdl, SCATTERED_BYTES, sizeof list), 2);
    finish_scattered(mdl);
}

TEST(a_controller_of_no_fragments_maps_nothing, "MTX-25 HBE-07")
{
    PMDL mdl;
    PVOID base = hold_scattered(&mdl, 0);

    scripted.max_fragments = 0;
    CHECK_EQ(map(mdl, base, 64, 64, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    finish_scattered(mdl);
}

TEST(too_few_registers_for_the_edges_split_nothing, "")
{
    for (ULONG registers = 0; registers < 2; registers++) {
        PMDL mdl;

        fixture_reset();
        PVOID base = hold_scattered(&mdl, registers);

        CHECK_EQ(transfer_in_parts(base, mdl, SCATTERED_BYTES, sizeof list), 1); /* CCH-12 b */
        CHECK_EQ(driver_violations(0x1F), 2 - registers);                        /* for each shared line */
        finish_scattered(mdl);
    }
}

TEST(lines_that_are_shared_at_both_ends_are_told, "CCH-11")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(10, 100);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, 100, FALSE), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x1F), 2);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, 100, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

/* Nothing is asked of the controller, nor done to memory, by a call that is refused. */
static void check_untouched(PMDL mdl)
{
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_QueryMaxFragments), 0);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ProgramChannel), 0);
    CHECK_EQ(fake_count(FAKE_CLEAN), 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0); /* CMP-13 */
    IoFreeMdl(mdl);
}

TEST(a_map_needs_the_handle_of_its_adapter, "MTX-13")
{
    PVOID foreign;

    start(Width32Bits);
    PMDL mdl = driver_mdl(0, 1000);
    PDMA_ADAPTER other = get_adapter(Width32Bits, 1);

    (void)driver_raise();
    (void)hold_channel(2);
    CHECK_EQ(allocate_sync(other, 1, 2, &foreign), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, NULL, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(map(mdl, (PVOID)(uintptr_t)0xDEAD0, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(map(mdl, foreign, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x4D), 3);
    check_untouched(mdl);
}

TEST(a_map_needs_a_range_of_its_chain, "MTX-01 MTX-02 MTX-38")
{
    start(Width32Bits);
    PMDL mdl = driver_mdl(0, 1000);

    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 1000, 0, TRUE), STATUS_INVALID_PARAMETER); /* MTX-01 */
    CHECK_EQ(map(mdl, base, UINT64_MAX, 4, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x1F), 2);
    CHECK_EQ(map(mdl, base, 4, 1000, TRUE), STATUS_INVALID_PARAMETER); /* MTX-02 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x24), 1);
    CHECK_EQ(length, 1000);
    CHECK_EQ(map(mdl, base, 0, 6, TRUE), STATUS_INVALID_PARAMETER); /* MTX-38 */
    CHECK_EQ(map(NULL, base, 0, 4, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, NULL, TRUE, NULL, 0, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    mdl->MdlFlags = 0;
    CHECK_EQ(map(mdl, base, 0, 4, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0E), 1);
    check_untouched(mdl);
}

static void refuse_list(PSCATTER_GATHER_LIST memory, ULONG bytes)
{
    start(Width32Bits);
    PMDL mdl = driver_mdl(0, 1000);

    (void)driver_raise();
    PVOID base = hold_channel(2);

    length = 4;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, memory, bytes, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    check_untouched(mdl);
}

TEST(no_list_has_no_bytes, "MTX-05")
{
    refuse_list(NULL, 1);
}

TEST(a_list_has_room_for_an_element, "MTX-06")
{
    refuse_list(&list.list, sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT) - 1);
}

TEST(a_map_of_nothing_starts_nothing, "MTX-18 FBX-20")
{
    start(Width8Bits);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    list.list.NumberOfElements = 9;
    CHECK_EQ(map(mdl, base, 0, 0, TRUE), STATUS_SUCCESS);
    CHECK_EQ(list.list.NumberOfElements, 0);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x21), 1);
    CHECK_EQ(flush(mdl, base, 0, 0, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    CHECK_EQ(flush(mdl, base, 0, 0, TRUE), STATUS_SUCCESS); /* FBX-20 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x16), 1);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ProgramChannel), 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
