/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver claims: assertions, pageable code, whole lists; and how it gives up. */
#include "hal/exception.h"
#include "nt/nt.h"

void RtlAssert(const void *FailedAssertion, const void *FileName, ULONG LineNumber, PCSTR Message)
{
    DbgPrint("assertion failed: %s%s%s (%s:%u)\n", Message != NULL ? Message : "", Message != NULL ? ": " : "",
             FailedAssertion, FileName, LineNumber);
    NT_MISTAKE(RtlAssert, VIOLATION_ASSERTION, (uintptr_t)FailedAssertion, LineNumber);
}

void dmav3_paged_code(void)
{
    (void)NT_AT_MOST(PAGED_CODE, APC_LEVEL);
}

void dmav3_list_check(const LIST_ENTRY *Entry)
{
    NT_MISTAKE(LIST_ENTRY, VIOLATION_LIST, (uintptr_t)Entry, (uintptr_t)Entry->Flink);
}

void KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR Parameter1, ULONG_PTR Parameter2, ULONG_PTR Parameter3,
                  ULONG_PTR Parameter4)
{
    DbgPrint("KeBugCheckEx(0x%08X, %p, %p, %p, %p)\n", BugCheckCode, (PVOID)Parameter1, (PVOID)Parameter2,
             (PVOID)Parameter3, (PVOID)Parameter4);
    exception_panic("the driver called KeBugCheck");
}

void KeBugCheck(ULONG BugCheckCode)
{
    KeBugCheckEx(BugCheckCode, 0, 0, 0, 0);
}
