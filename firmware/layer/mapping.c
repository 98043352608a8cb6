/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/mapping.h"

#include "hal/memory.h"
#include "layer/adapter.h"
#include "layer/bounce.h"
#include "layer/map_registers.h"
#include "layer/mdl.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"

enum { MAPPINGS_MAX = 8000 };

static struct mapping mappings[MAPPINGS_MAX] MEMORY_TABLE;
static size_t mappings_used; /* of them, the first were in use at some time */
static struct mapping *free_mappings;
static struct mapping *live_mappings;

void mappings_initialize(void)
{
    mappings_used = 0;
    free_mappings = NULL;
    live_mappings = NULL;
}

const struct mapping *mapping_first(void)
{
    return live_mappings;
}

static void leave_live(const struct mapping *mapping)
{
    struct mapping **link = &live_mappings;

    while (*link != mapping) {
        link = &(*link)->next_live;
    }
    *link = mapping->next_live;
}

void mapping_release(struct mapping *mapping)
{
    struct mapping **link = &mapping->request->mappings;

    while (*link != mapping) {
        link = &(*link)->next;
    }
    *link = mapping->next;
    leave_live(mapping);
    mapping->request = NULL;
    mapping->next = free_mappings;
    free_mappings = mapping;
}

/* ---- the plan ---- */

