/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run-time library of drivers: memory, lists, bits, strings; what a driver prints and asserts.
 */
#ifndef WDM_RTL_H
#define WDM_RTL_H

#include <ntdef.h>
#include <ntstatus.h>

EXTERN_C_START

/* ---- memory; any IRQL ---- */

WDM_INLINE void RtlCopyMemory(_Out_writes_bytes_(Length) PVOID Destination, const void *Source, size_t Length)
{
    for (size_t i = 0; i < Length; i++) {
        ((UCHAR *)Destination)[i] = ((const UCHAR *)Source)[i];
    }
}

WDM_INLINE void RtlFillMemory(_Out_writes_bytes_(Length) PVOID Destination, size_t Length, UCHAR Fill)
{
    for (size_t i = 0; i < Length; i++) {
        ((UCHAR *)Destination)[i] = Fill;
    }
}

WDM_INLINE void RtlZeroMemory(_Out_writes_bytes_(Length) PVOID Destination, size_t Length)
{
    RtlFillMemory(Destination, Length, 0);
}

/* The two ranges may overlap. */
WDM_INLINE void RtlMoveMemory(PVOID Destination, const void *Source, size_t Length)
{
    if ((ULONG_PTR)Destination - (ULONG_PTR)Source >= Length) {
        RtlCopyMemory(Destination, Source, Length);
        return;
    }
    while (Length-- > 0) {
        ((UCHAR *)Destination)[Length] = ((const UCHAR *)Source)[Length];
    }
}

/* The number of bytes at the start that are equal. */
WDM_INLINE size_t RtlCompareMemory(const void *Left, const void *Right, size_t Length)
{
    size_t equal = 0;

    while (equal < Length && ((const UCHAR *)Left)[equal] == ((const UCHAR *)Right)[equal]) {
        equal++;
    }
    return equal;
}

WDM_INLINE BOOLEAN RtlEqualMemory(const void *Left, const void *Right, size_t Length)
{
    return RtlCompareMemory(Left, Right, Length) == Length;
}

/* Zeroes what nobody reads any more, which an optimiser might leave out otherwise. */
WDM_INLINE PVOID RtlSecureZeroMemory(PVOID Destination, size_t Length)
{
    for (size_t i = 0; i < Length; i++) {
        ((volatile UCHAR *)Destination)[i] = 0;
    }
    return Destination;
}

#define RtlCopyBytes                   RtlCopyMemory
#define RtlZeroBytes                   RtlZeroMemory
#define RtlFillBytes                   RtlFillMemory
#define RtlCopyMemoryNonTemporal       RtlCopyMemory
#define RtlCopyVolatileMemory          RtlCopyMemory
#define RtlCompareMemoryUlong(s, l, p) RtlCountUlongs((const ULONG *)(s), (l), (p))

/* The number of bytes, of the whole ULONGs in Length, that equal Pattern from the start on. */
WDM_INLINE size_t RtlCountUlongs(const ULONG *Source, size_t Length, ULONG Pattern)
{
    size_t count = 0;

    while (count < Length / sizeof(ULONG) && Source[count] == Pattern) {
        count++;
    }
    return count * sizeof(ULONG);
}

WDM_INLINE void RtlFillMemoryUlong(PVOID Destination, size_t Length, ULONG Pattern)
{
    for (size_t i = 0; i < Length / sizeof(ULONG); i++) {
        ((ULONG *)Destination)[i] = Pattern;
    }
}

/* ---- bits ---- */

#define RtlUshortByteSwap(value)          __builtin_bswap16(value)
#define RtlUlongByteSwap(value)           __builtin_bswap32(value)
#define RtlUlonglongByteSwap(value)       __builtin_bswap64(value)
#define _byteswap_ushort(value)           __builtin_bswap16(value)
#define _byteswap_ulong(value)            __builtin_bswap32(value)
#define _byteswap_uint64(value)           __builtin_bswap64(value)
#define RtlNumberOfSetBitsUlongPtr(value) ((ULONG)__builtin_popcountll(value))

/* FALSE, and *Index unchanged: no bit is set. */
WDM_INLINE BOOLEAN dmav3_scan_forward(ULONG *Index, ULONG Mask)
{
    if (Mask != 0) {
        *Index = (ULONG)__builtin_ctz(Mask);
    }
    return Mask != 0;
}

WDM_INLINE BOOLEAN dmav3_scan_reverse(ULONG *Index, ULONG Mask)
{
    if (Mask != 0) {
        *Index = 31u - (ULONG)__builtin_clz(Mask);
    }
    return Mask != 0;
}

WDM_INLINE BOOLEAN dmav3_scan_forward64(ULONG *Index, ULONGLONG Mask)
{
    if (Mask != 0) {
        *Index = (ULONG)__builtin_ctzll(Mask);
    }
    return Mask != 0;
}

