/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory/views.h"
#include "probe/probe.h"
#include "time/clock.h"

static FILE *file;
static uint64_t logged;

/* Read the acts of a script. They stay for as long as the process. */
static struct cache_act *read_script(FILE *script, size_t *count)
{
    struct act_record record;
    size_t room = 1024;
    struct cache_act *acts = malloc(room * sizeof(*acts));

    for (*count = 0; acts && fread(&record, sizeof(record), 1, script) == 1; ++*count) {
        if (*count == room) {
            room *= 2;
            acts = realloc(acts, room * sizeof(*acts));
        }
        if (acts) {
            acts[*count] = record.act;
        }
    }
    return acts;
}

bool acts_follow(const char *path)
{
    FILE *script = fopen(path, "rb");
    struct cache_act *acts;
    size_t count;

    if (!script) {
        return false;
    }
    acts = read_script(script, &count);
    fclose(script);
    if (acts) {
        cache_model_follow(views.model, acts, count);
    }
    return acts != NULL;
}

bool acts_log(const char *path)
{
    file = fopen(path, "wb");
    return file && cache_model_track(views.model);
}

void acts_reset(void)
{
    if (file) {
        fflush(file);
        rewind(file);
        logged = ftruncate(fileno(file), 0) == 0 ? 0 : logged;
    }
}

static void keep(const struct act_record *record)
{
    logged += fwrite(record, sizeof(*record), 1, file);
}

void acts_happened(const struct cache_act *act, const struct accessor *by)
{
    keep(&(struct act_record){.act = *act, .time_ns = clock_time(), .pc = by->pc, .channel = by->channel});
}

void acts_wrong(const struct cache_incident *incident, uint32_t finding, uint64_t cpu_pc,
                const struct accessor *by)
{
    if (incident->wrong) {
        keep(&(struct act_record){
            .act = {.line = (uint32_t)(incident->offset / probe->line_size),
                    .kind = ACT_WRONG,
                    .by_device = incident->by_device},
            .time_ns = clock_time(),
            .pc = cpu_pc,
            .wrong = incident->wrong,
            .channel = by->channel,
            .finding = finding,
            .hazard = incident->kind,
        });
    }
}

uint64_t acts_logged(void)
{
    if (file) {
        views_lock();
        fflush(file);
        views_unlock();
    }
    return logged;
}
