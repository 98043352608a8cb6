/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation on a line in every state: what do the CPU and a device read then?
 *
 * The cache has to act by instructions and by geometry only (schedules `lru` and `never`).
 */
#ifndef SELFTEST_CACHE_WALK_H
#define SELFTEST_CACHE_WALK_H

#include <stdbool.h>

/* Prints where its lines are, and a row for each operation. The lines of one page are read after the operation;
 * those of the next page are left as the operation left them, for whoever looks from outside. Line n of
 * a page had operation n / 6 in state n % 6 of the table.
 * True if all is as the table says. */
bool cache_walk(void);

#endif
