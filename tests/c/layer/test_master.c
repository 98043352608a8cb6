/* SPDX-License-Identifier: Apache-2.0 */
/* Bus masters: lists, elements, bounce pages, mappings side by side; no controller is ever called. */
#include "check.h"
#include "fixture.h"

#include <string.h>

enum { BIG = 40 * FAKE_PAGE };

static union {
    SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + FAKE_PAGES * sizeof(SCATTER_GATHER_ELEMENT)];
} big_list;

static uint64_t total_of(const SCATTER_GATHER_LIST *of)
{
    uint64_t total = 0;

    for (ULONG i = 0; i < of->NumberOfElements; i++) {
        total += of->Elements[i].Length;
    }
    return total;
}

static void end_with(PMDL mdl)
{
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_list_is_required, "MTX-03")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    length = 64;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
             STATUS_INVALID_PARAMETER); /* MTX-03 */
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE,
                                (PSCATTER_GATHER_LIST)(uintptr_t)FAKE_REGISTERS, 4096, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    end_with(mdl);
}

/* Map 64 bytes, with a device offset and a routine, which only a subordinate has. */
static NTSTATUS map_for_device(PMDL mdl, PVOID base, ULONG device_offset, PDMA_COMPLETION_ROUTINE routine)
{
    length = 64;
    return dma->MapTransferEx(adapter, mdl, base, 0, device_offset, &length, TRUE, &list.list, sizeof list,
                              routine, NULL);
}

TEST(a_master_s_completion_routine_is_ignored, "MTX-10")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map_for_device(mdl, base, 0, on_completion), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x49), 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    end_with(mdl);
    CHECK_EQ(completed.calls, 0);
}

TEST(a_master_s_device_offset_is_ignored, "MTX-12")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map_for_device(mdl, base, 8, NULL), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x4A), 1);
    CHECK_EQ(list.list.Elements[0].Address.QuadPart, 0x40000000);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    end_with(mdl);
}

TEST(nothing_is_started_for_a_master, "MTX-36")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map_for_device(mdl, base, 0, NULL), STATUS_SUCCESS);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    end_with(mdl);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ProgramChannel), 0);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_FlushChannel), 0);
}

TEST(a_master_has_no_counter_and_nothing_to_configure, "RDC-02 CFG-03")
{
    start_master(TRUE);
    CHECK_EQ(dma->ReadDmaCounter(adapter), 0);
    CHECK_EQ(driver_violations(0x47), 1); /* RDC-02 */
    CHECK_EQ(dma->ConfigureAdapterChannel(adapter, 1, NULL), STATUS_NOT_IMPLEMENTED);
    CHECK_EQ(driver_violations(0x4B), 1); /* CFG-03 */
}

/* GTI-04: more elements than a controller would take. */
TEST(a_full_mapping_has_as_many_elements_as_it_needs, "GTI-04 GTI-07 MTX-07")
{
    DMA_TRANSFER_INFO info = {.Version = 1};

    fake_scatter_pages();
    start_master(TRUE);
    PMDL mdl = driver_mdl(100, BIG);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, BIG, FALSE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.ScatterGatherElementCount, 43); /* 41 pages, and partial lines at both ends */
    (void)driver_raise();
    PVOID base = hold_channel(info.V1.MapRegisterCount);

    length = BIG;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, FALSE, &big_list.list,
                                info.V1.ScatterGatherListSize, NULL, NULL),
             STATUS_SUCCESS);
    CHECK(length == BIG && total_of(&big_list.list) == BIG);
    CHECK_EQ(big_list.list.NumberOfElements, info.V1.ScatterGatherElementCount); /* GTI-07 */
    CHECK_EQ(flush(mdl, base, 0, BIG, FALSE), STATUS_SUCCESS);
    length = BIG;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, FALSE, &big_list.list,
                                info.V1.ScatterGatherListSize - (ULONG)sizeof(SCATTER_GATHER_ELEMENT), NULL,
                                NULL),
             STATUS_SUCCESS); /* MTX-07 */
    CHECK_EQ(big_list.list.NumberOfElements, info.V1.ScatterGatherElementCount - 1);
    CHECK(length < BIG && total_of(&big_list.list) == length);
    CHECK_EQ(flush(mdl, base, 0, length, FALSE), STATUS_SUCCESS);
    end_with(mdl);
}

