/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into QEMU by test_time.py: the CPU's thread takes its time to leave an instruction early, as
 * it does when it falls asleep, and the main loop never sleeps. So the main loop nearly always sets the
 * clock forward before the CPU's last instructions have been counted (qemu-machines/ext/time/clock.h).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LINGER_NS = 20000, KERNEL_SIGSET_SIZE = 8 };

typedef void Jump(void *buffer, int value);

static void linger(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LINGER_NS}, NULL);
}

/* What siglongjmp() is in a program that was built with checks. */
__attribute__((noreturn)) void __longjmp_chk(void *buffer, int value);

void __longjmp_chk(void *buffer, int value)
{
    linger();
    ((Jump *)dlsym(RTLD_NEXT, "__longjmp_chk"))(buffer, value);
    __builtin_unreachable();
}

int ppoll(struct pollfd *files, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    const struct timespec none = {0};

    (void)timeout;
    return (int)syscall(SYS_ppoll, files, count, &none, mask, KERNEL_SIGSET_SIZE);
}
