/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: the table of them, how they are found, what is checked before one is made, and how they end.
 * Nothing here grants anything: after a request has ended or has given something back, the caller calls
 * requests_grant() (grant.h).
 */
#ifndef LAYER_REQUEST_H
#define LAYER_REQUEST_H

#include "layer/objects.h"

void requests_initialize(void);

/* ---- the table ---- */

/* A request that does not wait for anything yet, or NULL, with the reason, if there are too many. The caller
 * fills in what it asks for and then submits it (grant.h) or ends it. */
struct request *request_take(struct adapter *adapter, PDEVICE_OBJECT device, const void *context);

/* The first live request, or NULL; the others follow by `next_live`, in order of arrival. */
struct request *request_first(void);

/* Find a live request by what the driver knows; NULL if there is none. */
struct request *request_find_handle(const void *handle);
struct request *request_find_context(const void *context);
struct request *request_find_list(const struct adapter *adapter, const void *list);

/* Find a request of the adapter by its handle, if it may map now (MTX-13); NULL if not. */
struct request *request_find_mappable(const struct adapter *adapter, const void *handle);

/* The granted request of this adapter that has its channel, or NULL. */
struct request *request_find_holder(const struct adapter *adapter);

/* A request of version 1 for a channel of this device whose routine has not returned (QUE-08), or NULL. */
struct request *request_find_outstanding(PDEVICE_OBJECT device);

/* ---- what is checked before one is made ---- */

/* Can a request be made with this context (STM-02)? STATUS_CANCELLED: it is PreCancelled (AAX-11). */
NTSTATUS request_check_context(const void *context);

/* STATUS_INSUFFICIENT_RESOURCES: one request may not have so many registers, which is a violation (QUE-05), or
 * there are not so many. */
NTSTATUS request_check_registers(const struct adapter *adapter, ULONG registers);

/* ---- its mappings ---- */

/* Flush a request that has no mapping. This is a mistake, except after a map of length 0 (FBX-20, OQ-04). */
void request_flush_nothing(struct request *request, uint32_t length);

/* ---- its end ---- */

/* Forget a request: it leaves its queues, its mappings are abandoned with violation 0x10, and channel,
 * registers and list are given back. */
void request_end(struct request *request);

/* End a request as FreeAdapterObject(DeallocateObject) does: a list is flushed but stays until it is put
 * (GSX-11). */
void request_deallocate(struct request *request);

/* Give back the channel only. */
void request_release_channel(struct request *request);

/* End every request of an adapter that is being released, and report what it still held (PDA-03, QUE-16). */
void requests_end_all(struct adapter *adapter);

#endif
