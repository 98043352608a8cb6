/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remote devices: bus masters of which QEMU knows no model. What their registers do is decided by the process
 * at the other end of a socket, the harness, where somebody has written a class for each
 * (harness/dmav3/devices).
 *
 * An access of the CPU to a register is a request on the socket. The CPU waits for its answer, and model time
 * stands still. Meanwhile the other side gives orders, of any of its devices: move memory, interrupt the CPU.
 * The last one, DONE, is the answer, and says at which model time the devices want to act of their own accord;
 * that is a request as well.
 *
 * Everything on the socket is little-endian and one of the structures below, but for the bytes that are moved:
 * those that a device reads follow a struct remote_moved, those that it writes the order. A device's accesses
 * of memory are judged as a PCI device's are. They are not ungated, since nothing here depends on the host's
 * time. A device may be a PCI function (devices/function.h); it accesses memory only while its driver has bus
 * mastering on.
 *
 * Who is at the other end must answer, or close it, in bounded time. Once it is closed, a register answers with
 * a bus error, and nothing happens any more.
 */
#ifndef DMAV3_REMOTE_H
#define DMAV3_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* Where the registers of device n are: a window for each, of which it uses the first bytes. Those of a PCI
 * function are behind its BAR instead. */
enum remote_size { REMOTE_DEVICES = 8, REMOTE_WINDOW = 0x10000, REMOTE_CHUNK = 0x10000 };

enum remote_request_kind { REMOTE_READ = 1, REMOTE_WRITE, REMOTE_EVENTS };
enum remote_order_kind {
    REMOTE_DONE = 1,
    REMOTE_DMA_READ,
    REMOTE_DMA_WRITE,
    REMOTE_INTERRUPT,
    REMOTE_MESSAGE, /* of a PCI function, as is: */
    REMOTE_REMOVE,  /* it is pulled out */
};

struct remote_request {
    uint32_t kind;    /* enum remote_request_kind; of the last the rest but the time is 0: */
    uint32_t device;  /* from 0 */
    uint64_t offset;  /* of the register, */
    uint64_t size;    /* 1, 2, 4 or 8 bytes */
    uint64_t value;   /* that the CPU writes */
    uint64_t time_ns; /* model time */
};

struct remote_order {
    uint32_t kind;   /* enum remote_order_kind */
    uint32_t device; /* from 0 */
    uint64_t value;  /* DONE: what the CPU reads. INTERRUPT: the level. MESSAGE: the vector */
    uint64_t at;     /* DONE: model time of the next REMOTE_EVENTS, UINT64_MAX: never. DMA: the address */
    uint64_t size;   /* DONE: 1: answer with a bus error. DMA: bytes, at most REMOTE_CHUNK */
};

/* The answer to an order of DMA: so many bytes were moved before the bus answered with an error. */
struct remote_moved {
    uint64_t bytes;
    uint64_t refused; /* 1: none, since bus mastering is off */
};

struct remote_wiring {
    int fd;
    uint64_t base;          /* of the first window */
    const char *devices;    /* bytes of registers, and of a PCI function its slot, id, class and messages
                               (devices/function.h): "4096/256+0x3+0x56781234+0xff0000+1" */
    uint64_t configuration; /* where PCI configuration space begins */
    qemu_irq *interrupts;   /* one for each of REMOTE_DEVICES */
    void (*catch_up)(void); /* bring the DMA controller to now */
};

/* Map the registers, after pci_initialise(). False with *errp set on failure. Doorbells of device n are those
 * of the id "remoteN" (devices/doorbells.h). */
bool remote_initialise(const struct remote_wiring *wiring, Error **errp);

/* Nothing is asked for, and no interrupt stands. */
void remote_reset(void);

/* The property `remote-due`: model time of the next REMOTE_EVENTS, UINT64_MAX: never. */
uint64_t remote_due(void);
bool remote_set_due(uint64_t time_ns, Error **errp);

#endif
