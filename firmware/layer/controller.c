/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/controller.h"

#include <dma.h>

#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "hal/oplog.h"

static struct controller controllers[DMA_CONTROLLERS_MAX];
static size_t controller_count;

static const DMA_FUNCTION_TABLE *entries_of(const struct controller *controller)
{
    return controller->description.block.Operations;
}

static PVOID context_of(const struct controller *controller)
{
    return controller->description.block.InternalData;
}

/* ---- entries ---- */

ULONG channel_max_fragments(struct channel *channel, ULONG wanted)
{
    struct controller *controller = channel->controller;
    uint64_t state = irq_save();

    oplog_enter(OPLOG_QueryMaxFragments, NULL, 0);
    ULONG answer = entries_of(controller)->QueryMaxFragments(context_of(controller), channel->number, wanted);
    oplog_exit(OPLOG_QueryMaxFragments, NULL, answer, 0, 0);
    irq_restore(state);
    return answer < wanted ? answer : wanted;
}

void channel_program(const struct mapping *mapping, PDMA_SCATTER_GATHER_LIST list, PHYSICAL_ADDRESS device)
{
    const struct adapter *adapter = mapping->request->adapter;
    struct channel *channel = adapter->channel;
    struct controller *controller = channel->controller;
    uint64_t state = irq_save();

    oplog_enter(OPLOG_ProgramChannel, &adapter->public, 0);
    entries_of(controller)
        ->ProgramChannel(context_of(controller), channel->number, adapter->request_line, list, device,
                         mapping->write, adapter->looped);
    oplog_exit(OPLOG_ProgramChannel, &adapter->public, 0, mapping->length, list->NumberOfElements);
    irq_restore(state);
}

void channel_flush(struct channel *channel)
{
    struct controller *controller = channel->controller;
    uint64_t state = irq_save();

    oplog_enter(OPLOG_FlushChannel, NULL, 0);
    entries_of(controller)->FlushChannel(context_of(controller), channel->number);
    oplog_exit(OPLOG_FlushChannel, NULL, 0, 0, 0);
    irq_restore(state);
}

bool channel_has_counter(const struct channel *channel)
{
    return channel->controller != NULL && entries_of(channel->controller)->ReadDmaCounter != NULL;
}

bool channel_interrupts(const struct channel *channel)
{
    const struct dma_controller *description = &channel->controller->description;

    return description->channels[channel->number].GeneratesInterrupt || description->block.GeneratesInterrupt;
}

ULONG channel_bytes_left(struct channel *channel)
{
    struct controller *controller = channel->controller;
    uint64_t state = irq_save();

    oplog_enter(OPLOG_BackendReadDmaCounter, NULL, 0);
    ULONG left = entries_of(controller)->ReadDmaCounter(context_of(controller), channel->number);
    oplog_exit(OPLOG_BackendReadDmaCounter, NULL, 0, left, 0);
    irq_restore(state);
    return left;
}

NTSTATUS channel_configure(struct channel *channel, ULONG function, PVOID data)
{
    struct controller *controller = channel->controller;
    uint64_t state = irq_save();

    oplog_enter(OPLOG_ConfigureChannel, NULL, 0);
    NTSTATUS status =
        entries_of(controller)->ConfigureChannel(context_of(controller), channel->number, function, data);
    oplog_exit(OPLOG_ConfigureChannel, NULL, (uint32_t)status, 0, 0);
    irq_restore(state);
    return status;
}

void channel_set_owner(const struct adapter *adapter)
{
    ULONG width = (ULONG)adapter->width;

    (void)channel_configure(adapter->channel, DMA_CONFIGURE_NEW_OWNER, &width);
}

bool channel_cancel(struct channel *channel)
{
    struct controller *controller = channel->controller;
    uint64_t state = irq_save();

    oplog_enter(OPLOG_CancelTransfer, NULL, 0);
    BOOLEAN stopped = entries_of(controller)->CancelTransfer(context_of(controller), channel->number);
    oplog_exit(OPLOG_CancelTransfer, NULL, stopped, 0, 0);
    irq_restore(state);
    return stopped;
}

bool controller_next_report(struct controller *controller, struct channel **channel, DMA_INTERRUPT_TYPE *type)
{
    ULONG number = 0;

    *type = InterruptTypeError;
    oplog_enter(OPLOG_HandleInterrupt, NULL, 0);
    BOOLEAN found = entries_of(controller)->HandleInterrupt(context_of(controller), &number, type);
    oplog_exit(OPLOG_HandleInterrupt, NULL, found, 0, 0);
    *channel = number < controller->description.block.ChannelCount ? &controller->channels[number] : NULL;
    return found;
}

