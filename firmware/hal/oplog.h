/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation log: tells the identification page which routine runs and what it maps, so that the cache
 * model knows whose maintenance it sees. Each record enters the event ring in the order of the calls.
 *
 * Numbers are part of the contract with the extension: the members of DMA_OPERATIONS have their
 * position in the table (TBL-06), routines outside it start at 64, callbacks at 80, back-end
 * entries at 96, routines of the kernel around a driver at 128. The harness takes the names from the debug
 * information of this enum.
 */
#ifndef HAL_OPLOG_H
#define HAL_OPLOG_H

#include <stdbool.h>
#include <stdint.h>

enum oplog_id {
    OPLOG_PutDmaAdapter = 1,
    OPLOG_AllocateCommonBuffer,
    OPLOG_FreeCommonBuffer,
    OPLOG_AllocateAdapterChannel,
    OPLOG_FlushAdapterBuffers,
    OPLOG_FreeAdapterChannel,
    OPLOG_FreeMapRegisters,
    OPLOG_MapTransfer,
    OPLOG_GetDmaAlignment,
    OPLOG_ReadDmaCounter,
    OPLOG_GetScatterGatherList,
    OPLOG_PutScatterGatherList,
    OPLOG_CalculateScatterGatherList,
    OPLOG_BuildScatterGatherList,
    OPLOG_BuildMdlFromScatterGatherList,
    OPLOG_GetDmaAdapterInfo,
    OPLOG_GetDmaTransferInfo,
    OPLOG_InitializeDmaTransferContext,
    OPLOG_AllocateCommonBufferEx,
    OPLOG_AllocateAdapterChannelEx,
    OPLOG_ConfigureAdapterChannel,
    OPLOG_CancelAdapterChannel,
    OPLOG_MapTransferEx,
    OPLOG_GetScatterGatherListEx,
    OPLOG_BuildScatterGatherListEx,
    OPLOG_FlushAdapterBuffersEx,
    OPLOG_FreeAdapterObject,
    OPLOG_CancelMappedTransfer,

    OPLOG_IoGetDmaAdapter = 64,
    OPLOG_KeFlushIoBuffers,
    OPLOG_MmBuildMdlForNonPagedPool, /* this and the next: only where a mistake is reported */
    OPLOG_IoFreeMdl,
    OPLOG_KeRaiseIrql,
    OPLOG_KeLowerIrql,
    OPLOG_IoAllocateMdl, /* only where it returns NULL, and as a maker */

    OPLOG_AdapterControl = 80,
    OPLOG_AdapterListControl,
    OPLOG_DmaCompletionRoutine,
    OPLOG_DriverCommand, /* this and the next: only where it left another IRQL behind */
    OPLOG_DeferredRoutine,
    OPLOG_WorkerRoutine,
    OPLOG_ServiceRoutine,
    OPLOG_DispatchRoutine, /* where what it returned is wrong */
    OPLOG_CsqReleaseLock,  /* this and the next: as DriverCommand */
    OPLOG_StartIoRoutine,

    OPLOG_InitializeController = 96,
    OPLOG_ValidateRequestLineBinding,
    OPLOG_QueryMaxFragments,
    OPLOG_ProgramChannel,
    OPLOG_ConfigureChannel,
    OPLOG_FlushChannel,
    OPLOG_HandleInterrupt,
    OPLOG_BackendReadDmaCounter,
    OPLOG_ReportCommonBuffer,
    OPLOG_CancelTransfer,

