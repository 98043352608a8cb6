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
