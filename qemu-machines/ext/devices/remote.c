/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "devices/doorbells.h"
#include "devices/function.h"
#include "devices/master.h"
#include "evidence/finding.h"
#include "memory/views.h"
#include "probe/probe.h"
#include "time/clock.h"

static struct {
    struct remote_wiring wiring;
    bool gone; /* the other side */
    struct model_timer timer;
    struct remote {
        uint32_t number;
        QemuRegion registers;
        const struct doorbells *doorbells; /* NULL: every register is one */
        struct function function;
        bool is_function;
        struct order_starts starts;
    } remote[REMOTE_DEVICES];
    uint32_t count;
    uint8_t chunk[REMOTE_CHUNK];
} remotes;

/* ---- the socket ---- */

static bool receive(void *bytes, size_t size)
{
    uint8_t *to = bytes;

    while (size && !remotes.gone) {
        ssize_t got = recv(remotes.wiring.fd, to, size, 0);

        if (got > 0) {
            to += got, size -= (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            remotes.gone = true;
        }
    }
    return !remotes.gone;
}

static bool tell(const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size && !remotes.gone) {
        ssize_t sent = send(remotes.wiring.fd, from, size, MSG_NOSIGNAL);

        if (sent > 0) {
            from += sent, size -= (size_t)sent;
        } else if (errno != EINTR) {
            remotes.gone = true;
        }
    }
    return !remotes.gone;
}

/* ---- orders ---- */

/* Line by line, as a bus master with bursts of a line. Returns how many bytes were moved. */
static uint64_t move(struct remote *device, uint64_t address, uint64_t size, bool is_write)
{
    struct accessor by = {.channel = ACCESSOR_REMOTE | device->number, .starts = &device->starts};
    uint64_t moved = 0;

    views_lock();
    probe_record(PROBE_DEVICE_ACCESS, device->number, address, size, 0, is_write, 0);
    while (moved < size) {
        uint64_t room = probe->line_size - (address + moved) % probe->line_size;
        unsigned int part = (unsigned int)(size - moved < room ? size - moved : room);

        if (!master_access(address + moved, remotes.chunk + moved, part, is_write, &by)) {
            break;
        }
        moved += part;
    }
    views_unlock();
    return moved;
}

/* A function with bus mastering off sends nothing to the bus: a finding. */
static bool may_move(const struct remote *device, const struct remote_order *order)
{
    const struct accessor by = {.channel = ACCESSOR_REMOTE | device->number};
    bool may = !device->is_function || function_is_master(&device->function);

    if (!may) {
        views_lock();
        finding_bus_error(order->at, order->kind == REMOTE_DMA_WRITE, BUS_ERROR_NO_MASTER, &by);
        views_unlock();
    }
    return may;
}

static bool move_as_told(struct remote *device, const struct remote_order *order)
{
    bool is_write = order->kind == REMOTE_DMA_WRITE;
    struct remote_moved moved = {.refused = !may_move(device, order)};

    if (order->size > REMOTE_CHUNK || (is_write && !receive(remotes.chunk, order->size))) {
        return false;
    }
    moved.bytes = moved.refused ? 0 : move(device, order->at, order->size, is_write);
    return tell(&moved, sizeof(moved)) && (is_write || tell(remotes.chunk, moved.bytes));
}

static void interrupt(struct remote *device, bool level)
{
    views_lock();
    probe_record(PROBE_DEVICE_INTERRUPT, device->number, level, 0, 0, 0, 0);
    views_unlock();
    qemu.qemu_set_irq(remotes.wiring.interrupts[device->number], level);
}

static void message(struct remote *device, uint32_t vector)
{
    enum probe_message sent = function_send(&device->function, vector);

    views_lock();
    probe_record(PROBE_DEVICE_MESSAGE, device->number, vector, sent, 0, 0, 0);
    views_unlock();
}

/* False: it is none of a PCI function. */
static bool obey_as_function(struct remote *device, const struct remote_order *order)
{
    if (!device->is_function) {
        return false;
    }
    if (order->kind == REMOTE_MESSAGE) {
        message(device, (uint32_t)order->value);
    } else if (order->kind == REMOTE_REMOVE) {
        function_remove(&device->function);
    } else {
        return false;
    }
    return true;
}

/* False: it cannot be obeyed. */
static bool obey(const struct remote_order *order)
{
    struct remote *device = &remotes.remote[order->device % REMOTE_DEVICES];

    if (order->device >= remotes.count) {
        return false;
    }
    switch (order->kind) {
    case REMOTE_DMA_READ:
    case REMOTE_DMA_WRITE:
        return move_as_told(device, order);
    case REMOTE_INTERRUPT:
        interrupt(device, order->value != 0);
        return true;
    default:
        return obey_as_function(device, order);
    }
}

/* Ask, and obey until it is done. False: the answer is an error. */
static bool ask(struct remote_request request, uint64_t *value)
{
    struct remote_order order = {.kind = 0};

    remotes.wiring.catch_up();
    request.time_ns = clock_time();
    tell(&request, sizeof(request));
    while (receive(&order, sizeof(order)) && order.kind != REMOTE_DONE) {
        if (!obey(&order)) {
            remotes.gone = true;
        }
    }
    if (remotes.gone) {
        return false;
    }
    (void)remote_set_due(order.at, NULL);
    *value = order.value;
    return order.size == 0;
}

