/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version 3 of the DMA operations interface: types, structures, constants and prototypes, so that
 * driver source written for it compiles unchanged. Names are the interface's own.
 *
 * A driver obtains an adapter with IoGetDmaAdapter() and reaches every other routine through
 * adapter->DmaOperations. Lengths and offsets are bytes. ULONG has 32 bits on every target.
 *
 * One transfer of a subordinate device, in the order of the calls:
 *
 *     IoGetDmaAdapter                       PASSIVE_LEVEL, once a device
 *     GetDmaTransferInfo                    how many registers and list bytes a buffer needs
 *     InitializeDmaTransferContext          before each request
 *     AllocateAdapterChannelEx              DISPATCH_LEVEL; calls AdapterControl when granted
 *     MapTransferEx                         starts the transfer; *Length says how much of it
 *     (completion routine)                  DISPATCH_LEVEL
 *     FlushAdapterBuffersEx                 before the CPU touches the buffer or maps again
 *     FreeAdapterChannel                    DISPATCH_LEVEL
 *     PutDmaAdapter                         once, at the end
 *
 * The layer does all cache maintenance of the buffer inside MapTransferEx and
 * FlushAdapterBuffersEx; between the two the CPU must not touch it.
 */
#ifndef WDM_DMA_H
#define WDM_DMA_H

#include <wdm_io.h>

EXTERN_C_START

/* ---- device registers ---- */

/* A 32-bit device register, after everything before it and before everything after it. Device
 * registers are mapped at their physical addresses. */
ULONG READ_REGISTER_ULONG(_In_ volatile ULONG *Register);
void WRITE_REGISTER_ULONG(_In_ volatile ULONG *Register, _In_ ULONG Value);

/* ---- pages and memory descriptor lists ---- */

#define PAGE_SIZE            4096u
#define PAGE_SHIFT           12
#define BYTE_OFFSET(address) ((ULONG)((ULONG_PTR)(address) & (PAGE_SIZE - 1)))
#define PAGE_ALIGN(address)  ((PVOID)((ULONG_PTR)(address) & ~(ULONG_PTR)(PAGE_SIZE - 1)))
#define ROUND_TO_PAGES(size) (((ULONG_PTR)(size) + PAGE_SIZE - 1) & ~(ULONG_PTR)(PAGE_SIZE - 1))
#define BYTES_TO_PAGES(size) ((ULONG)(ROUND_TO_PAGES(size) >> PAGE_SHIFT))
#define ADDRESS_AND_SIZE_TO_SPAN_PAGES(address, size)                                                          \
    ((ULONG)(((ULONG_PTR)BYTE_OFFSET(address) + (size) + (PAGE_SIZE - 1)) >> PAGE_SHIFT))

#define MDL_MAPPED_TO_SYSTEM_VA     0x0001
#define MDL_PAGES_LOCKED            0x0002
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004
#define MDL_PARTIAL                 0x0010
#define MDL_IO_SPACE                0x0800 /* the CPU's mapping is not cached: no cache maintenance */

/* One virtually contiguous buffer; its page numbers follow the structure. Drivers use only Next
 * and MdlFlags directly. */
struct _MDL {
    struct _MDL *Next;
    CSHORT Size; /* with the page numbers */
    CSHORT MdlFlags;
    PVOID Process; /* the layer's */
    PVOID MappedSystemVa;
    PVOID StartVa; /* page aligned */
    ULONG ByteCount;
    ULONG ByteOffset;
};

#define MmGetMdlByteCount(mdl)      ((mdl)->ByteCount)
#define MmGetMdlByteOffset(mdl)     ((mdl)->ByteOffset)
#define MmGetMdlVirtualAddress(mdl) ((PVOID)((ULONG_PTR)(mdl)->StartVa + (mdl)->ByteOffset))
#define MmGetMdlPfnArray(mdl)       ((PPFN_NUMBER)((mdl) + 1))

/* NULL if Length is 0 or too large for one MDL (about 31 MiB), or the heap is exhausted. Pages are not
 * filled in yet. SecondaryBuffer, ChargeQuota and Irp are accepted and not used: chain through Next. */