NTSTATUS mapping_check_range(const struct mapping_range *range)
{
    enum mdl_range found = mdl_check_range(range->chain, range->chain_offset, range->length);

    if (found == MDL_RANGE_STARTS_AFTER) {
        violation_report(VIOLATION_OUTSIDE_MDL, VIOLATION_MDL_AFTER, range->chain_offset); /* MTX-01 */
    } else if (found == MDL_RANGE_TOO_LONG) {
        violation_report(VIOLATION_LENGTH, range->chain_offset, range->length); /* MTX-02 */
    } else if (found == MDL_RANGE_NOT_LOCKED) {
        violation_report(VIOLATION_NOT_LOCKED, (uintptr_t)range->chain, VIOLATION_NOT_BUILT); /* MDL-08 */
    } else if (found == MDL_RANGE_NOT_AN_MDL) {
        (void)refuse(STATUS_INVALID_PARAMETER, "{0:#x}, or what its chain goes on with, is no MDL",
                     (uintptr_t)range->chain, 0);
    }
    return found == MDL_RANGE_INSIDE ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* Is there memory where the MDLs of the range say that the CPU has it? */
static bool is_memory_there(const struct mapping_range *range)
{
    uint64_t end = range->chain_offset + range->length;
    uint64_t total = 0;

    for (const MDL *mdl = range->chain; total < end; mdl = mdl->Next) {
        uintptr_t start = (uintptr_t)mdl->StartVa + mdl->ByteOffset;

        total += mdl->ByteCount;
        if (total > range->chain_offset && !memory_is_ram(start, mdl->ByteCount)) {
            return false;
        }
    }
    return true;
}

NTSTATUS mapping_check_memory(const struct mapping_range *range)
{
    if (is_memory_there(range)) {
        return STATUS_SUCCESS;
    }
    violation_report(VIOLATION_NOT_LOCKED, (uintptr_t)range->chain, VIOLATION_NO_MEMORY); /* MDL-08 */
    return STATUS_INVALID_PARAMETER;
}

static void add_word(uint64_t *sum, uint64_t word)
{
    *sum = (*sum ^ word) * UINT64_C(0x100000001B3); /* FNV-1a, by words */
}

/* A checksum of everything that the plan reads of the chain (GEN-12). */
static uint64_t sum_chain(const struct plan_range *range)
{
    uint64_t end = range->chain_offset + range->length;
    uint64_t sum = 0;
    uint64_t total = 0;

    for (const MDL *mdl = range->chain; total < end; mdl = mdl->Next) {
        const PFN_NUMBER *pages = (const PFN_NUMBER *)(const void *)(mdl + 1);
        uint32_t count = plan_pages(mdl->ByteOffset, mdl->ByteCount);

        add_word(&sum, (uintptr_t)mdl->StartVa | (mdl->MdlFlags & MDL_IO_SPACE ? 1 : 0));
        add_word(&sum, (uint64_t)mdl->ByteCount << 32 | mdl->ByteOffset);
        for (uint32_t i = 0; i < count; i++) {
            add_word(&sum, pages[i]);
        }
        total += mdl->ByteCount;
    }
    return sum;
}

bool mapping_is_chain_unchanged(const struct mapping *mapping)
{
    const struct plan_range *range = &mapping->range;

    return mdl_check_range(range->chain, range->chain_offset, range->length) == MDL_RANGE_INSIDE &&
           sum_chain(range) == mapping->chain_sum;
}

/* How many map registers the plan may use: those of the request, if the device reaches their pages at all
 * (BMT-16). A loop must not use any; it is planned with plenty, so that the plan shows where it would (MTX-43).
 */
static uint32_t usable_registers(const struct request *request)
{
    if (request->adapter->looped) {
        return PLAN_REGISTERS_MAX;
    }
    return map_registers_reach(request->adapter->address_bits) ? request->register_count : 0;
}

/* How many registers the earlier mappings of the request use (MPT-06). */
static uint32_t registers_used(const struct request *request)
{
    uint32_t used = 0;

    for (const struct mapping *mapping = request->mappings; mapping != NULL; mapping = mapping->next) {
        used += mapping->registers;
    }
    return used;
}

static struct plan_range plan_range_of(const struct request *request, const struct mapping_range *range)
{
    const struct adapter *adapter = request->adapter;
    uint32_t used = registers_used(request);
    uint32_t usable = usable_registers(request);

    return (struct plan_range){
        .chain = range->chain,
        .chain_offset = range->chain_offset,
        .length = range->length,
        .unit = adapter->unit,
        .line = adapter_line(adapter, range->write),
        .address_bits = adapter->address_bits,
        .first_register = used,
        .registers = usable > used ? usable - used : 0,
        .byte_limit = adapter->byte_limit,
        .one_element = adapter->one_element,
    };
}

/* Walk the plan and note how far it comes in at most `capacity` elements. */
static enum plan_end measure(struct mapping *mapping, uint32_t capacity)
{
    struct plan_fragment fragment;
    struct plan plan;

    plan_begin(&plan, &mapping->range);
    while (plan_next(&plan, &fragment)) {
        if (!fragment.continues && mapping->elements == capacity) {
            break;
        }
        if (fragment.bounced && mapping->request->adapter->looped) {
            mapping->length = 0;
            return PLAN_NO_REGISTERS;
        }
        mapping->elements += fragment.continues ? 0 : 1;
        mapping->length += fragment.length;
        mapping->registers = plan.registers_used;
    }
    return plan.end;
}

static NTSTATUS status_of_plan(const struct mapping *mapping, const struct mapping_range *range,
                               enum plan_end end)
{
    if (mapping->length == 0) {
        return end == PLAN_ODD_PIECE /* MTX-38, MTX-25 */
                   ? refuse(STATUS_INVALID_PARAMETER,
                            "the first piece of memory is less than the device's {0} bytes",
                            mapping->request->adapter->unit, 0)
                   : refuse(STATUS_INSUFFICIENT_RESOURCES,
                            "the request's {0} map registers are too few, and the memory cannot be reached "
                            "without",
                            mapping->request->register_count, 0);
    }
    bool is_untouched = mapping->registers == 0 && mapping->request->adapter->coherent;

    return is_untouched ? STATUS_SUCCESS : mapping_check_memory(range); /* MDL-07 */
}

static struct mapping *take_free(void)
{
    struct mapping *mapping = free_mappings;

    if (mapping != NULL) {
        free_mappings = mapping->next;
    } else if (mappings_used < MAPPINGS_MAX) {
        mapping = &mappings[mappings_used++];
    }
    return mapping;
}

static struct mapping *take(struct request *request, const struct mapping_range *range)
{
    struct mapping *new = take_free();

    if (new != NULL) {
        *new = (struct mapping){
            .state = MAPPING_PLANNED,
            .request = request,
            .next = request->mappings,
            .next_live = live_mappings,
            .range = plan_range_of(request, range),
            .write = range->write,
            .maker = routine_now(),
        };
        request->mappings = new;
        live_mappings = new;
    }
    return new;
}

NTSTATUS mapping_plan(struct request *request, const struct mapping_range *range, uint32_t capacity,
                      struct mapping **mapping)
{
    struct mapping *new = take(request, range);

    if (new == NULL) {
        return refuse(STATUS_INSUFFICIENT_RESOURCES, "{0} mappings live, which is the most: flush one before",
                      MAPPINGS_MAX, 0);
    }
    enum plan_end end = measure(new, capacity);
    NTSTATUS status = status_of_plan(new, range, end);

    if (!NT_SUCCESS(status)) {
        mapping_release(new);
        return status;
    }
    new->chain_sum = sum_chain(&new->range);
    *mapping = new;
    return STATUS_SUCCESS;
}

/* ---- its fragments ---- */

struct mapping_walk mapping_walk_of(const struct mapping *mapping)
{
    struct mapping_walk walk = {.left = mapping->length};

    plan_begin(&walk.plan, &mapping->range);
    return walk;
}

bool mapping_walk_next(struct mapping_walk *walk, struct plan_fragment *fragment)
{
    if (walk->left == 0 || !plan_next(&walk->plan, fragment)) {
        return false;
    }
    walk->left -= fragment->length;
    return true;
}

static uint64_t logical_address(const struct mapping *mapping, const struct plan_fragment *fragment)
{
    /* MTX-30 */
    return fragment->bounced ? bounce_logical(fragment, mapping->request->first_register)
                             : plan_physical(fragment, 0);
}

uint64_t mapping_first_address(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    return mapping_walk_next(&walk, &fragment) ? logical_address(mapping, &fragment) : 0;
}

void mapping_write_list(const struct mapping *mapping, PSCATTER_GATHER_LIST list)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;
    uint32_t count = 0;

    while (mapping_walk_next(&walk, &fragment)) {
        if (fragment.continues) {
            list->Elements[count - 1].Length += fragment.length;
        } else {
            PHYSICAL_ADDRESS address = {.QuadPart = (LONGLONG)logical_address(mapping, &fragment)};

            list->Elements[count++] = (SCATTER_GATHER_ELEMENT){.Address = address, .Length = fragment.length};
        }
    }
    list->NumberOfElements = count;
    list->Reserved = 0;
}

bool mapping_is_cached(const struct mapping *mapping)
{
    struct mapping_walk walk = mapping_walk_of(mapping);
    struct plan_fragment fragment;

    while (mapping_walk_next(&walk, &fragment)) {
        if (!fragment.uncached) {
            return true;
        }
    }
    return false;
}
