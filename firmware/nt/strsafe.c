/* SPDX-License-Identifier: Apache-2.0 */
/* ntstrsafe.h. Each routine is a line of a table that says what it counts, and characters of which width. */
#include <ntstrsafe.h>
#include <string.h>

#include "nt/format.h"
#include "nt/nt.h"

/* Where text goes. */
struct room {
    PVOID text;
    size_t count; /* characters, zero included */
    bool wide;
};

static WCHAR at(const void *text, bool wide, size_t index)
{
    return wide ? ((PCWCH)text)[index] : (WCHAR)((PCUCHAR)text)[index];
}

static void put(const struct room *room, size_t index, WCHAR character)
{
    if (room->wide) {
        ((PWCHAR)room->text)[index] = character;
    } else {
        ((PCHAR)room->text)[index] = (CHAR)character;
    }
}

static bool is_sound(const struct room *room)
{
    return room->count > 0 && room->count <= NTSTRSAFE_MAX_CCH;
}

/* As many characters as there are in front of a zero, at most `most`. */
static size_t length_of(const void *text, bool wide, size_t most)
{
    size_t length = 0;

    while (length < most && at(text, wide, length) != 0) {
        length++;
    }
    return length;
}

/* Put text, at most `most` characters of it, behind the first `start` characters. */
static NTSTATUS put_text(const struct room *room, size_t start, const void *text, size_t most)
{
    size_t length = length_of(text, room->wide, most), fits = room->count - 1 - start;

    for (size_t i = 0; i < min(length, fits); i++) {
        put(room, start + i, at(text, room->wide, i));
    }
    put(room, start + min(length, fits), 0);
    return length > fits ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS copy(struct room room, const void *text, size_t most)
{
    return is_sound(&room) ? put_text(&room, 0, text, most) : STATUS_INVALID_PARAMETER;
}

static NTSTATUS append(struct room room, const void *text, size_t most)
{
    size_t start = is_sound(&room) ? length_of(room.text, room.wide, room.count) : room.count;

    return start < room.count ? put_text(&room, start, text, most) : STATUS_INVALID_PARAMETER;
}

static NTSTATUS print(enum oplog_id routine, uintptr_t caller, struct room room, const void *format,
                      va_list arguments)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, PASSIVE_LEVEL);
    if (!is_sound(&room)) {
        return STATUS_INVALID_PARAMETER;
    }
    return nt_format(room.text, room.count, room.wide, format, arguments) >= room.count ? STATUS_BUFFER_OVERFLOW
                                                                                        : STATUS_SUCCESS;
}