TEST(one_element_is_gathered_and_spread_again, "MTX-27 MR-09 IGA-27")
{
    fake_scatter_pages();
    start_master(FALSE);
    PMDL mdl = driver_mdl(100, 3 * FAKE_PAGE);

    mdl->Next = driver_mdl(10 * FAKE_PAGE + 7, 50);
    memset(fake_memory, 'a', 8 * FAKE_PAGE);
    memset(&fake_memory[10 * FAKE_PAGE], 'b', 100);
    (void)driver_raise();
    PVOID base = hold_channel(5);
    ULONG total = 3 * FAKE_PAGE + 50;

    CHECK_EQ(map(mdl, base, 0, total, TRUE), STATUS_SUCCESS);
    CHECK(length == total && list.list.NumberOfElements == 1); /* MTX-27, OQ-16 */
    CHECK_EQ(list.list.Elements[0].Length, total);
    const uint8_t *seen = fake_device_view((uint64_t)list.list.Elements[0].Address.QuadPart);

    CHECK(seen[0] == 'a' && seen[total - 51] == 'a' && seen[total - 50] == 'b' && seen[total - 1] == 'b');
    CHECK_EQ(list.list.Elements[0].Address.QuadPart % FAKE_PAGE, 100); /* MR-08 */
    CHECK_EQ(flush(mdl, base, 0, total, TRUE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, total, FALSE), STATUS_SUCCESS);
    device_fills_list('c');
    CHECK_EQ(flush(mdl, base, 0, total - 10, FALSE), STATUS_SUCCESS);
    CHECK(fake_memory[99] == 'a' && fake_memory[100] == 'c' && fake_memory[100 + 3 * FAKE_PAGE - 1] == 'c');
    CHECK(fake_memory[10 * FAKE_PAGE + 6] == 'b' && fake_memory[10 * FAKE_PAGE + 7] == 'c');
    CHECK(fake_memory[10 * FAKE_PAGE + 46] == 'c' && fake_memory[10 * FAKE_PAGE + 47] == 'b'); /* FBX-03 */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl->Next);
    end_with(mdl);
}

TEST(each_piece_of_a_gathered_read_is_delivered, "MR-11")
{
    fake_scatter_pages();
    start_master(FALSE);
    PMDL mdl = driver_mdl(100, 50);

    mdl->Next = driver_mdl(3 * FAKE_PAGE + 7, 50);
    memset(fake_memory, 'a', 4 * FAKE_PAGE);
    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 100, FALSE), STATUS_SUCCESS);
    device_fills_list('c');
    CHECK(fake_memory[100] == 'a' && fake_memory[3 * FAKE_PAGE + 7] == 'a');
    CHECK_EQ(flush(mdl, base, 0, 100, FALSE), STATUS_SUCCESS);
    CHECK(fake_memory[149] == 'c' && fake_memory[3 * FAKE_PAGE + 56] == 'c');
    IoFreeMdl(mdl->Next);
    end_with(mdl);
}

TEST(registers_limit_one_element, "MR-16 MTX-27")
{
    fake_scatter_pages();
    start_master(FALSE);
    PMDL mdl = driver_mdl(100, 4 * FAKE_PAGE);

    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 4 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(length, 2 * FAKE_PAGE - 100); /* MR-16 */
    CHECK_EQ(list.list.NumberOfElements, 1);
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    end_with(mdl);
}

TEST(memory_out_of_reach_is_bounced_if_the_pages_are_within, "MR-07")
{
    for (size_t i = 0; i < 3; i++) {
        fake_map_page(i, 0x200000 + i); /* 8 GiB */
    }
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 3 * FAKE_PAGE);

    memset(fake_memory, 'x', 3 * FAKE_PAGE);
    (void)driver_raise();
    PVOID base = hold_channel(3);

    CHECK_EQ(map(mdl, base, 0, 3 * FAKE_PAGE, TRUE), STATUS_SUCCESS); /* MR-07 a */
    CHECK(length == 3 * FAKE_PAGE && list.list.NumberOfElements == 1);
    CHECK((uint64_t)list.list.Elements[0].Address.QuadPart >> 32 == 0);
    CHECK_EQ(*fake_device_view((uint64_t)list.list.Elements[0].Address.QuadPart), 'x');
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    end_with(mdl);
}

