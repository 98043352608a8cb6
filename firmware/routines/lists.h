/* SPDX-License-Identifier: Apache-2.0 */
/* The pool that lists of GetScatterGatherList and GetScatterGatherListEx come from. */
#ifndef ROUTINES_LISTS_H
#define ROUTINES_LISTS_H

/* Make the pool empty. */
void lists_initialize(void);

#endif