/* ---- registration ---- */

static void connect(struct controller *controller, void (*handler)(void *controller))
{
    const struct dma_controller *description = &controller->description;

    if (description->block.GeneratesInterrupt) {
        irq_connect(description->block.InterruptNumber, handler, controller);
    }
    for (ULONG i = 0; i < description->block.ChannelCount; i++) {
        if (description->channels[i].GeneratesInterrupt) {
            irq_connect(description->channels[i].InterruptNumber, handler, controller);
        }
    }
}

/* Take the channel's private memory and report it to the back end (HBE-05). */
static bool give_private_memory(struct controller *controller, ULONG number)
{
    ULONG size = controller->description.channels[number].CommonBufferLength;
    uint64_t physical;

    if (size == 0) {
        return true;
    }
    void *memory = memory_take_uncached(size);

    if (memory == NULL || !memory_translate((uintptr_t)memory, &physical)) {
        return false;
    }
    PHYSICAL_ADDRESS logical = {.QuadPart = (LONGLONG)physical};

    oplog_memory(OPLOG_MEMORY_PRIVATE, NULL, physical, size, true);
    oplog_enter(OPLOG_ReportCommonBuffer, NULL, 0);
    entries_of(controller)->ReportCommonBuffer(context_of(controller), number, memory, logical);
    oplog_exit(OPLOG_ReportCommonBuffer, NULL, 0, size, 0);
    return true;
}

static bool start_controller(struct controller *controller, const struct dma_controller *description,
                             void (*handler)(void *controller))
{
    *controller = (struct controller){.description = *description};
    /* CCH-07 */
    controller->coherent = description->block.CacheCoherent || memory_is_coherent();
    if (description->block.ChannelCount > DMA_CONTROLLER_CHANNELS_MAX) {
        return false;
    }

    oplog_enter(OPLOG_InitializeController, NULL, 0);
    entries_of(controller)->InitializeController(context_of(controller));
    oplog_exit(OPLOG_InitializeController, NULL, 0, 0, 0);
    for (ULONG i = 0; i < description->block.ChannelCount; i++) {
        controller->channels[i].controller = controller;
        controller->channels[i].number = i;
        if (!give_private_memory(controller, i)) {
            return false;
        }
    }
    connect(controller, handler);
    return true;
}

bool controllers_initialize(const struct dma_controller *descriptions, size_t count,
                            void (*handler)(void *controller))
{
    controller_count = 0;
    if (count > DMA_CONTROLLERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!start_controller(&controllers[i], &descriptions[i], handler)) {
            return false;
        }
        controller_count++;
    }
    return true;
}

/* ---- binding ---- */

static bool serves(const DMA_INITIALIZATION_BLOCK *block, ULONG request_line)
{
    return request_line >= block->MinimumRequestLine && request_line <= block->MaximumRequestLine;
}

static bool accepts(struct controller *controller, ULONG request_line, ULONG channel_number)
{
    DMA_REQUEST_LINE_BINDING_DESCRIPTION binding = {request_line, channel_number};

    oplog_enter(OPLOG_ValidateRequestLineBinding, NULL, 0);
    BOOLEAN valid = entries_of(controller)->ValidateRequestLineBinding(context_of(controller), &binding);
    oplog_exit(OPLOG_ValidateRequestLineBinding, NULL, valid, 0, 0);
    return valid && channel_number < controller->description.block.ChannelCount;
}

/* Does the controller have ports of that width (IGA-20)? */
static bool supports(const DMA_INITIALIZATION_BLOCK *block, DMA_WIDTH width)
{
    ULONG bit = width == WidthNoWrap ? DMA_PORT_WIDTH_UNLIMITED : (ULONG)DMA_PORT_WIDTH_8 << width;

    return (block->SupportedPortWidths & bit) != 0;
}

struct channel *controller_channel(uint32_t number)
{
    for (size_t i = 0; i < controller_count; i++) {
        uint32_t channels = controllers[i].description.block.ChannelCount;

        if (number < channels) {
            return &controllers[i].channels[number];
        }
        number -= channels;
    }
    return NULL;
}

struct channel *controller_bind(ULONG request_line, ULONG channel_number, DMA_WIDTH width)
{
    for (size_t i = 0; i < controller_count; i++) {
        const DMA_INITIALIZATION_BLOCK *block = &controllers[i].description.block;

        if (serves(block, request_line)) {
            return supports(block, width) && accepts(&controllers[i], request_line, channel_number)
                       ? &controllers[i].channels[channel_number]
                       : NULL;
        }
    }
    return NULL;
}
