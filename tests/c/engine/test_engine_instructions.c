/* SPDX-License-Identifier: Apache-2.0 */
/* What each instruction of the PL330 does: every opcode, every class of operands, as each kind of thread. */
#include "bed.h"
#include "engine/instruction.h"

enum { STOPPED = 0, WAITING_EVENT = 4, WAITING_PERIPHERAL = 7, FAULTING = 15 };
enum { UNDEFINED = 1, OPERAND = 2 };

/* ---- the table ---- */

static const struct {
    const char *text;
    uint8_t code[6];
    unsigned int length;
} vectors[] = {
#include "instruction_vectors.inc"
};

TEST(the_table_knows_what_the_assembler_emits, "")
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct instruction *row = &instructions[vectors[i].code[0]];

        if (row->operation == OPERATION_NONE) {
            CHECK(strcmp(vectors[i].text, "no instruction") == 0);
            continue;
        }
        CHECK_EQ(row->length, vectors[i].length);
        CHECK(strncmp(vectors[i].text, row->name, strcspn(row->name, " ")) == 0);
    }
}

static uint32_t opcode_run_as(uint32_t thread, uint8_t opcode)
{
    bed_reset();
    bed.config.boots = thread == ENGINE_MANAGER;
    bed.config.boot_address = CODE;
    bed_start();
    PUT(CODE, opcode, 0, 0, 0, 0, 0, END);
    if (thread != ENGINE_MANAGER) {
        bed_go(thread, CODE);
    }
    bed_run(3000);
    return engine_thread(bed.engine, thread).fault;
}

TEST(an_opcode_is_executed_by_the_threads_that_the_table_says, "")
{
    for (uint32_t opcode = 0; opcode < 256; opcode++) {
        const struct instruction *row = &instructions[opcode];
        bool manager = row->threads & THREAD_MANAGER, channel = row->threads & THREAD_CHANNEL;

        CHECK_EQ(opcode_run_as(ENGINE_MANAGER, (uint8_t)opcode) & UNDEFINED, !manager);
        CHECK_EQ(opcode_run_as(3, (uint8_t)opcode) & UNDEFINED, !channel);
    }
}

TEST(the_debug_interface_executes_what_the_table_says, "")
{
    for (uint32_t opcode = 0; opcode < 256; opcode++) {
        const struct instruction *row = &instructions[opcode];
        bool is_go = row->operation == OPERATION_GO;

        bed_reset();
        DEBUG(ENGINE_MANAGER, (uint8_t)opcode, 0, BYTES_4(CODE));
        CHECK_EQ(bed_register(FTRD) & UNDEFINED, !(row->threads & THREAD_DEBUG));
        DEBUG(5, (uint8_t)opcode, 0, BYTES_4(CODE));
        CHECK_EQ(bed_fault(5) & UNDEFINED, is_go || !(row->threads & THREAD_DEBUG));
    }
}

TEST(an_undefined_instruction_leaves_the_pc_at_it_and_the_abort_line_high, "")
{
    RUN(NOP, 0xff);
    CHECK_EQ(bed_state(0), FAULTING);
    CHECK_EQ(bed_fault(0), UNDEFINED);
    CHECK_EQ(bed_register(CPC0), CODE + 1);
    CHECK_EQ(bed_register(FSRC), 1);
    CHECK_EQ(bed.lines, 1);
    CHECK_EQ(bed.faulted, 1);
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed_fault(0), 0);
    CHECK_EQ(bed_register(FSRC), 0);
    CHECK_EQ(bed.lines, 0);
}

TEST(r0p0_has_no_dmaadnh, "")
{
    bed.config.revision = 0;
    bed_start();
    RUN(ADDH_SAR(1), ADNH_SAR(1), END);
    CHECK_EQ(bed_fault(0), UNDEFINED);
    CHECK_EQ(bed_register(CPC0), CODE + 3);
}

/* ---- operands ---- */

