/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/history.h"

#include <stdlib.h>

#include "evidence/place.h"
#include "probe/probe.h"

uint32_t history_epoch;

static uint32_t reset_epoch; /* began with the last reset */

static unsigned int line_shift;
static uint64_t *origin; /* of the last store to each 8 bytes of RAM: history_origin() */
static struct history {
    uint64_t maintained;       /* history_origin() of the last maintenance by address */
    uint32_t epoch, channel;   /* of the device's last write */
    uint32_t microcode, burst; /* the same */
    uint32_t stray;            /* the same */
} *history;

static struct history *history_of(uint64_t physical)
{
    return &history[(physical - probe->ram_base) >> line_shift];
}

static uint64_t *origin_of(uint64_t physical)
{
    return &origin[(physical - probe->ram_base) / 8];
}

static void take_memory(void)
{
    if (!history) {
        line_shift = (unsigned int)__builtin_ctz(probe->line_size);
        history = calloc(probe->ram_size >> line_shift, sizeof(*history));
        origin = calloc(probe->ram_size / 8, sizeof(*origin));
    }
}

void history_reset(void)
{
    take_memory();
    reset_epoch = history_begin_epoch();
}

uint32_t history_begin_epoch(void)
{
    return ++history_epoch;
}

void history_stored(uint64_t physical, unsigned int size, uint64_t pc)
{
    uint64_t value = history_origin(place_of(pc));

    for (uint64_t *at = origin_of(physical); at <= origin_of(physical + size - 1); at++) {
        *at = value;
    }
}

uint64_t *history_origins(void)
{
    take_memory();
    return origin;
}

void history_maintained(uint64_t physical, uint64_t pc)
{
    history_of(physical)->maintained = history_origin(place_of(pc));
}

void history_device_wrote(uint64_t physical, const struct accessor *by)
{
    struct history *line = history_of(physical);

    line->epoch = history_epoch;
    line->channel = by->channel;
    line->microcode = (uint32_t)by->microcode;
    line->burst = (uint32_t)by->burst;
    line->stray = by->stray;
}

/* The program counter of what has this origin. */
static uint64_t pc_of(uint64_t at)
{
    return at >> 32 >= reset_epoch ? place_pc((uint32_t)at) : 0;
}

uint64_t history_store(uint64_t physical)
{
    return pc_of(*origin_of(physical));
}

uint64_t history_maintenance(uint64_t physical)
{
    return pc_of(history_of(physical)->maintained);
}

uint32_t history_store_epoch(uint64_t physical)
{
    return (uint32_t)(*origin_of(physical) >> 32);
}

struct accessor history_device_write(uint64_t physical)
{
    const struct history *line = history_of(physical);

    if (line->epoch < reset_epoch) {
        return (struct accessor){.channel = ACCESSOR_NO_CHANNEL};
    }
    return (struct accessor){
        .channel = line->channel, .stray = line->stray, .microcode = line->microcode, .burst = line->burst};
}

uint32_t history_device_write_epoch(uint64_t physical)
{
    return history_of(physical)->epoch;
}
