/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware's image, put in place at every reset.
 *
 * QEMU's own loader writes an image anew at each reset, and so throws away what it has translated of it:
 * half of the time of a reset. Here a page is written only if it is not as it should be.
 */
#ifndef DMAV3_IMAGE_H
#define DMAV3_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* The file `fd` has the bytes of the image, and `base` is the physical address of the first. False with *errp
 * set on failure. */
bool image_initialise(int fd, uint64_t base, Error **errp);

/* Put the image in place. Everything else in RAM must have been dropped by now. */
void image_reset(void);

#endif
