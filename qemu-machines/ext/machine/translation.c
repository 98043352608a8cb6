/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/translation.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void translation_check_alignment(CPUState *cpu)
{
    qemu.tcg_cflags_set(cpu, CF_PARALLEL);
}

/* QEMU can set a flag, and clear none. So find the word: it has CF_PCREL, and it changes by just CF_NOIRQ when
 * that is set, which no CPU has of its own. NULL if that is not one word. */
static uint32_t *set_and_find(CPUState *cpu, size_t size)
{
    uint32_t *words = (uint32_t *)(void *)cpu, *before = malloc(size), *found = NULL;
    size_t count = 0;

    if (!before) {
        return NULL;
    }
    memcpy(before, words, size);
    qemu.tcg_cflags_set(cpu, CF_NOIRQ);
    for (size_t i = 0; i < size / sizeof(*words); i++) {
        if (before[i] & CF_PCREL && (words[i] ^ before[i]) == CF_NOIRQ) {
            found = &words[i];
            count++;
        }
    }
    free(before);
    return count == 1 ? found : NULL;
}

void translation_keep_addresses(CPUState *cpu, size_t size)
{
    uint32_t *flags = NULL;

    if (!qemu.tcg_cflags_has(cpu, CF_PCREL)) {
        return;
    }
    if (!qemu.tcg_cflags_has(cpu, CF_NOIRQ)) {
        flags = set_and_find(cpu, size);
    }
    if (flags) {
        *flags &= ~(uint32_t)(CF_PCREL | CF_NOIRQ);
    }
    if (qemu.tcg_cflags_has(cpu, CF_PCREL) || qemu.tcg_cflags_has(cpu, CF_NOIRQ)) {
        qemu_abi_refuse(
            "this QEMU keeps the flags of translation in another way than the extension knows (CF_PCREL)");
    }
}
