/* SPDX-License-Identifier: Apache-2.0 */
/* The v3 layer on a scripted back end: arguments, states, queues, maintenance, completion. */
#include "check.h"
#include "dma/dma.h"
#include "dma/map_registers.h"
#include "fake_hal.h"
#include "scripted_backend.h"

#include <string.h>

enum { DEVICE_REGISTER = 0x0B010000, LIST_ELEMENTS = 16, CONTEXTS = 4 };

static PDMA_OPERATIONS dma;
static PDMA_ADAPTER adapter;
static ULONG register_maximum;
static DEVICE_OBJECT device;
static _Alignas(8) UCHAR contexts[CONTEXTS][DMA_TRANSFER_CONTEXT_SIZE_V1 + 8];
static union {
    SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + LIST_ELEMENTS * sizeof(SCATTER_GATHER_ELEMENT)];
} list;

/* ---- the driver under test's place ---- */

static DEVICE_DESCRIPTION describe(DMA_WIDTH width, ULONG channel)
{
    return (DEVICE_DESCRIPTION){.Version = DEVICE_DESCRIPTION_VERSION3,
                                .InterfaceType = InterfaceTypeUndefined,
                                .DmaWidth = width,
                                .DmaChannel = channel,
                                .DmaRequestLine = 1,
                                .MaximumLength = 16 * FAKE_PAGE,
                                .DeviceAddress = {.QuadPart = DEVICE_REGISTER}};
}

static PDMA_ADAPTER get_adapter(DMA_WIDTH width, ULONG channel)
{
    DEVICE_DESCRIPTION description = describe(width, channel);

    return IoGetDmaAdapter(NULL, &description, &register_maximum);
}

static void start(DMA_WIDTH width)
{
    struct dma_controller controller = scripted_describe();

    CHECK(dma_initialize(&controller, 1));
    dma = dma_operations_table();
    adapter = get_adapter(width, 0);
    CHECK(adapter != NULL);
    device.CurrentIrp = (PIRP)(uintptr_t)0x1230;
    memset(contexts, 0xFF, sizeof contexts);
}

static KIRQL raise(void)
{
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    return old;
}

static PMDL make_mdl(size_t offset, ULONG length)
{
    PMDL mdl = IoAllocateMdl(&fake_memory[offset], length, FALSE, FALSE, NULL);

    CHECK(mdl != NULL);
    MmBuildMdlForNonPagedPool(mdl);
    return mdl;
}

static NTSTATUS allocate_sync(PDMA_ADAPTER from, int context, ULONG registers, PVOID *base)
{
    CHECK_EQ(dma->InitializeDmaTransferContext(from, contexts[context]), STATUS_SUCCESS);
    return dma->AllocateAdapterChannelEx(from, &device, contexts[context], registers, DMA_SYNCHRONOUS_CALLBACK,
                                         NULL, NULL, base);
}

static PVOID hold_channel(ULONG registers)
{
    PVOID base = NULL;

    CHECK_EQ(allocate_sync(adapter, 0, registers, &base), STATUS_SUCCESS);
    CHECK(base != NULL);
    return base;
}

static struct {
    int calls;
    PDMA_ADAPTER adapter;
    PVOID context;
    DMA_COMPLETION_STATUS status;
    KIRQL irql;
    ULONG length_seen;
} completed;
static ULONG length;

static VOID on_completion(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    CHECK(object == &device);
    completed.calls++;
    completed.adapter = from;
    completed.context = context;
    completed.status = status;
    completed.irql = KeGetCurrentIrql();
    completed.length_seen = length;
}

static NTSTATUS map(PMDL mdl, PVOID base, ULONGLONG offset, ULONG wanted, BOOLEAN write)
{
    length = wanted;
    return dma->MapTransferEx(adapter, mdl, base, offset, 0, &length, write, &list.list, sizeof list,
                              on_completion, &completed);
}

static NTSTATUS flush(PMDL mdl, PVOID base, ULONGLONG offset, ULONG bytes, BOOLEAN write)
{
    return dma->FlushAdapterBuffersEx(adapter, mdl, base, offset, bytes, write);
}

