/* SPDX-License-Identifier: Apache-2.0 */
/* Scatter/gather lists: how they are sized, made, waited for, handed over and ended. */
#include "check.h"
#include "driver.h"

#include "layer/map_registers.h"

#include <string.h>

enum { SYNCHRONOUS = DMA_SYNCHRONOUS_CALLBACK, CONTEXTS = 4, BUFFER = 4096 };
enum { HEAD = sizeof(SCATTER_GATHER_LIST), ELEMENT = sizeof(SCATTER_GATHER_ELEMENT) };

static PDMA_ADAPTER master;
static ULONG register_maximum;
static DEVICE_OBJECT device;
static _Alignas(8) UCHAR contexts[CONTEXTS][DMA_TRANSFER_CONTEXT_SIZE_V1];
static _Alignas(8) UCHAR buffer[BUFFER];

static struct {
    int calls;
    PSCATTER_GATHER_LIST list;
    PVOID context;
    KIRQL irql;
    PSCATTER_GATHER_LIST *out; /* given with the request, */
    PSCATTER_GATHER_LIST out_seen;
    bool puts; /* the routine ends its list itself */
} listed;

static VOID on_list(PDEVICE_OBJECT object, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context)
{
    CHECK(object == &device && irp == device.CurrentIrp);
    listed.calls++;
    listed.list = list;
    listed.context = context;
    listed.irql = KeGetCurrentIrql();
    listed.out_seen = listed.out != NULL ? *listed.out : NULL;
    if (listed.puts) {
        dma->PutScatterGatherList(master, list, TRUE);
    }
}

static void start(void)
{
    driver_start();
    master = driver_master_of(32, TRUE, &register_maximum);
    device.CurrentIrp = (PIRP)(uintptr_t)0x1230;
    memset(&listed, 0, sizeof listed);
    for (int i = 0; i < CONTEXTS; i++) {
        CHECK_EQ(dma->InitializeDmaTransferContext(master, contexts[i]), STATUS_SUCCESS);
    }
    (void)driver_raise();
}

static void renew(int context)
{
    CHECK_EQ(dma->InitializeDmaTransferContext(master, contexts[context]), STATUS_SUCCESS);
}

static NTSTATUS get(int context, PMDL mdl, ULONGLONG offset, ULONG length, BOOLEAN write)
{
    return dma->GetScatterGatherListEx(master, &device, contexts[context], mdl, offset, length, 0, on_list,
                                       contexts[context], write, NULL, NULL, NULL);
}

static NTSTATUS get_now(int context, PMDL mdl, ULONG length, BOOLEAN write, PSCATTER_GATHER_LIST *list)
{
    return dma->GetScatterGatherListEx(master, &device, contexts[context], mdl, 0, length, SYNCHRONOUS, NULL,
                                       NULL, write, NULL, NULL, list);
}

static NTSTATUS build_now(int context, PMDL mdl, ULONG length, BOOLEAN write, PVOID memory, ULONG bytes)
{
    PSCATTER_GATHER_LIST list = NULL;
    NTSTATUS status =
        dma->BuildScatterGatherListEx(master, &device, contexts[context], mdl, 0, length, SYNCHRONOUS, NULL,
                                      NULL, write, memory, bytes, NULL, NULL, &list);

    CHECK(list == (NT_SUCCESS(status) ? memory : NULL)); /* BSX-02 */
    return status;
}

static NTSTATUS get_first_form(PMDL mdl, size_t from, ULONG length, BOOLEAN write)
{
    return dma->GetScatterGatherList(master, &device, mdl, &fake_memory[from], length, on_list, &listed, write);
}

static NTSTATUS build_first_form(PMDL mdl, ULONG length, BOOLEAN write, ULONG bytes)
{
    return dma->BuildScatterGatherList(master, &device, mdl, MmGetMdlVirtualAddress(mdl), length, on_list,
                                       &listed, write, buffer, bytes);
}

static void put(PSCATTER_GATHER_LIST list, BOOLEAN write)
{
    dma->PutScatterGatherList(master, list, write);
}

static void check_idle(void)
{
    struct dma_counters counters = dma_count();

    CHECK_EQ(counters.free_map_registers, DMA_MAP_REGISTERS);
    CHECK_EQ(counters.requests + counters.mappings + counters.lists, 0);
    KeLowerIrql(PASSIVE_LEVEL);
}

static void device_fills(const SCATTER_GATHER_LIST *list, uint8_t byte)
{
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        for (ULONG at = 0; at < list->Elements[i].Length; at++) {
            *fake_device_view((uint64_t)list->Elements[i].Address.QuadPart + at) = byte;
        }
    }
}

