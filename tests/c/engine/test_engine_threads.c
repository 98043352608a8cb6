/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the PL330: starts, ends, kills, faults, security, events, registers, the debug interface. */
#include "bed.h"

enum { STOPPED, EXECUTING, CACHE_MISS, UPDATING_PC, WAITING_EVENT, AT_BARRIER, WAITING_PERIPHERAL = 7 };
enum { KILLING = 8, COMPLETING, FAULTING_COMPLETING = 14, FAULTING };
enum { UNDEFINED = 1, OPERAND = 2, DMAGO_ERROR = 1 << 4, EVENT_ERROR = 1 << 5, PERIPHERAL_ERROR = 1 << 6 };
enum { CONTROL_ERROR = 1 << 7, MFIFO_ERROR = 1 << 12, NO_DATA = 1 << 13, FETCH_ERROR = 1 << 16 };
enum { WRITE_ERROR = 1 << 17, READ_ERROR = 1 << 18, BY_DEBUG = 1 << 30 };
#define LOCKED_UP (1u << 31)
#define COPY      SAR(SOURCE), DAR(TARGET), CCR(CONTROL(3, 4))

/* ---- what is built in ---- */

TEST(the_constant_registers_describe_the_configuration, "")
{
    CHECK_EQ(bed_register(CR0), 0x001e3071);
    CHECK_EQ(bed_register(0xe04), 0x72);
    CHECK_EQ(bed_register(0xe14), 0x0fff7f73);
    CHECK_EQ(bed_register(0xfe0), 0x30);
    CHECK_EQ(bed_register(0xfe4), 0x13);
    CHECK_EQ(bed_register(0xfe8), 0x24);
    CHECK_EQ(bed_register(0xfec), 0x00);
    CHECK_EQ(bed_register(0xff0), 0x0d);
    CHECK_EQ(bed_register(0xffc), 0xb1);
    bed.config = (struct engine_config){.channels = 1,
                                        .peripherals = 0,
                                        .events = 32,
                                        .bus_bytes = 16,
                                        .read_capacity = 2,
                                        .write_capacity = 3,
                                        .read_queue = 4,
                                        .write_queue = 5,
                                        .cache_line = 32,
                                        .cache_lines = 16,
                                        .revision = 3,
                                        .fifo_lines = 1024,
                                        .nonsecure_events = 0x12345678,
                                        .nonsecure_peripherals = 9,
                                        .manager_nonsecure = true,
                                        .boot_address = 0x40000100};
    bed_start();
    CHECK_EQ(bed_register(CR0), 31u << 17 | 1 << 2);
    CHECK_EQ(bed_register(0xe04), 0xf5);
    CHECK_EQ(bed_register(0xe08), 0x40000100);
    CHECK_EQ(bed_register(0xe0c), 0x12345678);
    CHECK_EQ(bed_register(0xe10), 9);
    CHECK_EQ(bed_register(0xe14), 1023u << 20 | 3 << 16 | 1 << 12 | 4 << 8 | 2 << 4 | 4);
    CHECK_EQ(bed_register(DSR), 1 << 9);
    CHECK_EQ(bed_register(0x018), 0);
    CHECK_EQ(bed_register(0xf00), 0);
    CHECK_EQ(bed_register(CSR0 + 8), 0); /* there is one channel only */
    CHECK_EQ(bed_register(CCR0 + 0x20), 0);
    CHECK_EQ(bed_register(CCR0 + 0x0c), 0);
}

static void refuses(const char *beginning, struct engine_config config)
{
    const char *sentence = engine_config_error(&config);

    CHECK(sentence && strncmp(sentence, beginning, strlen(beginning)) == 0);
}

