/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into a console by test_person.py: it takes its time between the prompt and the wait for a key,
 * which is when a signal wakes nobody.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/select.h>
#include <time.h>

enum { LINGER_SECONDS = 1 };

typedef int Select(int count, fd_set *readable, fd_set *writable, fd_set *odd, struct timeval *limit);

/* Only the line editor waits for standard input alone. */
int select(int count, fd_set *readable, fd_set *writable, fd_set *odd, struct timeval *limit)
{
    struct timespec rest = {.tv_sec = LINGER_SECONDS};

    while (count == 1 && nanosleep(&rest, &rest) < 0 && errno == EINTR) {
    }
    return ((Select *)dlsym(RTLD_NEXT, "select"))(count, readable, writable, odd, limit);
}