PMDL IoAllocateMdl(_In_opt_ PVOID VirtualAddress, _In_ ULONG Length, _In_ BOOLEAN SecondaryBuffer,
                   _In_ BOOLEAN ChargeQuota, _Inout_ PIRP Irp);

/* What IoAllocateMdl() gave; once it is no part of a live mapping. */
void IoFreeMdl(PMDL Mdl);

/* Fill in the page numbers of resident memory. Required before any DMA routine sees the MDL. */
void MmBuildMdlForNonPagedPool(_Inout_ PMDL Mdl);

/* ---- enumerations ---- */

typedef enum _DMA_COMPLETION_STATUS {
    DmaComplete,
    DmaAborted, /* never reported */
    DmaError,
    DmaCancelled
} DMA_COMPLETION_STATUS;

typedef enum _IO_ALLOCATION_ACTION {
    KeepObject = 1,
    DeallocateObject,
    DeallocateObjectKeepRegisters
} IO_ALLOCATION_ACTION;

typedef enum _DMA_WIDTH {
    Width8Bits,
    Width16Bits,
    Width32Bits,
    Width64Bits,
    WidthNoWrap,
    MaximumDmaWidth
} DMA_WIDTH;

typedef enum _DMA_SPEED { Compatible, TypeA, TypeB, TypeC, TypeF, MaximumDmaSpeed } DMA_SPEED;

typedef enum _INTERFACE_TYPE {
    InterfaceTypeUndefined = -1,
    Internal,
    Isa,
    Eisa,
    MicroChannel,
    TurboChannel,
    PCIBus,
    VMEBus,
    NuBus,
    PCMCIABus,
    CBus,
    MPIBus,
    MPSABus,
    ProcessorInternal,
    InternalPowerBus,
    PNPISABus,
    PNPBus,
    Vmcs,
    ACPIBus,
    MaximumInterfaceType
} INTERFACE_TYPE;

/* ---- structures ---- */

#define DEVICE_DESCRIPTION_VERSION  0
#define DEVICE_DESCRIPTION_VERSION1 1
#define DEVICE_DESCRIPTION_VERSION2 2
#define DEVICE_DESCRIPTION_VERSION3 3

/* Zero it before setting members; read only during IoGetDmaAdapter(). */
typedef struct _DEVICE_DESCRIPTION {
    ULONG Version;
    BOOLEAN Master; /* FALSE: a request line of a system DMA controller moves the data */
    BOOLEAN ScatterGather;
    BOOLEAN DemandMode;
    BOOLEAN AutoInitialize;
    BOOLEAN Dma32BitAddresses;
    BOOLEAN IgnoreCount; /* the controller's byte counter is not trustworthy */
    BOOLEAN Reserved1;
    BOOLEAN Dma64BitAddresses;
    ULONG BusNumber;
    ULONG DmaChannel;
    INTERFACE_TYPE InterfaceType;
    DMA_WIDTH DmaWidth; /* of the device's data register */
    DMA_SPEED DmaSpeed;
    ULONG MaximumLength; /* bytes a transfer; sizes the map registers */
    ULONG DmaPort;
    ULONG DmaAddressWidth;
    ULONG DmaControllerInstance;
    ULONG DmaRequestLine;
    PHYSICAL_ADDRESS DeviceAddress; /* of the data register */
} DEVICE_DESCRIPTION, *PDEVICE_DESCRIPTION;

typedef struct _SCATTER_GATHER_ELEMENT {
    PHYSICAL_ADDRESS Address; /* logical */
    ULONG Length;
    ULONG_PTR Reserved;
} SCATTER_GATHER_ELEMENT, *PSCATTER_GATHER_ELEMENT;

typedef struct _SCATTER_GATHER_LIST {
    ULONG NumberOfElements;
    ULONG_PTR Reserved;
    SCATTER_GATHER_ELEMENT Elements[];
} SCATTER_GATHER_LIST, *PSCATTER_GATHER_LIST;

#define DMA_ADAPTER_INFO_VERSION1 1