TEST(a_configuration_that_cannot_be_is_named, "")
{
#define WITH(field, value)                                                                                     \
    do {                                                                                                       \
        struct engine_config config = bed.config;                                                              \
        config.field = value;                                                                                  \
        refuses(#field, config);                                                                               \
    } while (0)
    WITH(channels, 0);
    WITH(channels, 9);
    WITH(peripherals, 33);
    WITH(events, 0);
    WITH(events, 33);
    WITH(bus_bytes, 2);
    WITH(bus_bytes, 12);
    WITH(bus_bytes, 32);
    WITH(read_capacity, 0);
    WITH(write_capacity, 9);
    WITH(read_queue, 17);
    WITH(write_queue, 0);
    WITH(cache_line, 6);
    WITH(cache_line, 64);
    WITH(cache_lines, 17);
    WITH(revision, 4);
    WITH(fifo_lines, 0);
    WITH(fifo_lines, 1025);
}

/* ---- start and end ---- */

TEST(dmago_starts_a_stopped_channel_only, "")
{
    PUT(CODE, WFE(0), END);
    bed_go(2, CODE);
    CHECK_EQ(bed_state(2), UPDATING_PC);
    bed_run(4);
    CHECK_EQ(bed_state(2), CACHE_MISS);
    bed_settle();
    CHECK_EQ(bed_register(CSR0 + 16), WAITING_EVENT);
    bed_go(2, CODE + 0x100);
    bed_settle();
    CHECK_EQ(bed_register(CPC0 + 16), CODE);
    CHECK_EQ(bed_register(DSR), STOPPED);
    DEBUG(ENGINE_MANAGER, GO(8, CODE));
    CHECK_EQ(bed_register(FTRD), OPERAND | BY_DEBUG);
}

TEST(dmaend_waits_for_what_is_on_its_way_and_drops_the_rest, "")
{
    PUT(CODE, COPY, LD, LD, ST, END);
    bed_go(0, CODE);
    while (bed_state(0) != COMPLETING) {
        bed_run(1);
        CHECK(bed.now < 200);
    }
    CHECK_EQ(bed.writes, 0);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed.writes, 1);
    CHECK_EQ(engine_thread(bed.engine, 0).in_fifo, 0);
    RUN(COPY, LD, ST, END); /* the next program finds nothing of the first */
    bed_check_copied(32);
    CHECK_EQ(bed_fault(0), 0);
}

TEST(a_channel_starts_with_a_single_request_and_its_old_registers, "")
{
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    RUN(COPY, LP0(7), WFPB(0), END);
    RUN(LDB, LDS, STS, END);
    CHECK_EQ(bed_register(SAR0), SOURCE + 8);
    CHECK_EQ(bed_register(LC0_0), 6);
}

/* ---- states ---- */

TEST(a_barrier_shows_itself_while_it_waits, "")
{
    PUT(CODE, COPY, LD, RMB, ST, WMB, END);
    bed_go(0, CODE);
    while (bed_state(0) != AT_BARRIER) {
        bed_run(1);
        CHECK(bed.now < 100);
    }
    CHECK_EQ(bed_register(CPC0), CODE + 19);
    CHECK_EQ(bed.reads, 0);
    while (bed_register(CPC0) != CODE + 21 || bed_state(0) != AT_BARRIER) {
        bed_run(1);
        CHECK(bed.now < 100);
    }
    CHECK_EQ(bed.reads, 1);
    CHECK_EQ(bed.writes, 0);
    bed_settle();
    bed_check_copied(32);
}

TEST(a_kill_completes_what_had_its_turn_and_drops_the_rest, "")
{
    uint64_t now;

    PUT(CODE, COPY, LP0(8), LD, ST, LPEND0(2), END);
    bed_go(0, CODE);
    while (bed.writes < 2) {
        bed_run(1);
    }
    now = bed.now;
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), KILLING);
    CHECK(bed_register(CSR0) == KILLING);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK(engine_now(bed.engine) > now);
    CHECK(bed.writes < 8);
    CHECK_EQ(bed_register(FSRC), 0);
    for (uint32_t i = 0; i < 100; i++) {
        RUN(COPY, LD, ST, END);
        bed_check_copied(32);
    }
}

TEST(a_kill_drops_what_waits_for_the_bus, "")
{
    bed.config.write_capacity = 1;
    bed.config.latency = 100;
    bed.config.cache_line = 32;
    bed_start();
    PUT(CODE, DAR(TARGET), CCR(CONTROL(3, 1)), STZ, STZ, STZ, STZ, STZ, STZ, WMB, END);
    bed_go(0, CODE);
    while (bed_state(0) != AT_BARRIER) {
        bed_run(1);
    }
    DEBUG(0, KILL);
    bed_settle();
    CHECK_EQ(bed.writes, 1);
    CHECK_EQ(bed_state(0), STOPPED);
}

TEST(a_killed_channel_takes_nothing_from_others, "")
{
    bed.config.latency = 200;
    bed_start();
    PUT(CODE, COPY, LD, ST, END);
    PUT(CODE + 0x40, SAR(SOURCE + 64), DAR(TARGET + 64), CCR(CONTROL(3, 4)), LD, ST, LD, ST, END);
    bed_go(0, CODE);
    while (bed_register(CPC0) < CODE + 19) {
        bed_run(1);
    }
    bed_run(10);
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), KILLING);
    bed_go(1, CODE + 0x40);
    while (bed_register(CPC0 + 8) < CODE + 0x40 + 22) {
        bed_run(1);
    }
    PUT(CODE, COPY, LD, ST, END);
    bed_settle();
    bed_go(0, CODE);
    bed_run(1);
    DEBUG(0, KILL);
    bed_settle();
    CHECK(memcmp(bed_at(SOURCE + 64), bed_at(TARGET + 64), 64) == 0);
}

