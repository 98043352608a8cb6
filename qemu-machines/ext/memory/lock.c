/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The favoured thread says that it is inside, without an atomic operation, and looks whether another is.
 * Another has the mutex first; it says that it is inside, lets every processor see that (membarrier(2)), and
 * waits until the favoured thread is outside. One of the two always sees the other.
 *
 * The kernel takes some ten milliseconds to let a process do that. They pass on a thread of their own; until
 * then nobody is favoured.
 */
#define _GNU_SOURCE /* syscall() */
#include "memory/lock.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "qemu/qemu_abi.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool can_favour, favoured_is_inside, other_is_inside;

static THREAD_LOCAL unsigned int depth; /* how often this thread has taken the lock */
static THREAD_LOCAL bool is_cpu, is_favoured, has_mutex;

static long order_processors(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

static void *register_process(void *unused)
{
    bool done = order_processors(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;

    __atomic_store_n(&can_favour, done, __ATOMIC_SEQ_CST);
    return unused;
}

void views_lock_favours_this_thread(void)
{
    pthread_t thread;

    is_cpu = true;
    if (pthread_create(&thread, NULL, register_process, NULL) == 0) {
        pthread_detach(thread);
    }
}

static void take_mutex(void)
{
    pthread_mutex_lock(&mutex);
    has_mutex = true;
}

static void enter_as_another(void)
{
    take_mutex();
    __atomic_store_n(&other_is_inside, true, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&can_favour, __ATOMIC_SEQ_CST)) {
        order_processors(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        while (__atomic_load_n(&favoured_is_inside, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
    }
}

static void wait_for_another(void)
{
    __atomic_store_n(&favoured_is_inside, false, __ATOMIC_RELEASE);
    take_mutex();
}

void views_lock(void)
{
    if (depth++ != 0) {
        return;
    }
    if (!is_favoured) {
        enter_as_another();
        return;
    }
    __atomic_store_n(&favoured_is_inside, true, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&other_is_inside, __ATOMIC_ACQUIRE)) {
        wait_for_another();
    }
}

static void leave_as_another(void)
{
    is_favoured = is_cpu && __atomic_load_n(&can_favour, __ATOMIC_SEQ_CST);
    __atomic_store_n(&other_is_inside, false, __ATOMIC_RELEASE);
}

void views_unlock(void)
{
    if (--depth != 0) {
        return;
    }
    if (!is_favoured) {
        leave_as_another();
    }
    if (has_mutex) {
        has_mutex = false;
        pthread_mutex_unlock(&mutex);
    } else {
        __atomic_store_n(&favoured_is_inside, false, __ATOMIC_RELEASE);
    }
}