static void check_operand(bool is_right, const uint8_t *code, size_t bytes)
{
    bed_reset();
    bed_put(CODE, code, bytes);
    bed_put(CODE + (uint32_t)bytes, (const uint8_t[]){END}, 1);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed_fault(0), is_right ? 0 : OPERAND);
    CHECK(is_right || bed_register(CPC0) == CODE);
}
#define OPERAND_IS(is_right, ...)                                                                              \
    check_operand(is_right, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(an_operand_is_valid_for_what_is_built_in_only, "")
{
    OPERAND_IS(true, FLUSHP(3));
    OPERAND_IS(false, FLUSHP(4));
    OPERAND_IS(false, 0x35, 3 << 3 | 1);
    OPERAND_IS(true, WFPS(3));
    OPERAND_IS(false, WFPB(31));
    OPERAND_IS(false, LDPS(4));
    OPERAND_IS(false, STPB(4));
    OPERAND_IS(true, SEV(15));
    OPERAND_IS(false, SEV(16));
    OPERAND_IS(false, 0x34, 2);
    OPERAND_IS(true, WFE(15));
    OPERAND_IS(true, WFEI(15));
    OPERAND_IS(false, WFE(16));
    OPERAND_IS(false, 0x36, 1);
    OPERAND_IS(false, 0x36, 4);
    OPERAND_IS(false, 0xbc, 3, BYTES_4(0));
    OPERAND_IS(true, CCR(CONTROL(3, 16)));
    OPERAND_IS(false, CCR(CONTROL(4, 1)));
    OPERAND_IS(false, CCR(CONTROL(3, 1) ^ 7 << 1));
    OPERAND_IS(false, CCR(CONTROL(3, 1) ^ 7 << 15));
    OPERAND_IS(true, CCR(CONTROL(3, 1) | 4 << 28));
    OPERAND_IS(false, CCR(CONTROL(3, 1) | 5 << 28));
    OPERAND_IS(true, SAR(0xffffffff));
}

TEST(a_beat_may_be_as_wide_as_the_bus, "")
{
    bed.config.bus_bytes = 16;
    bed_start();
    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL(4, 16)), LD, ST, END);
    CHECK_EQ(bed_fault(0), 0);
    bed_check_copied(256);
}

/* ---- registers and loops ---- */

TEST(dmamov_and_the_additions_change_registers, "")
{
    RUN(SAR(0x1000), DAR(0x2000), CCR(CONTROL(2, 4)), ADDH_SAR(0xffff), ADNH_DAR(0xffff), END);
    CHECK_EQ(bed_register(SAR0), 0x10fff);
    CHECK_EQ(bed_register(DAR0), 0x1fff);
    CHECK_EQ(bed_register(CCR0), CONTROL(2, 4));
    RUN(ADNH_SAR(0), ADDH_DAR(1), END);
    CHECK_EQ(bed_register(SAR0), 0xfff);
    CHECK_EQ(bed_register(DAR0), 0x2000);
    CHECK_EQ(bed_register(CPC0), CODE + 7);
}

TEST(after_a_reset_the_control_register_has_single_nonsecure_bytes, "")
{
    CHECK_EQ(bed_register(CCR0 + 0x20 * 7), 0x00800200);
}

TEST(two_counters_count_nested_loops, "")
{
    RUN(LP1(3), LP0(5), ADDH_SAR(1), LPEND0(3), LPEND1(7), END);
    CHECK_EQ(bed_register(SAR0), 15);
    CHECK_EQ(bed_register(LC0_0), 0);
    CHECK_EQ(bed_register(LC1_0), 0);
    RUN(LP0(256), ADDH_SAR(1), LPEND0(3), LP1(1), LPEND1(0), END);
    CHECK_EQ(bed_register(SAR0), 15 + 256);
}

TEST(a_loop_shows_its_counter_while_it_runs, "")
{
    PUT(CODE, LP0(9), LP1(4), WFE(0), LPEND1(2), END);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed_register(LC0_0), 8);
    CHECK_EQ(bed_register(LC1_0), 3);
    DEBUG(ENGINE_MANAGER, SEV(0));
    bed_settle();
    CHECK_EQ(bed_register(LC1_0), 2);
    CHECK_EQ(bed_state(0), WAITING_EVENT);
}

TEST(a_loop_end_with_a_condition_is_passed_when_it_is_not_met, "")
{
    RUN(LP0(3), ADDH_SAR(1), LPEND0B(3), END); /* a program begins with single requests */
    CHECK_EQ(bed_register(SAR0), 1);
    RUN(LP0(3), ADDH_DAR(1), LPEND0S(3), END);
    CHECK_EQ(bed_register(DAR0), 3);
    RUN(ADDH_SAR(1), FOREVER_B(3), END);
    CHECK_EQ(bed_register(SAR0), 2);
}

