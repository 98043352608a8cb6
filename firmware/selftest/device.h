/* SPDX-License-Identifier: Apache-2.0 */
/* A device that reads and writes memory: channel 0 of the PL330, with a program written by hand. */
#ifndef SELFTEST_DEVICE_H
#define SELFTEST_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

enum { DEVICE_BURST = 64 /* bytes */ };

/* Copy DEVICE_BURST bytes between addresses that are multiples of it, physical and below 4 GiB. False if the
 * controller has not done it. */
bool device_copy(volatile void *to, const volatile void *from);

#endif
