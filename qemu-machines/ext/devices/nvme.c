/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/nvme.h"

#include <string.h>

#include "time/clock.h"

/* NVM Express Base Specification: registers, and what is used of commands. */
enum { CC = 0x14, CC_EN = 1, AQA = 0x24, ASQ = 0x28, DOORBELLS = 0x1000, DOORBELL = 4 };
enum { COMMAND_SIZE = 64, OPCODE = 0, DELETE_SQ = 0, CREATE_SQ = 1, CDW10 = 40 };
enum { ADMIN = 0 };

enum { MOST_LATENCY_NS = 1000000000 };

struct queue {
    uint32_t size; /* entries; 0: not known */
    uint32_t tail; /* the commands before it have been given to the controller */
};

struct controller {
    const PCIDevice *device; /* NULL: none */
    struct queue queues[NVME_QUEUES];
};

struct waiting {
    struct nvme_store store;
    struct order_starts starts;
    uint64_t due_ns;
};

static struct {
    const struct nvme_access *access;
    uint64_t latency_ns;
    struct model_timer timer;
    struct waiting waiting[NVME_WAITING]; /* a ring: `count` from `first` on */
    unsigned int first, count;
    struct controller controllers[NVME_CONTROLLERS];
    bool settles;
} nvme = {.latency_ns = 100000};

bool nvme_is(const PCIDevice *device)
{
    return device && qemu.object_dynamic_cast((Object *)device, "nvme");
}

/* ---- the host's part of the work ---- */

/* Bottom halves first: they begin requests, and the end of requests schedules bottom halves. */
void nvme_settle(void)
{
    AioContext *context = qemu.qemu_get_aio_context();

    if (nvme.settles) {
        return; /* a controller has stored to a controller */
    }
    nvme.settles = true;
    while (qemu.aio_poll(context, false)) {
        qemu.bdrv_drain_all();
    }
    nvme.settles = false;
}

/* ---- queues ---- */

/* NULL: there are too many. */
static struct controller *controller_of(const PCIDevice *device)
{
    for (int i = 0; i < NVME_CONTROLLERS; i++) {
        struct controller *controller = &nvme.controllers[i];

        if (!controller->device || controller->device == device) {
            controller->device = device;
            return controller;
        }
    }
    return NULL;
}

/* The controller starts, or stops: it has no queues, but that of administration. */
static void forget_queues(const PCIDevice *device)
{
    struct controller *controller = controller_of(device);

    if (controller) {
        memset(controller->queues, 0, sizeof(controller->queues));
    }
}

/* A command for administration is given to the controller: does it make a queue? A queue that is in use stays
 * what it is, since the controller refuses that. */
static void look_at_command(struct controller *controller, uint64_t address)
{
    const uint8_t *command = views.dram + (address - views.base);
    uint32_t cdw10, number;

    if (!views_has(address) || !views_has(address + COMMAND_SIZE - 1)) {
        return;
    }
    memcpy(&cdw10, command + CDW10, sizeof(cdw10));
    number = cdw10 & 0xffff;
    if (number == ADMIN || number >= NVME_QUEUES) {
        return;
    }
    if (command[OPCODE] == DELETE_SQ) {
        controller->queues[number] = (struct queue){0};
    } else if (command[OPCODE] == CREATE_SQ && controller->queues[number].tail == 0) {
        controller->queues[number].size = (cdw10 >> 16) + 1;
    }
}

/* ---- doorbells ---- */

static bool is_doorbell(uint64_t offset)
{
    return offset - DOORBELLS < NVME_QUEUES * 2 * DOORBELL && (offset - DOORBELLS) % (2 * DOORBELL) == 0;
}

/* Give the commands to the controller, one after the other. False: which these are is not known, or there are
 * none, and nothing was done. */
static bool give(const struct nvme_store *store, struct controller *controller)
{
    uint64_t number = (store->offset - DOORBELLS) / (2 * DOORBELL);
    struct queue *queue = &controller->queues[number];
    uint32_t tail = (uint16_t)store->value;

    if (number == ADMIN) {
        queue->size = (nvme.access->load(store->bar + AQA, 4) & 0xfff) + 1;
    }
    if (tail >= queue->size || tail == queue->tail) {
        return false;
    }
    while (queue->tail != tail) {
        if (number == ADMIN) {
            look_at_command(controller,
                            nvme.access->load(store->bar + ASQ, 8) + (uint64_t)queue->tail * COMMAND_SIZE);
        }
        queue->tail = (queue->tail + 1) % queue->size;
        nvme.access->store(store->bar + store->offset, queue->tail, store->size);
    }
    return true;
}

static void arrive(const struct waiting *one)
{
    const struct nvme_store *store = &one->store;
    struct controller *controller = controller_of(store->device);

    *store->starts = one->starts;
    if (!controller || !give(store, controller)) {
        nvme.access->store(store->bar + store->offset, store->value, store->size);
    }
}

static void wait_for_first(void)
{
    if (nvme.count) {
        model_timer_arm(&nvme.timer, nvme.waiting[nvme.first].due_ns);
    } else {
        model_timer_disarm(&nvme.timer);
    }
}

static void let_first_arrive(void)
{
    struct waiting one = nvme.waiting[nvme.first];

    nvme.first = (nvme.first + 1) % NVME_WAITING;
    nvme.count--;
    arrive(&one);
}

static void first_is_due(void *opaque)
{
    (void)opaque;
    let_first_arrive();
    wait_for_first();
}

static void send_off(const struct nvme_store *store)
{
    if (nvme.count == NVME_WAITING) {
        let_first_arrive();
    }
    nvme.waiting[(nvme.first + nvme.count++) % NVME_WAITING] =
        (struct waiting){*store, *store->starts, clock_time() + nvme.latency_ns};
    wait_for_first();
}

/* What is on its way to a controller does not arrive. */
static void take_back(const PCIDevice *device)
{
    unsigned int count = nvme.count;

    nvme.count = 0;
    for (unsigned int i = 0; i < count; i++) {
        const struct waiting *one = &nvme.waiting[(nvme.first + i) % NVME_WAITING];

        if (one->store.device != device) {
            nvme.waiting[(nvme.first + nvme.count++) % NVME_WAITING] = *one;
        }
    }
    wait_for_first();
}

void nvme_stored(const struct nvme_store *store)
{
    if (is_doorbell(store->offset)) {
        send_off(store);
        return;
    }
    if (store->offset == CC && (~store->value | ~nvme.access->load(store->bar + CC, 4)) & CC_EN) {
        take_back(store->device);
        forget_queues(store->device);
    }
    nvme.access->store(store->bar + store->offset, store->value, store->size);
}

/* ---- the board ---- */

uint64_t nvme_latency_ns(void)
{
    return nvme.latency_ns;
}

bool nvme_set_latency_ns(uint64_t value, Error **errp)
{
    if (value > MOST_LATENCY_NS) {
        error_setg(errp, "nvme-latency-ns=%llu: at most one second", (unsigned long long)value);
        return false;
    }
    nvme.latency_ns = value;
    return true;
}

void nvme_initialise(const struct nvme_access *access)
{
    nvme.access = access;
    model_timer_initialise(&nvme.timer, first_is_due, NULL);
}

void nvme_reset(void)
{
    nvme.first = nvme.count = 0;
    memset(nvme.controllers, 0, sizeof(nvme.controllers));
}
