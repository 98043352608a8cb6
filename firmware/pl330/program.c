/* SPDX-License-Identifier: Apache-2.0 */
#include "pl330/program.h"

enum { LOOP_ITERATIONS_MAX = 256, HOP_DISTANCE = 200, HOPS_MAX = 255 };

/* A program while it is made. */
struct maker {
    struct pl330_code *code;
    const struct pl330_transfer *transfer;
    size_t anchor; /* where the next jump on the way back leads: the start of the round or the last hop */
    unsigned int hops;
    uint32_t done;         /* bytes of the round */
    uint32_t until_notice; /* bytes */
};

/* ---- units ---- */

/* What a request moves, and how the memory side does it. */
struct unit {
    enum pl330_request request;
    unsigned int width_log2, beats;                /* of the device's burst */
    unsigned int memory_log2, memory_beats, times; /* of the memory's bursts, and how many */
};

static unsigned int alignment_log2(uint32_t address, unsigned int limit)
{
    unsigned int log2 = 0;

    while (log2 < limit && (address >> log2 & 1) == 0) {
        log2++;
    }
    return log2;
}

static struct unit make_unit(enum pl330_request request, unsigned int width_log2, unsigned int beats,
                             uint32_t address)
{
    unsigned int memory_log2 = alignment_log2(address, width_log2);
    struct unit unit = {
        .request = request,
        .width_log2 = width_log2,
        .beats = beats,
        .memory_log2 = memory_log2,
        .memory_beats = beats << (width_log2 - memory_log2),
        .times = 1,
    };

    while (unit.memory_beats > PL330_BEATS_MAX) {
        unit.memory_beats /= 2;
        unit.times *= 2;
    }
    return unit;
}

static void emit_memory(const struct maker *maker, unsigned int times, enum pl330_if condition)
{
    for (unsigned int i = 0; i < times; i++) {
        if (maker->transfer->write) {
            pl330_emit_load(maker->code, condition);
        } else {
            pl330_emit_store(maker->code, condition);
        }
    }
}

static void emit_device(const struct maker *maker, enum pl330_if condition)
{
    if (maker->transfer->write) {
        pl330_emit_store_peripheral(maker->code, condition, maker->transfer->peripheral);
    } else {
        pl330_emit_load_peripheral(maker->code, condition, maker->transfer->peripheral);
    }
}

static void emit_data(const struct maker *maker, const struct unit *unit, enum pl330_if device)
{
    if (maker->transfer->write) {
        emit_memory(maker, unit->times, PL330_ALWAYS);
        emit_device(maker, device);
    } else {
        emit_device(maker, device);
        emit_memory(maker, unit->times, PL330_ALWAYS);
    }
}

static void emit_memory_of_either(const struct maker *maker, const struct unit *unit)
{
    if (unit->beats == 1) {
        emit_memory(maker, 1, PL330_ALWAYS);
    } else {
        emit_memory(maker, 1, PL330_IF_SINGLE); /* first: how_much_of_either() relies on it */
        emit_memory(maker, 1, PL330_IF_BURST);
    }
}

static void emit_device_of_either(const struct maker *maker)
{
    emit_device(maker, PL330_IF_SINGLE);
    emit_device(maker, PL330_IF_BURST);
}

/* A burst, or as many single beats as one has. Where that is one, the memory's side is the same for both. */
static void emit_unit_of_either(const struct maker *maker, const struct unit *unit)
{
    size_t body = pl330_emit_loop(maker->code, PL330_LC1, unit->beats);

    pl330_emit_wait_peripheral(maker->code, PL330_PERIPHERAL, maker->transfer->peripheral);
    if (maker->transfer->write) {
        emit_memory_of_either(maker, unit);
        emit_device_of_either(maker);
    } else {
        emit_device_of_either(maker);
        emit_memory_of_either(maker, unit);
    }
    pl330_emit_write_barrier(maker->code);
    pl330_emit_loop_end(maker->code, PL330_LC1, PL330_IF_SINGLE, body);
}

