/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a driver that is linked with the shim: dmav3.h's side of the table. */
#include "rpc/shell.h"

#include "hal/string.h"
#include "layer/irql.h"
#include "layer/violation.h"

/* Bytes of a line that stay free for ` status=0x…`, ` ...` and ` *CRC`. */
enum { LINE_RESERVED = 48, PAIR_OVERHEAD = 1 + 1 + 2 + 16 };

struct dmav3_reply {
    struct frame_text *text;
    const char *error; /* the first one */
};

static bool is_key(const char *key)
{
    const char *at = key;

    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
           *at == '_') {
        at++;
    }
    return at != key && *at == '\0';
}

void dmav3_reply_value(struct dmav3_reply *reply, const char *key, ULONGLONG value)
{
    if (!is_key(key)) {
        reply->error = "REPLY the driver's key is not made of letters, digits and _";
    } else if (reply->text->size + strlen(key) + PAIR_OVERHEAD + LINE_RESERVED > FRAME_LINE_MAX) {
        reply->error = "REPLY the driver's values do not fit into one line";
    } else {
        frame_append_pair(reply->text, key, value);
    }
}

const char *dmav3_run(struct rpc_call *call)
{
    struct dmav3_reply reply = {.text = call->reply};
    KIRQL level = KeGetCurrentIrql();
    NTSTATUS status = call->row->routine(call->argument, &reply);

    if (KeGetCurrentIrql() != level) {
        violation_report_in(OPLOG_DriverCommand, (uintptr_t)call->row->routine, VIOLATION_CALLBACK_IRQL,
                            KeGetCurrentIrql(), level);
        irql_restore(level);
    }
    frame_append_pair(call->reply, "status", (uint32_t)status);
    return reply.error;
}
