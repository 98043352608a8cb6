/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of every driver: basic types, lists, strings, and the macros around them. The sizes are those of
 * Windows on a 64-bit Arm: LONG and ULONG have 32 bits on every target, WCHAR has 16.
 *
 * `long` is the compiler's own and has 64 bits here, 32 there: write LONG.
 */
#ifndef NTDEF_H
#define NTDEF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sal.h>

#ifdef __cplusplus
#define EXTERN_C       extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END   }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

#define IN
#define OUT
#define OPTIONAL
#define NTAPI
#define NTSYSAPI
#define NTKERNELAPI
#define NTHALAPI
#define FASTCALL
#define CONST                 const
#define FORCEINLINE           WDM_INLINE
#define CFORCEINLINE          WDM_INLINE
#define DECLSPEC_NOINLINE     __attribute__((noinline))
#define DECLSPEC_NORETURN     __attribute__((noreturn))
#define DECLSPEC_ALIGN(bytes) __attribute__((aligned(bytes)))
#define DECLSPEC_IMPORT
#define DECLSPEC_SELECTANY __attribute__((weak))
#define POINTER_ALIGNMENT  __attribute__((aligned(sizeof(void *))))
#define RESTRICTED_POINTER
#define MEMORY_ALLOCATION_ALIGNMENT 16
#define SYSTEM_CACHE_ALIGNMENT_SIZE 64
#define DECLSPEC_CACHEALIGN         DECLSPEC_ALIGN(SYSTEM_CACHE_ALIGNMENT_SIZE)
#define UNALIGNED
#define ANYSIZE_ARRAY 1
#define MAXUSHORT     0xffff
#define MAXULONG      0xffffffff
#define MAXLONG       0x7fffffff
#define MAXLONGLONG   0x7fffffffffffffff
#define MAXULONG_PTR  (~(ULONG_PTR)0)

/* Inline, and without lines of their own, so that what is found in them is found in the line that
 * uses them. */
#define WDM_INLINE static inline __attribute__((always_inline, nodebug, unused))

/* ---- basic types ---- */

#define VOID void
typedef void *PVOID, **PPVOID;
typedef void *HANDLE, **PHANDLE;
typedef char CHAR, CCHAR, *PCHAR, *PSTR, *PSZ;
typedef const char *PCSTR, *PCSZ, *PCCHAR;
typedef uint8_t UCHAR, BOOLEAN, BYTE, *PUCHAR, *PBOOLEAN, *PBYTE;
typedef const UCHAR *PCUCHAR;
typedef int16_t SHORT, CSHORT, *PSHORT;
typedef uint16_t USHORT, *PUSHORT;
typedef const USHORT *PCUSHORT;
typedef int32_t LONG, *PLONG;
typedef uint32_t ULONG, *PULONG;
typedef const ULONG *PCULONG;
typedef int INT, BOOL, *PINT;
typedef unsigned int UINT, *PUINT;
typedef int64_t LONGLONG, *PLONGLONG;
typedef uint64_t ULONGLONG, DWORDLONG, *PULONGLONG;
typedef int8_t INT8;
typedef int16_t INT16;
typedef int32_t INT32, LONG32;
typedef int64_t INT64, LONG64, *PLONG64;
typedef uint8_t UINT8, *PUINT8;
typedef uint16_t UINT16, *PUINT16;
typedef uint32_t UINT32, ULONG32, *PUINT32;
typedef uint64_t UINT64, ULONG64, *PUINT64, *PULONG64;
typedef intptr_t INT_PTR, LONG_PTR, SSIZE_T;
typedef uintptr_t UINT_PTR, ULONG_PTR, SIZE_T, *PULONG_PTR, *PSIZE_T;
typedef ULONG_PTR KAFFINITY, PFN_NUMBER, *PPFN_NUMBER;
typedef UCHAR KIRQL, *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;
typedef LONG KPRIORITY;
typedef int32_t NTSTATUS, *PNTSTATUS;
typedef ULONG LOGICAL, ACCESS_MASK, DEVICE_TYPE;
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;
typedef wchar_t WCHAR, *PWCHAR, *PWCH, *PWSTR;
typedef const wchar_t *PCWCHAR, *PCWCH, *PCWSTR;
typedef LONGLONG PHYSICAL_SIZE;
typedef struct _GUID {
    ULONG Data1;
    USHORT Data2, Data3;
    UCHAR Data4[8];
} GUID, *PGUID;
typedef const GUID *LPCGUID;

#ifndef TRUE
#define TRUE  1
#define FALSE 0
#endif
#ifndef NULL
#define NULL 0
#endif

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, PHYSICAL_ADDRESS, *PLARGE_INTEGER, *PPHYSICAL_ADDRESS;

