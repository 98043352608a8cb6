/* SPDX-License-Identifier: Apache-2.0 */
/* The table of STM-01, every cell of it, for both kinds of adapter. */
#include "check.h"
#include "fixture.h"
#include "layer/context.h"
#include "layer/request.h"

#include <string.h>

enum state {
    RAW,
    IDLE,
    PRECANCELLED,
    PENDING,
    GRANTED,
    GRANTED_CANCELLED,
    RUNNING,
    DONE,
    STOPPED,
    FINISHED,
    STATES,
};

static const char *const state_names[STATES] = {
    "Raw",     "Idle", "PreCancelled", "Pending", "Granted", "GrantedCancelled",
    "Running", "Done", "Stopped",      "Finished"};

static PMDL mdl;
static PVOID base;

/* ---- in which state context 0 is, and how it gets there ---- */

static enum state state_of_request(const struct request *request)
{
    if (request->state != REQUEST_GRANTED) {
        return PENDING;
    }
    if (request->mappings == NULL) {
        return request->cancelled ? GRANTED_CANCELLED : GRANTED;
    }
    switch (request->mappings->state) {
    case MAPPING_DONE:
        return DONE;
    case MAPPING_STOPPED:
        return STOPPED;
    default:
        return RUNNING;
    }
}

static enum state state_now(void)
{
    static const enum state forgotten[] = {[CONTEXT_RAW] = RAW,
                                           [CONTEXT_IDLE] = IDLE,
                                           [CONTEXT_PRECANCELLED] = PRECANCELLED,
                                           [CONTEXT_USED] = FINISHED};
    const struct request *request = request_find_context(contexts[0]);

    return request != NULL ? state_of_request(request) : forgotten[context_state(contexts[0])];
}

static NTSTATUS initialize(void)
{
    return dma->InitializeDmaTransferContext(adapter, contexts[0]);
}

static BOOLEAN cancel_request(void)
{
    return dma->CancelAdapterChannel(adapter, &device, contexts[0]);
}

static NTSTATUS cancel_transfer(void)
{
    return dma->CancelMappedTransfer(adapter, contexts[0]);
}

static NTSTATUS request_now(void)
{
    PVOID unused = NULL;

    return dma->AllocateAdapterChannelEx(adapter, &device, contexts[0], 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL,
                                         &unused);
}

static NTSTATUS map_all(void)
{
    return map(mdl, base, 0, 64, TRUE);
}

static NTSTATUS flush_all(void)
{
    return flush(mdl, base, 0, state_now() == RUNNING || state_now() >= DONE ? 64 : 0, TRUE);
}

static void hold_elsewhere(void)
{
    CHECK_EQ(allocate_sync(adapter, 1, 1, &base), STATUS_SUCCESS);
    CHECK_EQ(allocate(adapter, 0, 1, 0), STATUS_SUCCESS);
}

static void enter(enum state state)
{
    if (state == PENDING) {
        hold_elsewhere();
    } else if (state == PRECANCELLED) {
        CHECK_EQ(initialize(), STATUS_SUCCESS);
        CHECK(cancel_request());
    } else if (state == IDLE) {
        CHECK_EQ(initialize(), STATUS_SUCCESS);
    } else if (state != RAW) {
        base = hold_channel(1);
    }
    if (state == GRANTED_CANCELLED) {
        CHECK_EQ(cancel_transfer(), STATUS_SUCCESS);
    }
    if (state == RUNNING || state == DONE || state == STOPPED) {
        CHECK_EQ(map_all(), STATUS_SUCCESS);
    }
    if (state == DONE) {
        scripted_end(0, InterruptTypeCompletion);
    } else if (state == STOPPED) {
        CHECK_EQ(cancel_transfer(), STATUS_SUCCESS);
    } else if (state == FINISHED) {
        dma->FreeAdapterChannel(adapter);
    }
    CHECK_EQ(state_now(), state);
}

/* ---- what happens to it: the result as a number, 0 for routines without ---- */

enum event {
    INITIALIZE,
    ALLOCATE,
    CANCEL_REQUEST,
    MAP,
    CANCEL_TRANSFER,
    REPORT,
    FLUSH,
    FREE_CHANNEL,
    FREE_OBJECT,
    KEEP_OBJECT,
    FREE_REGISTERS, /* of a request whose channel is released before */
    EVENTS,
};

static const char *const event_names[EVENTS] = {"InitializeDmaTransferContext",
                                                "AllocateAdapterChannelEx",
                                                "CancelAdapterChannel",
                                                "MapTransferEx",
                                                "CancelMappedTransfer",
                                                "the end, reported",
                                                "FlushAdapterBuffersEx",
                                                "FreeAdapterChannel",
                                                "FreeAdapterObject",
                                                "FreeAdapterObject(KeepObject)",
                                                "FreeMapRegisters"};

