/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pool. A block of the heap holds a header, guard bytes, the driver's bytes, and guard bytes again. A block
 * that is given back is filled with a pattern and waits with others, so that a store to it is found when it is
 * used again; when the heap is short, they are given back at once.
 */
#include "nt/pool.h"

#include <string.h>

#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { GUARD = 32, WAITING_MAX = 32, LARGE = 64 };
enum fill { FILL_GUARD = 0xB5, FILL_NEW = 0xC7, FILL_FREED = 0xD9 };

#define LIVES ((uintptr_t)0x4C4F4F50)
#define FREED ((uintptr_t)0x44454552)

/* In front of the driver's bytes. */
struct block {
    LIST_ENTRY entry; /* in `live` or `waiting` */
    uintptr_t state;  /* LIVES or FREED, with the address of the block */
    void *memory;     /* of the heap */
    size_t size;
    uintptr_t caller;
    uint32_t command;
    uint32_t tag;
    enum oplog_id maker;
    uint32_t paged;
    uint8_t guard[GUARD]; /* last: they end where the driver's bytes begin */
};
_Static_assert(sizeof(struct block) == offsetof(struct block, guard) + GUARD && sizeof(struct block) % 16 == 0,
               "what follows the guard bytes is aligned to 16 bytes");

static LIST_ENTRY live = {&live, &live}, waiting = {&waiting, &waiting};
static size_t waiting_count;

static uint8_t *bytes_of(struct block *block)
{
    return (uint8_t *)(block + 1);
}

static struct block *block_of(PVOID bytes)
{
    return (struct block *)bytes - 1;
}

/* ---- guards ---- */

/* The first byte that is not `fill`; NULL: they all are. */
static const uint8_t *find_other(const uint8_t *bytes, size_t size, enum fill fill)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != fill) {
            return bytes + i;
        }
    }
    return NULL;
}

static const uint8_t *find_damage(struct block *block)
{
    const uint8_t *before = find_other(block->guard, GUARD, FILL_GUARD);

    return before != NULL ? before : find_other(bytes_of(block) + block->size, GUARD, FILL_GUARD);
}

/* ---- blocks that wait ---- */

/* Report, as of the call that gave the block back, that its bytes have been written since. */
static void release(struct block *block)
{
    const uint8_t *written = find_other(bytes_of(block), block->size, FILL_FREED);

    if (written != NULL) {
        violation_report_in(block->maker, block->caller, VIOLATION_POOL_WRITTEN, (uintptr_t)bytes_of(block),
                            (uintptr_t)written - (uintptr_t)bytes_of(block));
    }
    RemoveEntryList(&block->entry);
    waiting_count--;
    memory_release(block->memory);
}

static void release_first(void)
{
    release(CONTAINING_RECORD(waiting.Flink, struct block, entry));
}

/* ---- those that live ---- */

static void tell_each(dma_tell *tell, void *context)
{
    while (!IsListEmpty(&waiting)) {
        release_first();
    }
    for (PLIST_ENTRY at = live.Flink; at != &live; at = at->Flink) {
        struct block *block = CONTAINING_RECORD(at, struct block, entry);

        const struct dma_live told =
            live_of("pool", (uintptr_t)bytes_of(block),
                    &(struct routine_place){block->maker, block->caller, block->command});

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

/* ---- allocation ---- */

static void *take_memory(size_t size)
{
    void *memory;

    while ((memory = memory_allocate(size)) == NULL && !IsListEmpty(&waiting)) {
        release_first();
    }
    return memory;
}

struct wish {
    enum oplog_id routine;
    uintptr_t caller;
    size_t size;
    uint32_t tag;
    bool paged, zeroed;
};

static void *allocate(const struct wish *wish)
{
    size_t extra = sizeof(struct block) + GUARD + LARGE;
    uint64_t state;

    (void)nt_level(wish->routine, wish->caller, PASSIVE_LEVEL, wish->paged ? APC_LEVEL : DISPATCH_LEVEL);
    if (wish->size == 0 || wish->size > SIZE_MAX - extra || wish->tag == 0) {
        violation_report_in(wish->routine, wish->caller, VIOLATION_POOL_REQUEST, wish->size, wish->tag);
        return NULL;
    }
    live_add(&source);
    state = irq_save();

    uint8_t *memory = take_memory(wish->size + extra);

    if (memory != NULL) {
        struct block *block = block_of((PVOID)ALIGN_UP_BY(memory + sizeof(struct block), LARGE));

        *block = (struct block){.state = LIVES ^ (uintptr_t)block,
                                .memory = memory,
                                .size = wish->size,
                                .caller = wish->caller,
                                .command = origin_now(),
                                .tag = wish->tag,
                                .maker = wish->routine,
                                .paged = wish->paged};
        memset(block->guard, FILL_GUARD, GUARD);
        memset(bytes_of(block), wish->zeroed ? 0 : FILL_NEW, wish->size);
        memset(bytes_of(block) + wish->size, FILL_GUARD, GUARD);
        InsertTailList(&live, &block->entry);
        memory = bytes_of(block);
    }
    irq_restore(state);
    return memory;
}

void *pool_allocate(enum oplog_id routine, uintptr_t caller, size_t size, uint32_t tag)
{
    return allocate(
        &(struct wish){.routine = routine, .caller = caller, .size = size, .tag = tag, .zeroed = true});
}

PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    POOL_FLAGS kind = Flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED);

    if (kind == 0 || (kind & (kind - 1)) != 0) {
        NT_MISTAKE(ExAllocatePool2, VIOLATION_POOL_REQUEST, NumberOfBytes, 0);
        return NULL;
    }
    return allocate(&(struct wish){.routine = OPLOG_ExAllocatePool2,
                                   .caller = NT_CALLER,
                                   .size = NumberOfBytes,
                                   .tag = Tag,
                                   .paged = kind == POOL_FLAG_PAGED,
                                   .zeroed = (Flags & POOL_FLAG_UNINITIALIZED) == 0});
}

