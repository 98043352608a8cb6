/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/doorbells.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES = 31, OFFSETS = 64, ID_SIZE = 32 };

struct doorbells {
    char id[ID_SIZE];
    uint64_t offset[OFFSETS];
    size_t count;
};

static struct doorbells doorbells[DEVICES];
static size_t devices;
static char bars[DEVICES * (ID_SIZE + 24)]; /* doorbells_bars() */

/* The offsets from `text` on, up to a slash or the end. Returns where that is; NULL where they are none. */
static const char *parse_offsets(const char *text, struct doorbells *into)
{
    char *end;

    do {
        if (into->count == OFFSETS) {
            return NULL;
        }
        into->offset[into->count++] = strtoull(text, &end, 0);
        if (end == text) {
            return NULL;
        }
        text = end + 1;
    } while (*end == '+');
    return end;
}

static const char *parse_device(const char *text, struct doorbells *into)
{
    size_t length = strcspn(text, ":");

    if (length == 0 || length >= ID_SIZE || text[length] != ':') {
        return NULL;
    }
    memset(into, 0, sizeof(*into));
    memcpy(into->id, text, length);
    return parse_offsets(text + length + 1, into);
}

bool doorbells_set(const char *text, Error **errp)
{
    const char *at = text;

    devices = 0;
    do {
        at = devices < DEVICES ? parse_device(at, &doorbells[devices++]) : NULL;
    } while (at && *at == '/' && *++at);
    if (!at || *at) {
        devices = 0;
        error_setg(errp, "doorbells=%s: no ids and offsets, such as pci1:0x98/pci2:0x1000+0x1008", text);
        return false;
    }
    return true;
}

static PCIDevice *device_of(const struct doorbells *of)
{
    PCIDevice *device = NULL;

    return qemu.pci_qdev_find_device(of->id, &device) == 0 ? device : NULL;
}

/* What can be written to a register of configuration space, which is 0 again afterwards. */
static uint32_t writable(PCIDevice *device, uint32_t offset)
{
    uint32_t value;

    qemu.pci_default_write_config(device, offset, UINT32_MAX, 4);
    value = qemu.pci_default_read_config(device, offset, 4);
    qemu.pci_default_write_config(device, offset, 0, 4);
    return value;
}

/* Of BAR 0, if it is one of memory; 0: there is none. */
static uint64_t bar_size(PCIDevice *device)
{
    enum { BAR_0 = 0x10, BAR_1 = 0x14, IO = 1, TYPE = 0xf, OF_64_BITS = 4 };
    uint32_t low = writable(device, BAR_0), high = UINT32_MAX;

    if (!low || (low & IO)) {
        return 0;
    }
    if (low & OF_64_BITS) {
        high = writable(device, BAR_1);
    }
    return -((uint64_t)high << 32 | (low & ~(uint32_t)TYPE));
}

void doorbells_size_bars(void)
{
    size_t length = 0;

    if (bars[0]) {
        return;
    }
    for (size_t i = 0; i < devices; i++) {
        PCIDevice *device = device_of(&doorbells[i]);

        length += (size_t)snprintf(bars + length, sizeof(bars) - length, "%s%s:%#llx", i ? "/" : "",
                                   doorbells[i].id, device ? (unsigned long long)bar_size(device) : 0);
    }
}

const char *doorbells_bars(void)
{
    return bars;
}

const struct doorbells *doorbells_of(const PCIDevice *device)
{
    for (size_t i = 0; i < devices; i++) {
        if (device_of(&doorbells[i]) == device) {
            return &doorbells[i];
        }
    }
    return NULL;
}

const struct doorbells *doorbells_named(const char *id)
{
    for (size_t i = 0; i < devices; i++) {
        if (!strcmp(doorbells[i].id, id)) {
            return &doorbells[i];
        }
    }
    return NULL;
}

bool doorbells_have(const struct doorbells *of, uint64_t offset)
{
    for (size_t i = 0; i < of->count; i++) {
        if (of->offset[i] == offset) {
            return true;
        }
    }
    return false;
}
