/* SPDX-License-Identifier: Apache-2.0 */
/* Common buffers: where they lie, what is guarded, and that freeing takes exactly what was allocated. */
#include "check.h"
#include "driver.h"

#include "layer/map_registers.h"
#include "routines/common_buffer.h"

#include <string.h>

static PDMA_ADAPTER adapter;

static void start(void)
{
    driver_start();
    adapter = driver_adapter(0);
}

static void start_coherent(void)
{
    struct dma_controller controller = scripted_describe();

    fake_reset();
    controller.block.CacheCoherent = TRUE;
    driver_start_with(&controller);
    adapter = driver_adapter(0);
}

struct buffer {
    UCHAR *memory;
    ULONG length;
    PHYSICAL_ADDRESS logical;
    BOOLEAN cached;
};

static struct buffer allocate(ULONG length, BOOLEAN cached)
{
    struct buffer made = {.length = length, .logical.QuadPart = 77, .cached = cached};

    made.memory = dma->AllocateCommonBufferEx(adapter, NULL, length, &made.logical, cached, 0);
    return made;
}

static struct buffer allocate_below(ULONG length, uint64_t maximum)
{
    struct buffer made = {.length = length, .logical.QuadPart = 77};
    PHYSICAL_ADDRESS limit = {.QuadPart = (LONGLONG)maximum};

    made.memory = dma->AllocateCommonBufferEx(adapter, &limit, length, &made.logical, FALSE, 0);
    return made;
}

static void release(struct buffer buffer)
{
    dma->FreeCommonBuffer(adapter, buffer.length, buffer.logical, buffer.memory, buffer.cached);
}

static void check_refused(struct buffer buffer)
{
    CHECK(buffer.memory == NULL);
    CHECK_EQ(buffer.logical.QuadPart, 77); /* ACB-10 */
    CHECK_EQ(common_buffers_live(), 0);
}

static bool is_in(const struct buffer *buffer, uint64_t start)
{
    uint64_t at = (uint64_t)buffer->logical.QuadPart;

    return at >= start && at + buffer->length <= start + FAKE_POOL_PAGES * FAKE_PAGE;
}

/* ---- allocation ---- */