WDM_INLINE BOOLEAN dmav3_scan_reverse64(ULONG *Index, ULONGLONG Mask)
{
    if (Mask != 0) {
        *Index = 63u - (ULONG)__builtin_clzll(Mask);
    }
    return Mask != 0;
}

/* Macros: the compiler has functions of these names. */
#define _BitScanForward   dmav3_scan_forward
#define _BitScanReverse   dmav3_scan_reverse
#define _BitScanForward64 dmav3_scan_forward64
#define _BitScanReverse64 dmav3_scan_reverse64
#define BitScanForward    dmav3_scan_forward
#define BitScanReverse    dmav3_scan_reverse
#define BitScanForward64  dmav3_scan_forward64
#define BitScanReverse64  dmav3_scan_reverse64

typedef struct _RTL_BITMAP {
    ULONG SizeOfBitMap; /* bits */
    PULONG Buffer;
} RTL_BITMAP, *PRTL_BITMAP;

void RtlInitializeBitMap(PRTL_BITMAP BitMapHeader, PULONG BitMapBuffer, ULONG SizeOfBitMap);
void RtlClearAllBits(PRTL_BITMAP BitMapHeader);
void RtlSetAllBits(PRTL_BITMAP BitMapHeader);
void RtlSetBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber);
void RtlClearBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber);
BOOLEAN RtlTestBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber);
void RtlSetBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToSet);
void RtlClearBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToClear);
BOOLEAN RtlAreBitsSet(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length);
BOOLEAN RtlAreBitsClear(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length);
ULONG RtlNumberOfSetBits(PRTL_BITMAP BitMapHeader);
ULONG RtlNumberOfClearBits(PRTL_BITMAP BitMapHeader);

/* The first of so many clear (set) bits in a row, searched from HintIndex on and then from 0; all ones: none.
 */
ULONG RtlFindClearBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);
ULONG RtlFindSetBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);
ULONG RtlFindClearBitsAndSet(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);
#define RtlCheckBit(map, bit) (((map)->Buffer[(bit) / 32] >> (bit) % 32) & 1)

/* ---- lists ---- */

/* An entry whose neighbours do not point back at it is violation 0x6C; the list is then left as it is. */
void dmav3_list_check(const LIST_ENTRY *Entry);

WDM_INLINE void InitializeListHead(_Out_ PLIST_ENTRY ListHead)
{
    ListHead->Flink = ListHead->Blink = ListHead;
}

WDM_INLINE BOOLEAN IsListEmpty(const LIST_ENTRY *ListHead)
{
    return ListHead->Flink == ListHead;
}

WDM_INLINE BOOLEAN dmav3_list_is_whole(const LIST_ENTRY *Entry)
{
    BOOLEAN is_whole = Entry->Flink != NULL && Entry->Blink != NULL && Entry->Flink->Blink == Entry &&
                       Entry->Blink->Flink == Entry;

    if (!is_whole) {
        dmav3_list_check(Entry);
    }
    return is_whole;
}

/* Returns whether the list is empty now. */
WDM_INLINE BOOLEAN RemoveEntryList(_In_ PLIST_ENTRY Entry)
{
    PLIST_ENTRY next = Entry->Flink, before = Entry->Blink;

    if (dmav3_list_is_whole(Entry)) {
        before->Flink = next;
        next->Blink = before;
    }
    return next == before;
}

WDM_INLINE PLIST_ENTRY RemoveHeadList(_Inout_ PLIST_ENTRY ListHead)
{
    PLIST_ENTRY entry = ListHead->Flink;

    (void)RemoveEntryList(entry);
    return entry;
}

WDM_INLINE PLIST_ENTRY RemoveTailList(_Inout_ PLIST_ENTRY ListHead)
{
    PLIST_ENTRY entry = ListHead->Blink;

    (void)RemoveEntryList(entry);
    return entry;
}

WDM_INLINE void InsertTailList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PLIST_ENTRY Entry)
{
    if (dmav3_list_is_whole(ListHead)) {
        Entry->Flink = ListHead;
        Entry->Blink = ListHead->Blink;
        ListHead->Blink->Flink = Entry;
        ListHead->Blink = Entry;
    }
}

WDM_INLINE void InsertHeadList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PLIST_ENTRY Entry)
{
    if (dmav3_list_is_whole(ListHead)) {
        Entry->Blink = ListHead;
        Entry->Flink = ListHead->Flink;
        ListHead->Flink->Blink = Entry;
        ListHead->Flink = Entry;
    }
}

/* ListToAppend has no head of its own. */
WDM_INLINE void AppendTailList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PLIST_ENTRY ListToAppend)
{
    PLIST_ENTRY end = ListHead->Blink;

    end->Flink = ListToAppend;
    ListHead->Blink = ListToAppend->Blink;
    ListToAppend->Blink->Flink = ListHead;
    ListToAppend->Blink = end;
}

WDM_INLINE void PushEntryList(_Inout_ PSINGLE_LIST_ENTRY ListHead, _Inout_ PSINGLE_LIST_ENTRY Entry)
{
    Entry->Next = ListHead->Next;
    ListHead->Next = Entry;
}

