/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/pci.h"

#include <unistd.h>

#include "devices/doorbells.h"
#include "devices/gate.h"
#include "devices/master.h"
#include "devices/nvme.h"
#include "memory/views.h"
#include "probe/probe.h"

enum { BRIDGE_MEMORY = 1 }; /* number of the region of PCIe memory in the host bridge */
enum { MASTERS = 64, BARS = 6 };

struct master {
    PCIBus *bus; /* NULL: this one and all behind it are not in use */
    int function;
    struct order_starts starts;
    QemuAddressSpace space;
    QemuRegion root, system, ram, low;
};

static struct {
    struct master masters[MASTERS];
    QemuAddressSpace bars;
} pci;

static struct accessor accessor_of(struct master *master)
{
    uint32_t bus = (uint32_t)qemu.pci_bus_num(master->bus);

    return (struct accessor){
        .channel = ACCESSOR_PCI | bus << 8 | (uint32_t)master->function,
        .ungated = true,
        .starts = &master->starts,
    };
}

/* ---- accesses by devices ---- */

static uint32_t access_memory(struct master *master, uint64_t address, void *data, unsigned int size,
                              bool is_write)
{
    struct accessor by = accessor_of(master);
    bool done;

    views_lock();
    probe_access(by.channel, address, size, is_write);
    done = master_access(address, data, size, is_write, &by);
    views_unlock();
    return done ? MEMTX_OK : MEMTX_ERROR;
}

static uint32_t ram_read(void *opaque, hwaddr offset, uint64_t *value, unsigned int size, MemTxAttrs attributes)
{
    (void)attributes;
    *value = 0;
    return access_memory(opaque, views.base + offset, value, size, false);
}

static uint32_t ram_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size, MemTxAttrs attributes)
{
    (void)attributes;
    return access_memory(opaque, views.base + offset, &value, size, true);
}

static uint32_t low_read(void *opaque, hwaddr offset, uint64_t *value, unsigned int size, MemTxAttrs attributes)
{
    (void)attributes;
    *value = 0;
    return access_memory(opaque, LOW_RAM_BASE + offset, value, size, false);
}

static uint32_t low_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size, MemTxAttrs attributes)
{
    (void)attributes;
    return access_memory(opaque, LOW_RAM_BASE + offset, &value, size, true);
}

static const MemoryRegionOps ram_ops = {
    .read_with_attrs = ram_read,
    .write_with_attrs = ram_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

static const MemoryRegionOps low_ops = {
    .read_with_attrs = low_read,
    .write_with_attrs = low_write,
    .endianness = 2,
    .valid = {1, 8, true, NULL},
    .impl = {1, 8, true},
};

/* ---- what a device sees ---- */

/* The regions have no owners: with one, QEMU blocks an access to a device that is in use. */
static void build_space(struct master *master)
{
    MemoryRegion *root = region(&master->root);

    qemu.memory_region_init(root, NULL, "dmav3-pci", UINT64_MAX);
    qemu.memory_region_init_alias(region(&master->system), NULL, "dmav3-pci-system", qemu.get_system_memory(),
                                  0, UINT64_MAX);
    qemu.memory_region_init_io(region(&master->ram), NULL, &ram_ops, master, "dmav3-pci-ram", views.size);
    qemu.memory_region_init_io(region(&master->low), NULL, &low_ops, master, "dmav3-pci-low", LOW_RAM_SIZE);
    qemu.memory_region_add_subregion_overlap(root, 0, region(&master->system), 0);
    qemu.memory_region_add_subregion_overlap(root, views.base, region(&master->ram), 1);
    qemu.memory_region_add_subregion_overlap(root, LOW_RAM_BASE, region(&master->low), 1);
    qemu.address_space_init(space(&master->space), root, "dmav3-pci");
}

/* QEMU calls this once for each device, also for one that takes the place of another. */
static AddressSpace *space_of(PCIBus *bus, void *opaque, int function)
{
    struct master *master = pci.masters;

    (void)opaque;
    while (master->bus && (master->bus != bus || master->function != function)) {
        if (++master == pci.masters + MASTERS) {
            qemu.error_report("dmav3: more than %d PCI devices", MASTERS);
            _exit(1);
        }
    }
    if (!master->bus) {
        master->bus = bus;
        master->function = function;
        build_space(master);
        gate_keep_in_step();
    }
    return space(&master->space);
}

/* ---- accesses of the CPU to BARs ---- */

/* The probe shows the access while it lasts: a device that never comes back from it holds QEMU's big lock,
 * and nothing else in QEMU could tell. A device's access to another's BAR comes here as well, perhaps inside
 * of one of the CPU's. settles: with all that it causes (devices/nvme.h). */
static uint32_t access_bar(uint64_t address, void *value, unsigned int size, MemTxAttrs attributes,
                           bool is_write, bool settles)
{
    uint64_t outer = probe->bar_address;
    uint32_t outer_is_write = probe->bar_is_write, result;

    probe->bar_accesses++;
    probe->bar_is_write = is_write;
    __atomic_store_n(&probe->bar_address, address, __ATOMIC_RELEASE);
    result = qemu.address_space_rw(space(&pci.bars), address, attributes, value, size, is_write);
    if (settles) {
        nvme_settle();
    }
    probe->bar_is_write = outer_is_write;
    __atomic_store_n(&probe->bar_address, outer, __ATOMIC_RELEASE);
    return result;
}

static uint32_t bar_read(void *opaque, hwaddr offset, uint64_t *value, unsigned int size, MemTxAttrs attributes)
{
    (void)opaque;
    *value = 0;
    return access_bar(BAR_BASE + offset, value, size, attributes, false, false);
}

/* Where a store to a BAR goes: to the function whose BAR begins closest below. */
struct target {
    struct master *master; /* NULL: to none */
    PCIDevice *device;
    int bar;
    uint64_t base;
};

static struct target target_of(uint64_t address)
{
    struct target target = {.master = NULL};

    for (struct master *master = pci.masters; master < pci.masters + MASTERS && master->bus; master++) {
        PCIDevice *device = qemu.pci_find_device(master->bus, (uint8_t)qemu.pci_bus_num(master->bus),
                                                 (uint8_t)master->function);

        for (int bar = 0; device && bar < BARS; bar++) {
            uint64_t base = qemu.pci_get_bar_addr(device, bar);

            if (base > target.base && base <= address) {
                target = (struct target){master, device, bar, base};
            }
        }
    }
    return target;
}

/* The last store to a function's BARs is its start; of a function with doorbells, a store to one of these is
 * one more. */
static void start_function(const struct target *target, uint64_t offset)
{
    const struct doorbells *doorbells = doorbells_of(target->device);

    if (!doorbells) {
        views_device_started(&target->master->starts, false);
    } else if (target->bar == 0 && doorbells_have(doorbells, offset)) {
        views_device_started(&target->master->starts, true);
    }
}

static uint32_t bar_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size, MemTxAttrs attributes)
{
    uint64_t address = BAR_BASE + offset;
    struct target target = target_of(address);

    (void)opaque;
    if (target.master) {
        start_function(&target, address - target.base);
    }
    if (target.bar == 0 && nvme_is(target.device)) {
        nvme_stored(&(struct nvme_store){
            .device = target.device,
            .starts = &target.master->starts,
            .bar = target.base,
            .offset = address - target.base,
            .value = value,
            .size = size,
        });
        return MEMTX_OK;
    }
    return access_bar(address, &value, size, attributes, true, false);
}