TEST(a_device_that_is_not_coherent_gets_device_memory, "ACB-06 ACX-03 ACX-04")
{
    start();
    for (int cached = 0; cached < 2; cached++) {
        struct buffer buffer = allocate(100, (BOOLEAN)cached); /* ACX-03, ACX-04 */
        PHYSICAL_ADDRESS logical;
        UCHAR *v1 = dma->AllocateCommonBuffer(adapter, 100, &logical, (BOOLEAN)cached);

        CHECK(buffer.memory != NULL && is_in(&buffer, FAKE_DEVICE_MEMORY));
        CHECK(v1 != NULL && logical.QuadPart / FAKE_PAGE != buffer.logical.QuadPart / FAKE_PAGE); /* ACB-11 */
        CHECK(fake_device_view((uint64_t)logical.QuadPart) == v1);                                /* ACB-06 */
        CHECK_EQ((uintptr_t)v1 % FAKE_PAGE + (uint64_t)logical.QuadPart % FAKE_PAGE, 0);          /* ACB-05 */
        release(buffer);
        dma->FreeCommonBuffer(adapter, 100, logical, v1, (BOOLEAN)cached);
    }
    CHECK_EQ(common_buffers_live(), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    CHECK_EQ(driver_maintenance(), 0);
}

TEST(a_coherent_device_gets_what_was_asked_for, "ACB-06 ACX-03 GEN-11")
{
    PHYSICAL_ADDRESS logical;

    start_coherent();
    struct buffer cached = allocate(100, 2); /* GEN-11 */
    struct buffer uncached = allocate(100, FALSE);

    CHECK(is_in(&cached, FAKE_WRITE_BACK));
    CHECK(is_in(&uncached, FAKE_DEVICE_MEMORY));
    UCHAR *v1 = dma->AllocateCommonBuffer(adapter, 5, &logical, FALSE); /* ACB-06 */

    CHECK(logical.QuadPart > FAKE_WRITE_BACK);
    cached.cached = TRUE;
    release(cached);
    release(uncached);
    dma->FreeCommonBuffer(adapter, 5, logical, v1, FALSE);
    CHECK_EQ(common_buffers_live(), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

TEST(the_maximum_is_the_last_byte_that_may_be_used, "ACX-02 ACX-06 STR-02")
{
    start();
    uint64_t end = FAKE_DEVICE_MEMORY + 2 * FAKE_PAGE;

    check_refused(allocate_below(2 * FAKE_PAGE, end - 2));
    check_refused(allocate_below(1, FAKE_DEVICE_MEMORY - 1));      /* ACX-06 */
    struct buffer buffer = allocate_below(2 * FAKE_PAGE, end - 1); /* OQ-12 */

    CHECK_EQ(buffer.logical.QuadPart, FAKE_DEVICE_MEMORY);
    release(buffer);
    buffer = allocate_below(FAKE_PAGE + 1, FAKE_DEVICE_MEMORY + FAKE_PAGE); /* what is behind it may be above */
    CHECK_EQ(buffer.logical.QuadPart, FAKE_DEVICE_MEMORY);
    release(buffer);
    buffer = allocate_below(1, UINT64_MAX); /* STR-02: no limit, not below zero */
    CHECK(buffer.memory != NULL);
    release(buffer);
}

TEST(the_controllers_width_limits_too, "ACB-03 ACX-08")
{
    struct dma_controller controller = scripted_describe();

    fake_reset();
    controller.block.DmaAddressWidth = 30; /* ACB-03, ACX-08 */
    driver_start_with(&controller);
    adapter = driver_adapter(0);
    check_refused(allocate(1, FALSE));
    check_refused(allocate_below(1, UINT64_MAX));
}

TEST(what_cannot_be_is_refused, "ACB-09 ACB-10 ACX-06")
{
    start();
    check_refused(allocate(0, FALSE)); /* ACB-09 */
    check_refused(allocate(FAKE_POOL_PAGES * FAKE_PAGE + 1, FALSE));
    check_refused(allocate(UINT32_MAX, FALSE));
    CHECK(dma->AllocateCommonBuffer(adapter, 1, NULL, FALSE) == NULL);
    struct buffer all = allocate(FAKE_POOL_PAGES * FAKE_PAGE, FALSE);
    struct buffer more = allocate(1, FALSE);

    CHECK(all.memory != NULL && more.memory == NULL);
    release(all);
    CHECK_EQ(common_buffers_live(), 0);
}

static void refuse_adapter(PDMA_ADAPTER bad, uint32_t violation)
{
    struct buffer buffer = {.logical.QuadPart = 77, .length = 1};

    CHECK(dma->AllocateCommonBuffer(bad, 1, &buffer.logical, TRUE) == NULL);
    CHECK(dma->AllocateCommonBufferEx(bad, NULL, 1, &buffer.logical, TRUE, 0) == NULL);
    dma->FreeCommonBuffer(bad, 1, buffer.logical, NULL, TRUE);
    check_refused(buffer);
    CHECK_EQ(driver_violations(violation), 3);
}

TEST(no_adapter_has_no_buffer, "GEN-04")
{
    start();
    refuse_adapter(NULL, 0x19);
}

TEST(a_released_adapter_has_no_buffer, "GEN-05")
{
    start();
    dma->PutDmaAdapter(adapter);
    refuse_adapter(adapter, 0x18);
}

TEST(buffers_come_and_go_at_passive_level, "GEN-07")
{
    start();
    (void)driver_raise();
    release(allocate(1, FALSE));
    CHECK_EQ(driver_violations(0x13), 2);
    CHECK_EQ(common_buffers_live(), 0);
    KeLowerIrql(PASSIVE_LEVEL);
}

/* ---- free ---- */

TEST(bytes_behind_the_buffer_are_guarded, "ACB-04")
{
    start();
    struct buffer buffer = allocate(100, FALSE);

    memset(buffer.memory, 0xEE, 100);
    release(buffer);
    CHECK_EQ(driver_violations(0x0F), 0);
    buffer = allocate(FAKE_PAGE - 1, FALSE);
    buffer.memory[FAKE_PAGE - 1] ^= 1;
    release(buffer);
    CHECK_EQ(driver_violations(0x0F), 1);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->a, (uintptr_t)buffer.memory);
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->b, (uintptr_t)&buffer.memory[FAKE_PAGE - 1]);
    buffer = allocate(FAKE_PAGE, FALSE);
    memset(buffer.memory, 0, FAKE_PAGE);
    release(buffer);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 1);
    CHECK_EQ(common_buffers_live(), 0);
}

