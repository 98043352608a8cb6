/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into QEMU by held_disk.py: a process that has an exclusive flock() on an image holds all reads
 * and writes of it, by this computer's clock. QEMU's own throttle cannot do that: it is lifted while a
 * device is reset.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

typedef ssize_t Read(int file, void *data, size_t size, off64_t offset);
typedef ssize_t Write(int file, const void *data, size_t size, off64_t offset);
typedef ssize_t Vector(int file, const struct iovec *parts, int count, off64_t offset);

/* A lock belongs to an open file, so each wait needs one of its own. */
static void wait_until_free(int file)
{
    char path[sizeof("/proc/self/fd/-2147483648")];
    int own;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    own = open(path, O_RDONLY | O_CLOEXEC);
    if (own >= 0) {
        flock(own, LOCK_SH);
        close(own);
    }
}

ssize_t pread64(int file, void *data, size_t size, off64_t offset)
{
    wait_until_free(file);
    return ((Read *)dlsym(RTLD_NEXT, "pread64"))(file, data, size, offset);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    wait_until_free(file);
    return ((Write *)dlsym(RTLD_NEXT, "pwrite64"))(file, data, size, offset);
}

ssize_t preadv64(int file, const struct iovec *parts, int count, off64_t offset)
{
    wait_until_free(file);
    return ((Vector *)dlsym(RTLD_NEXT, "preadv64"))(file, parts, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset)
{
    wait_until_free(file);
    return ((Vector *)dlsym(RTLD_NEXT, "pwritev64"))(file, parts, count, offset);
}
