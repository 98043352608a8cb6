/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/bypass.h"

#include <stddef.h>
#include <stdio.h>

#include "devices/pci.h"
#include "evidence/finding.h"
#include "memory/accessor.h"
#include "qemu/qemu_abi.h"

/* Places on `virt`, and registers there (the virtio standard's chapter on MMIO; QEMU's docs/specs/fw_cfg.rst).
 * A store to the lower half of the address, the second in memory, starts fw_cfg's DMA. */
enum bypass_place {
    FW_CFG_BASE = 0x09020000,
    FW_CFG_DMA_LOW = FW_CFG_BASE + 0x14,
    VIRTIO_BASE = 0x0a000000,
    VIRTIO_STRIDE = 0x200,
    VIRTIO_MAGIC = 0x00,
    VIRTIO_DEVICE_ID = 0x08,
    VIRTIO_QUEUE_NOTIFY = 0x50,
};
enum { TRANSPORTS = 32, MAGIC = 0x74726976 /* "virt" */ };

/* Of the device behind each transport, 0: none. */
static uint32_t device_ids[TRANSPORTS];

static uint32_t read_register(uint64_t address)
{
    uint32_t value = 0;

    qemu.cpu_physical_memory_rw(address, &value, sizeof(value), false);
    return value;
}

static int check_virtio_on_pci(Object *object, void *opaque)
{
    char text[200];

    (void)opaque;
    if (pci_goes_past(object)) {
        snprintf(text, sizeof(text),
                 "%s would go past the memory that devices see: give it iommu_platform=on,disable-legacy=on",
                 qemu.object_get_typename(object));
        qemu_abi_refuse(text);
    }
    return 0;
}

void bypass_reset(void)
{
    for (unsigned int i = 0; i < TRANSPORTS; i++) {
        uint64_t base = VIRTIO_BASE + (uint64_t)i * VIRTIO_STRIDE;

        device_ids[i] =
            read_register(base + VIRTIO_MAGIC) == MAGIC ? read_register(base + VIRTIO_DEVICE_ID) : 0;
    }
    qemu.object_child_foreach_recursive(qemu.object_get_root(), check_virtio_on_pci, NULL);
}

/* Number of the transport; TRANSPORTS or more: it is none. */
static uint64_t transport_at(uint64_t physical)
{
    return (physical - VIRTIO_BASE) / VIRTIO_STRIDE;
}

static bool is_bar(uint64_t physical)
{
    return physical - BAR_BASE < BAR_SIZE;
}

bool bypass_starts(uint64_t physical, unsigned int size)
{
    uint64_t transport = transport_at(physical);
    uint32_t channel;

    if (is_bar(physical)) {
        return pci_bar_past(physical, &channel) != 0;
    }
    if (transport < TRANSPORTS) {
        return device_ids[transport] && physical % VIRTIO_STRIDE == VIRTIO_QUEUE_NOTIFY;
    }
    return physical <= FW_CFG_DMA_LOW && FW_CFG_DMA_LOW < physical + size;
}

/* Which device, and where it is. */
static struct probe_finding device_at(uint64_t physical)
{
    uint64_t transport = transport_at(physical);
    struct probe_finding found = {.address = FW_CFG_BASE, .channel = ACCESSOR_OTHER};

    if (is_bar(physical)) {
        found.address = pci_bar_past(physical, &found.channel);
    } else if (transport < TRANSPORTS) {
        found.address = physical - VIRTIO_QUEUE_NOTIFY;
        found.channel |= device_ids[transport];
    }
    return found;
}

void bypass_report(uint64_t physical, uint64_t pc)
{
    struct probe_finding found = device_at(physical);
    const struct accessor by = {.pc = pc, .channel = found.channel};

    found.kind = FINDING_BYPASSING_DEVICE;
    found.cpu_pc = pc;
    finding_add(found, &by);
}
