/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the v3 layer and a DMA controller: ten entries and what a controller says of
 * itself at registration (spec 7). The types are those of the interface.
 *
 * The layer serialises all entries of one controller against each other and against the
 * controller's interrupt (HBE-04): interrupts are masked in every call. No entry may wait for a
 * transfer to end, call the layer, or change the interrupt level (HBE-03).
 *
 * A transfer: QueryMaxFragments, ProgramChannel, HandleInterrupt, FlushChannel. An early end:
 * CancelTransfer, ReadDmaCounter, FlushChannel.
 */
#ifndef DMA_BACKEND_H
#define DMA_BACKEND_H

#include <wdm_dma.h>

typedef enum _DMA_INTERRUPT_TYPE {
    InterruptTypeCompletion,
    InterruptTypeError,
    InterruptTypeCancelled
} DMA_INTERRUPT_TYPE;
_Static_assert(InterruptTypeCompletion == 0 && InterruptTypeCancelled == 2, "spec 3.8");

typedef struct _DMA_REQUEST_LINE_BINDING_DESCRIPTION {
    ULONG RequestLine; /* unique in the system; the back end translates (HBE-02) */
    ULONG ChannelNumber;
} DMA_REQUEST_LINE_BINDING_DESCRIPTION, *PDMA_REQUEST_LINE_BINDING_DESCRIPTION;

/* Same shape as the driver's list. Reserved of the list holds the DMA_WIDTH of the device register,
 * which ProgramChannel has no parameter for. */
typedef SCATTER_GATHER_LIST DMA_SCATTER_GATHER_LIST, *PDMA_SCATTER_GATHER_LIST;

typedef struct _DMA_FUNCTION_TABLE {
    /* One-time set-up: every channel stopped, no event pending. */
    VOID (*InitializeController)(PVOID ControllerContext);

    /* May this request line use this channel? Called at PASSIVE_LEVEL. */
    BOOLEAN (*ValidateRequestLineBinding)(PVOID ControllerContext,
                                          PDMA_REQUEST_LINE_BINDING_DESCRIPTION Binding);

    /* How many elements the next transfer can take, at most `MaxFragmentsRequested`; 0: the
     * channel cannot be used (HBE-07). */
    ULONG (*QueryMaxFragments)(PVOID ControllerContext, ULONG ChannelNumber, ULONG MaxFragmentsRequested);

    /* Start. Cannot fail: what cannot be programmed ends with InterruptTypeError (MTX-49). The
     * channel is flushed; the list is valid only during the call (HBE-09). */
    VOID (*ProgramChannel)(PVOID ControllerContext, ULONG ChannelNumber, ULONG RequestLine,
                           PDMA_SCATTER_GATHER_LIST MemoryAddresses, PHYSICAL_ADDRESS DeviceAddress,
                           BOOLEAN WriteToDevice, BOOLEAN LoopTransfer);

    /* Controller-specific function; the driver sees the status. */
    NTSTATUS (*ConfigureChannel)(PVOID ControllerContext, ULONG ChannelNumber, ULONG FunctionNumber,
                                 PVOID Context);

    /* Make an ended, failed or cancelled channel programmable again. Once a mapping. */
    VOID (*FlushChannel)(PVOID ControllerContext, ULONG ChannelNumber);

    /* Find and acknowledge one event. Called until it returns FALSE (HBE-11). */
    BOOLEAN (*HandleInterrupt)(PVOID ControllerContext, PULONG ChannelNumber,
                               DMA_INTERRUPT_TYPE *InterruptType);

    /* Bytes left of the transfer: valid from ProgramChannel to FlushChannel. */
    ULONG (*ReadDmaCounter)(PVOID ControllerContext, ULONG ChannelNumber);

    /* The channel's private memory: uncached, once, before any ProgramChannel (HBE-05). */
    VOID (*ReportCommonBuffer)(PVOID ControllerContext, ULONG ChannelNumber, PVOID VirtualAddress,
                               PHYSICAL_ADDRESS LogicalAddress);

    /* TRUE: the channel was active, is stopped and will not interrupt. FALSE: its end is already
     * signalled, and HandleInterrupt reports it, or it was idle (HBE-13, HBE-14). */
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

/* One registration: the block of the controller, then one a channel, zero based without holes (HBE-01). */
struct dma_controller {
    DMA_INITIALIZATION_BLOCK block;
    DMA_CHANNEL_INITIALIZATION_BLOCK channels[DMA_CONTROLLER_CHANNELS_MAX];
};

#endif