TEST(a_loop_end_with_a_condition_goes_round_its_own_counter, "")
{
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    RUN(WFPB(0), LP0(1), LP1(3), ADDH_SAR(1), LPEND1B(3), END);
    CHECK_EQ(bed_register(SAR0), 3);
    RUN(WFPB(0), LP0(3), ADDH_DAR(1), LPEND0S(3), LP1(3), ADDH_DAR(1), LPEND1S(3), END);
    CHECK_EQ(bed_register(DAR0), 2);
    RUN(LP0(1), LP1(4), ADDH_SAR(1), LPEND1S(3), LP0(3), ADDH_SAR(1), LPEND0B(3), END);
    CHECK_EQ(bed_register(SAR0), 3 + 4 + 1);
    RUN(ADDH_SAR(1), FOREVER_B(3), WFPB(0), ADDH_SAR(1), FOREVER_S(3), END);
    CHECK_EQ(bed_register(SAR0), 8 + 2);
}

static uint64_t cycles_of_loop(uint8_t iterations)
{
    bed_reset();
    PUT(CODE, LP0(iterations), NOP, LPEND0(1), END);
    bed_go(0, CODE);
    while (bed_state(0)) {
        bed_run(1);
    }
    return bed.now;
}

TEST(a_jump_takes_two_cycles, "")
{
    CHECK_EQ(cycles_of_loop(30) - cycles_of_loop(20), 10 * (1 + 2));
}

TEST(an_endless_loop_goes_on_until_it_is_killed, "")
{
    PUT(CODE, ADDH_SAR(1), FOREVER_S(3), END);
    bed_go(0, CODE);
    bed_run(100000);
    CHECK(bed_register(SAR0) > 20000);
    CHECK(bed_state(0) != STOPPED);
    DEBUG(0, KILL);
    CHECK_EQ(bed_state(0), STOPPED);
    bed_settle();
}

/* ---- loads and stores ---- */

static void copy(uint32_t source, uint32_t target, uint32_t control)
{
    bed_reset();
    RUN(SAR(source), DAR(target), CCR(control), LD, ST, WMB, END);
    CHECK_EQ(bed_state(0), STOPPED);
}

TEST(a_burst_moves_whole_beats_behind_an_unaligned_first, "")
{
    for (uint32_t size = 0; size <= 3; size++) {
        for (uint32_t beats = 1; beats <= 16; beats++) {
            for (uint32_t offset = 0; offset < 8; offset++) {
                uint32_t bytes = (beats << size) - (offset & ((1u << size) - 1));

                copy(SOURCE + offset, TARGET + offset, CONTROL(size, beats));
                CHECK(memcmp(bed_at(SOURCE + offset), bed_at(TARGET + offset), bytes) == 0);
                CHECK(*bed_at(SOURCE + offset + bytes) != *bed_at(TARGET + offset + bytes));
                CHECK_EQ(bed_register(SAR0), SOURCE + offset + bytes);
                CHECK_EQ(bed_register(DAR0), TARGET + offset + bytes);
            }
        }
    }
}

TEST(a_fixed_address_takes_every_beat, "")
{
    copy(SOURCE, TARGET, CONTROL(2, 4) & ~1u);
    for (uint32_t beat = 0; beat < 4; beat++) {
        CHECK(memcmp(bed_at(SOURCE), bed_at(TARGET + 4 * beat), 4) == 0);
    }
    CHECK_EQ(bed_register(SAR0), SOURCE);
    copy(SOURCE, TARGET, CONTROL(2, 4) & ~(1u << 14));
    CHECK(memcmp(bed_at(SOURCE + 12), bed_at(TARGET), 4) == 0);
    CHECK_EQ(bed_register(DAR0), TARGET);
}

TEST(widths_may_differ_and_what_is_missing_comes_with_the_next_load, "")
{
    uint32_t control = CONTROL_HALF(3, 2, 1) | CONTROL_HALF(2, 4, 1) << 14;

    RUN(SAR(SOURCE + 3), DAR(TARGET), CCR(control), LP0(4), LD, LPEND0(1), LP0(3), ST, LPEND0(1), WMB, END);
    CHECK(memcmp(bed_at(SOURCE + 3), bed_at(TARGET), 48) == 0);
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(engine_thread(bed.engine, 0).in_fifo, 0); /* DMAEND has dropped 13 bytes */
}

