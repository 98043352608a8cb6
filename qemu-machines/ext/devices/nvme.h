/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's NVMe controllers, in model time.
 *
 * QEMU's model works when the host gets to it: a doorbell schedules a bottom half, threads access the disk's
 * file, and what comes of it is another bottom half. Nothing of that would repeat. So here:
 *
 *   - A store to a doorbell of submissions is on its way for nvme-latency-ns of model time. Until then the
 *     controller knows nothing of the commands, which may be cancelled, or the controller be unplugged.
 *   - Then it is given the commands, one by one. Each is done whole, with the disk's file, its entry in the
 *     completion queue and its interrupt, before the next one is given, and in no model time.
 *   - Every other store reaches it at once, and what that causes is done when the store returns. A store that
 *     stops the controller, or starts it (CC.EN), ends what is on its way to it.
 *   - A controller that has been unplugged, or whose BAR is switched off, is not there for what arrives.
 *
 * At most NVME_WAITING stores are on their way: one more lets the first of them arrive. An access of the
 * controller is judged by what was ordered before the store by which its command came.
 *
 * Where the length of a queue is not known its commands are given all at once, and their ends come in the
 * host's order: where the commands for administration are outside of RAM. Doorbells behind the first
 * NVME_QUEUES are stores like every other.
 *
 * The caller holds QEMU's big lock.
 */
#ifndef DMAV3_NVME_H
#define DMAV3_NVME_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/views.h"
#include "qemu/qemu_abi.h"

enum { NVME_WAITING = 256, NVME_CONTROLLERS = 16, NVME_QUEUES = 65 };

/* A store of the CPU to BAR 0 of a controller. */
struct nvme_store {
    const PCIDevice *device;
    struct order_starts *starts; /* of the device */
    uint64_t bar, offset, value; /* address of the BAR; where in it */
    unsigned int size;           /* bytes */
};

/* What nvme.c does with a BAR: `store` calls nvme_settle() before it returns. */
struct nvme_access {
    void (*store)(uint64_t address, uint64_t value, unsigned int size);
    uint64_t (*load)(uint64_t address, unsigned int size);
};

void nvme_initialise(const struct nvme_access *);
void nvme_reset(void);

bool nvme_is(const PCIDevice *);

/* The CPU stores to a controller. */
void nvme_stored(const struct nvme_store *);

/* Let everything that a controller has to do be done. */
void nvme_settle(void);

/* Of nvme-latency-ns: at most 1000000000. Stores that are on their way keep their order. */
uint64_t nvme_latency_ns(void);
bool nvme_set_latency_ns(uint64_t, Error **errp);

#endif