TEST(a_kill_gives_the_load_lock_up_at_once, "")
{
    bed.config.latency = 30;
    bed.config.cache_line = 32;
    bed_start();
    PUT(CODE, COPY, LD, SAR(SOURCE), ST, END);
    PUT(CODE + 0x40, WFE(0), LD, END);
    bed_go(1, CODE + 0x40);
    bed_settle();
    bed_go(0, CODE);
    while (bed_register(CPC0) < CODE + 19) {
        bed_run(1);
    }
    bed_run(5);
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), KILLING);
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_run(3);
    CHECK_EQ(bed_state(0), KILLING);
    CHECK_EQ(bed_register(CPC0 + 8), CODE + 0x40 + 3);
}

TEST(one_channel_is_killed_while_another_stores, "")
{
    bed.config.write_capacity = 1;
    bed.config.latency = 100;
    bed_start();
    PUT(CODE, DAR(TARGET + 0x1000), CCR(CONTROL(3, 1)), WFE(0), STZ, WMB, END);
    PUT(CODE + 0x40, COPY, LD, LD, ST, ST, WFE(0), END);
    bed_go(0, CODE);
    bed_go(1, CODE + 0x40);
    while (bed_state(1) != WAITING_EVENT) {
        bed_run(1);
    }
    CHECK(bed.writes < 2);
    DEBUG(0, KILL);
    DEBUG(2, SEV(0));
    bed_go(0, CODE + 12);
    bed_run(5);
    DEBUG(0, KILL);
    bed_settle();
    bed_check_copied(64);
}

/* Run the program at CODE up to an instruction that is behind what it does with a peripheral, and kill it. */
static void kill_behind(uint32_t place)
{
    bed_start();
    engine_request(bed.engine, 1, ENGINE_REQUEST_SINGLE, false);
    bed_go(0, CODE);
    while (bed_register(CPC0) < CODE + place) {
        bed_run(1);
    }
    bed_run(5);
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), KILLING);
    bed_settle();
    CHECK_EQ(bed.answers, 0);
}

TEST(a_peripheral_is_not_answered_for_what_was_killed, "")
{
    bed.config.latency = 100;
    PUT(CODE, COPY, WFPS(1), LDPS(1), RMB, END);
    kill_behind(22);
    CHECK_EQ(bed.reads, 1);
    PUT(CODE, SAR(SOURCE), DAR(TARGET), CCR(CONTROL(3, 1)), WFPS(1), LD, RMB, STPS(1), WMB, END);
    kill_behind(24);
    CHECK_EQ(bed.writes, 1);
}

/* A channel in each state: program, and what is to be there. */
static void bring_to(uint32_t state)
{
    bed_reset();
    bed.config.latency = 40;
    bed_start();
    switch (state) {
    case STOPPED:
        return;
    case WAITING_EVENT:
        PUT(CODE, WFE(0), END);
        break;
    case WAITING_PERIPHERAL:
        PUT(CODE, WFPB(0), END);
        break;
    case EXECUTING:
    case UPDATING_PC:
        PUT(CODE, NOP, FOREVER(1));
        break;
    case CACHE_MISS:
    case COMPLETING:
        PUT(CODE, DAR(TARGET), STZ, END);
        break;
    case AT_BARRIER:
    case KILLING:
        PUT(CODE, DAR(TARGET), STZ, WMB, END);
        break;
    default:
        PUT(CODE, DAR(TARGET), STZ, 0xff);
        break;
    }
    bed_go(0, CODE);
    if (state == KILLING) {
        while (bed_state(0) != AT_BARRIER) {
            bed_run(1);
        }
        bed_run(2);
        DEBUG(0, KILL);
    }
    while (bed_state(0) != state) {
        bed_run(1);
        CHECK(bed.now < 1000);
    }
}

static const uint32_t states[] = {
    STOPPED, EXECUTING,  CACHE_MISS,          UPDATING_PC, WAITING_EVENT, AT_BARRIER, WAITING_PERIPHERAL,
    KILLING, COMPLETING, FAULTING_COMPLETING, FAULTING,
};
#define EACH_STATE(state) for (uint32_t i = 0, state; i < 11 && (state = states[i], true); i++)

