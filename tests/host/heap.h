/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_HEAP_H
#define HOST_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Before the first allocation, after RAM is mapped. */
void heap_initialize(void);

/* Is it a byte of the heap that nobody has? */
bool heap_is_unused(uintptr_t address);

#endif
