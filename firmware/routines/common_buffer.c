/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common buffers: memory that CPU and device use at any time, without map and flush (ACB-02).
 *
 * Whole pages of a reserved stretch, physically contiguous, logical = physical. A device that is not
 * coherent gets device memory whatever was asked for (ACB-06, ACX-04): nothing of it is ever cached,
 * and a misaligned access faults (ACB-14, ACX-05). The bytes behind the buffer in its last page are a
 * guard.
 */
#include "routines/common_buffer.h"

#include "hal/memory.h"
#include "layer/adapter.h"
#include "layer/live.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"
#include "routines/routines.h"

enum { COMMON_BUFFERS_MAX = 256, GUARD = 0xC5 };

struct common_buffer {
    bool live;
    const struct adapter *adapter; /* NULL: it was released before its buffer, which stays (PDA-03) */
    enum memory_kind kind;
    bool cache_wanted; /* as the driver said */
    ULONG length;
    PHYSICAL_ADDRESS logical;
    struct routine_place maker;
    volatile UCHAR *memory; /* volatile: byte by byte, since it may be device memory (BMT-13) */
};

static struct common_buffer buffers[COMMON_BUFFERS_MAX];

void common_buffers_initialize(void)
{
    for (size_t i = 0; i < COMMON_BUFFERS_MAX; i++) {
        buffers[i].live = false;
    }
}

uint32_t common_buffers_live(void)
{
    uint32_t count = 0;

    for (size_t i = 0; i < COMMON_BUFFERS_MAX; i++) {
        count += buffers[i].live ? 1 : 0;
    }
    return count;
}

void common_buffers_each_live(dma_tell *tell, void *context)
{
    for (size_t i = 0; i < COMMON_BUFFERS_MAX; i++) {
        const struct common_buffer *buffer = &buffers[i];

        if (buffer->live) {
            const struct dma_live told = live_of("common_buffer", (uintptr_t)buffer->memory, &buffer->maker);

            tell(&told, context);
        }
    }
}

void common_buffers_leave(const struct adapter *adapter)
{
    uint32_t left = 0;

    for (size_t i = 0; i < COMMON_BUFFERS_MAX; i++) {
        if (buffers[i].live && buffers[i].adapter == adapter) {
            buffers[i].adapter = NULL;
            left++;
        }
    }
    if (left != 0) {
        violation_report(VIOLATION_RELEASED_WITH_BUFFERS, (uintptr_t)&adapter->public, left); /* PDA-02 */
    }
}

/* ---- the guard: from the last byte to the end of its page ---- */

static ULONG guard_bytes(const struct common_buffer *buffer)
{
    return (PAGE_SIZE - buffer->length % PAGE_SIZE) % PAGE_SIZE;
}

static void set_guard(const struct common_buffer *buffer)
{
    for (ULONG i = 0; i < guard_bytes(buffer); i++) {
        buffer->memory[buffer->length + i] = GUARD;
    }
}

static void check_guard(const struct common_buffer *buffer)
{
    for (ULONG i = 0; i < guard_bytes(buffer); i++) {
        const volatile UCHAR *byte = &buffer->memory[buffer->length + i];

        if (*byte != GUARD) {
            violation_report(VIOLATION_GUARD, (uintptr_t)buffer->memory, (uintptr_t)byte); /* ACB-04 */
            return;
        }
    }
}

/* ---- allocation ---- */

static struct common_buffer *find(const void *memory)
{
    for (size_t i = 0; i < COMMON_BUFFERS_MAX; i++) {
        if (buffers[i].live && buffers[i].memory == memory) {
            return &buffers[i];
        }
    }
    return NULL;
}

static struct common_buffer *find_free(void)
{
    for (size_t i = 0; i < COMMON_BUFFERS_MAX; i++) {
        if (!buffers[i].live) {
            return &buffers[i];
        }
    }
    return NULL;
}

/* The last byte that may be used: the device's reach, or `maximum` if that is given and lower (OQ-12). */
static uint64_t highest_address(const struct adapter *adapter, const PHYSICAL_ADDRESS *maximum)
{
    uint64_t reach = adapter_highest_address(adapter); /* ACB-03 */

    return maximum != NULL && (uint64_t)maximum->QuadPart < reach ? (uint64_t)maximum->QuadPart : reach;
}

/* Allocate a buffer and return the CPU's address. NULL: it is not possible, and *logical is unchanged (ACB-10).
 */
static PVOID allocate(struct common_buffer wanted, uint64_t highest, PPHYSICAL_ADDRESS logical)
{
    struct common_buffer *buffer = find_free();
    uint64_t physical;

    if (buffer == NULL || wanted.length == 0 || logical == NULL) { /* ACB-09 */
        (void)refuse(STATUS_UNSUCCESSFUL, "Length is {0}, LogicalAddress {1:#x}, or there are too many buffers",
                     wanted.length, (uintptr_t)logical);
        return NULL;
    }
    wanted.memory = memory_take_pages(wanted.kind, wanted.length, highest);
    if (wanted.memory == NULL || !memory_translate((uintptr_t)wanted.memory, &physical)) {
        (void)refuse(STATUS_INSUFFICIENT_RESOURCES, "no {0} contiguous bytes are free up to address {1:#x}",
                     wanted.length, highest);
        return NULL;
    }
    wanted.live = true;
    wanted.maker = routine_now();
    wanted.logical.QuadPart = (LONGLONG)physical;
    *buffer = wanted;
    set_guard(buffer);
    oplog_memory(OPLOG_MEMORY_COMMON, &buffer->adapter->public, physical, buffer->length, true);
    *logical = buffer->logical;
    return (PVOID)(uintptr_t)buffer->memory;
}

