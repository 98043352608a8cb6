/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory manager's part: device registers, addresses, MDLs beyond those of wdm_dma.h; and interrupts.
 *
 * Registers and memory are mapped from the start, each at one address of the CPU; all memory is resident.
 */
#ifndef WDM_MM_H
#define WDM_MM_H

#include <wdm_dma.h>

EXTERN_C_START

/* ---- registers ----
 *
 * READ_ and WRITE_REGISTER_ULONG of wdm_dma.h have a barrier before and behind; so have these. With _NOFENCE,
 * none. Any IRQL. An access that is not aligned to its size is a fault. */

#define DMAV3_REGISTER(name, type)                                                                             \
    type READ_REGISTER_##name(_In_ volatile type *Register);                                                   \
    void WRITE_REGISTER_##name(_In_ volatile type *Register, _In_ type Value);                                 \
    void READ_REGISTER_BUFFER_##name(_In_ volatile type *Register, _Out_ type *Buffer, _In_ ULONG Count);      \
    void WRITE_REGISTER_BUFFER_##name(_In_ volatile type *Register, _In_ type *Buffer, _In_ ULONG Count);      \
    WDM_INLINE type READ_REGISTER_NOFENCE_##name(_In_ volatile type *Register)                                 \
    {                                                                                                          \
        return *Register;                                                                                      \
    }                                                                                                          \
    WDM_INLINE void WRITE_REGISTER_NOFENCE_##name(_In_ volatile type *Register, _In_ type Value)               \
    {                                                                                                          \
        *Register = Value;                                                                                     \
    }

DMAV3_REGISTER(UCHAR, UCHAR)
DMAV3_REGISTER(USHORT, USHORT)
DMAV3_REGISTER(ULONG, ULONG)
DMAV3_REGISTER(ULONG64, ULONG64)

/* ---- addresses ---- */

typedef enum _MEMORY_CACHING_TYPE {
    MmNonCached,
    MmCached,
    MmWriteCombined,
    MmHardwareCoherentCached,
    MmNonCachedUnordered,
    MmUSWCCached,
    MmMaximumCacheType,
    MmNotMapped = -1
} MEMORY_CACHING_TYPE;

#define PAGE_NOACCESS          0x01
#define PAGE_READONLY          0x02
#define PAGE_READWRITE         0x04
#define PAGE_EXECUTE_READWRITE 0x40
#define PAGE_NOCACHE           0x200
#define PAGE_WRITECOMBINE      0x400

/* Where the CPU sees registers of a device, which is mapped from the start. NULL: there is nothing, or it is
 * RAM. The caching that is asked for must be that of registers, not cached. Unmap as many bytes, once. At most
 * DISPATCH_LEVEL. */
PVOID MmMapIoSpace(_In_ PHYSICAL_ADDRESS PhysicalAddress, _In_ SIZE_T NumberOfBytes,
                   _In_ MEMORY_CACHING_TYPE CacheType);
PVOID MmMapIoSpaceEx(_In_ PHYSICAL_ADDRESS PhysicalAddress, _In_ SIZE_T NumberOfBytes, _In_ ULONG Protect);
void MmUnmapIoSpace(_In_ PVOID BaseAddress, _In_ SIZE_T NumberOfBytes);

/* 0: it is not mapped. Any IRQL. */
PHYSICAL_ADDRESS MmGetPhysicalAddress(_In_ PVOID BaseAddress);
BOOLEAN MmIsAddressValid(_In_ PVOID VirtualAddress);

/* ---- memory in whole pages ----
 *
 * It is contiguous, and what it held. NULL: there is none up to the highest address, or without a multiple of
 * the boundary inside. MmCached is write-back memory; what is not cached takes aligned accesses only. Give it
 * back once; what is none is violation 0x60. At most DISPATCH_LEVEL. */

PVOID MmAllocateContiguousMemory(_In_ SIZE_T NumberOfBytes, _In_ PHYSICAL_ADDRESS HighestAcceptableAddress);
PVOID MmAllocateContiguousMemorySpecifyCache(_In_ SIZE_T NumberOfBytes,
                                             _In_ PHYSICAL_ADDRESS LowestAcceptableAddress,
                                             _In_ PHYSICAL_ADDRESS HighestAcceptableAddress,
                                             _In_ PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                             _In_ MEMORY_CACHING_TYPE CacheType);
