/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one mapping between MapTransferEx and FlushAdapterBuffersEx: data and caches before the
 * device, the end as the controller reports it, caches and data after the device.
 */
#include "dma/layer.h"

#include "dma/bounce.h"
#include "hal/cache.h"
#include "hal/irq.h"

static bool needs_maintenance(const struct channel *channel)
{
    return !channel->controller->coherent; /* CCH-06 */
}

/* ---- before the device ---- */

/* The pieces of the caller's memory, before their maintenance. */
static void record_range(const struct plan_fragment *fragment, const struct request *request, bool write)
{
    enum trace_range kind = fragment->bounced ? TRACE_RANGE_BOUNCED : TRACE_RANGE_MAPPED;
    uint32_t length;

    for (uint32_t at = 0; at < fragment->length; at += length) {
        uint32_t in_page = PAGE_SIZE - BYTE_OFFSET(fragment->virtual_address + at);
        uint32_t left = fragment->length - at;
        uint64_t physical = plan_physical(fragment, at), device = physical;

        /* A direct fragment is contiguous; a bounced one page by page. */
        length = fragment->bounced && in_page < left ? in_page : left;
        if (fragment->bounced) {
            device = bounce_logical(fragment, request->first_register) + at;
        }
        trace_range(kind, request->handle, physical, device, length, write);
    }
}

static void fill_bounce_page(const struct plan_fragment *fragment, const struct request *request, bool write)
{
    if (write) {
        bounce_copy_to_device(fragment, request->first_register);
    } else if (request->adapter->ignore_count) {
        bounce_clear(fragment, request->first_register);
    }
}

/* The direct fragments; bounce pages are uncached and need nothing (CCH-16). */
static void maintain_before_device(const struct plan_fragment *fragment, bool write)
{
    if (write) {
        cache_clean(fragment->virtual_address, fragment->length); /* CCH-02 */
    } else {
        cache_clean_invalidate(fragment->virtual_address, fragment->length); /* CCH-04 */
    }
}

void mapping_give_to_device(const struct channel *channel)
{
    const struct mapping *mapping = &channel->mapping;
    const struct request *request = channel->owner;

    for (uint32_t i = 0; i < mapping->fragment_count; i++) {
        record_range(&mapping->fragments[i], request, mapping->write);
    }
    for (uint32_t i = 0; i < mapping->fragment_count; i++) {
        if (mapping->fragments[i].bounced) {
            fill_bounce_page(&mapping->fragments[i], request, mapping->write);
        }
    }
    for (uint32_t i = 0; i < mapping->fragment_count; i++) {
        if (!mapping->fragments[i].bounced && needs_maintenance(channel)) {
            maintain_before_device(&mapping->fragments[i], mapping->write);
        }
    }
    barrier_sync(); /* CCH-08 */
}

/* ---- the end ---- */

static DMA_COMPLETION_STATUS status_of(DMA_INTERRUPT_TYPE type)
{
    static const DMA_COMPLETION_STATUS statuses[] = {
        [InterruptTypeCompletion] = DmaComplete,
        [InterruptTypeError] = DmaError,
        [InterruptTypeCancelled] = DmaCancelled,
    };

    return statuses[type]; /* CMP-04 */
}

static void end_with(struct mapping *mapping, DMA_COMPLETION_STATUS status)
{
    mapping->state = MAPPING_DONE;
    mapping->end = status;
    if (mapping->completion != NULL) {
        completion_deliver(mapping->completion, status);
        mapping->completion = NULL;
    }
}

void mapping_report_end(struct channel *channel, DMA_INTERRUPT_TYPE type)
{
    if (channel->mapping.state == MAPPING_RUNNING) { /* HBE-12 */
        end_with(&channel->mapping, status_of(type));
    }
}

static void end_without_callback(struct mapping *mapping)
{
    mapping->state = MAPPING_DONE;
    mapping->end = DmaCancelled;
    if (mapping->completion != NULL) {
        completion_drop(mapping->completion);
        mapping->completion = NULL;
    }
}

bool mapping_stop(struct channel *channel)
{
    struct mapping *mapping = &channel->mapping;
    uint64_t state = irq_save();
    bool stopped = mapping->state == MAPPING_RUNNING && channel_cancel(channel);

    if (stopped) {
        end_without_callback(mapping);
    } else if (mapping->state == MAPPING_RUNNING) {
        controller_take_reports(channel->controller); /* HBE-14: its end is signalled */
        if (mapping->state == MAPPING_RUNNING) {
            end_with(mapping, DmaError); /* idle, and nothing to report: the end was lost */
        }
    }
    irq_restore(state);
    return stopped;
}

/* ---- after the device ---- */

static uint32_t bytes_to_keep(struct channel *channel, uint32_t wanted)
{
    const struct mapping *mapping = &channel->mapping;

    if (mapping->end == DmaComplete || channel->owner->adapter->ignore_count) {
        return wanted;
    }
    uint32_t left = channel_bytes_left(channel);
    uint32_t moved = left < mapping->length ? mapping->length - left : 0;

    return moved < wanted ? moved : wanted; /* MR-13 */
}

/* The lines that mapping_give_to_device() dropped, which speculation may have filled since; the
 * whole mapping, also when the driver wants less of it (FBX-03). */
static void maintain_after_device(const struct mapping *mapping)
{
    for (uint32_t i = 0; i < mapping->fragment_count; i++) {
        const struct plan_fragment *fragment = &mapping->fragments[i];

        if (!fragment->bounced) {
            cache_invalidate(fragment->virtual_address, fragment->length); /* CCH-03 */
        }
    }
    barrier_sync();
}

static void copy_bounced(const struct mapping *mapping, uint32_t first_register, uint32_t keep)
{
    for (uint32_t i = 0; i < mapping->fragment_count && keep > 0; i++) {
        const struct plan_fragment *fragment = &mapping->fragments[i];
        uint32_t length = fragment->length < keep ? fragment->length : keep;

        if (fragment->bounced) {
            bounce_copy_from_device(fragment, first_register, length);
        }
        keep -= length;
    }
}

void mapping_take_from_device(struct channel *channel, uint32_t wanted)
{
    const struct mapping *mapping = &channel->mapping;
    uint32_t keep = mapping->write ? 0 : bytes_to_keep(channel, wanted);

    channel_flush(channel); /* FBX-09 */
    barrier_sync();         /* CCH-09 */
    if (!mapping->write && needs_maintenance(channel)) {
        maintain_after_device(mapping);
    }
    copy_bounced(mapping, channel->owner->first_register, keep);
}

void mapping_forget(struct channel *channel)
{
    channel->mapping.state = MAPPING_NONE;
    trace_unmapped(channel->owner->handle);
}

void mapping_abandon(struct channel *channel)
{
    (void)mapping_stop(channel);
    channel_flush(channel);
    mapping_forget(channel);
}
