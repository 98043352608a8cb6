/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "probe/probe.h"
#include "time/clock.h"

enum stream_register { DR = 0x00, SR = 0x04, CR = 0x08, IER = 0x0c, ISR = 0x10 };
enum stream_status { SR_ROOM = 1, SR_DATA = 2, SR_OVERRUN = 4, SR_UNDERRUN = 8 };
enum stream_control { CR_TRANSMIT = 1, CR_RECEIVE = 2 };
enum { SR_ERRORS = SR_OVERRUN | SR_UNDERRUN, SR_BITS = SR_ROOM | SR_DATA | SR_ERRORS };
enum { CR_BITS = 0xf33, FRAME_MAX = 8, STREAM_SIZE = 0x1000, PAGE = 4096 };

/* Bytes; as many as the largest depth of the largest frames. */
struct fifo {
    uint8_t byte[STREAM_FIFO_DEPTH_MAX * FRAME_MAX];
    uint32_t level;
    uint32_t depth; /* frames */
};

static struct {
    struct stream_rings *rings;
    uint8_t *sent, *receive;
    uint64_t sent_tail, receive_head; /* the host's ends, as seen when the gate opened */
    struct fifo rx, tx;
    uint32_t control, errors;
    uint32_t enabled, pending; /* IER, ISR */
    bool level;                /* of the interrupt */
    uint64_t word_interval_ns, overruns, underruns;
    const struct stream_server *server;
    uint64_t due_ns; /* when the next frames move; 0: nothing is on its way */
    struct model_timer tick;
} stream = {.rx.depth = STREAM_FIFO_DEPTH, .tx.depth = STREAM_FIFO_DEPTH};

static uint32_t frame(void)
{
    return 1u << (stream.control >> 4 & 3);
}

/* Bytes that a request asks for. */
static uint32_t burst(void)
{
    return frame() * ((stream.control >> 8 & 15) + 1);
}

static uint32_t room(const struct fifo *fifo)
{
    uint32_t capacity = fifo->depth * frame();

    return fifo->level < capacity ? capacity - fifo->level : 0;
}

static void push(struct fifo *fifo, const void *bytes, uint32_t size)
{
    memcpy(fifo->byte + fifo->level, bytes, size);
    fifo->level += size;
}

static void pop(struct fifo *fifo, void *bytes, uint32_t size)
{
    memcpy(bytes, fifo->byte, size);
    fifo->level -= size;
    memmove(fifo->byte, fifo->byte + size, fifo->level);
}

/* ---- rings ---- */

static void sample_host(void)
{
    stream.sent_tail = __atomic_load_n(&stream.rings->sent_tail, __ATOMIC_ACQUIRE);
    stream.receive_head = __atomic_load_n(&stream.rings->receive_head, __ATOMIC_ACQUIRE);
}

static bool send_frame(void)
{
    uint64_t head = stream.rings->sent_head, size = stream.rings->ring_size;
    uint32_t bytes = stream.tx.level < frame() ? stream.tx.level : frame();
    uint8_t data[FRAME_MAX];

    if (!bytes || size - (head - stream.sent_tail) < bytes) {
        return false;
    }
    pop(&stream.tx, data, bytes);
    for (uint32_t i = 0; i < bytes; i++) {
        stream.sent[(head + i) & (size - 1)] = data[i];
    }
    __atomic_store_n(&stream.rings->sent_head, head + bytes, __ATOMIC_RELEASE);
    return true;
}

static bool receive_frame(void)
{
    uint64_t tail = stream.rings->receive_tail, size = stream.rings->ring_size;
    uint64_t waiting = stream.receive_head - tail;
    uint32_t bytes = waiting < frame() ? (uint32_t)waiting : frame();
    uint8_t data[FRAME_MAX];

    if (!bytes || room(&stream.rx) < frame()) {
        return false;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        data[i] = stream.receive[(tail + i) & (size - 1)];
    }
    push(&stream.rx, data, bytes);
    __atomic_store_n(&stream.rings->receive_tail, tail + bytes, __ATOMIC_RELEASE);
    return true;
}

/* ---- request lines, the interrupt, and time ---- */

static bool tx_ready(void)
{
    return (stream.control & CR_TRANSMIT) && room(&stream.tx) >= burst();
}

static bool rx_ready(void)
{
    return (stream.control & CR_RECEIVE) && stream.rx.level >= burst();
}

