/* SPDX-License-Identifier: Apache-2.0 */
/* All that this project provides to a driver; what drivers do with it, and what is left out and why, is in
 * tests/emu/idioms.toml. */
#ifndef WDM_H
#define WDM_H

#include <specstrings.h>
#include <string.h>
#include <wdm_dma.h>
#include <wdm_ex.h>
#include <wdm_mm.h>
#include <wdm_queue.h>

#ifndef NOMINMAX
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif

#endif