static void check_idle(void)
{
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS);
    CHECK_EQ(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

/* ---- adapters ---- */

TEST(the_table_has_every_member, "TBL-01 TBL-03 IGA-05 IGA-07")
{
    start(Width32Bits);
    CHECK(adapter->DmaOperations == dma);
    CHECK_EQ(dma->Size, sizeof(DMA_OPERATIONS));
    CHECK_EQ(adapter->Version, 1);
    CHECK_EQ(register_maximum, 17); /* IGA-07 */
    for (size_t at = sizeof(void *); at < sizeof *dma; at += sizeof(void *)) {
        uintptr_t member;

        memcpy(&member, (const UCHAR *)dma + at, sizeof member);
        CHECK(member != 0); /* TBL-03 */
    }
    CHECK_EQ(dma->CancelMappedTransfer(adapter, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK(!dma->CancelAdapterChannel(adapter, &device, contexts[0]));
}

static void check_refused(DEVICE_DESCRIPTION description)
{
    ULONG registers = 77;

    CHECK(IoGetDmaAdapter(NULL, &description, &registers) == NULL);
    CHECK_EQ(registers, 77); /* GEN-06 */
}

TEST(unserved_descriptions_are_refused, "IGA-02 IGA-19 IGA-20 IGA-26")
{
    start(Width32Bits);
    DEVICE_DESCRIPTION description = describe(Width64Bits, 0);

    check_refused(description); /* IGA-20 */
    check_refused(describe(WidthNoWrap, 0));
    check_refused(describe((DMA_WIDTH)-1, 0));
    check_refused(describe(Width8Bits, SCRIPTED_CHANNELS));
    description = describe(Width8Bits, 0);
    description.DmaRequestLine = SCRIPTED_LINES; /* no owner */
    check_refused(description);
    description.DmaRequestLine = SCRIPTED_LINES - 1; /* the back end refuses */
    check_refused(description);
    description = describe(Width8Bits, 0);
    description.Master = TRUE;
    check_refused(description);
    description = describe(Width8Bits, 0);
    description.InterfaceType = Isa;
    check_refused(description);
    description = describe(Width8Bits, 0);
    description.Version = 2;
    check_refused(description);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    description.Version = 4;
    check_refused(description);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x25), 1);
    CHECK(IoGetDmaAdapter(NULL, NULL, &register_maximum) == NULL);
    CHECK(IoGetDmaAdapter(NULL, &description, NULL) == NULL);
}

TEST(adapters_can_come_and_go_for_ever, "PDA-05")
{
    start(Width8Bits);
    for (int i = 0; i < 10000; i++) {
        PDMA_ADAPTER other = get_adapter(Width8Bits, 1);

        CHECK(other != NULL && other != adapter);
        dma->PutDmaAdapter(other);
        fake_forget_log();
    }
    check_idle();
}

TEST(bad_adapters_are_refused_everywhere, "")
{
    start(Width32Bits);
    PDMA_ADAPTER bad[] = {NULL, (PDMA_ADAPTER)(uintptr_t)0x123, adapter};
    DMA_TRANSFER_INFO info = {.Version = 1};
    PVOID base = &base;

    dma->PutDmaAdapter(adapter);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(dma->GetDmaTransferInfo(bad[i], NULL, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->InitializeDmaTransferContext(bad[i], contexts[0]), STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->AllocateAdapterChannelEx(bad[i], &device, contexts[0], 1, 1, NULL, NULL, &base),
                 STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->MapTransferEx(bad[i], NULL, NULL, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
                 STATUS_INVALID_PARAMETER);
        CHECK_EQ(dma->FlushAdapterBuffersEx(bad[i], NULL, NULL, 0, 0, TRUE), STATUS_INVALID_PARAMETER);
        dma->FreeAdapterChannel(bad[i]);
        dma->PutDmaAdapter(bad[i]);
    }
    CHECK(base == &base);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x19), 7);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x18), 14);
}

/* ---- GetDmaTransferInfo ---- */

TEST(transfer_info_describes_the_full_mapping, "GTI-02 GTI-03 GTI-08")
{
    DMA_TRANSFER_INFO info = {.Version = 1};

    fake_scatter_pages();
    start(Width8Bits);
    PMDL mdl = make_mdl(10, 2 * FAKE_PAGE);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 2 * FAKE_PAGE, TRUE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MapRegisterCount, 0);
    CHECK_EQ(info.V1.ScatterGatherElementCount, 3);
    CHECK_EQ(info.V1.ScatterGatherListSize, sizeof(SCATTER_GATHER_LIST) + 3 * sizeof(SCATTER_GATHER_ELEMENT));
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 2 * FAKE_PAGE, FALSE, &info), STATUS_SUCCESS);
    CHECK_EQ(info.V1.MapRegisterCount, 2); /* GTI-08 */
    CHECK_EQ(info.V1.ScatterGatherElementCount, 4);

    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 2 * FAKE_PAGE, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 0, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 1, 2 * FAKE_PAGE, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, NULL, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, (PMDL)(uintptr_t)8, 0, 1, TRUE, &info), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 1, TRUE, NULL), STATUS_INVALID_PARAMETER);
    info.Version = 2;
    CHECK_EQ(dma->GetDmaTransferInfo(adapter, mdl, 0, 1, TRUE, &info), STATUS_NOT_SUPPORTED);
    IoFreeMdl(mdl);
}

