/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's routines as commands of the shim (dmav3.h). */
#include <dmav3.h>

#include "nvme.h"

static NTSTATUS start(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    struct nvme_geometry geometry;
    NTSTATUS status = nvme_start(&geometry);

    (void)argument;
    if (NT_SUCCESS(status)) {
        dmav3_reply_value(reply, "blocks", geometry.blocks);
        dmav3_reply_value(reply, "block_bytes", geometry.block_bytes);
        dmav3_reply_value(reply, "maximum", geometry.maximum);
        dmav3_reply_value(reply, "alignment", geometry.alignment);
    }
    return status;
}
DMAV3_COMMAND(nvme_start, "", start);

static NTSTATUS transfer(BOOLEAN write, const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG tag;
    NTSTATUS status =
        nvme_transfer(write, argument[0], (PVOID)(ULONG_PTR)argument[1], (ULONG)argument[2], &tag);

    if (status == STATUS_PENDING) {
        dmav3_reply_value(reply, "tag", tag);
    }
    return status;
}

static NTSTATUS write_blocks(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    return transfer(TRUE, argument, reply);
}
DMAV3_COMMAND(nvme_write, "block buffer bytes", write_blocks);

static NTSTATUS read_blocks(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    return transfer(FALSE, argument, reply);
}
DMAV3_COMMAND(nvme_read, "block buffer bytes", read_blocks);

static NTSTATUS result(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    return nvme_result((ULONG)argument[0]);
}
DMAV3_COMMAND(nvme_result, "tag", result);

static NTSTATUS stop(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return nvme_stop();
}
DMAV3_COMMAND(nvme_stop, "", stop);
