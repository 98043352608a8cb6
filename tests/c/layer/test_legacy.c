/* SPDX-License-Identifier: Apache-2.0 */
/* MapTransfer, FlushAdapterBuffers and KeFlushIoBuffers on adapters of version 3. */
#include "check.h"
#include "driver.h"

#include "layer/map_registers.h"

#include <string.h>

static PDMA_ADAPTER adapter;
static ULONG length;

static void start_subordinate(void)
{
    driver_start();
    adapter = driver_adapter(0);
    (void)driver_raise();
}

static void start_master(BOOLEAN scatter_gather)
{
    driver_start();
    adapter = driver_master_of(32, scatter_gather, NULL);
    (void)driver_raise();
}

static uint64_t map(PMDL mdl, PVOID base, size_t from, ULONG wanted, BOOLEAN write)
{
    length = wanted;
    return (uint64_t)dma->MapTransfer(adapter, mdl, base, &fake_memory[from], &length, write).QuadPart;
}

static BOOLEAN flush(PMDL mdl, PVOID base, size_t from, ULONG bytes, BOOLEAN write)
{
    return dma->FlushAdapterBuffers(adapter, mdl, base, &fake_memory[from], bytes, write);
}

static void check_refused(uint64_t address, ULONG expected_length)
{
    CHECK_EQ(address, 0);
    CHECK_EQ(length, expected_length);
}

static void finish(PMDL mdl)
{
    dma->FreeAdapterChannel(adapter);
    IoFreeMdl(mdl);
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS);
    CHECK_EQ(dma_count().mappings + dma_count().requests, 0);
    KeLowerIrql(PASSIVE_LEVEL);
}

static void device_fills(uint64_t address, ULONG bytes, uint8_t byte)
{
    for (ULONG i = 0; i < bytes; i++) {
        *fake_device_view(address + i) = byte;
    }
}

static void check_memory(size_t from, size_t bytes, uint8_t byte)
{
    for (size_t i = from; i < from + bytes; i++) {
        CHECK_EQ(fake_memory[i], byte);
    }
}

/* ---- bus masters ---- */