static void update_requests(void)
{
    stream.server->request(STREAM_TRANSMIT, tx_ready());
    stream.server->request(STREAM_RECEIVE, rx_ready());
}

static uint32_t status(void)
{
    return (room(&stream.tx) >= frame() ? SR_ROOM : 0) | (stream.rx.level >= frame() ? SR_DATA : 0) |
           stream.errors;
}

static void update_interrupt(void)
{
    bool level;

    stream.pending |= status();
    level = (stream.pending & stream.enabled) != 0;
    if (level != stream.level) {
        stream.level = level;
        stream.server->interrupt(level);
    }
}

static bool can_move(void)
{
    bool sends = stream.tx.level && stream.rings->sent_head - stream.sent_tail < stream.rings->ring_size;
    bool receives = stream.receive_head != stream.rings->receive_tail && room(&stream.rx) >= frame();

    return sends || ((stream.control & CR_RECEIVE) && receives);
}

/* Move what may move now, see that the rest moves later. */
static void pump(void)
{
    if (clock_command() == 0) {
        sample_host(); /* an image without a shell: the gate never opens, because it never closes */
    }
    if (stream.word_interval_ns == 0) {
        while (send_frame()) {
        }
        while ((stream.control & CR_RECEIVE) && receive_frame()) {
        }
    } else if (!stream.due_ns && can_move()) {
        stream.due_ns = clock_time() + stream.word_interval_ns;
        model_timer_arm(&stream.tick, stream.due_ns);
    }
    update_requests();
    update_interrupt();
}

uint64_t stream_due(uint64_t until_ns)
{
    return stream.due_ns && stream.due_ns <= until_ns ? stream.due_ns : UINT64_MAX;
}

void stream_move(void)
{
    model_timer_disarm(&stream.tick);
    stream.due_ns = 0;
    send_frame();
    if (stream.control & CR_RECEIVE) {
        receive_frame();
    }
    pump();
}

/* A controller that runs behind the CPU moves the frames at their moment itself. */
static void tick(void *opaque)
{
    (void)opaque;
    stream.server->catch_up();
    if (stream_due(clock_time()) != UINT64_MAX) {
        stream_move();
    }
}

void stream_gate_opened(void)
{
    if (stream.rings) {
        stream.server->catch_up();
        sample_host();
        pump();
    }
}

/* ---- registers ---- */

static void write_data(uint64_t value, unsigned int size)
{
    if (room(&stream.tx) < size) {
        stream.errors |= SR_OVERRUN;
        stream.overruns++;
        update_interrupt();
        return;
    }
    push(&stream.tx, &value, size);
    pump();
}

static uint64_t read_data(unsigned int size)
{
    uint64_t value = 0;

    if (stream.rx.level < size) {
        stream.errors |= SR_UNDERRUN;
        stream.underruns++;
        update_interrupt();
        return 0;
    }
    pop(&stream.rx, &value, size);
    pump();
    return value;
}

static uint64_t stream_read(void *opaque, hwaddr offset, unsigned int size)
{
    (void)opaque;
    stream.server->catch_up();
    switch (offset) {
    case DR:
        return read_data(size);
    case SR:
        return status();
    case CR:
        return stream.control;
    case IER:
        return stream.enabled;
    case ISR:
        return stream.pending;
    default:
        return 0;
    }
}

static void acknowledge(uint32_t bits)
{
    stream.errors &= ~bits;
    stream.pending &= ~bits;
    update_interrupt();
}

static void stream_write(void *opaque, hwaddr offset, uint64_t value, unsigned int size)
{
    (void)opaque;
    stream.server->catch_up();
    switch (offset) {
    case DR:
        write_data(value, size);
        break;
    case SR:
        stream.errors &= ~(uint32_t)value;
        break;
    case CR:
        stream.control = (uint32_t)value & CR_BITS;
        pump();
        break;
    case IER:
        stream.enabled = (uint32_t)value & SR_BITS;
        update_interrupt();
        break;
    case ISR:
        acknowledge((uint32_t)value);
        break;
    default:
        qemu.error_report("dmav3: stream: write at offset 0x%x is ignored", (unsigned int)offset);
    }
}

