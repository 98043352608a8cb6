/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function of our own: ids, one BAR and message-signalled interrupts, on the board's PCIe bus.
 *
 * QEMU has the configuration space, places the BAR, and sends the messages: the function is an object of a
 * type of ours without any code, whose parent is QEMU's "pci-device". Nobody but QEMU's own code can write the
 * ids into it without knowing its layout. So a region of ours lies over the function's page of memory-mapped
 * configuration space, hands accesses on, and answers by itself where the ids are.
 *
 * The caller holds QEMU's big lock.
 */
#ifndef DMAV3_FUNCTION_H
#define DMAV3_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/probe.h"
#include "qemu/qemu_abi.h"

struct function_identity {
    uint32_t slot;       /* of bus 0, 1 to 31 */
    uint32_t id;         /* device << 16 | vendor; also those of the subsystem */
    uint32_t class_code; /* class << 16 | subclass << 8 | programming interface */
    uint32_t messages;   /* of MSI: 0, or a power of two up to 32 */
};

struct function {
    PCIDevice *device;
    struct function_identity identity;
    QemuRegion configuration;
    bool gone; /* by surprise: its configuration space reads as ones */
};

/* Before the board is built. */
void function_register(void);

/* Put it on `bus`, with `bar`, of a power of two of bytes from 16 on, as BAR 0. `configuration` is where the
 * bus's memory-mapped configuration space begins; it is checked to be there. The function must live for ever.
 * False with *errp set on failure. */
bool function_add(struct function *, const struct function_identity *, PCIBus *bus, uint64_t configuration,
                  MemoryRegion *bar, Error **errp);

/* May it access memory? (The driver has switched bus mastering on.) */
bool function_is_master(const struct function *);

/* Send a message of MSI. Of a vector that the driver has not enabled, while it has others, the low bits count.
 * Where the message has nowhere to go, nothing happens, and the result says why. */
enum probe_message function_send(const struct function *, uint32_t vector);

/* It is pulled out; it is there again. (QEMU resets its registers itself.) */
void function_remove(struct function *);
void function_reset(struct function *);

#endif
