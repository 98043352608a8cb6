/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/doorbells.h"

#include <stddef.h>
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

const struct doorbells *doorbells_of(const PCIDevice *device)
{
    for (size_t i = 0; i < devices; i++) {
        PCIDevice *named = NULL;

        if (qemu.pci_qdev_find_device(doorbells[i].id, &named) == 0 && named == device) {
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
