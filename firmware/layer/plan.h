/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a range of an MDL chain into the fragments of one mapping. Pure: it reads the chain and touches
 * nothing else.
 *
 * Theory of operation. A *span* is the part of the range in one MDL: contiguous for the CPU. A *run*
 * is the largest physically contiguous piece of a span that starts at the present position and
 * does not cross 4 GiB (MTX-22), or all of it that the device cannot reach. Each step yields one fragment,
 * which is either *direct*, the device's own access to the run, or *bounced*, a stretch of the span that goes
 * through consecutive map registers, at the same offset in the page (MR-08):
 *
 *   - a run that the device cannot reach is bounced (MR-07 a);
 *   - where cache lines matter (a read that is not coherent), the partial line at either end of a span
 *     is bounced, so that direct fragments are whole lines (CCH-12 a). Without a register for it the
 *     fragment is direct all the same, and *shares* the line with its neighbour (CCH-12 b);
 *   - memory that is mapped uncached has no lines (MDL_IO_SPACE);
 *   - every fragment is a multiple of the transfer unit (MTX-38). A page break inside a unit bounces
 *     the unit that straddles it. A span of a read whose start is not aligned to the unit has no
 *     place where a line and a unit begin together: it is bounced as a whole.
 *
 * A step takes as much as the registers left and the byte limit allow, so what the steps cover is
 * the longest prefix (MTX-26). The walk ends where nothing more fits; `end` says why.
 *
 * A device that takes one element only (MTX-27) gets either the first run, if nothing of it has to be
 * bounced, or the whole range gathered in consecutive registers, span after span without a gap, at
 * the page offset of its first byte (MR-09): whichever is longer.
 *
 * The same range gives the same fragments each time it is walked, as long as the chain does not change.
 */
#ifndef LAYER_PLAN_H
#define LAYER_PLAN_H

#include <wdm_dma.h>

#include <stdbool.h>

enum plan_end {
    PLAN_COMPLETE,
    PLAN_BYTE_LIMIT,
    PLAN_NO_REGISTERS, /* the next bytes need more map registers than are left */
    PLAN_ODD_PIECE,    /* the next bytes are less than a unit, and no registers join them to the rest */
};

/* More map registers than any range needs. */
enum { PLAN_REGISTERS_MAX = UINT32_MAX / PAGE_SIZE };

struct plan_range {
    const MDL *chain;
    uint64_t chain_offset; /* bytes of the chain before the range, which lies in the chain: mdl_check_range() */
    uint32_t length;
    uint32_t unit;           /* bytes, power of two, at most `line` */
    uint32_t line;           /* bytes of a cache line if partial lines must be bounced, else 0 */
    uint32_t address_bits;   /* that the device has */
    uint32_t first_register; /* the first map register of the request that may be used, */
    uint32_t registers;      /* and how many from there on */
    uint32_t byte_limit;     /* bytes of the mapping, 0: no limit */
    bool one_element;
};

struct plan_fragment {
    bool bounced;
    bool continues; /* it belongs to the element of the fragment before it */
    bool uncached;  /* the caller's memory is uncached and needs no maintenance (ACX-11) */
    uint32_t length;
    uintptr_t virtual_address; /* where the caller's memory is */
    const PFN_NUMBER *pages;   /* the pages of that memory, from the one of the first byte on */
    uint32_t bounce_offset;    /* of a bounced one: bytes from the first register of the request */
};

struct plan {
    struct plan_range range;
    const MDL *mdl;
    uint32_t mdl_offset; /* bytes of `mdl` before the position */
    uint32_t span_left;  /* bytes of the range in `mdl` from the position on */
    uint32_t mapped;     /* bytes of the range before the position */
    uint32_t registers_used;
    uint32_t one_length;   /* one element: its bytes, */
    uint32_t gather_start; /* and where it starts in the registers, */
    bool gathers;          /* if it goes through them */
    uint64_t next_direct;  /* physical address behind a direct fragment of the same span, else 0 */
    enum plan_end end;
};

/* Start a walk at the beginning of the range. */
void plan_begin(struct plan *plan, const struct plan_range *range);

/* The next fragment, in chain order; false when the walk has ended. */
bool plan_next(struct plan *plan, struct plan_fragment *fragment);

/* How many registers the range touches (MR-05). */
uint32_t plan_pages_of_range(const struct plan_range *range);

/* How many registers a piece of memory touches (MR-05). */
uint32_t plan_pages(uintptr_t address, uint32_t length);

/* Physical address of the byte `fragment_offset` of a fragment. */
uint64_t plan_physical(const struct plan_fragment *fragment, uint32_t fragment_offset);

#endif
