/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IoGetDmaAdapter and PutDmaAdapter: how a driver gets an adapter and gives it back.
 */
#include "hal/memory.h"
#include "layer/adapter.h"
#include "layer/controller.h"
#include "layer/grant.h"
#include "layer/limits.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"
#include "routines/common_buffer.h"
#include "routines/routines.h"

/* ---- IoGetDmaAdapter ---- */

static bool is_served_bus(INTERFACE_TYPE type)
{
    return type == InterfaceTypeUndefined || type == Internal || type == PCIBus || type == ACPIBus; /* IGA-18 */
}

/* Is it a description that IoGetDmaAdapter takes (IGA-17)? The other fields depend on who moves the data. */
static bool is_served(const DEVICE_DESCRIPTION *description)
{
    if (description->Version > DEVICE_DESCRIPTION_VERSION3) {
        violation_report(VIOLATION_DESCRIPTION_VERSION, description->Version, 0); /* IGA-02 */
    }
    if (description->Version != DEVICE_DESCRIPTION_VERSION3) {
        (void)refuse(STATUS_UNSUCCESSFUL, "Version {0} of DEVICE_DESCRIPTION: only {1} is served",
                     description->Version, DEVICE_DESCRIPTION_VERSION3);
        return false;
    }
    if (description->Reserved1 || !is_served_bus(description->InterfaceType)) {
        (void)refuse(
            STATUS_UNSUCCESSFUL,
            "InterfaceType {0} is not served (Internal, PCIBus and ACPIBus are), or Reserved1 ({1}) is not 0",
            (uint64_t)description->InterfaceType, description->Reserved1);
        return false;
    }
    return true;
}

/* The most map registers of one request (IGA-07, IGA-10). `useful` is at least 2 by its form (IGA-08). */
static ULONG register_maximum(ULONG maximum_length)
{
    uint64_t useful = ((uint64_t)maximum_length + PAGE_SIZE - 1) / PAGE_SIZE + 1;
    ULONG most = limits_now()->registers_per_request;

    if (most > limits_now()->map_registers) {
        most = limits_now()->map_registers;
    }

    if (maximum_length == 0 || useful > most) {
        return most;
    }
    return (ULONG)useful;
}

static struct adapter *take_adapter(const DEVICE_DESCRIPTION *description)
{
    struct adapter *adapter = adapter_take();

    if (adapter != NULL) {
        adapter->register_maximum = register_maximum(description->MaximumLength);
    } else {
        (void)refuse(STATUS_UNSUCCESSFUL, "there are as many adapters as there can be: put one", 0, 0);
    }
    return adapter;
}

/* Create the adapter of a device that moves the data itself (IGA-15). */
static struct adapter *create_master(const DEVICE_DESCRIPTION *description)
{
    ULONG bits = description->DmaAddressWidth;

    if (bits < 24 || bits > 64) { /* IGA-11, IGA-12 */
        (void)refuse(STATUS_UNSUCCESSFUL, "DmaAddressWidth is {0}: 24 to 64 bits are served", bits, 0);
        return NULL;
    }
    struct adapter *adapter = take_adapter(description);

    if (adapter != NULL) {
        adapter->master = true;
        adapter->one_element = !description->ScatterGather; /* IGA-27 */
        adapter->coherent = memory_is_coherent();           /* CCH-07 */
        adapter->channel = &adapter->own_channel;
        adapter->unit = 1;
        adapter->address_bits = bits;
    }
    return adapter;
}

/* Every element is a multiple of the device register, which is accessed as a whole; with WidthNoWrap there is
 * no such register (MTX-34). */
static uint32_t transfer_unit(const DMA_INITIALIZATION_BLOCK *block, DMA_WIDTH width)
{
    uint32_t bytes = width == WidthNoWrap ? 1 : UINT32_C(1) << width;

    return bytes > block->MinimumTransferUnit ? bytes : block->MinimumTransferUnit;
}

