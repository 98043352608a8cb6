/* SPDX-License-Identifier: Apache-2.0 */
/* Counted strings of one kind made of another. Characters beyond 255 become `?`; upper case is that of ASCII.
 */
#include "nt/nt.h"
#include "nt/pool.h"

enum { STRING_TAG = 0x67727453 };

/* Of the two kinds of counted string: the members are the same but for what Buffer points to. */
_Static_assert(sizeof(ANSI_STRING) == sizeof(UNICODE_STRING), "one layout for both");

/* Give a string room for `bytes` of text with a zero of `zero` bytes: a new buffer, or look at the one it has.
 */
static NTSTATUS prepare(enum oplog_id routine, uintptr_t caller, PUNICODE_STRING to, size_t bytes, size_t zero,
                        BOOLEAN allocates)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (bytes + zero > MAXUSHORT) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (allocates) {
        to->Buffer = pool_allocate(routine, caller, bytes + zero, STRING_TAG);
        to->MaximumLength = (USHORT)(bytes + zero);
    }
    if (to->Buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    if (bytes > to->MaximumLength) {
        return STATUS_BUFFER_OVERFLOW;
    }
    to->Length = (USHORT)bytes;
    return STATUS_SUCCESS;
}

NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
                                      BOOLEAN AllocateDestinationString)
{
    NTSTATUS status = prepare(OPLOG_RtlAnsiStringToUnicodeString, NT_CALLER, DestinationString,
                              SourceString->Length * sizeof(WCHAR), sizeof(WCHAR), AllocateDestinationString);

    for (ULONG i = 0; NT_SUCCESS(status) && i < SourceString->Length; i++) {
        DestinationString->Buffer[i] = (UCHAR)SourceString->Buffer[i];
    }
    return status;
}

NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                      BOOLEAN AllocateDestinationString)
{
    ULONG count = SourceString->Length / (ULONG)sizeof(WCHAR);
    NTSTATUS status = prepare(OPLOG_RtlUnicodeStringToAnsiString, NT_CALLER, (PUNICODE_STRING)DestinationString,
                              count, sizeof(CHAR), AllocateDestinationString);

    for (ULONG i = 0; NT_SUCCESS(status) && i < count; i++) {
        WCHAR character = SourceString->Buffer[i];

        DestinationString->Buffer[i] = (CHAR)(character < 256 ? character : '?');
    }
    return status;
}

NTSTATUS RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                BOOLEAN AllocateDestinationString)
{
    NTSTATUS status = prepare(OPLOG_RtlUpcaseUnicodeString, NT_CALLER, DestinationString, SourceString->Length,
                              0, AllocateDestinationString);

    for (ULONG i = 0; NT_SUCCESS(status) && i < SourceString->Length / sizeof(WCHAR); i++) {
        DestinationString->Buffer[i] = RtlUpcaseUnicodeChar(SourceString->Buffer[i]);
    }
    return status;
}

void RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    (void)NT_AT_MOST(RtlFreeUnicodeString, PASSIVE_LEVEL);
    if (UnicodeString->Buffer != NULL) {
        ExFreePoolWithTag(UnicodeString->Buffer, STRING_TAG);
        *UnicodeString = (UNICODE_STRING){.Buffer = NULL};
    }
}

void RtlFreeAnsiString(PANSI_STRING AnsiString)
{
    (void)NT_AT_MOST(RtlFreeAnsiString, PASSIVE_LEVEL);
    if (AnsiString->Buffer != NULL) {
        ExFreePoolWithTag(AnsiString->Buffer, STRING_TAG);
        *AnsiString = (ANSI_STRING){.Buffer = NULL};
    }
}