static void emit_unit(const struct maker *maker, const struct unit *unit)
{
    if (unit->request == PL330_PERIPHERAL) {
        emit_unit_of_either(maker, unit);
        return;
    }
    pl330_emit_wait_peripheral(maker->code, unit->request, maker->transfer->peripheral);
    emit_data(maker, unit, unit->request == PL330_BURST ? PL330_IF_BURST : PL330_IF_SINGLE);
    pl330_emit_write_barrier(maker->code);
}

/* ---- loops of units ---- */

/* A hop, if the way back to the anchor has become long. LC1 is not in use here. */
static void keep_way_back(struct maker *maker)
{
    if (!maker->transfer->loop || maker->code->length - maker->anchor < HOP_DISTANCE) {
        return;
    }
    (void)pl330_emit_loop(maker->code, PL330_LC1, 1);
    size_t hop = maker->code->length;

    pl330_emit_loop_end(maker->code, PL330_LC1, PL330_ALWAYS, maker->anchor);
    maker->anchor = hop;
    maker->hops++;
}

static void emit_loop_of_units(const struct maker *maker, const struct unit *unit, unsigned int count)
{
    size_t body = pl330_emit_loop(maker->code, PL330_LC0, count);

    emit_unit(maker, unit);
    pl330_emit_loop_end(maker->code, PL330_LC0, PL330_ALWAYS, body);
}

/* `rounds` times 256 units. */
static void emit_nested_loop(const struct maker *maker, const struct unit *unit, unsigned int rounds)
{
    size_t body = pl330_emit_loop(maker->code, PL330_LC1, rounds);

    emit_loop_of_units(maker, unit, LOOP_ITERATIONS_MAX);
    pl330_emit_loop_end(maker->code, PL330_LC1, PL330_ALWAYS, body);
}

static unsigned int at_most_256(uint32_t count)
{
    return count < LOOP_ITERATIONS_MAX ? (unsigned int)count : LOOP_ITERATIONS_MAX;
}

/* Some of them; returns how many. */
static uint32_t emit_some(const struct maker *maker, const struct unit *unit, uint32_t count)
{
    if (count >= LOOP_ITERATIONS_MAX && unit->request != PL330_PERIPHERAL) {
        unsigned int rounds = at_most_256(count / LOOP_ITERATIONS_MAX);

        emit_nested_loop(maker, unit, rounds);
        return rounds * LOOP_ITERATIONS_MAX;
    }
    emit_loop_of_units(maker, unit, at_most_256(count));
    return at_most_256(count);
}

enum {
    CCR_SRC_INC = 1 << 0,
    CCR_SRC_SIZE_SHIFT = 1,
    CCR_SRC_LEN_SHIFT = 4,
    CCR_DST_SHIFT = 14, /* the same fields of the destination */
    CCR_SIZE_MASK = 7,
    CCR_LEN_MASK = 15,
    CCR_NONSECURE = 0x00800200,
};

static uint32_t control(const struct pl330_transfer *transfer, const struct unit *unit)
{
    uint32_t memory =
        CCR_SRC_INC | unit->memory_log2 << CCR_SRC_SIZE_SHIFT | (unit->memory_beats - 1) << CCR_SRC_LEN_SHIFT;
    uint32_t device = (transfer->device_advances ? CCR_SRC_INC : 0) | unit->width_log2 << CCR_SRC_SIZE_SHIFT |
                      (unit->beats - 1) << CCR_SRC_LEN_SHIFT;
    uint32_t both = transfer->write ? memory | device << CCR_DST_SHIFT : device | memory << CCR_DST_SHIFT;

    return both | (transfer->nonsecure ? CCR_NONSECURE : 0);
}

static void emit_units(struct maker *maker, const struct unit *unit, uint32_t count)
{
    if (count > 0) {
        pl330_emit_move(maker->code, PL330_CCR, control(maker->transfer, unit));
    }
    while (count > 0 && !maker->code->overflow) {
        keep_way_back(maker);
        count -= emit_some(maker, unit, count);
    }
}

/* ---- pieces of elements ---- */

