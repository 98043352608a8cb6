/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/finding.h"

#include <string.h>

#include "time/clock.h"

enum { SLOTS = 2 * PROBE_FINDINGS };

/* What two cases of one root cause have in common. */
struct cause {
    uint64_t pc, adapter, maker_pc;
    uint32_t kind, routine, channel, flags, near, reason;
};

/* Where a cause is in the table of findings, plus 1; found by its hash, or behind it. */
static uint16_t slots[SLOTS];
static struct cause causes[PROBE_FINDINGS];
static bool has_layer;

void finding_reset(void)
{
    memset(slots, 0, sizeof(slots));
    has_layer = false;
}

void finding_has_layer(void)
{
    has_layer = true;
}

/* Where a routine owed something, whoever ran into it; elsewhere, which instruction or device it was. */
static struct cause cause_of(const struct probe_finding *found)
{
    bool is_owed = found->routine && !found->while_mapped;
    bool is_stray = found->kind == FINDING_STRAY_DEVICE_ACCESS;
    bool bypasses = found->kind == FINDING_BYPASSING_DEVICE;
    bool is_devices = (found->by_device && !found->routine) || bypasses;

    return (struct cause){
        .pc = is_owed || is_stray || bypasses ? 0 : found->cpu_pc,
        .adapter = found->adapter,
        .maker_pc = is_stray ? found->maker_pc : 0,
        .kind = found->kind,
        .routine = found->routine,
        .channel = is_devices ? found->channel : 0,
        .flags = found->while_mapped | found->bounced << 1 | (is_devices ? 4u : 0) |
                 (is_stray && found->is_write ? 8u : 0),
        .near = found->near,
        .reason = found->reason,
    };
}

static uint32_t hash(const struct cause *cause)
{
    uint64_t value = cause->pc;

    value = value * 31 + cause->adapter;
    value = value * 31 + cause->maker_pc;
    value = value * 31 + (cause->kind | cause->routine << 8);
    value = value * 31 + (cause->channel ^ (uint64_t)cause->flags << 32 ^ (uint64_t)cause->near << 40);
    value = (value + cause->reason) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(value >> 32) % SLOTS;
}

static bool is_same(const struct cause *a, const struct cause *b)
{
    return a->pc == b->pc && a->adapter == b->adapter && a->maker_pc == b->maker_pc && a->kind == b->kind &&
           a->routine == b->routine && a->channel == b->channel && a->flags == b->flags && a->near == b->near &&
           a->reason == b->reason;
}

/* The slot of the cause, or the empty one where it belongs: half of them are always empty. */
static uint16_t *slot_of(const struct cause *cause)
{
    uint32_t at = hash(cause);

    while (slots[at] && !is_same(&causes[slots[at] - 1], cause)) {
        at = (at + 1) % SLOTS;
    }
    return &slots[at];
}

uint32_t finding_knows(const struct probe_finding *like)
{
    struct cause cause = cause_of(like);

    return *slot_of(&cause);
}

uint32_t finding_counts(const struct probe_finding *like)
{
    struct cause cause = cause_of(like);
    uint16_t slot = *slot_of(&cause);

    if (slot) {
        probe->finding[slot - 1].count++;
    }
    return slot;
}

void finding_met(uint32_t number, uint64_t pc)
{
    if (!probe->finding[number - 1].cpu_pc) {
        probe->finding[number - 1].cpu_pc = pc;
    }
}

uint32_t finding_add(struct probe_finding found, const struct accessor *by)
{
    struct cause cause = cause_of(&found);
    uint16_t *slot = slot_of(&cause);

    if (finding_counts(&found)) {
        return *slot;
    }
    if (probe->findings == PROBE_FINDINGS) {
        probe->findings_lost++;
        return 0;
    }
    *slot = (uint16_t)(probe->findings + 1);
    causes[probe->findings] = cause;
    found.count = 1;
    found.time_ns = clock_time();
    found.command = clock_command();
    found.has_layer = has_layer;
    found.seq = probe_record_finding(probe->findings, by->ungated);
    probe->finding[probe->findings++] = found;
    return probe->findings;
}

void finding_bus_error(uint64_t physical, bool is_write, enum probe_bus_error reason, const struct accessor *by)
{
    finding_add(
        (struct probe_finding){
            .kind = FINDING_BUS_ERROR,
            .by_device = true,
            .is_write = is_write,
            .reason = reason,
            .address = physical,
            .channel = by->channel,
            .microcode = by->microcode,
            .burst = by->burst,
        },
        by);
}

void finding_microcode(enum probe_finding_kind kind, uint64_t code, uint64_t other, const struct accessor *by)
{
    finding_add(
        (struct probe_finding){
            .kind = kind,
            .by_device = true,
            .address = other,
            .channel = by->channel,
            .microcode = by->microcode,
            .burst = by->burst,
            .code = code,
        },
        by);
}

void finding_bad_record(enum probe_bad_record reason, uint64_t value)
{
    static const struct accessor nobody = {.channel = ACCESSOR_NO_CHANNEL};

    finding_add(
        (struct probe_finding){
            .kind = FINDING_BAD_RECORD,
            .address = value,
            .channel = ACCESSOR_NO_CHANNEL,
            .reason = reason,
        },
        &nobody);
}
