/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/origin.h"

static uint32_t now;

uint32_t origin_set(uint32_t command)
{
    uint32_t before = now;

    now = command;
    return before;
}

uint32_t origin_now(void)
{
    return now;
}