typedef union _ULARGE_INTEGER {
    struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

/* Counted strings: lengths in bytes. */
typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, ANSI_STRING, *PSTRING, *PANSI_STRING;
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;
typedef const ANSI_STRING *PCANSI_STRING;

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;
typedef struct _SINGLE_LIST_ENTRY {
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

typedef struct _MDL MDL, *PMDL;
typedef struct _IRP IRP, *PIRP;
typedef struct _DEVICE_OBJECT DEVICE_OBJECT, *PDEVICE_OBJECT;

/* ---- status ---- */

#define NT_SUCCESS(status)     (((NTSTATUS)(status)) >= 0)
#define NT_INFORMATION(status) ((((ULONG)(status)) >> 30) == 1)
#define NT_WARNING(status)     ((((ULONG)(status)) >> 30) == 2)
#define NT_ERROR(status)       ((((ULONG)(status)) >> 30) == 3)

/* ---- macros ---- */

/* A literal as what a string's Buffer points to. */
#ifdef __cplusplus
template <class character> constexpr character *dmav3_text(const character *text)
{
    return const_cast<character *>(text);
}
#define DMAV3_TEXT(text) dmav3_text(text)
#else
#define DMAV3_TEXT(text) (text)
#endif

#define UNREFERENCED_PARAMETER(parameter)  ((void)(parameter))
#define DBG_UNREFERENCED_PARAMETER(name)   ((void)(name))
#define UNREFERENCED_LOCAL_VARIABLE(name)  ((void)(name))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(n) ((void)(n))
#define CONTAINING_RECORD(address, type, field)                                                                \
    ((type *)((ULONG_PTR)(address) - (ULONG_PTR) __builtin_offsetof(type, field)))
#define FIELD_OFFSET(type, field)             ((LONG) __builtin_offsetof(type, field))
#define UFIELD_OFFSET(type, field)            ((ULONG) __builtin_offsetof(type, field))
#define RTL_FIELD_SIZE(type, field)           (sizeof(((type *)0)->field))
#define RTL_SIZEOF_THROUGH_FIELD(type, field) (__builtin_offsetof(type, field) + RTL_FIELD_SIZE(type, field))
#define RTL_NUMBER_OF(array)                  (sizeof(array) / sizeof((array)[0]))
#define ARRAYSIZE(array)                      RTL_NUMBER_OF(array)
#define RTL_CONSTANT_STRING(text)             {sizeof(text) - sizeof((text)[0]), sizeof(text), DMAV3_TEXT(text)}
#define DECLARE_CONST_UNICODE_STRING(name, text)                                                               \
    static const WCHAR name##_text[] = text;                                                                   \
    static const UNICODE_STRING name = {sizeof(text) - sizeof(WCHAR), sizeof(text), (PWCH)name##_text}
#define DECLARE_UNICODE_STRING_SIZE(name, count)                                                               \
    WCHAR name##_text[count];                                                                                  \
    UNICODE_STRING name = {0, (count) * sizeof(WCHAR), name##_text}
#define C_ASSERT(condition)              _Static_assert(condition, #condition)
#define FlagOn(flags, some)              ((flags) & (some))
#define BooleanFlagOn(flags, some)       ((BOOLEAN)(((flags) & (some)) != 0))
#define SetFlag(flags, some)             ((flags) |= (some))
#define ClearFlag(flags, some)           ((flags) &= ~(some))
#define LOBYTE(value)                    ((UCHAR)((ULONG_PTR)(value) & 0xff))
#define HIBYTE(value)                    ((UCHAR)((ULONG_PTR)(value) >> 8 & 0xff))
#define LOWORD(value)                    ((USHORT)((ULONG_PTR)(value) & 0xffff))
#define HIWORD(value)                    ((USHORT)((ULONG_PTR)(value) >> 16 & 0xffff))
#define MAKEWORD(low, high)              ((USHORT)((UCHAR)(low) | (USHORT)(UCHAR)(high) << 8))
#define MAKELONG(low, high)              ((LONG)((USHORT)(low) | (ULONG)(USHORT)(high) << 16))
#define PtrToUlong(pointer)              ((ULONG)(ULONG_PTR)(pointer))
#define PtrToUint(pointer)               ((UINT)(ULONG_PTR)(pointer))
#define UlongToPtr(value)                ((PVOID)(ULONG_PTR)(ULONG)(value))
#define UlongToHandle(value)             ((HANDLE)(ULONG_PTR)(ULONG)(value))
#define HandleToUlong(handle)            ((ULONG)(ULONG_PTR)(handle))
#define ALIGN_DOWN_BY(length, alignment) ((ULONG_PTR)(length) & ~((ULONG_PTR)(alignment) - 1))
#define ALIGN_UP_BY(length, alignment)   (ALIGN_DOWN_BY((ULONG_PTR)(length) + (alignment) - 1, alignment))
#define ALIGN_DOWN(length, type)         ALIGN_DOWN_BY(length, sizeof(type))
#define ALIGN_UP(length, type)           ALIGN_UP_BY(length, sizeof(type))
#define ALIGN_DOWN_POINTER_BY(address, alignment) ((PVOID)ALIGN_DOWN_BY(address, alignment))
#define ALIGN_UP_POINTER_BY(address, alignment)   ((PVOID)ALIGN_UP_BY(address, alignment))
#define Add2Ptr(pointer, bytes)                   ((PVOID)((PUCHAR)(pointer) + (bytes)))
#define Int32x32To64(a, b)                        ((LONGLONG)(LONG)(a) * (LONGLONG)(LONG)(b))
#define UInt32x32To64(a, b)                       ((ULONGLONG)(ULONG)(a) * (ULONGLONG)(ULONG)(b))
#define Int64ShllMod32(value, by)                 ((ULONGLONG)(value) << ((by) & 31))
#define Int64ShrlMod32(value, by)                 ((ULONGLONG)(value) >> ((by) & 31))
#define DEFINE_GUID(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                             \
    static const GUID name __attribute__((unused)) = {a, b, c, {d0, d1, d2, d3, d4, d5, d6, d7}}
#define IsEqualGUID(left, right) (__builtin_memcmp((left), (right), sizeof(GUID)) == 0)

#endif
