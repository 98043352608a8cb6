/* SPDX-License-Identifier: Apache-2.0 */
/* The interrupts of dmav3_pci.h, and those of dmav3_board.h: each is a deferred call, and waits masked until
 * that has run. */
#include <dmav3_board.h>

#include "pci/pci.h"

#include "hal/irq.h"
#include "layer/irql.h"

enum { CONNECTIONS_MAX = 16 };

static struct connection {
    struct dpc dpc; /* first: a dpc is its connection */
    unsigned int spi;
    DMAV3_PCI_INTERRUPT *routine;
    PVOID context;
} connections[CONNECTIONS_MAX];
static unsigned int connected;

static void run_routine(struct dpc *dpc)
{
    struct connection *connection = (struct connection *)dpc;

    connection->routine(connection->context);
    irq_reenable(connection->spi);
}

static void interrupted(void *context)
{
    struct connection *connection = context;

    irq_disable(connection->spi);
    irql_queue_dpc(&connection->dpc);
}

typedef void connect_routine(unsigned int spi, void (*handler)(void *context), void *context);

static NTSTATUS connect(unsigned int spi, connect_routine *connect_line, DMAV3_PCI_INTERRUPT *routine,
                        PVOID context)
{
    if (spi == PCI_NO_SPI) {
        return STATUS_NOT_SUPPORTED;
    }
    if (connected == CONNECTIONS_MAX) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }

    struct connection *connection = &connections[connected++];

    *connection =
        (struct connection){.dpc = {.run = run_routine}, .spi = spi, .routine = routine, .context = context};
    connect_line(spi, interrupted, connection);
    irq_name_routine(spi, (const void *)(uintptr_t)routine);
    return STATUS_SUCCESS;
}

NTSTATUS dmav3_connect_interrupt(ULONG spi, DMAV3_INTERRUPT *routine, PVOID context)
{
    return connect(spi, irq_connect, routine, context);
}

NTSTATUS dmav3_pci_connect(const struct dmav3_pci *device, DMAV3_PCI_INTERRUPT *routine, PVOID context)
{
    unsigned int spi = pci_enable_message(device, 0, 1);

    if (spi == PCI_NO_SPI) {
        return dmav3_pci_connect_pin(device, routine, context);
    }
    return connect(spi, irq_connect_message, routine, context);
}

NTSTATUS dmav3_pci_connect_pin(const struct dmav3_pci *device, DMAV3_PCI_INTERRUPT *routine, PVOID context)
{
    return connect(pci_pin(device), irq_connect, routine, context);
}

NTSTATUS dmav3_pci_connect_vector(const struct dmav3_pci *device, ULONG vector, DMAV3_PCI_INTERRUPT *routine,
                                  PVOID context)
{
    ULONG line = PCI_NO_SPI;

    (void)dmav3_pci_message(device, vector, &line);
    return connect(line, irq_connect_message, routine, context);
}
