/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of the PL330 (DDI 0424, 3.3), and what the debug interface makes its threads do.
 *
 * `base` is the address of the 4 KiB of registers, `n` a channel that exists. Every wait is bounded.
 */
#ifndef PL330_REGISTERS_H
#define PL330_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

/* ---- what was built into it; constant ---- */

struct pl330_configuration {
    uint32_t channels, peripherals, events;           /* how many */
    uint32_t nonsecure_events, nonsecure_peripherals; /* bits: those that a non-secure thread may use */
    uint32_t bus_bytes;                               /* of the widest beat */
    uint32_t fifo_bytes;                              /* that all channels share */
};

struct pl330_configuration pl330_read_configuration(uintptr_t base);

/* ---- threads ---- */

bool pl330_is_manager_nonsecure(uintptr_t base);
bool pl330_is_manager_faulting(uintptr_t base);
bool pl330_is_stopped(uintptr_t base, uint32_t n);

/* The channels that fault, one bit for each. */
uint32_t pl330_faulting_channels(uintptr_t base);

/* Why a channel faults: FTRn, until the channel is killed. */
uint32_t pl330_fault_type(uintptr_t base, uint32_t n);

/* The state of a channel's thread: next instruction, source, destination, control, second counter. */
struct pl330_thread {
    uint32_t cpc, sar, dar, ccr, lc1;
};
struct pl330_thread pl330_read_thread(uintptr_t base, uint32_t n);

/* Start a channel by DMAGO. The program must be in memory as the controller reads it. False: the channel is not
 * stopped, or the debug interface is stuck, and nothing has happened. (Started twice, QEMU's manager faults.)
 */
bool pl330_start(uintptr_t base, uint32_t n, bool nonsecure, uint32_t program);

/* Stop a channel by DMAKILL, which is the only way out of a fault. False: the channel has not stopped. */
bool pl330_kill(uintptr_t base, uint32_t n);
void pl330_kill_manager(uintptr_t base);

/* ---- events, one bit each ---- */

/* Make all events in `events` interrupts, none of which is pending. */
void pl330_enable_interrupts(uintptr_t base, uint32_t events);
uint32_t pl330_pending_interrupts(uintptr_t base);
void pl330_clear_interrupt(uintptr_t base, uint32_t event);

/* Let the manager raise an event by DMASEV. False: the debug interface is stuck. */
bool pl330_raise_event(uintptr_t base, uint32_t event);

#endif
