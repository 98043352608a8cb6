/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/order.h"

#include <string.h>

#define LAST UINT32_MAX

void order_reset(struct order *order)
{
    *order = (struct order){.now = 1, .full = 1, .stores = 1};
}

uint32_t order_moment(struct order *order)
{
    order->used = true;
    return order->now;
}

/* What comes from now on has another moment than what was before. */
static void go_on(struct order *order)
{
    if (order->used && order->now < LAST) {
        order->now++;
        order->used = false;
    }
}

void order_barrier(struct order *order, enum order_barrier kind)
{
    go_on(order);
    order->stores = order->now;
    if (kind == ORDER_FULL) {
        order->full = order->now;
        order->full_count++;
    }
}

void order_release(struct order *order, bool under_way)
{
    order->releasing = under_way;
}

static bool same_barriers(const struct order_start *one, const struct order_start *other)
{
    return one->stores == other->stores && one->maintenance == other->maintenance;
}

void order_start(struct order *order, struct order_starts *starts, bool keep)
{
    struct order_start *last;

    go_on(order);
    order->latest = (struct order_start){
        .at = order->now,
        .stores = order->releasing ? order->now : order->stores,
        .maintenance = order->full,
    };
    if (!keep || starts->accessed) {
        starts->count = 0;
    }
    starts->accessed = false;
    last = &starts->start[starts->count - (starts->count != 0)];
    if (!starts->count || !same_barriers(last, &order->latest)) {
        if (starts->count == ORDER_STARTS) {
            memmove(starts->start, starts->start + 1, sizeof(starts->start) - sizeof(*starts->start));
            starts->count--;
        }
        last = &starts->start[starts->count++];
    }
    *last = order->latest;
}

bool order_store_races(const struct order_starts *starts, uint32_t moment)
{
    for (unsigned int i = 0; i < starts->count; i++) {
        if (starts->start[i].stores <= moment && moment < starts->start[i].at) {
            return true;
        }
    }
    return false;
}

bool order_maintenance_races(const struct order_starts *starts, uint32_t moment)
{
    for (unsigned int i = 0; i < starts->count; i++) {
        if (starts->start[i].maintenance <= moment && moment < starts->start[i].at) {
            return true;
        }
    }
    return false;
}

bool order_is_behind(const struct order *order, uint32_t moment)
{
    return moment < order->full || order->full == LAST;
}

void order_tell(struct order *order, bool asked)
{
    go_on(order);
    order->told = order->now - 1;
    if (asked) {
        order->asked = order->told;
    }
}

void order_tell_moment(struct order *order, uint32_t moment)
{
    if (moment > order->told) {
        order->told = moment;
        go_on(order);
    }
}