static void *allocate_type(enum oplog_id routine, uintptr_t caller, POOL_TYPE type, SIZE_T size, ULONG tag,
                           bool zeroed)
{
    return allocate(&(struct wish){.routine = routine,
                                   .caller = caller,
                                   .size = size,
                                   .tag = tag,
                                   .paged = (type & PagedPool) != 0,
                                   .zeroed = zeroed});
}

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate_type(OPLOG_ExAllocatePoolWithTag, NT_CALLER, PoolType, NumberOfBytes, Tag, false);
}

PVOID ExAllocatePoolUninitialized(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate_type(OPLOG_ExAllocatePoolUninitialized, NT_CALLER, PoolType, NumberOfBytes, Tag, false);
}

PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate_type(OPLOG_ExAllocatePoolZero, NT_CALLER, PoolType, NumberOfBytes, Tag, true);
}

PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return allocate_type(OPLOG_ExAllocatePool, NT_CALLER, PoolType, NumberOfBytes, 'enoN', false);
}

/* ---- giving back ---- */

/* Is it a block that lives? Else the mistake is reported. */
static bool is_live(enum oplog_id routine, uintptr_t caller, PVOID bytes)
{
    struct block *block = block_of(bytes);
    bool readable =
        bytes != NULL && (uintptr_t)bytes % 16 == 0 && memory_is_ram((uintptr_t)block, sizeof *block);

    if (readable && block->state == (LIVES ^ (uintptr_t)block)) {
        return true;
    }
    violation_report_in(routine, caller,
                        readable && block->state == (FREED ^ (uintptr_t)block) ? VIOLATION_POOL_FREED_TWICE
                                                                               : VIOLATION_POOL_NO_BLOCK,
                        (uintptr_t)bytes, 0);
    return false;
}

static void give_back(enum oplog_id routine, uintptr_t caller, PVOID bytes, ULONG tag)
{
    struct block *block = block_of(bytes);
    uint64_t state = irq_save();

    if (is_live(routine, caller, bytes)) {
        const uint8_t *damage = find_damage(block);

        (void)nt_level(routine, caller, PASSIVE_LEVEL, block->paged ? APC_LEVEL : DISPATCH_LEVEL);
        if (damage != NULL) {
            violation_report_in(block->maker, block->caller, VIOLATION_POOL_GUARD, (uintptr_t)bytes,
                                (uintptr_t)damage);
        }
        if (tag != 0 && tag != block->tag) {
            violation_report_in(routine, caller, VIOLATION_POOL_TAG, tag, block->tag);
        }
        RemoveEntryList(&block->entry);
        InsertTailList(&waiting, &block->entry);
        waiting_count++;
        block->state = FREED ^ (uintptr_t)block;
        block->caller = caller;
        block->maker = routine;
        memset(bytes, FILL_FREED, block->size);
        if (waiting_count > WAITING_MAX) {
            release_first();
        }
    }
    irq_restore(state);
}

void ExFreePool(PVOID P)
{
    give_back(OPLOG_ExFreePool, NT_CALLER, P, 0);
}

void ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    give_back(OPLOG_ExFreePoolWithTag, NT_CALLER, P, Tag);
}
