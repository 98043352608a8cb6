/* SPDX-License-Identifier: Apache-2.0 */
/* Times of drivers, in units of 100 ns, as model time. */
#ifndef NT_TIME_H
#define NT_TIME_H

#include <wdm.h>

enum { NS_A_UNIT = 100 };

/* Model time, in nanoseconds: negative times are from now on. */
uint64_t time_of(LARGE_INTEGER time);

#endif
