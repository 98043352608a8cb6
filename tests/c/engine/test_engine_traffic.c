/* SPDX-License-Identifier: Apache-2.0 */
/* What is on its way in the PL330: order, the MFIFO, lock-ups, the instruction cache, time, holds, findings. */
#include "bed.h"

enum { STOPPED, EXECUTING, WAITING_EVENT = 4, WAITING_PERIPHERAL = 7, FAULTING = 15 };
enum { MFIFO_ERROR = 1 << 12, NO_DATA = 1 << 13, UNDEFINED = 1 };
#define LOCKED_UP              (1u << 31)
#define COPY(size_log2, beats) SAR(SOURCE), DAR(TARGET), CCR(CONTROL(size_log2, beats))

static void put_word(uint32_t address, uint32_t value)
{
    memcpy(bed_at(address), &value, sizeof(value));
}

static uint32_t word(uint32_t address)
{
    uint32_t value;

    memcpy(&value, bed_at(address), sizeof(value));
    return value;
}

/* ---- order ---- */

TEST(a_load_may_overtake_a_store_unless_a_barrier_is_between, "")
{
    bed.config.cache_line = 32;
    bed_start();
    put_word(TARGET - 4, 0x11111111);
    put_word(TARGET, 0x22222222);
    RUN(SAR(TARGET - 4), DAR(TARGET), CCR(CONTROL(2, 1)), LD, ST, LD, DAR(TARGET + 0x100), ST, END);
    CHECK_EQ(word(TARGET), 0x11111111);
    CHECK_EQ(word(TARGET + 0x100), 0x22222222);
    CHECK_EQ(bed.findings, 1);
    CHECK_EQ(bed.finding[0].kind, ENGINE_FINDING_LOAD_BEFORE_STORE);
    CHECK_EQ(bed.finding[0].microcode, CODE + 20);
    CHECK_EQ(bed.finding[0].other, CODE + 19);
    put_word(TARGET, 0x22222222);
    RUN(SAR(TARGET - 4), DAR(TARGET), CCR(CONTROL(2, 1)), LD, ST, WMB, LD, DAR(TARGET + 0x100), ST, END);
    CHECK_EQ(word(TARGET + 0x100), 0x11111111);
    CHECK_EQ(bed.findings, 1);
}

TEST(a_load_beside_a_store_is_no_finding, "")
{
    bed.config.cache_line = 32;
    bed_start();
    RUN(COPY(2, 1), LD, ST, LD, DAR(SOURCE + 0xc), ST, LD, END); /* from 8 on while 12 is stored */
    CHECK_EQ(bed.findings, 0);
}

TEST(an_event_may_come_before_the_stores_unless_a_barrier_is_between, "")
{
    bed_set(INTEN, 1);
    PUT(CODE, COPY(2, 16), LD, ST, SEV(0), END);
    bed_go(0, CODE);
    while (!bed.lines) {
        bed_run(1);
    }
    CHECK_EQ(bed.writes, 0);
    bed_settle();
    CHECK_EQ(bed.findings, 1);
    CHECK_EQ(bed.finding[0].kind, ENGINE_FINDING_EVENT_BEFORE_STORES);
    CHECK_EQ(bed.finding[0].channel, 0);
    CHECK_EQ(bed.finding[0].microcode, CODE + 20);
    CHECK_EQ(bed.finding[0].other, CODE + 19);
    bed_set(INTCLR, 1);
    PUT(CODE, COPY(2, 16), LD, ST, WMB, SEV(0), END);
    bed.writes = 0;
    bed_go(0, CODE);
    while (!bed.lines) {
        bed_run(1);
    }
    CHECK_EQ(bed.writes, 1);
    CHECK_EQ(bed.findings, 1);
}

/* Behind a load that takes long, a DMAMOV: where the channel is after a while. */
static uint32_t place_behind_load(const uint8_t *move)
{
    bed_reset();
    bed.config.cache_line = 32;
    bed.config.latency = 100;
    bed_start();
    PUT(CODE, COPY(3, 16), LD);
    bed_put(CODE + 19, move, 6);
    PUT(CODE + 25, WFE(0), END);
    bed_go(0, CODE);
    while (bed_register(CPC0) < CODE + 19) {
        bed_run(1);
    }
    bed_run(20);
    CHECK_EQ(bed.reads, 0);
    return bed_register(CPC0) - CODE;
}

TEST(the_source_changes_only_when_all_was_loaded, "")
{
    CHECK_EQ(place_behind_load((const uint8_t[]){SAR(TARGET)}), 19);
    CHECK_EQ(bed_register(SAR0), SOURCE + 128);
    bed_settle();
    CHECK_EQ(bed.reads, 1);
    CHECK_EQ(bed_state(0), WAITING_EVENT);
    CHECK_EQ(bed_register(SAR0), TARGET);
    CHECK_EQ(place_behind_load((const uint8_t[]){CCR(CONTROL(2, 1))}), 19);
    CHECK_EQ(place_behind_load((const uint8_t[]){DAR(TARGET)}), 25);
}

/* ---- the example programs of the manual: unaligned transfers ---- */

TEST(unaligned_patterns_of_the_manual_move_every_byte, "")
{
    RUN(SAR(SOURCE + 4), DAR(TARGET), CCR(CONTROL(3, 4)), LD, LP0(15), LD, ST, LPEND0(2),
        CCR(CONTROL_HALF(2, 1, 1) | CONTROL_HALF(3, 4, 1) << 14), LD, ST, END);
    CHECK(memcmp(bed_at(SOURCE + 4), bed_at(TARGET), 512) == 0);
    CHECK_EQ(bed_fault(0), 0);
    RUN(SAR(SOURCE), DAR(TARGET + 4), CCR(CONTROL(3, 4)), LP0(16), LD, ST, LPEND0(2),
        CCR(CONTROL_HALF(3, 4, 1) | CONTROL_HALF(2, 1, 1) << 14), ST, END);
    CHECK(memcmp(bed_at(SOURCE), bed_at(TARGET + 4), 512) == 0);
    CHECK_EQ(bed_fault(0), 0);
}