typedef struct _DMA_ADAPTER_INFO_V1 {
    ULONG ReadDmaCounterAvailable;
    ULONG ScatterGatherLimit;
    ULONG DmaAddressWidth;
    ULONG Flags;
    ULONG MinimumTransferUnit;
} DMA_ADAPTER_INFO_V1, *PDMA_ADAPTER_INFO_V1;

typedef struct _DMA_ADAPTER_INFO {
    ULONG Version;
    union {
        DMA_ADAPTER_INFO_V1 V1;
    };
} DMA_ADAPTER_INFO, *PDMA_ADAPTER_INFO;

#define DMA_TRANSFER_INFO_VERSION1 1
#define DMA_TRANSFER_INFO_VERSION2 2

typedef struct _DMA_TRANSFER_INFO_V1 {
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize; /* bytes */
} DMA_TRANSFER_INFO_V1, *PDMA_TRANSFER_INFO_V1;

typedef struct _DMA_TRANSFER_INFO_V2 {
    ULONG MapRegisterCount;
    ULONG ScatterGatherElementCount;
    ULONG ScatterGatherListSize;
    ULONG LogicalPageCount;
} DMA_TRANSFER_INFO_V2, *PDMA_TRANSFER_INFO_V2;

typedef struct _DMA_TRANSFER_INFO {
    ULONG Version; /* set by the caller */
    union {
        DMA_TRANSFER_INFO_V1 V1;
        DMA_TRANSFER_INFO_V2 V2;
    };
} DMA_TRANSFER_INFO, *PDMA_TRANSFER_INFO;

/* A transfer context is an opaque buffer of the driver, aligned to 8 bytes. */
#define DMA_TRANSFER_CONTEXT_VERSION1 1
#if UINTPTR_MAX > 0xFFFFFFFFu
#define DMA_TRANSFER_CONTEXT_SIZE_V1 128
#else
#define DMA_TRANSFER_CONTEXT_SIZE_V1 64
#endif

#define DMA_SYNCHRONOUS_CALLBACK 0x1

typedef struct _DMA_OPERATIONS DMA_OPERATIONS, *PDMA_OPERATIONS;

struct _DMA_ADAPTER {
    USHORT Version; /* 1 for every version of the interface */
    USHORT Size;
    PDMA_OPERATIONS DmaOperations;
};

/* ---- callbacks, entered at DISPATCH_LEVEL ---- */

typedef IO_ALLOCATION_ACTION DRIVER_CONTROL(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase,
                                            PVOID Context);
typedef VOID DRIVER_LIST_CONTROL(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather,
                                 PVOID Context);
typedef VOID DMA_COMPLETION_ROUTINE(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                    PVOID CompletionContext, DMA_COMPLETION_STATUS Status);
typedef DRIVER_CONTROL *PDRIVER_CONTROL;
typedef DRIVER_LIST_CONTROL *PDRIVER_LIST_CONTROL;
typedef DMA_COMPLETION_ROUTINE *PDMA_COMPLETION_ROUTINE;

/* ---- the table of a version-3 adapter ---- */

typedef VOID (*PPUT_DMA_ADAPTER)(PDMA_ADAPTER DmaAdapter);
typedef PVOID (*PALLOCATE_COMMON_BUFFER)(PDMA_ADAPTER DmaAdapter, ULONG Length,
                                         PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled);
typedef VOID (*PFREE_COMMON_BUFFER)(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress,
                                    PVOID VirtualAddress, BOOLEAN CacheEnabled);
typedef NTSTATUS (*PALLOCATE_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                              ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine,
                                              PVOID Context);
typedef BOOLEAN (*PFLUSH_ADAPTER_BUFFERS)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                          PVOID CurrentVa, ULONG Length, BOOLEAN WriteToDevice);
typedef VOID (*PFREE_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter);
typedef VOID (*PFREE_MAP_REGISTERS)(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters);
typedef PHYSICAL_ADDRESS (*PMAP_TRANSFER)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                          PVOID CurrentVa, PULONG Length, BOOLEAN WriteToDevice);
typedef ULONG (*PGET_DMA_ALIGNMENT)(PDMA_ADAPTER DmaAdapter);
typedef ULONG (*PREAD_DMA_COUNTER)(PDMA_ADAPTER DmaAdapter);
typedef NTSTATUS (*PGET_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                             PVOID CurrentVa, ULONG Length,
                                             PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                             BOOLEAN WriteToDevice);
