/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's source as it is written for Windows, types spelled out: every member of the table is called
 * through a pointer of the documented type, and what is not the same type does not compile.
 */
#include <wdm.h>

#include "check.h"
#include "driver.h"

#define MEMBER(member, type)                                                                                   \
    _Static_assert(_Generic(((PDMA_OPERATIONS)0)->member, type: 1, default: 0), #member)

MEMBER(PutDmaAdapter, VOID (*)(PDMA_ADAPTER));
MEMBER(AllocateCommonBuffer, PVOID (*)(PDMA_ADAPTER, ULONG, PPHYSICAL_ADDRESS, BOOLEAN));
MEMBER(FreeCommonBuffer, VOID (*)(PDMA_ADAPTER, ULONG, PHYSICAL_ADDRESS, PVOID, BOOLEAN));
MEMBER(AllocateAdapterChannel, NTSTATUS (*)(PDMA_ADAPTER, PDEVICE_OBJECT, ULONG, PDRIVER_CONTROL, PVOID));
MEMBER(FlushAdapterBuffers, BOOLEAN (*)(PDMA_ADAPTER, PMDL, PVOID, PVOID, ULONG, BOOLEAN));
MEMBER(FreeAdapterChannel, VOID (*)(PDMA_ADAPTER));
MEMBER(FreeMapRegisters, VOID (*)(PDMA_ADAPTER, PVOID, ULONG));
MEMBER(MapTransfer, PHYSICAL_ADDRESS (*)(PDMA_ADAPTER, PMDL, PVOID, PVOID, PULONG, BOOLEAN));
MEMBER(GetDmaAlignment, ULONG (*)(PDMA_ADAPTER));
MEMBER(ReadDmaCounter, ULONG (*)(PDMA_ADAPTER));
MEMBER(GetScatterGatherList,
       NTSTATUS (*)(PDMA_ADAPTER, PDEVICE_OBJECT, PMDL, PVOID, ULONG, PDRIVER_LIST_CONTROL, PVOID, BOOLEAN));
MEMBER(PutScatterGatherList, VOID (*)(PDMA_ADAPTER, PSCATTER_GATHER_LIST, BOOLEAN));
MEMBER(CalculateScatterGatherList, NTSTATUS (*)(PDMA_ADAPTER, PMDL, PVOID, ULONG, PULONG, PULONG));
MEMBER(BuildScatterGatherList, NTSTATUS (*)(PDMA_ADAPTER, PDEVICE_OBJECT, PMDL, PVOID, ULONG,
                                            PDRIVER_LIST_CONTROL, PVOID, BOOLEAN, PVOID, ULONG));
MEMBER(BuildMdlFromScatterGatherList, NTSTATUS (*)(PDMA_ADAPTER, PSCATTER_GATHER_LIST, PMDL, PMDL *));
MEMBER(GetDmaAdapterInfo, NTSTATUS (*)(PDMA_ADAPTER, PDMA_ADAPTER_INFO));
MEMBER(GetDmaTransferInfo, NTSTATUS (*)(PDMA_ADAPTER, PMDL, ULONGLONG, ULONG, BOOLEAN, PDMA_TRANSFER_INFO));
MEMBER(InitializeDmaTransferContext, NTSTATUS (*)(PDMA_ADAPTER, PVOID));
MEMBER(AllocateCommonBufferEx,
       PVOID (*)(PDMA_ADAPTER, PPHYSICAL_ADDRESS, ULONG, PPHYSICAL_ADDRESS, BOOLEAN, ULONG));
MEMBER(AllocateAdapterChannelEx,
       NTSTATUS (*)(PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, ULONG, ULONG, PDRIVER_CONTROL, PVOID, PVOID *));
MEMBER(ConfigureAdapterChannel, NTSTATUS (*)(PDMA_ADAPTER, ULONG, PVOID));
MEMBER(CancelAdapterChannel, BOOLEAN (*)(PDMA_ADAPTER, PDEVICE_OBJECT, PVOID));
MEMBER(MapTransferEx, NTSTATUS (*)(PDMA_ADAPTER, PMDL, PVOID, ULONGLONG, ULONG, PULONG, BOOLEAN,
                                   PSCATTER_GATHER_LIST, ULONG, PDMA_COMPLETION_ROUTINE, PVOID));
MEMBER(GetScatterGatherListEx,
       NTSTATUS (*)(PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, PMDL, ULONGLONG, ULONG, ULONG, PDRIVER_LIST_CONTROL,
                    PVOID, BOOLEAN, PDMA_COMPLETION_ROUTINE, PVOID, PSCATTER_GATHER_LIST *));
MEMBER(BuildScatterGatherListEx,
       NTSTATUS (*)(PDMA_ADAPTER, PDEVICE_OBJECT, PVOID, PMDL, ULONGLONG, ULONG, ULONG, PDRIVER_LIST_CONTROL,
                    PVOID, BOOLEAN, PVOID, ULONG, PDMA_COMPLETION_ROUTINE, PVOID, PVOID));
MEMBER(FlushAdapterBuffersEx, NTSTATUS (*)(PDMA_ADAPTER, PMDL, PVOID, ULONGLONG, ULONG, BOOLEAN));
MEMBER(FreeAdapterObject, VOID (*)(PDMA_ADAPTER, IO_ALLOCATION_ACTION));
MEMBER(CancelMappedTransfer, NTSTATUS (*)(PDMA_ADAPTER, PVOID));

/* ---- pattern D, a packet of a subordinate device ---- */

typedef struct _DEVICE_EXTENSION {
    PDMA_ADAPTER DmaAdapter;
    PMDL Mdl;
    PVOID MapRegisterBase;
    ULONG Length;
    DMA_COMPLETION_STATUS Status;
    BOOLEAN Completed;
    ULONGLONG DmaTransferContext[DMA_TRANSFER_CONTEXT_SIZE_V1 / sizeof(ULONGLONG)];
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

DRIVER_CONTROL AdapterControl;
DMA_COMPLETION_ROUTINE DmaCompletionRoutine;

VOID DmaCompletionRoutine(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext,
                          DMA_COMPLETION_STATUS Status)
{
    PDEVICE_EXTENSION extension = (PDEVICE_EXTENSION)CompletionContext;
    PDMA_OPERATIONS operations = DmaAdapter->DmaOperations;

    (void)DeviceObject;
    extension->Status = Status;
    extension->Completed = NT_SUCCESS(operations->FlushAdapterBuffersEx(
        DmaAdapter, extension->Mdl, extension->MapRegisterBase, 0, extension->Length, FALSE));
    operations->FreeAdapterObject(DmaAdapter, DeallocateObject);
}

IO_ALLOCATION_ACTION AdapterControl(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    PDEVICE_EXTENSION extension = (PDEVICE_EXTENSION)Context;

    (void)DeviceObject, (void)Irp;
    extension->MapRegisterBase = MapRegisterBase;
    CHECK(NT_SUCCESS(extension->DmaAdapter->DmaOperations->MapTransferEx(
        extension->DmaAdapter, extension->Mdl, MapRegisterBase, 0, 0, &extension->Length, FALSE, NULL, 0,
        DmaCompletionRoutine, extension)));
    return KeepObject;
}

TEST(a_driver_for_windows_compiles_and_runs, "BMT-01")
{
    static DEVICE_EXTENSION extension;
    static DEVICE_OBJECT device;
    DEVICE_DESCRIPTION description = {0};
    ULONG registers;
    KIRQL irql;

    driver_start();
    description.Version = DEVICE_DESCRIPTION_VERSION3;
    description.InterfaceType = ACPIBus;
    description.DmaWidth = Width8Bits;
    description.MaximumLength = 64;
    description.DeviceAddress.QuadPart = DRIVER_REGISTER;
    extension.DmaAdapter = IoGetDmaAdapter(&device, &description, &registers);
    CHECK(extension.DmaAdapter != NULL);
    PDMA_OPERATIONS operations = extension.DmaAdapter->DmaOperations;

    CHECK(NT_SUCCESS(
        operations->InitializeDmaTransferContext(extension.DmaAdapter, extension.DmaTransferContext)));
    extension.Mdl = IoAllocateMdl(fake_memory, 64, FALSE, FALSE, NULL);
    extension.Length = MmGetMdlByteCount(extension.Mdl);
    MmBuildMdlForNonPagedPool(extension.Mdl);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    CHECK(NT_SUCCESS(operations->AllocateAdapterChannelEx(extension.DmaAdapter, &device,
                                                          extension.DmaTransferContext, registers, 0,
                                                          AdapterControl, &extension, NULL)));
    KeLowerIrql(irql);
    CHECK(!extension.Completed);
    scripted_end(0, InterruptTypeCompletion);
    CHECK(extension.Completed && extension.Status == DmaComplete);
    operations->PutDmaAdapter(extension.DmaAdapter);
    IoFreeMdl(extension.Mdl);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, NULL);
}