TEST(a_list_of_segments_is_straight_line_code, "")
{
    RUN(CCR(CONTROL(2, 8)), SAR(SOURCE), DAR(TARGET + 64), LD, ST, SAR(SOURCE + 128), DAR(TARGET), LD, ST,
        ADNH_SAR(0x10000 - 64), ADDH_DAR(64), LD, ST, WMB, END);
    CHECK(memcmp(bed_at(SOURCE), bed_at(TARGET + 64), 32) == 0);
    CHECK(memcmp(bed_at(SOURCE + 128), bed_at(TARGET), 32) == 0);
    CHECK(memcmp(bed_at(SOURCE + 96), bed_at(TARGET + 96), 32) == 0);
}

TEST(eight_channels_copy_at_a_time, "")
{
    static const uint8_t loop[] = {LP0(64), LD, ST, LPEND0(2), WMB, END};

    for (uint32_t n = 0; n < 8; n++) {
        PUT(CODE + 64 * n, SAR(SOURCE + 512 * n), DAR(TARGET + 512 * n), CCR(CONTROL(3, 1)));
        bed_put(CODE + 64 * n + 18, loop, sizeof(loop));
        bed_go(n, CODE + 64 * n);
    }
    bed_settle();
    for (uint32_t n = 0; n < 8; n++) {
        CHECK_EQ(bed_state(n), STOPPED);
        CHECK_EQ(bed_fault(n), 0);
    }
    bed_check_copied(8 * 512);
}

/* ---- the MFIFO ---- */

static void start_with_fifo(uint16_t lines)
{
    bed_reset();
    bed.config.fifo_lines = lines;
    bed_start();
}

TEST(the_mfifo_holds_what_crd_says, "")
{
    start_with_fifo(16);
    RUN(COPY(3, 8), LD, LD, ST, ST, END);
    CHECK_EQ(bed_fault(0), 0);
    bed_check_copied(128);
    start_with_fifo(15);
    RUN(COPY(3, 8), LD, LD, ST, ST, END);
    CHECK_EQ(bed_fault(0), LOCKED_UP);
    CHECK_EQ(bed_register(CPC0), CODE + 19);
    CHECK_EQ(bed.findings, 1);
    CHECK_EQ(bed.finding[0].kind, ENGINE_FINDING_FIFO_OVERCOMMITTED);
    DEBUG(0, KILL);
    RUN(COPY(3, 8), LD, ST, END);
    bed_check_copied(64);
}

TEST(bytes_take_the_lines_of_their_target, "")
{
    start_with_fifo(8);
    RUN(SAR(SOURCE), DAR(TARGET + 1), CCR(CONTROL_HALF(3, 8, 1) | CONTROL_HALF(0, 16, 1) << 14), LD, END);
    CHECK_EQ(bed_fault(0), MFIFO_ERROR); /* 64 bytes, one behind a line: nine lines */
    start_with_fifo(9);
    RUN(SAR(SOURCE), DAR(TARGET + 1), CCR(CONTROL_HALF(3, 8, 1) | CONTROL_HALF(0, 16, 1) << 14), LD, LP0(4), ST,
        LPEND0(1), END);
    CHECK_EQ(bed_fault(0), 0);
    CHECK(memcmp(bed_at(SOURCE), bed_at(TARGET + 1), 64) == 0);
    start_with_fifo(15); /* to a fixed address: a line for each beat */
    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL_HALF(2, 8, 1) | CONTROL_HALF(1, 16, 0) << 14), LD, END);
    CHECK_EQ(bed_fault(0), MFIFO_ERROR);
    start_with_fifo(16);
    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL_HALF(2, 8, 1) | CONTROL_HALF(1, 16, 0) << 14), LD, ST, END);
    CHECK_EQ(bed_fault(0), 0);
}

TEST(a_store_that_the_mfifo_cannot_hold_faults, "")
{
    start_with_fifo(4);
    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL_HALF(3, 4, 1) | CONTROL_HALF(3, 5, 1) << 14), ST, END);
    CHECK_EQ(bed_fault(0), MFIFO_ERROR);
    CHECK_EQ(bed_register(CPC0), CODE + 18);
}

TEST(a_full_mfifo_is_waited_for_if_stores_are_on_their_way, "")
{
    start_with_fifo(8);
    RUN(COPY(3, 8), LP0(32), LD, ST, LPEND0(2), END);
    CHECK_EQ(bed_fault(0), 0);
    CHECK_EQ(bed.findings, 0);
    bed_check_copied(32 * 64);
}

TEST(full_queues_are_waited_for, "")
{
    bed.config.read_queue = bed.config.write_queue = 1;
    bed.config.read_capacity = bed.config.write_capacity = 1;
    bed_start();
    RUN(COPY(3, 1), LP0(20), LD, LD, LD, ST, ST, ST, LPEND0(6), END);
    bed_check_copied(20 * 24);
    RUN(DAR(TARGET), LP0(20), STZ, LPEND0(1), END);
    CHECK_EQ(*bed_at(TARGET + 159), 0);
    CHECK_EQ(bed_state(0), STOPPED);
}

TEST(the_mfifo_is_a_ring, "")
{
    RUN(COPY(3, 3), LP0(200), LD, ST, LPEND0(2), END);
    bed_check_copied(4800);
}

