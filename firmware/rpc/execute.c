/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/execute.h"

#include "hal/string.h"

/* A command of a line: its words, and its number in the line, from 1. */
struct command {
    char *const *word;
    unsigned int words, number;
};

/* Why a command is refused, with something of its own behind it. */
struct refusal {
    const char *error, *detail;
};

static bool is_divider(const char *word)
{
    return strcmp(word, ";") == 0;
}

/* Go on to the next command of the line, from {0} to the first; false behind the last. */
static bool next_command(const struct frame *frame, struct command *command)
{
    char *const *const end = frame->word + frame->words;
    char *const *const start = command->number ? command->word + command->words + 1 : frame->word;

    if (start > end) {
        return false;
    }
    *command = (struct command){.word = start, .number = command->number + 1};
    while (start + command->words < end && !is_divider(start[command->words])) {
        command->words++;
    }
    return true;
}

/* ---- arguments ---- */

static const struct dmav3_command *find(const char *name)
{
    for (const struct dmav3_command *row = __start_dmav3_commands; row < __stop_dmav3_commands; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* Is `word` one of those in brackets, [a|b], at place `index` of `arguments`? */
static bool is_listed(const char *arguments, unsigned int index, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = arguments; *at; at++) {
        if (*at == ' ') {
            index--;
        } else if (index == 0 && (*at == '[' || *at == '|') && strlen(at + 1) > size &&
                   memcmp(at + 1, word, size) == 0 && (at[1 + size] == ']' || at[1 + size] == '|')) {
            return true;
        }
    }
    return false;
}

/* A driver's command takes as many as it names. */
static bool takes(const struct dmav3_command *row, unsigned int count)
{
    unsigned int named = *row->arguments != '\0';

    if (!row->routine) {
        return count >= row->least && count <= row->most;
    }
    for (const char *at = row->arguments; *at; at++) {
        named += *at == ' ';
    }
    return count == named;
}

static const char *take_arguments(const struct command *command, struct rpc_call *call)
{
    call->arguments = command->words - 1;
    if (!takes(call->row, call->arguments)) {
        return "ARGUMENT too few or too many arguments, it takes: ";
    }
    for (unsigned int i = 0; i < call->arguments; i++) {
        call->word[i] = command->word[i + 1];
        call->argument[i] = 0;
        if (!frame_number(call->word[i], &call->argument[i]) &&
            !is_listed(call->row->arguments, i, call->word[i])) {
            return "ARGUMENT neither 0x1f nor 31 nor a word that it knows, it takes: ";
        }
    }
    return NULL;
}

/* Make the call of a command. */
static struct refusal prepare(const struct command *command, struct rpc_call *call)
{
    const char *error;

    if (command->words == 0) {
        return (struct refusal){"COMMAND none", ""};
    }
    call->row = find(command->word[0]);
    if (!call->row) {
        return (struct refusal){"COMMAND unknown, try help: ", command->word[0]};
    }
    error = take_arguments(command, call);
    return (struct refusal){error, *call->row->arguments ? call->row->arguments : "none"};
}

/* ---- answers ---- */

static void begin_answer(struct frame_text *line, const struct frame *frame, const char *verdict)
{
    line->size = 0;
    line->cut = false;
    if (frame->framed) {
        frame_append(line, "@");
        frame_append_decimal(line, frame->seq);
        frame_append(line, " ");
    }
    frame_append(line, verdict);
}

void execute_refuse(struct frame_text *answer, const struct frame *frame, const char *error, const char *detail)
{
    begin_answer(answer, frame, "error ");
    frame_append(answer, error);
    frame_append(answer, detail);
}

static void append_character(struct frame_text *line, char character)
{
    const char text[2] = {character, '\0'};

    frame_append(line, text);
}

/* Refuse a command of several: CODE, the number of the command, the text. */
static void refuse_number(struct frame_text *answer, const struct frame *frame, unsigned int number,
                          struct refusal why)
{
    const char *text = why.error;

    begin_answer(answer, frame, "error ");
    while (*text && *text != ' ') {
        append_character(answer, *text++);
    }
    frame_append(answer, " command ");
    frame_append_decimal(answer, number);
    frame_append(answer, ":");
    frame_append(answer, text);
    frame_append(answer, why.detail);
}

/* Append what a command of several replied, each key with the number of the command before it. */
static void append_reply(struct frame_text *answer, unsigned int number, const struct frame_text *reply)
{
    for (size_t i = 0; i < reply->size; i++) {
        append_character(answer, reply->text[i]);
        if (reply->text[i] == ' ') {
            frame_append_decimal(answer, number);
            frame_append(answer, ".");
        }
    }
    answer->cut = answer->cut || reply->cut;
}

/* ---- a line ---- */

static void execute_one(const struct frame *frame, const struct command *command, struct rpc_call *call,
                        struct frame_text *answer)
{
    struct refusal why = prepare(command, call);

    if (!why.error) {
        begin_answer(answer, frame, "ok");
        call->reply = answer;
        why = (struct refusal){call->row->run(call), ""};
    }
    if (why.error) {
        execute_refuse(answer, frame, why.error, why.detail);
    }
}

/* Run a command of several; false if it, or the answer, is refused. */
static bool execute_next(const struct frame *frame, const struct command *command, struct rpc_call *call,
                         struct frame_text *answer)
{
    struct frame_text reply = {.size = 0};
    struct refusal why = prepare(command, call);

    call->reply = &reply;
    why = (struct refusal){call->row->run(call), ""};
    if (!why.error) {
        append_reply(answer, command->number, &reply);
        why.error = answer->cut ? "REPLY the replies do not fit into one line" : NULL;
    }
    if (why.error) {
        refuse_number(answer, frame, command->number, why);
    }
    return !why.error;
}

static void execute_all(const struct frame *frame, struct rpc_call *call, struct frame_text *answer)
{
    struct command command = {0};

    while (next_command(frame, &command)) {
        struct refusal why = prepare(&command, call);

        if (why.error) {
            refuse_number(answer, frame, command.number, why);
            return;
        }
    }
    begin_answer(answer, frame, "ok");
    command = (struct command){0};
    while (next_command(frame, &command) && execute_next(frame, &command, call, answer)) {
    }
}

void execute(const struct frame *frame, struct rpc_call *call, struct frame_text *answer)
{
    struct command command = {0};

    (void)next_command(frame, &command);
    call->framed = frame->framed;
    if (command.words == frame->words) {
        execute_one(frame, &command, call, answer);
    } else {
        execute_all(frame, call, answer);
    }
}
