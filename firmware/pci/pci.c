/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space (ECAM), BARs, and the ways of an interrupt (PCI Local Bus 3.0).
 */
#include "pci/pci.h"

#include "boot/memlayout.h"
#include "hal/mmio.h"

/* PCI 3.0, 6.1 and 6.8. */
enum {
    ID = 0x00,
    COMMAND = 0x04,
    CLASS = 0x08,
    HEADER_TYPE = 0x0c, /* bits 23:16 */
    BAR0 = 0x10,
    CAPABILITIES = 0x34,
    INTERRUPT_PIN = 0x3c, /* bits 15:8 */
};
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, STATUS_CAPABILITIES = 1 << 20, MULTI_FUNCTION = 1 << 23 };
enum { BAR_IO = 1, BAR_64 = 4, BAR_64_MASK = 7, BAR_FLAGS = 15 };
enum { CAPABILITY_MSI = 0x05, CAPABILITY_MSIX = 0x11, CAPABILITIES_MAX = 48 };
enum { MSI_ENABLE = 1 << 16, MSI_CAN_SHIFT = 17, MSI_COUNT_SHIFT = 20, MSI_COUNT = 7 << 20, MSI_64 = 1 << 23 };
enum { MSIX_MASK_ALL = 1 << 30, MSIX_SIZE = 0x7ff, MSIX_ENTRY = 16 };
#define MSIX_ENABLE (1u << 31)

/* PCI-to-PCI Bridge Architecture, 3.2.5: header type 1. */
enum { BRIDGE = 1 << 16, HEADER_MASK = 0x7f << 16, BUSES = 0x18, MEMORY_WINDOW = 0x20 };

enum { SLOTS = 32, FUNCTIONS = 8, BUS_SHIFT = 20, FUNCTION_SHIFT = 12 };
#define NOBODY UINT32_MAX

/* GICv2m: a store of an interrupt's INTID to SETSPI raises it. */
enum { SETSPI = 0x40, SPI_FIRST = 32, MESSAGES = 64 };

/*
 * Buses: 0, and one behind each port there. Bus 0 has the first half of all addresses for its BARs, and each
 * other one, as small as a port's window can be, of the second half.
 */
enum { PORTS = 8, PORT_WINDOW = 1 << 20, HALF = PCI_BARS_SIZE / 2 };
_Static_assert(PORTS *PORT_WINDOW == HALF, "every port has its window");

static struct bus {
    uintptr_t next, end; /* of the addresses that no BAR has */
    UCHAR port;          /* slot on bus 0 */
} buses[1 + PORTS];
static unsigned int bus_count; /* 0: nobody has looked */
static unsigned int messages_used;

/* ---- configuration space ---- */

static uintptr_t config(const struct dmav3_pci *device, uint32_t offset)
{
    uintptr_t function = (uintptr_t)device->slot * FUNCTIONS + device->function;

    return PCI_CONFIG_BASE + ((uintptr_t)device->bus << BUS_SHIFT) + (function << FUNCTION_SHIFT) + offset;
}

ULONG dmav3_pci_read(const struct dmav3_pci *device, ULONG offset)
{
    return mmio_read32(config(device, offset & 0xffc));
}

void dmav3_pci_write(const struct dmav3_pci *device, ULONG offset, ULONG value)
{
    mmio_write32(config(device, offset & 0xffc), value);
}

static bool is_there(const struct dmav3_pci *device)
{
    return dmav3_pci_read(device, ID) != NOBODY;
}

/* ---- buses ---- */

static void switch_device(const struct dmav3_pci *device, ULONG off, ULONG on)
{
    ULONG command = dmav3_pci_read(device, COMMAND) & 0xffff; /* above it: status, cleared by ones */

    dmav3_pci_write(device, COMMAND, (command & ~off) | on);
}

static void open_port(const struct dmav3_pci *port)
{
    uintptr_t first = PCI_BARS_START + HALF + (bus_count - 1) * PORT_WINDOW;

    dmav3_pci_write(port, BUSES, bus_count << 8 | bus_count << 16);
    dmav3_pci_write(port, MEMORY_WINDOW, (ULONG)(first | first >> 16)); /* it ends in the MiB where it begins */
    switch_device(port, 0, COMMAND_MEMORY | COMMAND_MASTER);
    buses[bus_count++] = (struct bus){first, first + PORT_WINDOW, port->slot};
}

static void look_for_ports(void)
{
    struct dmav3_pci at = {.bus = 0};

    buses[0] = (struct bus){PCI_BARS_START, PCI_BARS_START + HALF, 0};
    bus_count = 1;
    for (; at.slot < SLOTS && bus_count <= PORTS; at.slot++) {
        if (is_there(&at) && (dmav3_pci_read(&at, HEADER_TYPE) & HEADER_MASK) == BRIDGE) {
            open_port(&at);
        }
    }
}

/* ---- finding ---- */

