/* SPDX-License-Identifier: Apache-2.0 */
/* Text from a format of drivers (wdm_rtl.h says which), for printing and for safe strings. */
#ifndef NT_FORMAT_H
#define NT_FORMAT_H

#include <wdm.h>

#include <stdbool.h>

/* Format into `size` characters, of WCHAR if `wide`, else of char; the format has the same width, and so has
 * the text of %s and %c, %S and %C the other. What does not fit is left out; there is always a zero behind the
 * text. Returns how many characters the whole text has, without its zero. size: 1 or more. */
size_t nt_format(PVOID out, size_t size, bool wide, const void *format, va_list arguments);

/* The same without a zero behind the text. size: 0 or more. */
size_t nt_format_open(PVOID out, size_t size, bool wide, const void *format, va_list arguments);

#endif