typedef VOID (*PPUT_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                         BOOLEAN WriteToDevice);
typedef NTSTATUS (*PCALCULATE_SCATTER_GATHER_LIST_SIZE)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa,
                                                        ULONG Length, PULONG ScatterGatherListSize,
                                                        PULONG NumberOfMapRegisters);
typedef NTSTATUS (*PBUILD_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                               PVOID CurrentVa, ULONG Length,
                                               PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                               BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                               ULONG ScatterGatherLength);
typedef NTSTATUS (*PBUILD_MDL_FROM_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter,
                                                        PSCATTER_GATHER_LIST ScatterGather, PMDL OriginalMdl,
                                                        PMDL *TargetMdl);
typedef NTSTATUS (*PGET_DMA_ADAPTER_INFO)(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo);
typedef NTSTATUS (*PGET_DMA_TRANSFER_INFO)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                           BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo);
typedef NTSTATUS (*PINITIALIZE_DMA_TRANSFER_CONTEXT)(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
typedef PVOID (*PALLOCATE_COMMON_BUFFER_EX)(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress,
                                            ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                            BOOLEAN CacheEnabled, ULONG PreferredNode);
typedef NTSTATUS (*PALLOCATE_ADAPTER_CHANNEL_EX)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                                 PVOID DmaTransferContext, ULONG NumberOfMapRegisters,
                                                 ULONG Flags, PDRIVER_CONTROL ExecutionRoutine,
                                                 PVOID ExecutionContext, PVOID *MapRegisterBase);
typedef NTSTATUS (*PCONFIGURE_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context);
typedef BOOLEAN (*PCANCEL_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                           PVOID DmaTransferContext);
typedef NTSTATUS (*PMAP_TRANSFER_EX)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                                     ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                                     PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                                     PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext);
typedef NTSTATUS (*PGET_SCATTER_GATHER_LIST_EX)(
    PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset,
    ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice,
    PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext,
    PSCATTER_GATHER_LIST *ScatterGatherList);
typedef NTSTATUS (*PBUILD_SCATTER_GATHER_LIST_EX)(
    PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset,
    ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice,
    PVOID ScatterGatherBuffer, ULONG ScatterGatherLength, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
    PVOID CompletionContext, PVOID ScatterGatherList);
typedef NTSTATUS (*PFLUSH_ADAPTER_BUFFERS_EX)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                              ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice);
typedef VOID (*PFREE_ADAPTER_OBJECT)(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction);
typedef NTSTATUS (*PCANCEL_MAPPED_TRANSFER)(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);

struct _DMA_OPERATIONS {
    ULONG Size; /* of the table: a member past it does not exist */
    PPUT_DMA_ADAPTER PutDmaAdapter;
    PALLOCATE_COMMON_BUFFER AllocateCommonBuffer;
    PFREE_COMMON_BUFFER FreeCommonBuffer;
    PALLOCATE_ADAPTER_CHANNEL AllocateAdapterChannel;
    PFLUSH_ADAPTER_BUFFERS FlushAdapterBuffers;
    PFREE_ADAPTER_CHANNEL FreeAdapterChannel;
    PFREE_MAP_REGISTERS FreeMapRegisters;
    PMAP_TRANSFER MapTransfer;
    PGET_DMA_ALIGNMENT GetDmaAlignment;
    PREAD_DMA_COUNTER ReadDmaCounter;
    PGET_SCATTER_GATHER_LIST GetScatterGatherList;
    PPUT_SCATTER_GATHER_LIST PutScatterGatherList;
    PCALCULATE_SCATTER_GATHER_LIST_SIZE CalculateScatterGatherList;
    PBUILD_SCATTER_GATHER_LIST BuildScatterGatherList;
    PBUILD_MDL_FROM_SCATTER_GATHER_LIST BuildMdlFromScatterGatherList;
    PGET_DMA_ADAPTER_INFO GetDmaAdapterInfo;
    PGET_DMA_TRANSFER_INFO GetDmaTransferInfo;
    PINITIALIZE_DMA_TRANSFER_CONTEXT InitializeDmaTransferContext;
    PALLOCATE_COMMON_BUFFER_EX AllocateCommonBufferEx;
    PALLOCATE_ADAPTER_CHANNEL_EX AllocateAdapterChannelEx;
    PCONFIGURE_ADAPTER_CHANNEL ConfigureAdapterChannel;
    PCANCEL_ADAPTER_CHANNEL CancelAdapterChannel;
    PMAP_TRANSFER_EX MapTransferEx;
    PGET_SCATTER_GATHER_LIST_EX GetScatterGatherListEx;
    PBUILD_SCATTER_GATHER_LIST_EX BuildScatterGatherListEx;
    PFLUSH_ADAPTER_BUFFERS_EX FlushAdapterBuffersEx;
    PFREE_ADAPTER_OBJECT FreeAdapterObject;
    PCANCEL_MAPPED_TRANSFER CancelMappedTransfer;
};