TEST(dmastz_stores_zeroes_and_needs_no_data, "")
{
    RUN(DAR(TARGET + 3), CCR(CONTROL(3, 8)), LP0(40), STZ, LPEND0(1), END);
    CHECK_EQ(bed_register(DAR0), TARGET + 40 * 64);
    CHECK(*bed_at(TARGET + 2) != 0);
    for (uint32_t i = 3; i < 40 * 64; i++) {
        CHECK_EQ(*bed_at(TARGET + i), 0);
    }
    CHECK(*bed_at(TARGET + 40 * 64) != 0);
    CHECK_EQ(engine_thread(bed.engine, 0).stored, 40 * 64 - 3);
}

TEST(addresses_wrap_at_4_gib, "")
{
    RUN(SAR(0xfffffff8), ADDH_SAR(16), END);
    CHECK_EQ(bed_register(SAR0), 8);
}

/* Row D7 of the table in qemu-machines/README.md. */
TEST(bytes_of_a_group_are_swapped, "")
{
    for (uint32_t log2 = 1; log2 <= 3; log2++) {
        copy(SOURCE, TARGET, CONTROL(3, 2) | log2 << 28);
        for (uint32_t i = 0; i < 16; i++) {
            CHECK_EQ(*bed_at(TARGET + i), *bed_at(SOURCE + (i ^ ((1u << log2) - 1))));
        }
    }
    copy(SOURCE + 1, TARGET, CONTROL(0, 6) | 2u << 28); /* 1 to 3 are no group, 4 to 7 are not complete */
    CHECK(memcmp(bed_at(SOURCE + 1), bed_at(TARGET), 3) == 0);
    CHECK(memcmp(bed_at(SOURCE + 4), bed_at(TARGET + 3), 3) == 0);
}

TEST(protection_and_cacheability_go_with_the_access, "")
{
    uint32_t bits = 1u << 8 | 5u << 11 | 4u << 22 | 6u << 25;

    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 2) | bits), LD, ST, END);
    CHECK_EQ(bed.last_read.protection, 1);
    CHECK_EQ(bed.last_read.cache, 5);
    CHECK_EQ(bed.last_write.protection, 4);
    CHECK_EQ(bed.last_write.cache, 10);
    CHECK_EQ(bed.last_write.number, 1);
    CHECK_EQ(bed.last_read.beats, 2);
    CHECK_EQ(bed.last_read.size, 4);
}

/* ---- peripherals ---- */

static void moves(uint32_t request, uint32_t bytes, const uint8_t *code, size_t length)
{
    static const uint8_t setup[] = {SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 4))};
    static const uint8_t ending[] = {WMB, END};

    bed_reset();
    bed_put(CODE, setup, sizeof(setup));
    bed_put(CODE + sizeof(setup), code, length);
    bed_put(CODE + sizeof(setup) + (uint32_t)length, ending, sizeof(ending));
    engine_request(bed.engine, 1, (enum engine_request)request, false);
    bed_go(0, CODE);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed_register(DAR0) - TARGET, bytes);
    bed_check_copied(bytes);
}
#define MOVES(request, bytes, ...)                                                                             \
    moves(request, bytes, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

TEST(conditional_moves_follow_the_type_of_the_request, "")
{
    MOVES(ENGINE_REQUEST_SINGLE, 4, WFPS(1), LDS, STS);
    MOVES(ENGINE_REQUEST_SINGLE, 0, WFPS(1), LDB, STB);
    MOVES(ENGINE_REQUEST_BURST, 16, WFPB(1), LDB, STB);
    MOVES(ENGINE_REQUEST_BURST, 0, WFPB(1), LDS, STS);
    MOVES(ENGINE_REQUEST_BURST, 16, WFPP(1), LDB, STB);
    MOVES(ENGINE_REQUEST_SINGLE, 4, WFPP(1), LDS, STS);
    MOVES(ENGINE_REQUEST_BURST, 4, WFPS(1), LDS, STS);
    MOVES(ENGINE_REQUEST_SINGLE, 4, WFPS(1), LDPS(1), STPS(1));
    MOVES(ENGINE_REQUEST_BURST, 16, WFPB(1), LDPB(1), STPB(1));
    MOVES(ENGINE_REQUEST_BURST, 16, WFPS(1), LD, ST);
}

TEST(the_peripheral_is_answered_when_its_data_has_moved, "")
{
    engine_request(bed.engine, 2, ENGINE_REQUEST_SINGLE, false);
    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 4)), WFPS(2), LDPS(2), STS, WFPS(2), LD, ST, END);
    CHECK_EQ(bed_state(0), WAITING_PERIPHERAL); /* its one request was answered */
    CHECK_EQ(bed_register(CSR0), WAITING_PERIPHERAL | 2 << 4);
    CHECK_EQ(bed.answers, 1);
    CHECK_EQ(bed.answer[0].peripheral, 2);
    CHECK_EQ(bed.answer[0].answer, ENGINE_ANSWER_SINGLE);
    engine_request(bed.engine, 1, ENGINE_REQUEST_SINGLE, false); /* another's */
    CHECK_EQ(engine_next(bed.engine), ENGINE_NEVER);
    engine_request(bed.engine, 2, ENGINE_REQUEST_NONE, false);
    bed_settle();
    CHECK_EQ(bed_state(0), WAITING_PERIPHERAL);
    engine_request(bed.engine, 2, ENGINE_REQUEST_BURST, false);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
}