static const MemoryRegionOps bar_ops = {
    .read_with_attrs = bar_read,
    .write_with_attrs = bar_write,
    .endianness = 2,
    .valid = {1, 8, false, NULL},
    .impl = {1, 8, false},
};

/* ---- NVMe controllers ---- */

static void store_and_settle(uint64_t address, uint64_t value, unsigned int size)
{
    access_bar(address, &value, size, MEMTXATTRS_UNSPECIFIED, true, true);
}

static uint64_t load(uint64_t address, unsigned int size)
{
    uint64_t value = 0;

    qemu.address_space_rw(space(&pci.bars), address, MEMTXATTRS_UNSPECIFIED, &value, size, false);
    return value;
}

static const struct nvme_access nvme_access = {store_and_settle, load};

static void watch_bars(SysBusDevice *bridge)
{
    static QemuRegion watch;

    qemu.address_space_init(space(&pci.bars), qemu.sysbus_mmio_get_region(bridge, BRIDGE_MEMORY), "dmav3-bars");
    qemu.memory_region_init_io(region(&watch), NULL, &bar_ops, NULL, "dmav3-bars", BAR_SIZE);
    qemu.memory_region_add_subregion_overlap(qemu.get_system_memory(), BAR_BASE, region(&watch), 1);
}

/* ---- devices that go past ---- */

bool pci_goes_past(Object *device)
{
    return qemu.object_dynamic_cast(device, "virtio-pci") &&
           !qemu.object_property_get_bool(device, "iommu_platform", NULL);
}

uint64_t pci_bar_past(uint64_t address, uint32_t *channel)
{
    struct target target = target_of(address);

    if (!target.master || !pci_goes_past((Object *)target.device)) {
        return 0;
    }
    *channel = accessor_of(target.master).channel;
    return target.base;
}

/* ---- the board ---- */

bool pci_initialise(Error **errp)
{
    static const struct {
        AddressSpace *(*get_address_space)(PCIBus *bus, void *opaque, int function);
        void *others[15];
    } ops = {.get_address_space = space_of};
    PCIBus *bus = (PCIBus *)qemu.object_resolve_path_type("", "PCIE", NULL);
    SysBusDevice *bridge = (SysBusDevice *)qemu.object_resolve_path_type("", "gpex-pcihost", NULL);

    if (!bus || !bridge) {
        error_setg(errp, "no PCI bus: this device is for -M virt, and stands before every other -device");
        return false;
    }
    qemu.pci_setup_iommu(bus, &ops, NULL);
    watch_bars(bridge);
    nvme_initialise(&nvme_access);
    return master_add_low_ram(errp);
}

void pci_reset(void)
{
    master_reset();
    nvme_reset();
    for (size_t i = 0; i < MASTERS; i++) {
        pci.masters[i].starts.count = 0;
    }
}