static void describe_channel(struct adapter *adapter)
{
    const struct controller *controller = adapter->channel->controller;
    const DMA_INITIALIZATION_BLOCK *block = &controller->description.block;

    adapter->coherent = controller->coherent;
    adapter->unit = transfer_unit(block, adapter->width);
    adapter->ignore_count = adapter->ignore_count || !channel_has_counter(adapter->channel);
    adapter->address_bits = block->DmaAddressWidth;

    uint64_t bytes = (uint64_t)block->MaximumTransferUnits * adapter->unit;

    adapter->byte_limit = bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

/* Create the adapter of a device whose data is moved by a channel of a controller (IGA-16). */
static struct adapter *create_subordinate(const DEVICE_DESCRIPTION *description)
{
    if ((unsigned)description->DmaWidth > WidthNoWrap) {
        (void)refuse(STATUS_UNSUCCESSFUL, "DmaWidth is {0}, which is no DMA_WIDTH",
                     (unsigned)description->DmaWidth, 0);
        return NULL;
    }
    struct channel *channel =
        controller_bind(description->DmaRequestLine, description->DmaChannel, description->DmaWidth);

    if (channel == NULL) {
        (void)refuse(STATUS_UNSUCCESSFUL,
                     "no controller serves DmaRequestLine {0} by DmaChannel {1} in this DmaWidth",
                     description->DmaRequestLine, description->DmaChannel);
        return NULL;
    }
    struct adapter *adapter = take_adapter(description);

    if (adapter != NULL) {
        adapter->ignore_count = description->IgnoreCount; /* IGA-14 */
        adapter->looped = description->AutoInitialize;    /* IGA-23 */
        adapter->channel = channel;
        adapter->width = description->DmaWidth;
        adapter->request_line = description->DmaRequestLine;
        adapter->device_address = description->DeviceAddress;
        describe_channel(adapter);
    }
    return adapter;
}

static struct adapter *create(const DEVICE_DESCRIPTION *description)
{
    if (!is_served(description)) {
        return NULL;
    }
    return description->Master ? create_master(description) : create_subordinate(description);
}

PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject, PDEVICE_DESCRIPTION DeviceDescription,
                             PULONG NumberOfMapRegisters)
{
    (void)PhysicalDeviceObject; /* GEN-15 */

    struct routine_call call = routine_enter(OPLOG_IoGetDmaAdapter, NULL, PASSIVE_LEVEL, PASSIVE_LEVEL);

    routine_arguments((uintptr_t)PhysicalDeviceObject, (uintptr_t)DeviceDescription,
                      (uintptr_t)NumberOfMapRegisters);
    struct adapter *adapter = NULL;

    if (DeviceDescription != NULL && NumberOfMapRegisters != NULL) { /* IGA-26 */
        adapter = create(DeviceDescription);
    } else {
        (void)refuse(STATUS_UNSUCCESSFUL, "DeviceDescription or NumberOfMapRegisters is NULL", 0, 0);
    }
    if (adapter != NULL) {
        *NumberOfMapRegisters = adapter->register_maximum;
        oplog_adapter(&adapter->public, adapter->master ? OPLOG_BUS_MASTER : adapter->channel->number);
    }
    call.adapter = adapter;
    routine_leave(call, adapter != NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL, 0, 0);
    return adapter != NULL ? &adapter->public : NULL;
}

/* ---- PutDmaAdapter ---- */

VOID dma_put_adapter(PDMA_ADAPTER DmaAdapter)
{
    struct routine_call call = routine_enter(OPLOG_PutDmaAdapter, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct adapter *adapter = adapter_find(DmaAdapter);

    if (adapter != NULL) {
        requests_end_all(adapter);
        common_buffers_leave(adapter);
        adapter->live = false;
        requests_grant();
    }
    routine_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(PutDmaAdapter, dma_put_adapter);
