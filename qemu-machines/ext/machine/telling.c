/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/telling.h"

#include <stddef.h>

#include "devices/pci.h"
#include "devices/remote.h"
#include "machine/places.h"

static const struct {
    uint64_t base, size;
} devices[] = {
    {PL330_BASE, PL330_SIZE},   {PL330_NONSECURE_BASE, PL330_SIZE},
    {STREAM_BASE, STREAM_PAGE}, {REMOTE_BASE, REMOTE_DEVICES * REMOTE_WINDOW},
    {BAR_BASE, BAR_SIZE},
};

/* An interrupt of the core's own timers, of the alarm or of the command UART, or none, tells nothing. */
static bool is_of_a_device(uint32_t interrupt)
{
    uint32_t shared = interrupt - FIRST_SPI;

    return shared < NO_SPI - FIRST_SPI && shared != UART_SPI && shared != ALARM_SPI;
}

enum telling telling_of(uint64_t physical, qemu_plugin_meminfo_t info)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (physical - devices[i].base < devices[i].size) {
            return TELLS_OF_A_DEVICE;
        }
    }
    if (physical == GICC_BASE + GICC_IAR || physical == GICC_BASE + GICC_AIAR) {
        return is_of_a_device(qemu.qemu_plugin_mem_get_value(info).low & 0x3ff) ? TELLS_OF_AN_INTERRUPT
                                                                                : TELLS_NOTHING;
    }
    return TELLS_NOTHING;
}