/* Row D6 of the table in qemu-machines/README.md. */
TEST(a_single_request_does_not_satisfy_a_wait_for_a_burst, "")
{
    engine_request(bed.engine, 0, ENGINE_REQUEST_SINGLE, false);
    RUN(WFPB(0), END);
    CHECK_EQ(bed_register(CSR0), WAITING_PERIPHERAL | 1 << 14);
    engine_request(bed.engine, 0, ENGINE_REQUEST_SINGLE, false);
    bed_settle();
    CHECK_EQ(bed_state(0), WAITING_PERIPHERAL);
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    bed_settle();
    CHECK_EQ(bed_state(0), STOPPED);
    RUN(FLUSHP(0), WFPP(0), END);
    CHECK_EQ(bed_register(CSR0), WAITING_PERIPHERAL | 1 << 15);
}

TEST(a_burst_may_be_taken_by_single_moves, "")
{
    bed.asks = ENGINE_REQUEST_BURST;
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    RUN(SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 4)), WFPS(0), LDS, STPS(0), WMB, WFPB(0), LDB, STPB(0), WMB,
        END);
    CHECK_EQ(bed_state(0), STOPPED);
    CHECK_EQ(bed.answers, 2);
    CHECK_EQ(bed.answer[0].answer, ENGINE_ANSWER_SINGLE);
    CHECK_EQ(bed.answer[1].answer, ENGINE_ANSWER_BURST);
    bed_check_copied(20);
}

TEST(dmaflushp_drops_a_request_and_tells_the_peripheral, "")
{
    engine_request(bed.engine, 3, ENGINE_REQUEST_BURST, false);
    RUN(FLUSHP(3), WFPB(3), END);
    CHECK_EQ(bed_state(0), WAITING_PERIPHERAL);
    CHECK_EQ(bed.answers, 1);
    CHECK_EQ(bed.answer[0].answer, ENGINE_ANSWER_FLUSH);
}

TEST(a_dmalpfe_loop_ends_with_the_last_request, "")
{
    PUT(CODE, SAR(SOURCE), DAR(TARGET), CCR(CONTROL(2, 4)), WFPB(0), LDPB(0), STB, WMB, FOREVER(6), SEV(5),
        END);
    bed.asks = ENGINE_REQUEST_BURST;
    bed_set(INTEN, 1 << 5);
    engine_request(bed.engine, 0, ENGINE_REQUEST_BURST, false);
    bed_go(0, CODE);
    bed_run(500);
    CHECK(bed.answers > 5);
    CHECK_EQ(bed.lines, 0);
    bed.asks_last = true;
    bed_run(50);
    CHECK_EQ(bed.lines, 1 << 6);
    CHECK_EQ(bed_state(0), STOPPED);
    bed_check_copied(bed_register(DAR0) - TARGET);
}

TEST(requests_of_peripherals_that_are_not_there_are_ignored, "")
{
    engine_request(bed.engine, 4, ENGINE_REQUEST_BURST, false);
    engine_request(bed.engine, 31, ENGINE_REQUEST_BURST, false);
    bed_settle();
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, bed_reset);
}
