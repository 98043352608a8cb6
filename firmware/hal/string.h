/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four functions that a freestanding compiler may call, as ISO C has them. memcpy and memset
 * access aligned memory eight bytes at a time and everything else byte by byte, so they are right for
 * Normal memory of any cacheability; not for device memory.
 */
#ifndef HAL_STRING_H
#define HAL_STRING_H

#include <stddef.h>

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
#endif

#endif