TEST(a_master_maps_one_run_after_the_other, "MPT-02 MPT-06")
{
    size_t from = 100;
    uint64_t addresses[5];
    ULONG lengths[5];
    int pieces = 0;

    start_master(TRUE);
    fake_scatter_pages();
    PMDL mdl = driver_mdl(100, 2 * FAKE_PAGE);
    PVOID base = driver_hold(adapter, 2);

    for (; from < 100 + 2 * FAKE_PAGE; from += length) { /* MPT-02, MPT-06 */
        CHECK(pieces < 5);
        addresses[pieces] = map(mdl, base, from, (ULONG)(100 + 2 * FAKE_PAGE - from), FALSE);
        CHECK(addresses[pieces] != 0 && length != 0);
        lengths[pieces++] = length;
    }
    CHECK_EQ(pieces, 5); /* head, rest of its page, page, a line, tail */
    CHECK(lengths[0] == 28 && lengths[1] == FAKE_PAGE - 128);
    CHECK(addresses[0] / FAKE_PAGE != addresses[4] / FAKE_PAGE); /* two registers */
    CHECK_EQ(dma_count().mappings, 5);
    for (int i = 0; i < pieces; i++) {
        device_fills(addresses[i], lengths[i], 0x22);
    }
    CHECK(flush(mdl, base, 100, 2 * FAKE_PAGE, FALSE)); /* FAB-03: once for all */
    check_memory(100, 2 * FAKE_PAGE, 0x22);
    CHECK_EQ(dma_count().mappings, 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    finish(mdl);
}

TEST(pieces_may_be_flushed_one_by_one, "MPT-06 FAB-03")
{
    start_master(TRUE);
    fake_scatter_pages();
    PMDL mdl = driver_mdl(0, 2 * FAKE_PAGE);
    PVOID base = driver_hold(adapter, 0);

    CHECK(map(mdl, base, 0, FAKE_PAGE, TRUE) != 0);
    CHECK(map(mdl, base, FAKE_PAGE, FAKE_PAGE, TRUE) != 0);
    CHECK(flush(mdl, base, 0, FAKE_PAGE, TRUE));
    CHECK_EQ(dma_count().mappings, 1);
    CHECK(map(mdl, base, 0, FAKE_PAGE, TRUE) != 0);
    CHECK(flush(mdl, base, 0, 0, TRUE)); /* FBX-03: less than it was, and over */
    CHECK_EQ(dma_count().mappings, 1);
    CHECK(!flush(mdl, base, 0, 10, TRUE));
    CHECK_EQ(driver_violations(0x16), 1);
    CHECK(flush(mdl, base, FAKE_PAGE, FAKE_PAGE, TRUE));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    finish(mdl);
}

TEST(registers_run_out_piece_by_piece, "MPT-06")
{
    start_master(TRUE);
    for (size_t i = 0; i < 5; i += 2) {
        fake_map_page(i, 0x140000 + i); /* above 4 GiB, between pages that are not */
    }
    PMDL mdl = driver_mdl(0, 5 * FAKE_PAGE);
    PVOID base = driver_hold(adapter, 2);
    uint64_t first = map(mdl, base, 0, 5 * FAKE_PAGE, TRUE);

    CHECK_EQ(length, FAKE_PAGE);
    CHECK_EQ(map(mdl, base, FAKE_PAGE, 4 * FAKE_PAGE, TRUE), 0x40001000);
    CHECK_EQ(map(mdl, base, 2 * FAKE_PAGE, 3 * FAKE_PAGE, TRUE), first + FAKE_PAGE);
    CHECK_EQ(length, FAKE_PAGE);
    CHECK_EQ(map(mdl, base, 3 * FAKE_PAGE, 2 * FAKE_PAGE, TRUE), 0x40003000);
    check_refused(map(mdl, base, 4 * FAKE_PAGE, FAKE_PAGE, TRUE), 0);
    CHECK(flush(mdl, base, 0, 4 * FAKE_PAGE, TRUE));
    CHECK_EQ(map(mdl, base, 4 * FAKE_PAGE, FAKE_PAGE, TRUE), first);
    CHECK(flush(mdl, base, 4 * FAKE_PAGE, FAKE_PAGE, TRUE));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    finish(mdl);
}

TEST(a_device_of_one_element_gets_all_or_nothing, "MPT-02 MPT-07 FAB-06")
{
    start_master(FALSE);
    fake_scatter_pages();
    PMDL mdl = driver_mdl(10, 3 * FAKE_PAGE);
    PVOID base = driver_hold(adapter, 3);

    check_refused(map(mdl, base, 10, 3 * FAKE_PAGE, FALSE), 0); /* MPT-07: four pages */
    CHECK_EQ(driver_violations(0x00), 1);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->a, 2);
    uint64_t address = map(mdl, base, 10, 2 * FAKE_PAGE, FALSE);

    CHECK_EQ(length, 2 * FAKE_PAGE); /* MPT-02 */
    device_fills(address, length, 0x44);
    check_refused(map(mdl, base, 10 + 2 * FAKE_PAGE, 10, FALSE), 0);
    CHECK_EQ(driver_violations(0x0D), 1);
    CHECK(flush(mdl, base, 10, 2 * FAKE_PAGE, FALSE));
    check_memory(10, 2 * FAKE_PAGE, 0x44);
    device_fills(map(mdl, base, 10, 2 * FAKE_PAGE, FALSE), length, 0x55);
    CHECK(flush(mdl, base, 10, 100, FALSE)); /* no more than was flushed */
    check_memory(10, 100, 0x55);
    check_memory(110, 2 * FAKE_PAGE - 100, 0x44);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 2);
    finish(mdl);
}

/* ---- subordinate devices ---- */

TEST(a_subordinate_transfer_is_started_whole, "MPT-02 MPT-05")
{
    start_subordinate();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(64, 2 * FAKE_PAGE);
    PVOID base = driver_hold(adapter, 3);

    CHECK(map(mdl, base, 64, 2 * FAKE_PAGE, TRUE) != 0);
    CHECK_EQ(length, 2 * FAKE_PAGE); /* MPT-02 */
    CHECK_EQ(scripted.program.count, 3);
    CHECK_EQ(scripted.program.device_address, DRIVER_REGISTER);
    CHECK(scripted.program.write);
    CHECK_EQ(fake_count(FAKE_CLEAN), 3); /* MPT-09 */
    CHECK(fake_last(FAKE_CLEAN, 0) < fake_last(FAKE_ENTER, OPLOG_ProgramChannel));
    scripted_end(0, InterruptTypeCompletion); /* MPT-08: nobody is called */
    CHECK(flush(mdl, base, 64, 2 * FAKE_PAGE, TRUE));
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_FlushChannel), 1);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    finish(mdl);
}