void MmFreeContiguousMemory(_In_ PVOID BaseAddress);
void MmFreeContiguousMemorySpecifyCache(_In_ PVOID BaseAddress, _In_ SIZE_T NumberOfBytes,
                                        _In_ MEMORY_CACHING_TYPE CacheType);

/* The same behind an MDL whose pages are locked, zeroed unless a flag says otherwise: all bytes or none, and
 * SkipBytes is not looked at. Give back the pages by MmFreePagesFromMdl, then the MDL by ExFreePool. */
#define MM_DONT_ZERO_ALLOCATION               0x01
#define MM_ALLOCATE_FROM_LOCAL_NODE_ONLY      0x02
#define MM_ALLOCATE_FULLY_REQUIRED            0x04
#define MM_ALLOCATE_NO_WAIT                   0x08
#define MM_ALLOCATE_PREFER_CONTIGUOUS         0x10
#define MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS 0x20
PMDL MmAllocatePagesForMdl(_In_ PHYSICAL_ADDRESS LowAddress, _In_ PHYSICAL_ADDRESS HighAddress,
                           _In_ PHYSICAL_ADDRESS SkipBytes, _In_ SIZE_T TotalBytes);
PMDL MmAllocatePagesForMdlEx(_In_ PHYSICAL_ADDRESS LowAddress, _In_ PHYSICAL_ADDRESS HighAddress,
                             _In_ PHYSICAL_ADDRESS SkipBytes, _In_ SIZE_T TotalBytes,
                             _In_ MEMORY_CACHING_TYPE CacheType, _In_ ULONG Flags);
void MmFreePagesFromMdl(_In_ PMDL MemoryDescriptorList);

/* ---- MDLs ---- */

#define MDL_WRITE_OPERATION      0x0080
#define MDL_MAPPING_CAN_FAIL     0x2000
#define MDL_ALLOCATED_FIXED_SIZE 0x0008

typedef enum _LOCK_OPERATION { IoReadAccess, IoWriteAccess, IoModifyAccess } LOCK_OPERATION;
typedef enum _MM_PAGE_PRIORITY {
    LowPagePriority,
    NormalPagePriority = 16,
    HighPagePriority = 32,
} MM_PAGE_PRIORITY;
#define MdlMappingNoWrite   0x80000000
#define MdlMappingNoExecute 0x40000000

/* Fill in the pages, and set MDL_PAGES_LOCKED; unlock once, before the MDL is freed. At most APC_LEVEL,
 * unlocking at DISPATCH_LEVEL. There is no memory at the address: violation 0x66, and the flag stays clear. */
void MmProbeAndLockPages(_Inout_ PMDL Mdl, _In_ KPROCESSOR_MODE AccessMode, _In_ LOCK_OPERATION Operation);
void MmUnlockPages(_Inout_ PMDL Mdl);

/* The address of the buffer, which all memory has already. At most DISPATCH_LEVEL. */
PVOID MmMapLockedPagesSpecifyCache(_In_ PMDL Mdl, _In_ KPROCESSOR_MODE AccessMode,
                                   _In_ MEMORY_CACHING_TYPE CacheType, _In_opt_ PVOID RequestedAddress,
                                   _In_ ULONG BugCheckOnFailure, _In_ ULONG Priority);
void MmUnmapLockedPages(_In_ PVOID BaseAddress, _In_ PMDL Mdl);
#define MmGetSystemAddressForMdlSafe(mdl, priority)                                                            \
    ((mdl)->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)                                 \
         ? (mdl)->MappedSystemVa                                                                               \
         : MmMapLockedPagesSpecifyCache((mdl), KernelMode, MmCached, NULL, FALSE, (ULONG)(priority)))

/* Describe a part of SourceMdl, whose pages are locked. Length 0: up to its end. */
void IoBuildPartialMdl(_In_ PMDL SourceMdl, _Inout_ PMDL TargetMdl, _In_ PVOID VirtualAddress,
                       _In_ ULONG Length);
