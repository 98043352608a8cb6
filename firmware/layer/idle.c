/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/idle.h"

#include <stddef.h>

static bool (*run_others)(void);

void idle_set(bool (*run)(void))
{
    run_others = run;
}

bool idle_run(void)
{
    return run_others != NULL && run_others();
}