TEST(only_as_many_accesses_are_on_the_bus_as_it_takes, "")
{
    bed.config.read_capacity = 1;
    bed.config.latency = 50;
    bed_start();
    PUT(CODE, COPY(3, 1), LD, LD, LD, END);
    bed_go(0, CODE);
    for (uint32_t read = 1; read <= 3; read++) {
        uint64_t before = bed.now;

        while (bed.reads < read) {
            bed_run(1);
        }
        CHECK(read == 1 || bed.now - before == 50 + 1);
    }
}

TEST(a_store_waits_for_its_own_bytes_only, "")
{
    PUT(CODE, SAR(SOURCE), DAR(TARGET), CCR(CONTROL_HALF(3, 16, 1) | CONTROL_HALF(3, 1, 1) << 14), LD, LD, ST,
        WMB, END);
    bed.config.cache_line = 32;
    bed_start();
    bed_go(0, CODE);
    while (bed.writes == 0) {
        bed_run(1);
    }
    CHECK_EQ(bed.reads, 1);
}

static void another_may_load_behind(uint8_t store)
{
    bed_reset();
    PUT(CODE, COPY(3, 1), LD, store, LP0(200), NOP, LPEND0(1), END);
    PUT(CODE + 0x40, SAR(SOURCE), DAR(TARGET + 64), CCR(CONTROL(3, 1)), LD, ST, END);
    bed_go(0, CODE);
    bed_run(80);
    bed_go(1, CODE + 0x40);
    bed_run(150);
    CHECK_EQ(bed_state(1), STOPPED);
    CHECK(bed_state(0) != STOPPED);
}

TEST(stores_alone_give_the_load_lock_up, "")
{
    another_may_load_behind(ST);
    another_may_load_behind(STZ);
}

TEST(only_the_owner_of_the_load_lock_loads, "")
{
    PUT(CODE, COPY(3, 1), LD, LP0(100), NOP, LPEND0(1), LD, ST, ST, END);
    PUT(CODE + 0x40, SAR(SOURCE + 64), DAR(TARGET + 64), CCR(CONTROL(3, 1)), LD, ST, END);
    bed_go(0, CODE);
    bed_run(80);
    CHECK_EQ(bed.reads, 1);
    bed_go(1, CODE + 0x40);
    bed_run(80);
    CHECK_EQ(bed.reads, 1);
    CHECK_EQ(bed_register(CPC0 + 8), CODE + 0x40 + 18);
    bed_settle();
    CHECK_EQ(bed.reads, 3);
    CHECK(memcmp(bed_at(SOURCE + 64), bed_at(TARGET + 64), 8) == 0);
}

static void gives_the_lock_up(const uint8_t *code, size_t bytes)
{
    bed_reset();
    PUT(CODE, COPY(3, 1), LD);
    bed_put(CODE + 19, code, bytes);
    PUT(CODE + 0x80, SAR(SOURCE), DAR(TARGET + 64), CCR(CONTROL(3, 1)), LD, ST, WMB, END);
    bed_go(0, CODE);
    bed_settle();
    bed_go(1, CODE + 0x80);
    bed_settle();
    CHECK_EQ(bed_state(1), STOPPED);
    CHECK_EQ(bed_fault(1), 0);
}
#define GIVES_THE_LOCK_UP(...)                                                                                 \
    gives_the_lock_up((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(stores_barriers_waits_ends_and_faults_give_the_load_lock_up, "")
{
    GIVES_THE_LOCK_UP(RMB, WFE(0));
    GIVES_THE_LOCK_UP(WMB, WFE(0));
    GIVES_THE_LOCK_UP(WFE(0));
    GIVES_THE_LOCK_UP(WFPB(0));
    GIVES_THE_LOCK_UP(ST, WFE(0));
    GIVES_THE_LOCK_UP(STZ, WFE(0));
    GIVES_THE_LOCK_UP(END);
    GIVES_THE_LOCK_UP(0xff);
}

/* ---- lock-up ---- */

static void lock_two_channels_up(void)
{
    start_with_fifo(8);
    PUT(CODE, COPY(3, 8), LD, RMB, LD, ST, ST, END);
    bed_go(0, CODE);
    bed_go(1, CODE);
}

TEST(a_lock_up_aborts_the_channels_that_take_part, "")
{
    lock_two_channels_up();
    PUT(CODE + 0x40, WFE(0), END);
    bed_go(2, CODE + 0x40);
    bed_run(500);
    CHECK_EQ(bed.lines, 0);
    CHECK_EQ(bed_state(0), EXECUTING);
    bed_run(1000);
    CHECK_EQ(bed.lines, 1);
    CHECK_EQ(bed_fault(0), LOCKED_UP);
    CHECK_EQ(bed_fault(1), LOCKED_UP);
    CHECK_EQ(bed_state(2), WAITING_EVENT);
    CHECK_EQ(bed_register(FSRC), 3);
}

TEST(the_watchdog_may_only_interrupt, "")
{
    lock_two_channels_up();
    bed_set(WD, 1);
    CHECK_EQ(bed_register(WD), 1);
    bed_run(2000);
    CHECK_EQ(bed.lines, 1);
    CHECK_EQ(bed_register(FSRC), 0);
    CHECK_EQ(bed_state(0), EXECUTING);
    CHECK_EQ(bed.rises, 1);
    bed_settle();
    DEBUG(1, KILL);
    bed_settle();
    CHECK_EQ(bed.lines, 1); /* channel 0 is still too much */
    DEBUG(0, KILL);
    bed_run(1);
    PUT(CODE + 0x40, NOP, END);
    bed_go(3, CODE + 0x40);
    bed_settle();
    CHECK_EQ(bed.lines, 0);
}

TEST(what_another_channel_can_still_end_is_no_lock_up, "")
{
    lock_two_channels_up();
    PUT(CODE + 0x80, LP1(8), LP0(256), NOP, LPEND0(1), LPEND1(5), END);
    bed_go(3, CODE + 0x80);
    bed_run(3000);
    CHECK_EQ(bed.lines, 0);
    bed_settle();
    CHECK_EQ(bed.lines, 1);
}

TEST(a_held_channel_is_no_lock_up, "")
{
    start_with_fifo(8);
    PUT(CODE, COPY(3, 8), LD, RMB, NOP, DAR(TARGET), STZ, ST, END);
    PUT(CODE + 0x40, SAR(SOURCE + 64), DAR(TARGET + 256), CCR(CONTROL(3, 8)), LD, ST, END);
    engine_hold(bed.engine, 0)->at_burst = 2;
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed.held, 1);
    bed_go(1, CODE + 0x40);
    bed_run(5000);
    CHECK_EQ(bed_state(1), EXECUTING);
    engine_let_go(bed.engine, 0, 0);
    bed_settle();
    CHECK_EQ(bed_fault(1) | bed_fault(0), 0);
    CHECK(memcmp(bed_at(SOURCE + 64), bed_at(TARGET + 256), 64) == 0);
}

/* ---- the instruction cache ---- */

TEST(a_program_that_is_overwritten_is_seen_when_its_lines_are_fetched_anew, "")
{
    bed.config.cache_line = 16;
    bed_start();
    PUT(CODE, WFE(0), ADDH_SAR(1), END);
    bed_go(0, CODE);
    bed_settle();
    PUT(CODE, WFE(0), ADDH_SAR(5), END);
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(SAR0), 1); /* from the cache */
    bed_go(0, CODE);
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(SAR0), 6);
    PUT(CODE, WFEI(0), ADDH_SAR(1), END);
    bed_go(0, CODE);
    bed_settle();
    PUT(CODE, WFEI(0), ADDH_SAR(9), END);
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(SAR0), 15);
}