TEST(a_channel_is_killed_in_every_state, "")
{
    EACH_STATE(state)
    {
        bring_to(state);
        DEBUG(0, KILL);
        CHECK_EQ(bed_fault(0), 0);
        CHECK_EQ(bed_register(FSRC) | bed.lines, 0);
        bed_settle();
        CHECK_EQ(bed_state(0), STOPPED);
        CHECK_EQ(bed_fault(0) | bed.lines, 0);
        RUN(COPY, LD, ST, END);
        bed_check_copied(32);
    }
}

TEST(dmago_does_nothing_in_every_state_but_one, "")
{
    PUT(CODE + 0x100, ADDH_SAR(7), WFE(1));
    EACH_STATE(state)
    {
        bring_to(state);
        PUT(CODE + 0x100, ADDH_SAR(7), WFE(1));
        bed_go(0, CODE + 0x100);
        CHECK_EQ(bed_state(0), state == STOPPED ? UPDATING_PC : state);
        bed_run(500);
        CHECK_EQ(bed_register(SAR0), state == STOPPED ? 7 : 0);
        CHECK_EQ(bed_register(FTRD), 0);
    }
}

TEST(dmasev_by_debug_is_executed_in_every_state_but_faulting, "")
{
    EACH_STATE(state)
    {
        bring_to(state);
        DEBUG(0, SEV(2));
        CHECK_EQ(bed_register(RIS), state >= FAULTING_COMPLETING ? 0 : 4);
        CHECK_EQ(bed_state(0), state);
    }
}

TEST(another_debug_instruction_faults_in_every_state, "")
{
    EACH_STATE(state)
    {
        bring_to(state);
        DEBUG(0, NOP);
        CHECK(bed_state(0) >= FAULTING_COMPLETING);
        bed_settle();
        CHECK_EQ(bed_state(0), FAULTING);
        CHECK_EQ(bed_fault(0), state >= FAULTING_COMPLETING ? UNDEFINED : UNDEFINED | BY_DEBUG);
    }
}

TEST(at_whatever_cycle_a_channel_is_killed_the_next_transfer_is_right, "")
{
    for (uint32_t cycle = 0; cycle < 300; cycle++) {
        bed_reset();
        PUT(CODE, COPY, LP0(6), LD, LD, ST, WMB, ST, LPEND0(6), END);
        bed_go(0, CODE);
        bed_run(cycle);
        DEBUG(0, KILL);
        bed_settle();
        CHECK_EQ(bed_state(0), STOPPED);
        CHECK_EQ(engine_thread(bed.engine, 0).in_fifo, 0);
        memset(bed_at(TARGET), 0, 512);
        RUN(COPY, LP0(16), LD, ST, LPEND0(2), END);
        bed_check_copied(512);
        CHECK_EQ(bed.findings, 0);
    }
}

TEST(killing_what_is_stopped_does_nothing, "")
{
    DEBUG(4, KILL);
    DEBUG(ENGINE_MANAGER, KILL);
    CHECK_EQ(bed_state(4), STOPPED);
    CHECK_EQ(bed.rises, 0);
}

TEST(a_reset_makes_it_as_good_as_new, "")
{
    struct engine_thread thread;

    bed_set(INTEN, 2);
    PUT(CODE, COPY, LD, LD, ST, SEV(1), 0xff);
    bed_go(0, CODE);
    bed_run(60);
    CHECK(bed.lines);
    engine_reset(bed.engine);
    bed.now = 0;
    CHECK_EQ(bed.lines, 0);
    thread = engine_thread(bed.engine, 0);
    CHECK_EQ(thread.state, STATE_STOPPED);
    CHECK_EQ(thread.fault | thread.sar | thread.dar | thread.pc | thread.in_fifo, 0);
    CHECK_EQ(bed_register(INTEN) | bed_register(RIS) | bed_register(DBGINST0), 0);
    CHECK_EQ(engine_next(bed.engine), ENGINE_NEVER);
    RUN(COPY, LD, ST, END);
    bed_check_copied(32);
}

/* ---- faults ---- */