TEST(a_mask_below_all_memory_maps_nothing, "BMT-16 MTX-25 GEN-06")
{
    start_master(TRUE);
    adapter = driver_master_of(28, TRUE, NULL); /* BMT-16 */
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    PVOID base = hold_channel(4);

    for (int write = 0; write < 2; write++) {
        CHECK_EQ(map(mdl, base, 0, 64, (BOOLEAN)write), STATUS_INSUFFICIENT_RESOURCES);
        CHECK_EQ(length, 64); /* GEN-06 */
    }
    CHECK_EQ(dma_count().mappings, 0);
    end_with(mdl);
}

TEST(requests_of_one_adapter_map_side_by_side, "MTX-15 STM-06 QUE-09")
{
    PVOID bases[3];

    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 3 * FAKE_PAGE);

    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters); /* ADC-07 */
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(allocate(adapter, i, 2, 0), STATUS_SUCCESS);
        CHECK_EQ(granted.calls, i + 1); /* STM-06: the adapter is free for the next */
        bases[i] = granted.base;
    }
    for (ULONG i = 0; i < 3; i++) { /* MTX-15 */
        CHECK_EQ(map(mdl, bases[i], i * FAKE_PAGE + 1, 100, FALSE), STATUS_SUCCESS);
    }
    CHECK_EQ(dma_count().mappings, 3);
    device_fills_list(0x33);
    CHECK_EQ(flush(mdl, bases[1], 1, 100, FALSE), STATUS_INVALID_PARAMETER); /* another's range */
    CHECK_EQ(driver_violations(0x16), 1);
    for (ULONG i = 3; i-- > 0;) {
        CHECK_EQ(flush(mdl, bases[i], i * FAKE_PAGE + 1, 100, FALSE), STATUS_SUCCESS);
    }
    CHECK(fake_memory[2 * FAKE_PAGE + 1] == 0x33 && fake_memory[1] == 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(map(mdl, bases[i], 0, 64, TRUE), STATUS_SUCCESS); /* any number of times */
        CHECK_EQ(flush(mdl, bases[i], 0, 64, TRUE), STATUS_SUCCESS);
        dma->FreeMapRegisters(adapter, bases[i], 2);
    }
    CHECK_EQ(map(mdl, bases[0], 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x4D), 1);
    CHECK_EQ(driver_violations(0x05), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(bounce_pages_of_live_mappings_are_distinct, "MR-14")
{
    PVOID bases[2];

    start_master(TRUE);
    PMDL mdl = driver_mdl(1, 20);
    PMDL other = driver_mdl(FAKE_PAGE + 1, 20);

    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters);
    CHECK_EQ(allocate(adapter, 0, 1, 0), STATUS_SUCCESS);
    bases[0] = granted.base;
    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    bases[1] = granted.base;
    CHECK_EQ(map(mdl, bases[0], 0, 20, FALSE), STATUS_SUCCESS);
    LONGLONG first = list.list.Elements[0].Address.QuadPart;

    CHECK_EQ(map(other, bases[1], 0, 20, FALSE), STATUS_SUCCESS);
    CHECK(list.list.Elements[0].Address.QuadPart / FAKE_PAGE != first / FAKE_PAGE);
    dma->FreeMapRegisters(adapter, bases[0], 1);
    dma->FreeMapRegisters(adapter, bases[1], 1);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    IoFreeMdl(other);
    check_idle();
}

