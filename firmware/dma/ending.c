/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a mapping runs and ends: started, reported by the controller, stopped, given back to the CPU or
 * abandoned.
 */
#include "dma/mapping.h"

#include "hal/irq.h"

static struct channel *channel_of(const struct mapping *mapping)
{
    return mapping->request->adapter->channel;
}

static bool is_transfer(const struct mapping *mapping)
{
    return !mapping->request->adapter->master;
}

bool mapping_give_to_device(struct mapping *mapping)
{
    if (!mapping_is_chain_unchanged(mapping)) {
        violation_report(VIOLATION_CHAIN_CHANGED, (uintptr_t)mapping->range.chain, 0);
        return false;
    }
    mapping->shared_sum = shared_sum(mapping);
    handover_to_device(mapping);
    mapping->state = MAPPING_RUNNING;
    if (is_transfer(mapping)) {
        channel_of(mapping)->mapping = mapping;
    }
    return true;
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
    struct mapping *mapping = channel->mapping;

    if (mapping != NULL && mapping->state == MAPPING_RUNNING) { /* HBE-12 */
        end_with(mapping, status_of(type));
    }
}

static void end_without_callback(struct mapping *mapping)
{
    mapping->state = MAPPING_STOPPED;
    mapping->end = DmaCancelled;
    if (mapping->completion != NULL) {
        completion_drop(mapping->completion);
        mapping->completion = NULL;
    }
}

bool mapping_stop(struct mapping *mapping)
{
    if (!is_transfer(mapping)) {
        return false; /* FBX-21: the driver has stopped its device */
    }
    uint64_t state = irq_save();
    bool stopped = mapping->state == MAPPING_RUNNING && channel_cancel(channel_of(mapping));

    if (stopped) {
        end_without_callback(mapping);
    } else if (mapping->state == MAPPING_RUNNING) {
        controller_take_reports(channel_of(mapping)->controller); /* HBE-14: its end is signalled */
        if (mapping->state == MAPPING_RUNNING) {
            end_with(mapping, DmaError); /* idle, and nothing to report: the end was lost */
        }
    }
    irq_restore(state);
    return stopped;
}

/* ---- after it ---- */

/* Make the channel programmable again. */
static void leave_channel(struct mapping *mapping)
{
    if (is_transfer(mapping)) {
        channel_flush(channel_of(mapping)); /* FBX-09 */
        channel_of(mapping)->mapping = NULL;
    }
}

static void forget(struct mapping *mapping)
{
    const void *handle = mapping->request->handle;

    mapping_release(mapping);
    trace_unmapped(handle);
}

/* MR-13 */
static uint32_t bytes_to_keep(const struct mapping *mapping, uint32_t wanted)
{
    if (!is_transfer(mapping) || mapping->end == DmaComplete || mapping->request->adapter->ignore_count) {
        return wanted;
    }
    uint32_t left = channel_bytes_left(channel_of(mapping));
    uint32_t moved = left < mapping->length ? mapping->length - left : 0;

    return moved < wanted ? moved : wanted;
}

void mapping_take_from_device(struct mapping *mapping, uint32_t wanted)
{
    uint32_t keep = mapping->write ? 0 : bytes_to_keep(mapping, wanted);

    leave_channel(mapping);
    if (!mapping_is_chain_unchanged(mapping)) {
        violation_report(VIOLATION_CHAIN_CHANGED, (uintptr_t)mapping->range.chain, 1);
    } else {
        handover_from_device(mapping, keep);
    }
    forget(mapping);
}

void mapping_abandon(struct mapping *mapping)
{
    if (mapping->state == MAPPING_PLANNED) {
        mapping_release(mapping);
        return;
    }
    (void)mapping_stop(mapping);
    leave_channel(mapping);
    forget(mapping);
}
