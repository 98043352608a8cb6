/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/running.h"

#include <dma.h>

#include "hal/irq_mask.h"
#include "hal/oplog.h"
#include "layer/completion.h"
#include "layer/controller.h"
#include "layer/device_side.h"
#include "layer/irql.h"
#include "layer/maintenance.h"
#include "layer/mapping.h"
#include "layer/overlap.h"
#include "layer/shared_line.h"
#include "layer/violation.h"

/* A back end whose HandleInterrupt never returns FALSE must not hang the machine. The line is level, so the
 * reports that are left bring the handler back. */
enum { REPORTS_PER_INTERRUPT_MAX = 4 * DMA_CONTROLLER_CHANNELS_MAX };

/* The list that the controller gets; valid during ProgramChannel only (HBE-09). */
static union {
    SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + DMA_FRAGMENTS_MAX * sizeof(SCATTER_GATHER_ELEMENT)];
} program;

static struct channel *channel_of(const struct mapping *mapping)
{
    return mapping->request->adapter->channel;
}

static bool is_transfer(const struct mapping *mapping)
{
    return !mapping->request->adapter->master;
}

/* ---- the start ---- */

/* Report what may work by luck. */
static void report_doubts(const struct mapping *mapping)
{
    const struct adapter *adapter = mapping->request->adapter;

    mapping_report_overlaps(mapping);
    shared_line_report(mapping);
    if (adapter->looped && !adapter->coherent && mapping_is_cached(mapping)) {
        violation_report(VIOLATION_LOOP_CACHED, (uintptr_t)mapping->request->handle, 0); /* CCH-20 */
    }
}

bool mapping_give_to_device(struct mapping *mapping)
{
    if (!mapping_is_chain_unchanged(mapping)) {
        violation_report(VIOLATION_CHAIN_CHANGED, (uintptr_t)mapping->range.chain, 0);
        return false;
    }
    if (violations_are_enabled()) {
        report_doubts(mapping);
    }
    mapping->neighbours_sum = shared_line_sum(mapping);
    mapping->has_guards = violations_are_enabled() && !mapping->write;
    maintenance_before_device(mapping);
    mapping->state = MAPPING_RUNNING;
    if (is_transfer(mapping)) {
        channel_of(mapping)->mapping = mapping;
    }
    return true;
}

void mapping_start(const struct mapping *mapping, uint32_t device_offset)
{
    PHYSICAL_ADDRESS device = mapping->request->adapter->device_address;

    device.QuadPart += device_offset; /* MTX-33 */
    device_side_report(mapping, (uint64_t)device.QuadPart);
    mapping_write_list(mapping, &program.list);
    channel_program(mapping, &program.list, device);
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
    mapping->state = status == DmaCancelled ? MAPPING_STOPPED : MAPPING_DONE;
    mapping->end = status;
    if (mapping->completion != NULL) {
        completion_deliver(mapping->completion, status);
        mapping->completion = NULL;
    }
}

static void end_silently(struct mapping *mapping)
{
    mapping->state = MAPPING_STOPPED;
    if (mapping->completion != NULL) {
        completion_drop(mapping->completion);
        mapping->completion = NULL;
    }
}

/* End the mapping as the controller reports. A completion report of a loop is only a notice, and the loop goes
 * on; an error ends it (HBE-21). */
static void obey_report(struct mapping *mapping, DMA_COMPLETION_STATUS status)
{
    bool looped = mapping->request->adapter->looped;

    if (looped && status == DmaComplete) {
        if (mapping->completion != NULL) {
            completion_notice(mapping->completion);
        }
    } else if (looped && status == DmaCancelled && mapping->flushing) {
        end_silently(mapping); /* FBX-16 */
    } else {
        end_with(mapping, status);
    }
}

static void report(const struct channel *channel, DMA_INTERRUPT_TYPE type)
{
    struct mapping *mapping = channel != NULL ? channel->mapping : NULL;

    if (mapping != NULL && mapping->state == MAPPING_RUNNING) { /* HBE-12 */
        obey_report(mapping, status_of(type));
    }
}

