/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/channel_object.h"

enum { CHANNELS = 8 };

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
};

static uint32_t number_of(const Object *object)
{
    uint32_t n = 0;

    while (n + 1 < CHANNELS && channels[n] != object) {
        n++;
    }
    return n;
}

static void get(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    uint64_t value = control->get[(const struct property *)opaque - properties](number_of(object));

    qemu.visit_type_uint64(visitor, name, &value, errp);
}

static void set(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    uint64_t value;

    if (qemu.visit_type_uint64(visitor, name, &value, errp)) {
        control->set[(const struct property *)opaque - properties](number_of(object), value, errp);
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
