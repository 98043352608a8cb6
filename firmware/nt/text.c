/* SPDX-License-Identifier: Apache-2.0 */
/* What include/crt/string.h has beyond hal/string.h. */
#include <string.h>

#include <wdm.h>

static int lower(int character)
{
    return character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character;
}

void *memchr(const void *memory, int byte, size_t size)
{
    PCUCHAR at = (PCUCHAR)memory;

    for (; size > 0; size--, at++) {
        if (*at == (UCHAR)byte) {
            return (PVOID)(ULONG_PTR)at;
        }
    }
    return NULL;
}

size_t strnlen(const char *text, size_t most)
{
    size_t length = 0;

    while (length < most && text[length] != '\0') {
        length++;
    }
    return length;
}

int strncmp(const char *left, const char *right, size_t most)
{
    for (; most > 0; most--, left++, right++) {
        if (*left != *right || *left == '\0') {
            return (UCHAR)*left - (UCHAR)*right;
        }
    }
    return 0;
}

int _strnicmp(const char *left, const char *right, size_t most)
{
    for (; most > 0; most--, left++, right++) {
        int difference = lower((UCHAR)*left) - lower((UCHAR)*right);

        if (difference != 0 || *left == '\0') {
            return difference;
        }
    }
    return 0;
}

int _stricmp(const char *left, const char *right)
{
    return _strnicmp(left, right, SIZE_MAX);
}

char *strncpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t i = 0;

    for (; i < size && from[i] != '\0'; i++) {
        to[i] = from[i];
    }
    for (; i < size; i++) {
        to[i] = '\0';
    }
    return to;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    memcpy(to, from, strlen(from) + 1);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strchr(const char *text, int character)
{
    return (char *)memchr(text, character, strlen(text) + 1);
}

char *strrchr(const char *text, int character)
{
    for (size_t i = strlen(text) + 1; i-- > 0;) {
        if (text[i] == (char)character) {
            return (PCHAR)(ULONG_PTR)text + i;
        }
    }
    return NULL;
}

char *strstr(const char *text, const char *part)
{
    size_t size = strlen(part);

    for (; strnlen(text, size) == size; text++) {
        if (strncmp(text, part, size) == 0) {
            return (PCHAR)(ULONG_PTR)text;
        }
    }
    return NULL;
}

size_t wcslen(const wchar_t *text)
{
    size_t length = 0;

    while (text[length] != 0) {
        length++;
    }
    return length;
}

int wcscmp(const wchar_t *left, const wchar_t *right)
{
    for (; *left == *right && *left != 0; left++, right++) {
    }
    return *left - *right;
}

int _wcsicmp(const wchar_t *left, const wchar_t *right)
{
    for (; lower(*left) == lower(*right) && *left != 0; left++, right++) {
    }
    return lower(*left) - lower(*right);
}

wchar_t *wcscpy(wchar_t *restrict to, const wchar_t *restrict from)
{
    memcpy(to, from, (wcslen(from) + 1) * sizeof(WCHAR));
    return to;
}

wchar_t *wcschr(const wchar_t *text, wchar_t character)
{
    for (;; text++) {
        if (*text == character) {
            return (PWCHAR)(ULONG_PTR)text;
        }
        if (*text == 0) {
            return NULL;
        }
    }
}