TEST(a_loop_in_the_cache_is_fetched_once, "")
{
    RUN(LP0(200), NOP, NOP, NOP, NOP, LPEND0(4), END);
    CHECK_EQ(bed.fetches, 3);
    bed.fetches = 0;
    PUT(CODE + 0x100, LP0(10), NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP,
        NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP,
        LPEND0(36), END);
    bed_go(0, CODE + 0x100); /* more than eight lines of four bytes */
    bed_settle();
    CHECK(bed.fetches > 20);
}

TEST(a_line_that_takes_the_place_of_another_is_nobody_elses, "")
{
    memset(bed_at(CODE), NOP, 32);
    PUT(CODE + 2, WFE(0)); /* at the end of the first of eight lines of four bytes */
    PUT(CODE + 32, WFE(1), END);
    bed_go(0, CODE);
    bed_settle();
    bed_go(1, CODE + 32); /* in the place of the first */
    bed_settle();
    bed.fetches = 0;
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(CPC0), CODE + 32);
    CHECK_EQ(bed.fetches, 8);
}

TEST(threads_that_take_lines_from_each_other_all_go_on, "")
{
    bed.config.cache_line = 32;
    bed.config.latency = 8;
    bed_start();
    for (uint32_t n = 0; n < 8; n++) { /* eight lines: the two that each DMAMOV needs are those of all */
        PUT(CODE + 256 * n + 28, SAR(0x5678 + n), END);
        bed_go(n, CODE + 256 * n + 28);
        bed_run(2); /* so that at any time another one fetches */
    }
    bed_settle();
    for (uint32_t n = 0; n < 8; n++) {
        CHECK_EQ(bed_state(n), STOPPED);
        CHECK_EQ(bed_register(SAR0 + 0x20 * n), 0x5678 + n);
    }
}

TEST(a_line_that_failed_is_nobodys, "")
{
    bed.config.cache_line = 16;
    bed_start();
    PUT(CODE, WFE(0), ADDH_SAR(1), END);
    bed_go(0, CODE);
    bed_settle();
    bed.broken = true;
    bed_go(1, CODE);
    bed_settle();
    CHECK_EQ(bed_state(1), FAULTING);
    bed.broken = false;
    PUT(CODE, WFE(0), ADDH_SAR(5), END);
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(SAR0), 5);
}

TEST(another_thread_fetches_a_line_for_itself, "")
{
    PUT(CODE, WFE(0), END);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed.fetches, 1);
    bed_go(1, CODE);
    bed_settle();
    CHECK_EQ(bed.fetches, 2);
}

/* ---- time ---- */

TEST(a_burst_takes_its_beats_and_the_latency, "")
{
    PUT(CODE, CCR(CONTROL(3, 16)), SAR(SOURCE), DAR(TARGET), WFE(0), LD, ST, WMB, END);
    bed_go(0, CODE);
    bed_settle();
    DEBUG(ENGINE_MANAGER, SEV(0));
    while (bed.reads == 0) {
        bed_run(1);
    }
    for (uint32_t cycle = 0; cycle < 16 + 4; cycle++) {
        CHECK_EQ(bed.writes, 0);
        bed_run(1);
    }
    CHECK_EQ(bed.writes, 1);
}

TEST(time_stops_where_it_is_told_to, "")
{
    PUT(CODE, COPY(3, 16), LP0(30), LD, ST, LPEND0(2), WMB, END);
    bed_go(0, CODE);
    for (uint32_t i = 0; i < 50; i++) {
        uint64_t next = engine_next(bed.engine), reads = bed.reads, issued = bed.issued;

        CHECK(next > bed.now);
        bed_run(next - bed.now - 1);
        CHECK_EQ(bed.reads + bed.issued, reads + issued);
        bed_run(1);
    }
    engine_run(bed.engine, ENGINE_NEVER);
    CHECK_EQ(bed_state(0), STOPPED);
    bed_check_copied(30 * 128);
}

