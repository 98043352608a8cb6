/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus that a test's device is on: its driver, which answers for the physical device object, and the
 * resources that a start of the device names.
 */
#ifndef NT_BUS_H
#define NT_BUS_H

#include <wdm.h>

#include <stdbool.h>

/* What lies at the bottom of the device's stack. */
PDEVICE_OBJECT bus_device(void);

/* What lies on top of it: the physical device object itself where nothing is attached. */
PDEVICE_OBJECT bus_top(void);

/* Give the device a resource, as translated; false: it has 16. */
bool bus_add_resource(const CM_PARTIAL_RESOURCE_DESCRIPTOR *resource);

/* Its resources, raw or translated, with room for them in `list`. */
struct bus_resources {
    CM_RESOURCE_LIST list; /* the first descriptor is in it */
    CM_PARTIAL_RESOURCE_DESCRIPTOR others[15];
};
void bus_list_resources(struct bus_resources *resources, bool translated);

/* The interrupt among them; `otherwise`: it has none. */
ULONG bus_line(ULONG otherwise);

/* Has the request reached the bus since bus_forget(), which is for one that is new? */
void bus_forget(const IRP *irp);
bool bus_was_reached_by(const IRP *irp);

#endif
