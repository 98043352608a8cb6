/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/frame.h"

#include "hal/string.h"

enum { CRC_DIGITS = 8, CRC_SIZE = 2 + CRC_DIGITS /* " *" and the digits */, SEQ_DIGITS = 9 };
enum { RESERVED = CRC_SIZE + 1 /* LF */ };

uint32_t frame_crc(const char *bytes, size_t size)
{
    uint32_t crc = ~0u;

    for (size_t i = 0; i < size; i++) {
        crc ^= (uint8_t)bytes[i];
        for (unsigned int bit = 0; bit < 8; bit++) {
            /* Without a branch: how long it takes does not depend on the bytes. */
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

static bool digit(char c, unsigned int base, unsigned int *value)
{
    if (c >= '0' && c <= '9') {
        *value = (unsigned int)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
        *value = (unsigned int)(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
        *value = (unsigned int)(c - 'A' + 10);
    } else {
        return false;
    }
    return *value < base;
}

bool frame_number(const char *word, uint64_t *value)
{
    unsigned int base = word[0] == '0' && (word[1] == 'x' || word[1] == 'X') ? 16 : 10, next;
    uint64_t number = 0;

    word += base == 16 ? 2 : 0;
    if (!*word) {
        return false;
    }
    for (; *word; word++) {
        if (!digit(*word, base, &next) || number > (UINT64_MAX - next) / base) {
            return false;
        }
        number = number * base + next;
    }
    *value = number;
    return true;
}

/* The checksum at the end of a line, as it must be written: eight lower-case digits. */
static bool checksum_holds(const char *line, size_t size)
{
    struct frame_text written = {.size = 0};

    if (size <= CRC_SIZE) {
        return false;
    }
    memcpy(written.text, line, size - CRC_SIZE);
    written.size = size - CRC_SIZE;
    frame_end(&written, true);
    return memcmp(written.text, line, size) == 0;
}

static enum frame_result split(char *line, struct frame *frame)
{
    frame->words = 0;
    while (*line) {
        while (*line == ' ') {
            *line++ = '\0';
        }
        if (!*line) {
            break;
        }
        if (frame->words == FRAME_WORDS_MAX) {
            return FRAME_TOO_MANY_WORDS;
        }
        frame->word[frame->words++] = line;
        while (*line && *line != ' ') {
            line++;
        }
    }
    return FRAME_OK;
}

/* `@SEQ ` at the start of a line whose checksum holds. Returns what follows, or NULL. */
static char *take_seq(char *line, struct frame *frame)
{
    char *at = line + 1;
    unsigned int next;

    frame->seq = 0;
    while (at <= line + SEQ_DIGITS && digit(*at, 10, &next)) {
        frame->seq = frame->seq * 10 + next;
        at++;
    }
    return at == line + 1 || *at != ' ' ? NULL : at;
}

static bool printable(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (line[i] < 0x20 || line[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

enum frame_result frame_parse(char *line, size_t size, struct frame *frame)
{
    char *rest = line;

    if (size && line[size - 1] == '\r') {
        size--;
    }
    frame->framed = size && line[0] == '@';
    frame->seq = 0;
    frame->words = 0;
    if (!printable(line, size)) {
        return frame->framed ? FRAME_BAD_CRC : FRAME_UNPRINTABLE;
    }
    line[size] = '\0';
    if (frame->framed) {
        if (size >= FRAME_LINE_MAX || !checksum_holds(line, size)) {
            return FRAME_BAD_CRC;
        }
        line[size - CRC_SIZE] = '\0';
        rest = take_seq(line, frame);
        if (!rest) {
            frame->seq = 0;
            return FRAME_BAD_CRC;
        }
    }
    return split(rest, frame);
}

/* ---- writing ---- */

void frame_append(struct frame_text *line, const char *text)
{
    static const char cut[] = " ...";
    const size_t room = FRAME_LINE_MAX - RESERVED - sizeof(cut);

    while (*text && line->size < room) {
        line->text[line->size++] = *text++;
    }
    if (*text && line->size == room) {
        memcpy(line->text + room, cut, sizeof(cut) - 1);
        line->size += sizeof(cut) - 1;
        line->cut = true;
    }
}

/* The digits of a value up to the end of `text`, which gets a NUL; returns where they begin. */
static char *digits(char *end, uint64_t value, unsigned int base)
{
    *end = '\0';
    do {
        *--end = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    return end;
}

void frame_append_hex(struct frame_text *line, uint64_t value)
{
    char text[16 + 1];

    frame_append(line, "0x");
    frame_append(line, digits(text + sizeof(text) - 1, value, 16));
}

void frame_append_decimal(struct frame_text *line, uint64_t value)
{
    char text[20 + 1];

    frame_append(line, digits(text + sizeof(text) - 1, value, 10));
}

void frame_append_pair(struct frame_text *line, const char *key, uint64_t value)
{
    frame_append(line, " ");
    frame_append(line, key);
    frame_append(line, "=");
    frame_append_hex(line, value);
}

void frame_end(struct frame_text *line, bool framed)
{
    uint32_t crc = frame_crc(line->text, line->size);

    if (framed) {
        line->text[line->size++] = ' ';
        line->text[line->size++] = '*';
        for (int shift = 28; shift >= 0; shift -= 4) {
            line->text[line->size++] = "0123456789abcdef"[crc >> shift & 15];
        }
    }
    line->text[line->size++] = '\n';
}
