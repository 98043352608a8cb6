/* SPDX-License-Identifier: Apache-2.0 */
/* The same as wdm.h: the two differ on Windows, not here. */
#ifndef NTDDK_H
#define NTDDK_H

#include <wdm.h>

#endif
