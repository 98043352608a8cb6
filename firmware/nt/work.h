/* SPDX-License-Identifier: Apache-2.0 */
/* Work for the one worker thread, which is started when there is some. */
#ifndef NT_WORK_H
#define NT_WORK_H

#include <wdm.h>

/* Let the worker call the item's routine, at PASSIVE_LEVEL, once it gets its turn. Any level. */
void work_queue(PWORK_QUEUE_ITEM item);

#endif