/* Of all that is left. */
static uint64_t digest_of_all(void)
{
    for (uint32_t n = 0; n < 8; n++) {
        bed_mix(bed_register(SAR0 + 0x20 * n));
        bed_mix(bed_register(DAR0 + 0x20 * n));
        bed_mix(bed_register(CPC0 + 8 * n));
    }
    for (uint32_t i = 0; i < BED_SIZE; i++) {
        bed_mix(bed.memory[i]);
    }
    bed_mix(bed.issued);
    return bed.digest;
}

static uint64_t run_in_steps(uint64_t step)
{
    bed_reset();
    PUT(CODE, COPY(2, 5), LP0(30), LD, ST, LD, WMB, ST, LPEND0(5), END);
    PUT(CODE + 0x40, SAR(SOURCE + 3), DAR(TARGET + 0x1000), CCR(CONTROL(0, 7)), LP0(50), LD, ST, LPEND0(2),
        END);
    bed_go(0, CODE);
    bed_go(5, CODE + 0x40);
    while (bed.now < 6000) {
        bed_run(step);
    }
    return digest_of_all();
}

TEST(how_often_the_engine_is_run_changes_nothing, "")
{
    uint64_t all = run_in_steps(6000);

    CHECK_EQ(run_in_steps(1), all);
    CHECK_EQ(run_in_steps(3), all);
    CHECK_EQ(run_in_steps(1000), all);
}

/* ---- rounds that are alike ---- */

/* A program whose loop goes round often; how the peripheral asks, and in what steps time passes. */
static uint64_t run_loop(const uint8_t *code, size_t bytes, bool skips, uint64_t step)
{
    bed_reset();
    bed.config.cache_line = 32; /* so that the loop is in the instruction cache */
    bed.config.latency = 16;    /* so that much is on its way */
    bed_start();
    bed.skips = skips;
    bed.asks = ENGINE_REQUEST_BURST;
    bed.asks_left = 70; /* then it does not ask for some time */
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    bed_set(INTEN, 1);
    bed_put(CODE, code, bytes);
    bed_go(0, CODE);
    while (bed.now < 20000) {
        if (bed.asks == ENGINE_REQUEST_NONE && bed.now > 8000) {
            bed.asks = ENGINE_REQUEST_BURST;
            engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
        }
        bed_run(step);
    }
    return digest_of_all();
}

#define IS_THE_SAME(least, ...)                                                                                \
    do {                                                                                                       \
        static const uint8_t code[] = {__VA_ARGS__};                                                           \
        for (uint64_t step = 1; step < 5000; step = step * 3 + 1) {                                            \
            uint64_t told = run_loop(code, sizeof(code), false, step);                                         \
                                                                                                               \
            CHECK_EQ(bed.skipped, 0);                                                                          \
            CHECK_EQ(run_loop(code, sizeof(code), true, step), told);                                          \
            CHECK(step < 1000 || bed.skipped >= (least));                                                      \
        }                                                                                                      \
    } while (0)

TEST(rounds_that_are_alike_leave_what_they_leave_one_by_one, "")
{
    IS_THE_SAME(400, COPY(2, 1), LP0(200), LD, ST, WMB, LPEND0(3), SEV(0), END);
    IS_THE_SAME(400, COPY(3, 8), LP0(250), LD, ST, LPEND0(2), WMB, SEV(0), END);
    IS_THE_SAME(400, COPY(3, 1), LP1(250), LD, ADDH_SAR(8), ST, LPEND1(5), WMB, END);
    IS_THE_SAME(300, DAR(TARGET), CCR(CONTROL(3, 4)), LP0(200), STZ, WMB, LPEND0(2), END);
    IS_THE_SAME(400, COPY(2, 1), FLUSHP(0), LP0(200), WFPS(0), LD, STPS(0), WMB, LPEND0(6), SEV(0), END);
    IS_THE_SAME(300, COPY(2, 4), FLUSHP(0), LP0(200), WFPB(0), LDPB(0), ST, WMB, LPEND0(6), SEV(0), END);
    IS_THE_SAME(400, COPY(1, 2), LP1(20), LP0(100), LD, ST, WMB, LPEND0(3), LPEND1(7), END);
    IS_THE_SAME(400, SAR(SOURCE + 1), DAR(TARGET), CCR(CONTROL(0, 3)), LP0(200), LD, ST, WMB, LPEND0(3), END);
}

TEST(rounds_that_are_not_alike_are_executed_one_by_one, "")
{
    IS_THE_SAME(0, COPY(2, 1), LP0(200), NOP, SEV(1), LD, ST, WMB, LPEND0(6), END);
    IS_THE_SAME(0, SAR(SOURCE), DAR(SOURCE + 4), CCR(CONTROL(2, 1)), LP0(200), LD, ST, WMB, LPEND0(3), END);
    IS_THE_SAME(0, SAR(BED_BASE + BED_SIZE - 400), DAR(TARGET), CCR(CONTROL(2, 1)), LP0(200), LD, ST, WMB,
                LPEND0(3), END);
    IS_THE_SAME(0, SAR(SOURCE + 2), DAR(TARGET), CCR(CONTROL(2, 1)), LP0(200), LD, ST, WMB, LPEND0(3), END);
    IS_THE_SAME(0, COPY(2, 1), LP0(200), LD, LPEND0(1), END);
    IS_THE_SAME(0, COPY(2, 1), FLUSHP(0), LP0(200), LD, STPS(0), WMB, WFPS(0), LPEND0(6), END);
    /* the loads catch up with the stores, which are not there yet */
    IS_THE_SAME(0, SAR(SOURCE), DAR(SOURCE + 800), CCR(CONTROL(3, 1)), LP0(250), LD, ADDH_SAR(8), ST, LPEND0(5),
                END);
}