static void faults_with(uint32_t fault, uint32_t pc, const uint8_t *code, size_t bytes)
{
    bed_put(CODE, code, bytes);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed_state(0), FAULTING);
    CHECK_EQ(bed_fault(0), fault);
    CHECK(!pc || bed_register(CPC0) == pc);
    CHECK_EQ(bed_register(FSRC), 1);
    CHECK_EQ(bed.lines & 1, 1);
    bed_go(0, CODE); /* does nothing */
    bed_settle();
    CHECK_EQ(bed_state(0), FAULTING);
    DEBUG(0, KILL);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed_fault(0) | bed_register(FSRC) | (bed.lines & 1), 0);
    RUN(COPY, LD, ST, END);
    bed_check_copied(32);
}
#define FAULTS(fault, pc, ...)                                                                                 \
    do {                                                                                                       \
        bed_start();                                                                                           \
        faults_with(fault, pc, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}));        \
    } while (0)

TEST(precise_faults_stop_at_the_instruction, "")
{
    FAULTS(UNDEFINED, CODE + 1, NOP, 0xff);
    FAULTS(UNDEFINED, CODE + 1, NOP, KILL);
    FAULTS(UNDEFINED, CODE, GO(0, CODE));
    FAULTS(OPERAND, CODE, SEV(20));
    FAULTS(NO_DATA, CODE + 20, COPY, LD, ST, ST, END);
    FAULTS(NO_DATA, CODE + 18, COPY, ST, END);
}

TEST(a_store_of_more_than_was_loaded_faults, "")
{
    FAULTS(NO_DATA, CODE + 19, SAR(SOURCE), DAR(TARGET),
           CCR(CONTROL_HALF(3, 1, 1) | CONTROL_HALF(3, 2, 1) << 14), LD, ST, END);
}

TEST(what_was_queued_before_a_precise_fault_is_carried_out, "")
{
    PUT(CODE, COPY, LD, ST, LD, ST, 0xff);
    bed_go(0, CODE);
    while (bed_state(0) != FAULTING_COMPLETING) {
        bed_run(1);
        CHECK(bed.now < 100);
    }
    CHECK_EQ(bed_register(FSRC), 1);
    CHECK_EQ(bed.lines, 1);
    bed_settle();
    CHECK_EQ(bed_state(0), FAULTING);
    bed_check_copied(64);
}

TEST(errors_of_the_bus_are_imprecise, "")
{
    FAULTS(READ_ERROR, 0, SAR(1), DAR(TARGET), CCR(CONTROL(0, 1)), LD, ST, END);
    FAULTS(WRITE_ERROR, 0, SAR(SOURCE), DAR(1), CCR(CONTROL(0, 1)), LD, ST, END);
    FAULTS(WRITE_ERROR, 0, DAR(1), STZ, END);
    FAULTS(READ_ERROR | WRITE_ERROR, 0, SAR(1), DAR(1), CCR(CONTROL(0, 1)), STZ, LD, LP0(200), LPEND0(0), END);
}

TEST(a_failed_load_is_stored_nowhere, "")
{
    PUT(CODE, COPY, LD, ST, SAR(0x1000), LD, ST, END);
    memset(bed_at(TARGET), 0x5a, 64);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed_fault(0), READ_ERROR);
    bed_check_copied(32);
    CHECK_EQ(*bed_at(TARGET + 32), 0x5a);
    CHECK_EQ(engine_thread(bed.engine, 0).stored, 32);
}

TEST(a_program_where_nothing_is_faults_when_it_is_fetched, "")
{
    bed_go(1, 0x1000);
    bed_settle();
    CHECK_EQ(bed_fault(1), FETCH_ERROR);
    CHECK_EQ(bed_register(CPC0 + 8), 0x1000);
    DEBUG(1, KILL);
    PUT(BED_BASE + BED_SIZE - 1, 0xbc); /* the rest of it is outside */
    bed_go(1, BED_BASE + BED_SIZE - 1);
    bed_settle();
    CHECK_EQ(bed_fault(1), FETCH_ERROR);
}

TEST(an_error_that_comes_while_a_channel_is_killed_is_forgotten, "")
{
    PUT(CODE, DAR(1), STZ, WMB, END);
    bed_go(0, CODE);
    while (bed_state(0) != AT_BARRIER) {
        bed_run(1);
    }
    bed_run(2);
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), KILLING);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed_fault(0) | bed.lines, 0);
}

/* ---- the debug interface ---- */

