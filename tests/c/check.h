/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on the host: the first assertion that fails ends the program with its place.
 *
 *     TEST(a_flush_must_name_the_mapping, "FBX-04 FBX-18")
 *     {
 *         CHECK(...);
 *     }
 *
 * The text names the rules that the test decides, as dmav3_rule does in Python. What each test checks is kept
 * in the program, so that a report can say it.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A check: the function that makes it, and what it says. */
struct check_site {
    const char *function;
    const char *text;
};

#define CHECK_SITE(sentence)                                                                                   \
    static const struct check_site check_site                                                                  \
        __attribute__((section("check_sites"), used)) = {__func__, sentence}

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        CHECK_SITE(#condition);                                                                                \
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
        CHECK_SITE(#actual " == " #expected);                                                                  \
        unsigned long long check_actual = (unsigned long long)(actual);                                        \
        unsigned long long check_expected = (unsigned long long)(expected);                                    \
        if (check_actual != check_expected) {                                                                  \
            fprintf(stderr, "%s:%d: %s is 0x%llx, not 0x%llx\n", __FILE__, __LINE__, #actual, check_actual,    \
                    check_expected);                                                                           \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

struct check_test {
    const char *name;
    const char *rules;
    void (*run)(void);
};

/* The linker gathers the tests of a program, in their order, between these two. */
extern const struct check_test __start_check_tests[], __stop_check_tests[];
extern const struct check_site __start_check_sites[], __stop_check_sites[];

#define TEST(name, rules)                                                                                      \
    static void name(void);                                                                                    \
    static const struct check_test check_test_##name                                                           \
        __attribute__((section("check_tests"), used)) = {#name, rules, name};                                  \
    static void name(void)

/* Print what the function of a test checks itself, a line each. */
static inline void check_print_sites(const char *function)
{
    for (const struct check_site *site = __start_check_sites; site < __stop_check_sites; site++) {
        if (strcmp(site->function, function) == 0) {
            printf("%s\n", site->text);
        }
    }
}

/* With `--list`: a test a line, its name and its rules. With a name: run that one; with `--checks` behind it,
 * only print what it checks. Else run all, each after `before` if there is one. */
static inline int check_main(int argc, char **argv, void (*before)(void))
{
    int ran = 0;

    if (argc == 3 && strcmp(argv[2], "--checks") == 0) {
        check_print_sites(argv[1]);
        return 0;
    }
    for (const struct check_test *test = __start_check_tests; test < __stop_check_tests; test++) {
        if (argc > 1 && strcmp(argv[1], "--list") == 0) {
            printf("%s %s\n", test->name, test->rules);
        } else if (argc == 1 || strcmp(argv[1], test->name) == 0) {
            if (before) {
                before();
            }
            test->run();
            ran++;
        }
    }
    if (argc == 1 || ran) {
        printf("ok %s (%d)\n", argv[0], ran);
        return 0;
    }
    return strcmp(argv[1], "--list") != 0;
}

#endif