/* Beats of one width: bursts as the request says, the rest as singles. */
static void emit_beats(struct maker *maker, unsigned int width_log2, uint32_t address, uint32_t count)
{
    const struct pl330_transfer *transfer = maker->transfer;
    bool whole = alignment_log2(address, transfer->width_log2) == transfer->width_log2 &&
                 width_log2 == transfer->width_log2;
    bool single = transfer->request == PL330_SINGLE || (transfer->request == PL330_PERIPHERAL && !whole);
    uint32_t bursts = single ? 0 : count / transfer->beats;
    struct unit burst = make_unit(transfer->request, width_log2, transfer->beats, address);
    struct unit beat = make_unit(PL330_SINGLE, width_log2, 1, address);

    emit_units(maker, &burst, bursts);
    emit_units(maker, &beat, count - bursts * transfer->beats);
}

/* A device that advances takes any beat: bytes until both sides are aligned, if they ever are, then the
 * widest, and the tail in bytes. */
static void emit_advancing(struct maker *maker, uint32_t address, uint32_t device, uint32_t length)
{
    unsigned int width_log2 = alignment_log2(address ^ device, maker->transfer->width_log2);
    uint32_t width = UINT32_C(1) << width_log2;
    uint32_t head = -address & (width - 1);

    head = head < length ? head : length;
    uint32_t body = (length - head) & ~(width - 1);

    emit_beats(maker, 0, address, head);
    emit_beats(maker, width_log2, address + head, body >> width_log2);
    emit_beats(maker, 0, address + head + body, length - head - body);
}

static void emit_piece(struct maker *maker, uint32_t address, uint32_t length)
{
    const struct pl330_transfer *transfer = maker->transfer;

    if (transfer->device_advances) {
        emit_advancing(maker, address, transfer->device_address + maker->done, length);
    } else {
        emit_beats(maker, transfer->width_log2, address, length >> transfer->width_log2);
    }
}

/* ---- notices ---- */

static void emit_notice(const struct maker *maker)
{
    pl330_emit_write_barrier(maker->code);
    pl330_emit_send_event(maker->code, maker->transfer->event);
}

static uint32_t notice_interval(const struct pl330_transfer *transfer)
{
    return transfer->loop && transfer->notice_bytes != 0 ? transfer->notice_bytes : UINT32_MAX;
}

/* The last one of a round belongs to its end. */
static void pass(struct maker *maker, uint32_t bytes, uint32_t total)
{
    maker->done += bytes;
    maker->until_notice -= bytes;
    if (maker->until_notice == 0) {
        maker->until_notice = notice_interval(maker->transfer);
        if (maker->done != total) {
            emit_notice(maker);
        }
    }
}

static void emit_element(struct maker *maker, const struct pl330_element *element, uint32_t total)
{
    pl330_emit_move(maker->code, maker->transfer->write ? PL330_SAR : PL330_DAR, element->address);
    for (uint32_t at = 0, bytes; at < element->length && !maker->code->overflow; at += bytes) {
        uint32_t left = element->length - at;

        bytes = left < maker->until_notice ? left : maker->until_notice;
        emit_piece(maker, element->address + at, bytes);
        pass(maker, bytes, total);
    }
}

/* ---- the program ---- */

static void emit_way_back(struct maker *maker)
{
    if (maker->hops > HOPS_MAX) {
        maker->code->overflow = true;
    } else if (maker->hops > 0) {
        (void)pl330_emit_loop(maker->code, PL330_LC1, maker->hops + 1);
    }
    pl330_emit_endless_loop_end(maker->code, PL330_ALWAYS, maker->anchor);
}

/* Bytes that are loaded again and again, and never stored. */
static void emit_lock_up(struct pl330_code *code, uint32_t address)
{
    pl330_emit_move(code, PL330_SAR, address);
    pl330_emit_move(code, PL330_CCR, (PL330_BEATS_MAX - 1) << CCR_SRC_LEN_SHIFT);
    size_t body = code->length;

    pl330_emit_load(code, PL330_ALWAYS);
    pl330_emit_endless_loop_end(code, PL330_ALWAYS, body);
}