/* NULL: the list is empty. */
WDM_INLINE PSINGLE_LIST_ENTRY PopEntryList(_Inout_ PSINGLE_LIST_ENTRY ListHead)
{
    PSINGLE_LIST_ENTRY first = ListHead->Next;

    if (first != NULL) {
        ListHead->Next = first->Next;
    }
    return first;
}

/* ---- strings ---- */

void RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
void RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString);
#define RtlInitString RtlInitAnsiString
#define RtlInitEmptyUnicodeString(string, buffer, bytes)                                                       \
    ((string)->Buffer = (buffer), (string)->MaximumLength = (bytes), (string)->Length = 0)

/* As many characters as fit. */
void RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);

/* STATUS_BUFFER_TOO_SMALL: nothing was appended. */
NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source);
NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source);
LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter);

/* One kind of string made of another, in a new buffer of pool if that is asked for: free it once. Otherwise
 * STATUS_BUFFER_OVERFLOW: it does not fit. PASSIVE_LEVEL. */
NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
                                      BOOLEAN AllocateDestinationString);
NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                      BOOLEAN AllocateDestinationString);
NTSTATUS RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                BOOLEAN AllocateDestinationString);
void RtlFreeUnicodeString(PUNICODE_STRING UnicodeString);
void RtlFreeAnsiString(PANSI_STRING AnsiString);

/* Base 0: as the text says, 0x, 0o or 0b. PASSIVE_LEVEL. */
NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value);
NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String);

/* ---- printing: to the console of the board, its artefacts, and board.printed ---- */

#define DPFLTR_ERROR_LEVEL   0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL   2
#define DPFLTR_INFO_LEVEL    3
#define DPFLTR_MASK          0x80000000
#define DPFLTR_DEFAULT_ID    101
#define DPFLTR_IHVDRIVER_ID  77
#define DPFLTR_IHVBUS_ID     78
#define DPFLTR_IHVAUDIO_ID   80
#define DPFLTR_IHVNETWORK_ID 81

/* Formats are those of drivers: l and I32 mean 32 bits, I64, ll and I pointers' 64, %S, %ws and %wZ wide text.
 * What is longer than 400 characters is cut. Any IRQL; %S, %ws and %wZ only at PASSIVE_LEVEL. */
ULONG DbgPrint(_In_ PCSTR Format, ...);
ULONG DbgPrintEx(_In_ ULONG ComponentId, _In_ ULONG Level, _In_ PCSTR Format, ...);
ULONG vDbgPrintEx(_In_ ULONG ComponentId, _In_ ULONG Level, _In_ PCSTR Format, va_list Arguments);

/* ---- assertions: a failed one is violation 0x5A, and the driver goes on ---- */

/* Drivers are built as checked ones, unless -D DBG=0 is given. */
#ifndef DBG
#define DBG 1
#endif

void RtlAssert(const void *FailedAssertion, const void *FileName, ULONG LineNumber, PCSTR Message);

#if DBG
#define KdPrint(arguments)   ((void)(DbgPrint arguments))
#define KdPrintEx(arguments) ((void)(DbgPrintEx arguments))
#define ASSERT(condition)    ((void)((condition) || (RtlAssert(#condition, __FILE__, __LINE__, NULL), 0)))
#define ASSERTMSG(message, condition)                                                                          \
    ((void)((condition) || (RtlAssert(#condition, __FILE__, __LINE__, message), 0)))
#else
#define KdPrint(arguments)            ((void)0)
#define KdPrintEx(arguments)          ((void)0)
#define ASSERT(condition)             ((void)0)
#define ASSERTMSG(message, condition) ((void)0)
#endif
#define NT_ASSERT(condition)             ASSERT(condition)
#define NT_ASSERTMSG(message, condition) ASSERTMSG(message, condition)
#define NT_ASSUME(condition)             ASSERT(condition)
#define NT_VERIFY(condition)  ((BOOLEAN)((condition) || (RtlAssert(#condition, __FILE__, __LINE__, NULL), 0)))
#define RTL_VERIFY(condition) NT_VERIFY(condition)
#define RTL_SOFT_ASSERT(condition) ASSERT(condition)
#define NT_FRE_ASSERT(condition)   NT_VERIFY(condition)

/* Code that may be paged out: above APC_LEVEL it is violation 0x58. */
void dmav3_paged_code(void);
#define PAGED_CODE()        dmav3_paged_code()
#define PAGED_CODE_LOCKED() ((void)0)
#define ALLOC_PRAGMA        1

/* An end that no driver wants: a fault of the firmware, with the code. */
DECLSPEC_NORETURN void KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR Parameter1, ULONG_PTR Parameter2,
                                    ULONG_PTR Parameter3, ULONG_PTR Parameter4);
DECLSPEC_NORETURN void KeBugCheck(ULONG BugCheckCode);

EXTERN_C_END

#endif