TEST(a_subordinate_transfer_is_not_started_in_part, "MPT-02")
{
    start_subordinate();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(0, 3 * FAKE_PAGE);
    PVOID base = driver_hold(adapter, 3);

    scripted.max_fragments = 2;
    check_refused(map(mdl, base, 0, 3 * FAKE_PAGE, TRUE), 0); /* MPT-02 */
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ProgramChannel), 0);
    CHECK_EQ(driver_maintenance(), 0);
    CHECK(map(mdl, base, 0, 2 * FAKE_PAGE, TRUE) != 0);
    scripted_end(0, InterruptTypeCompletion);
    CHECK(flush(mdl, base, 0, 2 * FAKE_PAGE, TRUE));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    finish(mdl);
}

TEST(a_flush_of_less_than_was_moved_is_reported, "FBX-03 FAB-06")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 128);
    PVOID base = driver_hold(adapter, 1);

    CHECK(map(mdl, base, 0, 128, FALSE) != 0);
    scripted_end(0, InterruptTypeCompletion);
    CHECK(flush(mdl, base, 0, 64, FALSE));
    CHECK_EQ(driver_violations(0x53), 1);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->b, 64);
    finish(mdl);
}

TEST(a_flush_stops_what_runs, "FAB-05")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 128);
    PVOID base = driver_hold(adapter, 1);

    CHECK(map(mdl, base, 0, 128, FALSE) != 0);
    CHECK(flush(mdl, base, 0, 128, FALSE)); /* FAB-05 */
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_CancelTransfer), 1);
    CHECK_EQ(driver_violations(0x23), 1);
    finish(mdl);
}

TEST(a_cancelled_request_maps_nothing_more, "FAB-07 CMT-02")
{
    static _Alignas(8) UCHAR context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    PVOID base = NULL;

    start_subordinate();
    PMDL mdl = driver_mdl(0, 128);

    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, context), STATUS_SUCCESS);
    CHECK_EQ(
        dma->AllocateAdapterChannelEx(adapter, NULL, context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
        STATUS_SUCCESS);
    CHECK(map(mdl, base, 0, 128, FALSE) != 0);
    CHECK_EQ(dma->CancelMappedTransfer(adapter, context), STATUS_SUCCESS);
    CHECK(flush(mdl, base, 0, 128, FALSE)); /* FAB-07 */
    check_refused(map(mdl, base, 0, 128, FALSE), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    finish(mdl);
}

TEST(one_form_may_flush_what_the_other_mapped, "FBX-23")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 128);
    PVOID base = driver_hold(adapter, 1);

    CHECK(map(mdl, base, 64, 64, FALSE) != 0);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(dma->FlushAdapterBuffersEx(adapter, mdl, base, 64, 64, FALSE), STATUS_SUCCESS);
    length = 64;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 64, 0, &length, FALSE, NULL, 0, NULL, NULL),
             STATUS_SUCCESS);
    scripted_end(0, InterruptTypeCompletion);
    CHECK(flush(mdl, base, 64, 64, FALSE));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    finish(mdl);
}

/* ---- mistakes ---- */

static void finish_untouched(PMDL mdl)
{
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ProgramChannel), 0);
    CHECK_EQ(driver_maintenance(), 0);
    finish(mdl);
}

TEST(a_map_needs_a_granted_request, "MPT-04")
{
    start_subordinate();
    PMDL mdl = driver_mdl(1000, 100);

    (void)driver_hold(adapter, 2);
    check_refused(map(mdl, NULL, 1000, 50, TRUE), 50); /* GEN-06 */
    CHECK_EQ(driver_violations(0x4D), 1);
    finish_untouched(mdl);
}

TEST(a_map_of_no_bytes_is_refused, "MPT-11")
{
    start_subordinate();
    PMDL mdl = driver_mdl(1000, 100);

    check_refused(map(mdl, driver_hold(adapter, 2), 1000, 0, TRUE), 0);
    CHECK_EQ(driver_violations(0x21), 1);
    finish_untouched(mdl);
}

TEST(a_map_needs_an_address_inside_its_mdl, "MPT-10")
{
    start_subordinate();
    PMDL mdl = driver_mdl(1000, 100);
    PVOID base = driver_hold(adapter, 2);

    check_refused(map(mdl, base, 999, 10, TRUE), 0);
    check_refused(map(mdl, base, 1100, 1, TRUE), 0);
    CHECK_EQ(driver_violations(0x1B), 2);
    check_refused(map(mdl, base, 1001, 100, TRUE), 0);
    CHECK_EQ(driver_violations(0x1F), 1);
    finish_untouched(mdl);
}

