/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_irq.h"

#include "hal/irq_mask.h"

static bool masked = true; /* PSTATE.I */

void fake_irq_set_masked(bool wanted)
{
    masked = wanted;
}

void fake_irq_take(void)
{
    while (!masked && fake_irq_is_pending()) {
        masked = true;
        fake_irq_handle();
        masked = false;
    }
}

uint64_t irq_save(void)
{
    uint64_t state = masked;

    masked = true;
    return state;
}

void irq_restore(uint64_t state)
{
    masked = state != 0;
    fake_irq_take();
}

void irq_enable(void)
{
    irq_restore(0);
}

bool irq_is_masked(uint64_t state)
{
    return state != 0;
}

bool irq_is_pending(void)
{
    return fake_irq_is_pending();
}
