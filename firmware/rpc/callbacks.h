/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's routines, played by the harness: what a request names as a routine is one of these, and
 * its context is a cookie by which the harness knows what to call.
 */
#ifndef RPC_CALLBACKS_H
#define RPC_CALLBACKS_H

#include <wdm_dma.h>

DRIVER_CONTROL callback_adapter_control;
DRIVER_LIST_CONTROL callback_list_control;
DMA_COMPLETION_ROUTINE callback_completion;

#endif
