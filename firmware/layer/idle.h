/* SPDX-License-Identifier: Apache-2.0 */
/* What else there is to do where the present code has nothing to do: the other threads. */
#ifndef LAYER_IDLE_H
#define LAYER_IDLE_H

#include <stdbool.h>

void idle_set(bool (*run)(void));

/* Let others run until they wait, below DISPATCH_LEVEL. False: there was nothing to run. */
bool idle_run(void);

#endif
