/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is on its way between memory and the MFIFO: the read queue, the write queue, the MFIFO itself.
 *
 * When an access enters its queue, it is known when it will be carried out: its turn comes when the bus is
 * free, and, for a store, when the last load that it takes bytes of has been answered.
 *
 * The MFIFO holds bytes in the order in which a channel loads them, at the place within a line at which they
 * will be stored. A channel that stores to a fixed address has a line for each beat.
 */
#ifndef DMAV3_ENGINE_TRAFFIC_H
#define DMAV3_ENGINE_TRAFFIC_H

#include "engine/state.h"

/* One half of CCR: `control` with its fields in the lowest bits, for `beats` beats from `address` on. */
struct engine_burst traffic_burst(uint32_t address, uint32_t control, uint32_t beats);

/* Beats that one half of CCR asks for, and bytes of a beat. */
uint32_t traffic_beats(uint32_t control);
uint32_t traffic_beat_bytes(uint32_t control);

bool queue_is_full(const struct queue *queue, uint32_t depth);

/* Lines of the MFIFO that so many bytes of a channel take, the first of which will be stored at `target`. */
uint32_t traffic_lines(const struct engine *engine, const struct thread *thread, uint32_t target,
                       uint64_t bytes);

/* Lines that a channel takes, if it had loaded so many bytes more. */
uint32_t traffic_lines_with(const struct engine *engine, const struct thread *thread, uint64_t more);

/* Enter a queue that is not full; the space in the MFIFO is taken, the bytes for a store are there or on their
 * way. DMASTZ has `zeroes`. */
void traffic_load(struct engine *engine, struct thread *thread, const struct access *access);
void traffic_store(struct engine *engine, struct thread *thread, const struct access *access);

/* The next cycle in which an access is carried out, or ENGINE_NEVER. */
uint64_t traffic_next(const struct engine *engine);

/* Carry out what an access does outside, and answer its peripheral; false: the bus answered with an error. */
bool traffic_read(struct engine *engine, const struct access *access);
bool traffic_write(struct engine *engine, const struct access *access);

/* The lines of the MFIFO that the thread has taken are as its bytes say. */
void traffic_count_lines(struct engine *engine, struct thread *thread);

/* Carry out what is due. An error of the bus is left in thread.error. True: something was. */
bool traffic_carry_out(struct engine *engine);

/* Drop the accesses of a channel whose turn has not come. What its other loads bring goes nowhere. */
void traffic_drop(struct engine *engine, struct thread *thread);

/* The channel's bytes in the MFIFO go nowhere. Nothing of it may be queued. */
void traffic_discard(struct engine *engine, struct thread *thread);

#endif
