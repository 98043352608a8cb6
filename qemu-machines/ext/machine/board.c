/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/board.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "devices/alarm.h"
#include "devices/bypass.h"
#include "devices/doorbells.h"
#include "devices/function.h"
#include "devices/gate.h"
#include "devices/nvme.h"
#include "devices/pci.h"
#include "devices/remote.h"
#include "devices/stream.h"
#include "devices/uart.h"
#include "evidence/acts.h"
#include "evidence/declared.h"
#include "evidence/hazard.h"
#include "evidence/history.h"
#include "evidence/oplog.h"
#include "machine/access.h"
#include "machine/cpu.h"
#include "machine/ident.h"
#include "machine/places.h"
#include "machine/stop.h"
#include "machine/watch.h"
#include "memory/fault_range.h"
#include "memory/image.h"
#include "memory/views.h"
#include "pl330/bus.h"
#include "pl330/channel_object.h"
#include "pl330/clocked.h"
#include "pl330/rival.h"
#include "pl330/trace.h"
#include "probe/probe.h"
#include "qemu/qemu_abi.h"
#include "time/clock.h"

enum board_size {
    CHANNELS = 8,
    REQUEST_LINES = 32,
    EVENTS = 16,
};
_Static_assert(CHANNELS == (int)CLOCKED_CHANNELS && EVENTS == (int)CLOCKED_EVENTS, "all are served");

static struct {
    bool separate_views;
    uint64_t touched; /* somebody has changed the machine from outside, and says so; until a reset */
    uint64_t dram_fd, probe_fd, stream_fd, image_fd, wake_fd, lifeline_fd, remote_fd;
    uint64_t image_base;
    uint64_t nonce, seed, wake_mask;
    uint64_t cache_level, cache_line, cache_sets, cache_ways;
    uint64_t pl330_clock_hz;   /* of the engine; 0: QEMU's own is the PL330 */
    uint64_t pl330_quantum_ns; /* after which a CPU without hooks sees what the engine stores */
    enum cache_schedule schedule;
    char *command, *doorbells, *remote, *acts_log, *acts_script;
    const struct controller *controller;
    qemu_irq stream_lines[2]; /* of QEMU's own PL330, */
    qemu_irq stream_irq;      /* and the stream's interrupt beside it */
    bool realized;
    void (*parent_realize)(DeviceState *, Error **);
    ResettablePhases parent_phases;
} board = {
    .dram_fd = ~0ull,
    .probe_fd = ~0ull,
    .stream_fd = ~0ull,
    .image_fd = ~0ull,
    .wake_fd = ~0ull,
    .lifeline_fd = ~0ull,
    .remote_fd = ~0ull,
    .pl330_quantum_ns = 100000,
    .seed = 1,
    .cache_level = 2,
    .cache_line = 64,
    .cache_sets = 1024,
    .cache_ways = 16,
    .schedule = CACHE_SPECULATIVE,
};

/* ---- properties ---- */

static const char *const schedules[] = {
    [CACHE_LRU] = "lru",
    [CACHE_SPECULATIVE] = "speculative",
    [CACHE_NEVER] = "never",
    [CACHE_EAGER] = "eager",
};

static void apply_schedule(void)
{
    if (views.model) {
        views_lock();
        cache_model_set_schedule(views.model, board.schedule, board.seed);
        views_unlock();
    }
}

static void get_schedule(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    char *value = qemu.g_strdup(schedules[board.schedule]);

    (void)object;
    (void)opaque;
    qemu.visit_type_str(visitor, name, &value, errp);
    qemu.g_free(value);
}

static void set_schedule(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    char *value = NULL;

    (void)object;
    (void)opaque;
    if (!qemu.visit_type_str(visitor, name, &value, errp)) {
        return;
    }
    for (unsigned int i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++) {
        if (!strcmp(value, schedules[i])) {
            board.schedule = (enum cache_schedule)i;
            apply_schedule();
            qemu.g_free(value);
            return;
        }
    }
    error_setg(errp, "schedule=%s is not known: lru, speculative, never or eager", value);
    qemu.g_free(value);
}

