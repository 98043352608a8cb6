/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked.h"

#include "engine/instruction.h"
#include "memory/views.h"
#include "pl330/clocked_state.h"
#include "pl330/clocked_telling.h"
#include "pl330/clocked_time.h"

enum { PL330_SIZE = 0x1000, CSR0 = 0x100, DBGCMD = 0xd04, DBGINST0 = 0xd08, DBGINST1 = 0xd0c };
enum { CLOCK_MIN = 1000, QUANTUM_MIN = 1000, DMAKILL = 0x01 };

/* ---- registers ---- */

/* The two interfaces, by what their regions have as `opaque`. */
static bool secure_interface, nonsecure_interface = true;

static bool is_nonsecure(const void *interface)
{
    return *(const bool *)interface;
}

static uint64_t register_read(void *interface, hwaddr offset, unsigned int size)
{
    (void)size;
    clocked_catch_up();
    return engine_register_read(clocked.engine, (uint32_t)offset, is_nonsecure(interface));
}

/* The debug interface is about to execute an instruction: of the manager, which is secure, or of a channel. */
static void note_command(bool nonsecure)
{
    uint8_t opcode = (uint8_t)(clocked.debug[0] >> 16);
    bool by_channel = clocked.debug[0] & 1;
    uint32_t n = (by_channel ? clocked.debug[0] >> 8 : clocked.debug[0] >> 24) & (CLOCKED_CHANNELS - 1);

    if (!by_channel && !nonsecure && instructions[opcode].operation == OPERATION_GO) {
        if (engine_thread(clocked.engine, n).state == STATE_STOPPED) {
            views_device_started(&clocked.starts[n], false);
        }
        clocked_record(PROBE_DMAGO, n, clocked.debug[1], 0, 0, 0, 0);
    } else if (by_channel && opcode == DMAKILL &&
               (!nonsecure || engine_register_read(clocked.engine, CSR0 + 8 * n, true))) {
        clocked_record(PROBE_DMAKILL, n, engine_thread(clocked.engine, n).pc, 0, 0, 0, 0);
    }
}

static void register_write(void *interface, hwaddr offset, uint64_t value, unsigned int size)
{
    bool nonsecure = is_nonsecure(interface);

    (void)size;
    clocked_catch_up();
    if (offset == DBGINST0 || offset == DBGINST1) {
        clocked.debug[offset == DBGINST1] = (uint32_t)value;
    } else if (offset == DBGCMD && !(value & 3)) {
        note_command(nonsecure);
    }
    engine_register_write(clocked.engine, (uint32_t)offset, (uint32_t)value, nonsecure);
    clocked_look_anew();
}

static const MemoryRegionOps register_ops = {
    .read = register_read,
    .write = register_write,
    .endianness = 2,
    .valid = {4, 4, false, NULL},
    .impl = {4, 4, false},
};

/* ---- set-up ---- */

static const struct engine_config config = {
    .channels = CLOCKED_CHANNELS,
    .peripherals = CLOCKED_PERIPHERALS,
    .events = CLOCKED_EVENTS,
    .bus_bytes = 8,
    .read_capacity = 8,
    .write_capacity = 8,
    .read_queue = 16,
    .write_queue = 16,
    .cache_line = 32,
    .cache_lines = 8,
    .revision = 2,
    .fifo_lines = 256,
    .latency = 8,
};

static MemoryRegion *make_interface(QemuRegion *memory, bool *interface, const char *name)
{
    qemu.memory_region_init_io(region(memory), NULL, &register_ops, interface, name, PL330_SIZE);
    return region(memory);
}

bool clocked_initialise(const struct clocked_wiring *wiring, struct clocked_registers *registers, Error **errp)
{
    static QemuRegion secure, nonsecure;

    if (wiring->clock_hz < CLOCK_MIN || wiring->clock_hz > NS_PER_SECOND) {
        error_setg(errp, "pl330-clock-hz=%llu: 1000 to 1000000000, such as 200000000",
                   (unsigned long long)wiring->clock_hz);
        return false;
    }
    if (wiring->quantum_ns < QUANTUM_MIN || wiring->quantum_ns > NS_PER_SECOND) {
        error_setg(errp, "pl330-quantum-ns=%llu: 1000 to 1000000000, such as 100000",
                   (unsigned long long)wiring->quantum_ns);
        return false;
    }
    clocked.wiring = *wiring;
    clocked.cycle_ns = NS_PER_SECOND % wiring->clock_hz ? 0 : NS_PER_SECOND / wiring->clock_hz;
    clocked.engine = engine_new(&config, &clocked_ops, NULL);
    clocked_time_initialise();
    registers->secure = make_interface(&secure, &secure_interface, "dmav3-pl330");
    registers->nonsecure = make_interface(&nonsecure, &nonsecure_interface, "dmav3-pl330-nonsecure");
    return true;
}
