/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU calls when it loads the extension as a plugin, before it builds the board. */
#include <stdio.h>
#include <string.h>

#include "machine/board.h"
#include "machine/cpu.h"
#include "qemu/qemu_abi.h"

#define EXPORT __attribute__((visibility("default")))

extern EXPORT int qemu_plugin_version;
EXPORT int qemu_plugin_version = QEMU_PLUGIN_API;

static bool parse_view(const char *argument, bool *separate)
{
    if (!strcmp(argument, "view=dma") || !strcmp(argument, "view=none")) {
        *separate = argument[5] == 'd';
        return true;
    }
    fprintf(stderr,
            "dmav3: option '%s' of -plugin is not known: view=dma (devices have a view of their own) or "
            "view=none\n",
            argument);
    return false;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    const char *missing = qemu_abi_load(), *version;
    bool separate = true;
    int major;

    (void)info;
    version = qemu_abi_version(&major);
    if (missing) {
        fprintf(stderr, "dmav3: QEMU %s does not have the function '%s', which the extension needs\n", version,
                missing);
        return 1;
    }
    if (major < QEMU_NEEDS_MAJOR) {
        fprintf(stderr, "dmav3: this is QEMU %s; %d.0 or later is needed\n", version, QEMU_NEEDS_MAJOR);
        return 1;
    }
    for (int i = 0; i < argc; i++) {
        if (!parse_view(argv[i], &separate)) {
            return 1;
        }
    }
    board_register(separate);
    cpu_initialise(id, separate);
    return 0;
}
