/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/shell.h"

#include "boot/memlayout.h"
#include "hal/cpu.h"
#include "hal/exception.h"
#include "hal/ident.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/oplog.h"
#include "hal/uart.h"
#include "layer/idle.h"
#include "layer/irql.h"
#include "layer/origin.h"
#include "rpc/execute.h"

/* A level of serving: the shell itself (id 0), or a callback inside the one outside of it. */
struct level {
    uint32_t id;
    bool returned;
    uint64_t value;
    uint32_t callbacks, interrupts; /* so many there had been when the present line was taken */
    KIRQL between;                  /* to be lowered to before the next command */
};

_Static_assert(UART_LINE_SIZE >= FRAME_LINE_MAX, "a line with one byte too many is kept, and refused");

static struct level *innermost;
static uint32_t callbacks;
static bool prompted;    /* the last thing sent was the prompt */
static bool for_harness; /* the line that runs came from the harness, not from a person */

/* A line is sent whole: what interrupts may print, too. */
static void send(struct frame_text *line, bool framed)
{
    uint64_t state = irq_save();

    if (framed && prompted) {
        uart_write("\n", 1); /* a line of the harness begins at the start of a line */
    }
    prompted = false;
    frame_end(line, framed);
    uart_write(line->text, line->size);
    irq_restore(state);
}

/* ---- lines ---- */

static void echo(const struct uart_line *line)
{
    uart_write(line->text, line->size);
    uart_write("\n", 1);
    prompted = false;
}

/* The answer to a line, empty for an empty line of a person. */
static bool answer_line(struct uart_line *line, struct frame_text *answer)
{
    struct frame frame;

    frame.framed = line->size && line->text[0] == '@';
    for_harness = frame.framed;
    frame.seq = 0;
    answer->size = 0;
    if (line->overrun || line->size >= FRAME_LINE_MAX) {
        execute_refuse(answer, &frame, "TOOLONG a line has at most 512 bytes with its LF", "");
        return frame.framed;
    }
    if (!frame.framed) {
        echo(line);
    }
    switch (frame_parse(line->text, line->size, &frame)) {
    case FRAME_OK:
        if (frame.words) {
            struct rpc_call call = {.callbacks = innermost->callbacks, .interrupts = innermost->interrupts};

            uint32_t outer = origin_set(frame.framed ? frame.seq : 0);

            execute(&frame, &call, answer);
            (void)origin_set(outer);
        } else if (frame.framed) {
            execute_refuse(answer, &frame, "COMMAND none", "");
        }
        break;
    case FRAME_BAD_CRC:
        execute_refuse(answer, &frame, "CRC the line is damaged", "");
        break;
    case FRAME_TOO_MANY_WORDS:
        execute_refuse(answer, &frame, "ARGUMENT too many arguments", "");
        break;
    case FRAME_UNPRINTABLE:
        execute_refuse(answer, &frame, "COMMAND the line has bytes outside of 0x20 to 0x7e", "");
        break;
    }
    return frame.framed;
}

bool rpc_run_others(void)
{
    return innermost->id == 0 && KeGetCurrentIrql() < DISPATCH_LEVEL && idle_run();
}

/* Send the answer, after all that is pending by now has been handled with what it queued. Callbacks of what
 * comes from then on wait for the next command: whoever has the answer may send one at any moment, which
 * a callback would take for its own. */
static void finish(struct level *level, struct frame_text *answer, bool framed)
{
    uint64_t state = irq_save();

    while (!irq_is_masked(state) && (irq_is_pending() || rpc_run_others())) {
        irq_restore(state);
        state = irq_save();
    }
    if (answer->size) {
        send(answer, framed);
    }
    if (!framed) {
        uart_write("> ", 2);
        prompted = true;
    }
    level->between = irql_raise_to_dispatch();
    irq_restore(state);
}

/* What is there of a line that has come; also what came with it is still to be handled then. */
static bool take_line(struct uart_line *line, struct level *level)
{
    uart_poll();
    level->callbacks = callbacks;
    level->interrupts = irq_count();
    return uart_take_line(line);
}