void stream_access(uint64_t offset, void *data, unsigned int size, bool is_write)
{
    uint64_t value = 0;

    if (is_write) {
        memcpy(&value, data, size);
        stream_write(NULL, offset, value, size);
    } else {
        value = stream_read(NULL, offset, size);
        memcpy(data, &value, size);
    }
}

static const MemoryRegionOps stream_ops = {
    .read = stream_read,
    .write = stream_write,
    .endianness = 2,
    .valid = {1, 8, false, NULL},
    .impl = {1, 8, false},
};

static bool map_rings(int fd, Error **errp)
{
    struct stat file;
    uint64_t size;

    if (fstat(fd, &file) < 0) {
        error_setg(errp, "stream-fd=%d: %s", fd, strerror(errno));
        return false;
    }
    size = ((uint64_t)file.st_size - PAGE) / 2;
    if (file.st_size <= PAGE || (size & (size - 1)) != 0 || (uint64_t)file.st_size != PAGE + 2 * size) {
        error_setg(
            errp,
            "stream-fd=%d: a file of %lld bytes; it must have 4096 and twice a power of two, such as 8392704",
            fd, (long long)file.st_size);
        return false;
    }
    stream.rings = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (stream.rings == MAP_FAILED) {
        error_setg(errp, "stream-fd=%d: %s", fd, strerror(errno));
        return false;
    }
    stream.sent = (uint8_t *)stream.rings + PAGE;
    stream.receive = stream.sent + size;
    *stream.rings = (struct stream_rings){
        .magic = PROBE_MAGIC,
        .layout = PROBE_LAYOUT,
        .ring_size = size,
        .sent_offset = PAGE,
        .receive_offset = PAGE + size,
    };
    return true;
}

MemoryRegion *stream_initialise(int fd, const struct stream_server *server, Error **errp)
{
    static QemuRegion registers;

    if (!map_rings(fd, errp)) {
        return NULL;
    }
    stream.server = server;
    model_timer_initialise(&stream.tick, tick, NULL);
    qemu.memory_region_init_io(region(&registers), NULL, &stream_ops, NULL, "dmav3-stream", STREAM_SIZE);
    return region(&registers);
}

void stream_reset(void)
{
    stream.rx.level = stream.tx.level = 0;
    stream.control = stream.errors = 0;
    stream.enabled = stream.pending = 0;
    stream.overruns = stream.underruns = stream.due_ns = 0;
    stream.rings->sent_head = stream.rings->sent_tail = 0;
    stream.rings->receive_head = stream.rings->receive_tail = 0;
    sample_host();
    update_requests();
    update_interrupt();
}

/* ---- properties ---- */

uint64_t stream_word_interval_ns(void)
{
    return stream.word_interval_ns;
}

bool stream_set_word_interval_ns(uint64_t value, Error **errp)
{
    if (value > 1000000000) {
        error_setg(errp, "word-interval-ns=%llu: at most one second, such as 1000", (unsigned long long)value);
        return false;
    }
    stream.server->catch_up();
    stream.word_interval_ns = value;
    model_timer_disarm(&stream.tick);
    stream.due_ns = 0;
    if (clock_runs()) {
        pump();
    }
    return true;
}

static bool set_depth(struct fifo *fifo, const char *name, uint64_t value, Error **errp)
{
    if (value < 1 || value > STREAM_FIFO_DEPTH_MAX) {
        error_setg(errp, "%s=%llu: 1 to %d frames, such as 16", name, (unsigned long long)value,
                   STREAM_FIFO_DEPTH_MAX);
        return false;
    }
    if (stream.rx.level || stream.tx.level) {
        error_setg(errp, "%s=%llu: the FIFOs hold data; set it before the transfer starts", name,
                   (unsigned long long)value);
        return false;
    }
    fifo->depth = (uint32_t)value;
    return true;
}

uint64_t stream_rx_fifo_depth(void)
{
    return stream.rx.depth;
}

bool stream_set_rx_fifo_depth(uint64_t value, Error **errp)
{
    return set_depth(&stream.rx, "rx-fifo-depth", value, errp);
}

uint64_t stream_tx_fifo_depth(void)
{
    return stream.tx.depth;
}

bool stream_set_tx_fifo_depth(uint64_t value, Error **errp)
{
    return set_depth(&stream.tx, "tx-fifo-depth", value, errp);
}

uint64_t stream_overruns(void)
{
    return stream.overruns;
}

uint64_t stream_underruns(void)
{
    return stream.underruns;
}
