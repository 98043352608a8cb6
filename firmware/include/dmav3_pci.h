/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI for drivers: find a device, give its BARs addresses, connect its interrupt.
 *
 *     struct dmav3_pci device;
 *
 *     status = dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x11E8), 0, &device);
 *     status = dmav3_pci_enable(&device);
 *     status = dmav3_pci_connect(&device, Interrupt, Context);
 *     WRITE_REGISTER_ULONG((volatile ULONG *)(device.bar[0] + 0x98), 1);
 *
 * The device is then a bus master: it may access memory whenever it likes. CPU address and bus address
 * of a BAR, and of memory, are the same. All at PASSIVE_LEVEL.
 */
#ifndef DMAV3_PCI_H
#define DMAV3_PCI_H

#include <wdm_dma.h>

EXTERN_C_START

enum { DMAV3_PCI_BARS = 6 };

struct dmav3_pci {
    UCHAR bus, slot, function;
    ULONG id;                      /* DMAV3_PCI_ID */
    ULONG class_code;              /* class << 16 | subclass << 8 | programming interface */
    ULONG_PTR bar[DMAV3_PCI_BARS]; /* address; 0: there is no such BAR, or it is not of memory (of one of 64
                                      bits the second of its two is 0) */
};

#define DMAV3_PCI_ID(vendor, device) ((ULONG)(device) << 16 | (vendor))

/* The index-th device, from 0, in the order of buses, slots and functions. STATUS_NO_SUCH_DEVICE: there are
 * not so many, *device is unchanged. */
NTSTATUS dmav3_pci_find(ULONG id, ULONG index, struct dmav3_pci *device);
NTSTATUS dmav3_pci_find_class(ULONG class_code, ULONG index, struct dmav3_pci *device);

/* Addresses for the BARs, then memory space and bus mastering on, and `bar` filled in. Once after a reset;
 * later calls only fill in `bar`. STATUS_INSUFFICIENT_RESOURCES: a BAR does not fit into what is left of the
 * 8 MiB for all of bus 0, or of the 1 MiB behind a port; the device is left off. STATUS_NO_SUCH_DEVICE: it has
 * gone. */
NTSTATUS dmav3_pci_enable(struct dmav3_pci *device);

/* Memory space and bus mastering off: the device accesses nothing any more. */
void dmav3_pci_disable(const struct dmav3_pci *device);

/*
 * The device's interrupt calls `routine`, as a deferred call: at DISPATCH_LEVEL, once the level drops below it,
 * one after the other. Until the routine has returned, the interrupt waits. _connect: by a message if the
 * device has MSI, else by its pin (a level: the routine must make the device let go, or it runs again).
 * _vector: one of MSI-X, after dmav3_pci_enable(), or where the device has none, of MSI. Connect once after a
 * reset. STATUS_NOT_SUPPORTED: the device has no such interrupt; STATUS_INSUFFICIENT_RESOURCES: 16 are
 * connected.
 */
typedef VOID DMAV3_PCI_INTERRUPT(PVOID context);
NTSTATUS dmav3_pci_connect(const struct dmav3_pci *device, DMAV3_PCI_INTERRUPT *routine, PVOID context);
NTSTATUS dmav3_pci_connect_pin(const struct dmav3_pci *device, DMAV3_PCI_INTERRUPT *routine, PVOID context);
NTSTATUS dmav3_pci_connect_vector(const struct dmav3_pci *device, ULONG vector, DMAV3_PCI_INTERRUPT *routine,
                                  PVOID context);

/* Enable a vector as above, and say at which line it arrives: an edge, for IoConnectInterrupt() as Latched.
 * Once for each vector. STATUS_NOT_SUPPORTED as above: *line is unchanged. */
NTSTATUS dmav3_pci_message(const struct dmav3_pci *device, ULONG vector, ULONG *line);

/* Configuration space; offset: below 4096, of an aligned ULONG. A device that has gone reads as ones. */
ULONG dmav3_pci_read(const struct dmav3_pci *device, ULONG offset);
void dmav3_pci_write(const struct dmav3_pci *device, ULONG offset, ULONG value);

EXTERN_C_END

#endif
