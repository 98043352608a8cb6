/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A back end that does what the test says: it keeps the last program, moves no data, and ends a
 * transfer when told.
 */
#ifndef SCRIPTED_BACKEND_H
#define SCRIPTED_BACKEND_H

#include <dma_backend.h>

#include <stdbool.h>

enum { SCRIPTED_CHANNELS = 8, SCRIPTED_SPI = 4, SCRIPTED_LINES = 28, SCRIPTED_LIST_MAX = 64 };
/* The device that the registration knows. */
enum { SCRIPTED_RECEIVE_LINE = 20, SCRIPTED_TRANSMIT_LINE, SCRIPTED_REGISTER = 0x0C000000 };
enum { SCRIPTED_REPORTS_MAX = 8, SCRIPTED_PROGRAMS_MAX = 64 };

/* Entries inside which the channel's interrupt may become pending. */
enum scripted_entry { SCRIPTED_PROGRAM, SCRIPTED_CONFIGURE, SCRIPTED_FLUSH, SCRIPTED_COUNTER, SCRIPTED_CANCEL };

struct scripted_program {
    ULONG channel, request_line;
    ULONG count;
    DMA_WIDTH width;
    SCATTER_GATHER_ELEMENT elements[SCRIPTED_LIST_MAX];
    uint64_t device_address;
    bool write, loop;
};

struct scripted_backend {
    ULONG max_fragments;     /* answer of QueryMaxFragments, not below 1 */
    bool ends_at_once;       /* the interrupt is pending before ProgramChannel returns (PLB-08) */
    BOOLEAN cancel_result;   /* of CancelTransfer */
    ULONG bytes_left;        /* answer of ReadDmaCounter */
    ULONG interrupts_inside; /* bit n: of enum scripted_entry n */

    DMA_WIDTH owner_width[SCRIPTED_CHANNELS]; /* as the layer told it */
    size_t memory_reports[SCRIPTED_CHANNELS]; /* calls of ReportCommonBuffer */

    struct scripted_program program; /* the last one; and the last SCRIPTED_PROGRAMS_MAX */
    struct scripted_program programs[SCRIPTED_PROGRAMS_MAX];
    size_t program_count; /* all there were */

    NTSTATUS configure_result; /* of ConfigureChannel, for what is the driver's */
    struct {
        ULONG channel, function;
        PVOID data;
        size_t calls; /* all there were */
    } configured;     /* the driver's last */

    struct {
        ULONG channel;
        DMA_INTERRUPT_TYPE type;
    } reports[SCRIPTED_REPORTS_MAX];
    size_t report_count;   /* what HandleInterrupt has to say */
    bool reports_for_ever; /* a completion of channel 0 and another, and another */
};

extern struct scripted_backend scripted;

/* Defaults, and the registration of it. */
struct dma_controller scripted_describe(void);

/* What HandleInterrupt reports next, without the interrupt; and with it. */
void scripted_report(ULONG channel, DMA_INTERRUPT_TYPE type);
void scripted_end(ULONG channel, DMA_INTERRUPT_TYPE type);

#endif