TEST(a_map_needs_an_mdl_and_a_length, "")
{
    start_subordinate();
    PMDL mdl = driver_mdl(1000, 100);
    PVOID base = driver_hold(adapter, 2);

    check_refused(map((PMDL)(uintptr_t)0x100, base, 1000, 10, TRUE), 0);
    CHECK_EQ(driver_violations(0x1B), 1);
    dma->MapTransfer(adapter, mdl, base, &fake_memory[1000], NULL, TRUE);
    mdl->MdlFlags = 0;
    check_refused(map(mdl, base, 1000, 10, TRUE), 0);
    CHECK_EQ(driver_violations(0x0E), 1);
    finish_untouched(mdl);
}

TEST(an_mdl_behind_is_not_looked_at, "MPT-04 FAB-04")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 64), next = driver_mdl(64, 64);

    mdl->Next = next;
    PVOID base = driver_hold(adapter, 2);

    check_refused(map(mdl, base, 0, 128, TRUE), 0); /* MPT-04 */
    CHECK_EQ(driver_violations(0x1F), 1);
    CHECK(map(mdl, base, 0, 64, TRUE) != 0);
    CHECK(!flush(next, base, 64, 64, TRUE)); /* FAB-04 */
    scripted_end(0, InterruptTypeCompletion);
    CHECK(flush(mdl, base, 0, 64, TRUE));
    IoFreeMdl(next);
    finish(mdl);
}

TEST(a_flush_of_nothing_is_reported, "FAB-08")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 256);

    CHECK(flush(mdl, driver_hold(adapter, 2), 0, 64, TRUE));
    CHECK_EQ(driver_violations(0x16), 1);
    finish(mdl);
}

TEST(a_flush_must_name_the_mapping, "FAB-03")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 256);
    PVOID base = driver_hold(adapter, 2);

    CHECK(map(mdl, base, 64, 64, TRUE) != 0);
    CHECK(!flush(mdl, NULL, 64, 64, TRUE));
    CHECK_EQ(driver_violations(0x4D), 1);
    CHECK(!flush(mdl, base, 0, 64, TRUE));
    CHECK(!flush(mdl, base, 65, 63, TRUE));
    CHECK(!flush(mdl, base, 256, 64, TRUE));
    CHECK_EQ(driver_violations(0x16), 3);
    CHECK(!flush(mdl, base, 64, 65, TRUE));
    CHECK_EQ(driver_violations(0x00), 1);
    CHECK(!flush(mdl, base, 64, 64, FALSE));
    CHECK_EQ(driver_violations(0x48), 1);
    CHECK_EQ(dma_count().mappings, 1);
    scripted_end(0, InterruptTypeCompletion);
    CHECK(flush(mdl, base, 64, 64, TRUE));
    finish(mdl);
}

TEST(no_adapter_maps_nothing, "GEN-04")
{
    start_subordinate();
    PMDL mdl = driver_mdl(0, 64);
    PDMA_ADAPTER good = adapter;
    PVOID base = driver_hold(adapter, 1);

    adapter = NULL;
    check_refused(map(mdl, base, 0, 64, TRUE), 64);
    CHECK(!flush(mdl, base, 0, 64, TRUE));
    CHECK_EQ(driver_violations(0x19), 2);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 2);
    adapter = good;
    finish(mdl);
}

TEST(levels_above_the_limit_are_reported, "GEN-07")
{
    KIRQL old;

    start_subordinate();
    PMDL mdl = driver_mdl(0, 64);
    PVOID base = driver_hold(adapter, 1);

    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    CHECK(map(mdl, base, 0, 64, TRUE) != 0);
    CHECK(flush(mdl, base, 0, 64, TRUE));
    KeFlushIoBuffers(mdl, FALSE, TRUE);
    CHECK_EQ(driver_violations(0x13), 3);
    KeLowerIrql(old);
    finish(mdl);
}