TEST(a_hold_is_met_among_rounds_that_are_alike, "")
{
    bed.config.cache_line = 32;
    bed_start();
    bed.skips = true;
    engine_hold(bed.engine, 0)->at_burst = 100;
    RUN(COPY(2, 1), LP0(200), LD, ST, WMB, LPEND0(3), END);
    CHECK_EQ(bed.held, 1);
    CHECK_EQ(bed.reads, 99);
}

/* ---- predictions ---- */

TEST(a_prediction_names_the_cycle_of_an_interrupt, "")
{
    uint64_t at;

    bed_set(INTEN, 1);
    PUT(CODE, COPY(3, 4), LP0(20), LD, ST, LPEND0(2), WMB, SEV(0), END);
    bed_go(0, CODE);
    at = engine_predict(bed.engine, 100000).cycle;
    CHECK(at > 100 && at < 1000);
    CHECK_EQ(engine_predict(bed.engine, at - 1).cycle, at - 1);
    CHECK_EQ(bed.lines + bed.reads + bed.issued, 0);
    bed_run(at / 2);
    CHECK_EQ(engine_predict(bed.engine, 100000).cycle, at);
    bed_run(at - bed.now - 1);
    CHECK_EQ(bed.lines, 0);
    bed_run(1);
    CHECK_EQ(bed.lines, 2);
    bed_check_copied(640);
    CHECK_EQ(engine_predict(bed.engine, bed.now + 100000).cycle, ENGINE_NEVER);
}

TEST(a_prediction_names_the_cycle_of_a_fault_or_hold, "")
{
    uint64_t at;

    PUT(CODE, COPY(3, 4), LD, ST, SAR(4), LD, END);
    bed_go(0, CODE);
    at = engine_predict(bed.engine, 100000).cycle;
    bed_run(at - 1);
    CHECK_EQ(bed.faulted, 0);
    bed_run(1);
    CHECK_EQ(bed.faulted, 1);
    DEBUG(0, KILL);
    PUT(CODE, COPY(3, 4), DAR(4), STZ, END);
    bed_go(0, CODE);
    at = engine_predict(bed.engine, 100000).cycle;
    bed_run(at - bed.now - 1);
    CHECK_EQ(bed.faulted, 1);
    bed_run(1);
    CHECK_EQ(bed.faulted, 2);
    DEBUG(0, KILL);
    engine_hold(bed.engine, 0)->at_burst = 3;
    PUT(CODE, COPY(3, 4), LP0(9), LD, ST, LPEND0(2), END);
    bed_go(0, CODE);
    at = engine_predict(bed.engine, 100000).cycle;
    bed_run(at - bed.now - 1);
    CHECK_EQ(bed.held, 0);
    bed_run(1);
    CHECK_EQ(bed.held, 1);
}

TEST(a_prediction_tells_what_interrupts_from_holds, "")
{
    engine_hold(bed.engine, 0)->at_burst = 2;
    PUT(CODE, COPY(3, 4), LD, ST, LD, ST, 0xff);
    bed_go(0, CODE);
    CHECK(!engine_predict(bed.engine, 100000).interrupts);
    engine_hold(bed.engine, 0)->at_burst = 0;
    CHECK(engine_predict(bed.engine, 100000).interrupts);
}

TEST(a_prediction_names_a_fault_while_the_abort_line_is_high, "")
{
    uint64_t at;

    DEBUG(4, NOP);
    CHECK_EQ(bed.lines, 1);
    PUT(CODE, NOP, NOP, 0xff);
    bed_go(0, CODE);
    at = engine_predict(bed.engine, 100000).cycle;
    CHECK(at < 100);
    bed_run(at - 1);
    CHECK_EQ(bed.faulted, 1);
    bed_run(1);
    CHECK_EQ(bed.faulted, 2);
}

TEST(a_prediction_believes_that_peripherals_go_on_asking, "")
{
    uint64_t at;

    bed_set(INTEN, 1);
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    PUT(CODE, COPY(2, 4), LP0(5), WFPB(0), LDPB(0), STB, LPEND0(5), WMB, SEV(0), END);
    bed_go(0, CODE);
    bed.asks = ENGINE_REQUEST_BURST;
    at = engine_predict(bed.engine, 100000).cycle;
    CHECK_EQ(bed.answers, 0);
    bed_run(at - 1);
    CHECK_EQ(bed.lines, 0);
    bed_run(1);
    CHECK_EQ(bed.lines, 2);
}

/* The bound, behind which what is predicted comes. */
static uint64_t bound(void)
{
    uint64_t horizon = bed.now + 1000000, at = engine_predict(bed.engine, horizon).cycle;
    uint64_t quiet = engine_quiet(bed.engine, horizon);

    CHECK(at == ENGINE_NEVER ? quiet == horizon : quiet < at);
    return at == ENGINE_NEVER ? 0 : at - quiet;
}

static void begin(const uint8_t *code, size_t bytes)
{
    bed_reset();
    bed.config.cache_line = 32;
    bed.config.latency = 0;
    bed_start();
    bed_set(INTEN, 1);
    bed_put(CODE, code, bytes);
    bed_go(0, CODE);
    bed_run(200); /* what it executes is in the instruction cache */
}
#define BEGIN(...) begin((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(a_bound_is_close_to_what_comes, "")
{
    BEGIN(LP1(250), LP0(250), NOP, LPEND0(1), LPEND1(5), SEV(0), END);
    CHECK(bound() < 1500); /* of 188,000 cycles the rest of the inner loop, which takes its second cycles */
    BEGIN(LP0(250), NOP, LPEND0(1), SEV(0), END);
    CHECK(bound() < 4);
    BEGIN(LP0(250), NOP, LPEND0(1), 0xff);
    CHECK(bound() < 4);
    BEGIN(COPY(2, 1), LP0(250), LD, ST, WMB, LPEND0(3), SEV(0), END);
    CHECK(bound() < 40);
    BEGIN(COPY(2, 1), LP0(250), LD, ST, WMB, LPEND0(3), ST, END); /* what was not loaded */
    CHECK(bound() < 40);
    BEGIN(COPY(2, 1), LP0(250), LD, ST, WMB, LPEND0(3), SAR(0), LD, END); /* from where nothing is */
    CHECK(bound() < 40);
    BEGIN(LP0(250), NOP, LPEND0(1), WFPS(0), SEV(0), END);
    CHECK_EQ(bound(), 0);
    BEGIN(LP0(250), NOP, LPEND0(1), END, SEV(0));
    CHECK_EQ(bound(), 0);
}

