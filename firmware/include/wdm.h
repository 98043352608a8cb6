/* SPDX-License-Identifier: Apache-2.0 */
/* Forwards to the part of the driver interface that this project provides. */
#ifndef WDM_H
#define WDM_H

#include <wdm_dma.h>

#endif