TEST(the_debug_interface_takes_three_instructions, "")
{
    CHECK_EQ(bed_register(DBGSTATUS), 0);
    DEBUG(3, NOP);
    CHECK_EQ(bed_fault(3), UNDEFINED | BY_DEBUG);
    CHECK_EQ(bed_register(DBGSTATUS), 0);
    DEBUG(3, SEV(1)); /* a faulting thread can be killed only */
    CHECK_EQ(bed_register(RIS), 0);
    DEBUG(3, KILL);
    DEBUG(3, SEV(1));
    CHECK_EQ(bed_register(RIS), 2);
    DEBUG(2, GO(1, CODE));
    CHECK_EQ(bed_fault(2), UNDEFINED | BY_DEBUG);
    DEBUG(ENGINE_MANAGER, SEV(16));
    CHECK_EQ(bed_register(FTRD), OPERAND | BY_DEBUG);
    CHECK_EQ(bed_register(FSRD), 1);
    CHECK_EQ(bed_register(DSR), FAULTING);
    PUT(CODE, WFE(3), END);
    bed_go(0, CODE); /* a faulting manager starts nothing */
    CHECK_EQ(bed_state(0), STOPPED);
    DEBUG(ENGINE_MANAGER, KILL);
    CHECK_EQ(bed_register(FTRD) | bed_register(FSRD) | bed_register(DSR), 0);
    bed_go(0, CODE);
    CHECK_EQ(bed_state(0), UPDATING_PC);
    CHECK_EQ(bed.lines, 1);
    DEBUG(2, KILL);
    CHECK_EQ(bed.lines, 0);
}

TEST(a_command_with_reserved_bits_or_for_no_channel_is_ignored, "")
{
    bed.config.channels = 2;
    bed_start();
    bed_set(DBGINST0, 0xff << 16 | 7 << 8 | 1);
    bed_set(DBGCMD, 0);
    CHECK_EQ(bed.faulted, 0);
    bed_set(DBGINST0, 0xff << 16 | 1);
    bed_set(DBGCMD, 1);
    CHECK_EQ(bed.faulted, 0);
    bed_set(DBGCMD, 4); /* the others are not looked at */
    CHECK_EQ(bed.faulted, 1);
    CHECK_EQ(bed_register(DBGINST0), 0);
    bed_set(0xffc, 1);
}

/* ---- events ---- */

TEST(an_event_is_kept_for_one_wait, "")
{
    DEBUG(ENGINE_MANAGER, SEV(3));
    CHECK_EQ(bed_register(RIS), 8);
    CHECK_EQ(bed_register(INTMIS), 0);
    bed_set(INTCLR, 8);
    CHECK_EQ(bed_register(RIS), 8);
    RUN(WFE(3), WFE(3), END);
    CHECK_EQ(bed_register(CSR0), WAITING_EVENT | 3 << 4);
    CHECK_EQ(bed_register(CPC0), CODE + 2);
    CHECK_EQ(bed_register(RIS), 0);
    CHECK_EQ(bed.lines, 0);
}

TEST(all_that_wait_are_released_together, "")
{
    PUT(CODE, WFE(7), END);
    for (uint32_t n = 0; n < 8; n++) {
        bed_go(n, CODE);
    }
    bed_settle();
    PUT(CODE + 16, SEV(7), END);
    CHECK_EQ(bed_state(5), WAITING_EVENT);
    DEBUG(5, KILL);
    bed_go(5, CODE + 16);
    bed_settle();
    for (uint32_t n = 0; n < 8; n++) {
        CHECK_EQ(bed_state(n), STOPPED);
    }
    CHECK_EQ(bed_register(RIS), 0);
}

TEST(an_interrupt_is_high_until_it_is_cleared, "")
{
    bed_set(INTEN, 1 << 4);
    RUN(SEV(4), END);
    CHECK_EQ(bed.lines, 1 << 5);
    CHECK_EQ(bed_register(INTMIS), 1 << 4);
    RUN(WFE(4), END); /* an interrupt is no event */
    CHECK_EQ(bed_state(0), WAITING_EVENT);
    bed_set(INTCLR, 1 << 4);
    CHECK_EQ(bed.lines, 0);
    CHECK_EQ(bed_register(RIS), 0);
    DEBUG(0, SEV(4));
    CHECK_EQ(bed.lines, 1 << 5);
    bed_set(INTEN, 0); /* it is an event now, but nothing sends it */
    CHECK_EQ(bed.lines, 0);
    CHECK_EQ(bed_register(RIS), 1 << 4);
    bed_set(INTEN, 1 << 4);
    CHECK_EQ(bed.lines, 1 << 5);
}

/* ---- the manager ---- */