#define MmPrepareMdlForReuse(mdl) ((void)((mdl)->MdlFlags &= (CSHORT) ~(MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA)))
#define MmInitializeMdl(mdl, address, length)                                                                  \
    ((mdl)->Next = NULL,                                                                                       \
     (mdl)->Size =                                                                                             \
         (CSHORT)(sizeof(MDL) + sizeof(PFN_NUMBER) * ADDRESS_AND_SIZE_TO_SPAN_PAGES((address), (length))),     \
     (mdl)->MdlFlags = 0, (mdl)->StartVa = PAGE_ALIGN(address), (mdl)->ByteOffset = BYTE_OFFSET(address),      \
     (mdl)->ByteCount = (ULONG)(length))
SIZE_T MmSizeOfMdl(_In_ PVOID Base, _In_ SIZE_T Length);

/* ---- interrupts: a line is its number, the SPI, as in dmav3_board.h; all have the same device level ---- */

typedef struct _KINTERRUPT *PKINTERRUPT;
typedef enum _KINTERRUPT_MODE { LevelSensitive, Latched } KINTERRUPT_MODE;
typedef BOOLEAN KSERVICE_ROUTINE(PKINTERRUPT Interrupt, PVOID ServiceContext);
typedef BOOLEAN KSYNCHRONIZE_ROUTINE(PVOID SynchronizeContext);
typedef KSERVICE_ROUTINE *PKSERVICE_ROUTINE;
typedef KSYNCHRONIZE_ROUTINE *PKSYNCHRONIZE_ROUTINE;

#define DMAV3_DEVICE_LEVEL 3 /* SynchronizeIrql of every interrupt */

/* The routine is called at device level, interrupts masked, and must make a level go away. PASSIVE_LEVEL.
 * STATUS_INVALID_PARAMETER: there is no such line, or it is connected. Disconnect it once. */
NTSTATUS IoConnectInterrupt(_Out_ PKINTERRUPT *InterruptObject, _In_ PKSERVICE_ROUTINE ServiceRoutine,
                            _In_opt_ PVOID ServiceContext, _In_opt_ PKSPIN_LOCK SpinLock, _In_ ULONG Vector,
                            _In_ KIRQL Irql, _In_ KIRQL SynchronizeIrql, _In_ KINTERRUPT_MODE InterruptMode,
                            _In_ BOOLEAN ShareVector, _In_ KAFFINITY ProcessorEnableMask,
                            _In_ BOOLEAN FloatingSave);
void IoDisconnectInterrupt(_In_ PKINTERRUPT InterruptObject);

/* The line is named (CONNECT_FULLY_SPECIFIED), or that which dmav3_assign_line gave the device. No device has
 * messages: CONNECT_MESSAGE_BASED connects the FallBackServiceRoutine to the device's line, and sets Version to
 * CONNECT_LINE_BASED; without one of the two it is STATUS_NOT_SUPPORTED. PASSIVE_LEVEL. STATUS_NOT_FOUND: the
 * device has no line. */
#define CONNECT_FULLY_SPECIFIED       1
#define CONNECT_LINE_BASED            2
#define CONNECT_MESSAGE_BASED         3
#define CONNECT_FULLY_SPECIFIED_GROUP 4

typedef BOOLEAN KMESSAGE_SERVICE_ROUTINE(PKINTERRUPT Interrupt, PVOID ServiceContext, ULONG MessageID);
typedef KMESSAGE_SERVICE_ROUTINE *PKMESSAGE_SERVICE_ROUTINE;
typedef enum _KINTERRUPT_POLARITY {
    InterruptPolarityUnknown,
    InterruptActiveHigh,
    InterruptRisingEdge = InterruptActiveHigh,
    InterruptActiveLow,
    InterruptFallingEdge = InterruptActiveLow,
    InterruptActiveBoth
} KINTERRUPT_POLARITY;
typedef struct _IO_INTERRUPT_MESSAGE_INFO_ENTRY {
    PHYSICAL_ADDRESS MessageAddress;
    KAFFINITY TargetProcessorSet;
    PKINTERRUPT InterruptObject;
    ULONG MessageData;
    ULONG Vector;
    KIRQL Irql;
    KINTERRUPT_MODE Mode;
    KINTERRUPT_POLARITY Polarity;
} IO_INTERRUPT_MESSAGE_INFO_ENTRY, *PIO_INTERRUPT_MESSAGE_INFO_ENTRY;
typedef struct _IO_INTERRUPT_MESSAGE_INFO {
    KIRQL UnifiedIrql;
    ULONG MessageCount;
    IO_INTERRUPT_MESSAGE_INFO_ENTRY MessageInfo[1];
} IO_INTERRUPT_MESSAGE_INFO, *PIO_INTERRUPT_MESSAGE_INFO;

