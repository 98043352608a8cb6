/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/cpu_cache.h"

#include <string.h>
#include <unistd.h>

#include "model/a64_decode.h"
#include "qemu/qemu_abi.h"

/* QEMU's keys of system registers: op0 (from bit 14), op1, CRn, CRm and op2, as in an MRS. */
#define KEY(op0, op1, crn, crm, op2)                                                                           \
    (1u << 28 | 0x13u << 16 | (op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define CCSIDR           KEY(3, 1, 0, 0, 0)
#define CLIDR            KEY(3, 1, 0, 0, 1)
#define CSSELR           KEY(3, 2, 0, 0, 0)
#define ID_AA64MMFR2_EL1 KEY(3, 0, 0, 7, 2)

#define CACHE_OPTIONS "cache-level=%u,cache-line=%u,cache-sets=%u,cache-ways=%u"
#define CACHE_VALUES(cache)                                                                                    \
    (cache)->level, (cache)->geometry.line, (cache)->geometry.sets, (cache)->geometry.ways

static struct board_cache own, expected; /* level 0: not known yet */
static uint64_t ccsidr;

static void compare(void)
{
    if (own.level && expected.level && memcmp(&own, &expected, sizeof(own)) != 0) {
        qemu.error_report("dmav3: the CPU's CLIDR and CCSIDR (0x%08llx) say " CACHE_OPTIONS
                          ", but " CACHE_OPTIONS " is what was given",
                          (unsigned long long)ccsidr, CACHE_VALUES(&own), CACHE_VALUES(&expected));
        _exit(BOARD_WRONG_CACHE);
    }
}

static uint64_t read_register(void *env, uint32_t key)
{
    return qemu.read_raw_cp_reg(env, qemu.helper_lookup_cp_reg(env, key));
}

static void select_level(void *env, uint64_t selection)
{
    qemu.helper_set_cp_reg64(env, qemu.helper_lookup_cp_reg(env, CSSELR), selection);
    if (read_register(env, CSSELR) != selection) {
        qemu_abi_refuse("this QEMU writes the CPU's CSSELR in another way than the extension knows");
    }
}

void cpu_cache_read(void *env, uint64_t clidr)
{
    uint64_t selected = read_register(env, CSSELR);
    uint32_t level = clidr >> 24 & 7; /* CLIDR.LoC */

    if (!level) {
        qemu_abi_refuse("this CPU has no cache before the point of coherency (CLIDR): take another, such as "
                        "-cpu cortex-a53");
    }
    if (read_register(env, CLIDR) != clidr) {
        qemu_abi_refuse("this QEMU names the CPU's registers in another way than the extension knows");
    }
    select_level(env, (level - 1) << 1);
    ccsidr = read_register(env, CCSIDR);
    select_level(env, selected);
    own.level = level;
    own.geometry = read_register(env, ID_AA64MMFR2_EL1) >> 20 & 15 ? a64_decode_ccsidr_64(ccsidr)
                                                                   : a64_decode_ccsidr((uint32_t)ccsidr);
    compare();
}

void cpu_cache_expect(const struct board_cache *modelled)
{
    expected = *modelled;
    compare();
}