static PVOID allocate_for(const struct adapter *adapter, const PHYSICAL_ADDRESS *maximum, bool cache_allowed,
                          struct common_buffer wanted, PPHYSICAL_ADDRESS logical)
{
    if (adapter == NULL) {
        return NULL;
    }
    wanted.adapter = adapter;
    wanted.kind = cache_allowed && adapter->coherent ? MEMORY_WRITE_BACK : MEMORY_DEVICE;
    return allocate(wanted, highest_address(adapter, maximum), logical);
}

static NTSTATUS status_of(const void *memory)
{
    return memory != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

PVOID dma_allocate_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                 BOOLEAN CacheEnabled)
{
    struct routine_call call =
        routine_enter(OPLOG_AllocateCommonBuffer, DmaAdapter, PASSIVE_LEVEL, PASSIVE_LEVEL);

    routine_arguments(Length, (uintptr_t)LogicalAddress, CacheEnabled);
    struct common_buffer wanted = {.length = Length, .cache_wanted = CacheEnabled};
    PVOID memory = allocate_for(adapter_find(DmaAdapter), NULL, true, wanted, LogicalAddress); /* ACB-06 */

    routine_leave(call, status_of(memory), memory != NULL ? Length : 0, 0);
    return memory;
}
DMA_ROUTINE_NAME(AllocateCommonBuffer, dma_allocate_common_buffer);

PVOID dma_allocate_common_buffer_ex(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                    PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled, ULONG PreferredNode)
{
    (void)PreferredNode; /* ACX-07 */

    struct routine_call call =
        routine_enter(OPLOG_AllocateCommonBufferEx, DmaAdapter, PASSIVE_LEVEL, PASSIVE_LEVEL);

    routine_arguments((uintptr_t)MaximumAddress, Length, (uintptr_t)LogicalAddress, CacheEnabled,
                      PreferredNode);
    struct common_buffer wanted = {.length = Length, .cache_wanted = CacheEnabled};
    PVOID memory = allocate_for(adapter_find(DmaAdapter), MaximumAddress, CacheEnabled, wanted,
                                LogicalAddress); /* ACX-03 */

    routine_leave(call, status_of(memory), memory != NULL ? Length : 0, 0);
    return memory;
}
DMA_ROUTINE_NAME(AllocateCommonBufferEx, dma_allocate_common_buffer_ex);

/* ---- FreeCommonBuffer ---- */

static bool is_same(const struct common_buffer *buffer, const struct common_buffer *named)
{
    return buffer->adapter == named->adapter && buffer->length == named->length &&
           buffer->logical.QuadPart == named->logical.QuadPart && buffer->cache_wanted == named->cache_wanted;
}

/* Free a buffer if it is named exactly as it was allocated; else nothing is freed (FCB-01, FCB-03). */
static NTSTATUS free_buffer(const void *memory, const struct common_buffer *named)
{
    struct common_buffer *buffer = find(memory);

    if (buffer == NULL) {
        violation_report(VIOLATION_BUFFER_FREED_TWICE, (uintptr_t)memory, 0);
        return STATUS_INVALID_PARAMETER;
    }
    if (!is_same(buffer, named)) {
        violation_report(VIOLATION_BUFFER_MISMATCH, (uintptr_t)memory, named->length);
        return STATUS_INVALID_PARAMETER;
    }
    check_guard(buffer);
    buffer->live = false;
    oplog_memory(OPLOG_MEMORY_COMMON, &named->adapter->public, (uint64_t)buffer->logical.QuadPart,
                 buffer->length, false);
    memory_return_pages(buffer->kind, memory); /* FCB-04 */
    return STATUS_SUCCESS;
}

VOID dma_free_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress,
                            PVOID VirtualAddress, BOOLEAN CacheEnabled)
{
    struct routine_call call = routine_enter(OPLOG_FreeCommonBuffer, DmaAdapter, PASSIVE_LEVEL, PASSIVE_LEVEL);

    routine_arguments(Length, (uint64_t)LogicalAddress.QuadPart, (uintptr_t)VirtualAddress, CacheEnabled);
    struct adapter *adapter = adapter_find(DmaAdapter);
    struct common_buffer named = {
        .adapter = adapter, .length = Length, .logical = LogicalAddress, .cache_wanted = CacheEnabled};
    NTSTATUS status = adapter != NULL ? free_buffer(VirtualAddress, &named) : STATUS_INVALID_PARAMETER;

    routine_leave(call, status, NT_SUCCESS(status) ? Length : 0, 0);
}
DMA_ROUTINE_NAME(FreeCommonBuffer, dma_free_common_buffer);
