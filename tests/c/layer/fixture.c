/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "check.h"

#include <string.h>

PDMA_ADAPTER adapter;
ULONG register_maximum;
DEVICE_OBJECT device;
_Alignas(8) UCHAR contexts[CONTEXTS][DMA_TRANSFER_CONTEXT_SIZE_V1 + 8];
ULONG length;
union fixture_list list;
struct fixture_granted granted;
struct fixture_completed completed;

static bool is_master;

void fixture_reset(void)
{
    fake_reset();
    memset(&granted, 0, sizeof granted);
    memset(&completed, 0, sizeof completed);
}

DEVICE_DESCRIPTION describe(DMA_WIDTH width, ULONG channel)
{
    return (DEVICE_DESCRIPTION){.Version = DEVICE_DESCRIPTION_VERSION3,
                                .InterfaceType = InterfaceTypeUndefined,
                                .DmaWidth = width,
                                .DmaChannel = channel,
                                .DmaRequestLine = 1,
                                .MaximumLength = 16 * FAKE_PAGE,
                                .DeviceAddress = {.QuadPart = DRIVER_REGISTER}};
}

PDMA_ADAPTER get_adapter_for(DEVICE_DESCRIPTION description)
{
    return IoGetDmaAdapter(NULL, &description, &register_maximum);
}

PDMA_ADAPTER get_adapter(DMA_WIDTH width, ULONG channel)
{
    return get_adapter_for(describe(width, channel));
}

static void start_layer(void)
{
    struct dma_controller controller = scripted_describe();

    driver_start_with(&controller);
    device.CurrentIrp = (PIRP)(uintptr_t)0x1230;
    memset(contexts, 0xFF, sizeof contexts);
}

void start(DMA_WIDTH width)
{
    start_layer();
    is_master = false;
    adapter = get_adapter(width, 0);
    CHECK(adapter != NULL);
}

void start_master(BOOLEAN scatter_gather)
{
    start_layer();
    is_master = true;
    adapter = driver_master_of(32, scatter_gather, &register_maximum);
}

void check_idle(void)
{
    struct dma_counters now = dma_count();

    CHECK_EQ(now.free_map_registers, DMA_MAP_REGISTERS);
    CHECK_EQ(now.requests + now.waiting_for_registers + now.mappings + now.lists, 0);
    CHECK_EQ(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

/* ---- requests ---- */

NTSTATUS allocate_sync(PDMA_ADAPTER from, int context, ULONG registers, PVOID *base)
{
    CHECK_EQ(dma->InitializeDmaTransferContext(from, contexts[context]), STATUS_SUCCESS);
    return dma->AllocateAdapterChannelEx(from, &device, contexts[context], registers, DMA_SYNCHRONOUS_CALLBACK,
                                         NULL, NULL, base);
}

PVOID hold_channel(ULONG registers)
{
    PVOID base = NULL;

    CHECK_EQ(allocate_sync(adapter, 0, registers, &base), STATUS_SUCCESS);
    CHECK(base != NULL);
    return base;
}

IO_ALLOCATION_ACTION on_grant(PDEVICE_OBJECT object, PIRP irp, PVOID base, PVOID context)
{
    CHECK(object == &device && irp == device.CurrentIrp);
    granted.order[granted.calls % 8] = (int)(intptr_t)context;
    granted.calls++;
    granted.base = base;
    granted.irql = KeGetCurrentIrql();
    return granted.action;
}

NTSTATUS allocate(PDMA_ADAPTER from, int context, ULONG registers, ULONG flags)
{
    CHECK_EQ(dma->InitializeDmaTransferContext(from, contexts[context]), STATUS_SUCCESS);
    return dma->AllocateAdapterChannelEx(from, &device, contexts[context], registers, flags, on_grant,
                                         (PVOID)(intptr_t)context, NULL);
}

void expect_grants(IO_ALLOCATION_ACTION action)
{
    memset(&granted, 0, sizeof granted);
    granted.action = action;
}

/* ---- transfers ---- */

VOID on_completion(PDMA_ADAPTER from, PDEVICE_OBJECT object, PVOID context, DMA_COMPLETION_STATUS status)
{
    CHECK(object == &device);
    completed.order[completed.calls % 8] = status;
    completed.calls++;
    completed.adapter = from;
    completed.context = context;
    completed.status = status;
    completed.irql = KeGetCurrentIrql();
    completed.length_seen = length;
}

NTSTATUS map(PMDL mdl, PVOID base, ULONGLONG offset, ULONG wanted, BOOLEAN write)
{
    length = wanted;
    return dma->MapTransferEx(adapter, mdl, base, offset, 0, &length, write, &list.list, sizeof list,
                              is_master ? NULL : on_completion, is_master ? NULL : &completed);
}

NTSTATUS flush(PMDL mdl, PVOID base, ULONGLONG offset, ULONG bytes, BOOLEAN write)
{
    return dma->FlushAdapterBuffersEx(adapter, mdl, base, offset, bytes, write);
}

static void fill(const SCATTER_GATHER_ELEMENT *elements, ULONG count, uint8_t byte)
{
    for (ULONG i = 0; i < count; i++) {
        for (ULONG at = 0; at < elements[i].Length; at++) {
            *fake_device_view((uint64_t)elements[i].Address.QuadPart + at) = byte;
        }
    }
}

void device_fills(uint8_t byte)
{
    fill(scripted.program.elements, scripted.program.count, byte);
}

void device_fills_list(uint8_t byte)
{
    fill(list.list.Elements, list.list.NumberOfElements, byte);
}