/* PASSIVE_LEVEL. NULL if the version is not 3, no controller serves the request line, or it does not
 * support the width. *NumberOfMapRegisters: the most registers that one request may own. */
PDMA_ADAPTER IoGetDmaAdapter(_In_opt_ PDEVICE_OBJECT PhysicalDeviceObject,
                             _In_ PDEVICE_DESCRIPTION DeviceDescription, _Out_ PULONG NumberOfMapRegisters);

/* For drivers of versions 1 and 2, before each transfer: with version 3 the layer does it. One MDL, not its
 * chain. At most DISPATCH_LEVEL. */
VOID KeFlushIoBuffers(_In_ PMDL Mdl, _In_ BOOLEAN ReadOperation, _In_ BOOLEAN DmaOperation);

EXTERN_C_END

/* ---- layout, STR-01 ---- */

#define WDM_LAYOUT(size32, size64) (sizeof(void *) == 4 ? (size32) : (size64))
#define WDM_ASSERT_SIZE(type, size32, size64)                                                                  \
    _Static_assert(sizeof(type) == WDM_LAYOUT(size32, size64), "size of " #type)
#define WDM_ASSERT_OFFSET(type, member, offset32, offset64)                                                    \
    _Static_assert(offsetof(type, member) == WDM_LAYOUT(offset32, offset64), "offset of " #type "." #member)
#define WDM_ASSERT_VALUE(name, value)    _Static_assert((int)(name) == (value), "value of " #name)
#define WDM_ASSERT_MEMBER(index, member) WDM_ASSERT_OFFSET(DMA_OPERATIONS, member, 4 * (index), 8 * (index))

WDM_ASSERT_SIZE(BOOLEAN, 1, 1);
WDM_ASSERT_SIZE(USHORT, 2, 2);
WDM_ASSERT_SIZE(ULONG, 4, 4);
WDM_ASSERT_SIZE(PHYSICAL_ADDRESS, 8, 8);
WDM_ASSERT_SIZE(ULONG_PTR, 4, 8);
_Static_assert(_Alignof(PHYSICAL_ADDRESS) == 8, "alignment of PHYSICAL_ADDRESS");

WDM_ASSERT_SIZE(DMA_ADAPTER, 8, 16);
WDM_ASSERT_OFFSET(DMA_ADAPTER, Version, 0, 0);
WDM_ASSERT_OFFSET(DMA_ADAPTER, Size, 2, 2);
WDM_ASSERT_OFFSET(DMA_ADAPTER, DmaOperations, 4, 8);

WDM_ASSERT_SIZE(DEVICE_DESCRIPTION, 64, 64);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, Version, 0, 0);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, Master, 4, 4);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, ScatterGather, 5, 5);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DemandMode, 6, 6);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, AutoInitialize, 7, 7);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, Dma32BitAddresses, 8, 8);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, IgnoreCount, 9, 9);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, Reserved1, 10, 10);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, Dma64BitAddresses, 11, 11);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, BusNumber, 12, 12);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaChannel, 16, 16);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, InterfaceType, 20, 20);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaWidth, 24, 24);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaSpeed, 28, 28);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, MaximumLength, 32, 32);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaPort, 36, 36);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaAddressWidth, 40, 40);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaControllerInstance, 44, 44);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DmaRequestLine, 48, 48);
WDM_ASSERT_OFFSET(DEVICE_DESCRIPTION, DeviceAddress, 56, 56);

