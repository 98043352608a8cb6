/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two sides of the PL330 that we stand on: the memory that it sees, and its registers.
 *
 * Bus errors. The model ignores them, so they are found before or behind it and shown through it: the
 * channel is served a byte that is no instruction, which makes the model fault it (state, FSRC,
 * irq_abort), and FTRn reads as the fault that silicon would have had, until the channel is killed.
 */
#ifndef DMAV3_OVERLAY_H
#define DMAV3_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu_abi.h"

/* Bits of FTRn. */
enum {
    FAULT_FETCH = 1u << 16,
    FAULT_WRITE = 1u << 17,
    FAULT_READ = 1u << 18,
};
#define FAULT_LOCKUP (1u << 31)

/* The address space for DMA masters: system memory with RAM replaced by the devices' view. */
MemoryRegion *overlay_dma_memory(void);

/* Registers: forwards to `pl330`, its own region, and watches. line(n): a request input. */
struct overlay_events {
    void (*start)(uint32_t n, uint64_t address); /* DMAGO of a stopped channel, before it runs */
    void (*kill)(uint32_t n);                    /* DMAKILL, before */
    bool (*is_clean)(uint32_t n);                /* nothing of it is queued in the model, for certain */
    bool (*is_held)(uint32_t n);                 /* CSRn shows "executing" then */
};
MemoryRegion *overlay_registers(MemoryRegion *pl330, qemu_irq kick, const struct overlay_events *events);

/* Let the model's engine run, now. */
void overlay_kick(void);

/* A register of the model; not while its engine runs. */
uint32_t overlay_model_register(hwaddr offset);
bool overlay_is_stopped(uint32_t n);

/* Would an access to any of these addresses be answered by an error? */
bool overlay_is_faulty(uint64_t address, uint64_t span);

/* FTRn from now on, until the channel is killed. */
void overlay_set_fault(uint32_t n, uint32_t type);

void overlay_reset(void);

/* fault-base, fault-size: a range that answers with errors. */
uint64_t overlay_fault_base(void);
bool overlay_set_fault_base(uint64_t value, Error **errp);
uint64_t overlay_fault_size(void);
bool overlay_set_fault_size(uint64_t value, Error **errp);

#endif