TEST(only_what_was_allocated_is_freed_and_once, "FCB-01 FCB-03 ACX-09")
{
    start();
    struct buffer buffer = allocate(2 * FAKE_PAGE, FALSE);
    PDMA_ADAPTER other = driver_adapter(1);
    struct buffer wrong = buffer;

    wrong.length = FAKE_PAGE;
    release(wrong);
    wrong = buffer;
    wrong.logical.QuadPart += FAKE_PAGE;
    release(wrong);
    wrong = buffer;
    wrong.cached = TRUE;
    release(wrong);
    dma->FreeCommonBuffer(other, buffer.length, buffer.logical, buffer.memory, FALSE);
    CHECK_EQ(driver_violations(0x44), 4); /* FCB-01 */
    wrong = buffer;
    wrong.memory += FAKE_PAGE;
    release(wrong);
    CHECK_EQ(driver_violations(0x03), 1);
    CHECK_EQ(common_buffers_live(), 1);
    release(buffer);
    CHECK_EQ(common_buffers_live(), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 5);
    struct buffer next = allocate(2 * FAKE_PAGE, FALSE);

    CHECK(next.memory != buffer.memory); /* an address comes back late */
    release(buffer);
    CHECK_EQ(driver_violations(0x03), 2); /* FCB-03 */
    CHECK_EQ(common_buffers_live(), 1);
    release(next);
}

TEST(nothing_leaks_in_ten_thousand_rounds, "FCB-04")
{
    start();
    for (int i = 0; i < 10000; i++) {
        struct buffer buffer = allocate((ULONG)(1 + i % (3 * FAKE_PAGE)), i & 1);

        CHECK(buffer.memory != NULL);
        release(buffer);
        fake_forget_log();
    }
    struct buffer all = allocate(FAKE_POOL_PAGES * FAKE_PAGE, FALSE); /* FCB-04 */

    CHECK(all.memory != NULL);
    release(all);
}

TEST(buffers_outlive_their_adapter, "PDA-02 PDA-03")
{
    start();
    struct buffer buffer = allocate(100, FALSE);

    CHECK(allocate(100, FALSE).memory != NULL);
    PDMA_ADAPTER other = driver_adapter(1);

    dma->PutDmaAdapter(adapter);
    CHECK_EQ(driver_violations(0x07), 1); /* PDA-02 */
    CHECK_EQ(fake_event(FAKE_VIOLATION, 0)->b, 2);
    CHECK_EQ(common_buffers_live(), 2); /* PDA-03 */
    dma->FreeCommonBuffer(other, 100, buffer.logical, buffer.memory, FALSE);
    CHECK_EQ(driver_violations(0x44), 1);
    dma->PutDmaAdapter(other);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 2);
    while (adapter != other) { /* until it has the address of the first */
        other = driver_adapter(0);
        if (adapter != other) {
            dma->PutDmaAdapter(other);
        }
    }
    dma->FreeCommonBuffer(other, 100, buffer.logical, buffer.memory, FALSE);
    CHECK_EQ(driver_violations(0x44), 2);
}