TEST(the_manager_boots_and_starts_channels, "")
{
    PUT(CODE, NOP, GO(1, CODE + 0x40), GONS(2, CODE + 0x40), WFE(0), GO(1, CODE + 0x80), SEV(2), END);
    PUT(CODE + 0x40, WFE(1), END);
    bed.config.nonsecure_events = 2;
    bed.config.boots = true;
    bed.config.boot_address = CODE;
    bed_start();
    bed_settle();
    CHECK_EQ(bed_register(DSR), WAITING_EVENT);
    CHECK_EQ(bed_register(DPC), CODE + 13);
    CHECK_EQ(bed_register(CSR0 + 8), WAITING_EVENT | 1 << 4);
    CHECK_EQ(bed_register(CSR0 + 16), WAITING_EVENT | 1 << 4 | 1 << 21);
    DEBUG(4, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(DSR), STOPPED);
    CHECK_EQ(bed_register(DPC), CODE + 24);
    CHECK_EQ(bed_register(CPC0 + 8), CODE + 0x40); /* it was not stopped */
    CHECK_EQ(bed_register(RIS), 4);
    CHECK_EQ(bed_register(CR0) & 2, 2);
}

TEST(the_manager_faults_and_is_killed, "")
{
    PUT(CODE, LD);
    bed.config.boots = true;
    bed.config.boot_address = CODE;
    bed_start();
    bed_settle();
    CHECK_EQ(bed_register(FTRD), UNDEFINED);
    CHECK_EQ(bed_register(DPC), CODE);
    CHECK_EQ(bed_register(FSRC), 0);
    CHECK_EQ(bed.lines, 1);
    DEBUG(ENGINE_MANAGER, KILL);
    CHECK_EQ(bed.lines, 0);
}

TEST(the_manager_faults_where_nothing_is, "")
{
    bed.config.boots = true;
    bed.config.boot_address = 0x1000;
    bed_start();
    bed_settle();
    CHECK_EQ(bed_register(FTRD), FETCH_ERROR);
    CHECK_EQ(bed_register(DPC), 0x1000);
    CHECK_EQ(bed_register(DSR), FAULTING);
    CHECK_EQ(bed_register(FSRD), 1);
}

#define NOPS_7 NOP, NOP, NOP, NOP, NOP, NOP, NOP
TEST(manager_and_channels_issue_in_turn, "")
{
    bed.config.cache_line = 32;
    bed.config.boots = true;
    bed.config.boot_address = CODE;
    PUT(CODE, WFE(0), NOPS_7, NOPS_7, NOPS_7, NOPS_7, END);
    PUT(CODE + 32, WFE(0), NOPS_7, NOPS_7, NOPS_7, NOPS_7, END);
    bed_start();
    bed_go(0, CODE + 32);
    bed_go(3, CODE + 32);
    bed_settle();
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_run(21);
    CHECK_EQ(bed_register(DPC), CODE + 2 + 11);
    CHECK_EQ(bed_register(CPC0), CODE + 32 + 2 + 5);
    CHECK_EQ(bed_register(CPC0 + 24), CODE + 32 + 2 + 5);
}

TEST(manager_and_channels_alternate, "")
{
    PUT(CODE, NOP, NOP, NOP, NOP, WFE(0), END);
    PUT(CODE + 0x40, ADDH_SAR(1), FOREVER(3));
    bed.config.boots = true;
    bed.config.boot_address = CODE;
    bed_start();
    for (uint32_t n = 0; n < 4; n++) {
        bed_go(n, CODE + 0x40);
    }
    bed_run(60);
    CHECK_EQ(bed_register(DSR), WAITING_EVENT);
    bed_run(1000);
    for (uint32_t n = 1; n < 4; n++) {
        int32_t ahead = (int32_t)(bed_register(SAR0) - bed_register(SAR0 + 0x20 * n));

        CHECK(ahead >= -1 && ahead <= 1);
    }
}

/* ---- security ---- */