/* ---- contexts ---- */

TEST(contexts_follow_the_state_table, "ITC-03 ITC-04 ITC-06 ITC-08 AAX-12")
{
    PVOID base = NULL;

    start(Width8Bits);
    (void)raise();
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* Raw */
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, &contexts[0][4]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    base = hold_channel(1);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x40), 1);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x40), 2);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* Finished */
    memcpy(contexts[1], contexts[0], sizeof contexts[0]);
    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
    memcpy(contexts[1], contexts[0], sizeof contexts[0]);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[1], 1, 1, NULL, NULL, &base),
             STATUS_INVALID_PARAMETER); /* a copy is Raw */
    for (size_t i = DMA_TRANSFER_CONTEXT_SIZE_V1; i < sizeof contexts[2]; i++) {
        CHECK_EQ(contexts[2][i], 0xFF); /* ITC-02 */
    }
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

/* ---- allocation ---- */

static struct {
    int calls;
    int order[8];
    PVOID base;
    KIRQL irql;
    IO_ALLOCATION_ACTION action;
} granted;

static IO_ALLOCATION_ACTION on_grant(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    CHECK(object == &device && irp == device.CurrentIrp);
    granted.order[granted.calls % 8] = (int)(intptr_t)context;
    granted.calls++;
    granted.base = base;
    granted.irql = KeGetCurrentIrql();
    return granted.action;
}

static NTSTATUS allocate(PDMA_ADAPTER from, int context, ULONG registers, ULONG flags)
{
    CHECK_EQ(dma->InitializeDmaTransferContext(from, contexts[context]), STATUS_SUCCESS);
    return dma->AllocateAdapterChannelEx(from, &device, contexts[context], registers, flags, on_grant,
                                         (PVOID)(intptr_t)context, NULL);
}

static void expect_grants(IO_ALLOCATION_ACTION action)
{
    memset(&granted, 0, sizeof granted);
    granted.action = action;
}

TEST(the_argument_table_of_allocation_holds, "AAX-01 AAX-13")
{
    static const struct {
        ULONG flags;
        int routine, handle, accepted;
    } rows[] = {{0, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 0, 1}, {0, 1, 1, 0}, {1, 0, 0, 0},
                {1, 0, 1, 1}, {1, 1, 0, 1}, {1, 1, 1, 1}, {2, 1, 0, 0}, {3, 1, 0, 0}};

    start(Width8Bits);
    (void)raise();
    expect_grants(KeepObject);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PVOID base = NULL;

        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[0]), STATUS_SUCCESS);
        NTSTATUS status = dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, rows[i].flags,
                                                        rows[i].routine ? on_grant : NULL, NULL,
                                                        rows[i].handle ? &base : NULL);

        CHECK_EQ(status, rows[i].accepted ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        CHECK_EQ(base != NULL, rows[i].accepted && rows[i].handle);
        if (rows[i].accepted) {
            CHECK(base == NULL || !rows[i].routine || base == granted.base); /* OQ-02 */
            dma->FreeAdapterChannel(adapter);
        }
    }
    CHECK_EQ(granted.calls, 3);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(waiting_requests_are_served_in_order, "QUE-03 QUE-07 STM-04 FAC-05 FAC-07")
{
    PVOID base;

    start(Width8Bits);
    (void)raise();
    expect_grants(KeepObject);
    (void)hold_channel(1);
    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(adapter, 2, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(granted.calls, 0);
    CHECK_EQ(allocate_sync(adapter, 3, 1, &base), STATUS_INSUFFICIENT_RESOURCES); /* QUE-07 */
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(granted.irql, DISPATCH_LEVEL);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(granted.calls, 2);
    CHECK(granted.order[0] == 1 && granted.order[1] == 2);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, contexts[3], 1, 1, on_grant, NULL, NULL),
             STATUS_INSUFFICIENT_RESOURCES); /* STM-04: still Idle */
    dma->FreeAdapterChannel(adapter);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x04), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