TEST(free_pages_apart_do_not_make_a_buffer, "ACB-02 ACB-11")
{
    struct buffer pages[FAKE_POOL_PAGES];

    start();
    for (size_t i = 0; i < FAKE_POOL_PAGES; i++) {
        pages[i] = allocate(FAKE_PAGE, FALSE);
        CHECK(pages[i].memory != NULL);
    }
    release(pages[0]);
    release(pages[2]);
    CHECK(allocate(2 * FAKE_PAGE, FALSE).memory == NULL);
    release(pages[1]);
    CHECK(allocate(3 * FAKE_PAGE, FALSE).memory == pages[0].memory);
}

static int grants;

static IO_ALLOCATION_ACTION on_grant(PDEVICE_OBJECT device, PIRP irp, PVOID base, PVOID context)
{
    (void)device, (void)irp, (void)base, (void)context;
    grants++;
    return KeepObject;
}

TEST(waiting_requests_are_not_disturbed, "ACB-15")
{
    static _Alignas(8) UCHAR contexts[2][DMA_TRANSFER_CONTEXT_SIZE_V1];
    PVOID base = NULL;

    start();
    (void)driver_raise();
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(dma->InitializeDmaTransferContext(adapter, contexts[i]), STATUS_SUCCESS);
    }
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, NULL, contexts[0], 3, 1, NULL, NULL, &base),
             STATUS_SUCCESS);
    CHECK_EQ(dma->AllocateAdapterChannelEx(adapter, NULL, contexts[1], 2, 0, on_grant, NULL, NULL),
             STATUS_SUCCESS);
    KeLowerIrql(PASSIVE_LEVEL);
    struct buffer buffer = allocate(100, FALSE); /* ACB-15 */

    CHECK(buffer.memory != NULL);
    CHECK_EQ(grants, 0);
    CHECK_EQ(map_registers_free(), DMA_MAP_REGISTERS - 3);
    (void)driver_raise();
    dma->FreeAdapterChannel(adapter);
    CHECK_EQ(grants, 1);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    release(buffer);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
}

/* ---- mapping one ---- */

TEST(a_mapped_buffer_needs_no_cache_operation_and_no_register, "ACX-11")
{
    ULONG length;

    start();
    struct buffer buffer = allocate(1000, FALSE);
    PMDL mdl = IoAllocateMdl(&buffer.memory[3], 900, FALSE, FALSE, NULL); /* ACX-11 */

    MmBuildMdlForNonPagedPool(mdl);
    (void)driver_raise();
    PVOID base = driver_hold(adapter, 2);

    for (int write = 0; write < 2; write++) {
        length = 900;
        CHECK_EQ(dma->MapTransferEx(adapter, mdl, base, 0, 0, &length, (BOOLEAN)write, NULL, 0, NULL, NULL),
                 STATUS_SUCCESS);
        CHECK_EQ(length, 900);
        CHECK_EQ(scripted.program.count, 1);
        CHECK_EQ(scripted.program.elements[0].Address.QuadPart, buffer.logical.QuadPart + 3);
        buffer.memory[2] ^= 0xFF; /* a neighbour is free to change */
        scripted_end(0, InterruptTypeCompletion);
        CHECK_EQ(dma->FlushAdapterBuffersEx(adapter, mdl, base, 0, 900, (BOOLEAN)write), STATUS_SUCCESS);
    }
    CHECK_EQ(driver_maintenance(), 0);
    CHECK_EQ(fake_count(FAKE_VIOLATION), 0);
    dma->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    IoFreeMdl(mdl);
    release(buffer);
}

TEST(a_master_of_few_bits_is_limited_too, "ACB-03 BMT-16")
{
    start();
    adapter = driver_master_of(30, TRUE, NULL); /* BMT-16 */
    check_refused(allocate(1, FALSE));
    adapter = driver_master_of(64, FALSE, NULL);
    struct buffer buffer = allocate(1, FALSE);

    CHECK(buffer.memory != NULL);
    release(buffer);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fake_reset);
}
