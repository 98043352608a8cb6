/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine_predict(): a copy of the engine runs ahead, without data. */
#include "engine/state.h"

/* What the copy is given to do: the original's memory, looked at only. */
static bool glance_fetch(void *opaque, uint32_t thread, uint32_t address, uint8_t *code, uint32_t bytes)
{
    const struct engine *original = ((struct engine *)opaque)->original;

    (void)thread;
    return original->ops->glance(original->opaque, address, code, bytes);
}

static bool glance_access(struct engine *copy, const struct engine_burst *burst)
{
    const struct engine *original = copy->original;
    enum engine_outlook outlook = original->ops->look_at(original->opaque, burst);

    if (outlook == ENGINE_OUTLOOK_EFFECT) {
        copy->stop = copy->interrupts = true;
    }
    return outlook != ENGINE_OUTLOOK_ERROR;
}

static bool glance_read(void *opaque, const struct engine_burst *burst, uint8_t *data)
{
    (void)data;
    return glance_access(opaque, burst);
}

static bool glance_write(void *opaque, const struct engine_burst *burst, const uint8_t *data)
{
    (void)data;
    return glance_access(opaque, burst);
}

static void stop_at_output(void *opaque, uint32_t line, bool level)
{
    (void)line;
    (void)level;
    ((struct engine *)opaque)->stop = ((struct engine *)opaque)->interrupts = true;
}

static void stop_at_fault(void *opaque, uint32_t thread)
{
    (void)thread;
    ((struct engine *)opaque)->stop = ((struct engine *)opaque)->interrupts = true;
}

static void stop_at_hold(void *opaque, uint32_t thread)
{
    (void)thread;
    ((struct engine *)opaque)->stop = true;
}

static void ignore_issue(void *opaque, uint32_t thread, uint32_t pc, const uint8_t *code,
                         const struct engine_burst *burst)
{
    (void)opaque;
    (void)thread;
    (void)pc;
    (void)code;
    (void)burst;
}

static void ignore_finding(void *opaque, const struct engine_finding *finding)
{
    (void)opaque;
    (void)finding;
}

static const struct engine_ops glances = {
    .fetch = glance_fetch,
    .read = glance_read,
    .write = glance_write,
    .interrupt = stop_at_output,
    .issued = ignore_issue,
    .faulted = stop_at_fault,
    .held = stop_at_hold,
    .found = ignore_finding,
};

struct engine_prediction engine_predict(const struct engine *engine, uint64_t horizon)
{
    struct engine copy = *engine;

    copy.ops = &glances;
    copy.opaque = &copy;
    copy.original = engine;
    copy.predicting = true;
    engine_run(&copy, horizon);
    if (!copy.stop) {
        copy.now = engine_next(&copy) == ENGINE_NEVER ? ENGINE_NEVER : horizon;
    }
    return (struct engine_prediction){copy.now, copy.interrupts};
}