/* ---- what is asked ---- */

static uint32_t register_read(void *opaque, hwaddr offset, uint64_t *value, unsigned int size,
                              MemTxAttrs attributes)
{
    struct remote *device = opaque;
    bool done;

    (void)attributes;
    *value = 0;
    done = ask((struct remote_request){REMOTE_READ, device->number, offset, size, 0, 0}, value);
    views_lock();
    probe_record(PROBE_DEVICE_REGISTER, device->number, offset, size, *value, false, !done);
    views_unlock();
    return done ? MEMTX_OK : MEMTX_ERROR;
}

static void start(struct remote *device, uint64_t offset)
{
    if (!device->doorbells || doorbells_have(device->doorbells, offset)) {
        views_device_started(&device->starts, device->doorbells != NULL);
    }
}

static uint32_t register_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size,
                               MemTxAttrs attributes)
{
    struct remote *device = opaque;
    uint64_t none;

    (void)attributes;
    start(device, offset);
    views_lock();
    probe_record(PROBE_DEVICE_REGISTER, device->number, offset, size, value, true, 0);
    views_unlock();
    return ask((struct remote_request){REMOTE_WRITE, device->number, offset, size, value, 0}, &none)
               ? MEMTX_OK
               : MEMTX_ERROR;
}

static void due(void *opaque)
{
    uint64_t none;

    (void)opaque;
    ask((struct remote_request){.kind = REMOTE_EVENTS}, &none);
}

uint64_t remote_due(void)
{
    return remotes.timer.armed ? remotes.timer.deadline_ns : UINT64_MAX;
}

bool remote_set_due(uint64_t time_ns, Error **errp)
{
    if (!remotes.count) {
        if (time_ns != UINT64_MAX) {
            error_setg(errp, "remote-due=%llu: there are no remote devices", (unsigned long long)time_ns);
        }
        return time_ns == UINT64_MAX;
    }
    if (time_ns == UINT64_MAX) {
        model_timer_disarm(&remotes.timer);
    } else {
        model_timer_arm(&remotes.timer, time_ns);
    }
    return true;
}

/* ---- set-up ---- */

static const MemoryRegionOps register_ops = {
    .read_with_attrs = register_read,
    .write_with_attrs = register_write,
    .endianness = 2,
    .valid = {1, 8, false, NULL},
    .impl = {1, 8, false},
};

/* The device as `text` has it, up to a slash or the end. Returns where that is; NULL where it is none. */
static const char *parse(const char *text, uint64_t *size, struct function_identity *identity)
{
    uint32_t *const parts[] = {&identity->slot, &identity->id, &identity->class_code, &identity->messages};
    char *end;

    *size = strtoull(text, &end, 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && *end == '+'; i++) {
        *parts[i] = (uint32_t)strtoul(end + 1, &end, 0);
    }
    return *size && *size <= REMOTE_WINDOW && (!*end || *end == '/') ? end : NULL;
}

static bool place(struct remote *device, const struct function_identity *identity, Error **errp)
{
    PCIBus *bus = (PCIBus *)qemu.object_resolve_path_type("", "PCIE", NULL);

    device->is_function = identity->slot != 0;
    if (device->is_function) {
        return function_add(&device->function, identity, bus, remotes.wiring.configuration,
                            region(&device->registers), errp);
    }
    qemu.memory_region_add_subregion(qemu.get_system_memory(),
                                     remotes.wiring.base + (uint64_t)device->number * REMOTE_WINDOW,
                                     region(&device->registers));
    return true;
}

static bool add(uint64_t size, const struct function_identity *identity, Error **errp)
{
    struct remote *device = &remotes.remote[remotes.count];
    char id[sizeof("remote0")];

    device->number = remotes.count++;
    (void)snprintf(id, sizeof(id), "remote%u", device->number % REMOTE_DEVICES);
    device->doorbells = doorbells_named(id);
    qemu.memory_region_init_io(region(&device->registers), NULL, &register_ops, device, "dmav3-remote", size);
    return place(device, identity, errp);
}

bool remote_initialise(const struct remote_wiring *wiring, Error **errp)
{
    const char *at = wiring->devices ? wiring->devices : "";

    remotes.wiring = *wiring;
    do {
        struct function_identity identity = {.slot = 0};
        uint64_t size;

        at = remotes.count < REMOTE_DEVICES ? parse(at, &size, &identity) : NULL;
        if (!at) {
            error_setg(errp,
                       "remote=%s: 1 to %d sizes, of 1 to %d bytes, such as 4096/256, each of a PCI "
                       "function with +slot+id+class+messages",
                       wiring->devices ? wiring->devices : "", REMOTE_DEVICES, REMOTE_WINDOW);
            return false;
        }
        if (!add(size, &identity, errp)) {
            return false;
        }
    } while (*at++);
    model_timer_initialise(&remotes.timer, due, NULL);
    return true;
}

void remote_reset(void)
{
    for (struct remote *device = remotes.remote; device < remotes.remote + remotes.count; device++) {
        device->starts.count = 0;
        function_reset(&device->function);
        qemu.qemu_set_irq(remotes.wiring.interrupts[device->number], 0);
    }
}