static PDMA_ADAPTER get_large_adapter(ULONG channel)
{
    DEVICE_DESCRIPTION description = describe(Width8Bits, channel);

    description.MaximumLength = 0; /* IGA-10 */
    return IoGetDmaAdapter(NULL, &description, &register_maximum);
}

TEST(registers_run_out_in_order, "QUE-05 QUE-06 AAX-04 AAX-05 AAX-06 IGA-10")
{
    PVOID base = NULL;

    start(Width8Bits);
    PDMA_ADAPTER large = get_large_adapter(0);
    PDMA_ADAPTER other = get_large_adapter(1);

    CHECK_EQ(register_maximum, DMA_MAP_REGISTERS);
    (void)raise();
    expect_grants(KeepObject);
    CHECK_EQ(allocate(large, 0, DMA_MAP_REGISTERS + 1, 0), STATUS_INSUFFICIENT_RESOURCES); /* QUE-05 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0C), 1);
    CHECK_EQ(allocate_sync(large, 0, DMA_MAP_REGISTERS, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate_sync(other, 1, 1, &base), STATUS_INSUFFICIENT_RESOURCES); /* AAX-04 */
    CHECK_EQ(allocate(other, 1, 1, 0), STATUS_SUCCESS);                         /* AAX-05 */
    CHECK_EQ(granted.calls, 0);
    dma->FreeAdapterChannel(other); /* holds the channel, but is not granted */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x04), 1);
    dma->FreeAdapterChannel(large);
    CHECK_EQ(granted.calls, 1);
    dma->FreeAdapterChannel(other);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(a_sys_driver_that_deallocates_is_obeyed_and_reported, "ADC-08")
{
    start(Width8Bits);
    (void)raise();
    expect_grants(DeallocateObject);
    CHECK_EQ(allocate(adapter, 0, 3, 0), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x45), 1);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS);
    expect_grants((IO_ALLOCATION_ACTION)9);
    CHECK_EQ(allocate(adapter, 0, 3, DMA_SYNCHRONOUS_CALLBACK), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x46), 1);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS - 3);
    dma->FreeAdapterChannel(adapter);
    expect_grants(DeallocateObjectKeepRegisters);
    CHECK_EQ(allocate(adapter, 0, 3, 0), STATUS_SUCCESS);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS - 3);
    length = 4;
    CHECK_EQ(dma->MapTransferEx(adapter, NULL, granted.base, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    dma->PutDmaAdapter(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x09), 1);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

enum { MANY = 1000 };
static int many_left;
static _Alignas(8) UCHAR many[MANY][DMA_TRANSFER_CONTEXT_SIZE_V1];

static IO_ALLOCATION_ACTION free_inside(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    (void)object;
    (void)irp;
    (void)base;
    (void)context;
    many_left--;
    dma->FreeAdapterChannel(adapter); /* ADC-10 */
    return KeepObject;
}

TEST(a_thousand_requests_use_bounded_stack, "QUE-13 ADC-10")
{
    start(Width8Bits);
    (void)raise();
    (void)hold_channel(0);
    many_left = MANY;
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, many[i]), STATUS_SUCCESS);
        CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, &device, many[i], 1, 0, free_inside, NULL, NULL),
                 STATUS_SUCCESS);
    }
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(many_left, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
}

TEST(putting_the_adapter_reclaims_everything, "QUE-16")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);
    PDMA_ADAPTER other = get_adapter(Width8Bits, 0);

    (void)raise();
    expect_grants(KeepObject);
    PVOID base = hold_channel(2);

    CHECK_EQ(allocate(adapter, 1, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(allocate(other, 2, 1, 0), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    dma->PutDmaAdapter(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x08), 2);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x09), 1);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x10), 1);
    CHECK_EQ(fake_count_id(FAKE_ENTER, TRACE_CancelTransfer), 1);
    CHECK_EQ(granted.calls, 1);
    CHECK_EQ(granted.order[0], 2);
    dma->FreeAdapterChannel(other);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0);
    IoFreeMdl(mdl);
    check_idle();
}

/* ---- mapping ---- */