WDM_ASSERT_SIZE(SCATTER_GATHER_ELEMENT, 16, 24);
WDM_ASSERT_OFFSET(SCATTER_GATHER_ELEMENT, Address, 0, 0);
WDM_ASSERT_OFFSET(SCATTER_GATHER_ELEMENT, Length, 8, 8);
WDM_ASSERT_OFFSET(SCATTER_GATHER_ELEMENT, Reserved, 12, 16);
WDM_ASSERT_SIZE(SCATTER_GATHER_LIST, 8, 16); /* STR-03, STR-04 */
WDM_ASSERT_OFFSET(SCATTER_GATHER_LIST, NumberOfElements, 0, 0);
WDM_ASSERT_OFFSET(SCATTER_GATHER_LIST, Reserved, 4, 8);
WDM_ASSERT_OFFSET(SCATTER_GATHER_LIST, Elements, 8, 16);

WDM_ASSERT_SIZE(DMA_ADAPTER_INFO_V1, 20, 20);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO_V1, ReadDmaCounterAvailable, 0, 0);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO_V1, ScatterGatherLimit, 4, 4);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO_V1, DmaAddressWidth, 8, 8);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO_V1, Flags, 12, 12);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO_V1, MinimumTransferUnit, 16, 16);
WDM_ASSERT_SIZE(DMA_ADAPTER_INFO, 24, 24);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO, Version, 0, 0);
WDM_ASSERT_OFFSET(DMA_ADAPTER_INFO, V1, 4, 4);

WDM_ASSERT_SIZE(DMA_TRANSFER_INFO_V1, 12, 12);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V1, MapRegisterCount, 0, 0);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V1, ScatterGatherElementCount, 4, 4);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V1, ScatterGatherListSize, 8, 8);
WDM_ASSERT_SIZE(DMA_TRANSFER_INFO_V2, 16, 16);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V2, MapRegisterCount, 0, 0);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V2, ScatterGatherElementCount, 4, 4);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V2, ScatterGatherListSize, 8, 8);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO_V2, LogicalPageCount, 12, 12);
WDM_ASSERT_SIZE(DMA_TRANSFER_INFO, 20, 20);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO, Version, 0, 0);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO, V1, 4, 4);
WDM_ASSERT_OFFSET(DMA_TRANSFER_INFO, V2, 4, 4);
_Static_assert(DMA_TRANSFER_CONTEXT_SIZE_V1 == WDM_LAYOUT(64, 128), "ITC-02");

WDM_ASSERT_SIZE(MDL, 28, 48);
WDM_ASSERT_OFFSET(MDL, Next, 0, 0);
WDM_ASSERT_OFFSET(MDL, Size, 4, 8);
WDM_ASSERT_OFFSET(MDL, MdlFlags, 6, 10);
WDM_ASSERT_OFFSET(MDL, Process, 8, 16);
WDM_ASSERT_OFFSET(MDL, MappedSystemVa, 12, 24);
WDM_ASSERT_OFFSET(MDL, StartVa, 16, 32);
WDM_ASSERT_OFFSET(MDL, ByteCount, 20, 40);
WDM_ASSERT_OFFSET(MDL, ByteOffset, 24, 44);
WDM_ASSERT_SIZE(PFN_NUMBER, 4, 8);

