/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the v3 layer and a DMA controller: ten entries and what a controller says of
 * itself at registration (chapter HBE). The types are those of the interface.
 *
 * To write a back end for another controller:
 *
 *   1. Fill in a struct dma_controller, hand it to dma_initialize() where firmware/main.c hands over the
 *      PL330's, and keep what InternalData points to: every entry gets it. All ten entries are there,
 *      unless a comment says that NULL will do.
 *   2. Know registers, programs or descriptors, and nothing of drivers, MDLs, map registers and caches: the
 *      layer has done all of that when it calls (HBE-18). Addresses are those that the controller puts on
 *      the bus. Descriptors belong into the channel's private memory, which is uncached; a barrier_sync()
 *      (hal/cache.h) before the start makes them visible to the controller (CCH-21).
 *   3. Registers through hal/mmio.h only: then a host test sees every access (tests/c/pl330/test_pl330.c).
 *   4. Bound every wait for hardware. When it does not come, say so through the next report.
 *
 * What an entry may rely on: it is called with interrupts masked, never inside another entry of the
 * same controller (HBE-04); channels, lines and widths are such as registration and
 * ValidateRequestLineBinding allow. What it must not do: wait for a transfer to end, call the layer,
 * change the interrupt level (HBE-03).
 *
 * The life of a channel, where [ ] may be absent:
 *
 *     ReportCommonBuffer                                                           once
 *     ConfigureChannel(DMA_CONFIGURE_NEW_OWNER), [ConfigureChannel(the driver's)]  an owner
 *     QueryMaxFragments, ProgramChannel, HandleInterrupt, FlushChannel             a transfer
 *     ... ProgramChannel, [CancelTransfer], [ReadDmaCounter], FlushChannel         cut short
 *     ... ProgramChannel, HandleInterrupt ..., CancelTransfer, FlushChannel        a loop
 *
 * A transfer ends with exactly one report: of HandleInterrupt, or TRUE of CancelTransfer. A loop gives a
 * completion report for each notice and goes on; it ends with an error report, or when it is cancelled.
 */
#ifndef DMA_BACKEND_H
#define DMA_BACKEND_H

#include <wdm_dma.h>

typedef enum _DMA_INTERRUPT_TYPE {
    InterruptTypeCompletion,
    InterruptTypeError,
    InterruptTypeCancelled
} DMA_INTERRUPT_TYPE;
_Static_assert(InterruptTypeCompletion == 0 && InterruptTypeCancelled == 2, "docs/interface.md, table 5");

typedef struct _DMA_REQUEST_LINE_BINDING_DESCRIPTION {
    ULONG RequestLine; /* unique in the system; the back end translates (HBE-02) */
    ULONG ChannelNumber;
} DMA_REQUEST_LINE_BINDING_DESCRIPTION, *PDMA_REQUEST_LINE_BINDING_DESCRIPTION;

typedef SCATTER_GATHER_LIST DMA_SCATTER_GATHER_LIST, *PDMA_SCATTER_GATHER_LIST;

/* A function of ConfigureChannel that only the layer calls; ConfigureAdapterChannel refuses it. It says that
 * the channel has a new owner: forget what was configured for the one before (CFG-09). Context points to an
 * ULONG, the DMA_WIDTH of the owner's device register. A back end that needs neither may refuse. */
#define DMA_CONFIGURE_NEW_OWNER 0

typedef struct _DMA_FUNCTION_TABLE {
    /* Set up the controller, once: every channel is stopped and no event is pending afterwards. */
    VOID (*InitializeController)(PVOID ControllerContext);

    /* May this request line use this channel? Called at PASSIVE_LEVEL. */
    BOOLEAN (*ValidateRequestLineBinding)(PVOID ControllerContext,
                                          PDMA_REQUEST_LINE_BINDING_DESCRIPTION Binding);

    /* How many elements the next transfer can take, at most `MaxFragmentsRequested`; 0: the
     * channel cannot be used (HBE-07). */
    ULONG (*QueryMaxFragments)(PVOID ControllerContext, ULONG ChannelNumber, ULONG MaxFragmentsRequested);

    /* Start. Cannot fail: what cannot be programmed ends with InterruptTypeError (MTX-49). The
     * channel is flushed; the list is valid only during the call (HBE-09). The list is the memory's side;
     * of the fixed widths every access of the device is as wide and at DeviceAddress, with WidthNoWrap the
     * address advances with the data (MTX-34). LoopTransfer: round and round over the list, each as fast as
     * the device asks for data, until CancelTransfer. The transfer may be over before this returns. */
    VOID (*ProgramChannel)(PVOID ControllerContext, ULONG ChannelNumber, ULONG RequestLine,
                           PDMA_SCATTER_GATHER_LIST MemoryAddresses, PHYSICAL_ADDRESS DeviceAddress,
                           BOOLEAN WriteToDevice, BOOLEAN LoopTransfer);

    /* Controller-specific function; the driver sees the status (HBE-16): STATUS_NOT_IMPLEMENTED for a number
     * that is not known. Settings hold for the transfers that follow, until there is a new owner. */
    NTSTATUS (*ConfigureChannel)(PVOID ControllerContext, ULONG ChannelNumber, ULONG FunctionNumber,
                                 PVOID Context);

    /* Make an ended, failed or cancelled channel programmable again; nothing of the transfer is reported any
     * more. Once a mapping. */
    VOID (*FlushChannel)(PVOID ControllerContext, ULONG ChannelNumber);

    /* Find and acknowledge one event. Called until it returns FALSE (HBE-11), from each of the controller's
     * interrupts, and without one where the layer expects a report. */
    BOOLEAN (*HandleInterrupt)(PVOID ControllerContext, PULONG ChannelNumber,
                               DMA_INTERRUPT_TYPE *InterruptType);

    /* Return the bytes left of the transfer, over the whole list; in a loop those of the current round, never
     * 0. Called from ProgramChannel to FlushChannel, also when the transfer has ended. Exact if the channel
     * does not move (HBE-15). NULL if the controller cannot tell. */
    ULONG (*ReadDmaCounter)(PVOID ControllerContext, ULONG ChannelNumber);

    /* The channel's private memory: uncached, once, after InitializeController and before any
     * ProgramChannel (HBE-05). NULL if no channel asks for some. */
    VOID (*ReportCommonBuffer)(PVOID ControllerContext, ULONG ChannelNumber, PVOID VirtualAddress,
                               PHYSICAL_ADDRESS LogicalAddress);

    /* Stop: no data moves after the return. TRUE: the channel was active, is stopped and will not interrupt.
     * FALSE: it was idle, or a report is due, and HandleInterrupt gives it (HBE-13, HBE-14); the last one of
     * a loop is then InterruptTypeCancelled. */
    BOOLEAN (*CancelTransfer)(PVOID ControllerContext, ULONG ChannelNumber);
} DMA_FUNCTION_TABLE;

/* Bits of SupportedPortWidths: 2 << DMA_WIDTH for the fixed widths. */
enum {
    DMA_PORT_WIDTH_UNLIMITED = 1,
    DMA_PORT_WIDTH_8 = 2,
    DMA_PORT_WIDTH_16 = 4,
    DMA_PORT_WIDTH_32 = 8,
    DMA_PORT_WIDTH_64 = 16,
};

enum { DMA_BACKEND_VERSION = 1, DMA_CONTROLLER_CHANNELS_MAX = 8 };

typedef struct _DMA_INITIALIZATION_BLOCK {
    ULONG Version; /* DMA_BACKEND_VERSION */
    ULONG Size;
    ULONG ControllerId;
    ULONG ChannelCount; /* at most DMA_CONTROLLER_CHANNELS_MAX */
    BOOLEAN CacheCoherent;
    ULONG DmaAddressWidth; /* bits */
    ULONG SupportedPortWidths;
    ULONG MinimumTransferUnit;  /* bytes */
    ULONG MaximumTransferUnits; /* of the device's width in one mapping; 0: no limit (not in the public form) */
    ULONG MinimumRequestLine;
    ULONG MaximumRequestLine;   /* inclusive */
    BOOLEAN GeneratesInterrupt; /* here: for errors */
    ULONG InterruptNumber;      /* shared peripheral interrupt, level */
    PVOID InternalData;         /* ControllerContext of every entry */
    const DMA_FUNCTION_TABLE *Operations;
} DMA_INITIALIZATION_BLOCK;

typedef struct _DMA_CHANNEL_INITIALIZATION_BLOCK {
    ULONG Version; /* DMA_BACKEND_VERSION */
    ULONG Size;
    BOOLEAN GeneratesInterrupt;
    ULONG InterruptNumber;
    ULONG CommonBufferLength; /* bytes of private memory; 0: none */
} DMA_CHANNEL_INITIALIZATION_BLOCK;

/* What the board knows of the device at a request line: in which direction the line asks for data, and for
 * which register (IGA-21). */
struct dma_peripheral {
    ULONG request_line;
    BOOLEAN write_to_device;
    ULONGLONG data_register;
};

/* One registration: the block of the controller, then one block for each channel, from 0 without holes
 * (HBE-01). `peripherals`, an array that must stay, are the devices that the board knows, if any: only their
 * transfers are compared with it. */
struct dma_controller {
    DMA_INITIALIZATION_BLOCK block;
    DMA_CHANNEL_INITIALIZATION_BLOCK channels[DMA_CONTROLLER_CHANNELS_MAX];
    const struct dma_peripheral *peripherals;
    size_t peripheral_count;
};

#endif
