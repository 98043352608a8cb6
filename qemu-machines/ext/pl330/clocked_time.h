/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the engine runs: behind the CPU, brought to now where somebody could look, and woken for what comes. */
#ifndef DMAV3_CLOCKED_TIME_H
#define DMAV3_CLOCKED_TIME_H

#include <stdint.h>

#include "devices/stream.h"

extern const struct stream_server clocked_stream_server;

/* The engine has been made. */
void clocked_time_initialise(void);

/* Everything but what is set by properties is as at the start. */
void clocked_reset(void);

/* Let everything happen that should have happened by now. */
void clocked_catch_up(void);

/* Let the engine run up to a cycle; in a callback of the translator only up to what could interrupt the CPU. */
void clocked_run_to(uint64_t cycle);

/* What was predicted does not hold any more. */
void clocked_look_anew(void);

#endif
