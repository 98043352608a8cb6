/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions of the host tests: the first that fails ends the program with its place. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

#define FAIL(sentence)                                                                                         \
    do {                                                                                                       \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, sentence);                                          \
        exit(1);                                                                                               \
    } while (0)

/* For integers; both sides are shown. */
#define CHECK_EQ(actual, expected)                                                                             \
    do {                                                                                                       \
        unsigned long long check_actual = (unsigned long long)(actual);                                        \
        unsigned long long check_expected = (unsigned long long)(expected);                                    \
        if (check_actual != check_expected) {                                                                  \
            fprintf(stderr, "%s:%d: %s is 0x%llx, not 0x%llx\n", __FILE__, __LINE__, #actual, check_actual,    \
                    check_expected);                                                                           \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

#endif
