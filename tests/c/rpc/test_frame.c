/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's codec on the vectors that the harness's codec runs too. */
#include <string.h>

#include "check.h"
#include "rpc/frame.h"

static const struct {
    const char *line;
    size_t size;
    bool valid;
    uint32_t seq;
    unsigned int words;
    const char *word[8];
} vectors[] = {
#include "frames.inc"
};

static void vector_holds(size_t index)
{
    char line[1024];
    struct frame frame;
    enum frame_result result;

    memcpy(line, vectors[index].line, vectors[index].size);
    result = frame_parse(line, vectors[index].size, &frame);
    CHECK_EQ(result == FRAME_OK && frame.framed, vectors[index].valid);
    if (vectors[index].valid) {
        CHECK_EQ(frame.seq, vectors[index].seq);
        CHECK_EQ(frame.words, vectors[index].words);
        for (unsigned int i = 0; i < frame.words; i++) {
            CHECK(strcmp(frame.word[i], vectors[index].word[i]) == 0);
        }
    }
}

static void a_person_needs_no_frame(void)
{
    char line[] = "  peek  0x10 32\r";
    struct frame frame;

    CHECK_EQ(frame_parse(line, sizeof(line) - 1, &frame), FRAME_OK);
    CHECK(!frame.framed);
    CHECK_EQ(frame.words, 3);
    CHECK(strcmp(frame.word[2], "32") == 0);
}

static void numbers(void)
{
    static const char *const wrong[] = {
        "", "0x", "x", "-1", "0x1g", "12a", "18446744073709551616", "0x10000000000000000"};
    uint64_t value = 0;

    CHECK(frame_number("0xFfffffffffffffff", &value) && value == UINT64_MAX);
    CHECK(frame_number("18446744073709551615", &value) && value == UINT64_MAX);
    CHECK(frame_number("0", &value) && value == 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(!frame_number(wrong[i], &value));
    }
}

static void numbers_are_written_without_leading_zeros(void)
{
    static const char expected[] = "0 42 18446744073709551615 0x0 0xffffffffffffffff";
    struct frame_text line = {.size = 0};

    frame_append_decimal(&line, 0);
    frame_append(&line, " ");
    frame_append_decimal(&line, 42);
    frame_append(&line, " ");
    frame_append_decimal(&line, UINT64_MAX);
    frame_append(&line, " ");
    frame_append_hex(&line, 0);
    frame_append(&line, " ");
    frame_append_hex(&line, UINT64_MAX);
    CHECK_EQ(line.size, sizeof(expected) - 1);
    CHECK(memcmp(line.text, expected, line.size) == 0);
}

static void a_line_never_outgrows_its_room(void)
{
    struct frame_text line = {.size = 0};

    for (unsigned int i = 0; i < 100; i++) {
        frame_append_pair(&line, "key", UINT64_MAX);
    }
    frame_end(&line, true);
    CHECK_EQ(line.size <= FRAME_LINE_MAX, true);
    CHECK(memcmp(line.text + line.size - 15, " ... *", 6) == 0);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        vector_holds(i);
    }
    a_person_needs_no_frame();
    numbers();
    numbers_are_written_without_leading_zeros();
    a_line_never_outgrows_its_room();
    puts("ok frame");
    return 0;
}
