/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one lock over the cache model and everything that is derived from it: the CPU's callbacks run without
 * QEMU's big lock, and devices on other threads with it. Who takes both takes the big one first.
 */
#ifndef DMAV3_LOCK_H
#define DMAV3_LOCK_H

/* The calling thread, which is the CPU's, soon takes the lock for nearly nothing, and others pay for it. Called
 * once, at most, and without the lock; where the kernel cannot do it, nothing changes. */
void views_lock_favours_this_thread(void);

/* The lock is recursive. */
void views_lock(void);
void views_unlock(void);

#endif
