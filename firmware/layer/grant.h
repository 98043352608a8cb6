/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which request is served next: grants of channels and map registers, and the callbacks that tell the driver.
 *
 * The channel comes first, then the map registers (QUE-02). Every caller that frees something calls
 * requests_grant(), which loops instead of recursing: a callback that frees or asks for more only changes
 * the queues that the outer loop looks at (QUE-13).
 */
#ifndef LAYER_GRANT_H
#define LAYER_GRANT_H

#include "layer/objects.h"

void grants_initialize(void);

/* Grant the request now, without overtaking another, if it is `synchronous`; else queue it. Its callback may
 * run inside. A synchronous request that would have to wait is ended (AAX-04). *handle, if not NULL, is
 * written before the callback (AAX-07). */
NTSTATUS request_submit(struct request *request, bool synchronous, PVOID *handle);

/* Hand free channels and registers to the requests that wait, callbacks included (QUE-12). */
void requests_grant(void);

/* Does an AdapterControl run (AAC-06)? */
bool grants_in_adapter_control(void);

#endif
