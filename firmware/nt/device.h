/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of a device object beside what the driver sees. */
#ifndef NT_DEVICE_H
#define NT_DEVICE_H

#include <wdm.h>

#include <stdbool.h>

#define DEVICE_NO_LINE (~0u)

/* The interrupt line that dmav3_assign_line gave it. */
ULONG device_line(const DEVICE_OBJECT *object);

#endif
