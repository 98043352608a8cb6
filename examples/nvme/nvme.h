/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for one NVMe controller with one namespace, on memory that is not coherent.
 *
 * Who sees what, and why no cache operation is written in it:
 *
 *     queues, PRP lists, identify data   one common buffer: CPU and controller use it at any time
 *     the caller's buffers               mapped as a scatter/gather list, for as long as a command runs
 *
 * One entry of a queue is stored, and then its doorbell is rung with WRITE_REGISTER_ULONG(), which is
 * the barrier between the two.
 *
 * A request goes this way: nvme_transfer() asks for its list; nvme_list_ready(), called when there are
 * resources, makes a command of it; the interrupt takes the completion and gives the list back. Until
 * then the caller must not touch the buffer.
 *
 * Statuses, where the interface leaves the choice:
 *
 *     STATUS_NO_SUCH_DEVICE       there is no controller, or it has gone: its registers read as ones
 *     STATUS_NOT_SUPPORTED        its pages or queues are of a size that the driver does not serve
 *     STATUS_DEVICE_NOT_READY     CSTS.RDY did not follow CC.EN
 *     STATUS_IO_DEVICE_ERROR      CSTS.CFS is set, or a command failed in a way that is not listed here
 *     STATUS_IO_TIMEOUT           an administrative command was not answered
 *     STATUS_INVALID_PARAMETER    no whole blocks, more than `maximum`, or a buffer that is not aligned
 *     STATUS_NONEXISTENT_SECTOR   blocks behind the end of the namespace
 *     STATUS_DEVICE_DATA_ERROR    the controller could not reach the buffer
 *     STATUS_MEDIA_WRITE_PROTECTED the namespace must not be written
 *     STATUS_CANCELLED            nvme_stop() came first
 *     STATUS_DEVICE_BUSY          every request is in use, or the driver has been started already
 *     STATUS_INVALID_DEVICE_STATE it has not been started
 */
#ifndef NVME_H
#define NVME_H

#include <wdm_dma.h>

/* Requests that may be under way at a time. */
enum { NVME_REQUESTS = 8 };

struct nvme_geometry {
    ULONGLONG blocks;
    ULONG block_bytes;
    ULONG maximum;   /* bytes of one transfer */
    ULONG alignment; /* of a buffer, in bytes */
};

/* Bring the controller up. PASSIVE_LEVEL, as all of these. After an error everything is given back. */
NTSTATUS nvme_start(struct nvme_geometry *geometry);

/* Start to move `bytes` from `block` on, out of or into `buffer`; STATUS_PENDING, and *tag is to be asked
 * for; or an error, and nothing was started. */
NTSTATUS nvme_transfer(BOOLEAN write, ULONGLONG block, PVOID buffer, ULONG bytes, ULONG *tag);

/* STATUS_PENDING, or how the request ended; its tag is then free. A controller that is gone or has failed
 * ends it. One that works, and does not answer, does not: for how long to ask is up to the caller, who ends
 * it with nvme_stop(). */
NTSTATUS nvme_result(ULONG tag);

/* Stop the controller, end every request, give everything back. */
NTSTATUS nvme_stop(void);

#endif
