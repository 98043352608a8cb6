/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/channel_object.h"

enum { CHANNELS = 8, INTERVAL_MAX_NS = 1000000000 };

static Object *channels[CHANNELS];
static const struct controller *control;

static const struct property {
    const char *name;
    bool reads, writes;
} properties[CHANNEL_CONTROLS] = {
    [CONTROL_BURST_INTERVAL_NS] = {"burst-interval-ns", true, true},
    [CONTROL_HOLD_AT_BURST] = {"hold-at-burst", true, true},
    [CONTROL_HOLD_AT_BYTE] = {"hold-at-byte", true, true},
    [CONTROL_HELD] = {"held", true, false},
    [CONTROL_STEP] = {"step", false, true},
    [CONTROL_RELEASE] = {"release", false, true},
    [CONTROL_STATE] = {"state", true, false},
    [CONTROL_PC] = {"pc", true, false},
    [CONTROL_SAR] = {"sar", true, false},
    [CONTROL_DAR] = {"dar", true, false},
    [CONTROL_CCR] = {"ccr", true, false},
    [CONTROL_BURSTS] = {"bursts", true, false},
};

static uint32_t number_of(const Object *object)
{
    uint32_t n = 0;

    while (n + 1 < CHANNELS && channels[n] != object) {
        n++;
    }
    return n;
}

/* QEMU's own controller has none of these properties. */
static bool has_controls(const char *name, Error **errp)
{
    if (!control->come_to) {
        error_setg(
            errp,
            "%s: QEMU's own PL330 executes a program whole inside the store that starts it, so it has no "
            "pace, no holds, and nothing to see in between; take a machine whose pl330 has `model: dmav3`",
            name);
    }
    return control->come_to != NULL;
}

static void get(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    uint64_t value;

    if (!has_controls(name, errp)) {
        return;
    }
    value = control->get[(const struct property *)opaque - properties](number_of(object));
    qemu.visit_type_uint64(visitor, name, &value, errp);
}

/* A channel that has come past a place cannot be held there. */
static bool is_place(uint32_t n, enum channel_control place, uint64_t value, Error **errp)
{
    const char *name = properties[place].name;

    if (value > INT64_MAX) { /* a negative number, as QEMU passes it on */
        error_setg(errp, "%s=%lld: 0 or more", name, (long long)value);
        return false;
    }
    uint64_t done = control->come_to(n, place);

    if (value && value <= done) {
        error_setg(errp, "%s=%llu: channel %u has come to %llu already", name, (unsigned long long)value, n,
                   (unsigned long long)done);
        return false;
    }
    return true;
}

static bool may_go_on(uint32_t n, const char *name, uint64_t value, Error **errp)
{
    if (value != 1) {
        error_setg(errp, "%s=%llu: 1", name, (unsigned long long)value);
        return false;
    }
    if (!control->get[CONTROL_HELD](n)) {
        error_setg(errp, "%s=1: channel %u is not held", name, n);
        return false;
    }
    return true;
}

static bool is_possible(uint32_t n, enum channel_control which, uint64_t value, Error **errp)
{
    switch (which) {
    case CONTROL_HOLD_AT_BURST:
    case CONTROL_HOLD_AT_BYTE:
        return is_place(n, which, value, errp);
    case CONTROL_STEP:
    case CONTROL_RELEASE:
        return may_go_on(n, properties[which].name, value, errp);
    default:
        break;
    }
    if (value > INTERVAL_MAX_NS) {
        error_setg(errp, "burst-interval-ns=%llu: at most one second, such as 1000", (unsigned long long)value);
        return false;
    }
    return true;
}

static void set(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    enum channel_control which = (enum channel_control)((const struct property *)opaque - properties);
    uint32_t n = number_of(object);
    uint64_t value;

    if (has_controls(name, errp) && qemu.visit_type_uint64(visitor, name, &value, errp) &&
        is_possible(n, which, value, errp)) {
        control->set[which](n, value);
    }
}

static void channel_class(ObjectClass *class, void *data)
{
    (void)data;
    for (const struct property *it = properties; it < properties + CHANNEL_CONTROLS; it++) {
        qemu.object_class_property_add(class, it->name, "uint64", it->reads ? get : NULL,
                                       it->writes ? set : NULL, NULL, (void *)(uintptr_t)it);
    }
}

void channel_object_register(void)
{
    static const TypeInfo type = {.name = "dmav3-channel", .parent = "object", .class_init = channel_class};

    qemu.type_register_static(&type);
}

void channel_object_add(Object *board, const struct controller *controller)
{
    char name[] = "channel[0]";

    control = controller;
    for (uint32_t n = 0; n < CHANNELS; n++) {
        name[sizeof("channel[") - 1] = (char)('0' + n);
        channels[n] = qemu.object_new("dmav3-channel");
        qemu.object_property_add_child(board, name, channels[n]);
    }
}
