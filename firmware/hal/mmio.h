/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only door to device registers. Host tests compile with -DMMIO_FAKE and define the
 * functions themselves, so that they see every access in order.
 */
#ifndef HAL_MMIO_H
#define HAL_MMIO_H

#include <stdint.h>

#ifdef MMIO_FAKE
uint32_t mmio_read32(uintptr_t address);
void mmio_write32(uintptr_t address, uint32_t value);
void mmio_write64(uintptr_t address, uint64_t value);
#else
static inline uint32_t mmio_read32(uintptr_t address)
{
    return *(volatile const uint32_t *)address;
}

static inline void mmio_write32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline void mmio_write64(uintptr_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}
#endif

#endif
