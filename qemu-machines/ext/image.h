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

#include "qemu_abi.h"

/* `fd`: the image's bytes, for physical address `base` on. False with *errp set on failure. */
bool image_initialise(int fd, uint64_t base, Error **errp);

/* Everything else in RAM is zero by now. */
void image_reset(void);

#endif
