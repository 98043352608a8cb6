/* SPDX-License-Identifier: Apache-2.0 */
/* Which command of the serial line runs, so that what a test makes can be led back to its line. */
#ifndef LAYER_ORIGIN_H
#define LAYER_ORIGIN_H

#include <stdint.h>

/* Set the number of the command that runs, 0 for one without; returns the one before, which an inner command
 * restores at its end. */
uint32_t origin_set(uint32_t command);
uint32_t origin_now(void);

#endif
