/* SPDX-License-Identifier: Apache-2.0 */
/* MDLs of memory that has to be locked first; here all memory is resident, and locking is a promise to unlock.
 */
#include "hal/memory.h"
#include "layer/mdl.h"
#include "nt/nt.h"

SIZE_T MmSizeOfMdl(PVOID Base, SIZE_T Length)
{
    return sizeof(MDL) + sizeof(PFN_NUMBER) * ADDRESS_AND_SIZE_TO_SPAN_PAGES(Base, Length);
}

void MmProbeAndLockPages(PMDL Mdl, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    (void)AccessMode;
    (void)NT_AT_MOST(MmProbeAndLockPages, APC_LEVEL);
    if (!mdl_is_sound(Mdl) || (Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL)) != 0 ||
        !memory_is_ram((uintptr_t)MmGetMdlVirtualAddress(Mdl), Mdl->ByteCount)) {
        NT_MISTAKE(MmProbeAndLockPages, VIOLATION_NOT_TO_BE_LOCKED, (uintptr_t)Mdl, 0);
        return;
    }
    MmBuildMdlForNonPagedPool(Mdl); /* finds the pages, and whether they are cached */
    Mdl->MdlFlags = (CSHORT)((Mdl->MdlFlags & ~MDL_SOURCE_IS_NONPAGED_POOL) | MDL_PAGES_LOCKED |
                             (Operation != IoReadAccess ? MDL_WRITE_OPERATION : 0));
    Mdl->MappedSystemVa = NULL;
}

void MmUnlockPages(PMDL Mdl)
{
    (void)NT_AT_MOST(MmUnlockPages, DISPATCH_LEVEL);
    if (!mdl_is_sound(Mdl) || (Mdl->MdlFlags & MDL_PAGES_LOCKED) == 0) {
        NT_MISTAKE(MmUnlockPages, VIOLATION_NOT_TO_BE_LOCKED, (uintptr_t)Mdl, 1);
        return;
    }
    Mdl->MdlFlags =
        (CSHORT)(Mdl->MdlFlags & ~(MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_MAPPED_TO_SYSTEM_VA));
}

PVOID MmMapLockedPagesSpecifyCache(PMDL Mdl, KPROCESSOR_MODE AccessMode, MEMORY_CACHING_TYPE CacheType,
                                   PVOID RequestedAddress, ULONG BugCheckOnFailure, ULONG Priority)
{
    (void)AccessMode;
    (void)CacheType;
    (void)RequestedAddress;
    (void)BugCheckOnFailure;
    (void)Priority;
    (void)NT_AT_MOST(MmMapLockedPagesSpecifyCache, DISPATCH_LEVEL);
    if (!mdl_is_sound(Mdl) || (Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL)) == 0) {
        NT_MISTAKE(MmMapLockedPagesSpecifyCache, VIOLATION_NOT_LOCKED, (uintptr_t)Mdl, VIOLATION_NOT_BUILT);
        return NULL;
    }
    Mdl->MappedSystemVa = MmGetMdlVirtualAddress(Mdl);
    Mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA;
    return Mdl->MappedSystemVa;
}

void MmUnmapLockedPages(PVOID BaseAddress, PMDL Mdl)
{
    (void)NT_AT_MOST(MmUnmapLockedPages, DISPATCH_LEVEL);
    if (!mdl_is_sound(Mdl) || (Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) == 0 ||
        Mdl->MappedSystemVa != BaseAddress) {
        NT_MISTAKE(MmUnmapLockedPages, VIOLATION_NOT_MAPPED, (uintptr_t)BaseAddress, 0);
        return;
    }
    Mdl->MdlFlags = (CSHORT)(Mdl->MdlFlags & ~MDL_MAPPED_TO_SYSTEM_VA);
}

void IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
    uint64_t first, size;

    (void)NT_AT_MOST(IoBuildPartialMdl, DISPATCH_LEVEL);
    if (!mdl_find_address(SourceMdl, VirtualAddress, &first)) {
        NT_MISTAKE(IoBuildPartialMdl, VIOLATION_ADDRESS, (uintptr_t)VirtualAddress, (uintptr_t)SourceMdl);
        return;
    }
    size = Length != 0 ? Length : SourceMdl->ByteCount - first;
    if (size > SourceMdl->ByteCount - first || MmSizeOfMdl(VirtualAddress, size) > (SIZE_T)TargetMdl->Size) {
        NT_MISTAKE(IoBuildPartialMdl, VIOLATION_LENGTH, first, size);
        return;
    }
    TargetMdl->StartVa = PAGE_ALIGN(VirtualAddress);
    TargetMdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
    TargetMdl->ByteCount = (ULONG)size;
    for (ULONG i = 0; i < ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, size); i++) {
        MmGetMdlPfnArray(TargetMdl)[i] = MmGetMdlPfnArray(
            SourceMdl)[((ULONG_PTR)TargetMdl->StartVa - (ULONG_PTR)SourceMdl->StartVa) / PAGE_SIZE + i];
    }
    TargetMdl->MdlFlags =
        (CSHORT)(MDL_PARTIAL |
                 (SourceMdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_IO_SPACE | MDL_SOURCE_IS_NONPAGED_POOL)));
    TargetMdl->MappedSystemVa = VirtualAddress;
}
