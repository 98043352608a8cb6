/* SPDX-License-Identifier: Apache-2.0 */
/* What only this machine has on its command line: the scripted back end, and physical memory by name. */
#include "machine.h"
#include "rpc/routine.h"
#include "scripted_backend.h"

#include <string.h>

/* ---- what it answers ---- */

static const char *run_script(struct rpc_call *call)
{
    const char *name = call->word[0];

    if (strcmp(name, "max_fragments") == 0) {
        scripted.max_fragments = ulong(call, 1);
    } else if (strcmp(name, "ends_at_once") == 0) {
        scripted.ends_at_once = call->argument[1] != 0;
    } else if (strcmp(name, "cancel_result") == 0) {
        scripted.cancel_result = boolean(call, 1);
    } else if (strcmp(name, "bytes_left") == 0) {
        scripted.bytes_left = ulong(call, 1);
    } else if (strcmp(name, "configure_result") == 0) {
        scripted.configure_result = (NTSTATUS)ulong(call, 1);
    } else if (strcmp(name, "interrupts_inside") == 0) {
        scripted.interrupts_inside = ulong(call, 1);
    } else {
        return "ARGUMENT a name is needed";
    }
    return NULL;
}
RPC_COMMAND(script,
            "[max_fragments|ends_at_once|cancel_result|bytes_left|configure_result|interrupts_inside] value", 2,
            2, run_script);

/* ---- what it reports ---- */

static const char *check_report(const struct rpc_call *call)
{
    if (call->argument[0] >= SCRIPTED_CHANNELS || call->argument[1] > InterruptTypeCancelled) {
        return "ARGUMENT there is no such channel or type";
    }
    return scripted.report_count < SCRIPTED_REPORTS_MAX ? NULL : "ARGUMENT too many reports are waiting";
}

static const char *run_report(struct rpc_call *call)
{
    const char *error = check_report(call);

    if (!error) {
        scripted_report(ulong(call, 0), (DMA_INTERRUPT_TYPE)call->argument[1]);
    }
    return error;
}
RPC_COMMAND(report, "channel type", 2, 2, run_report);

static const char *run_end(struct rpc_call *call)
{
    const char *error = check_report(call);

    if (!error) {
        scripted_end(ulong(call, 0), (DMA_INTERRUPT_TYPE)call->argument[1]);
    }
    return error;
}
RPC_COMMAND(end, "channel type", 2, 2, run_end);

/* ---- what it was told ---- */

static const char *run_programs(struct rpc_call *call)
{
    frame_append_pair(call->reply, "count", scripted.program_count);
    frame_append_pair(call->reply, "kept", SCRIPTED_PROGRAMS_MAX);
    return NULL;
}
RPC_COMMAND(programs, "", 0, 0, run_programs);

static const char *run_program(struct rpc_call *call)
{
    const struct scripted_program *program;

    if (call->argument[0] >= scripted.program_count ||
        scripted.program_count - call->argument[0] > SCRIPTED_PROGRAMS_MAX) {
        return "ARGUMENT there is no such program, or no more";
    }
    program = &scripted.programs[call->argument[0] % SCRIPTED_PROGRAMS_MAX];
    frame_append_pair(call->reply, "channel", program->channel);
    frame_append_pair(call->reply, "request_line", program->request_line);
    frame_append_pair(call->reply, "width", program->width);
    frame_append_pair(call->reply, "device_address", program->device_address);
    frame_append_pair(call->reply, "write", program->write);
    frame_append_pair(call->reply, "loop", program->loop);
    frame_append_pair(call->reply, "count", program->count);
    frame_append_pair(call->reply, "elements", (uintptr_t)program->elements);
    return NULL;
}
RPC_COMMAND(program, "number", 1, 1, run_program);

static const char *run_configured(struct rpc_call *call)
{
    frame_append_pair(call->reply, "calls", scripted.configured.calls);
    frame_append_pair(call->reply, "channel", scripted.configured.channel);
    frame_append_pair(call->reply, "function", scripted.configured.function);
    frame_append_pair(call->reply, "context", (uintptr_t)scripted.configured.data);
    return NULL;
}
RPC_COMMAND(configured, "", 0, 0, run_configured);

/* ---- memory ---- */

static const char *run_name_page(struct rpc_call *call)
{
    if (!machine_name_page(call->argument[0], call->argument[1])) {
        return "ARGUMENT no page of the scatter window, or no address of a page";
    }
    return NULL;
}
RPC_COMMAND(name_page, "index physical", 2, 2, run_name_page);
