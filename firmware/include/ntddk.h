/* SPDX-License-Identifier: Apache-2.0 */
/* Forwards to the part of the driver interface that this project provides. */
#ifndef NTDDK_H
#define NTDDK_H

#include <wdm_dma.h>

#endif
