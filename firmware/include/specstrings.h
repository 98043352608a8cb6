/* SPDX-License-Identifier: Apache-2.0 */
/* The annotations of older drivers, `__in` and its kin; those of today are in sal.h. */
#ifndef SPECSTRINGS_H
#define SPECSTRINGS_H

#include <sal.h>

#define __in
#define __in_opt
#define __inout
#define __inout_opt
#define __out
#define __out_opt
#define __deref_out
#define __deref_out_opt
#define __reserved
#define __nullterminated
#define __in_bcount(...)
#define __in_bcount_opt(...)
#define __in_ecount(...)
#define __in_ecount_opt(...)
#define __inout_bcount(...)
#define __inout_ecount(...)
#define __out_bcount(...)
#define __out_bcount_opt(...)
#define __out_bcount_part(...)
#define __out_ecount(...)
#define __out_ecount_opt(...)
#define __field_bcount(...)
#define __field_ecount(...)

#endif
