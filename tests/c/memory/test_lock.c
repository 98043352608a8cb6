/* SPDX-License-Identifier: Apache-2.0 */
/* The lock keeps threads out of each other's way, the favoured one and others alike. */
#define _GNU_SOURCE /* usleep() */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"
#include "memory/lock.h"

enum {
    OTHERS = 3,
    TURNS = 5000,
    LONG = 500,
    SOON_US = 200000 /* until the kernel lets a thread be favoured */
};

static uint64_t one, other; /* equal, unless somebody is inside */
static atomic_bool differed;
static atomic_uint at_work = OTHERS;

static void take_a_turn(void)
{
    views_lock();
    views_lock();
    if (one != other) {
        atomic_store(&differed, true);
    }
    one++;
    for (volatile unsigned int n = 0; n < LONG; n++) {
    }
    views_unlock();
    other++;
    views_unlock();
}

static void *work(void *turns)
{
    for (unsigned int n = 0; n < TURNS; n++) {
        take_a_turn();
    }
    atomic_fetch_sub(&at_work, 1);
    return turns;
}

/* As long as any other works, for it to meet them. */
static void *work_favoured(void *turns)
{
    views_lock_favours_this_thread();
    while (atomic_load(&at_work)) {
        take_a_turn();
        ++*(uint64_t *)turns;
    }
    return NULL;
}

static void nobody_is_inside_with_another(void)
{
    pthread_t favoured, others[OTHERS];
    uint64_t turns = 0;

    CHECK(pthread_create(&favoured, NULL, work_favoured, &turns) == 0);
    usleep(SOON_US);
    for (size_t n = 0; n < OTHERS; n++) {
        CHECK(pthread_create(&others[n], NULL, work, NULL) == 0);
    }
    for (size_t n = 0; n < OTHERS; n++) {
        pthread_join(others[n], NULL);
    }
    pthread_join(favoured, NULL);
    CHECK(!atomic_load(&differed));
    CHECK(one == turns + (uint64_t)OTHERS * TURNS);
    CHECK(other == one);
}

int main(void)
{
    nobody_is_inside_with_another();
    puts("ok lock");
    return 0;
}