TEST(a_write_is_cleaned_before_it_starts, "CCH-02 MTX-31 FBX-08 FBX-09")
{
    fake_scatter_pages();
    start(Width32Bits);
    PMDL mdl = make_mdl(100, 2 * FAKE_PAGE);

    (void)raise();
    PVOID base = hold_channel(0);
    size_t barriers = fake_count(FAKE_BARRIER);

    CHECK_EQ(map(mdl, base, 0, 2 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(length, 2 * FAKE_PAGE);
    CHECK_EQ(list.list.NumberOfElements, 3);
    CHECK_EQ(fake_count(FAKE_CLEAN), 3);
    CHECK_EQ(fake_event(FAKE_CLEAN, 0)->a, (uintptr_t)&fake_memory[100]);
    CHECK_EQ(fake_event(FAKE_CLEAN, 0)->b, FAKE_PAGE - 100);
    CHECK_EQ(fake_count(FAKE_BARRIER), barriers + 1);
    CHECK(fake_last(FAKE_RANGE, TRACE_RANGE_MAPPED) < fake_last(FAKE_CLEAN, 0));
    CHECK(fake_last(FAKE_CLEAN, 0) < fake_last(FAKE_BARRIER, 0));
    CHECK(fake_last(FAKE_BARRIER, 0) < fake_last(FAKE_ENTER, TRACE_ProgramChannel));
    CHECK_EQ(scripted.program.count, 3); /* MTX-31 */
    CHECK_EQ(scripted.program.width, Width32Bits);
    CHECK_EQ(scripted.program.device_address, DEVICE_REGISTER);
    CHECK(scripted.program.write);
    for (ULONG i = 0; i < 3; i++) {
        CHECK_EQ(scripted.program.elements[i].Address.QuadPart, list.list.Elements[i].Address.QuadPart);
        CHECK_EQ(scripted.program.elements[i].Length, list.list.Elements[i].Length);
    }
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_INVALIDATE) + fake_count(FAKE_CLEAN_INVALIDATE), 0); /* FBX-08 */
    CHECK_EQ(fake_count(FAKE_CLEAN), 3);
    CHECK_EQ(fake_count_id(FAKE_ENTER, TRACE_FlushChannel), 1);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

static void device_fills(uint8_t byte)
{
    for (ULONG i = 0; i < scripted.program.count; i++) {
        for (ULONG at = 0; at < scripted.program.elements[i].Length; at++) {
            *fake_device_view((uint64_t)scripted.program.elements[i].Address.QuadPart + at) = byte;
        }
    }
}

TEST(a_read_bounces_edges_and_keeps_the_neighbours,
     "CCH-03 CCH-04 CCH-12 CCH-15 MR-08 MR-11 MR-12 FBX-10 FBX-13")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(100, 1000);

    memset(fake_memory, 0x11, 2000);
    (void)raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 1000, FALSE), STATUS_SUCCESS);
    CHECK_EQ(list.list.NumberOfElements, 3);
    CHECK_EQ(list.list.Elements[0].Length, 28);
    CHECK_EQ(list.list.Elements[0].Address.QuadPart % FAKE_PAGE, 100); /* MR-08 */
    CHECK_EQ(fake_count(FAKE_CLEAN_INVALIDATE), 1);
    CHECK_EQ(fake_event(FAKE_CLEAN_INVALIDATE, 0)->a, (uintptr_t)&fake_memory[128]);
    CHECK_EQ(fake_event(FAKE_CLEAN_INVALIDATE, 0)->b, 960);
    CHECK_EQ(fake_count_id(FAKE_RANGE, TRACE_RANGE_BOUNCED), 2);
    device_fills(0x22);
    fake_memory[99] = 0x33;           /* CCH-12: a neighbour is stored during the transfer */
    CHECK_EQ(fake_memory[100], 0x11); /* MR-11 */
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 0, 1000, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_INVALIDATE), 1);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->a, (uintptr_t)&fake_memory[128]);
    CHECK_EQ(fake_event(FAKE_INVALIDATE, 0)->b, 960);
    CHECK(fake_last(FAKE_EXIT, TRACE_FlushChannel) < fake_last(FAKE_INVALIDATE, 0)); /* FBX-10 */
    CHECK(fake_memory[99] == 0x33 && fake_memory[1100] == 0x11);
    for (size_t i = 100; i < 1100; i++) {
        CHECK_EQ(fake_memory[i], 0x22);
    }
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_coherent_platform_gets_barriers_only, "CCH-06 FBX-05")
{
    fake_set_coherent(true);
    start(Width8Bits);
    PMDL mdl = make_mdl(100, 1000);

    (void)raise();
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
    PMDL mdl = make_mdl(4094, 4);

    memcpy(&fake_memory[4094], "abcd", 4);
    (void)raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 4, TRUE), STATUS_SUCCESS);
    CHECK_EQ(list.list.NumberOfElements, 1);
    CHECK(memcmp(fake_device_view((uint64_t)list.list.Elements[0].Address.QuadPart), "abcd", 4) == 0);
    CHECK_EQ(fake_count(FAKE_CLEAN), 0);
    CHECK_EQ(fake_count_id(FAKE_RANGE, TRACE_RANGE_BOUNCED), 2); /* page by page */
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

