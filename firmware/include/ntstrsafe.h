/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings with a size. Every routine leaves a zero at the end, as long as the size is not 0. What does not fit
 * is cut: STATUS_BUFFER_OVERFLOW. STATUS_INVALID_PARAMETER: a size of 0 or above NTSTRSAFE_MAX_CCH characters,
 * or a text to append to that has no end in its size. Cb counts bytes, Cch characters, zero included.
 *
 * All memory is resident here, so any IRQL will do; formats (Printf) only at PASSIVE_LEVEL.
 */
#ifndef NTSTRSAFE_H
#define NTSTRSAFE_H

#include <stdarg.h>

#include <wdm.h>

EXTERN_C_START

#define NTSTRSAFE_MAX_CCH                   2147483647
#define NTSTRSAFE_UNICODE_STRING_MAX_LENGTH 0xfffe
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH    (NTSTRSAFE_UNICODE_STRING_MAX_LENGTH / sizeof(WCHAR))

#define DMAV3_STRSAFE(unit, letter, type)                                                                      \
    NTSTATUS RtlString##unit##Copy##letter(type *Destination, size_t Size, const type *Source);                \
    NTSTATUS RtlString##unit##CopyN##letter(type *Destination, size_t Size, const type *Source, size_t Most);  \
    NTSTATUS RtlString##unit##Cat##letter(type *Destination, size_t Size, const type *Source);                 \
    NTSTATUS RtlString##unit##CatN##letter(type *Destination, size_t Size, const type *Source, size_t Most);   \
    NTSTATUS RtlString##unit##Printf##letter(type *Destination, size_t Size, const type *Format, ...);         \
    NTSTATUS RtlString##unit##VPrintf##letter(type *Destination, size_t Size, const type *Format,              \
                                              va_list Arguments);                                              \
    /* How long the text is, without its zero; no end in Most: STATUS_INVALID_PARAMETER, and 0. */             \
    NTSTATUS RtlString##unit##Length##letter(const type *Text, size_t Most, size_t *Length);

DMAV3_STRSAFE(Cb, A, CHAR)
DMAV3_STRSAFE(Cb, W, WCHAR)
DMAV3_STRSAFE(Cch, A, CHAR)
DMAV3_STRSAFE(Cch, W, WCHAR)

/* ---- counted strings: the size is MaximumLength, and there is no zero at the end ---- */

/* NULL: an empty string. STATUS_INVALID_PARAMETER: the text is too long for one. */
NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING DestinationString, PCWSTR Source);
NTSTATUS RtlUnicodeStringCopy(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);
NTSTATUS RtlUnicodeStringCopyString(PUNICODE_STRING DestinationString, PCWSTR Source);
NTSTATUS RtlUnicodeStringCat(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);
NTSTATUS RtlUnicodeStringCatString(PUNICODE_STRING DestinationString, PCWSTR Source);
NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, ...);
NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, va_list Arguments);

EXTERN_C_END

#endif
