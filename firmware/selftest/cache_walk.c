/* SPDX-License-Identifier: Apache-2.0 */
#include "selftest/cache_walk.h"

#include "boot/memlayout.h"
#include "hal/board.h"
#include "hal/cache.h"
#include "hal/memory.h"
#include "hal/string.h"
#include "selftest/device.h"
#include "selftest/operations.h"

enum { LINE = DEVICE_BURST, STATES = 6, CLEAN = 1, DIRTY = 2, WRITTEN_BY_DEVICE = 3 };
enum { WAY_BYTES = 0x10000 /* stack and way: the same */ };
_Static_assert(STACK_SIZE == WAY_BYTES, "so that the lines below share no set with what the stack holds");

/*
 * What is read afterwards, a letter for each state before: invalid, clean, dirty, and each of the three
 * with a device's write to the line behind it. A: the old bytes, B: stored by the CPU, D: written by the
 * device, Z: zeroes.
 */
static const struct operation {
    const char *name;
    void (*execute)(uintptr_t operand);
    bool by_set_and_way;
    const char *cpu, *memory;
} operations[] = {
    /* clang-format off */
    {"DSB  ", operation_dsb,   false, "AABDAB", "AAADDD"},
    {"IVAC ", operation_ivac,  false, "AAADDD", "AAADDD"},
    {"CVAC ", operation_cvac,  false, "AABDAB", "AABDDB"},
    {"CIVAC", operation_civac, false, "AABDDB", "AABDDB"},
    {"CVAU ", operation_cvau,  false, "AABDAB", "AAADDD"},
    {"ZVA  ", operation_zva,   false, "ZZZZZZ", "AAADDD"},
    {"ISW  ", operation_isw,   true,  "AAADDD", "AAADDD"},
    {"CSW  ", operation_csw,   true,  "AABDAB", "AABDDB"},
    {"CISW ", operation_cisw,  true,  "AABDDB", "AABDDB"},
    /* clang-format on */
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

extern uint8_t __stack_end[];

static uint8_t *uncached; /* a line of D, one to read into */

/* Sets that hold nothing else: behind the stack, and so also at its far end. */
static uint8_t *first_line(void)
{
    return (uint8_t *)ARENA_START + ((uintptr_t)__stack_end & (WAY_BYTES - 1));
}

/* The letter that all bytes of a line are. */
static char letter(const volatile uint8_t *line)
{
    uint8_t first = line[0];

    for (unsigned int i = 1; i < LINE; i++) {
        if (line[i] != first) {
            return '?';
        }
    }
    return first ? (char)first : 'Z';
}

static char letter_in_memory(const uint8_t *line)
{
    return device_copy(uncached + LINE, line) ? letter(uncached + LINE) : '?';
}

static void prepare(uint8_t *line, unsigned int state)
{
    memset(line, 'A', LINE);
    operation_civac((uintptr_t)line);
    if (state % WRITTEN_BY_DEVICE == CLEAN) {
        (void)letter(line);
    } else if (state % WRITTEN_BY_DEVICE == DIRTY) {
        memset(line, 'B', LINE);
    }
    if (state >= WRITTEN_BY_DEVICE) {
        (void)device_copy(line, uncached);
    }
}

/* Whichever way the line is in: all of its set, of the level that DMA sees the end of. */
static void execute_by_set_and_way(void (*execute)(uintptr_t operand), uintptr_t address)
{
    unsigned int level = cache_coherency_level();
    uint32_t size_id = cache_size_id(level), last_way = size_id >> 3 & 0x3ff, last_set = size_id >> 13 & 0x7fff;

    barrier_sync(); /* only barriers order these operations: each ends with the one behind it */
    for (uint32_t way = 0; way <= last_way; way++) {
        execute((uintptr_t)way << __builtin_clz(last_way) | (address & last_set * LINE) | (level - 1) << 1);
    }
}

static void execute(const struct operation *operation, uint8_t *line)
{
    if (operation->by_set_and_way) {
        execute_by_set_and_way(operation->execute, (uintptr_t)line);
    } else {
        operation->execute((uintptr_t)line);
    }
}

static bool walk_row(const struct operation *operation, uint8_t *lines)
{
    char cpu[STATES + 1] = "", memory[STATES + 1] = "";
    bool right;

    for (unsigned int state = 0; state < STATES; state++) {
        uint8_t *line = lines + state * LINE;

        prepare(line, state);
        execute(operation, line);
        memory[state] = letter_in_memory(line);
        cpu[state] = letter(line);
        prepare(line + PAGE_SIZE_BYTES, state);
        execute(operation, line + PAGE_SIZE_BYTES);
    }
    right = strcmp(cpu, operation->cpu) == 0 && strcmp(memory, operation->memory) == 0;
    board_print(operation->name);
    board_print("  cpu ");
    board_print(cpu);
    board_print("  memory ");
    board_print(memory);
    board_print(right ? "\n" : "  WRONG\n");
    return right;
}

bool cache_walk(void)
{
    bool right = true;

    uncached = memory_take_uncached(PAGE_SIZE_BYTES);
    memset(uncached, 'D', LINE);
    board_print("lines ");
    board_print_hex((uintptr_t)first_line());
    board_print("\n");
    for (unsigned int i = 0; i < OPERATIONS; i++) {
        right &= walk_row(&operations[i], first_line() + (uintptr_t)i * STATES * LINE);
    }
    return right;
}
