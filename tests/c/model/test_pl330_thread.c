/* SPDX-License-Identifier: Apache-2.0 */
/* What single instructions do to the registers and counts of a PL330 channel. */
#include "check.h"
#include "model/pl330_thread.h"

enum { COPY_8_X_4 = 0x000dc037, FIXED_8_X_4 = COPY_8_X_4 & ~(1 << 14 | 1) };

static const struct {
    const char *assembly;
    uint8_t code[PL330_CODE_MAX];
    struct pl330_thread before, after;
    unsigned int length;
} cases[] = {
    {"DMAMOV SAR", {0xbc, 0, 0x78, 0x56, 0x34, 0x12}, {.source = 1}, {.source = 0x12345678}, 6},
    {"DMAMOV CCR", {0xbc, 1, 1, 2, 3, 4}, {.control = 1}, {.control = 0x04030201}, 6},
    {"DMAMOV DAR", {0xbc, 2, 1, 2, 3, 0xff}, {.target = 1}, {.target = 0xff030201}, 6},
    {"DMAADDH SAR", {0x54, 0x10, 0x01}, {.source = 0x40000000}, {.source = 0x40000110}, 3},
    {"DMAADDH DAR", {0x56, 0xff, 0xff}, {.target = 1}, {.target = 0x10000}, 3},
    {"DMAADNH SAR", {0x5c, 0xff, 0xff}, {.source = 0x100}, {.source = 0xff}, 3},
    {"DMAADNH DAR", {0x5e, 0x00, 0x00}, {.target = 0x10000}, {.target = 0}, 3},
    {"DMAWFP S", {0x30, 8}, {.request = REQUEST_BURST}, {.request = REQUEST_SINGLE}, 2},
    {"DMAWFP P", {0x31, 8}, {.bursts = 3}, {.request = REQUEST_PERIPHERAL, .bursts = 3}, 2},
    {"DMAWFP B", {0x32, 8}, {.bursts = 3}, {.request = REQUEST_BURST, .bursts = 3}, 2},
    {"DMALD",
     {0x04},
     {.control = COPY_8_X_4},
     {.source = 32, .control = COPY_8_X_4, .loaded = 32, .bursts = 1},
     1},
    {"DMALD unaligned",
     {0x04},
     {.source = 3, .control = COPY_8_X_4},
     {.source = 32, .control = COPY_8_X_4, .loaded = 29, .bursts = 1},
     1},
    {"DMALD fixed, unaligned",
     {0x04},
     {.source = 3, .control = FIXED_8_X_4},
     {.source = 3, .control = FIXED_8_X_4, .loaded = 20, .bursts = 1},
     1},
    {"DMALDS, single",
     {0x05},
     {.control = COPY_8_X_4},
     {.source = 8, .control = COPY_8_X_4, .loaded = 8, .bursts = 1},
     1},
    {"DMALDS, burst",
     {0x05},
     {.control = COPY_8_X_4, .request = REQUEST_BURST},
     {.control = COPY_8_X_4, .request = REQUEST_BURST},
     1},
    {"DMALDB, single", {0x07}, {.control = COPY_8_X_4}, {.control = COPY_8_X_4}, 1},
    {"DMALDPB, peripheral",
     {0x27, 8},
     {.control = COPY_8_X_4, .request = REQUEST_PERIPHERAL},
     {.source = 32, .control = COPY_8_X_4, .request = REQUEST_PERIPHERAL, .loaded = 32, .bursts = 1},
     2},
    {"DMAST", {0x08}, {.control = COPY_8_X_4}, {.target = 32, .control = COPY_8_X_4, .stored = 32}, 1},
    {"DMASTPS, single: a whole burst",
     {0x29, 8},
     {.control = COPY_8_X_4},
     {.target = 32, .control = COPY_8_X_4, .stored = 32},
     2},
    {"DMASTPB, single", {0x2b, 8}, {.control = COPY_8_X_4}, {.control = COPY_8_X_4}, 2},
    {"DMASTZ",
     {0x0c},
     {.control = COPY_8_X_4},
     {.target = 32, .control = COPY_8_X_4, .zeroed = 32, .bursts = 1},
     1},
    {"DMASTZ unaligned: too far",
     {0x0c},
     {.target = 3, .control = COPY_8_X_4},
     {.target = 35, .control = COPY_8_X_4, .zeroed = 29, .bursts = 1},
     1},
    {"DMANOP", {0x18}, {.source = 7}, {.source = 7}, 1},
    {"DMASEV", {0x34, 8}, {.source = 7}, {.source = 7}, 2},
    {"DMALP", {0x20, 8}, {.source = 7}, {.source = 7}, 2},
    {"DMALPEND", {0x38, 8}, {.source = 7}, {.source = 7}, 2},
};

static bool equal(const struct pl330_thread *a, const struct pl330_thread *b)
{
    return a->source == b->source && a->target == b->target && a->control == b->control &&
           a->request == b->request && a->loaded == b->loaded && a->stored == b->stored &&
           a->zeroed == b->zeroed && a->bursts == b->bursts;
}

static bool loop_ends_are_known(void)
{
    for (unsigned int opcode = 0; opcode < 256; opcode++) {
        bool store = opcode == 0x29 || opcode == 0x2b;
        bool expected = (opcode >= 0x28 && opcode <= 0x2f && !store) || (opcode >= 0x38 && opcode <= 0x3f);

        if (pl330_is_loop_end((uint8_t)opcode) != expected) {
            fprintf(stderr, "opcode 0x%02x: loop end\n", opcode);
            return false;
        }
    }
    return true;
}

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pl330_thread channel = cases[i].before;
        bool begins = pl330_begins_burst(&channel, cases[i].code[0]);

        pl330_execute(&channel, cases[i].code);
        if (channel.bursts - cases[i].before.bursts != begins || !equal(&channel, &cases[i].after) ||
            pl330_instruction_length(cases[i].code[0]) != cases[i].length) {
            fprintf(stderr, "%s\n", cases[i].assembly);
            return 1;
        }
    }
    if (!loop_ends_are_known()) {
        return 1;
    }
    puts("ok pl330_thread");
    return 0;
}