static void check_memory(size_t from, size_t length, uint8_t byte)
{
    for (size_t i = from; i < from + length; i++) {
        CHECK_EQ(fake_memory[i], byte);
    }
}

/* ---- making one ---- */

TEST(the_argument_table_holds, "GSX-01 BSX-01")
{
    static const struct {
        ULONG flags;
        int routine, out, accepted;
    } rows[] = {{0, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 0, 1}, {0, 1, 1, 1}, {1, 0, 0, 0},
                {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 1}, {2, 1, 1, 0}, {3, 1, 1, 0}};

    start();
    PMDL mdl = driver_mdl(0, 64);

    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        size_t row = i / 2;
        PSCATTER_GATHER_LIST list = NULL, *out = rows[row].out ? &list : NULL;
        PDRIVER_LIST_CONTROL routine = rows[row].routine ? on_list : NULL;

        listed.out = out;
        NTSTATUS status =
            i % 2 ? dma->GetScatterGatherListEx(master, &device, contexts[0], mdl, 0, 64, rows[row].flags,
                                                routine, NULL, TRUE, NULL, NULL, out)
                  : dma->BuildScatterGatherListEx(master, &device, contexts[0], mdl, 0, 64, rows[row].flags,
                                                  routine, NULL, TRUE, buffer, BUFFER, NULL, NULL, out);

        CHECK_EQ(status, rows[row].accepted ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER); /* GSX-01 */
        CHECK_EQ(list != NULL, rows[row].accepted && rows[row].out);                      /* GSX-13 */
        if (rows[row].accepted) {
            CHECK(list == NULL || routine == NULL || (list == listed.list && list == listed.out_seen));
            if (routine == NULL) {
                dma->FreeAdapterObject(master, DeallocateObjectKeepRegisters); /* GSX-10 */
            }
            put(list != NULL ? list : listed.list, TRUE);
            renew(0);
        }
    }
    CHECK_EQ(listed.calls, 8);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(dma->GetScatterGatherListEx(master, &device, contexts[0], mdl, 0, 64, 0, on_list, NULL, TRUE, NULL,
                                         NULL, (PSCATTER_GATHER_LIST *)(uintptr_t)0x123),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetScatterGatherList(master, &device, mdl, fake_memory, 64, NULL, NULL, TRUE),
             STATUS_INVALID_PARAMETER);
    IoFreeMdl(mdl);
    check_idle();
}

static void check_order_of_a_write(void)
{
    CHECK(fake_last(FAKE_CLEAN, 0) < fake_last(FAKE_BARRIER, 0)); /* GSX-16 */
    CHECK(fake_last(FAKE_BARRIER, 0) < fake_last(FAKE_ENTER, OPLOG_AdapterListControl));
}