static NTSTATUS happen(enum event event)
{
    switch (event) {
    case INITIALIZE:
        return initialize();
    case ALLOCATE:
        return request_now();
    case CANCEL_REQUEST:
        return cancel_request();
    case MAP:
        return map_all();
    case CANCEL_TRANSFER:
        return cancel_transfer();
    case REPORT:
        scripted_end(0, InterruptTypeCompletion);
        return 0;
    case FLUSH:
        return flush_all();
    case FREE_CHANNEL:
        dma->FreeAdapterChannel(adapter);
        return 0;
    case FREE_OBJECT:
        dma->FreeAdapterObject(adapter, DeallocateObject);
        return 0;
    case KEEP_OBJECT:
        dma->FreeAdapterObject(adapter, KeepObject);
        return 0;
    default:
        dma->FreeMapRegisters(adapter, base, 1);
        return 0;
    }
}

/* ---- the table ---- */

enum { NONE = 0x100 };
#define OK        STATUS_SUCCESS
#define INV       STATUS_INVALID_PARAMETER
#define UNS       STATUS_UNSUCCESSFUL
#define CANCELLED STATUS_CANCELLED

struct cell {
    bool filled;
    NTSTATUS result;
    enum state next;
    uint32_t violation;
};

#define TO(result, next)             {true, result, next, NONE}
#define BAD(result, next, violation) {true, result, next, violation}
#define SAME_IN_BUSY(event_result, code)                                                                       \
    [PENDING] = BAD(event_result, PENDING, code), [GRANTED] = BAD(event_result, GRANTED, code),                \
    [GRANTED_CANCELLED] = BAD(event_result, GRANTED_CANCELLED, code),                                          \
    [RUNNING] = BAD(event_result, RUNNING, code), [DONE] = BAD(event_result, DONE, code),                      \
    [STOPPED] = BAD(event_result, STOPPED, code)
#define ENDS                                                                                                   \
    {[GRANTED] = TO(0, FINISHED),        [GRANTED_CANCELLED] = TO(0, FINISHED),                                \
     [RUNNING] = BAD(0, FINISHED, 0x10), [DONE] = BAD(0, FINISHED, 0x10),                                      \
     [STOPPED] = BAD(0, FINISHED, 0x10), [FINISHED] = BAD(0, FINISHED, 0x04)}

static const struct cell subordinate[EVENTS][STATES] = {
    [INITIALIZE] = {[RAW] = TO(OK, IDLE),
                    [IDLE] = TO(OK, IDLE),
                    [PRECANCELLED] = TO(OK, IDLE),
                    SAME_IN_BUSY(INV, 0x40),
                    [FINISHED] = TO(OK, IDLE)},
    [ALLOCATE] = {[RAW] = TO(INV, RAW),
                  [IDLE] = TO(OK, GRANTED),
                  [PRECANCELLED] = TO(CANCELLED, PRECANCELLED),
                  SAME_IN_BUSY(INV, 0x40),
                  [FINISHED] = TO(INV, FINISHED)},
    [CANCEL_REQUEST] = {[RAW] = TO(FALSE, RAW),
                        [IDLE] = TO(TRUE, PRECANCELLED),
                        [PRECANCELLED] = TO(TRUE, PRECANCELLED),
                        [PENDING] = TO(TRUE, PRECANCELLED),
                        [GRANTED] = TO(FALSE, GRANTED),
                        [GRANTED_CANCELLED] = TO(FALSE, GRANTED_CANCELLED),
                        [RUNNING] = TO(FALSE, RUNNING),
                        [DONE] = TO(FALSE, DONE),
                        [STOPPED] = TO(FALSE, STOPPED),
                        [FINISHED] = TO(FALSE, FINISHED)},
    [MAP] = {[GRANTED] = TO(OK, RUNNING),
             [GRANTED_CANCELLED] = TO(CANCELLED, GRANTED_CANCELLED),
             [RUNNING] = BAD(INV, RUNNING, 0x0D),
             [DONE] = BAD(INV, DONE, 0x0D),
             [STOPPED] = BAD(INV, STOPPED, 0x0D),
             [FINISHED] = BAD(INV, FINISHED, 0x4D)},
    [CANCEL_TRANSFER] = {[RAW] = TO(INV, RAW),
                         [IDLE] = TO(UNS, IDLE),
                         [PRECANCELLED] = TO(UNS, PRECANCELLED),
                         [PENDING] = TO(OK, PENDING),
                         [GRANTED] = TO(OK, GRANTED_CANCELLED),
                         [GRANTED_CANCELLED] = TO(UNS, GRANTED_CANCELLED),
                         [RUNNING] = TO(OK, STOPPED),
                         [DONE] = TO(OK, DONE),
                         [STOPPED] = TO(UNS, STOPPED),
                         [FINISHED] = TO(UNS, FINISHED)},
    [REPORT] = {[RUNNING] = TO(0, DONE),
                [DONE] = TO(0, DONE),
                [STOPPED] = TO(0, STOPPED),
                [FINISHED] = TO(0, FINISHED)},
    [FLUSH] = {[GRANTED] = BAD(OK, GRANTED, 0x16),
               [GRANTED_CANCELLED] = BAD(OK, GRANTED_CANCELLED, 0x16),
               [RUNNING] = BAD(OK, GRANTED, 0x23),
               [DONE] = TO(OK, GRANTED),
               [STOPPED] = TO(OK, GRANTED_CANCELLED),
               [FINISHED] = BAD(INV, FINISHED, 0x4D)},
    [FREE_CHANNEL] = ENDS,
    [FREE_OBJECT] = ENDS,
    [KEEP_OBJECT] = {[GRANTED] = TO(0, GRANTED), [RUNNING] = TO(0, RUNNING), [FINISHED] = TO(0, FINISHED)},
};

