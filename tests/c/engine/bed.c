/* SPDX-License-Identifier: Apache-2.0 */
#include "bed.h"

struct bed bed;

static bool has(uint32_t address, uint64_t bytes)
{
    return address >= BED_BASE && address - BED_BASE + bytes <= BED_SIZE;
}

uint8_t *bed_at(uint32_t address)
{
    CHECK(has(address, 1));
    return bed.memory + (address - BED_BASE);
}

/* ---- operations ---- */

static bool glance(void *opaque, uint32_t address, uint8_t *code, uint32_t bytes)
{
    CHECK(opaque == &bed);
    if (bed.broken || !has(address, bytes)) {
        return false;
    }
    memcpy(code, bed_at(address), bytes);
    return true;
}

static bool fetch(void *opaque, uint32_t thread, uint32_t address, uint8_t *code, uint32_t bytes)
{
    CHECK(thread < ENGINE_THREADS);
    bed.fetches++;
    return glance(opaque, address, code, bytes);
}

static enum engine_outlook look_at(void *opaque, const struct engine_burst *burst)
{
    (void)opaque;
    if (bed.effect && burst->address == bed.effect) {
        return ENGINE_OUTLOOK_EFFECT;
    }
    return has(burst->address, burst->increments ? burst->bytes : burst->size) ? ENGINE_OUTLOOK_DATA
                                                                               : ENGINE_OUTLOOK_ERROR;
}

static bool is_data(void *opaque, uint32_t address, uint64_t bytes)
{
    (void)opaque;
    return has(address, bytes) && !(bed.effect && bed.effect >= address && bed.effect < address + bytes);
}

/* The beats, one after the other. */
static bool move(const struct engine_burst *burst, uint8_t *out, const uint8_t *in)
{
    uint32_t address = burst->address, done = 0;

    CHECK(burst->bytes <= ENGINE_BURST_MAX);
    for (uint32_t beat = 0; beat < burst->beats; beat++) {
        uint32_t bytes = burst->size - (address & (burst->size - 1u));

        if (!has(address, bytes)) {
            return false;
        }
        if (out) {
            memcpy(out + done, bed_at(address), bytes);
        } else {
            memcpy(bed_at(address), in + done, bytes);
        }
        done += bytes;
        address += burst->increments ? bytes : 0;
    }
    CHECK_EQ(done, burst->bytes);
    return true;
}

void bed_mix(uint64_t value)
{
    bed.digest = (bed.digest ^ value) * 0x100000001b3ull;
}

/* What happens outside, and when. */
static void note(uint64_t what, uint64_t detail)
{
    bed_mix(what);
    bed_mix(detail);
    bed_mix(engine_now(bed.engine));
}

static bool read_burst(void *opaque, const struct engine_burst *burst, uint8_t *data)
{
    (void)opaque;
    note(burst->address, burst->number << 16 | burst->bytes);
    bed.reads++;
    bed.last_read = *burst;
    return move(burst, data, NULL);
}

static bool write_burst(void *opaque, const struct engine_burst *burst, const uint8_t *data)
{
    (void)opaque;
    note(burst->address + 1ull, burst->number << 16 | burst->bytes);
    bed.writes++;
    bed.last_write = *burst;
    return move(burst, NULL, data);
}

static void interrupt(void *opaque, uint32_t line, bool level)
{
    (void)opaque;
    CHECK((bed.lines >> line & 1) != level);
    note(2, line);
    bed.lines ^= 1ull << line;
    bed.rises += level;
}

static void answer(void *opaque, uint32_t peripheral, enum engine_answer answer)
{
    (void)opaque;
    if (bed.answers < BED_ANSWERS) {
        bed.answer[bed.answers].peripheral = peripheral;
        bed.answer[bed.answers].answer = answer;
    }
    bed.answers++;
    note(3, peripheral);
    if (bed.asks_left && --bed.asks_left == 0) {
        bed.asks = ENGINE_REQUEST_NONE;
    }
    engine_request(bed.engine, peripheral, bed.asks, bed.asks_last);
}

static void issued(void *opaque, uint32_t thread, uint32_t pc, const uint8_t *code,
                   const struct engine_burst *burst)
{
    (void)opaque;
    (void)code;
    CHECK(thread < ENGINE_THREADS);
    CHECK(!burst || (burst->channel == thread && burst->microcode == pc));
    bed.issued++;
}

