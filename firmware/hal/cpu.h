/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core: sleep, translation. One implementation an architecture, a64_cpu.S.
 */
#ifndef HAL_CPU_H
#define HAL_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Until an interrupt is pending, masked or not. Check for work with interrupts masked first. */
void cpu_sleep(void);

/* Another stack that cpu_switch() goes to, where `entry`, which never returns, begins. `top` is its end,
 * aligned to 16 bytes. */
void *cpu_new_stack(void *top, void (*entry)(void));

/* Keep the stack pointer of the present stack in *from, and go on with `to`, where cpu_switch() was left or
 * `entry` begins. Returns when somebody goes back. Interrupts stay as they are. */
void cpu_switch(void **from, void *to);

/* PAR_EL1 of a read of `address` by the kernel; bit 0 set: it is not mapped. */
uint64_t cpu_translate(uintptr_t address);

/* TTBR0_EL1, MAIR_EL1, TCR_EL1, then the MMU and both caches on. Called once, with them off. */
void cpu_enable_translation(uint64_t tables, uint64_t attributes, uint64_t control);

/* Are MMU and data cache on? */
bool cpu_is_caching(void);

/* ESR_EL1 and FAR_EL1 of the exception that was taken last. */
void exception_registers(uint64_t values[3]);

#endif
