/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include <stdlib.h>

#include "pci.h"
#include "probe.h"
#include "views.h"

uint32_t history_era;

static uint32_t reset_era; /* began with the last reset */

static struct history {
    uint64_t origin[8];        /* of the last store to each 8 bytes: history_origin() */
    uint32_t era, channel;     /* of the device's last write */
    uint32_t microcode, burst; /* the same */
} *history;

static struct history *history_of(uint64_t physical)
{
    return &history[(physical - views.base) / probe->line_size];
}

static uint64_t *origin_of(uint64_t physical)
{
    return &history_of(physical)->origin[(physical & (probe->line_size - 1)) / 8];
}

void history_reset(void)
{
    if (!history) {
        history = calloc(views.size / probe->line_size, sizeof(*history));
    }
    reset_era = history_begin_era();
}

uint32_t history_begin_era(void)
{
    return ++history_era;
}

void history_stored(uint64_t physical, unsigned int size, uint64_t pc)
{
    for (uint64_t *origin = origin_of(physical); origin <= origin_of(physical + size - 1); origin++) {
        *origin = history_origin(pc);
    }
}

uint64_t *history_origins(uint64_t physical)
{
    return history_of(physical)->origin;
}

void history_device_wrote(uint64_t physical)
{
    struct pace_position at = device_position();
    struct history *line = history_of(physical);

    line->era = history_era;
    line->channel = at.channel;
    line->microcode = (uint32_t)at.microcode;
    line->burst = (uint32_t)at.burst;
}

uint32_t history_store(uint64_t physical)
{
    return history_store_era(physical) >= reset_era ? (uint32_t)*origin_of(physical) : 0;
}

uint32_t history_store_era(uint64_t physical)
{
    return (uint32_t)(*origin_of(physical) >> 32);
}

struct pace_position history_device_write(uint64_t physical)
{
    const struct history *line = history_of(physical);

    if (line->era < reset_era) {
        return (struct pace_position){.channel = PACE_NO_CHANNEL};
    }
    return (struct pace_position){line->channel, line->microcode, line->burst};
}

uint32_t history_device_write_era(uint64_t physical)
{
    return history_of(physical)->era;
}