TEST(each_limit_alone_splits_the_transfer, "MTX-04 MTX-07 MTX-25 AAX-14 HBE-07")
{
    enum { TOTAL = 4 * FAKE_PAGE, ONE = sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT) };

    fake_scatter_pages();
    start(Width8Bits);
    PMDL mdl = make_mdl(10, TOTAL);

    (void)raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(transfer_in_parts(base, mdl, TOTAL, 0), 1);
    CHECK_EQ(transfer_in_parts(base, mdl, TOTAL, ONE), 6); /* head, rest of its page, 3 pages, tail */
    scripted.max_fragments = 3;
    CHECK_EQ(transfer_in_parts(base, mdl, TOTAL, sizeof list), 2);
    dma->FreeAdapterChannel(adapter);
    scripted.max_fragments = 64;
    base = hold_channel(1);
    CHECK_EQ(transfer_in_parts(base, mdl, TOTAL, sizeof list), 1); /* CCH-12 b: the tail */
    dma->FreeAdapterChannel(adapter);
    base = hold_channel(0);
    CHECK_EQ(transfer_in_parts(base, mdl, TOTAL, sizeof list), 1); /* and the head */
    scripted.max_fragments = 0;
    CHECK_EQ(map(mdl, base, 64, 64, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x1F), 3); /* a shared line each */
    CHECK_EQ(fake_count(FAKE_VIOLATION), 3);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(bad_arguments_of_a_map_change_nothing, "MTX-01 MTX-02 MTX-05 MTX-06 MTX-13 MDL-08 CMP-13")
{
    start(Width32Bits);
    PMDL mdl = make_mdl(0, 1000);

    (void)raise();
    PVOID base = hold_channel(2);
    size_t queries = fake_count_id(FAKE_ENTER, TRACE_QueryMaxFragments);

    CHECK_EQ(map(mdl, NULL, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(map(mdl, (PVOID)(uintptr_t)0xDEAD0, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x4D), 2);
    CHECK_EQ(map(mdl, base, 1000, 0, TRUE), STATUS_INVALID_PARAMETER); /* MTX-01 */
    CHECK_EQ(map(mdl, base, UINT64_MAX, 4, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x1F), 2);
    CHECK_EQ(map(mdl, base, 4, 1000, TRUE), STATUS_INVALID_PARAMETER); /* MTX-02 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x24), 1);
    CHECK_EQ(length, 1000);
    CHECK_EQ(map(mdl, base, 0, 6, TRUE), STATUS_INVALID_PARAMETER); /* MTX-38 */
    CHECK_EQ(map(NULL, base, 0, 4, TRUE), STATUS_INVALID_PARAMETER);
    length = 4;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 1, NULL, NULL),
             STATUS_INVALID_PARAMETER); /* MTX-05 */
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, &list.list,
                                sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT) - 1, NULL, NULL),
             STATUS_INVALID_PARAMETER); /* MTX-06 */
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, NULL, TRUE, NULL, 0, NULL, NULL),
             STATUS_INVALID_PARAMETER);
    mdl->MdlFlags = 0;
    CHECK_EQ(map(mdl, base, 0, 4, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0E), 1);
    CHECK_EQ(fake_count_id(FAKE_ENTER, TRACE_QueryMaxFragments), queries);
    CHECK_EQ(fake_count_id(FAKE_ENTER, TRACE_ProgramChannel), 0);
    CHECK_EQ(fake_count(FAKE_CLEAN), 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0); /* CMP-13 */
    IoFreeMdl(mdl);
}