static void emit_ending(struct maker *maker, const struct pl330_program *program)
{
    switch (maker->transfer->ending) {
    case PL330_ENDS_LOCKED_UP:
        emit_lock_up(maker->code, program->elements[0].address);
        break;
    case PL330_ENDS_UNDEFINED:
        pl330_emit_undefined(maker->code);
        break;
    case PL330_ENDS_OPERAND:
        pl330_emit_move(maker->code, PL330_NO_REGISTER, 0);
        break;
    case PL330_ENDS_WELL:
        emit_notice(maker);
        break;
    }
    if (maker->transfer->loop) {
        emit_way_back(maker);
    } else {
        pl330_emit_end(maker->code);
    }
}

static uint32_t sum_lengths(const struct pl330_program *program)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < program->element_count; i++) {
        total += program->elements[i].length;
    }
    return total;
}

/* Does the device's side consist of whole beats only (PLB-06, PLB-20)? */
static bool is_divisible(const struct pl330_program *program, const struct pl330_transfer *transfer)
{
    uint32_t odd = (UINT32_C(1) << transfer->width_log2) - 1;
    uint32_t bits = transfer->device_address | transfer->notice_bytes;

    for (uint32_t i = 0; i < program->element_count; i++) {
        bits |= program->elements[i].length;
    }
    return transfer->device_advances || (bits & odd) == 0;
}

bool pl330_program_make(struct pl330_program *program, const struct pl330_transfer *transfer)
{
    struct maker maker = {
        .code = &program->code,
        .transfer = transfer,
        .until_notice = notice_interval(transfer),
    };

    program->loop = transfer->loop;
    program->write = transfer->write;
    program->notice_bytes = maker.until_notice;
    program->total = sum_lengths(program);
    program->code.length = 0;
    program->code.overflow = !is_divisible(program, transfer);
    pl330_emit_flush_peripheral(&program->code, transfer->peripheral); /* requests of a transfer before */
    maker.anchor = program->code.length;
    pl330_emit_move(&program->code, transfer->write ? PL330_DAR : PL330_SAR, transfer->device_address);
    for (uint32_t i = 0; i < program->element_count; i++) {
        program->starts[i] = (uint16_t)program->code.length;
        emit_element(&maker, &program->elements[i], program->total);
    }
    program->ending = program->code.length;
    emit_ending(&maker, program);
    return !program->code.overflow;
}

/* ---- how far it is ---- */

enum {
    DMALD = 0x04,
    DMAST = 0x08,
    CONDITIONS = 3, /* of the two */
    DMAWMB = 0x13,
    DMAWFP = 0x30, /* | request */
    DMALPEND_LC1 = 0x3C,
};

static size_t length_of(uint8_t opcode)
{
    enum { WITHOUT_OPERAND = 0x20, DMAMOV = 0xBC };

    return opcode < WITHOUT_OPERAND ? 1 : opcode == DMAMOV ? 6 : 2;
}

/* What a channel has executed of a unit. */
struct stage {
    bool inside;                /* a unit, whose stores need not have arrived */
    enum pl330_request request; /* that its DMAWFP waited for */
    unsigned int moves;         /* instructions of the memory's side */
};

static void pass_instruction(struct stage *stage, uint8_t opcode, bool write)
{
    uint8_t move = write ? DMALD : DMAST;

    if (opcode >= DMAWFP && opcode <= (DMAWFP | PL330_BURST)) {
        *stage = (struct stage){.inside = true, .request = (enum pl330_request)(opcode - DMAWFP)};
    } else if (opcode == DMAWMB) {
        stage->inside = false;
    } else if (opcode >= move && opcode <= (move | CONDITIONS)) {
        stage->moves++;
    }
}

/* At `code_offset`, in the code that begins at `start`. */
static struct stage stage_at(const struct pl330_program *program, size_t start, uint32_t code_offset)
{
    struct stage stage = {.inside = false};

    for (size_t at = start; at < code_offset && at < program->code.length;
         at += length_of(program->code.bytes[at])) {
        pass_instruction(&stage, program->code.bytes[at], program->write);
    }
    return stage;
}

/* The beats of the memory's side. */
struct burst {
    uint32_t beats, size;
};

