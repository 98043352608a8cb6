/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/format.h"

/* What is written, and where to. */
struct output {
    PVOID out;
    size_t size, length;
    bool wide;
};

/* A conversion between its % and its letter. */
struct conversion {
    bool left, plus, space, alternate, zero;
    bool has_precision;
    bool is_64, is_wide, is_narrow, is_short, is_pointer_size;
    int width, precision;
};

static void put(struct output *output, WCHAR character)
{
    if (output->length < output->size) {
        if (output->wide) {
            ((PWCHAR)output->out)[output->length] = character;
        } else {
            ((PCHAR)output->out)[output->length] = (CHAR)character;
        }
    }
    output->length++;
}

static void pad(struct output *output, WCHAR with, int count)
{
    while (count-- > 0) {
        put(output, with);
    }
}

static WCHAR at(const void *text, bool wide, size_t index)
{
    return wide ? ((PCWCH)text)[index] : (WCHAR)((PCUCHAR)text)[index];
}

/* ---- conversions ---- */

/* Text of at most `most` characters, up to its zero. */
static void put_text(struct output *output, const struct conversion *how, const void *text, bool wide,
                     size_t most)
{
    static const char null[] = "(null)";
    size_t length = 0;

    if (text == NULL) {
        text = null;
        wide = false;
        most = sizeof null;
    }
    if (how->has_precision && (size_t)how->precision < most) {
        most = (size_t)how->precision;
    }
    while (length < most && at(text, wide, length) != 0) {
        length++;
    }
    if (!how->left) {
        pad(output, ' ', how->width - (int)length);
    }
    for (size_t i = 0; i < length; i++) {
        put(output, at(text, wide, i));
    }
    if (how->left) {
        pad(output, ' ', how->width - (int)length);
    }
}

/* An integer, whose sign or prefix is `before`. */
static void put_number(struct output *output, const struct conversion *how, ULONGLONG value, unsigned int base,
                       bool upper, const char *before)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    int count = 0, prefix = 0, zeros;

    for (ULONGLONG rest = value; rest != 0 || (count == 0 && !(how->has_precision && how->precision == 0));
         rest /= base) {
        text[count++] = digits[rest % base];
    }
    while (before[prefix] != '\0') {
        prefix++;
    }
    zeros = how->has_precision        ? how->precision - count
            : how->zero && !how->left ? how->width - count - prefix
                                      : 0;
    zeros = zeros > 0 ? zeros : 0;
    if (!how->left) {
        pad(output, ' ', how->width - prefix - zeros - count);
    }
    for (int i = 0; i < prefix; i++) {
        put(output, (WCHAR)before[i]);
    }
    pad(output, '0', zeros);
    for (int i = count; i-- > 0;) {
        put(output, (WCHAR)text[i]);
    }
    if (how->left) {
        pad(output, ' ', how->width - prefix - zeros - count);
    }
}

static void put_signed(struct output *output, const struct conversion *how, LONGLONG value)
{
    const char *sign = value < 0 ? "-" : how->plus ? "+" : how->space ? " " : "";

    put_number(output, how, value < 0 ? 0 - (ULONGLONG)value : (ULONGLONG)value, 10, false, sign);
}

/* A counted string: %Z, or %wZ if `wide`. */
static void put_counted(struct output *output, const struct conversion *how, const ANSI_STRING *string,
                        bool wide)
{
    if (string == NULL || string->Buffer == NULL) {
        put_text(output, how, NULL, false, 0);
    } else {
        put_text(output, how, string->Buffer, wide, wide ? string->Length / sizeof(WCHAR) : string->Length);
    }
}

/* ---- the format ---- */

struct reader {
    const void *format;
    bool wide;
    size_t next;
};

static WCHAR look(const struct reader *reader)
{
    return at(reader->format, reader->wide, reader->next);
}

static bool accept(struct reader *reader, WCHAR character)
{
    if (look(reader) != character) {
        return false;
    }
    reader->next++;
    return true;
}

static void read_flags(struct reader *reader, struct conversion *how)
{
    for (;;) {
        if (accept(reader, '-')) {
            how->left = true;
        } else if (accept(reader, '+')) {
            how->plus = true;
        } else if (accept(reader, ' ')) {
            how->space = true;
        } else if (accept(reader, '#')) {
            how->alternate = true;
        } else if (accept(reader, '0')) {
            how->zero = true;
        } else {
            return;
        }
    }
}

static int read_digits(struct reader *reader)
{
    int number = 0;

    while (look(reader) >= '0' && look(reader) <= '9') {
        number = number * 10 + (look(reader) - '0');
        reader->next++;
    }
    return number;
}

