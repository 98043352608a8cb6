/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/refusal.h"

#include "engine/traffic.h"

enum { SWAP_LOG2_MAX = 4, NEGATIVE = 8, NONSECURE_ACCESS = 2 };

static bool is_undefined(const struct issue *issue, uint32_t threads)
{
    bool is_adnh = issue->row->operation == OPERATION_ADD && (issue->code[0] & NEGATIVE);

    return !(issue->row->threads & threads) || (is_adnh && issue->engine->config.revision == 0);
}

/* A number in the upper five bits, below `limit`; of the others only those of `allowed` may be set. */
static bool is_number(const struct issue *issue, uint32_t limit, uint32_t allowed)
{
    return issue_number(issue) < limit && !(issue->code[1] & 7 & ~allowed);
}

static bool is_half_of_control(const struct issue *issue, uint32_t half)
{
    return traffic_beat_bytes(half) <= issue->engine->config.bus_bytes;
}

static bool is_register_value(const struct issue *issue)
{
    uint32_t value = instruction_word(issue->code);

    if (issue->code[1] == REGISTER_CCR) {
        return is_half_of_control(issue, value) && is_half_of_control(issue, value >> 14) &&
               (value >> 28 & 7) <= SWAP_LOG2_MAX;
    }
    return issue->code[1] <= REGISTER_DAR;
}

static bool is_operand(const struct issue *issue)
{
    const struct engine_config *config = &issue->engine->config;

    switch (issue->row->operand) {
    case OPERAND_PERIPHERAL:
        return is_number(issue, config->peripherals, 0);
    case OPERAND_EVENT:
        return is_number(issue, config->events, 0);
    case OPERAND_WAIT:
        return is_number(issue, config->events, 2);
    case OPERAND_REGISTER:
        return is_register_value(issue);
    case OPERAND_CHANNEL:
        return issue->code[1] < config->channels;
    default:
        return true;
    }
}

static bool is_secure_control(uint32_t value)
{
    return !(value >> 8 & NONSECURE_ACCESS) || !(value >> 22 & NONSECURE_ACCESS);
}

/* What a non-secure thread may not do. */
static uint32_t violation(const struct issue *issue)
{
    const struct engine_config *config = &issue->engine->config;

    switch (issue->row->operand) {
    case OPERAND_PERIPHERAL:
        return has_bit(config->nonsecure_peripherals, issue_number(issue)) ? 0 : ENGINE_FAULT_PERIPHERAL;
    case OPERAND_EVENT:
    case OPERAND_WAIT:
        return has_bit(config->nonsecure_events, issue_number(issue)) ? 0 : ENGINE_FAULT_EVENT;
    case OPERAND_REGISTER:
        return issue->code[1] == REGISTER_CCR && is_secure_control(instruction_word(issue->code))
                   ? ENGINE_FAULT_CONTROL
                   : 0;
    case OPERAND_CHANNEL:
        return issue->row->select ? 0 : ENGINE_FAULT_DMAGO;
    default:
        return 0;
    }
}

uint32_t refusal(const struct issue *issue, uint32_t threads)
{
    if (is_undefined(issue, threads)) {
        return ENGINE_FAULT_UNDEFINED;
    }
    if (!is_operand(issue)) {
        return ENGINE_FAULT_OPERAND;
    }
    return issue->thread->nonsecure ? violation(issue) : 0;
}