    /* Routines of firmware/nt: only where a mistake is reported, and as makers. */
    OPLOG_PAGED_CODE = 128,
    OPLOG_RtlAssert,
    OPLOG_LIST_ENTRY,
    OPLOG_MmMapIoSpace,
    OPLOG_MmMapIoSpaceEx,
    OPLOG_MmUnmapIoSpace,
    OPLOG_IoCreateDevice,
    OPLOG_IoDeleteDevice,
    OPLOG_IoAttachDeviceToDeviceStack,
    OPLOG_IoDetachDevice,
    OPLOG_KeSetEvent,
    OPLOG_KeResetEvent,
    OPLOG_KeClearEvent,
    OPLOG_KeReleaseSemaphore,
    OPLOG_KeReleaseMutex,
    OPLOG_KeInsertQueueDpc,
    OPLOG_KeFlushQueuedDpcs,
    OPLOG_ExAcquireFastMutex,
    OPLOG_ExTryToAcquireFastMutex,
    OPLOG_ExReleaseFastMutex,
    OPLOG_ExAcquireFastMutexUnsafe,
    OPLOG_ExReleaseFastMutexUnsafe,
    OPLOG_IoConnectInterrupt,
    OPLOG_IoDisconnectInterrupt,
    OPLOG_KeAcquireInterruptSpinLock,
    OPLOG_KeReleaseInterruptSpinLock,
    OPLOG_IoAllocateIrp,
    OPLOG_IoFreeIrp,
    OPLOG_IoReuseIrp,
    OPLOG_IofCallDriver,
    OPLOG_IofCompleteRequest,
    OPLOG_IoAcquireCancelSpinLock,
    OPLOG_IoReleaseCancelSpinLock,
    OPLOG_IoCancelIrp,
    OPLOG_KeAcquireSpinLockRaiseToDpc,
    OPLOG_KeReleaseSpinLock,
    OPLOG_KeAcquireInStackQueuedSpinLock,
    OPLOG_KeReleaseInStackQueuedSpinLock,
    OPLOG_KeAcquireSpinLockAtDpcLevel,
    OPLOG_KeReleaseSpinLockFromDpcLevel,
    OPLOG_KeTryToAcquireSpinLockAtDpcLevel,
    OPLOG_KeAcquireInStackQueuedSpinLockAtDpcLevel,
    OPLOG_KeReleaseInStackQueuedSpinLockFromDpcLevel,
    OPLOG_KeRaiseIrqlToDpcLevel,
    OPLOG_ExInitializeNPagedLookasideList,
    OPLOG_ExInitializePagedLookasideList,
    OPLOG_ExAllocateFromNPagedLookasideList,
    OPLOG_ExFreeToNPagedLookasideList,
    OPLOG_ExDeleteNPagedLookasideList,
    OPLOG_ExAllocateFromPagedLookasideList,
    OPLOG_ExFreeToPagedLookasideList,
    OPLOG_ExDeletePagedLookasideList,
    OPLOG_MmProbeAndLockPages,
    OPLOG_MmUnlockPages,
    OPLOG_MmMapLockedPagesSpecifyCache,
    OPLOG_MmUnmapLockedPages,
    OPLOG_IoBuildPartialMdl,
    OPLOG_ExAllocatePool2,
    OPLOG_ExAllocatePoolWithTag,
    OPLOG_ExAllocatePoolUninitialized,
    OPLOG_ExAllocatePoolZero,
    OPLOG_ExAllocatePool,
    OPLOG_ExFreePool,
    OPLOG_ExFreePoolWithTag,
    OPLOG_PsCreateSystemThread,
    OPLOG_PsTerminateSystemThread,
    OPLOG_ObReferenceObjectByHandle,
    OPLOG_ObDereferenceObject,
    OPLOG_ZwClose,
    OPLOG_KeSetPriorityThread,
    OPLOG_KeEnterCriticalRegion,
    OPLOG_KeLeaveCriticalRegion,
    OPLOG_KeSetTimerEx,
    OPLOG_KeSetTimer,
    OPLOG_KeCancelTimer,
    OPLOG_RtlUnicodeStringToInteger,
    OPLOG_RtlIntegerToUnicodeString,
    OPLOG_KeWaitForSingleObject,
    OPLOG_KeWaitForMultipleObjects,
    OPLOG_KeDelayExecutionThread,
    OPLOG_ExQueueWorkItem,
    OPLOG_IoCsqInsertIrp,
    OPLOG_IoCsqInsertIrpEx,
    OPLOG_IoCsqRemoveIrp,
    OPLOG_IoCsqRemoveNextIrp,
    OPLOG_IoInitializeRemoveLock,
    OPLOG_IoAcquireRemoveLock,
    OPLOG_IoReleaseRemoveLock,
    OPLOG_IoReleaseRemoveLockAndWait,
    OPLOG_IoAllocateWorkItem,
    OPLOG_IoFreeWorkItem,
    OPLOG_IoQueueWorkItem,
    OPLOG_IoQueueWorkItemEx,
    OPLOG_IoUninitializeWorkItem,
    OPLOG_KeInitializeDeviceQueue,
    OPLOG_KeInsertDeviceQueue,
    OPLOG_KeInsertByKeyDeviceQueue,
    OPLOG_KeRemoveDeviceQueue,
    OPLOG_KeRemoveByKeyDeviceQueue,
    OPLOG_KeRemoveEntryDeviceQueue,
    OPLOG_IoStartPacket,
    OPLOG_IoStartNextPacket,
    OPLOG_IoStartNextPacketByKey,
    OPLOG_MmAllocateContiguousMemory,
    OPLOG_MmAllocateContiguousMemorySpecifyCache,
    OPLOG_MmFreeContiguousMemory,
    OPLOG_MmFreeContiguousMemorySpecifyCache,
    OPLOG_MmAllocatePagesForMdl,
    OPLOG_MmAllocatePagesForMdlEx,
    OPLOG_MmFreePagesFromMdl,
    OPLOG_IoConnectInterruptEx,
    OPLOG_IoDisconnectInterruptEx,
    OPLOG_RtlStringCbPrintfA,
    OPLOG_RtlStringCbPrintfW,
    OPLOG_RtlStringCchPrintfA,
    OPLOG_RtlStringCchPrintfW,
    OPLOG_RtlStringCbVPrintfA,
    OPLOG_RtlStringCbVPrintfW,
    OPLOG_RtlStringCchVPrintfA,
    OPLOG_RtlStringCchVPrintfW,
    OPLOG_RtlUnicodeStringPrintf,
    OPLOG_RtlUnicodeStringVPrintf,
    OPLOG_IoCreateSymbolicLink,
    OPLOG_IoDeleteSymbolicLink,
    OPLOG_RtlAnsiStringToUnicodeString,
    OPLOG_RtlUnicodeStringToAnsiString,
    OPLOG_RtlFreeUnicodeString,
    OPLOG_RtlFreeAnsiString,
    OPLOG_RtlUpcaseUnicodeString,
};

