/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/string.h"

#include <stdint.h>

static int aligned(const void *pointer)
{
    return ((uintptr_t)pointer & 7) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (aligned(to) && aligned(from)) {
        for (; size >= 8; size -= 8, out += 8, in += 8) {
            *(uint64_t *)(void *)out = *(const uint64_t *)(const void *)in;
        }
    }
    while (size--) {
        *out++ = *in++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (out <= in) {
        return memcpy(to, from, size);
    }
    while (size--) {
        out[size] = in[size];
    }
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    uint8_t *out = to;
    uint64_t word = (uint8_t)byte * 0x0101010101010101ull;

    if (aligned(to)) {
        for (; size >= 8; size -= 8, out += 8) {
            *(uint64_t *)(void *)out = word;
        }
    }
    while (size--) {
        *out++ = (uint8_t)byte;
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const uint8_t *a = left, *b = right;

    for (; size; size--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length]) {
        length++;
    }
    return length;
}

int strcmp(const char *left, const char *right)
{
    while (*left && *left == *right) {
        left++, right++;
    }
    return (uint8_t)*left - (uint8_t)*right;
}