typedef struct _IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS {
    PDEVICE_OBJECT PhysicalDeviceObject;
    PKINTERRUPT *InterruptObject;
    PKSERVICE_ROUTINE ServiceRoutine;
    PVOID ServiceContext;
    PKSPIN_LOCK SpinLock;
    KIRQL SynchronizeIrql;
    BOOLEAN FloatingSave;
    BOOLEAN ShareVector;
    ULONG Vector;
    KIRQL Irql;
    KINTERRUPT_MODE InterruptMode;
    KAFFINITY ProcessorEnableMask;
    USHORT Group;
} IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS;
typedef struct _IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS {
    PDEVICE_OBJECT PhysicalDeviceObject;
    PKINTERRUPT *InterruptObject;
    PKSERVICE_ROUTINE ServiceRoutine;
    PVOID ServiceContext;
    PKSPIN_LOCK SpinLock;
    KIRQL SynchronizeIrql;
    BOOLEAN FloatingSave;
} IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS;
typedef struct _IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS {
    PDEVICE_OBJECT PhysicalDeviceObject;
    union {
        PVOID *Generic;
        PIO_INTERRUPT_MESSAGE_INFO *InterruptMessageTable;
        PKINTERRUPT *InterruptObject;
    } ConnectionContext;
    PKMESSAGE_SERVICE_ROUTINE MessageServiceRoutine;
    PVOID ServiceContext;
    PKSPIN_LOCK SpinLock;
    KIRQL SynchronizeIrql;
    BOOLEAN FloatingSave;
    PKSERVICE_ROUTINE FallBackServiceRoutine;
} IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS;
typedef struct _IO_CONNECT_INTERRUPT_PARAMETERS {
    ULONG Version; /* what is asked for, and what was done */
    union {
        IO_CONNECT_INTERRUPT_FULLY_SPECIFIED_PARAMETERS FullySpecified;
        IO_CONNECT_INTERRUPT_LINE_BASED_PARAMETERS LineBased;
        IO_CONNECT_INTERRUPT_MESSAGE_BASED_PARAMETERS MessageBased;
    };
} IO_CONNECT_INTERRUPT_PARAMETERS, *PIO_CONNECT_INTERRUPT_PARAMETERS;
typedef struct _IO_DISCONNECT_INTERRUPT_PARAMETERS {
    ULONG Version; /* as IoConnectInterruptEx left it */
    union {
        PVOID Generic;
        PKINTERRUPT InterruptObject;
        PIO_INTERRUPT_MESSAGE_INFO InterruptMessageTable;
    } ConnectionContext;
} IO_DISCONNECT_INTERRUPT_PARAMETERS, *PIO_DISCONNECT_INTERRUPT_PARAMETERS;

NTSTATUS IoConnectInterruptEx(_Inout_ PIO_CONNECT_INTERRUPT_PARAMETERS Parameters);
void IoDisconnectInterruptEx(_In_ PIO_DISCONNECT_INTERRUPT_PARAMETERS Parameters);

/* Call the routine at the interrupt's level: its service routine does not run meanwhile. At most that level. */
BOOLEAN KeSynchronizeExecution(_Inout_ PKINTERRUPT Interrupt, _In_ PKSYNCHRONIZE_ROUTINE SynchronizeRoutine,
                               _In_opt_ PVOID SynchronizeContext);
KIRQL KeAcquireInterruptSpinLock(_Inout_ PKINTERRUPT Interrupt);
void KeReleaseInterruptSpinLock(_Inout_ PKINTERRUPT Interrupt, _In_ KIRQL OldIrql);

EXTERN_C_END

#endif