/* Behind these instructions the program sends an event: the bound comes before, and not at once. */
#define IS_BOUND(least, ...)                                                                                   \
    do {                                                                                                       \
        BEGIN(__VA_ARGS__, WMB, SEV(0), END);                                                                  \
        CHECK(bound() > 0);                                                                                    \
        CHECK(engine_quiet(bed.engine, bed.now + 1000000) - bed.now >= (least));                               \
    } while (0)

TEST(a_bound_knows_each_instruction_that_moves_bytes, "")
{
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    IS_BOUND(400, DAR(TARGET), CCR(CONTROL(2, 1)), LP0(200), STZ, WMB, LPEND0(2));
    IS_BOUND(400, COPY(2, 1), LP0(200), LD, ADDH_SAR(4), ST, ADDH_DAR(4), RMB, WMB, LPEND0(10));
    IS_BOUND(400, COPY(2, 1), LP0(200), LD, ADNH_SAR(0xfffc), ST, WMB, LPEND0(6));
    IS_BOUND(100, LP1(100), SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 1)), LD, ST, WMB, LPEND1(21));
    IS_BOUND(100, COPY(2, 1), LP0(200), LDS, STS, WMB, LPEND0(3)); /* the request is single at first */
    IS_BOUND(100, COPY(2, 1), LP0(200), LDB, STB, WMB, LPEND0(3));
}

/* The peripheral goes on asking. */
static void begin_asked(const uint8_t *code, size_t bytes)
{
    begin(code, bytes);
    bed.asks = ENGINE_REQUEST_BURST;
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    bed_run(200);
}
#define BEGIN_ASKED(...) begin_asked((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(a_bound_believes_that_peripherals_go_on_asking, "")
{
    BEGIN_ASKED(COPY(2, 1), LP0(250), WFPS(0), LD, STPS(0), WMB, LPEND0(6), SEV(0), END);
    CHECK(bound() < 40);
    BEGIN_ASKED(COPY(2, 4), LP0(250), WFPB(0), LDPB(0), STB, WMB, LPEND0(6), SEV(0), END);
    CHECK(bound() < 40);
    BEGIN_ASKED(COPY(2, 1), LP0(250), WFPP(0), LDPS(0), LDPB(0), STS, STB, WMB, LPEND0(9), SEV(0), END);
    CHECK(bound() > 0); /* which of the loads it is, is not known */
}

TEST(where_nothing_can_be_seen_there_is_no_bound, "")
{
    PUT(CODE, LPEND0B(0), END); /* whether it goes back depends on a request */
    bed_go(0, CODE);
    CHECK_EQ(engine_quiet(bed.engine, bed.now + 100000), bed.now);
    BEGIN(LP0(250), NOP, LPEND0(1), SEV(0), END);
    engine_hold(bed.engine, 0)->at_burst = 5;
    CHECK_EQ(engine_quiet(bed.engine, bed.now + 100000), bed.now);
    engine_hold(bed.engine, 0)->at_burst = 0;
    bed_go(1, CODE);
    bed_run(50);
    CHECK_EQ(engine_quiet(bed.engine, bed.now + 100000), bed.now);
}

/* ---- holds ---- */

TEST(a_channel_is_held_before_each_burst_with_nothing_on_its_way, "")
{
    for (uint32_t burst = 1; burst <= 16; burst++) {
        bed_reset();
        engine_hold(bed.engine, 0)->at_burst = burst;
        RUN(COPY(3, 4), LP0(8), LD, LD, ST, ST, LPEND0(4), SEV(0), END);
        CHECK_EQ(bed.held, 1);
        CHECK_EQ(bed_state(0), EXECUTING);
        CHECK_EQ(bed.reads, burst - 1);
        CHECK_EQ(engine_hold(bed.engine, 0)->at_burst, 0);
        CHECK_EQ(engine_thread(bed.engine, 0).bursts, burst - 1);
        CHECK_EQ(engine_thread(bed.engine, 0).stored, (burst - 1) / 2 * 64);
        CHECK_EQ(engine_thread(bed.engine, 0).in_fifo, (burst - 1) % 2 * 32);
        bed_check_copied((burst - 1) / 2 * 64);
        engine_let_go(bed.engine, 0, 1);
        bed_settle();
        CHECK_EQ(bed.held, burst < 16 ? 2 : 1);
        CHECK_EQ(bed.reads, burst);
        engine_let_go(bed.engine, 0, 0);
        bed_settle();
        CHECK_EQ(bed_state(0), STOPPED);
        bed_check_copied(512);
    }
}

TEST(a_channel_is_held_before_it_passes_a_byte, "")
{
    for (uint32_t byte = 1; byte <= 256; byte++) {
        bed_reset();
        engine_hold(bed.engine, 0)->at_byte = byte;
        RUN(COPY(3, 4), LP0(4), LD, ST, LPEND0(2), DAR(TARGET + 128), LP0(4), STZ, LPEND0(1), END);
        CHECK_EQ(bed.held, byte < 256);
        CHECK_EQ(engine_thread(bed.engine, 0).begun, byte / 32 * 32);
    }
}

