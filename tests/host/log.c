/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { HOST_LOG_RECORDS = 65536 };

/* As struct probe_record of the extension, in the same order. */
struct host_record {
    uint64_t time_ns;
    uint32_t command;
    uint32_t seq;
    uint16_t kind;
    uint16_t ungated; /* 0 */
    uint32_t id;
    uint64_t a, b, c, d, e;
};

/* What the harness maps; consistent while the shim waits for a line. */
struct host_log {
    uint64_t time_ns;
    uint64_t violations;
    uint64_t head; /* records written; the last HOST_LOG_RECORDS are there */
    struct host_record record[HOST_LOG_RECORDS];
};

static struct host_log *shared;
static uint32_t command, seq;

enum { VIOLATION = 8 }; /* hal/oplog.c */

void log_initialize(int fd)
{
    CHECK(ftruncate(fd, sizeof(struct host_log)) == 0);
    shared = mmap(NULL, sizeof(struct host_log), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED);
}

void log_begin_command(void)
{
    command++;
    seq = 0;
    log_record(LOG_COMMAND, 0, (const uint64_t[5]){0});
}

void log_record(uint32_t kind, uint32_t id, const uint64_t arguments[5])
{
    struct host_record *record = &shared->record[shared->head++ % HOST_LOG_RECORDS];

    *record = (struct host_record){
        .time_ns = shared->time_ns, .command = command, .seq = seq++, .kind = (uint16_t)kind, .id = id};
    memcpy(&record->a, arguments, 5 * sizeof(uint64_t));
    shared->violations += kind == VIOLATION;
}

uint64_t machine_time(void)
{
    return shared->time_ns;
}

void machine_set_time(uint64_t ns)
{
    shared->time_ns = ns;
}
