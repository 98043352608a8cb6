/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "qemu_abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct qemu_abi qemu;

#ifdef QEMU_ABI_TEST_MISSING
/* A build for the tests: asks for one function that no QEMU has. */
#define TEST_FUNCTIONS(LOOK_UP) LOOK_UP(void, QEMU_ABI_TEST_MISSING, (void))
#else
#define TEST_FUNCTIONS(LOOK_UP)
#endif

#define STRING_(name) #name
#define STRING(name)  STRING_(name)

const char *qemu_abi_load(void)
{
    static const char *const names[] = {
#define F(result, name, parameters) STRING(name),
        QEMU_FUNCTIONS(F) TEST_FUNCTIONS(F)
#undef F
    };
    const size_t known = sizeof(qemu) / sizeof(void *);
    const char *missing = NULL;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *function = dlsym(RTLD_DEFAULT, names[i]);

        if (!function && !missing) {
            missing = names[i];
        }
        if (i < known) {
            memcpy((void **)&qemu + i, &function, sizeof(function));
        }
    }
    return missing;
}

const char *qemu_abi_version(int *major)
{
    static char text[64];
    const VersionInfo *version = qemu.qmp_query_version ? qemu.qmp_query_version(NULL) : NULL;

    *major = version ? (int)version->qemu->major : 0;
    if (version) {
        snprintf(text, sizeof(text), "%d.%d.%d", *major, (int)version->qemu->minor, (int)version->qemu->micro);
    }
    return version ? text : "(of unknown version)";
}
