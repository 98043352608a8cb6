/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/function.h"

/* PCI Local Bus 3.0, 6.1. */
enum { ID = 0x00, COMMAND = 0x04, CLASS = 0x08, SUBSYSTEM = 0x2c, INTERRUPT_LINE = 0x3c, SPACE = 256 };
enum { COMMAND_MASTER = 4, SLOTS = 32, FUNCTIONS = 8, BAR_LEAST = 16 };
enum { PAGE_SHIFT = 12, PAGE = 1 << PAGE_SHIFT };

/* QEMU ends itself where a PCI device's type is not abstract and does not say of what sort it is
 * (include/hw/pci/pci_device.h). InterfaceInfo is a name. */
#define SORT "conventional-pci-device"
static const struct {
    const char *type;
} interfaces[] = {{SORT}, {NULL}};

void function_register(void)
{
    static const TypeInfo types[] = {
        {.name = "dmav3-function-base", .parent = "pci-device", .abstract = true, .interfaces = interfaces},
        {.name = "dmav3-function", .parent = "dmav3-function-base"},
    };

    qemu.type_register_static(&types[0]);
    qemu.type_register_static(&types[1]);
}

static bool has_sort(Error **errp)
{
    bool has = qemu.object_class_dynamic_cast(qemu.object_class_by_name("dmav3-function-base"), SORT) != NULL;

    if (!has) {
        error_setg(errp, "this QEMU takes interfaces of types in another form: a type of ours is no " SORT);
    }
    return has;
}

/* ---- configuration space ---- */

static uint32_t read_word(const struct function *function, uint32_t offset)
{
    switch (offset) {
    case ID:
    case SUBSYSTEM:
        return function->identity.id;
    case CLASS: /* and revision 0 */
        return function->identity.class_code << 8;
    default:
        return qemu.pci_default_read_config(function->device, offset, 4);
    }
}

/* Reads are of 1, 2 or 4 bytes, and aligned. */
static uint32_t configuration_read(void *opaque, hwaddr offset, uint64_t *value, unsigned int size,
                                   MemTxAttrs attributes)
{
    const struct function *function = opaque;
    uint32_t word = UINT32_MAX;

    (void)size;
    (void)attributes;
    if (!function->gone && offset < SPACE) {
        word = read_word(function, (uint32_t)offset & ~3u);
    }
    *value = word >> 8 * (offset & 3);
    return MEMTX_OK;
}

static uint32_t configuration_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size,
                                    MemTxAttrs attributes)
{
    const struct function *function = opaque;

    (void)attributes;
    if (!function->gone && offset < SPACE) {
        qemu.pci_default_write_config(function->device, (uint32_t)offset, (uint32_t)value, (int)size);
    }
    return MEMTX_OK;
}

static const MemoryRegionOps configuration_ops = {
    .read_with_attrs = configuration_read,
    .write_with_attrs = configuration_write,
    .endianness = 2,
    .valid = {1, 8, false, NULL},
    .impl = {1, 4, false},
};

/* A byte that has no meaning to hardware is seen where the page should be. */
static bool is_at(PCIDevice *device, uint64_t page)
{
    const uint8_t mark = 0xa5;
    uint8_t seen = 0;

    qemu.pci_default_write_config(device, INTERRUPT_LINE, mark, 1);
    qemu.cpu_physical_memory_rw(page + INTERRUPT_LINE, &seen, 1, false);
    qemu.pci_default_write_config(device, INTERRUPT_LINE, 0, 1);
    return seen == mark;
}

static bool lay_over(struct function *function, uint64_t page, Error **errp)
{
    if (!is_at(function->device, page)) {
        error_setg(errp, "no configuration space of slot %u at 0x%llx: this device is for -M virt,highmem=off",
                   function->identity.slot, (unsigned long long)page);
        return false;
    }
    qemu.memory_region_init_io(region(&function->configuration), NULL, &configuration_ops, function,
                               "dmav3-function", PAGE);
    qemu.memory_region_add_subregion_overlap(qemu.get_system_memory(), page, region(&function->configuration),
                                             1);
    return true;
}

/* ---- the function ---- */

static bool is_power_of_two(uint64_t number)
{
    return number && !(number & (number - 1));
}

/* QEMU ends itself where they are not. */
static bool are_possible(const struct function_identity *identity, uint64_t bar_size, Error **errp)
{
    bool messages = identity->messages <= 32 && (!identity->messages || is_power_of_two(identity->messages));

    if (identity->slot < SLOTS && bar_size >= BAR_LEAST && is_power_of_two(bar_size) && messages) {
        return true;
    }
    error_setg(errp,
               "a PCI function on slot %u with a BAR of %llu bytes and %u messages: slots are 1 to 31, a BAR a "
               "power of two from 16 on, messages 0 or a power of two up to 32",
               identity->slot, (unsigned long long)bar_size, identity->messages);
    return false;
}

bool function_add(struct function *function, const struct function_identity *identity, PCIBus *bus,
                  uint64_t configuration, MemoryRegion *bar, Error **errp)
{
    enum { BAR_0 = 0, OF_MEMORY = 0, ANYWHERE = 0, OF_64_BITS = true, MASKS = false };
    uint32_t number = identity->slot * FUNCTIONS;

    if (!are_possible(identity, qemu.memory_region_size(bar), errp) || !has_sort(errp)) {
        return false;
    }
    function->identity = *identity;
    function->device = qemu.pci_new((int)number, "dmav3-function");
    if (!qemu.pci_realize_and_unref(function->device, bus, errp)) {
        return false;
    }
    qemu.pci_register_bar(function->device, BAR_0, OF_MEMORY, bar);
    if (identity->messages &&
        qemu.msi_init(function->device, ANYWHERE, identity->messages, OF_64_BITS, MASKS, errp) < 0) {
        return false;
    }
    return lay_over(function, configuration + ((uint64_t)number << PAGE_SHIFT), errp);
}

bool function_is_master(const struct function *function)
{
    return !function->gone && (qemu.pci_default_read_config(function->device, COMMAND, 2) & COMMAND_MASTER);
}

/* QEMU ends itself if a vector is sent that was not enabled. */
enum probe_message function_send(const struct function *function, uint32_t vector)
{
    if (function->gone || !qemu.msi_enabled(function->device)) {
        return MESSAGE_NOT_ENABLED;
    }
    if (!function_is_master(function)) {
        return MESSAGE_NO_MASTER;
    }
    qemu.msi_notify(function->device, vector % qemu.msi_nr_vectors_allocated(function->device));
    return MESSAGE_SENT;
}

void function_remove(struct function *function)
{
    function->gone = true;
}

void function_reset(struct function *function)
{
    function->gone = false;
}