/* A text that is given at the start; `opaque` is where it is kept. */
static void get_text(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    char **text = opaque, *value = qemu.g_strdup(*text ? *text : "");

    (void)object;
    qemu.visit_type_str(visitor, name, &value, errp);
    qemu.g_free(value);
}

static void set_text(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    char *value = NULL, **text = opaque;

    (void)object;
    if (!qemu.visit_type_str(visitor, name, &value, errp)) {
        return;
    }
    if (board.realized) {
        error_setg(errp, "%s=%s: can only be given at the start", name, value);
        qemu.g_free(value);
        return;
    }
    qemu.g_free(*text);
    *text = value;
}

static void get_doorbell_bars(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    char *value = qemu.g_strdup(doorbells_bars());

    (void)object;
    (void)opaque;
    (void)qemu.visit_type_str(visitor, name, &value, errp);
    qemu.g_free(value);
}

static void set_doorbells(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    char *value = NULL;

    (void)object;
    (void)opaque;
    if (!qemu.visit_type_str(visitor, name, &value, errp)) {
        return;
    }
    if (board.realized) {
        error_setg(errp, "doorbells=%s: can only be given at the start", value);
    } else if (doorbells_set(value, errp)) {
        board.doorbells = qemu.g_strdup(value);
    }
    qemu.g_free(value);
}

static bool set_seed(uint64_t value, Error **errp)
{
    (void)errp;
    board.seed = value;
    apply_schedule();
    return true;
}

static uint64_t get_seed(void)
{
    return board.seed;
}

static bool set_wake_mask(uint64_t value, Error **errp)
{
    (void)errp;
    board.wake_mask = value;
    probe_wake((int)board.wake_fd, value);
    return true;
}

static uint64_t get_wake_mask(void)
{
    return board.wake_mask;
}

static uint64_t get_touched(void)
{
    return board.touched;
}

static bool set_touched(uint64_t touched, Error **errp)
{
    (void)errp;
    board.touched = touched;
    return true;
}

static uint64_t get_findings(void)
{
    return probe->findings;
}

static uint64_t get_ring_lost(void)
{
    uint64_t written = probe->ring_head - probe->ring_reset;

    return written > PROBE_RING_RECORDS ? written - PROBE_RING_RECORDS : 0;
}

/* A number: of a live property by functions, of one that is given at the start by its place. */
struct number {
    const char *name;
    uint64_t (*get)(void);
    bool (*set)(uint64_t, Error **);
    uint64_t *start;
};

static struct number board_numbers[] = {
    {"dram-fd", NULL, NULL, &board.dram_fd},
    {"probe-fd", NULL, NULL, &board.probe_fd},
    {"stream-fd", NULL, NULL, &board.stream_fd},
    {"image-fd", NULL, NULL, &board.image_fd},
    {"image-base", NULL, NULL, &board.image_base},
    {"wake-fd", NULL, NULL, &board.wake_fd},
    {"lifeline-fd", NULL, NULL, &board.lifeline_fd},
    {"remote-fd", NULL, NULL, &board.remote_fd},
    {"remote-due", remote_due, remote_set_due, NULL},
    {"nonce", NULL, NULL, &board.nonce},
    {"cache-level", NULL, NULL, &board.cache_level},
    {"cache-line", NULL, NULL, &board.cache_line},
    {"cache-sets", NULL, NULL, &board.cache_sets},
    {"cache-ways", NULL, NULL, &board.cache_ways},
    {"pl330-clock-hz", NULL, NULL, &board.pl330_clock_hz},
    {"pl330-quantum-ns", NULL, NULL, &board.pl330_quantum_ns},
    {"seed", get_seed, set_seed, NULL},
    {"wake-mask", get_wake_mask, set_wake_mask, NULL},
    {"touched", get_touched, set_touched, NULL},
    {"findings", get_findings, NULL, NULL},
    {"ring-lost", get_ring_lost, NULL, NULL},
    {"trace", trace_on, trace_set_on, NULL},
    {"trace-instructions", trace_instructions, trace_set_instructions, NULL},
    {"trace-lost", trace_lost, NULL, NULL},
    {"stop-run", NULL, NULL, &stop_wanted.run},
    {"stop-ns", NULL, NULL, &stop_wanted.ns},
    {"stop-pc", NULL, NULL, &stop_wanted.pc},
    {"stop-nth", NULL, NULL, &stop_wanted.nth},
    {"stop-finding", NULL, NULL, &stop_wanted.finding},
    {"stop-access", NULL, NULL, &stop_wanted.access},
    {"acts-logged", acts_logged, NULL, NULL},
    {"stop-counted", stop_counted, NULL, NULL},
    {"watch-fd", NULL, NULL, &watch_wanted.fd},
    {"watch-address", NULL, NULL, &watch_wanted.address},
    {"watch-bytes", NULL, NULL, &watch_wanted.bytes},
    {"watch-accesses", watch_accesses, NULL, NULL},
    {"watch-lost", watch_lost, NULL, NULL},
    {"nvme-latency-ns", nvme_latency_ns, nvme_set_latency_ns, NULL},
    {"fault-base", fault_range_base, fault_range_set_base, NULL},
    {"fault-size", fault_range_size, fault_range_set_size, NULL},
    {NULL, NULL, NULL, NULL},
};