TEST(registers_are_freed_after_the_flush, "FMR-03")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(1, 20);

    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters);
    CHECK_EQ(allocate(adapter, 0, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, granted.base, 0, 20, FALSE), STATUS_SUCCESS);
    dma->FreeMapRegisters(adapter, granted.base, 1);
    CHECK_EQ(driver_violations(0x10), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(as_many_registers_are_freed_as_were_granted, "FMR-02")
{
    start_master(TRUE);
    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters);
    CHECK_EQ(allocate(adapter, 0, 1, 0), STATUS_SUCCESS);
    dma->FreeMapRegisters(adapter, granted.base, 2);
    CHECK_EQ(driver_violations(0x05), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(mappings_come_back_however_they_end, "FMR-03 ADC-11")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    for (int i = 0; i < 300; i++) {
        PVOID base = hold_channel(0);

        CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
        if (i % 2 != 0) {
            dma->FreeAdapterObject(adapter, DeallocateObjectKeepRegisters);
            dma->FreeMapRegisters(adapter, base, 0);
        } else {
            dma->FreeAdapterChannel(adapter);
        }
        fake_forget_log();
    }
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(mappings_run_out, "GEN-06")
{
    enum { MAPPINGS = 8000 };
    static _Alignas(8) UCHAR many[MAPPINGS + 1][DMA_TRANSFER_CONTEXT_SIZE_V1];

    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters);
    for (size_t i = 0; i <= MAPPINGS; i++) {
        fake_forget_log();
        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, many[i]), STATUS_SUCCESS);
        CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, many[i], 0, 0, on_grant, NULL, NULL),
                 STATUS_SUCCESS);
        CHECK_EQ(map(mdl, granted.base, 0, 64, TRUE),
                 i < MAPPINGS ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
    }
    CHECK_EQ(dma_count().mappings, MAPPINGS);
    dma->PutDmaAdapter(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- mistakes ---- */

TEST(a_chain_that_changed_is_left_alone, "GEN-12")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(1, 20);

    memset(fake_memory, 0x11, FAKE_PAGE);
    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills_list(0x22);
    mdl->ByteOffset = 200;
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x43), 1); /* GEN-12 */
    CHECK(fake_memory[1] == 0x11 && fake_memory[200] == 0x11);
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 1);
    mdl->ByteOffset = 1;
    end_with(mdl);
}

TEST(memory_that_is_not_there_is_not_touched, "MTX-48 MDL-08")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 4 * FAKE_PAGE);

    (void)driver_raise();
    PVOID base = hold_channel(2);
    PVOID real = mdl->StartVa;

    mdl->StartVa = (PVOID)(uintptr_t)(FAKE_REGISTERS - FAKE_PAGE);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x0E), 1);
    mdl->StartVa = real;
    fake_scatter_pages();
    MmBuildMdlForNonPagedPool(mdl);
    length = 4 * FAKE_PAGE;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE,
                                (PSCATTER_GATHER_LIST)(uintptr_t)(FAKE_REGISTERS - 64), 4096, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    CHECK(length == 4 * FAKE_PAGE && driver_maintenance() == 0); /* MTX-48 */
    CHECK_EQ(dma_count().mappings, 0);
    end_with(mdl);
}

TEST(what_lies_beside_a_bounced_element_is_guarded, "MR-12")
{
    static const int beside[] = {-1, 20};

    for (size_t i = 0; i < 2; i++) {
        fixture_reset();
        start_master(TRUE);
        PMDL mdl = driver_mdl(100, 20);

        (void)driver_raise();
        PVOID base = hold_channel(1);

        CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
        *fake_device_view((uint64_t)(list.list.Elements[0].Address.QuadPart + beside[i])) = 0;
        CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
        CHECK_EQ(driver_violations(0x0F), 1); /* MR-12 */
        end_with(mdl);
    }
}

