/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_HEAP_H
#define HOST_HEAP_H

/* Before the first allocation, after RAM is mapped. */
void heap_initialize(void);

#endif