TEST(a_range_that_is_mapped_twice_is_reported, "MDL-09")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 256), other = driver_mdl(128, 64);
    PVOID base = driver_hold(adapter, 2);

    CHECK(map(mdl, base, 0, 192, TRUE) != 0);
    CHECK(map(other, base, 128, 64, TRUE) != 0); /* MDL-09: two writes */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK(flush(other, base, 128, 64, TRUE));
    CHECK(map(mdl, base, 192, 64, FALSE) != 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK(map(other, base, 128, 64, FALSE) != 0); /* through another MDL */
    CHECK_EQ(driver_violations(0x1D), 1);
    CHECK(flush(other, base, 128, 64, FALSE));
    CHECK(flush(mdl, base, 192, 64, FALSE));
    CHECK(flush(mdl, base, 0, 192, TRUE));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    IoFreeMdl(other);
    finish(mdl);
}

/* ---- KeFlushIoBuffers ---- */

TEST(buffers_are_cleaned_one_mdl_at_a_time, "KFI-01 KFI-05")
{
    driver_start();
    PMDL mdl = driver_mdl(100, 1000), next = driver_mdl(8192, 64);

    mdl->Next = next;
    KeFlushIoBuffers(mdl, FALSE, TRUE); /* KFI-01 */
    CHECK_EQ(driver_maintenance(), 1);
    CHECK_EQ(fake_event(FAKE_CLEAN, 0)->a, (uintptr_t)&fake_memory[100]);
    CHECK_EQ(fake_event(FAKE_CLEAN, 0)->b, 1000);
    CHECK(fake_last(FAKE_CLEAN, 0) < fake_last(FAKE_BARRIER, 0));
    KeFlushIoBuffers(mdl, 2, FALSE);
    CHECK_EQ(fake_count(FAKE_CLEAN_INVALIDATE), 1);
    CHECK_EQ(driver_maintenance(), 2);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    IoFreeMdl(next);
}

TEST(what_is_not_cached_is_left_alone, "KFI-01 CCH-06")
{
    driver_start();
    UCHAR *uncached = (UCHAR *)fake_device_view(FAKE_DEVICE_MEMORY);
    PMDL mdl = driver_mdl(0, 64), other = IoAllocateMdl(uncached, 64, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(other);
    KeFlushIoBuffers(other, TRUE, TRUE);
    fake_set_coherent(true);
    KeFlushIoBuffers(mdl, TRUE, TRUE); /* CCH-06 */
    CHECK_EQ(driver_maintenance(), 0);
    CHECK_EQ(fake_count(FAKE_BARRIER), 4);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    IoFreeMdl(other);
}

TEST(what_is_no_mdl_is_refused, "MDL-08")
{
    driver_start();
    PMDL mdl = IoAllocateMdl(fake_memory, 64, FALSE, FALSE, NULL);

    KeFlushIoBuffers(NULL, TRUE, TRUE);
    KeFlushIoBuffers((PMDL)(uintptr_t)0x1000, TRUE, TRUE);
    KeFlushIoBuffers(mdl, TRUE, TRUE); /* not built */
    mdl->MdlFlags = MDL_PAGES_LOCKED;  /* and not where it says */
    mdl->StartVa = (PVOID)(uintptr_t)0x1000;
    KeFlushIoBuffers(mdl, TRUE, TRUE);
    CHECK_EQ(driver_violations(0x0E), 4);
    CHECK_EQ(driver_maintenance(), 0);
    IoFreeMdl(mdl);
}

TEST(cleaning_under_a_live_read_is_reported, "KFI-04")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(64, 128), before = driver_mdl(0, 64), behind = driver_mdl(192, 64);
    PMDL tail = driver_mdl(191, 1);
    PVOID base = driver_hold(adapter, 2);

    CHECK(map(mdl, base, 64, 128, FALSE) != 0);
    KeFlushIoBuffers(before, TRUE, TRUE);
    KeFlushIoBuffers(behind, TRUE, TRUE);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeFlushIoBuffers(tail, FALSE, TRUE);
    KeFlushIoBuffers(mdl, TRUE, TRUE);
    CHECK_EQ(driver_violations(0x50), 2); /* KFI-04 */
    CHECK(flush(mdl, base, 64, 128, FALSE));
    KeFlushIoBuffers(mdl, TRUE, TRUE);
    CHECK(map(mdl, base, 64, 128, TRUE) != 0);
    KeFlushIoBuffers(mdl, FALSE, TRUE); /* a write does not mind */
    CHECK(flush(mdl, base, 64, 128, TRUE));
    CHECK_EQ(fake_count(FAKE_VIOLATION), 2);
    IoFreeMdl(before);
    IoFreeMdl(behind);
    IoFreeMdl(tail);
    finish(mdl);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