static unsigned int place_of(const struct dmav3_pci *at)
{
    return ((unsigned int)at->bus * SLOTS + at->slot) * FUNCTIONS + at->function;
}

static struct dmav3_pci function_at(unsigned int place)
{
    return (struct dmav3_pci){.bus = (UCHAR)(place / FUNCTIONS / SLOTS),
                              .slot = (UCHAR)(place / FUNCTIONS % SLOTS),
                              .function = (UCHAR)(place % FUNCTIONS)};
}

/* Where the next function may be: behind one that stands alone, or is not there, is none. */
static unsigned int place_behind(const struct dmav3_pci *at)
{
    bool alone = at->function == 0 && !(is_there(at) && dmav3_pci_read(at, HEADER_TYPE) & MULTI_FUNCTION);

    return place_of(at) + (alone ? FUNCTIONS : 1);
}

static NTSTATUS find(ULONG offset, ULONG shift, ULONG value, ULONG index, struct dmav3_pci *device)
{
    struct dmav3_pci at;

    if (bus_count == 0) {
        look_for_ports();
    }
    for (unsigned int place = 0; place < bus_count * SLOTS * FUNCTIONS; place = place_behind(&at)) {
        at = function_at(place);
        if (is_there(&at) && dmav3_pci_read(&at, offset) >> shift == value && index-- == 0) {
            at.id = dmav3_pci_read(&at, ID);
            at.class_code = dmav3_pci_read(&at, CLASS) >> 8;
            *device = at;
            return STATUS_SUCCESS;
        }
    }
    return STATUS_NO_SUCH_DEVICE;
}

NTSTATUS dmav3_pci_find(ULONG id, ULONG index, struct dmav3_pci *device)
{
    return find(ID, 0, id, index, device);
}

NTSTATUS dmav3_pci_find_class(ULONG class_code, ULONG index, struct dmav3_pci *device)
{
    return find(CLASS, 8, class_code, index, device);
}

/* ---- BARs ---- */

static bool is_wide(ULONG low)
{
    return (low & BAR_64_MASK) == BAR_64;
}

/* What the BAR decodes, 0 if it is none of memory (PCI 3.0, 6.2.5.1); memory space is off. */
static uint64_t bar_size(const struct dmav3_pci *device, ULONG offset, ULONG low)
{
    uint64_t mask;

    dmav3_pci_write(device, offset, UINT32_MAX);
    mask = dmav3_pci_read(device, offset);
    if (is_wide(low)) {
        dmav3_pci_write(device, offset + 4, UINT32_MAX);
        mask |= (uint64_t)dmav3_pci_read(device, offset + 4) << 32;
    } else if (mask != 0) {
        mask |= UINT64_MAX << 32;
    }
    return low & BAR_IO ? 0 : ~(mask & ~(uint64_t)BAR_FLAGS) + 1;
}

static bool place_bar(const struct dmav3_pci *device, ULONG offset, ULONG low)
{
    struct bus *bus = &buses[device->bus];
    uint64_t size = bar_size(device, offset, low), base = (bus->next + size - 1) & ~(size - 1);

    if (size == 0) {
        return true;
    }
    if (size > bus->end - bus->next || base + size > bus->end) {
        return false;
    }
    dmav3_pci_write(device, offset, (ULONG)base);
    if (is_wide(low)) {
        dmav3_pci_write(device, offset + 4, 0);
    }
    bus->next = (uintptr_t)(base + size);
    return true;
}

/* All or none. */
static bool place_bars(const struct dmav3_pci *device)
{
    uintptr_t before = buses[device->bus].next;

    for (ULONG n = 0, low; n < DMAV3_PCI_BARS; n += is_wide(low) ? 2 : 1) {
        low = dmav3_pci_read(device, BAR0 + 4 * n);
        if (!place_bar(device, BAR0 + 4 * n, low)) {
            buses[device->bus].next = before;
            return false;
        }
    }
    return true;
}

static void read_bars(struct dmav3_pci *device)
{
    for (ULONG n = 0, low; n < DMAV3_PCI_BARS; n += is_wide(low) ? 2 : 1) {
        low = dmav3_pci_read(device, BAR0 + 4 * n);
        device->bar[n] = low & BAR_IO ? 0 : low & ~(ULONG)BAR_FLAGS;
    }
}

