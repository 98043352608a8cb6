/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who accesses memory. It goes as an argument with every access that may become evidence: a hazard of the
 * cache, a bus error, the last write to a line.
 */
#ifndef DMAV3_ACCESSOR_H
#define DMAV3_ACCESSOR_H

#include <stdbool.h>
#include <stdint.h>

/* `channel` of a PCI device: this, plus bus number << 8, device << 3 and function. Of another one that is no
 * channel of the PL330: this, plus the id of a virtio device in its standard, or 0 for fw_cfg. Of QEMU's own
 * PL330, which does not say which of its channels it is: the third. Of a remote device (devices/remote.h): the
 * last, plus its number. */
enum accessor_channel {
    ACCESSOR_PCI = 0x10000,
    ACCESSOR_OTHER = 0x20000,
    ACCESSOR_RIVAL = 0x40000,
    ACCESSOR_REMOTE = 0x80000
};

/* `channel` where no device is known. */
#define ACCESSOR_NO_CHANNEL 0xffffffffu

struct order_starts;

/* The CPU sets `pc` only; a device leaves it 0. */
struct accessor {
    uint64_t pc;        /* of the CPU's instruction */
    uint32_t channel;   /* of the PL330, or a device's number as above, or ACCESSOR_NO_CHANNEL */
    uint32_t stray;     /* nothing gave the device these bytes: that finding (evidence/stray.h); 0: no */
    bool is_fetch;      /* of an instruction of the PL330 */
    bool ungated;       /* the gate does not stop this device: its findings are marked so */
    uint64_t microcode; /* address of the channel's instruction; 0 for PCI */
    uint64_t burst;     /* bursts that the channel's program has begun; 0 for PCI */
    struct order_starts *starts; /* by which a device's access is judged (model/order.h); NULL: by none */
};

#endif