TEST(a_map_of_nothing_starts_nothing, "MTX-18 FBX-20")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);

    (void)raise();
    PVOID base = hold_channel(0);

    list.list.NumberOfElements = 9;
    CHECK_EQ(map(mdl, base, 0, 0, TRUE), STATUS_SUCCESS);
    CHECK_EQ(list.list.NumberOfElements, 0);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x21), 1);
    CHECK_EQ(flush(mdl, base, 0, 0, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    CHECK_EQ(flush(mdl, base, 0, 0, TRUE), STATUS_SUCCESS); /* FBX-20 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x16), 1);
    CHECK_EQ(fake_count_id(FAKE_ENTER, TRACE_ProgramChannel), 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

/* ---- flush ---- */

TEST(a_flush_must_name_the_mapping, "FBX-03 FBX-04 FBX-12 FBX-18 MTX-14")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(0, 128);
    PMDL other = make_mdl(0, 128);

    (void)raise();
    PVOID base = hold_channel(2);

    CHECK_EQ(map(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    CHECK_EQ(map(mdl, base, 64, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x0D), 1);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(other, base, 0, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(flush(mdl, base, 1, 63, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x16), 2);
    CHECK_EQ(flush(mdl, base, 0, 65, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x00), 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x48), 1);
    CHECK_EQ(flush(mdl, (PVOID)(uintptr_t)1, 0, 64, FALSE), STATUS_INVALID_PARAMETER);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x4D), 1);
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 0);
    CHECK_EQ(flush(mdl, base, 0, 10, FALSE), STATUS_SUCCESS); /* FBX-03 */
    CHECK_EQ(fake_count(FAKE_UNMAPPED), 1);
    CHECK_EQ(map(mdl, base, 64, 64, FALSE), STATUS_SUCCESS); /* FBX-12 */
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(flush(mdl, base, 64, 64, FALSE), STATUS_SUCCESS);
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_INVALID_PARAMETER); /* Finished */
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    IoFreeMdl(other);
    check_idle();
}

