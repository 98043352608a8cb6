/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine in a process of this computer, for the shim with the scripted back end: the firmware from
 * main() down to the hal's drivers is the one that runs on the board; below it are
 *
 *     cpu.c      what a64_cpu.S is on the board, except the interrupt mask (tests/c/fake_irq.h):
 *                translation by the firmware's own tables, sleep, a timer; cache operations only enter the log
 *     devices.c  interrupt controller, command UART, identification page: by their registers
 *     heap.c     a heap whose unused bytes the address sanitizer watches
 *     log.c      the operation log, in memory that the harness maps
 *     bounce.c   the layer's copies to and from bounce pages enter the log
 *     commands.c the scripted back end by commands
 *
 * RAM is a file of the harness, mapped at the addresses of boot/memlayout.h. Nothing but a command
 * makes anything happen, and model time passes only in `wait`.
 */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* ---- cpu.c ---- */

/* Map the file `fd` as RAM. */
void machine_map_ram(int fd);

/* The page of the scatter window at `index` is from now on at this physical address, for whoever asks. False:
 * there is no such page. */
bool machine_name_page(uint64_t index, uint64_t physical);

/* ---- devices.c ---- */

enum { SPI_FIRST = 32 }; /* INTID of the first shared peripheral interrupt */

void devices_initialize(uint64_t nonce, bool coherent);

/* Whether MMU and caches are on, as far as the shim is told: they are unless this says no. */
void machine_set_caching(bool on);

void devices_raise(unsigned int intid); /* once */

/* Let time jump to the alarm, and its interrupt rise; false if none is set. */
bool devices_ring_alarm(void);

/* Wait for bytes on the command line; at its end the process ends. */
void devices_wait_for_line(void);

/* ---- log.c ---- */

/* Kinds beside those of hal/oplog.c, which are 4 to 8 (harness/dmav3/probe.py). */
enum log_kind {
    LOG_COMMAND = 2,
    LOG_CLEAN = 32,
    LOG_INVALIDATE,
    LOG_CLEAN_INVALIDATE,
    LOG_BARRIER,
    LOG_COPY_TO_DEVICE,
    LOG_COPY_FROM_DEVICE
};

void log_initialize(int fd);

/* The next command begins. */
void log_begin_command(void);

void log_record(uint32_t kind, uint32_t id, const uint64_t arguments[5]);

uint64_t machine_time(void);
void machine_set_time(uint64_t ns);

#endif