/* h, l, ll, w, z, I, I32, I64. */
static void read_size(struct reader *reader, struct conversion *how)
{
    for (;;) {
        if (accept(reader, 'h')) {
            how->is_narrow = how->is_short = true;
        } else if (accept(reader, 'l')) {
            how->is_64 = accept(reader, 'l');
            how->is_wide = !how->is_64;
        } else if (accept(reader, 'w')) {
            how->is_wide = true;
        } else if (accept(reader, 'z')) {
            how->is_64 = how->is_pointer_size = true;
        } else if (accept(reader, 'I')) {
            how->is_64 = true;
            if (accept(reader, '6')) {
                (void)accept(reader, '4');
            } else if (accept(reader, '3')) {
                (void)accept(reader, '2');
                how->is_64 = false;
            }
        } else {
            return;
        }
    }
}

/* The arguments, in a structure, because a va_list that is passed on may be an array. */
struct arguments {
    va_list list;
};

static ULONGLONG unsigned_argument(const struct conversion *how, struct arguments *arguments)
{
    if (how->is_64) {
        return va_arg(arguments->list, ULONGLONG);
    }
    ULONG value = va_arg(arguments->list, ULONG);

    return how->is_short ? (USHORT)value : value;
}

static LONGLONG signed_argument(const struct conversion *how, struct arguments *arguments)
{
    if (how->is_64) {
        return va_arg(arguments->list, LONGLONG);
    }
    LONG value = va_arg(arguments->list, LONG);

    return how->is_short ? (SHORT)value : value;
}

static void put_character(struct output *output, const struct conversion *how, int character)
{
    WCHAR text[] = {(WCHAR)character};
    struct conversion as_text = *how;

    as_text.has_precision = false;
    if (character != 0) {
        put_text(output, &as_text, text, true, 1);
    }
}

static void convert(struct output *output, const struct conversion *how, WCHAR letter,
                    struct arguments *arguments)
{
    bool wide = how->is_wide || (output->wide && !how->is_narrow);
    struct conversion pointer = {.zero = true, .width = 2 * sizeof(PVOID)};

    switch (letter) {
    case 'd':
    case 'i':
        put_signed(output, how, signed_argument(how, arguments));
        break;
    case 'u':
        put_number(output, how, unsigned_argument(how, arguments), 10, false, "");
        break;
    case 'o':
        put_number(output, how, unsigned_argument(how, arguments), 8, false, how->alternate ? "0" : "");
        break;
    case 'x':
        put_number(output, how, unsigned_argument(how, arguments), 16, false, how->alternate ? "0x" : "");
        break;
    case 'X':
        put_number(output, how, unsigned_argument(how, arguments), 16, true, how->alternate ? "0X" : "");
        break;
    case 'p':
        put_number(output, &pointer, (ULONG_PTR)va_arg(arguments->list, PVOID), 16, true, "");
        break;
    case 'c':
    case 'C':
        put_character(output, how, va_arg(arguments->list, int));
        break;
    case 's':
        put_text(output, how, va_arg(arguments->list, PVOID), wide, SIZE_MAX);
        break;
    case 'S':
        put_text(output, how, va_arg(arguments->list, PVOID), !output->wide, SIZE_MAX);
        break;
    case 'Z':
        put_counted(output, how, va_arg(arguments->list, const ANSI_STRING *), how->is_wide);
        break;
    default: /* %% and what is none */
        put(output, letter);
    }
}

size_t nt_format_open(PVOID out, size_t size, bool wide, const void *format, va_list list)
{
    struct output output = {.out = out, .size = size, .wide = wide};
    struct reader reader = {.format = format, .wide = wide};
    struct arguments arguments;

    va_copy(arguments.list, list);
    while (look(&reader) != 0) {
        struct conversion how = {.width = 0};

        if (!accept(&reader, '%')) {
            put(&output, look(&reader));
            reader.next++;
            continue;
        }
        read_flags(&reader, &how);
        how.width = accept(&reader, '*') ? va_arg(arguments.list, int) : read_digits(&reader);
        if (how.width < 0) {
            how.left = true;
            how.width = -how.width;
        }
        if (accept(&reader, '.')) {
            how.precision = accept(&reader, '*') ? va_arg(arguments.list, int) : read_digits(&reader);
            how.has_precision = how.precision >= 0;
        }
        read_size(&reader, &how);
        if (look(&reader) == 0) {
            break;
        }
        convert(&output, &how, look(&reader), &arguments);
        reader.next++;
    }
    va_end(arguments.list);
    return output.length;
}

size_t nt_format(PVOID out, size_t size, bool wide, const void *format, va_list arguments)
{
    size_t length = nt_format_open(out, size - 1, wide, format, arguments);
    size_t end = min(length, size - 1);

    if (wide) {
        ((PWCHAR)out)[end] = 0;
    } else {
        ((PCHAR)out)[end] = '\0';
    }
    return length;
}