TEST(a_channel_is_held_only_when_its_stores_have_ended, "")
{
    engine_hold(bed.engine, 0)->at_burst = 2;
    PUT(CODE, COPY(3, 4), LD, ST, LD, ST, END);
    bed_go(0, CODE);
    while (!bed.held) {
        bed_run(1);
    }
    CHECK_EQ(bed.writes, 1);
    CHECK_EQ(engine_thread(bed.engine, 0).stored, 32);
}

TEST(a_hold_outlives_a_reset, "")
{
    engine_hold(bed.engine, 0)->at_burst = 1;
    engine_reset(bed.engine);
    bed.now = 0;
    RUN(COPY(3, 4), LD, ST, END);
    CHECK_EQ(bed.held, 1);
}

TEST(a_held_channel_can_be_killed_and_only_a_held_one_let_go, "")
{
    engine_hold(bed.engine, 0)->at_burst = 1;
    RUN(COPY(3, 4), LD, ST, END);
    CHECK(engine_thread(bed.engine, 0).held);
    DEBUG(0, KILL);
    CHECK(!engine_thread(bed.engine, 0).held);
    engine_let_go(bed.engine, 0, 0);
    CHECK_EQ(engine_next(bed.engine), ENGINE_NEVER);
    RUN(COPY(3, 4), LD, ST, END);
    bed_check_copied(32);
}

TEST(a_pause_follows_each_burst_but_not_in_a_step, "")
{
    engine_hold(bed.engine, 0)->pause_cycles = 1000;
    PUT(CODE, COPY(3, 1), LP0(4), LD, ST, WMB, LPEND0(3), END);
    bed_go(0, CODE);
    for (uint32_t burst = 1; burst <= 4; burst++) {
        bed_run(450);
        engine_let_go(bed.engine, 0, 0); /* nobody holds it */
        bed_run(450);
        CHECK_EQ(bed.writes, burst);
        bed_run(101);
    }
    bed_run(60); /* it is from burst to burst */
    CHECK_EQ(bed_state(0), STOPPED);
    engine_hold(bed.engine, 0)->at_burst = 1;
    bed_go(0, CODE);
    bed_settle();
    engine_let_go(bed.engine, 0, 3);
    bed_run(200);
    CHECK_EQ(bed.held, 2);
    CHECK_EQ(engine_thread(bed.engine, 0).bursts, 3);
}

TEST(a_prediction_ends_at_an_access_with_an_effect, "")
{
    struct engine_prediction next;

    bed.effect = TARGET + 64;
    PUT(CODE, COPY(3, 8), LP0(4), LD, ST, WMB, LPEND0(3), END);
    bed_go(0, CODE);
    next = engine_predict(bed.engine, 100000);
    CHECK(next.interrupts);
    bed_run(next.cycle - 1 - bed.now);
    CHECK_EQ(bed.writes, 1);
    bed_run(1);
    CHECK_EQ(bed.writes, 2);
    bed.effect = 0;
    CHECK_EQ(engine_predict(bed.engine, 100000).cycle, ENGINE_NEVER);
}

/* ---- findings ---- */

static void change_after(uint32_t event)
{
    const uint8_t send[] = {0x34, (uint8_t)(event << 3)};

    bed.findings = 0;
    PUT(CODE, WFE(1), SEV(2), END);
    bed_go(0, CODE);
    bed_settle();
    bed_debug(ENGINE_MANAGER, send, sizeof(send));
    bed_settle();
    *bed_at(CODE + 2) ^= 0xff;
}

TEST(a_program_that_is_changed_while_it_runs_is_a_finding, "")
{
    change_after(3); /* it waits still */
    DEBUG(ENGINE_MANAGER, SEV(1));
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed.findings, 1);
    CHECK_EQ(bed.finding[0].kind, ENGINE_FINDING_PROGRAM_CHANGED);
    CHECK_EQ(bed.finding[0].other, CODE + 2);
    change_after(3);
    DEBUG(0, KILL);
    CHECK_EQ(bed.findings, 1);
    change_after(1); /* it had ended */
    DEBUG(0, KILL);
    CHECK_EQ(bed.findings, 0);
}

TEST(a_request_that_moves_nothing_is_a_finding, "")
{
    bed.asks = ENGINE_REQUEST_SINGLE;
    PUT(CODE, COPY(2, 4), FLUSHP(0), WFPS(0), LDPB(0), STB, WFPS(0), LDPS(0), STS, WMB, WFPS(0), LDB, END);
    engine_request(bed.engine, 0, ENGINE_REQUEST_SINGLE, false);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed.findings, 2);
    CHECK_EQ(bed.finding[0].kind, ENGINE_FINDING_UNUSED_REQUEST);
    CHECK_EQ(bed.finding[0].other, CODE + 20);
    CHECK_EQ(bed.finding[0].microcode, CODE + 25);
    CHECK_EQ(bed.finding[1].microcode, CODE + 34);
}

TEST(a_request_of_before_the_start_is_a_finding_without_dmaflushp, "")
{
    engine_request(bed.engine, 0, ENGINE_REQUEST_SINGLE, false);
    bed_run(1);
    RUN(COPY(2, 4), WFPS(0), LDS, STS, END);
    CHECK_EQ(bed.findings, 1);
    CHECK_EQ(bed.finding[0].kind, ENGINE_FINDING_OLD_REQUEST);
    CHECK_EQ(bed.finding[0].microcode, CODE + 18);
    bed.asks = ENGINE_REQUEST_SINGLE;
    RUN(COPY(2, 4), FLUSHP(0), WFPS(0), LDS, STS, END);
    CHECK_EQ(bed.findings, 1);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, bed_reset);
}
