/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include "check.h"

PDMA_OPERATIONS dma;

void driver_start_with(const struct dma_controller *controller)
{
    CHECK(dma_initialize(controller, 1));
    dma = dma_operations_table();
}

void driver_start(void)
{
    struct dma_controller controller = scripted_describe();

    fake_reset();
    driver_start_with(&controller);
}

PDMA_ADAPTER driver_adapter(ULONG channel)
{
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .InterfaceType = InterfaceTypeUndefined,
                                      .DmaChannel = channel,
                                      .DmaRequestLine = 1,
                                      .MaximumLength = 16 * FAKE_PAGE,
                                      .DeviceAddress = {.QuadPart = DRIVER_REGISTER}};
    ULONG registers;
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &description, &registers);

    CHECK(adapter != NULL);
    return adapter;
}

PDMA_ADAPTER driver_master_of(ULONG address_bits, BOOLEAN scatter_gather, PULONG registers)
{
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .ScatterGather = scatter_gather,
                                      .InterfaceType = InterfaceTypeUndefined,
                                      .MaximumLength = 15 * FAKE_PAGE,
                                      .DmaAddressWidth = address_bits};
    ULONG most;
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &description, registers != NULL ? registers : &most);

    CHECK(adapter != NULL);
    return adapter;
}

PDMA_ADAPTER driver_master(void)
{
    return driver_master_of(32, TRUE, NULL);
}

PVOID driver_hold(PDMA_ADAPTER adapter, ULONG registers)
{
    static _Alignas(8) UCHAR contexts[8][DMA_TRANSFER_CONTEXT_SIZE_V1];
    static size_t next;
    UCHAR *context = contexts[next++ % 8];
    PVOID base = NULL;

    CHECK_EQ(dma->InitializeDmaTransferContext(adapter, context), STATUS_SUCCESS);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, NULL, context, registers, DMA_SYNCHRONOUS_CALLBACK, NULL,
                                           NULL, &base),
             STATUS_SUCCESS);
    return base;
}

size_t driver_maintenance(void)
{
    return fake_count(FAKE_CLEAN) + fake_count(FAKE_INVALIDATE) + fake_count(FAKE_CLEAN_INVALIDATE);
}

PMDL driver_mdl(size_t offset, ULONG length)
{
    PMDL mdl = IoAllocateMdl(&fake_memory[offset], length, FALSE, FALSE, NULL);

    CHECK(mdl != NULL);
    MmBuildMdlForNonPagedPool(mdl);
    return mdl;
}

KIRQL driver_raise(void)
{
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    return old;
}

size_t driver_violations(uint32_t code)
{
    return fake_count_id(FAKE_VIOLATION, code);
}
