/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/device_side.h"

#include "layer/adapter.h"
#include "layer/violation.h"

/* The device at the adapter's request line or, without one, with that register; NULL: the board knows neither.
 */
static const struct dma_peripheral *known_device(const struct adapter *adapter, uint64_t address)
{
    const struct dma_controller *known = &adapter->channel->controller->description;
    const struct dma_peripheral *found = NULL;

    for (size_t i = 0; i < known->peripheral_count; i++) {
        const struct dma_peripheral *device = &known->peripherals[i];

        if (device->request_line == adapter->request_line) {
            return device;
        }
        if (device->data_register == address) {
            found = device;
        }
    }
    return found;
}

/* Report where the device's side leaves the data register: with WidthNoWrap at the second byte. */
static bool report_register(const struct mapping *mapping, const struct dma_peripheral *device,
                            uint64_t address)
{
    if (mapping->request->adapter->width == WidthNoWrap && address == device->data_register &&
        mapping->length > 1) {
        address++;
    }
    if (address == device->data_register) {
        return false;
    }
    violation_report(VIOLATION_WRONG_REGISTER, address, device->data_register); /* IGA-21 */
    return true;
}

void device_side_report(const struct mapping *mapping, uint64_t address)
{
    const struct adapter *adapter = mapping->request->adapter;
    const struct dma_peripheral *device = known_device(adapter, address);

    if (address > adapter_highest_address(adapter)) {
        violation_report(VIOLATION_OUT_OF_REACH, address, adapter->address_bits);
    } else if (device != NULL && !report_register(mapping, device, address) &&
               (device->request_line != adapter->request_line || device->write_to_device != mapping->write)) {
        violation_report(VIOLATION_WRONG_LINE, adapter->request_line, mapping->write);
    }
}