TEST(a_write_is_ready_when_the_routine_is_called, "GSL-01 GSX-16")
{
    struct dma_channel_state channel;

    start();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(100, 2 * FAKE_PAGE);

    CHECK_EQ(get_first_form(mdl, 100, 2 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(listed.calls, 1); /* GSL-01 */
    CHECK_EQ(listed.irql, DISPATCH_LEVEL);
    CHECK(listed.context == &listed);
    CHECK_EQ(listed.list->NumberOfElements, 3);
    CHECK_EQ(listed.list->Elements[0].Length, FAKE_PAGE - 100);
    CHECK_EQ(fake_count(FAKE_CLEAN), 3);
    check_order_of_a_write();
    CHECK(dma_channel_by_adapter(master, &channel));
    CHECK(channel.owner == NULL); /* GSL-05 */
    CHECK_EQ(dma_count().lists, 1);
    put(listed.list, TRUE);
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_ProgramChannel), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_read_arrives_with_the_put, "GSX-03 PSL-08")
{
    start();
    PMDL mdl = driver_mdl(100, 1000);

    memset(fake_memory, 0x11, 2000);
    CHECK_EQ(get(0, mdl, 10, 900, FALSE), STATUS_SUCCESS);
    CHECK_EQ(listed.list->NumberOfElements, 3); /* head and tail are bounced, GSX-15 */
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS - 2);
    device_fills(listed.list, 0x22);
    put(listed.list, FALSE); /* PSL-01, PSL-08 */
    check_memory(110, 900, 0x22);
    CHECK(fake_memory[109] == 0x11 && fake_memory[1010] == 0x11);
    CHECK_EQ(fake_count(FAKE_INVALIDATE), 1);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(the_adapter_is_free_after_the_routine_and_the_list_stays, "GSX-09")
{
    struct dma_channel_state channel;

    start();
    PMDL mdl = driver_mdl(100, 1000);

    CHECK_EQ(get(0, mdl, 10, 900, FALSE), STATUS_SUCCESS);
    CHECK_EQ(listed.calls, 1);
    CHECK(dma_channel_by_adapter(master, &channel) && channel.owner == NULL);
    struct dma_counters kept = dma_count();

    CHECK(kept.free_map_registers == DMA_MAP_REGISTERS - 2 && kept.mappings == 1 &&
          kept.lists == 1); /* two edges */
    put(listed.list, FALSE);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_chain_is_one_list, "GSL-06")
{
    start();
    PMDL first = driver_mdl(0, 128), second = driver_mdl(8192, 64);

    first->Next = second;
    CHECK_EQ(get_first_form(first, 64, 128, FALSE), STATUS_SUCCESS); /* GSL-06 */
    CHECK_EQ(listed.list->NumberOfElements, 2);
    CHECK_EQ(listed.list->Elements[0].Address.QuadPart, 0x40000040);
    CHECK_EQ(listed.list->Elements[1].Address.QuadPart, 0x40002000);
    put(listed.list, FALSE);
    IoFreeMdl(first);
    IoFreeMdl(second);
    check_idle();
}

TEST(a_device_of_one_element_gets_one, "GSL-02 GSL-07 GSX-08")
{
    start();
    fake_scatter_pages();
    master = driver_master_of(32, FALSE, &register_maximum);
    PMDL mdl = driver_mdl(100, 2 * FAKE_PAGE);
    PMDL large = driver_mdl(0, 17 * FAKE_PAGE);

    CHECK_EQ(get(0, mdl, 0, 2 * FAKE_PAGE, FALSE), STATUS_SUCCESS); /* GSL-07 */
    CHECK_EQ(listed.list->NumberOfElements, 1);
    CHECK_EQ(listed.list->Elements[0].Length, 2 * FAKE_PAGE);
    device_fills(listed.list, 0x33);
    put(listed.list, FALSE);
    check_memory(100, 2 * FAKE_PAGE, 0x33);
    CHECK_EQ(register_maximum, 16);
    CHECK_EQ(get(1, large, 0, 17 * FAKE_PAGE, TRUE), STATUS_INSUFFICIENT_RESOURCES); /* GSX-08, GSL-02 */
    CHECK_EQ(driver_violations(0x0C), 1);
    CHECK_EQ(get(1, large, 0, 16 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    put(listed.list, TRUE);
    IoFreeMdl(mdl);
    IoFreeMdl(large);
    check_idle();
}

TEST(what_the_device_cannot_reach_is_refused_whole, "GSX-08 BMT-16")
{
    start();
    master = driver_master_of(30, TRUE, NULL); /* neither memory nor bounce pages: BMT-16 */
    PMDL mdl = driver_mdl(0, FAKE_PAGE);

    CHECK_EQ(get(0, mdl, 0, FAKE_PAGE, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQ(get_first_form(mdl, 0, FAKE_PAGE, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    IoFreeMdl(mdl);
    fake_map_page(0, 0x100); /* this page it reaches */
    mdl = driver_mdl(0, 2 * FAKE_PAGE);
    CHECK_EQ(get(0, mdl, 0, 2 * FAKE_PAGE, TRUE), STATUS_INSUFFICIENT_RESOURCES); /* GSX-08 */
    CHECK_EQ(listed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

static VOID on_completion(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)from;
    (void)object;
    (void)context;
    (void)status;
    FAIL("the completion routine of a list was called");
}

TEST(a_completion_routine_is_never_called, "GSX-14")
{
    PSCATTER_GATHER_LIST list = NULL;

    start();
    PMDL mdl = driver_mdl(0, 64);

    for (int i = 0; i < 2; i++) {
        CHECK_EQ(i == 0 ? dma->GetScatterGatherListEx(master, &device, contexts[i], mdl, 0, 64, SYNCHRONOUS,
                                                      NULL, NULL, TRUE, on_completion, NULL, &list)
                        : dma->BuildScatterGatherListEx(master, &device, contexts[i], mdl, 0, 64, SYNCHRONOUS,
                                                        NULL, NULL, TRUE, buffer, BUFFER, on_completion, NULL,
                                                        &list),
                 STATUS_SUCCESS);
        dma->FreeAdapterObject(master, DeallocateObjectKeepRegisters);
        put(list, TRUE);
    }
    IoFreeMdl(mdl);
    check_idle();
    CHECK_EQ(fake_count_id(FAKE_ENTER, OPLOG_DmaCompletionRoutine), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

/* ---- refusals ---- */

TEST(subordinate_devices_get_no_list, "GSL-08 GSX-02")
{
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)(void *)buffer;

    start();
    PDMA_ADAPTER subordinate = driver_adapter(0);
    PMDL mdl = driver_mdl(0, 64);

    CHECK_EQ(dma->GetScatterGatherList(subordinate, &device, mdl, fake_memory, 64, on_list, NULL, TRUE),
             STATUS_INVALID_PARAMETER); /* GSL-08 */
    CHECK_EQ(dma->BuildScatterGatherList(subordinate, &device, mdl, fake_memory, 64, on_list, NULL, TRUE,
                                         buffer, BUFFER),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetScatterGatherListEx(subordinate, &device, contexts[0], mdl, 0, 64, 0, on_list, NULL, TRUE,
                                         NULL, NULL, &list),
             STATUS_INVALID_PARAMETER); /* GSX-02 */
    CHECK_EQ(dma->BuildScatterGatherListEx(subordinate, &device, contexts[0], mdl, 0, 64, 0, on_list, NULL,
                                           TRUE, buffer, BUFFER, NULL, NULL, &list),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x4E), 4);
    CHECK(list == (PSCATTER_GATHER_LIST)(void *)buffer); /* GEN-06 */
    CHECK_EQ(listed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

static void finish_without_a_list(PMDL mdl)
{
    CHECK_EQ(listed.calls, 0);
    CHECK_EQ(driver_maintenance(), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(ranges_that_are_not_there_are_refused, "GSX-06")
{
    start();
    PMDL mdl = driver_mdl(1000, 100);

    CHECK_EQ(get(0, mdl, 0, 0, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x21), 1);
    CHECK_EQ(get(0, mdl, 100, 1, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x1F), 1);
    CHECK_EQ(get(0, mdl, 1, 100, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x24), 1);
    CHECK_EQ(get(0, NULL, 0, 1, TRUE), STATUS_INVALID_PARAMETER);
    finish_without_a_list(mdl);
}

TEST(the_first_form_says_that_a_buffer_is_too_small, "GSL-02")
{
    start();
    PMDL mdl = driver_mdl(1000, 100);

    CHECK_EQ(get_first_form(mdl, 1001, 100, TRUE), STATUS_BUFFER_TOO_SMALL);
    CHECK_EQ(driver_violations(0x24), 1);
    finish_without_a_list(mdl);
}

TEST(the_first_form_needs_an_address_inside_its_mdl, "")
{
    start();
    PMDL mdl = driver_mdl(1000, 100);

    CHECK_EQ(get_first_form(mdl, 999, 10, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(get_first_form(mdl, 1100, 1, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x1B), 2);
    CHECK_EQ(get_first_form(mdl, 1000, 0, TRUE), STATUS_INVALID_PARAMETER);
    mdl->MdlFlags = 0;
    CHECK_EQ(get_first_form(mdl, 1000, 100, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(driver_violations(0x0E), 1);
    finish_without_a_list(mdl);
}

TEST(a_context_has_one_request, "STM-02")
{
    start();
    PMDL mdl = driver_mdl(0, 64);
    PSCATTER_GATHER_LIST list = NULL;

    CHECK_EQ(get_now(0, mdl, 64, TRUE, &list), STATUS_SUCCESS);
    CHECK_EQ(get(0, mdl, 0, 64, TRUE), STATUS_INVALID_PARAMETER); /* Running */
    CHECK_EQ(get(1, mdl, 0, 64, TRUE), STATUS_SUCCESS);           /* waits for the adapter */
    CHECK_EQ(get(1, mdl, 0, 64, TRUE), STATUS_INVALID_PARAMETER); /* Pending */
    CHECK_EQ(driver_violations(0x40), 2);
    CHECK(dma->CancelAdapterChannel(master, &device, contexts[1])); /* CAC-03 */
    put(list, TRUE);
    CHECK_EQ(listed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_list_is_not_made_with_a_cancelled_context, "AAX-11")
{
    start();
    PMDL mdl = driver_mdl(0, 64);

    CHECK(dma->CancelAdapterChannel(master, &device, contexts[1]));
    CHECK_EQ(get(1, mdl, 0, 64, TRUE), STATUS_CANCELLED);
    CHECK_EQ(listed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_list_is_not_made_with_a_context_that_is_used_up_or_none, "AAX-12")
{
    start();
    PMDL mdl = driver_mdl(0, 64);
    PSCATTER_GATHER_LIST list = NULL;

    CHECK_EQ(get_now(0, mdl, 64, TRUE, &list), STATUS_SUCCESS);
    put(list, TRUE);
    CHECK(!dma->CancelAdapterChannel(master, &device, contexts[0])); /* CAC-13 */
    CHECK_EQ(get(0, mdl, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetScatterGatherListEx(master, &device, NULL, mdl, 0, 64, 0, on_list, NULL, TRUE, NULL, NULL,
                                         NULL),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(listed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_buffer_must_be_one, "BSX-06")
{
    start();
    PMDL mdl = driver_mdl(0, 64);

    CHECK_EQ(build_now(0, mdl, 64, TRUE, NULL, BUFFER), STATUS_INVALID_PARAMETER);
    CHECK_EQ(build_now(0, mdl, 64, TRUE, &buffer[4], BUFFER - 8), STATUS_INVALID_PARAMETER);
    CHECK_EQ(build_now(0, mdl, 64, TRUE, (PVOID)(uintptr_t)0x100, 256), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_buffer_is_free_after_the_put, "BSX-07")
{
    start();
    PMDL mdl = driver_mdl(0, 64);

    CHECK_EQ(build_now(0, mdl, 64, TRUE, buffer, BUFFER), STATUS_SUCCESS);
    dma->FreeAdapterObject(master, DeallocateObjectKeepRegisters);
    CHECK_EQ(build_now(1, mdl, 64, TRUE, buffer, BUFFER), STATUS_INVALID_PARAMETER); /* in use */
    put((PSCATTER_GATHER_LIST)(void *)buffer, TRUE);
    CHECK_EQ(build_now(1, mdl, 64, TRUE, buffer, BUFFER), STATUS_SUCCESS);
    memset(buffer, 0x77, BUFFER);
    put((PSCATTER_GATHER_LIST)(void *)buffer, TRUE);
    CHECK_EQ(buffer[0], 0x77); /* PSL-06 */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- sizes ---- */

static ULONG size_for(PMDL mdl, ULONG length, BOOLEAN write)
{
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};

    CHECK_EQ(dma->GetDmaTransferInfo(master, mdl, 0, length, write, &info), STATUS_SUCCESS);
    return info.V1.ScatterGatherListSize;
}

TEST(the_size_that_was_told_is_enough_and_no_byte_less, "BSX-05 BSL-04 GTI-04")
{
    start();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(10, 3 * FAKE_PAGE);

    for (int write = 0; write < 2; write++) {
        ULONG size = size_for(mdl, 3 * FAKE_PAGE, (BOOLEAN)write), calculated;

        CHECK_EQ(build_now(0, mdl, 3 * FAKE_PAGE, (BOOLEAN)write, buffer, size - 1), STATUS_BUFFER_TOO_SMALL);
        CHECK_EQ(build_now(0, mdl, 3 * FAKE_PAGE, (BOOLEAN)write, buffer, size), STATUS_SUCCESS); /* BSX-05 */
        put((PSCATTER_GATHER_LIST)(void *)buffer, (BOOLEAN)write);
        renew(0);
        CHECK_EQ(
            dma->CalculateScatterGatherList(master, mdl, &fake_memory[10], 3 * FAKE_PAGE, &calculated, NULL),
            STATUS_SUCCESS);
        CHECK_EQ(build_first_form(mdl, 3 * FAKE_PAGE, (BOOLEAN)write, calculated - 1), STATUS_BUFFER_TOO_SMALL);
        CHECK_EQ(build_first_form(mdl, 3 * FAKE_PAGE, (BOOLEAN)write, calculated), STATUS_SUCCESS); /* BSL-04 */
        put((PSCATTER_GATHER_LIST)(void *)buffer, (BOOLEAN)write);
        CHECK_EQ(build_now(0, mdl, 3 * FAKE_PAGE, (BOOLEAN)write, buffer, calculated),
                 STATUS_SUCCESS); /* CSL-06 */
        put((PSCATTER_GATHER_LIST)(void *)buffer, (BOOLEAN)write);
        renew(0);
    }
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

static NTSTATUS calculate(PMDL mdl, PVOID current, ULONG length, ULONG *size, ULONG *registers)
{
    return dma->CalculateScatterGatherList(master, mdl, current, length, size, registers);
}

TEST(the_worst_case_covers_every_buffer, "CSL-02 CSL-05")
{
    start();
    fake_scatter_pages();
    for (ULONG offset = 0; offset < 130; offset++) {
        for (ULONG length = 1; length < 3 * FAKE_PAGE; length += 997) {
            PMDL mdl = driver_mdl(offset, length);
            ULONG worst, size, worst_registers, registers;

            CHECK_EQ(calculate(NULL, &fake_memory[offset], length, &worst, &worst_registers), STATUS_SUCCESS);
            CHECK_EQ(calculate(mdl, &fake_memory[offset], length, &size, &registers), STATUS_SUCCESS);
            CHECK(worst >= size && worst_registers >= registers); /* CSL-02, CSL-05 */
            IoFreeMdl(mdl);
        }
    }
    check_idle();
}

/* Units straddle the page breaks. */
TEST(the_worst_case_covers_wide_registers, "CSL-02 CSL-05")
{
    DEVICE_DESCRIPTION description = {
        .Version = DEVICE_DESCRIPTION_VERSION3, .DmaWidth = Width32Bits, .MaximumLength = 40 * FAKE_PAGE};

    start();
    fake_scatter_pages();
    KeLowerIrql(PASSIVE_LEVEL);
    master = IoGetDmaAdapter(NULL, &description, &register_maximum);
    (void)driver_raise();
    for (ULONG offset = 0; offset < 8; offset++) {
        PMDL mdl = driver_mdl(offset, 4 * FAKE_PAGE);
        ULONG worst, size, worst_registers, registers;

        CHECK_EQ(calculate(NULL, &fake_memory[offset], 4 * FAKE_PAGE, &worst, &worst_registers),
                 STATUS_SUCCESS);
        CHECK_EQ(calculate(mdl, &fake_memory[offset], 4 * FAKE_PAGE, &size, &registers), STATUS_SUCCESS);
        CHECK(worst >= size && worst_registers >= registers);
        IoFreeMdl(mdl);
    }
    check_idle();
}

TEST(calculating_tells_what_cannot_be, "CSL-03 CSL-04")
{
    ULONG size = 77, registers = 77;
    KIRQL old;

    start();
    PMDL mdl = driver_mdl(1000, 100);

    CHECK_EQ(calculate(NULL, NULL, register_maximum * FAKE_PAGE, &size, &registers), STATUS_SUCCESS);
    CHECK_EQ(registers, register_maximum); /* CSL-04 */
    CHECK_EQ(size, HEAD + register_maximum * ELEMENT);
    size = registers = 77;
    CHECK_EQ(calculate(NULL, NULL, register_maximum * FAKE_PAGE + 1, &size, &registers),
             STATUS_INSUFFICIENT_RESOURCES); /* CSL-03 */
    CHECK_EQ(calculate(mdl, &fake_memory[1001], 100, &size, &registers), STATUS_BUFFER_TOO_SMALL);
    CHECK_EQ(calculate(mdl, &fake_memory[999], 1, &size, &registers), STATUS_INVALID_PARAMETER);
    CHECK_EQ(calculate(mdl, &fake_memory[1000], 0, &size, &registers), STATUS_INVALID_PARAMETER);
    CHECK_EQ(calculate(mdl, &fake_memory[1000], 1, NULL, &registers), STATUS_INVALID_PARAMETER);
    CHECK_EQ(calculate(mdl, &fake_memory[1000], 1, &size, (PULONG)(uintptr_t)8), STATUS_INVALID_PARAMETER);
    CHECK_EQ(size + registers, 2 * 77); /* GEN-06 */
    KeRaiseIrql(DISPATCH_LEVEL + 5, &old);
    CHECK_EQ(calculate(mdl, &fake_memory[1000], 100, &size, NULL), STATUS_SUCCESS); /* CSL-07 */
    KeLowerIrql(old);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    master = driver_master_of(64, FALSE, NULL);
    CHECK_EQ(calculate(NULL, NULL, 3 * FAKE_PAGE, &size, NULL), STATUS_SUCCESS);
    CHECK_EQ(size, HEAD + ELEMENT);
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- waiting ---- */

TEST(requests_wait_for_the_adapter_in_order, "GSX-04 GSX-05 STM-04")
{
    PSCATTER_GATHER_LIST list = NULL, second = NULL;

    start();
    PMDL mdl = driver_mdl(0, 64);

    CHECK_EQ(get_now(0, mdl, 64, TRUE, &list), STATUS_SUCCESS); /* GSX-05 */
    CHECK_EQ(get(1, mdl, 0, 64, TRUE), STATUS_SUCCESS);         /* GSX-04 */
    CHECK_EQ(get_first_form(mdl, 0, 64, TRUE), STATUS_SUCCESS); /* GSL-04 */
    CHECK_EQ(get_now(2, mdl, 64, TRUE, &second), STATUS_INSUFFICIENT_RESOURCES);
    CHECK(second == NULL); /* GEN-06 */
    CHECK_EQ(listed.calls, 0);
    CHECK_EQ(fake_count(FAKE_CLEAN), 1); /* who waits has mapped nothing */
    dma->FreeAdapterObject(master, DeallocateObjectKeepRegisters);
    CHECK_EQ(listed.calls, 2);
    CHECK(listed.context == &listed);
    CHECK_EQ(dma_count().lists, 3);
    put(list, TRUE);
    put(listed.list, TRUE);
    CHECK_EQ(get_now(2, mdl, 64, TRUE, &second), STATUS_SUCCESS); /* STM-04: still Idle */
    dma->FreeAdapterObject(master, DeallocateObjectKeepRegisters);
    put(second, TRUE);
    dma->PutDmaAdapter(master);
    CHECK_EQ(driver_violations(0x0A), 1); /* the list of context 1 */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_put_grants_who_waits_for_registers, "PSL-07 QUE-12")
{
    start();
    master = driver_master_of(32, FALSE, NULL);
    fake_scatter_pages();
    PMDL mdl = driver_mdl(0, 16 * FAKE_PAGE);
    PSCATTER_GATHER_LIST lists[4];

    for (int i = 0; i < 4; i++) {
        CHECK_EQ(get(i, mdl, 0, 16 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
        lists[i] = listed.list;
    }
    CHECK_EQ(listed.calls, 4);
    CHECK_EQ(dma_count().free_map_registers, 0);
    CHECK_EQ(get_first_form(mdl, 0, 16 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(listed.calls, 4);
    put(lists[2], TRUE); /* PSL-07 */
    CHECK_EQ(listed.calls, 5);
    put(listed.list, TRUE);
    put(lists[0], TRUE);
    put(lists[1], TRUE);
    put(lists[3], TRUE);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(cancelling_a_waiting_request_frees_its_list, "CAC-10")
{
    enum { BYTES = 60 * FAKE_PAGE };

    start();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(0, BYTES);

    for (int i = 0; i < 3000; i++) { /* four times what the pool has */
        PVOID base = driver_hold(master, 0);

        CHECK(base != NULL);
        CHECK_EQ(get(1, mdl, 0, BYTES, TRUE), STATUS_SUCCESS);
        CHECK(dma->CancelAdapterChannel(master, &device, contexts[1])); /* CAC-10 */
        dma->FreeAdapterChannel(master);
        renew(1);
        fake_forget_log();
    }
    CHECK_EQ(listed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_chain_that_changes_while_it_waits_gives_no_element, "GEN-12")
{
    start();
    PMDL mdl = driver_mdl(0, 64);

    (void)driver_hold(master, 0);
    CHECK_EQ(get_first_form(mdl, 0, 64, TRUE), STATUS_SUCCESS);
    mdl->ByteOffset = 8;
    dma->FreeAdapterChannel(master);
    CHECK_EQ(driver_violations(0x43), 1); /* GEN-12 */
    CHECK_EQ(listed.calls, 1);
    CHECK_EQ(listed.list->NumberOfElements, 0);
    put(listed.list, TRUE);
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- memory for lists ---- */

enum { MANY = 8192 };

static PSCATTER_GATHER_LIST lists[MANY];

/* Lists of as many elements until there is no memory for another one; how many. */
static int exhaust_memory(PMDL mdl)
{
    int made = 0;

    while (get_first_form(mdl, 0, 16 * FAKE_PAGE, TRUE) == STATUS_SUCCESS) {
        CHECK(made < MANY);
        lists[made++] = listed.list;
        fake_forget_log();
    }
    return made;
}

static void put_all(int made)
{
    for (int i = 0; i < made; i++) {
        put(lists[i], TRUE);
    }
}

TEST(memory_for_lists_is_limited_and_comes_back, "BMT-08 GSX-07 GSL-02")
{
    start();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(0, 16 * FAKE_PAGE);
    int made = exhaust_memory(mdl);

    CHECK(made >= 100); /* BMT-08, GSX-07 */
    CHECK_EQ(get(0, mdl, 0, 16 * FAKE_PAGE, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    put(lists[7], TRUE);
    CHECK_EQ(get(0, mdl, 0, 16 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK(listed.list == lists[7]);
    put_all(made);
    IoFreeMdl(mdl);
    check_idle();
}

/* Without memory for another list, build one in a buffer. */
static void check_build(bool first_form)
{
    start();
    fake_scatter_pages();
    PMDL mdl = driver_mdl(0, 16 * FAKE_PAGE);
    int made = exhaust_memory(mdl);
    NTSTATUS status = first_form ? build_first_form(mdl, 16 * FAKE_PAGE, TRUE, BUFFER)
                                 : build_now(0, mdl, 16 * FAKE_PAGE, TRUE, buffer, BUFFER);

    CHECK_EQ(status, STATUS_SUCCESS);
    put((PSCATTER_GATHER_LIST)(void *)buffer, TRUE);
    put_all(made);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_list_in_a_buffer_needs_no_memory, "BSL-01")
{
    check_build(true);
}

TEST(a_list_of_version_3_in_a_buffer_needs_no_memory, "BSX-04")
{
    check_build(false);
}

/* ---- the end ---- */

TEST(a_list_is_put_once_by_its_adapter_in_its_direction, "PSL-02 PSL-04 PSL-05")
{
    start();
    PMDL mdl = driver_mdl(100, 100);
    PDMA_ADAPTER other = driver_master();

    CHECK_EQ(get_first_form(mdl, 100, 100, FALSE), STATUS_SUCCESS);
    device_fills(listed.list, 0x55);
    dma->PutScatterGatherList(other, listed.list, FALSE);
    put((PSCATTER_GATHER_LIST)(void *)buffer, FALSE);
    put(NULL, FALSE);
    CHECK_EQ(driver_violations(0x06), 3);
    CHECK_EQ(dma_count().lists, 1);
    put(listed.list, TRUE); /* PSL-04: it was a read, and is one */
    CHECK_EQ(driver_violations(0x48), 1);
    check_memory(100, 100, 0x55);
    put(listed.list, FALSE); /* PSL-05 */
    CHECK_EQ(driver_violations(0x06), 4);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(deallocating_flushes_and_leaves_the_list, "GSX-11")
{
    PSCATTER_GATHER_LIST list = NULL;

    start();
    PMDL mdl = driver_mdl(100, 100);

    CHECK_EQ(get_now(0, mdl, 100, FALSE, &list), STATUS_SUCCESS);
    device_fills(list, 0x66);
    dma->FreeAdapterObject(master, DeallocateObject); /* GSX-11 */
    check_memory(100, 100, 0x66);
    CHECK_EQ(dma_count().free_map_registers, DMA_MAP_REGISTERS);
    CHECK_EQ(dma_count().lists, 1);
    fake_memory[100] = 0x77;
    put(list, FALSE); /* only the list is left */
    CHECK_EQ(fake_memory[100], 0x77);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(the_routine_may_put_its_list, "PSL-03 GEN-14")
{
    start();
    PMDL mdl = driver_mdl(0, 64);

    listed.puts = true;
    CHECK_EQ(get_first_form(mdl, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(get(0, mdl, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(listed.calls, 2);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(lists_have_their_levels, "GEN-07")
{
    start();
    PMDL mdl = driver_mdl(0, 64);

    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(get(0, mdl, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0); /* GSX: at most DISPATCH_LEVEL */
    put(listed.list, TRUE);                  /* these exactly there, OQ-21 */
    CHECK_EQ(build_now(1, mdl, 64, TRUE, buffer, BUFFER), STATUS_SUCCESS);
    put((PSCATTER_GATHER_LIST)(void *)buffer, TRUE);
    CHECK_EQ(get_first_form(mdl, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(driver_violations(0x13), 4);
    put(listed.list, TRUE);
    (void)driver_raise();
    IoFreeMdl(mdl);
    check_idle();
}

/* Every routine of lists refuses the adapter, with the violation. */
static void refuse_adapter(PDMA_ADAPTER bad, uint32_t violation)
{
    PSCATTER_GATHER_LIST list = NULL;
    ULONG size = 0;
    PMDL target;

    start();
    PMDL mdl = driver_mdl(0, 64);

    master = bad;
    CHECK_EQ(get(2, mdl, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(get_now(2, mdl, 64, TRUE, &list), STATUS_INVALID_PARAMETER);
    CHECK_EQ(get_first_form(mdl, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(build_first_form(mdl, 64, TRUE, BUFFER), STATUS_INVALID_PARAMETER);
    CHECK_EQ(build_now(2, mdl, 64, TRUE, buffer, BUFFER), STATUS_INVALID_PARAMETER);
    CHECK_EQ(calculate(mdl, fake_memory, 64, &size, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->BuildMdlFromScatterGatherList(master, list, mdl, &target), STATUS_INVALID_PARAMETER);
    put(list, TRUE);
    CHECK_EQ(driver_violations(violation), 8);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 8);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(no_adapter_has_no_list, "GEN-04")
{
    refuse_adapter(NULL, 0x19);
}

TEST(what_is_no_adapter_has_no_list, "GEN-05")
{
    refuse_adapter((PDMA_ADAPTER)(void *)buffer, 0x18);
}

TEST(an_mdl_of_a_list_is_not_to_be_had, "")
{
    PMDL target = NULL;

    start();
    PMDL mdl = driver_mdl(0, 64);

    CHECK_EQ(get_first_form(mdl, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(dma->BuildMdlFromScatterGatherList(master, listed.list, NULL, &target), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->BuildMdlFromScatterGatherList(master, NULL, mdl, &target), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->BuildMdlFromScatterGatherList(master, listed.list, mdl, &target), STATUS_NOT_IMPLEMENTED);
    CHECK(target == NULL);
    put(listed.list, TRUE);
    IoFreeMdl(mdl);
    check_idle();
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
