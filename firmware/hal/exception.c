/* SPDX-License-Identifier: Apache-2.0 */
#include "hal/exception.h"

#include <stdbool.h>

#include "boot/memlayout.h"
#include "hal/cpu.h"
#include "hal/irq_mask.h"
#include "hal/string.h"

enum { LINE_MAX = 384 };

static void (*reporter)(const char *line);

static char *append(char *at, const char *text)
{
    while (*text) {
        *at++ = *text++;
    }
    *at = '\0';
    return at;
}

static char *append_hex(char *at, const char *key, uint64_t value)
{
    at = append(append(append(at, " "), key), "=0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[value >> shift & 15];
    }
    *at = '\0';
    return at;
}

/* Append where the functions around were called, from the innermost frame record on: each has the address of
 * the one before, then the return address. */
static char *append_callers(char *at, const uint64_t *record)
{
    static const char *const keys[] = {"from1", "from2", "from3", "from4", "from5"};
    const uint64_t *above = (const uint64_t *)IMAGE_START;

    for (unsigned int i = 0;
         i < sizeof keys / sizeof keys[0] && record > above &&
         record < (const uint64_t *)(IMAGE_START + STACK_SIZE) && (uintptr_t)record % 8 == 0;
         i++) {
        at = append_hex(at, keys[i], record[1]);
        above = record;
        record = (const uint64_t *)(uintptr_t)record[0];
    }
    return at;
}

static _Noreturn void stop(const char *line)
{
    (void)irq_save();
    if (reporter) {
        void (*report)(const char *) = reporter;

        reporter = NULL; /* a fault inside the report is not reported */
        report(line);
    }
    for (;;) {
        cpu_sleep();
    }
}

void exception_set_reporter(void (*report)(const char *line))
{
    reporter = report;
}

/* A data abort (ESR_EL1.EC) in the unmapped RAM below the stack, while the stack pointer is there, or will be
 * when the instruction is done: one stores at most 512 bytes below it. */
static bool is_stack_full(const uint64_t registers[3])
{
    return registers[0] >> 26 == 0x25 && registers[1] >= STACK_GUARD_START && registers[1] < IMAGE_START &&
           registers[2] < IMAGE_START + 512;
}

void exception_fatal(uint64_t kind, const struct exception_frame *frame)
{
    static const char *const names[] = {"sync", "irq", "fiq", "serror"};
    char line[LINE_MAX], *at;
    uint64_t registers[3];

    exception_registers(registers);
    at = append(append(line, "fault kind="), is_stack_full(registers) ? "stack" : names[kind & 3]);
    at = append_hex(at, "esr", registers[0]);
    at = append_hex(at, "elr", frame->elr);
    at = append_hex(at, "far", registers[1]);
    at = append_hex(at, "x30", frame->x[30]);
    if (is_stack_full(registers)) {
        at = append_hex(at, "size", STACK_SIZE);
    }
    append_callers(at, (const uint64_t *)(uintptr_t)frame->x[29]);
    stop(line);
}

void exception_storm(unsigned int spi, const void *handler, uint32_t times)
{
    char line[LINE_MAX], *at;

    at = append(line, "fault kind=storm");
    at = append_hex(at, "spi", spi);
    at = append_hex(at, "handler", (uint64_t)(uintptr_t)handler);
    append_hex(at, "times", times);
    stop(line);
}

void exception_panic(const char *why)
{
    char line[LINE_MAX], *at;

    at = append(line, "fault kind=panic");
    at = append_hex(at, "x30", (uint64_t)(uintptr_t)__builtin_return_address(0));
    at = append(at, " why=");
    for (; *why && at < line + 128; why++) {
        *at++ = *why == ' ' ? '_' : *why;
    }
    append_callers(at, __builtin_frame_address(0));
    stop(line);
}
