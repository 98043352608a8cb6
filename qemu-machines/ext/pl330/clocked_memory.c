/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked_memory.h"

#include <string.h>

#include "memory/views.h"
#include "pl330/bus.h"
#include "pl330/clocked_state.h"

enum { PIECE = 64, WORD = 8 };

static struct accessor accessor_of(const struct engine_burst *burst)
{
    return (struct accessor){
        .channel = burst->channel,
        .microcode = burst->microcode,
        .burst = burst->number,
        .starts = &clocked.starts[burst->channel],
    };
}

static bool access_piece(uint32_t address, uint8_t *data, uint32_t bytes, bool is_write, struct accessor *by)
{
    clocked_look_back();
    return !bus_access(address, data, bytes, is_write, by);
}

/* In memory, a line at a time; to a device, beat by beat. */
static uint32_t piece_at(const struct engine_burst *burst, uint32_t address)
{
    bool memory = burst->increments && views_has(address);
    uint32_t size = memory && burst->size < PIECE ? PIECE : burst->size > WORD ? WORD : burst->size;

    return size - (address & (size - 1));
}

static bool access(const struct engine_burst *burst, uint8_t *data, bool is_write)
{
    struct accessor by = accessor_of(burst);
    uint32_t address = burst->address;

    for (uint32_t done = 0; done < burst->bytes;) {
        uint32_t piece = piece_at(burst, address), rest = burst->bytes - done;

        piece = piece < rest ? piece : rest;
        if (!access_piece(address, data + done, piece, is_write, &by)) {
            clocked.failed[burst->channel] = address;
            clocked.failed_bytes = piece;
            return false;
        }
        done += piece;
        address += burst->increments ? piece : 0;
    }
    return true;
}

bool clocked_read_burst(void *opaque, const struct engine_burst *burst, uint8_t *data)
{
    (void)opaque;
    return access(burst, data, false);
}

bool clocked_write_burst(void *opaque, const struct engine_burst *burst, const uint8_t *data)
{
    (void)opaque;
    return access(burst, (uint8_t *)(uintptr_t)data, true);
}

enum engine_outlook clocked_look_at(void *opaque, const struct engine_burst *burst)
{
    uint32_t span = burst->increments ? burst->bytes : burst->size;

    (void)opaque;
    if (bus_is_faulty(burst->address, span)) {
        return ENGINE_OUTLOOK_ERROR;
    }
    if ((views_has(burst->address) && views_has(burst->address + span - 1)) ||
        burst->address - clocked.wiring.quiet_base < clocked.wiring.quiet_size) {
        return ENGINE_OUTLOOK_DATA;
    }
    return ENGINE_OUTLOOK_EFFECT;
}

bool clocked_fetch(void *opaque, uint32_t thread, uint32_t address, uint8_t *code, uint32_t bytes)
{
    struct accessor by = {
        .channel = thread,
        .is_fetch = true,
        .microcode = address,
        .burst = engine_thread(clocked.engine, thread).bursts,
        .starts = &clocked.starts[thread],
    };

    (void)opaque;
    if (views_has(address)) {
        return access_piece(address, code, bytes, false, &by);
    }
    for (uint32_t done = 0; done < bytes; done += WORD / 2) {
        if (!access_piece(address + done, code + done, WORD / 2, false, &by)) {
            return false;
        }
    }
    return true;
}

bool clocked_glance(void *opaque, uint32_t address, uint8_t *code, uint32_t bytes)
{
    (void)opaque;
    if (!views_has(address) || !views_has(address + bytes - 1) || bus_is_faulty(address, bytes)) {
        return false;
    }
    memcpy(code, views.dram + (address - views.base), bytes);
    return true;
}
