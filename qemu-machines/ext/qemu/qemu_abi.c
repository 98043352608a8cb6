/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "qemu/qemu_abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Each name and a NUL, in a section of their own: `dmav3 doctor` reads them out of the file. */
#define F(result, name, parameters) STRING(name) "\0"
__attribute__((section("qemu_functions"))) static const char names[] = QEMU_FUNCTIONS(F) TEST_FUNCTIONS(F);
#undef F

const char *qemu_abi_load(void)
{
    const size_t known = sizeof(qemu) / sizeof(void *);
    const char *missing = NULL, *name = names;

    for (size_t i = 0; *name; i++, name += strlen(name) + 1) {
        void *function = dlsym(RTLD_DEFAULT, name);

        if (!function && !missing) {
            missing = name;
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

CPUState **qemu_abi_current_cpu(void)
{
    static THREAD_LOCAL CPUState **current;

    if (!current) {
        current = dlsym(RTLD_DEFAULT, "current_cpu"); /* a variable of the thread that asks */
    }
    return current;
}

void qemu_abi_refuse(const char *why)
{
    qemu.error_report("dmav3: %s", why);
    exit(1);
}