static struct number stream_numbers[] = {
    {"word-interval-ns", stream_word_interval_ns, stream_set_word_interval_ns, NULL},
    {"rx-fifo-depth", stream_rx_fifo_depth, stream_set_rx_fifo_depth, NULL},
    {"tx-fifo-depth", stream_tx_fifo_depth, stream_set_tx_fifo_depth, NULL},
    {"overruns", stream_overruns, NULL, NULL},
    {"underruns", stream_underruns, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

static void get_number(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    const struct number *number = opaque;
    uint64_t value = number->get ? number->get() : *number->start;

    (void)object;
    qemu.visit_type_uint64(visitor, name, &value, errp);
}

static void set_number(Object *object, Visitor *visitor, const char *name, void *opaque, Error **errp)
{
    const struct number *number = opaque;
    uint64_t value;

    (void)object;
    if (!qemu.visit_type_uint64(visitor, name, &value, errp)) {
        return;
    }
    if (number->set) {
        number->set(value, errp);
    } else if (board.realized) {
        error_setg(errp, "%s=%llu: can only be given at the start", name, (unsigned long long)value);
    } else {
        *number->start = value;
    }
}

static void add_numbers(ObjectClass *class, struct number *numbers)
{
    for (struct number *number = numbers; number->name; number++) {
        qemu.object_class_property_add(class, number->name, "uint64", get_number,
                                       number->set || number->start ? set_number : NULL, NULL, number);
    }
}

/* ---- wiring ---- */

/* The starter holds the other end: when it is gone, in whatever way, so are we. */
static void *watch_lifeline(void *opaque)
{
    char byte;
    ssize_t got;

    (void)opaque;
    do {
        got = read((int)board.lifeline_fd, &byte, 1);
    } while (got > 0 || (got < 0 && errno == EINTR));
    _exit(3);
}

static bool start_lifeline(Error **errp)
{
    pthread_t thread;

    if (board.lifeline_fd == ~0ull) {
        return true;
    }
    if (pthread_create(&thread, NULL, watch_lifeline, NULL)) {
        error_setg(errp, "lifeline-fd=%llu: no thread", (unsigned long long)board.lifeline_fd);
        return false;
    }
    return true;
}

static MemoryRegion *find_ram(Error **errp)
{
    Object *backend = qemu.object_resolve_path_type("", "memory-backend", NULL);

    if (!backend) {
        error_setg(errp, "no memory backend: start QEMU with -M virt,memory-backend=ram0 -object "
                         "memory-backend-file,id=ram0,share=on,...");
        return NULL;
    }
    return qemu.host_memory_backend_get_memory((HostMemoryBackend *)backend);
}

static struct board_cache modelled_cache(void)
{
    return (struct board_cache){
        (uint32_t)board.cache_level,
        {(uint32_t)board.cache_line, (uint32_t)board.cache_sets, (uint32_t)board.cache_ways},
    };
}

static void device_writes(uint64_t physical, unsigned int size, const struct accessor *by)
{
    history_device_wrote(physical, by);
    declared_device_wrote(physical, size, by);
}

static bool open_memory(Error **errp)
{
    static const struct views_events events = {access_line_changed, hazard_found, acts_happened, device_writes};
    struct cache_geometry geometry = modelled_cache().geometry;
    MemoryRegion *ram = find_ram(errp);

    if (!ram) {
        return false;
    }
    if (board.separate_views != (board.dram_fd != ~0ull)) {
        error_setg(errp, board.separate_views ? "view=dma needs dram-fd, a memfd of the size of RAM"
                                              : "dram-fd is only of use with view=dma");
        return false;
    }
    if (geometry.line != 32 && geometry.line != 64) {
        error_setg(errp, "cache-line=%u: 32 or 64", geometry.line);
        return false;
    }
    if (!probe_open((int)board.probe_fd, RAM_BASE, qemu.memory_region_size(ram), geometry.line, clock_time)) {
        error_setg(errp, "probe-fd=%lld: %s", (long long)board.probe_fd, strerror(errno));
        return false;
    }
    return views_initialise(ram, (int)board.dram_fd, &geometry, &events, errp);
}

static bool open_acts(Error **errp)
{
    if ((board.acts_log || board.acts_script) && !views.model) {
        error_setg(errp, "acts-log and acts-script are only of use with view=dma");
        return false;
    }
    if (board.acts_log && !acts_log(board.acts_log)) {
        error_setg(errp, "acts-log=%s: %s", board.acts_log, strerror(errno));
        return false;
    }
    if (board.acts_script && !acts_follow(board.acts_script)) {
        error_setg(errp, "acts-script=%s: %s", board.acts_script, strerror(errno));
        return false;
    }
    return true;
}

static bool open_image(Error **errp)
{
    return board.image_fd == ~0ull || image_initialise((int)board.image_fd, board.image_base, errp);
}

static void map(hwaddr address, MemoryRegion *memory)
{
    qemu.memory_region_add_subregion(qemu.get_system_memory(), address, memory);
}

/* ---- the PL330: QEMU's own ---- */

static DeviceState *make_pl330(DeviceState *gic, Error **errp)
{
    DeviceState *pl330 = qemu.qdev_new("pl330");
    Object *object = (Object *)pl330;

    if (!qemu.object_property_set_link(object, "memory", (Object *)rival_memory(), errp) ||
        !qemu.object_property_set_uint(object, "num_chnls", CHANNELS, errp) ||
        !qemu.object_property_set_uint(object, "num_periph_req", REQUEST_LINES, errp) ||
        !qemu.object_property_set_uint(object, "num_events", EVENTS, errp) ||
        !qemu.sysbus_realize_and_unref((SysBusDevice *)pl330, errp)) {
        return NULL;
    }
    for (int i = 0; i <= EVENTS; i++) {
        qemu.sysbus_connect_irq((SysBusDevice *)pl330, i, qemu.qdev_get_gpio_in(gic, PL330_ABORT_SPI + i));
    }
    return pl330;
}

/* A high line is "not ready": the model does not know single requests from bursts. */
static void drive_line(enum stream_line line, bool asks)
{
    qemu.qemu_set_irq(board.stream_lines[line], !asks);
}

static void drive_interrupt(bool level)
{
    qemu.qemu_set_irq(board.stream_irq, level);
}

static void never_behind(void)
{
}

static const struct stream_server *add_pl330_of_qemu(DeviceState *gic, Error **errp)
{
    static const struct stream_server server = {drive_line, never_behind, drive_interrupt};
    DeviceState *pl330 = make_pl330(gic, errp);

    if (!pl330) {
        return NULL;
    }
    board.controller = &rival_controller;
    board.stream_irq = qemu.qdev_get_gpio_in(gic, STREAM_SPI);
    board.stream_lines[STREAM_RECEIVE] = qemu.qdev_get_gpio_in(pl330, STREAM_RECEIVE);
    board.stream_lines[STREAM_TRANSMIT] = qemu.qdev_get_gpio_in(pl330, STREAM_TRANSMIT);
    map(PL330_BASE, qemu.sysbus_mmio_get_region((SysBusDevice *)pl330, 0));
    return &server;
}

/* ---- the PL330: the engine ---- */

static const struct stream_server *add_clocked_pl330(DeviceState *gic, Error **errp)
{
    bool has_stream = board.stream_fd != ~0ull;
    struct clocked_wiring wiring = {
        .clock_hz = board.pl330_clock_hz,
        .quantum_ns = board.pl330_quantum_ns,
        .tied = has_stream ? ~(1u << STREAM_RECEIVE | 1u << STREAM_TRANSMIT) : ~0u,
        .quiet_base = STREAM_BASE,
        .quiet_size = STREAM_PAGE,
    };
    struct clocked_registers registers;

    for (int i = 0; i <= EVENTS; i++) {
        wiring.interrupts[i] = qemu.qdev_get_gpio_in(gic, PL330_ABORT_SPI + i);
    }
    wiring.interrupts[CLOCKED_STREAM_OUTPUT] = qemu.qdev_get_gpio_in(gic, STREAM_SPI);
    if (!clocked_initialise(&wiring, &registers, errp)) {
        return NULL;
    }
    board.controller = &clocked_controller;
    map(PL330_BASE, registers.secure);
    map(PL330_NONSECURE_BASE, registers.nonsecure);
    return &clocked_stream_server;
}

static bool add_pl330_and_stream(DeviceState *gic, Error **errp)
{
    const struct stream_server *server;
    MemoryRegion *stream;

    bus_initialise(PL330_BASE, PL330_NONSECURE_BASE + PL330_SIZE - PL330_BASE);
    server = board.pl330_clock_hz ? add_clocked_pl330(gic, errp) : add_pl330_of_qemu(gic, errp);
    if (!server || board.stream_fd == ~0ull) {
        return server != NULL;
    }
    stream = stream_initialise((int)board.stream_fd, server, errp);
    if (stream) {
        map(STREAM_BASE, stream);
        bus_adjoin(STREAM_BASE, STREAM_PAGE, stream_access);
    }
    return stream != NULL;
}

static bool add_command_uart(DeviceState *gic, Error **errp)
{
    static const struct uart_events events = {.received = gate_line_arrived, .looked = gate_looked};
    static const struct gate_lines lines = {uart_line_waits, uart_ring, uart_take_line};
    Chardev *chardev;
    MemoryRegion *uart;

    if (!board.command) {
        gate_initialise(NULL);
        return true;
    }
    chardev = qemu.qemu_chr_find(board.command);
    if (!chardev) {
        error_setg(errp, "command=%s: no -chardev has that id", board.command);
        return false;
    }
    uart = uart_initialise(chardev, qemu.qdev_get_gpio_in(gic, UART_SPI), &events, errp);
    if (!uart) {
        return false;
    }
    map(UART_BASE, uart);
    gate_initialise(&lines);
    return true;
}

static bool add_remote_devices(DeviceState *gic, Error **errp)
{
    static qemu_irq interrupts[REMOTE_DEVICES];
    const struct remote_wiring wiring = {
        .fd = (int)board.remote_fd,
        .base = REMOTE_BASE,
        .devices = board.remote,
        .configuration = PCI_CONFIGURATION_BASE,
        .interrupts = interrupts,
        .catch_up = board.controller->catch_up,
    };

    if (board.remote_fd == ~0ull) {
        return true;
    }
    for (int n = 0; n < REMOTE_DEVICES; n++) {
        interrupts[n] = qemu.qdev_get_gpio_in(gic, REMOTE_SPI + n);
    }
    return remote_initialise(&wiring, errp);
}

static uint32_t features(void)
{
    return (board.separate_views ? 0 : IDENT_COHERENT) | (board.stream_fd != ~0ull ? IDENT_STREAM : 0) |
           (board.command ? IDENT_GATE : 0) | IDENT_LOW_RAM;
}

static void realize(DeviceState *device, Error **errp)
{
    static Error *no_migration;
    DeviceState *gic = (DeviceState *)qemu.object_resolve_path_type("", "arm_gic", NULL);

    if (!gic) {
        error_setg(errp, "no GICv2: this device is for -M virt with gic-version=2");
        return;
    }
    if (!open_memory(errp) || !watch_initialise(errp) || !open_acts(errp) || !open_image(errp) ||
        !add_pl330_and_stream(gic, errp) || !pci_initialise(errp) || !add_command_uart(gic, errp) ||
        !add_remote_devices(gic, errp) || !start_lifeline(errp)) {
        return;
    }
    error_setg(&no_migration, "dmav3-board cannot be migrated: its caches and its clock are not saved");
    if (qemu.migrate_add_blocker(&no_migration, errp) < 0) {
        return;
    }
    alarm_initialise(qemu.qdev_get_gpio_in(gic, ALARM_SPI));
    stop_initialise();
    map(IDENT_BASE, ident_page(features(), board.nonce, board.controller));
    channel_object_add((Object *)device, board.controller);
    if (board.stream_fd != ~0ull) {
        qemu.object_property_add_child((Object *)device, "stream", qemu.object_new("dmav3-stream"));
    }
    probe_wake((int)board.wake_fd, board.wake_mask);
    apply_schedule();
    qemu.qemu_register_resettable((Object *)device);
    board.realized = true;
}

/* ---- reset ---- */

/* Before anything else is reset, and before anything is loaded again. */
static void reset_enter(Object *object, int type)
{
    struct board_cache cache = modelled_cache();

    (void)object;
    (void)type;
    board.controller->reset(); /* first: it may still move bytes */
    views_reset_enter();
    pci_reset();
    doorbells_size_bars();
    if (board.separate_views) {
        bypass_reset();
        cpu_reset(&cache);
    }
    if (board.command) {
        uart_reset();
    }
    board.touched = 0;
    gate_reset();
    stop_reset();
    watch_reset();
    alarm_reset();
    remote_reset();
    views_lock();
    acts_reset();
    oplog_reset();
    probe_reset();
    views_unlock();
}

/* After everything: QEMU has loaded what it loads; the PL330 has forgotten its request lines. */
static void reset_exit(Object *object, int type)
{
    (void)object;
    (void)type;
    views_reset_exit();
    image_reset();
    if (board.stream_fd != ~0ull) {
        stream_reset();
    }
}

static void board_class(ObjectClass *class, void *data)
{
    ResettableClass *resettable = (ResettableClass *)qemu.object_class_dynamic_cast(class, "resettable");

    (void)data;
    qemu.device_class_set_parent_realize((DeviceClass *)class, realize, &board.parent_realize);
    qemu.resettable_class_set_parent_phases(resettable, (void *)reset_enter, NULL, (void *)reset_exit,
                                            &board.parent_phases);
    add_numbers(class, board_numbers);
    qemu.object_class_property_add(class, "schedule", "str", get_schedule, set_schedule, NULL, NULL);
    qemu.object_class_property_add(class, "command", "str", get_text, set_text, NULL, &board.command);
    qemu.object_class_property_add(class, "remote", "str", get_text, set_text, NULL, &board.remote);
    qemu.object_class_property_add(class, "acts-log", "str", get_text, set_text, NULL, &board.acts_log);
    qemu.object_class_property_add(class, "acts-script", "str", get_text, set_text, NULL, &board.acts_script);
    qemu.object_class_property_add(class, "doorbells", "str", get_text, set_doorbells, NULL, &board.doorbells);
    qemu.object_class_property_add(class, "doorbell-bars", "str", get_doorbell_bars, NULL, NULL, NULL);
}

static void stream_class(ObjectClass *class, void *data)
{
    (void)data;
    add_numbers(class, stream_numbers);
}

void board_register(bool separate_views)
{
    static const TypeInfo types[] = {
        {.name = "dmav3-board", .parent = "device", .class_init = board_class},
        {.name = "dmav3-stream", .parent = "object", .class_init = stream_class},
    };

    board.separate_views = separate_views;
    channel_object_register();
    function_register();
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        qemu.type_register_static(&types[i]);
    }
}