static NTSTATUS find_length(const void *text, bool wide, size_t most, size_t unit, size_t *length)
{
    size_t found = text != NULL && most <= NTSTRSAFE_MAX_CCH ? length_of(text, wide, most) : most;

    *length = found < most ? found * unit : 0;
    return found < most ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* ---- the routines: `unit` is the bytes of what is counted ---- */

#define STRSAFE(name, letter, type, unit)                                                                      \
    NTSTATUS RtlString##name##Copy##letter(type *Destination, size_t Size, const type *Source)                 \
    {                                                                                                          \
        return copy(ROOM(type, unit), Source, SIZE_MAX);                                                       \
    }                                                                                                          \
    NTSTATUS RtlString##name##CopyN##letter(type *Destination, size_t Size, const type *Source, size_t Most)   \
    {                                                                                                          \
        return copy(ROOM(type, unit), Source, Most * (unit) / sizeof(type));                                   \
    }                                                                                                          \
    NTSTATUS RtlString##name##Cat##letter(type *Destination, size_t Size, const type *Source)                  \
    {                                                                                                          \
        return append(ROOM(type, unit), Source, SIZE_MAX);                                                     \
    }                                                                                                          \
    NTSTATUS RtlString##name##CatN##letter(type *Destination, size_t Size, const type *Source, size_t Most)    \
    {                                                                                                          \
        return append(ROOM(type, unit), Source, Most * (unit) / sizeof(type));                                 \
    }                                                                                                          \
    NTSTATUS RtlString##name##VPrintf##letter(type *Destination, size_t Size, const type *Format,              \
                                              va_list Arguments)                                               \
    {                                                                                                          \
        return print(OPLOG_RtlString##name##VPrintf##letter, NT_CALLER, ROOM(type, unit), Format, Arguments);  \
    }                                                                                                          \
    NTSTATUS RtlString##name##Printf##letter(type *Destination, size_t Size, const type *Format, ...)          \
    {                                                                                                          \
        NTSTATUS status;                                                                                       \
        va_list arguments;                                                                                     \
                                                                                                               \
        va_start(arguments, Format);                                                                           \
        status = print(OPLOG_RtlString##name##Printf##letter, NT_CALLER, ROOM(type, unit), Format, arguments); \
        va_end(arguments);                                                                                     \
        return status;                                                                                         \
    }                                                                                                          \
    NTSTATUS RtlString##name##Length##letter(const type *Text, size_t Most, size_t *Length)                    \
    {                                                                                                          \
        return find_length(Text, sizeof(type) == sizeof(WCHAR), Most * (unit) / sizeof(type),                  \
                           sizeof(type) / (unit), Length);                                                     \
    }
#define ROOM(type, unit)                                                                                       \
    ((struct room){Destination, Size * (unit) / sizeof(type), sizeof(type) == sizeof(WCHAR)})

STRSAFE(Cb, A, CHAR, 1)
STRSAFE(Cb, W, WCHAR, 1)
STRSAFE(Cch, A, CHAR, sizeof(CHAR))
STRSAFE(Cch, W, WCHAR, sizeof(WCHAR))

/* ---- counted strings ---- */

NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING DestinationString, PCWSTR Source)
{
    if (Source != NULL && wcslen(Source) > NTSTRSAFE_UNICODE_STRING_MAX_CCH - 1) {
        return STATUS_INVALID_PARAMETER;
    }
    RtlInitUnicodeString(DestinationString, Source);
    return STATUS_SUCCESS;
}

/* Put as many of the bytes as fit behind the first `start`. */
static NTSTATUS put_counted(PUNICODE_STRING to, size_t start, const void *text, size_t bytes)
{
    size_t fits = (to->MaximumLength & ~(sizeof(WCHAR) - 1)) - start;

    memmove((PUCHAR)to->Buffer + start, text, min(bytes, fits));
    to->Length = (USHORT)(start + min(bytes, fits));
    return bytes > fits ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS RtlUnicodeStringCopy(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    return put_counted(DestinationString, 0, SourceString->Buffer, SourceString->Length);
}

NTSTATUS RtlUnicodeStringCopyString(PUNICODE_STRING DestinationString, PCWSTR Source)
{
    return put_counted(DestinationString, 0, Source, wcslen(Source) * sizeof(WCHAR));
}

NTSTATUS RtlUnicodeStringCat(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    return put_counted(DestinationString, DestinationString->Length, SourceString->Buffer,
                       SourceString->Length);
}

NTSTATUS RtlUnicodeStringCatString(PUNICODE_STRING DestinationString, PCWSTR Source)
{
    return put_counted(DestinationString, DestinationString->Length, Source, wcslen(Source) * sizeof(WCHAR));
}

static NTSTATUS print_counted(enum oplog_id routine, uintptr_t caller, PUNICODE_STRING to, PCWSTR format,
                              va_list arguments)
{
    size_t count = to->MaximumLength / sizeof(WCHAR), length;

    (void)nt_level(routine, caller, PASSIVE_LEVEL, PASSIVE_LEVEL);
    length = nt_format_open(to->Buffer, count, true, format, arguments);
    to->Length = (USHORT)(min(length, count) * sizeof(WCHAR));
    return length > count ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, va_list Arguments)
{
    return print_counted(OPLOG_RtlUnicodeStringVPrintf, NT_CALLER, DestinationString, Format, Arguments);
}

NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, ...)
{
    NTSTATUS status;
    va_list arguments;

    va_start(arguments, Format);
    status = print_counted(OPLOG_RtlUnicodeStringPrintf, NT_CALLER, DestinationString, Format, arguments);
    va_end(arguments);
    return status;
}
