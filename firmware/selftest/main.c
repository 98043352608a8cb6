/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test: an image without a shell that walks what the emulated silicon is trusted for, prints a
 * table and its verdict on the board's own UART, and switches the board off.
 */
#include "hal/board.h"
#include "hal/exception.h"
#include "hal/ident.h"
#include "hal/memory.h"
#include "selftest/cache_walk.h"

int main(void);

static void report_fault(const char *line)
{
    board_print(line);
    board_print("\nfail\n");
    board_power_off();
}

int main(void)
{
    memory_initialize();
    exception_set_reporter(report_fault);
    board_print(cache_walk() ? "pass\n" : "fail\n");
    board_power_off();
    return 0;
}