/* What a range record says about the memory. */
enum oplog_range {
    OPLOG_RANGE_MAPPED,  /* the device will access it directly; maintenance of it is owed */
    OPLOG_RANGE_BOUNCED, /* the caller's memory that a bounce page stands in for */
    OPLOG_RANGE_FLUSHED, /* the range of KeFlushIoBuffers, which belongs to no mapping */
    OPLOG_RANGE_DEVICE,  /* the device's side, where that is RAM: the channel may read and write it */
};

/* Memory that devices may access without a mapping. */
enum oplog_memory {
    OPLOG_MEMORY_COMMON,  /* a common buffer */
    OPLOG_MEMORY_PRIVATE, /* a channel's, for the back end */
    OPLOG_MEMORY_WINDOW,  /* the one window of the tests, which drive devices by hand as well */
};

/* The channel of a bus master in oplog_adapter(). */
enum { OPLOG_BUS_MASTER = 0xffffff };

/* Promise that everything which a device may access in RAM is recorded, from here on: mappings with where the
 * device sees them, common buffers, channels' private memory. Only then are accesses elsewhere findings. */
void oplog_announce(void);

/* Entry of a routine, a callback or a back-end entry. Records nest; each entry has one exit. `caller` is where
 * a routine was called, its return address; of a callback the driver's routine itself; 0 for the others. */
void oplog_enter(enum oplog_id id, const void *adapter, uintptr_t caller);

/* What the routine was called with that was entered last, in the order of its prototype, but for DmaAdapter. */
void oplog_arguments(const uint64_t *values, uint32_t count);

/* Exit. status: the routine's NTSTATUS or other result, 0 if it has none. bytes, elements: what
 * was mapped or flushed, 0 where that says nothing. */
void oplog_exit(enum oplog_id id, const void *adapter, uint32_t status, uint32_t bytes, uint32_t elements);

/* An adapter was made, whose transfers are done by this channel of the controller, or OPLOG_BUS_MASTER. */
void oplog_adapter(const void *adapter, uint32_t channel);

/* Physically contiguous memory is there for devices, or is there no longer. */
void oplog_memory(enum oplog_memory kind, const void *adapter, uint64_t physical, uint32_t length,
                  bool is_there);

/* A mapping begins; the ranges recorded next are its own. It lives until oplog_unmapped(). */
struct oplog_mapping {
    const void *handle;
    const void *mapping; /* tells it from others with the same handle */
    const void *adapter;
    enum oplog_id maker; /* the routine that the driver called for it, perhaps long before */
    uintptr_t caller;    /* ... and where */
    bool looped;         /* the CPU may touch it at any time (AutoInitialize) */
};
void oplog_mapping(const struct oplog_mapping *mapping);

/* One physically contiguous piece of the newest mapping `handle`, recorded before its maintenance starts;
 * `device` is where the device sees it. */
void oplog_range(enum oplog_range kind, const void *handle, uint64_t physical, uint64_t device, uint32_t length,
                 bool write);

/* The mapping ends: `flushed` if its data was given back to the CPU, else it was given up. */
void oplog_unmapped(const void *handle, const void *mapping, bool flushed);

/* A caller's mistake: a code of docs/interface.md, table 1. */
void oplog_violation(uint32_t code, uint64_t p2, uint64_t p3);

/* Why a routine does not do what it was asked for: the address of a literal, and two numbers for it. */
void oplog_reason(const char *why, uint64_t a, uint64_t b);

#endif
