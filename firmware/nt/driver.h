/* SPDX-License-Identifier: Apache-2.0 */
/* A driver whole: the `DriverEntry` that is linked with the shim, its driver object, and its end. */
#ifndef NT_DRIVER_H
#define NT_DRIVER_H

#include <wdm.h>

/* Call DriverEntry, and AddDevice with the bus's device. PASSIVE_LEVEL. `step` receives which of the two the
 * status is of; where AddDevice fails, the driver is unloaded. STATUS_DEVICE_BUSY: that was done already,
 * without an unload. */
enum driver_step { DRIVER_STEP_NONE, DRIVER_STEP_ENTRY, DRIVER_STEP_ADD };
NTSTATUS driver_load(enum driver_step *step);

/* Call DriverUnload. STATUS_NOT_SUPPORTED: there is none. STATUS_DEVICE_NOT_READY: nothing is loaded. */
NTSTATUS driver_unload(void);

/* The driver's routine for requests of a kind; NULL: it has none. */
PDRIVER_DISPATCH driver_routine(UCHAR major);

#endif
