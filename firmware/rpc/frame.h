/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of PROTOCOL.md: a line taken apart, a line put together. Pure: no I/O, no state.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_most { FRAME_LINE_MAX = 512 /* with LF */, FRAME_WORDS_MAX = 96 };

struct frame {
    bool framed;  /* came as `@SEQ … *CRC`; otherwise a person typed it */
    uint32_t seq; /* 0 if not framed */
    unsigned int words;
    char *word[FRAME_WORDS_MAX]; /* into the line that was parsed */
};

enum frame_result {
    FRAME_OK,
    FRAME_BAD_CRC,        /* looked like a frame and is not whole; only frame->framed is valid */
    FRAME_TOO_MANY_WORDS, /* seq is valid */
    FRAME_UNPRINTABLE,    /* a person's line with a byte outside 0x20 to 0x7e */
};

/* Take a line of `size` bytes apart, in place; line[size] must be writable. A CR at its end is dropped. */
enum frame_result frame_parse(char *line, size_t size, struct frame *frame);

/* CRC-32 of ISO-HDLC. */
uint32_t frame_crc(const char *bytes, size_t size);

/* `0x…` or decimal, nothing else, at most 64 bits. */
bool frame_number(const char *word, uint64_t *value);

/* A line in the making. What does not fit is left out, and the line says so by its end ` ...`. */
struct frame_text {
    size_t size;
    bool cut; /* something was left out */
    char text[FRAME_LINE_MAX];
};

void frame_append(struct frame_text *, const char *text);
void frame_append_hex(struct frame_text *, uint64_t value); /* 0x… */
void frame_append_decimal(struct frame_text *, uint64_t value);
void frame_append_pair(struct frame_text *, const char *key, uint64_t value); /* ` key=0x…` */

/* Append ` *CRC` (if `framed`) and LF. */
void frame_end(struct frame_text *, bool framed);

#endif
