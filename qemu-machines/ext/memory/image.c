/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/views.h"

static struct {
    uint8_t *bytes; /* whole pages */
    size_t first, size;
} image;

static size_t whole_pages(size_t size)
{
    return (size + VIEWS_PAGE - 1) & ~(size_t)(VIEWS_PAGE - 1);
}

bool image_initialise(int fd, uint64_t base, Error **errp)
{
    size_t size, before = base & (VIEWS_PAGE - 1);
    struct stat file;

    if (fstat(fd, &file) < 0) {
        error_setg(errp, "image-fd=%d: %s", fd, strerror(errno));
        return false;
    }
    size = (size_t)file.st_size;
    if (!views_has(base - VIEWS_DEVICE_TREE) || !views_has(base + size - 1)) {
        error_setg(errp, "image-base=0x%llx: an image of %zu bytes is not all in RAM from 0x%llx on",
                   (unsigned long long)base, size, (unsigned long long)views.base + VIEWS_DEVICE_TREE);
        return false;
    }
    image.first = base - views.base - before;
    image.size = whole_pages(before + size);
    image.bytes = calloc(image.size, 1);
    if (pread(fd, image.bytes + before, size, 0) != (ssize_t)size) {
        error_setg(errp, "image-fd=%d: cannot be read", fd);
        return false;
    }
    views_keep(image.first, image.size);
    return true;
}

void image_reset(void)
{
    for (size_t page = 0; page < image.size; page += VIEWS_PAGE) {
        views_restore_page(image.first + page, image.bytes + page);
    }
}
