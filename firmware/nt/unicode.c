/* SPDX-License-Identifier: Apache-2.0 */
/* Counted strings. Upper case is that of ASCII. */
#include <string.h>

#include "nt/nt.h"

enum { LONGEST = 0xfffe };

static USHORT counted(size_t bytes)
{
    return (USHORT)(bytes < LONGEST ? bytes : LONGEST);
}

void RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    size_t bytes = SourceString != NULL ? wcslen(SourceString) * sizeof(WCHAR) : 0;

    DestinationString->Buffer = (PWCH)(ULONG_PTR)SourceString;
    DestinationString->Length = counted(bytes);
    DestinationString->MaximumLength = SourceString != NULL ? counted(bytes + sizeof(WCHAR)) : 0;
}

void RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString)
{
    size_t bytes = SourceString != NULL ? strlen(SourceString) : 0;

    DestinationString->Buffer = (PCHAR)(ULONG_PTR)SourceString;
    DestinationString->Length = counted(bytes);
    DestinationString->MaximumLength = SourceString != NULL ? counted(bytes + 1) : 0;
}

/* Put a zero behind the text, if there is room. */
static void end(PUNICODE_STRING string)
{
    if (string->MaximumLength - string->Length >= (int)sizeof(WCHAR)) {
        string->Buffer[string->Length / sizeof(WCHAR)] = 0;
    }
}

void RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    DestinationString->Length = 0;
    if (SourceString != NULL) {
        DestinationString->Length = min(SourceString->Length, DestinationString->MaximumLength);
        memmove(DestinationString->Buffer, SourceString->Buffer, DestinationString->Length);
        end(DestinationString);
    }
}

static NTSTATUS append(PUNICODE_STRING to, PCWCH text, size_t bytes)
{
    if (bytes > (size_t)(to->MaximumLength - to->Length)) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    memmove((PUCHAR)to->Buffer + to->Length, text, bytes);
    to->Length = (USHORT)(to->Length + bytes);
    end(to);
    return STATUS_SUCCESS;
}

NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
    return Source != NULL ? append(Destination, Source, wcslen(Source) * sizeof(WCHAR)) : STATUS_SUCCESS;
}

NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return append(Destination, Source->Buffer, Source->Length);
}

WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter)
{
    return SourceCharacter >= 'a' && SourceCharacter <= 'z' ? (WCHAR)(SourceCharacter - 'a' + 'A')
                                                            : SourceCharacter;
}

static LONG compare(PCUNICODE_STRING left, PCUNICODE_STRING right, size_t count, BOOLEAN insensitive)
{
    for (size_t i = 0; i < count; i++) {
        WCHAR a = left->Buffer[i], b = right->Buffer[i];

        if (insensitive) {
            a = RtlUpcaseUnicodeChar(a);
            b = RtlUpcaseUnicodeChar(b);
        }
        if (a != b) {
            return a - b;
        }
    }
    return 0;
}

LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    size_t common = min(String1->Length, String2->Length) / sizeof(WCHAR);
    LONG difference = compare(String1, String2, common, CaseInSensitive);

    return difference != 0 ? difference : String1->Length - String2->Length;
}

BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return RtlCompareUnicodeString(String1, String2, CaseInSensitive) == 0;
}

BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return String1->Length <= String2->Length &&
           compare(String1, String2, String1->Length / sizeof(WCHAR), CaseInSensitive) == 0;
}

/* ---- numbers ---- */

/* The value of a digit, or 36. */
static ULONG digit(WCHAR character)
{
    WCHAR upper = RtlUpcaseUnicodeChar(character);

    if (character >= '0' && character <= '9') {
        return (ULONG)(character - '0');
    }
    return upper >= 'A' && upper <= 'Z' ? (ULONG)(upper - 'A' + 10) : 36;
}

static ULONG base_of(PCWCH text, size_t count, size_t *next)
{
    WCHAR letter = count - *next > 2 && text[*next] == '0' ? text[*next + 1] : 0;
    ULONG base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;

    *next += base != 10 ? 2 : 0;
    return base;
}

NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value)
{
    size_t count = String->Length / sizeof(WCHAR), next = 0;
    BOOLEAN minus;
    ULONG value = 0;

    (void)NT_AT_MOST(RtlUnicodeStringToInteger, PASSIVE_LEVEL);
    if (Base != 0 && Base != 2 && Base != 8 && Base != 10 && Base != 16) {
        return STATUS_INVALID_PARAMETER;
    }
    while (next < count && String->Buffer[next] == ' ') {
        next++;
    }
    minus = next < count && String->Buffer[next] == '-';
    next += minus || (next < count && String->Buffer[next] == '+');
    Base = Base != 0 ? Base : base_of(String->Buffer, count, &next);
    for (; next < count && digit(String->Buffer[next]) < Base; next++) {
        value = value * Base + digit(String->Buffer[next]);
    }
    *Value = minus ? 0 - value : value;
    return STATUS_SUCCESS;
}

NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String)
{
    WCHAR text[33];
    size_t first = ARRAYSIZE(text);

    (void)NT_AT_MOST(RtlIntegerToUnicodeString, PASSIVE_LEVEL);
    Base = Base != 0 ? Base : 10;
    if (Base != 2 && Base != 8 && Base != 10 && Base != 16) {
        return STATUS_INVALID_PARAMETER;
    }
    do {
        text[--first] = (WCHAR) "0123456789ABCDEF"[Value % Base];
        Value /= Base;
    } while (Value != 0);
    if ((ARRAYSIZE(text) - first) * sizeof(WCHAR) > String->MaximumLength) {
        return STATUS_BUFFER_OVERFLOW;
    }
    String->Length = 0;
    return append(String, text + first, (ARRAYSIZE(text) - first) * sizeof(WCHAR));
}