/*
 * Sleep until a line is there. Nothing is left to do whenever this says so (ident_ready): from then
 * on time may stand still.
 *
 * A line and an interrupt may wake us together. The line is taken first, while interrupts are still
 * masked: a callback that the interrupt leads to would otherwise serve it, inside of itself.
 */
static void wait_for_line(struct uart_line *line, struct level *level)
{
    uint64_t state = irq_save();

    while (!take_line(line, level)) {
        if (irq_is_masked(state) || !irq_is_pending()) {
            ident_ready();
            cpu_sleep();
            if (take_line(line, level)) {
                break;
            }
        }
        irq_restore(state);
        state = irq_save();
    }
    irq_restore(state);
}

static uint64_t serve(uint32_t id)
{
    struct level level = {.id = id, .between = DISPATCH_LEVEL}, *outer = innermost;
    struct frame_text answer = {.size = 0};
    struct uart_line line;
    bool framed;

    innermost = &level;
    for (;;) {
        wait_for_line(&line, &level);
        irql_return_to(level.between);
        framed = answer_line(&line, &answer);
        if (level.returned) {
            break;
        }
        finish(&level, &answer, framed);
    }
    /* The caller goes on in the same command: answered, but not ready. */
    innermost = outer;
    send(&answer, framed);
    return level.value;
}

_Noreturn void rpc_serve(void)
{
    oplog_memory(OPLOG_MEMORY_WINDOW, NULL, STAGING_START, STAGING_SIZE, true);
    serve(0);
    exception_panic("the shell returned");
}

/* ---- callbacks ---- */

void rpc_event(struct frame_text *event, const char *name)
{
    event->size = 0;
    frame_append(event, "!");
    frame_append_decimal(event, ++callbacks);
    frame_append(event, " ");
    frame_append(event, name);
}

uint64_t rpc_call_back(struct frame_text *event)
{
    uint32_t id = callbacks;

    send(event, true);
    return serve(id);
}

uint32_t rpc_callbacks(void)
{
    return callbacks;
}

static const char *run_return(struct rpc_call *call)
{
    if (!innermost->id || call->argument[0] != innermost->id) {
        return "RETURN not the innermost callback";
    }
    innermost->returned = true;
    innermost->value = call->argument[1];
    return NULL;
}
RPC_COMMAND(return, "ID value", 2, 2, run_return);

void rpc_notice(const struct rpc_call *call, struct frame_text *notice)
{
    send(notice, call->framed);
}

enum { PRINT_PIECE = 120 };

/* The beginning of a text as a line of its own; returns what is left. */
static const char *print_piece(const char *text)
{
    static const char hex[] = "0123456789abcdef";
    struct frame_text line = {.size = 0};

    frame_append(&line, for_harness ? "!0 print text=" : "");
    for (size_t i = 0; i < PRINT_PIECE && *text != '\0'; i++, text++) {
        uint8_t byte = (uint8_t)*text;
        bool plain = byte > ' ' && byte < 0x7f && byte != '%';
        const char escaped[] = {'%', hex[byte >> 4], hex[byte & 15], '\0'};

        frame_append(&line, for_harness && !plain ? escaped : (const char[]){*text, '\0'});
    }
    if (!for_harness && line.size > 0 && line.text[line.size - 1] == '\n') {
        line.size--;
    }
    send(&line, for_harness);
    return text;
}

void rpc_print(const char *text)
{
    while (*text != '\0') {
        text = print_piece(text);
    }
}

static const char *run_help(struct rpc_call *call)
{
    for (const struct dmav3_command *row = __start_dmav3_commands; row < __stop_dmav3_commands; row++) {
        struct frame_text line = {.size = 0};

        frame_append(&line, "!0 help command=");
        frame_append(&line, row->name);
        frame_append(&line, " arguments=");
        for (const char *at = row->arguments; *at; at++) {
            const char one[2] = {*at == ' ' ? ',' : *at, '\0'};

            frame_append(&line, one);
        }
        rpc_notice(call, &line);
    }
    return NULL;
}
RPC_COMMAND(help, "", 0, 0, run_help);
