/* SPDX-License-Identifier: Apache-2.0 */
/* Does a transfer reach the register of its device, as far as the board knows the device? */
#ifndef LAYER_DEVICE_SIDE_H
#define LAYER_DEVICE_SIDE_H

#include "layer/objects.h"

/* Report violation 0x55 if the controller cannot reach `address`, where the device's side of a mapping of a
 * subordinate device starts. Of a device that the board knows report 0x56 if its data register is elsewhere,
 * and 0x57 if the request line is not the one of that register and of the mapping's direction. */
void device_side_report(const struct mapping *mapping, uint64_t address);

#endif