static uint32_t nonsecure_fault(const uint8_t *code, size_t bytes)
{
    bed_reset();
    bed.config.nonsecure_events = 1 << 3;
    bed.config.nonsecure_peripherals = 1 << 1;
    bed_start();
    bed_put(CODE, code, bytes);
    bed_put(CODE + (uint32_t)bytes, (const uint8_t[]){END}, 1);
    bed_go_nonsecure(0, CODE);
    bed_settle();
    CHECK_EQ(bed_register(CSR0) >> 21 & 1, 1);
    return bed_fault(0);
}
#define NONSECURE_FAULT(...)                                                                                   \
    nonsecure_fault((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(a_nonsecure_channel_uses_what_is_nonsecure_only, "")
{
    CHECK_EQ(NONSECURE_FAULT(SEV(3)), 0);
    CHECK_EQ(NONSECURE_FAULT(SEV(2)), EVENT_ERROR);
    CHECK_EQ(NONSECURE_FAULT(WFE(3)), 0);
    CHECK_EQ(NONSECURE_FAULT(WFE(4)), EVENT_ERROR);
    CHECK_EQ(NONSECURE_FAULT(WFPB(1)), 0);
    CHECK_EQ(NONSECURE_FAULT(WFPB(0)), PERIPHERAL_ERROR);
    CHECK_EQ(NONSECURE_FAULT(FLUSHP(2)), PERIPHERAL_ERROR);
    CHECK_EQ(NONSECURE_FAULT(LDPB(2)), PERIPHERAL_ERROR);
    CHECK_EQ(NONSECURE_FAULT(STPS(2)), PERIPHERAL_ERROR);
    CHECK_EQ(NONSECURE_FAULT(CCR(NONSECURE_CONTROL)), 0);
    CHECK_EQ(NONSECURE_FAULT(CCR(NONSECURE_CONTROL & ~0x200u)), CONTROL_ERROR);
    CHECK_EQ(NONSECURE_FAULT(CCR(NONSECURE_CONTROL & ~0x800000u)), CONTROL_ERROR);
    CHECK_EQ(NONSECURE_FAULT(SAR(0), DAR(0), NOP), 0);
}

TEST(a_nonsecure_manager_starts_nonsecure_channels_only, "")
{
    bed.config.manager_nonsecure = true;
    bed.config.nonsecure_events = 1;
    bed_start();
    bed_go(0, CODE);
    CHECK_EQ(bed_register(FTRD), DMAGO_ERROR | BY_DEBUG);
    CHECK_EQ(bed_state(0), STOPPED);
    DEBUG(ENGINE_MANAGER, KILL);
    DEBUG(ENGINE_MANAGER, SEV(1));
    CHECK_EQ(bed_register(FTRD), EVENT_ERROR | BY_DEBUG);
    DEBUG(ENGINE_MANAGER, KILL);
    PUT(CODE, WFE(0), END);
    bed_go_nonsecure(0, CODE);
    bed_settle();
    CHECK_EQ(bed_register(CSR0), WAITING_EVENT | 1 << 21);
}

static uint32_t seen(uint32_t offset)
{
    return engine_register_read(bed.engine, offset, true);
}

TEST(the_nonsecure_interface_sees_and_steers_what_is_nonsecure_only, "")
{
    bed.config.nonsecure_events = 2;
    bed_start();
    PUT(CODE, SAR(5), WFE(0), END);
    PUT(CODE + 0x40, SAR(6), WFE(1), 0xff);
    bed_go(0, CODE);
    bed_go_nonsecure(1, CODE + 0x40);
    bed_settle();
    CHECK_EQ(seen(CSR0) | seen(CPC0) | seen(SAR0) | seen(DSR) | seen(DPC) | seen(FTRD) | seen(FSRD), 0);
    CHECK_EQ(seen(SAR0 + 0x20), 6);
    CHECK_EQ(seen(CSR0 + 8) & 15, WAITING_EVENT);
    engine_register_write(bed.engine, INTEN, 3, true);
    CHECK_EQ(bed_register(INTEN), 2);
    bed_set(INTEN, 1);
    engine_register_write(bed.engine, DBGINST0, 0x00010001, true); /* kill channel 0 */
    engine_register_write(bed.engine, DBGCMD, 0, true);
    CHECK_EQ(bed_state(0), WAITING_EVENT);
    DEBUG(0, SEV(0));
    DEBUG(0, SEV(1));
    bed_settle();
    CHECK_EQ(bed_state(1), FAULTING);
    CHECK_EQ(seen(FSRC), 2);
    CHECK_EQ(seen(FTR0 + 4), UNDEFINED);
    CHECK_EQ(bed_register(INTMIS), 1);
    CHECK_EQ(seen(INTMIS) | seen(RIS) | seen(INTEN), 0);
    engine_register_write(bed.engine, INTCLR, 1, true);
    CHECK_EQ(bed_register(INTMIS), 1);
    engine_register_write(bed.engine, WD, 1, true);
    CHECK_EQ(bed_register(WD), 0);
    engine_register_write(bed.engine, DBGINST0, 0x00010101, true); /* kill channel 1 */
    engine_register_write(bed.engine, DBGCMD, 0, true);
    CHECK_EQ(bed_state(1), STOPPED);
    DEBUG(0, 0xff);
    CHECK_EQ(bed_register(FSRC), 1);
    CHECK_EQ(seen(FSRC), 0);
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, bed_reset);
}