NTSTATUS dmav3_pci_enable(struct dmav3_pci *device)
{
    if (!is_there(device)) {
        return STATUS_NO_SUCH_DEVICE;
    }
    if (!(dmav3_pci_read(device, COMMAND) & COMMAND_MEMORY) && !place_bars(device)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    read_bars(device);
    switch_device(device, 0, COMMAND_MEMORY | COMMAND_MASTER);
    return STATUS_SUCCESS;
}

void dmav3_pci_disable(const struct dmav3_pci *device)
{
    switch_device(device, COMMAND_MEMORY | COMMAND_MASTER, 0);
}

/* ---- interrupts ---- */

unsigned int pci_pin(const struct dmav3_pci *device)
{
    ULONG pin = dmav3_pci_read(device, INTERRUPT_PIN) >> 8 & 0xff; /* 1: A */

    ULONG turn = device->slot + buses[device->bus].port + pin - 1; /* pins take turns, at a port again */

    return pin >= 1 && pin <= 4 ? PCI_PIN_SPI + turn % 4 : PCI_NO_SPI;
}

/* Its offset, 0 if there is none; PCI 3.0, 6.7. */
static ULONG find_capability(const struct dmav3_pci *device, ULONG id)
{
    ULONG offset =
        dmav3_pci_read(device, COMMAND) & STATUS_CAPABILITIES ? dmav3_pci_read(device, CAPABILITIES) : 0;

    for (unsigned int i = 0; i < CAPABILITIES_MAX && (offset & 0xfc) != 0; i++) {
        ULONG capability = dmav3_pci_read(device, offset & 0xfc);

        if ((capability & 0xff) == id) {
            return offset & 0xfc;
        }
        offset = capability >> 8;
    }
    return 0;
}

/* The INTID of the first of `count`, a power of two, in a row, at a multiple of that: a device has the vector
 * in the low bits of what it writes. 0: there are not so many. */
static unsigned int take_messages(unsigned int count)
{
    unsigned int first = PCI_MESSAGE_SPI + SPI_FIRST;
    unsigned int intid = (first + messages_used + count - 1) & ~(count - 1);

    if (intid + count > first + MESSAGES) {
        return 0;
    }
    messages_used = intid + count - first;
    return intid;
}

/* PCI 3.0, 6.8.1. */
static void enable_messages(const struct dmav3_pci *device, ULONG at, ULONG control, uint32_t most)
{
    unsigned int count_shift = control >> MSI_CAN_SHIFT & 7, intid;

    while (1u << count_shift > most) {
        count_shift--;
    }
    intid = take_messages(1u << count_shift);
    if (intid != 0) {
        dmav3_pci_write(device, at + 4, GICV2M_BASE + SETSPI);
        dmav3_pci_write(device, at + 8, control & MSI_64 ? 0 : intid);
        if (control & MSI_64) {
            dmav3_pci_write(device, at + 12, intid);
        }
        dmav3_pci_write(device, at,
                        (control & ~(ULONG)MSI_COUNT) | count_shift << MSI_COUNT_SHIFT | MSI_ENABLE);
    }
}

unsigned int pci_enable_message(const struct dmav3_pci *device, uint32_t vector, uint32_t most)
{
    ULONG at = find_capability(device, CAPABILITY_MSI), control = at != 0 ? dmav3_pci_read(device, at) : 0;

    if (at != 0 && !(control & MSI_ENABLE)) {
        enable_messages(device, at, control, most);
        control = dmav3_pci_read(device, at);
    }
    if (!(control & MSI_ENABLE) || vector >= 1u << (control >> MSI_COUNT_SHIFT & 7)) {
        return PCI_NO_SPI;
    }
    return (dmav3_pci_read(device, at + (control & MSI_64 ? 12 : 8)) & 0xffff) - SPI_FIRST + vector;
}

/* PCI 3.0, 6.8.2. */
unsigned int pci_enable_vector(const struct dmav3_pci *device, uint32_t vector)
{
    ULONG at = find_capability(device, CAPABILITY_MSIX), control = at != 0 ? dmav3_pci_read(device, at) : 0;
    ULONG table = at != 0 ? dmav3_pci_read(device, at + 4) : 0;
    bool usable = at != 0 && vector <= (control >> 16 & MSIX_SIZE) && (table & 7) < DMAV3_PCI_BARS &&
                  device->bar[table & 7] != 0;
    unsigned int intid = usable ? take_messages(1) : 0;

    if (intid != 0) {
        uintptr_t entry = device->bar[table & 7] + (table & ~7u) + (uintptr_t)vector * MSIX_ENTRY;

        mmio_write32(entry, GICV2M_BASE + SETSPI);
        mmio_write32(entry + 4, 0);
        mmio_write32(entry + 8, intid);
        mmio_write32(entry + 12, 0); /* not masked */
        dmav3_pci_write(device, at, (control & ~(ULONG)MSIX_MASK_ALL) | MSIX_ENABLE);
    }
    return intid != 0 ? intid - SPI_FIRST : PCI_NO_SPI;
}

NTSTATUS dmav3_pci_message(const struct dmav3_pci *device, ULONG vector, ULONG *line)
{
    unsigned int spi = find_capability(device, CAPABILITY_MSIX) != 0
                           ? pci_enable_vector(device, vector)
                           : pci_enable_message(device, vector, MESSAGES);

    if (spi == PCI_NO_SPI) {
        return STATUS_NOT_SUPPORTED;
    }
    *line = spi;
    return STATUS_SUCCESS;
}
