/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's accesses, as struct engine_ops has them. */
#ifndef DMAV3_CLOCKED_MEMORY_H
#define DMAV3_CLOCKED_MEMORY_H

#include "engine/engine.h"

bool clocked_read_burst(void *opaque, const struct engine_burst *, uint8_t *data);
bool clocked_write_burst(void *opaque, const struct engine_burst *, const uint8_t *data);
bool clocked_fetch(void *opaque, uint32_t thread, uint32_t address, uint8_t *code, uint32_t bytes);
bool clocked_glance(void *opaque, uint32_t address, uint8_t *code, uint32_t bytes);
enum engine_outlook clocked_look_at(void *opaque, const struct engine_burst *);
bool clocked_is_data(void *opaque, uint32_t address, uint64_t bytes);

#endif