TEST(flushing_a_running_transfer_stops_it, "FBX-15")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(10, 20);

    memset(fake_memory, 0x11, 64);
    (void)raise();
    PVOID base = hold_channel(1);

    CHECK_EQ(map(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    device_fills(0x22);
    scripted.bytes_left = 15;
    CHECK_EQ(flush(mdl, base, 0, 20, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x23), 1);
    CHECK(fake_last(FAKE_EXIT, TRACE_CancelTransfer) < fake_last(FAKE_ENTER, TRACE_FlushChannel));
    CHECK(fake_memory[14] == 0x22 && fake_memory[15] == 0x11); /* MR-13 */
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 0); /* FBX-15 */
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_flush_that_loses_the_race_keeps_the_callback, "FBX-15 CMP-08")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);

    (void)raise();
    PVOID base = hold_channel(1);

    scripted.cancel_result = FALSE;
    CHECK_EQ(map(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    scripted_report(0, InterruptTypeCompletion); /* signalled, not taken */
    CHECK_EQ(flush(mdl, base, 0, 64, FALSE), STATUS_SUCCESS);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(completed.calls, 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1); /* CMP-08 */
    CHECK_EQ(completed.status, DmaComplete);
    IoFreeMdl(mdl);
}

/* ---- completion ---- */

TEST(completion_waits_for_the_level_to_drop, "CMP-01 CMP-03 BMT-04 HBE-12")
{
    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);

    (void)raise();
    PVOID base = hold_channel(0);

    scripted.ends_at_once = true;
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(completed.calls, 0); /* BMT-04 */
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(completed.irql, DISPATCH_LEVEL);
    CHECK(completed.adapter == adapter && completed.context == &completed);
    CHECK_EQ(completed.status, DmaComplete);
    scripted_report(0, InterruptTypeError); /* HBE-12: late, dropped */
    fake_interrupt(SCRIPTED_SPI);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    (void)raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(completion_at_passive_level_sees_the_final_length, "CMP-07 CMP-09 MTX-39 BMT-05")
{
    fake_scatter_pages();
    start(Width8Bits);
    PMDL mdl = make_mdl(0, 2 * FAKE_PAGE);

    (void)raise();
    PVOID base = hold_channel(0);

    KeLowerIrql(PASSIVE_LEVEL);
    scripted.ends_at_once = true;
    scripted.max_fragments = 1;
    CHECK_EQ(map(mdl, base, 0, 2 * FAKE_PAGE, TRUE), STATUS_SUCCESS);
    CHECK_EQ(completed.calls, 1);               /* CMP-09: before the return */
    CHECK_EQ(completed.length_seen, FAKE_PAGE); /* MTX-39 */
    CHECK(fake_last(FAKE_EXIT, TRACE_MapTransferEx) < fake_last(FAKE_ENTER, TRACE_DmaCompletionRoutine));
    CHECK_EQ(flush(mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    scripted.ends_at_once = false;
    CHECK_EQ(map(mdl, base, FAKE_PAGE, FAKE_PAGE, TRUE), STATUS_SUCCESS);
    scripted_end(0, InterruptTypeError); /* runs at the interrupt's exit */
    CHECK_EQ(completed.calls, 2);
    CHECK_EQ(completed.status, DmaError);
    CHECK_EQ(KeGetCurrentIrql(), PASSIVE_LEVEL);
    CHECK_EQ(flush(mdl, base, FAKE_PAGE, FAKE_PAGE, TRUE), STATUS_SUCCESS);
    (void)raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

static struct {
    PMDL mdl;
    PVOID base;
    ULONG offset, total;
    int calls;
} loop;

/* Pattern E inside the completion routine, CMP-12. */
static VOID map_next_part(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)object;
    (void)context;
    CHECK_EQ(status, DmaComplete);
    loop.calls++;
    CHECK_EQ(flush(loop.mdl, loop.base, loop.offset, length, TRUE), STATUS_SUCCESS);
    loop.offset += length;
    if (loop.offset == loop.total) {
        dma->FreeAdapterChannel(from);
        return;
    }
    length = loop.total - loop.offset;
    CHECK_EQ(dma->MapTransferEx(from, loop.mdl, loop.base, loop.offset, 0, &length, TRUE, NULL, 0,
                                map_next_part, NULL),
             STATUS_SUCCESS);
}

TEST(the_completion_routine_can_drive_the_whole_transfer, "MTX-33")
{
    enum { TOTAL = 10 * FAKE_PAGE };

    fake_scatter_pages();
    start(Width32Bits);
    PMDL mdl = make_mdl(0, TOTAL);

    scripted.ends_at_once = true;
    scripted.max_fragments = 1;
    memset(&loop, 0, sizeof loop);
    loop.mdl = mdl;
    loop.total = TOTAL;
    (void)raise();
    loop.base = hold_channel(0);
    length = TOTAL;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, loop.base, 0, 16, &length, TRUE, NULL, 0, map_next_part, NULL),
             STATUS_SUCCESS);
    CHECK_EQ(scripted.program.device_address, DEVICE_REGISTER + 16); /* MTX-33 */
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(loop.calls, 10);
    CHECK_EQ(loop.offset, TOTAL);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(callbacks_that_cannot_run_yet_are_never_lost, "FBX-22 CMP-06")
{
    enum { ROUNDS = 96 };

    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);

    (void)raise();
    PVOID base = hold_channel(0);

    scripted.ends_at_once = true;
    for (int i = 0; i < ROUNDS; i++) { /* FBX-22, at one level */
        CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
        CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    }
    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, ROUNDS);
    (void)raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

/* ---- levels ---- */

static VOID change_level(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)from;
    (void)object;
    (void)context;
    (void)status;
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(calls_at_the_wrong_level_are_reported_and_work, "AAX-19 GEN-09")
{
    PVOID base = NULL;
    KIRQL old;

    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);

    CHECK_EQ(allocate_sync(adapter, 0, 0, &base), STATUS_SUCCESS); /* AAX-19 */
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x13), 1);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->a, 1);
    scripted.ends_at_once = true;
    length = 64;
    CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, change_level, NULL),
             STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x42), 1);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    CHECK_EQ(fake_count_id(FAKE_VIOLATION, 0x13), 2);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 2)->a, 2);
    CHECK_EQ(KeGetCurrentIrql(), DISPATCH_LEVEL + 1);
    KeLowerIrql(old);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(DISPATCH_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeRaiseIrql(PASSIVE_LEVEL, &old);
    CHECK_EQ(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    check_idle();
}

TEST(a_device_level_masks_interrupts, "")
{
    KIRQL old;

    start(Width8Bits);
    PMDL mdl = make_mdl(0, 64);

    (void)raise();
    PVOID base = hold_channel(0);

    CHECK_EQ(map(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL + 2, &old);
    scripted_end(0, InterruptTypeCompletion);
    CHECK_EQ(scripted.report_count, 1);
    KeLowerIrql(old);
    CHECK_EQ(scripted.report_count, 0);
    CHECK_EQ(completed.calls, 0);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQ(completed.calls, 1);
    CHECK_EQ(flush(mdl, base, 0, 64, TRUE), STATUS_SUCCESS);
    (void)raise();
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
}

static void reset(void)
{
    fake_reset();
    memset(&completed, 0, sizeof completed);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, reset);
}
