/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of ISO C's <string.h> that drivers call, and those of MSVC's for wide text. */
#ifndef DMAV3_STRING_H
#define DMAV3_STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *__restrict to, const void *__restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memchr(const void *memory, int byte, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t most);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t most);
char *strcpy(char *__restrict to, const char *__restrict from);
char *strncpy(char *__restrict to, const char *__restrict from, size_t size);
char *strcat(char *__restrict to, const char *__restrict from);
char *strchr(const char *text, int character);
char *strrchr(const char *text, int character);
char *strstr(const char *text, const char *part);
int _stricmp(const char *left, const char *right);
int _strnicmp(const char *left, const char *right, size_t most);
size_t wcslen(const wchar_t *text);
int wcscmp(const wchar_t *left, const wchar_t *right);
int _wcsicmp(const wchar_t *left, const wchar_t *right);
wchar_t *wcscpy(wchar_t *__restrict to, const wchar_t *__restrict from);
wchar_t *wcschr(const wchar_t *text, wchar_t character);

#ifdef __cplusplus
}
#endif

#endif
