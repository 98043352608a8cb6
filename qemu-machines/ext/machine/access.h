/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores of the CPU: which line of RAM each one touches, quickly for the common one, and what the
 * cache model and the history make of it.
 *
 * The caller of all functions holds the views' lock, except for access_initialise(), the two for callbacks, and
 * access_release() and the callbacks after loads and stores, which take it where they need it.
 */
#ifndef DMAV3_ACCESS_H
#define DMAV3_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* The CPU's CPUArchState. */
void access_initialise(void *env);

/* Forget everything that the fast path remembers. Needed before the guest's first access, with probe memory
 * open, and at every reset. */
void access_reset(void);

/* The model changed a line: what the fast path remembers of it is void. */
void access_line_changed(size_t line);

/* Virtual addresses may mean other places from now on. */
void access_forget_translations(void);

/* Every other callback of the translator takes the lock, and tells the clock, by these two. Where it reaches
 * DRAM, what runs behind the CPU catches up first. */
void access_enter_callback(void);
void access_leave_callback(void);
void access_catch_up(void);

/* Callbacks after a load, with the instruction's address, and after a store, with its place (evidence/place.h).
 */
struct access_callbacks {
    PluginMemCallback *load, *store;
};
struct access_callbacks access_callbacks(void); /* after the first access_reset() */

/* A store-release is under way, from before it to its callback. If it faults, there is none, and the next
 * other callback ends it. */
void access_release(bool under_way);
void access_store_release(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *place);

/* Does the virtual address lie in RAM, and at which offset? */
bool access_finds_ram(uint64_t address, unsigned int mmu_index, size_t *offset);

/* The instruction at `pc` stored whole lines, without a callback. */
void access_stored(uint64_t address, unsigned int size, unsigned int mmu_index, uint64_t pc);

#endif
