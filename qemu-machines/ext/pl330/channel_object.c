/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/channel_object.h"

#include "pl330/schedule.h"

static Object *channels[SCHEDULE_CHANNELS];

static struct property {
    const char *name;
    uint64_t (*get)(uint32_t n);
    bool (*set)(uint32_t n, uint64_t value, Error **errp);
} properties[] = {
    {"burst-interval-ns", schedule_burst_interval_ns, schedule_set_burst_interval_ns},
    {"hold-at-burst", schedule_hold_at_burst, schedule_set_hold_at_burst},
    {"hold-at-byte", schedule_hold_at_byte, schedule_set_hold_at_byte},
    {"held", schedule_held, NULL},
    {"step", NULL, schedule_step},
    {"release", NULL, schedule_release},
};

static uint32_t number_of(const Object *object)
{
    uint32_t n = 0;

    while (n + 1 < SCHEDULE_CHANNELS && channels[n] != object) {
        n++;
    }
    return n;
}

static void get(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    const struct property *property = opaque;
    uint64_t value = property->get(number_of(object));

    qemu.visit_type_uint64(visitor, name, &value, errp);
}

static void set(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    const struct property *property = opaque;
    uint64_t value;

    if (qemu.visit_type_uint64(visitor, name, &value, errp)) {
        property->set(number_of(object), value, errp);
    }
}

static void channel_class(ObjectClass *class, void *data)
{
    (void)data;
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        struct property *property = &properties[i];

        qemu.object_class_property_add(class, property->name, "uint64", property->get ? get : NULL,
                                       property->set ? set : NULL, NULL, property);
    }
}

void channel_object_register(void)
{
    static const TypeInfo type = {.name = "dmav3-channel", .parent = "object", .class_init = channel_class};

    qemu.type_register_static(&type);
}

void channel_object_add(Object *board)
{
    char name[] = "channel[0]";

    for (uint32_t n = 0; n < SCHEDULE_CHANNELS; n++) {
        name[sizeof("channel[") - 1] = (char)('0' + n);
        channels[n] = qemu.object_new("dmav3-channel");
        qemu.object_property_add_child(board, name, channels[n]);
    }
}
