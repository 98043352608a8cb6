/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "hal/board.h"
#include "hal/memory.h"

int main(void);

int main(void)
{
    board_print(">");
    memory_initialize();
    board_print_hex(bench_run());
    board_print("\n");
    board_power_off();
    return 0;
}
