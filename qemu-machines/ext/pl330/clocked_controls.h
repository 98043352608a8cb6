/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DMAV3_CLOCKED_CONTROLS_H
#define DMAV3_CLOCKED_CONTROLS_H

#include "pl330/controller.h"

/* The engine's channels: held anywhere, stepped, paced. */
extern const struct controller clocked_controller;

#endif
