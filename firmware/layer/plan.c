/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/plan.h"

#define FOUR_GIB (UINT64_C(1) << 32)

static uint32_t smaller(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

static uint32_t round_down(uint32_t value, uint32_t unit)
{
    return value - value % unit;
}

uint32_t plan_pages(uintptr_t address, uint32_t length)
{
    return (uint32_t)(((uint64_t)BYTE_OFFSET(address) + length + PAGE_SIZE - 1) / PAGE_SIZE);
}

uint64_t plan_physical(const struct plan_fragment *fragment, uint32_t fragment_offset)
{
    uint64_t from_page = (uint64_t)BYTE_OFFSET(fragment->virtual_address) + fragment_offset;

    return ((uint64_t)fragment->pages[from_page / PAGE_SIZE] << PAGE_SHIFT) + from_page % PAGE_SIZE;
}

/* ---- where the walk stands ---- */

static uintptr_t position_address(const struct plan *plan)
{
    return (uintptr_t)plan->mdl->StartVa + plan->mdl->ByteOffset + plan->mdl_offset;
}

static const PFN_NUMBER *position_pages(const struct plan *plan)
{
    const PFN_NUMBER *pages = (const PFN_NUMBER *)(const void *)(plan->mdl + 1);

    return pages + ((uint64_t)plan->mdl->ByteOffset + plan->mdl_offset) / PAGE_SIZE;
}

/* Step over MDLs that hold no byte of the rest of the range (MTX-19, MTX-53). */
static void enter_span(struct plan *plan)
{
    while (plan->mdl_offset >= plan->mdl->ByteCount) {
        plan->mdl = plan->mdl->Next;
        plan->mdl_offset = 0;
    }
    plan->span_left = smaller(plan->mdl->ByteCount - plan->mdl_offset, plan->range.length - plan->mapped);
}

static bool is_uncached(const struct plan *plan)
{
    return (plan->mdl->MdlFlags & MDL_IO_SPACE) != 0;
}

/* Bytes of a cache line at the position, or 0 where lines do not matter. */
static uint32_t line_of(const struct plan *plan)
{
    return is_uncached(plan) ? 0 : plan->range.line;
}

static void advance(struct plan *plan, uint32_t length)
{
    plan->mapped += length;
    plan->mdl_offset += length;
    plan->span_left -= length;
}

/* ---- what could come next ---- */

static bool is_reachable(const struct plan *plan, PFN_NUMBER page)
{
    uint32_t bits = plan->range.address_bits;

    return bits >= 64 || ((uint64_t)page << PAGE_SHIFT) >> bits == 0;
}

/* Memory that is bounced anyway may lie anywhere: its registers are consecutive. */
static bool continues_run(const struct plan *plan, const PFN_NUMBER *page)
{
    bool reachable = is_reachable(plan, page[0]);

    if (reachable != is_reachable(plan, page[-1])) {
        return false;
    }
    return !reachable || (page[0] == page[-1] + 1 && ((uint64_t)page[0] << PAGE_SHIFT) % FOUR_GIB != 0);
}

/* Bytes of the run that starts at the position. */
static uint32_t run_length(const struct plan *plan)
{
    const PFN_NUMBER *pages = position_pages(plan);
    uint32_t length = PAGE_SIZE - BYTE_OFFSET(position_address(plan));

    for (uint32_t i = 1; length < plan->span_left && continues_run(plan, &pages[i]); i++) {
        length += PAGE_SIZE;
    }
    return smaller(length, plan->span_left);
}

static uint32_t byte_allowance(const struct plan *plan)
{
    return plan->range.byte_limit == 0 ? UINT32_MAX : plan->range.byte_limit - plan->mapped;
}

/* How much of a run the device may access itself; 0: none. */
static uint32_t direct_length(const struct plan *plan, uint32_t run)
{
    uint32_t granule = line_of(plan) != 0 ? line_of(plan) : plan->range.unit;

    if (!is_reachable(plan, *position_pages(plan))) {
        return 0;
    }
    if (line_of(plan) != 0 && position_address(plan) % line_of(plan) != 0) {
        return 0; /* CCH-12: the line before is shared */
    }
    return round_down(smaller(run, byte_allowance(plan)), granule);
}

/* How much has to be bounced where nothing is direct. */
static uint32_t bounce_wanted(const struct plan *plan, uint32_t run)
{
    uint32_t unit = plan->range.unit;
    uint32_t line = line_of(plan);
    uint32_t past_line = (uint32_t)(line != 0 ? position_address(plan) % line : 0);
    uint64_t whole_units = ((uint64_t)run + unit - 1) / unit * unit;

    if (past_line % unit != 0) {
        return plan->span_left;
    }
    if (is_reachable(plan, *position_pages(plan)) && past_line != 0 &&
        run - smaller(run, line - past_line) >= line) {
        return line - past_line; /* the head; whole lines follow */
    }
    return smaller(whole_units, plan->span_left);
}

/* How many bytes from the position the registers left can hold (MR-16). */
static uint32_t register_reach(const struct plan *plan)
{
    uint32_t left = plan->range.registers - plan->registers_used;

    return left == 0 ? 0
                     : smaller((uint64_t)left * PAGE_SIZE - BYTE_OFFSET(position_address(plan)), UINT32_MAX);
}

static enum plan_end why_nothing_bounced(const struct plan *plan, uint32_t run, uint32_t wanted, uint32_t reach)
{
    if (wanted != 0 && reach != 0) {
        return PLAN_BYTE_LIMIT;
    }
    return wanted == 0 || (run < plan->range.unit && line_of(plan) == 0) ? PLAN_ODD_PIECE : PLAN_NO_REGISTERS;
}

/* Bytes to bounce at the position. 0: nothing can be bounced, and `end` says why. */
static uint32_t bounce_length(struct plan *plan, uint32_t run)
{
    uint32_t unit = plan->range.unit;
    uint32_t wanted = round_down(bounce_wanted(plan, run), unit);
    uint32_t reach = round_down(register_reach(plan), unit);
    uint32_t length = round_down(smaller(smaller(wanted, reach), byte_allowance(plan)), unit);

    if (length == 0) {
        plan->end = why_nothing_bounced(plan, run, wanted, reach);
    }
    return length;
}

/* How much the device may access itself if the partial lines at the ends of the span are shared (CCH-12 b). An
 * end inside the span is at a whole line. */
static uint32_t shared_length(const struct plan *plan, uint32_t run)
{
    uint32_t length = smaller(run, byte_allowance(plan));
    uintptr_t address = position_address(plan);

    if (line_of(plan) == 0 || !is_reachable(plan, *position_pages(plan))) {
        return 0;
    }
    if (length < plan->span_left) {
        uint32_t past = (uint32_t)((address + length) % line_of(plan));

        length -= past < length ? past : length;
    }
    return length % plan->range.unit == 0 ? length : 0;
}

/* ---- one step ---- */

static void take_fragment(struct plan *plan, struct plan_fragment *fragment, uint32_t length, bool bounced)
{
    *fragment = (struct plan_fragment){
        .bounced = bounced,
        .uncached = is_uncached(plan),
        .length = length,
        .virtual_address = position_address(plan),
        .pages = position_pages(plan),
    };
    plan->end = PLAN_COMPLETE;
    advance(plan, length);
}

static void take_direct(struct plan *plan, struct plan_fragment *fragment, uint32_t length)
{
    uint64_t expected = plan->next_direct;

    take_fragment(plan, fragment, length, false);
    fragment->continues = expected != 0 && plan_physical(fragment, 0) == expected;
    plan->next_direct = plan->span_left != 0 ? plan_physical(fragment, length - 1) + 1 : 0;
    if (plan->next_direct % FOUR_GIB == 0) {
        plan->next_direct = 0;
    }
}

static void take_bounced(struct plan *plan, struct plan_fragment *fragment, uint32_t length)
{
    uint32_t page_offset = BYTE_OFFSET(position_address(plan));

    take_fragment(plan, fragment, length, true);
    fragment->bounce_offset = (plan->range.first_register + plan->registers_used) * PAGE_SIZE + page_offset;
    plan->registers_used += plan_pages(fragment->virtual_address, length);
    plan->next_direct = 0;
}

/* ---- a device that takes one element ---- */

/* Choose the longer of what is contiguous and what the registers gather (MTX-27). No line is shared as long as
 * there are registers. */
static void choose_one_element(struct plan *plan)
{
    uint32_t run = run_length(plan);
    uint32_t direct = direct_length(plan, run);
    uint32_t gathered = smaller(register_reach(plan), byte_allowance(plan));

    gathered = round_down(smaller(gathered, plan->range.length), plan->range.unit);
    plan->gathers = direct < plan->range.length && gathered > direct;
    plan->one_length = plan->gathers ? gathered : direct;
    if (gathered == 0) {
        uint32_t shared = shared_length(plan, run);

        plan->one_length = shared > direct ? shared : direct;
    }
    plan->registers_used = plan->gathers ? plan_pages(position_address(plan), gathered) : 0;
}

/* Place a fragment directly behind the one before it, wherever in its page it lies (MR-09). */
static void take_gathered(struct plan *plan, struct plan_fragment *fragment)
{
    uint32_t done = plan->mapped;

    if (done == 0) {
        plan->gather_start = plan->range.first_register * PAGE_SIZE + BYTE_OFFSET(position_address(plan));
    }
    take_fragment(plan, fragment, smaller(plan->span_left, plan->one_length - done), true);
    fragment->bounce_offset = plan->gather_start + done;
    fragment->continues = done != 0;
}

static bool one_element_next(struct plan *plan, struct plan_fragment *fragment)
{
    if (plan->mapped == plan->one_length) {
        plan->end = PLAN_NO_REGISTERS;
        return false;
    }
    if (plan->gathers) {
        take_gathered(plan, fragment);
    } else {
        take_direct(plan, fragment, plan->one_length);
    }
    return true;
}

/* ---- the walk ---- */

void plan_begin(struct plan *plan, const struct plan_range *range)
{
    uint64_t left = range->chain_offset;

    *plan = (struct plan){.range = *range, .mdl = range->chain, .end = PLAN_COMPLETE};
    while (left >= plan->mdl->ByteCount) {
        left -= plan->mdl->ByteCount;
        plan->mdl = plan->mdl->Next;
    }
    plan->mdl_offset = (uint32_t)left;
    if (range->one_element) {
        enter_span(plan);
        choose_one_element(plan);
    }
}

uint32_t plan_pages_of_range(const struct plan_range *range)
{
    uint32_t pages = 0;
    struct plan plan;

    plan_begin(&plan, range);
    while (plan.mapped < range->length) {
        enter_span(&plan);
        pages += plan_pages(position_address(&plan), plan.span_left);
        advance(&plan, plan.span_left);
    }
    return pages;
}

static bool scatter_next(struct plan *plan, struct plan_fragment *fragment)
{
    uint32_t run = run_length(plan);
    uint32_t direct = direct_length(plan, run);
    uint32_t bounced = direct != 0 ? 0 : bounce_length(plan, run);

    if (bounced != 0) {
        take_bounced(plan, fragment, bounced);
        return true;
    }
    if (direct == 0 && plan->end == PLAN_NO_REGISTERS) {
        direct = shared_length(plan, run);
    }
    if (direct != 0) {
        take_direct(plan, fragment, direct);
    }
    return direct != 0;
}

bool plan_next(struct plan *plan, struct plan_fragment *fragment)
{
    if (plan->end != PLAN_COMPLETE || plan->mapped == plan->range.length) {
        return false;
    }
    enter_span(plan);
    return plan->range.one_element ? one_element_next(plan, fragment) : scatter_next(plan, fragment);
}
