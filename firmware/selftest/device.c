/* SPDX-License-Identifier: Apache-2.0 */
#include "selftest/device.h"

#include "boot/memlayout.h"
#include "hal/cache.h"
#include "hal/memory.h"
#include "hal/mmio.h"

/* DDI 0424, 3.3. */
enum { CSR0 = 0x100, DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c };
enum { STATE = 15, STOPPED = 0, GO_CHANNEL_0 = 0x00a00000, POLLS = 1000 };
/* DDI 0424, 4.3; DMAMOV takes 32 bits behind its two bytes. */
enum { MOV = 0xbc, SAR = 0, CCR = 1, DAR = 2, LD = 0x04, ST = 0x08, WMB = 0x13, END = 0x00 };
/* Both sides incrementing, 8 beats of 8 bytes. */
enum { COPY_64 = 0x001dc077 };

static uint8_t *move(uint8_t *at, uint8_t which, uint32_t value)
{
    *at++ = MOV;
    *at++ = which;
    for (unsigned int shift = 0; shift < 32; shift += 8) {
        *at++ = (uint8_t)(value >> shift);
    }
    return at;
}

static void write_program(uint8_t *at, uint32_t to, uint32_t from)
{
    at = move(at, SAR, from);
    at = move(at, DAR, to);
    at = move(at, CCR, COPY_64);
    *at++ = LD;
    *at++ = ST;
    *at++ = WMB;
    *at = END;
}

bool device_copy(volatile void *to, const volatile void *from)
{
    static uint8_t *program;

    if (!program) {
        program = memory_take_uncached(PAGE_SIZE_BYTES);
    }
    write_program(program, (uint32_t)(uintptr_t)to, (uint32_t)(uintptr_t)from);
    barrier_sync();
    mmio_write32(PL330_BASE + DBGINST0, GO_CHANNEL_0);
    mmio_write32(PL330_BASE + DBGINST1, (uint32_t)(uintptr_t)program);
    mmio_write32(PL330_BASE + DBGCMD, 0);
    for (unsigned int polls = POLLS; polls; polls--) {
        if ((mmio_read32(PL330_BASE + CSR0) & STATE) == STOPPED) {
            return true;
        }
    }
    return false;
}