static struct burst burst_of(uint32_t control_register, bool write)
{
    uint32_t memory = write ? control_register : control_register >> CCR_DST_SHIFT;

    return (struct burst){
        .beats = (memory >> CCR_SRC_LEN_SHIFT & CCR_LEN_MASK) + 1,
        .size = UINT32_C(1) << (memory >> CCR_SRC_SIZE_SHIFT & CCR_SIZE_MASK),
    };
}

/* Bytes of a unit that either a burst or singles make, from its first instruction of the memory's side on. That
 * one is for singles: where the address is, and how many LC1 has counted, says whether it was executed.
 * `address`: of the first whole beat behind the last notice, in the element. */
static uint32_t how_much_of_either(const struct pl330_position *position, const struct stage *stage,
                                   const struct burst *burst, uint32_t address)
{
    uint32_t bytes = burst->beats * burst->size;
    bool single = position->lc1 != burst->beats - 1 || (position->address - address) % bytes != 0;

    return single ? burst->size : stage->moves > 1 ? bytes : 0;
}

/* The element whose code the channel executes: an address alone may lie in several. */
static uint32_t current_element(const struct pl330_program *program, uint32_t code_offset)
{
    uint32_t i = 0;

    while (i + 1 < program->element_count && program->starts[i + 1] <= code_offset) {
        i++;
    }
    return i;
}

/* At a hop with a count: no other loop end of LC1 jumps so far. */
static bool is_on_way_back(const struct pl330_program *program, const struct pl330_position *position)
{
    const uint8_t *at = program->code.bytes + position->code_offset;

    return position->lc1 != 0 && position->code_offset < program->code.length && at[0] == DMALPEND_LC1 &&
           at[1] > PL330_LOOP_BYTES;
}

/* Where the piece began that the channel moves. `before`: bytes of the round before the element. */
static uint32_t piece_address(const struct pl330_program *program, const struct pl330_element *element,
                              uint32_t before, uint32_t address)
{
    uint32_t at = before + (address - element->address);
    uint32_t notice = at / program->notice_bytes * program->notice_bytes;

    return element->address + (notice > before ? notice - before : 0);
}

/* Bytes that the address has passed and that need not have arrived: those of the unit on its way. */
static uint32_t bytes_on_their_way(const struct pl330_program *program, const struct pl330_position *position,
                                   const struct pl330_element *element, uint32_t before)
{
    size_t start = program->starts[element - program->elements];
    struct stage stage = stage_at(program, start, position->code_offset);
    struct burst burst = burst_of(position->control, program->write);

    if (!stage.inside || stage.moves == 0) {
        return 0;
    }
    if (stage.request == PL330_PERIPHERAL && burst.beats > 1) {
        uint32_t piece = piece_address(program, element, before, position->address);

        return how_much_of_either(position, &stage, &burst, (piece + burst.size - 1) & -burst.size);
    }
    return stage.moves * burst.beats * burst.size;
}

static uint32_t bytes_done(const struct pl330_program *program, const struct pl330_position *position)
{
    uint32_t current = current_element(program, position->code_offset);
    const struct pl330_element *element = &program->elements[current];
    uint32_t done = 0;

    if (position->code_offset >= program->ending) {
        return program->total;
    }
    for (uint32_t i = 0; i < current; i++) {
        done += program->elements[i].length;
    }
    if (position->code_offset > program->starts[current]) { /* its DMAMOV has been executed */
        uint32_t on_their_way = bytes_on_their_way(program, position, element, done);

        done += position->address - element->address - on_their_way;
    }
    return done < program->total ? done : program->total;
}

bool pl330_program_stores_at(const struct pl330_program *program, uint32_t code_offset)
{
    return code_offset < program->code.length && program->code.bytes[code_offset] == DMAWMB;
}

uint32_t pl330_program_left(const struct pl330_program *program, const struct pl330_position *position)
{
    if (is_on_way_back(program, position)) {
        return program->total;
    }
    uint32_t left = program->total - bytes_done(program, position);

    return left == 0 && program->loop ? program->total : left;
}