TEST(a_range_that_a_device_writes_is_mapped_once, "")
{
    PVOID bases[2];

    start_master(TRUE);
    PMDL mdl = driver_mdl(0, 256);

    (void)driver_raise();
    expect_grants(DeallocateObjectKeepRegisters);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(allocate(adapter, i, 1, 0), STATUS_SUCCESS);
        bases[i] = granted.base;
    }
    CHECK_EQ(map(mdl, bases[0], 0, 128, TRUE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, bases[1], 64, 128, TRUE), STATUS_SUCCESS); /* two may read it */
    CHECK_EQ(flush(mdl, bases[1], 64, 128, TRUE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, bases[1], 128, 128, FALSE), STATUS_SUCCESS);
    CHECK_EQ(flush(mdl, bases[1], 128, 128, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(map(mdl, bases[1], 64, 128, FALSE), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x1D), 1);
    dma->PutDmaAdapter(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

/* BMT-16, with bounce pages below the limit. */
TEST(a_narrow_master_bounces_into_low_memory, "BMT-16 MR-07")
{
    fake_add_low_memory();
    start_master(TRUE);
    adapter = driver_master_of(28, TRUE, NULL);
    PMDL mdl = driver_mdl(100, FAKE_PAGE);

    memset(fake_memory, 'a', 2 * FAKE_PAGE);
    (void)driver_raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(dma_count().free_low_map_registers, DMA_MAP_REGISTERS - 2);
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS); /* those of wide ones stay theirs */
    CHECK_EQ(map(mdl, base, 0, FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(list.list.Elements[0].Address.QuadPart, FAKE_LOW_MEMORY + 100);
    CHECK_EQ(*fake_device_view(FAKE_LOW_MEMORY + 100), 'a');
    CHECK_EQ(flush(mdl, base, 0, FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, FAKE_PAGE, FALSE), STATUS_SUCCESS);
    device_fills_list('b');
    CHECK_EQ(fake_memory[100], 'a');
    CHECK_EQ(flush(mdl, base, 0, FAKE_PAGE, FALSE), STATUS_SUCCESS);
    CHECK(fake_memory[99] == 'a' && fake_memory[100] == 'b' && fake_memory[FAKE_PAGE + 99] == 'b');
    end_with(mdl);
    CHECK_EQ(dma_count().free_low_map_registers, DMA_MAP_REGISTERS);
}

/* BMT-16, the other half: none is low enough. */
TEST(a_master_that_reaches_nothing_cannot_map, "BMT-16")
{
    fake_add_low_memory();
    start_master(TRUE);
    adapter = driver_master_of(24, TRUE, NULL);
    PMDL mdl = driver_mdl(0, FAKE_PAGE);

    CHECK(adapter != NULL);
    (void)driver_raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, FAKE_PAGE, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    end_with(mdl);
}

TEST(no_low_page_is_free, "BMT-16 AAX-04 QUE-04")
{
    fake_add_low_memory();
    start_master(TRUE);
    dma_set_limits((struct dma_limits){2, 2, 16});

    PDMA_ADAPTER first = driver_master_of(28, TRUE, NULL), second = driver_master_of(28, TRUE, NULL);
    PVOID bases[2] = {NULL, NULL};

    (void)driver_raise();
    CHECK_EQ(allocate_sync(first, 0, 2, &bases[0]), STATUS_SUCCESS);
    CHECK_EQ(dma_count().free_low_map_registers, 0);
    CHECK_EQ(allocate_sync(second, 1, 1, &bases[1]), STATUS_INSUFFICIENT_RESOURCES);
    expect_grants(KeepObject);
    CHECK_EQ(allocate(second, 2, 1, 0), STATUS_SUCCESS); /* waits */
    CHECK_EQ(granted.calls, 0);
    CHECK_EQ(allocate_sync(adapter, 3, 0, &bases[1]), STATUS_SUCCESS);
    first->DmaOperations->FreeAdapterChannel(first);
    CHECK_EQ(granted.calls, 1);
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(stores_beside_an_unbounced_read_are_reported, "CCH-12 CCH-15")
{
    start_master(TRUE);
    PMDL mdl = driver_mdl(100, 100);

    memset(fake_memory, 0x11, FAKE_PAGE);
    (void)driver_raise();
    PVOID base = hold_channel(0);

    for (int meddle = 0; meddle < 2; meddle++) {
        CHECK_EQ(map(mdl, base, 0, 100, FALSE), STATUS_SUCCESS);
        CHECK_EQ(list.list.NumberOfElements, 1);
        fake_memory[200] = meddle ? 0x77 : 0x11;
        CHECK_EQ(flush(mdl, base, 0, 100, FALSE), STATUS_SUCCESS);
        CHECK_EQ(driver_violations(0x51), (size_t)meddle); /* CCH-12 b */
        CHECK_EQ(fake_memory[200], meddle ? 0x77 : 0x11);
    }
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->a, (uintptr_t)&fake_memory[64]);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->b, 192);
    end_with(mdl);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