/* Enumerations have the size of an int; the values of docs/interface.md, table 5. */
WDM_ASSERT_SIZE(DMA_COMPLETION_STATUS, 4, 4);
WDM_ASSERT_SIZE(IO_ALLOCATION_ACTION, 4, 4);
WDM_ASSERT_SIZE(DMA_WIDTH, 4, 4);
WDM_ASSERT_SIZE(DMA_SPEED, 4, 4);
WDM_ASSERT_SIZE(INTERFACE_TYPE, 4, 4);
WDM_ASSERT_VALUE(DmaComplete, 0);
WDM_ASSERT_VALUE(DmaAborted, 1);
WDM_ASSERT_VALUE(DmaError, 2);
WDM_ASSERT_VALUE(DmaCancelled, 3);
WDM_ASSERT_VALUE(KeepObject, 1);
WDM_ASSERT_VALUE(DeallocateObject, 2);
WDM_ASSERT_VALUE(DeallocateObjectKeepRegisters, 3);
WDM_ASSERT_VALUE(Width8Bits, 0);
WDM_ASSERT_VALUE(Width16Bits, 1);
WDM_ASSERT_VALUE(Width32Bits, 2);
WDM_ASSERT_VALUE(Width64Bits, 3);
WDM_ASSERT_VALUE(WidthNoWrap, 4);
WDM_ASSERT_VALUE(MaximumDmaWidth, 5);
WDM_ASSERT_VALUE(Compatible, 0);
WDM_ASSERT_VALUE(TypeA, 1);
WDM_ASSERT_VALUE(TypeB, 2);
WDM_ASSERT_VALUE(TypeC, 3);
WDM_ASSERT_VALUE(TypeF, 4);
WDM_ASSERT_VALUE(MaximumDmaSpeed, 5);
WDM_ASSERT_VALUE(InterfaceTypeUndefined, -1);
WDM_ASSERT_VALUE(Internal, 0);
WDM_ASSERT_VALUE(Isa, 1);
WDM_ASSERT_VALUE(PCIBus, 5);
WDM_ASSERT_VALUE(PNPBus, 15);
WDM_ASSERT_VALUE(Vmcs, 16);
WDM_ASSERT_VALUE(ACPIBus, 17);
WDM_ASSERT_VALUE(MaximumInterfaceType, 18);

/* TBL-04, TBL-06 */
WDM_ASSERT_SIZE(DMA_OPERATIONS, 0x74, 0xE8);
WDM_ASSERT_MEMBER(1, PutDmaAdapter);
WDM_ASSERT_MEMBER(2, AllocateCommonBuffer);
WDM_ASSERT_MEMBER(3, FreeCommonBuffer);
WDM_ASSERT_MEMBER(4, AllocateAdapterChannel);
WDM_ASSERT_MEMBER(5, FlushAdapterBuffers);
WDM_ASSERT_MEMBER(6, FreeAdapterChannel);
WDM_ASSERT_MEMBER(7, FreeMapRegisters);
WDM_ASSERT_MEMBER(8, MapTransfer);
WDM_ASSERT_MEMBER(9, GetDmaAlignment);
WDM_ASSERT_MEMBER(10, ReadDmaCounter);
WDM_ASSERT_MEMBER(11, GetScatterGatherList);
WDM_ASSERT_MEMBER(12, PutScatterGatherList);
WDM_ASSERT_MEMBER(13, CalculateScatterGatherList);
WDM_ASSERT_MEMBER(14, BuildScatterGatherList);
WDM_ASSERT_MEMBER(15, BuildMdlFromScatterGatherList);
WDM_ASSERT_MEMBER(16, GetDmaAdapterInfo);
WDM_ASSERT_MEMBER(17, GetDmaTransferInfo);
WDM_ASSERT_MEMBER(18, InitializeDmaTransferContext);
WDM_ASSERT_MEMBER(19, AllocateCommonBufferEx);
WDM_ASSERT_MEMBER(20, AllocateAdapterChannelEx);
WDM_ASSERT_MEMBER(21, ConfigureAdapterChannel);
WDM_ASSERT_MEMBER(22, CancelAdapterChannel);
WDM_ASSERT_MEMBER(23, MapTransferEx);
WDM_ASSERT_MEMBER(24, GetScatterGatherListEx);
WDM_ASSERT_MEMBER(25, BuildScatterGatherListEx);
WDM_ASSERT_MEMBER(26, FlushAdapterBuffersEx);
WDM_ASSERT_MEMBER(27, FreeAdapterObject);
WDM_ASSERT_MEMBER(28, CancelMappedTransfer);

#undef WDM_ASSERT_MEMBER
#undef WDM_ASSERT_VALUE
#undef WDM_ASSERT_OFFSET
#undef WDM_ASSERT_SIZE
#undef WDM_LAYOUT

#endif