/* Take every report that the controller has now. */
static void take_reports(struct controller *controller)
{
    uint64_t state = irq_save();
    struct channel *channel;
    DMA_INTERRUPT_TYPE type;

    for (int i = 0; i < REPORTS_PER_INTERRUPT_MAX && controller_next_report(controller, &channel, &type); i++) {
        report(channel, type);
    }
    irq_restore(state);
}

void running_handle_interrupt(void *controller)
{
    KIRQL interrupted = irql_enter_interrupt();

    take_reports(controller);
    irql_leave_interrupt(interrupted);
}

/* ---- stopping ---- */

/* The controller did not stop a transfer, so a report of its end is due: take it (HBE-14). */
static void take_late_reports(struct mapping *mapping)
{
    take_reports(channel_of(mapping)->controller);
    if (mapping->state == MAPPING_RUNNING && !mapping->request->adapter->looped) {
        end_with(mapping, DmaError); /* idle, and nothing to report: the end was lost */
    }
}

/* Stop the mapping's transfer. True: it was cut short, and the caller decides whether the driver is told. */
static bool cut_short(struct mapping *mapping)
{
    if (mapping->state != MAPPING_RUNNING) {
        return false;
    }
    if (channel_cancel(channel_of(mapping))) {
        return true;
    }
    take_late_reports(mapping);
    return mapping->state == MAPPING_RUNNING; /* a loop, of which only notices were reported */
}

void mapping_cancel(struct mapping *mapping)
{
    uint64_t state = irq_save();

    if (cut_short(mapping)) {
        end_with(mapping, DmaCancelled); /* CMT-04 */
    }
    irq_restore(state);
}

bool mapping_stop(struct mapping *mapping)
{
    if (!is_transfer(mapping)) {
        return false; /* FBX-21: the driver has stopped its device */
    }
    uint64_t state = irq_save();

    mapping->flushing = true;
    bool stopped = cut_short(mapping);

    if (stopped) {
        end_silently(mapping);
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

static void forget(struct mapping *mapping, bool flushed)
{
    const void *handle = mapping->request->handle;

    mapping_release(mapping);
    oplog_unmapped(handle, mapping, flushed);
}

uint32_t mapping_bytes_left(const struct mapping *mapping)
{
    const struct channel *channel = channel_of(mapping);

    if (!channel_has_counter(channel) || (mapping->state == MAPPING_DONE && mapping->end == DmaComplete)) {
        return 0; /* RDC-05, RDC-09 */
    }
    return channel_bytes_left(channel_of(mapping));
}

/* How many bytes of bounced data may be delivered: what the device has moved, if that is known (MR-13). */
static uint32_t bytes_to_keep(const struct mapping *mapping, uint32_t wanted)
{
    if (!is_transfer(mapping) || mapping->request->adapter->ignore_count) {
        return wanted;
    }
    uint32_t left = mapping_bytes_left(mapping);
    uint32_t moved = left < mapping->length ? mapping->length - left : 0;

    return moved < wanted ? moved : wanted;
}

/* A transfer that completed has moved the whole mapping (RDC-05); how far any other came is not known. */
static void report_short_flush(const struct mapping *mapping, uint32_t wanted)
{
    bool completed = is_transfer(mapping) && mapping->state == MAPPING_DONE && mapping->end == DmaComplete;

    if (completed && !mapping->request->adapter->ignore_count && wanted < mapping->length) {
        violation_report(VIOLATION_FLUSH_TOO_SHORT, wanted, mapping->length); /* FBX-03 */
    }
}

void mapping_take_from_device(struct mapping *mapping, uint32_t wanted)
{
    uint32_t keep = mapping->write ? 0 : bytes_to_keep(mapping, wanted);

    report_short_flush(mapping, wanted);
    leave_channel(mapping);
    if (!mapping_is_chain_unchanged(mapping)) {
        violation_report(VIOLATION_CHAIN_CHANGED, (uintptr_t)mapping->range.chain, 1);
    } else {
        maintenance_after_device(mapping, wanted, keep);
    }
    forget(mapping, true);
}

void mapping_abandon(struct mapping *mapping)
{
    if (mapping->state == MAPPING_PLANNED) {
        mapping_release(mapping);
        return;
    }
    (void)mapping_stop(mapping);
    leave_channel(mapping);
    forget(mapping, false);
}
