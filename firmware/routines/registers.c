/* SPDX-License-Identifier: Apache-2.0 */
/* Device registers as drivers access them. */
#include <wdm_dma.h>

#include "hal/cache.h"
#include "hal/mmio.h"

ULONG READ_REGISTER_ULONG(volatile ULONG *Register)
{
    ULONG value;

    barrier_sync();
    value = mmio_read32((uintptr_t)Register);
    barrier_sync();
    return value;
}

void WRITE_REGISTER_ULONG(volatile ULONG *Register, ULONG Value)
{
    barrier_sync();
    mmio_write32((uintptr_t)Register, Value);
    barrier_sync();
}