static const struct cell master[EVENTS][STATES] = {
    [MAP] = {[GRANTED] = TO(OK, RUNNING),
             [RUNNING] = BAD(INV, RUNNING, 0x0D),
             [FINISHED] = BAD(INV, FINISHED, 0x4D)},
    [CANCEL_REQUEST] = {[PENDING] = TO(TRUE, PRECANCELLED), [RUNNING] = TO(FALSE, RUNNING)},
    [CANCEL_TRANSFER] = {[RAW] = BAD(INV, RAW, 0x4F),
                         [IDLE] = BAD(INV, IDLE, 0x4F),
                         [GRANTED] = BAD(INV, GRANTED, 0x4F),
                         [RUNNING] = BAD(INV, RUNNING, 0x4F)},
    [FLUSH] = {[GRANTED] = BAD(OK, GRANTED, 0x16), [RUNNING] = TO(OK, GRANTED)},
    [FREE_CHANNEL] = {[GRANTED] = TO(0, FINISHED),
                      [RUNNING] = BAD(0, FINISHED, 0x10),
                      [FINISHED] = BAD(0, FINISHED, 0x04)},
    [FREE_OBJECT] = {[GRANTED] = TO(0, FINISHED), [RUNNING] = BAD(0, FINISHED, 0x10)},
    [FREE_REGISTERS] = {[GRANTED] = TO(0, FINISHED),
                        [RUNNING] = BAD(0, FINISHED, 0x10),
                        [FINISHED] = BAD(0, FINISHED, 0x05)},
};

static bool holds(const struct cell *cell, NTSTATUS result)
{
    size_t violations = cell->violation == NONE ? 0 : 1;

    return result == cell->result && state_now() == cell->next && fake_count(FAKE_VIOLATION) == violations &&
           (violations == 0 || fake_event(FAKE_VIOLATION, 0)->id == cell->violation);
}

static void check_cell(const struct cell *cell, bool is_master, enum event event, enum state state)
{
    fixture_reset();
    if (is_master) {
        start_master(TRUE);
    } else {
        start(Width8Bits);
    }
    mdl = driver_mdl(0, 64);
    (void)driver_raise();
    enter(state);
    if (event == FREE_REGISTERS && state != FINISHED) {
        dma->FreeAdapterObject(adapter, DeallocateObjectKeepRegisters);
    }
    fake_forget_log();
    if (!holds(cell, happen(event))) {
        fprintf(stderr, "%s in %s: now %s\n", event_names[event], state_names[state], state_names[state_now()]);
        exit(1);
    }
    dma->PutDmaAdapter(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    check_idle();
    IoFreeMdl(mdl);
}

TEST(every_cell_of_the_table_holds, "STM-01")
{
    for (int event = 0; event < EVENTS; event++) {
        for (int state = 0; state < STATES; state++) {
            const struct cell *const cells[] = {&subordinate[event][state], &master[event][state]};

            for (size_t i = 0; i < 2; i++) {
                if (cells[i]->filled) {
                    check_cell(cells[i], i == 1, (enum event)event, (enum state)state);
                }
            }
        }
    }
}

int main(int argc, char **argv)
{
    return check_main(argc, argv, fixture_reset);
}