static bool listens(void *opaque)
{
    (void)opaque;
    return !bed.skips;
}

static void skipped(void *opaque, uint64_t count)
{
    (void)opaque;
    bed.issued += (uint32_t)count;
    bed.skipped += count;
}

static void faulted(void *opaque, uint32_t thread)
{
    (void)opaque;
    CHECK(engine_thread(bed.engine, thread).fault);
    bed.faulted++;
}

static void held(void *opaque, uint32_t channel)
{
    (void)opaque;
    CHECK(engine_thread(bed.engine, channel).held);
    bed.held++;
}

static void found(void *opaque, const struct engine_finding *finding)
{
    (void)opaque;
    note(finding->kind, finding->microcode);
    if (bed.findings < BED_FINDINGS) {
        bed.finding[bed.findings] = *finding;
    }
    bed.findings++;
}

static const struct engine_ops ops = {
    .fetch = fetch,
    .glance = glance,
    .look_at = look_at,
    .is_data = is_data,
    .read = read_burst,
    .write = write_burst,
    .interrupt = interrupt,
    .answer = answer,
    .issued = issued,
    .listens = listens,
    .skipped = skipped,
    .faulted = faulted,
    .held = held,
    .found = found,
};

/* ---- set-up ---- */

void bed_start(void)
{
    engine_free(bed.engine);
    CHECK(!engine_config_error(&bed.config));
    bed.engine = engine_new(&bed.config, &ops, &bed);
    CHECK(bed.engine);
    bed.now = 0;
    bed.lines = bed.rises = 0;
}

void bed_reset(void)
{
    engine_free(bed.engine);
    memset(&bed, 0, sizeof(bed));
    bed.config = (struct engine_config){
        .channels = 8,
        .peripherals = 4,
        .events = 16,
        .bus_bytes = 8,
        .read_capacity = 8,
        .write_capacity = 8,
        .read_queue = 16,
        .write_queue = 16,
        .cache_line = 4,
        .cache_lines = 8,
        .revision = 2,
        .fifo_lines = 256,
        .latency = 4,
    };
    for (uint32_t i = 0; i < BED_SIZE; i++) {
        bed.memory[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
    }
    bed_start();
}

void bed_put(uint32_t address, const uint8_t *code, size_t bytes)
{
    memcpy(bed_at(address), code, bytes);
}

/* ---- the CPU's part ---- */

uint32_t bed_register(uint32_t offset)
{
    return engine_register_read(bed.engine, offset, false);
}

void bed_set(uint32_t offset, uint32_t value)
{
    engine_register_write(bed.engine, offset, value, false);
}

void bed_debug(uint32_t thread, const uint8_t *code, size_t bytes)
{
    uint8_t all[6] = {0};

    memcpy(all, code, bytes);
    bed_set(DBGINST0,
            (uint32_t)all[1] << 24 | (uint32_t)all[0] << 16 | (thread == ENGINE_MANAGER ? 0 : thread << 8 | 1));
    bed_set(DBGINST1, all[2] | (uint32_t)all[3] << 8 | (uint32_t)all[4] << 16 | (uint32_t)all[5] << 24);
    bed_set(DBGCMD, 0);
}

void bed_go(uint32_t channel, uint32_t address)
{
    DEBUG(ENGINE_MANAGER, GO((uint8_t)channel, address));
}

void bed_go_nonsecure(uint32_t channel, uint32_t address)
{
    DEBUG(ENGINE_MANAGER, GONS((uint8_t)channel, address));
}

void bed_run(uint64_t cycles)
{
    bed.now += cycles;
    engine_run(bed.engine, bed.now);
    CHECK_EQ(engine_now(bed.engine), bed.now);
}

void bed_settle(void)
{
    for (uint32_t i = 0; engine_next(bed.engine) != ENGINE_NEVER; i++) {
        CHECK(i < 1000);
        bed_run(1000);
    }
}

uint32_t bed_state(uint32_t channel)
{
    return bed_register(CSR0 + 8 * channel) & 15;
}

uint32_t bed_fault(uint32_t channel)
{
    return bed_register(FTR0 + 4 * channel);
}

void bed_check_copied(size_t bytes)
{
    CHECK(memcmp(bed_at(SOURCE), bed_at(TARGET), bytes) == 0);
}
