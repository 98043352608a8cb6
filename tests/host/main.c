/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim RAM LOG NONCE [KEY=VALUE]...: RAM and LOG are descriptors of files; the keys, beside
 * `coherent` and `caching`, are members of the controller's registration.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dma.h>

#include "check.h"
#include "fake_hal.h"
#include "hal/exception.h"
#include "hal/irq.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "hal/uart.h"
#include "heap.h"
#include "rpc/shell.h"
#include "scripted_backend.h"

/* `hello` tells it; there is one image only. */
extern const uint8_t __build_id_start[24];
const uint8_t __build_id_start[24];

/* Of the sanitizers: what they say names the way there. */
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}

/* For the scripted back end. */
void fake_interrupt(unsigned int spi)
{
    devices_raise(spi + SPI_FIRST);
}

static void report_fault(const char *line)
{
    struct frame_text event = {.size = 0};

    frame_append(&event, "!0 ");
    frame_append(&event, line);
    frame_end(&event, true);
    uart_write(event.text, event.size);
}

/* The value of KEY=VALUE, or what it is without. */
static uint64_t option(int count, char **options, const char *key, uint64_t otherwise)
{
    size_t size = strlen(key);

    for (int i = 0; i < count; i++) {
        if (strncmp(options[i], key, size) == 0 && options[i][size] == '=') {
            return strtoull(options[i] + size + 1, NULL, 0);
        }
    }
    return otherwise;
}

static void start_dma(int count, char **options)
{
    static struct dma_controller controller;
    DMA_INITIALIZATION_BLOCK *block = &controller.block;

    controller = scripted_describe();
    block->CacheCoherent = option(count, options, "CacheCoherent", block->CacheCoherent) != 0;
    block->DmaAddressWidth = (ULONG)option(count, options, "DmaAddressWidth", block->DmaAddressWidth);
    block->SupportedPortWidths =
        (ULONG)option(count, options, "SupportedPortWidths", block->SupportedPortWidths);
    block->MinimumTransferUnit =
        (ULONG)option(count, options, "MinimumTransferUnit", block->MinimumTransferUnit);
    block->MaximumTransferUnits =
        (ULONG)option(count, options, "MaximumTransferUnits", block->MaximumTransferUnits);
    CHECK(dma_initialize(&controller, 1));
}

int main(int count, char **words)
{
    CHECK(count >= 4);
    log_initialize(atoi(words[2]));
    machine_map_ram(atoi(words[1]));
    heap_initialize();
    machine_set_caching(option(count, words, "caching", 1) != 0);
    devices_initialize(strtoull(words[3], NULL, 0), option(count, words, "coherent", 0) != 0);
    memory_initialize();
    irq_initialize();
    exception_set_reporter(report_fault);
    uart_initialize();
    start_dma(count, words);
    irq_enable();
    rpc_serve();
}
