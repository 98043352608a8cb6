/* SPDX-License-Identifier: Apache-2.0 */
#include "nvme.h"

#include <dmav3_pci.h>

#include "nvme_registers.h"

/* How often a register is looked at before the driver gives up. */
enum { LOOKS = 1000000 };
enum { ADMIN, IO, QUEUES };
enum { SQ_ENTRIES = PAGE_SIZE / sizeof(struct nvme_command) };
enum { CQ_ENTRIES = PAGE_SIZE / sizeof(struct nvme_completion) };
enum { PRP_ENTRIES = PAGE_SIZE / sizeof(ULONGLONG) };
enum { ADMIN_REQUEST = NVME_REQUESTS };
enum { INTERRUPT_VECTOR = 0 };

/* The common buffer, in whole pages, as queues and PRP lists have to be. */
struct shared {
    struct nvme_command submissions[QUEUES][SQ_ENTRIES];
    struct nvme_completion completions[QUEUES][CQ_ENTRIES];
    ULONGLONG prp_lists[NVME_REQUESTS][PRP_ENTRIES];
    ULONG identify[PAGE_SIZE / sizeof(ULONG)];
};

struct queue {
    ULONG tail;  /* of the submissions: the next entry to store */
    ULONG head;  /* of the completions: the next entry to come */
    ULONG phase; /* that it will have */
};

struct request {
    BOOLEAN taken;
    BOOLEAN write;
    volatile NTSTATUS status;  /* STATUS_PENDING until the controller has answered */
    PMDL mdl;                  /* this and the rest: of a transfer */
    PSCATTER_GATHER_LIST list; /* NULL: it waits for resources */
    ULONGLONG block;
    ULONG blocks;
    ULONGLONG context[DMA_TRANSFER_CONTEXT_SIZE_V1 / sizeof(ULONGLONG)];
};

static struct {
    struct dmav3_pci pci;
    DEVICE_OBJECT device;
    PDMA_ADAPTER adapter; /* NULL: the driver has not been started */
    BOOLEAN connected;
    NTSTATUS failure; /* why the controller was switched off, if it was */
    volatile struct shared *shared;
    PHYSICAL_ADDRESS logical; /* of `shared` */
    ULONG doorbell_stride;
    struct nvme_geometry geometry;
    struct queue queues[QUEUES];
    struct request requests[NVME_REQUESTS + 1];
} nvme;

static DMA_OPERATIONS *operations(void)
{
    return nvme.adapter->DmaOperations;
}

/* ---- registers ---- */

static ULONG read_register(ULONG offset)
{
    return READ_REGISTER_ULONG((volatile ULONG *)(nvme.pci.bar[0] + offset));
}

static void write_register(ULONG offset, ULONG value)
{
    WRITE_REGISTER_ULONG((volatile ULONG *)(nvme.pci.bar[0] + offset), value);
}

static void write_address(ULONG offset, ULONGLONG value)
{
    write_register(offset, (ULONG)value);
    write_register(offset + 4, (ULONG)(value >> 32));
}

static void ring_submissions(ULONG queue)
{
    write_register(NVME_DOORBELLS + 2 * queue * nvme.doorbell_stride, nvme.queues[queue].tail);
}

static void ring_completions(ULONG queue)
{
    write_register(NVME_DOORBELLS + (2 * queue + 1) * nvme.doorbell_stride, nvme.queues[queue].head);
}

/* Is the controller there, and at work? */
static NTSTATUS health(void)
{
    ULONG status = read_register(NVME_CSTS);

    if (status == CSTS_GONE) {
        return STATUS_NO_SUCH_DEVICE;
    }
    return status & CSTS_CFS ? STATUS_IO_DEVICE_ERROR : STATUS_SUCCESS;
}

static NTSTATUS wait_ready(ULONG ready)
{
    for (ULONG look = 0; look < LOOKS; look++) {
        ULONG status = read_register(NVME_CSTS);

        if (status == CSTS_GONE) {
            return STATUS_NO_SUCH_DEVICE;
        }
        if ((status & CSTS_RDY) == ready) {
            return STATUS_SUCCESS;
        }
        if (ready && status & CSTS_CFS) {
            return STATUS_IO_DEVICE_ERROR;
        }
    }
    return STATUS_DEVICE_NOT_READY;
}

/* ---- commands and their completions ---- */

static ULONGLONG logical_of(size_t offset)
{
    return (ULONGLONG)nvme.logical.QuadPart + offset;
}

static void submit(ULONG queue, ULONG id, struct nvme_command command)
{
    struct queue *at = &nvme.queues[queue];

    command.opcode_and_id |= id << 16;
    nvme.shared->submissions[queue][at->tail] = command;
    at->tail = (at->tail + 1) % SQ_ENTRIES;
    ring_submissions(queue);
}

static NTSTATUS translate(ULONG status)
{
    switch (status) {
    case NVME_SUCCESS:
        return STATUS_SUCCESS;
    case NVME_INVALID_FIELD:
        return STATUS_INVALID_PARAMETER;
    case NVME_DATA_TRANSFER_ERROR:
        return STATUS_DEVICE_DATA_ERROR;
    case NVME_LBA_OUT_OF_RANGE:
        return STATUS_NONEXISTENT_SECTOR;
    case NVME_WRITE_PROTECTED:
        return STATUS_MEDIA_WRITE_PROTECTED;
    default:
        return STATUS_IO_DEVICE_ERROR;
    }
}

/* The controller has no more to do with it. DISPATCH_LEVEL. */
static void finish(struct request *request, NTSTATUS status)
{
    if (request->list) {
        operations()->PutScatterGatherList(nvme.adapter, request->list, request->write);
        request->list = NULL;
    }
    if (request->mdl) {
        IoFreeMdl(request->mdl);
        request->mdl = NULL;
    }
    request->status = status;
}

static void complete(ULONG word)
{
    ULONG id = COMPLETION_ID(word);

    if (id <= ADMIN_REQUEST && nvme.requests[id].status == STATUS_PENDING) {
        finish(&nvme.requests[id], translate(COMPLETION_STATUS(word)));
    }
}

/* One load takes all that is needed of an entry: the phase says that it is new. */
static void drain(ULONG queue)
{
    struct queue *at = &nvme.queues[queue];
    ULONG word;

    while (word = nvme.shared->completions[queue][at->head].id_and_status,
           COMPLETION_PHASE(word) == at->phase) {
        at->head = (at->head + 1) % CQ_ENTRIES;
        at->phase ^= at->head == 0;
        complete(word);
        ring_completions(queue);
    }
}

static VOID interrupt(PVOID context)
{
    (void)context;
    if (nvme.shared) {
        drain(ADMIN);
        drain(IO);
    }
}

/* An administrative command, and its end. PASSIVE_LEVEL. */
static NTSTATUS execute(struct nvme_command command)
{
    struct request *request = &nvme.requests[ADMIN_REQUEST];

    request->status = STATUS_PENDING;
    submit(ADMIN, ADMIN_REQUEST, command);
    for (ULONG look = 0; look < LOOKS && request->status == STATUS_PENDING; look++) {
        NTSTATUS status = health();

        if (!NT_SUCCESS(status)) {
            return status;
        }
    }
    return request->status == STATUS_PENDING ? STATUS_IO_TIMEOUT : request->status;
}

/* ---- the way down ---- */

/* DISPATCH_LEVEL. One that waits for resources has no list and will get none. */
static void end_request(struct request *request, NTSTATUS status)
{
    if (!request->taken || request->status != STATUS_PENDING) {
        return;
    }
    if (!request->list) {
        (void)operations()->CancelAdapterChannel(nvme.adapter, &nvme.device, request->context);
    }
    finish(request, status);
}

static void end_requests(NTSTATUS status)
{
    KIRQL level;

    KeRaiseIrql(DISPATCH_LEVEL, &level);
    for (ULONG tag = 0; tag < NVME_REQUESTS; tag++) {
        end_request(&nvme.requests[tag], status);
    }
    KeLowerIrql(level);
}

static void release(void)
{
    if (nvme.shared) {
        operations()->FreeCommonBuffer(nvme.adapter, sizeof(*nvme.shared), nvme.logical, (PVOID)nvme.shared,
                                       FALSE);
        nvme.shared = NULL;
    }
    operations()->PutDmaAdapter(nvme.adapter);
    nvme.adapter = NULL;
}

/* A controller that does not stop, or has failed, is no bus master any more: it leaves memory alone. */
static NTSTATUS shut_down(void)
{
    NTSTATUS status = nvme.failure;

    if (NT_SUCCESS(status)) {
        write_register(NVME_CC, 0);
        status = wait_ready(0);
    }
    dmav3_pci_disable(&nvme.pci);
    if (nvme.adapter) {
        end_requests(STATUS_CANCELLED);
        release();
    }
    return status;
}

static void switch_off(NTSTATUS failure)
{
    nvme.failure = failure;
    dmav3_pci_disable(&nvme.pci);
    end_requests(failure);
}

NTSTATUS nvme_stop(void)
{
    return nvme.adapter ? shut_down() : STATUS_INVALID_DEVICE_STATE;
}

/* ---- the way up ---- */

static NTSTATUS check_capabilities(void)
{
    ULONG high = read_register(NVME_CAP_HIGH);

    if (CAP_MQES(read_register(NVME_CAP)) + 1 < CQ_ENTRIES || CAP_HIGH_MPSMIN(high) != 0) {
        return STATUS_NOT_SUPPORTED;
    }
    nvme.doorbell_stride = 4u << CAP_HIGH_DSTRD(high);
    return STATUS_SUCCESS;
}

/* The queues are empty: no entry has the phase 1. */
static NTSTATUS allocate_shared(void)
{
    nvme.shared =
        operations()->AllocateCommonBufferEx(nvme.adapter, NULL, sizeof(*nvme.shared), &nvme.logical, FALSE, 0);
    if (!nvme.shared) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory((PVOID)nvme.shared, sizeof(*nvme.shared));
    for (ULONG queue = 0; queue < QUEUES; queue++) {
        nvme.queues[queue] = (struct queue){.phase = 1};
    }
    return STATUS_SUCCESS;
}

static NTSTATUS get_adapter(void)
{
    DEVICE_DESCRIPTION description = {
        .Version = DEVICE_DESCRIPTION_VERSION3,
        .Master = TRUE,
        .ScatterGather = TRUE,
        .DmaAddressWidth = 64,
        .InterfaceType = PCIBus,
        .MaximumLength = PRP_ENTRIES * PAGE_SIZE,
    };
    ULONG registers;

    nvme.adapter = IoGetDmaAdapter(&nvme.device, &description, &registers);
    if (!nvme.adapter) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    nvme.geometry.maximum = (registers - 1) * PAGE_SIZE; /* a buffer may begin inside a page */
    nvme.geometry.alignment = operations()->GetDmaAlignment(nvme.adapter);
    return allocate_shared();
}

static NTSTATUS enable(void)
{
    write_register(NVME_CC, 0);
    NTSTATUS status = wait_ready(0);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    write_register(NVME_AQA, (CQ_ENTRIES - 1) << 16 | (SQ_ENTRIES - 1));
    write_address(NVME_ASQ, logical_of(offsetof(struct shared, submissions[ADMIN])));
    write_address(NVME_ACQ, logical_of(offsetof(struct shared, completions[ADMIN])));
    write_register(NVME_CC, CC_ENABLE);
    return wait_ready(CSTS_RDY);
}

static NTSTATUS connect(void)
{
    if (nvme.connected) {
        return STATUS_SUCCESS;
    }
    NTSTATUS status = dmav3_pci_connect_vector(&nvme.pci, INTERRUPT_VECTOR, interrupt, NULL);

    if (status == STATUS_NOT_SUPPORTED) {
        status = dmav3_pci_connect_pin(&nvme.pci, interrupt, NULL);
    }
    nvme.connected = NT_SUCCESS(status);
    return status;
}

static NTSTATUS identify(ULONG what, ULONG namespace)
{
    return execute((struct nvme_command){
        .opcode_and_id = ADMIN_IDENTIFY,
        .nsid = namespace,
        .prp1 = logical_of(offsetof(struct shared, identify)),
        .cdw10 = what,
    });
}

static NTSTATUS read_geometry(void)
{
    const volatile ULONG *data = nvme.shared->identify;
    NTSTATUS status = identify(CNS_CONTROLLER, 0);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    ULONG pages = IDENTIFY_MDTS(data);

    if (pages != 0 && pages < 10 && PAGE_SIZE << pages < nvme.geometry.maximum) {
        nvme.geometry.maximum = PAGE_SIZE << pages;
    }
    status = identify(CNS_NAMESPACE, 1);
    nvme.geometry.blocks = IDENTIFY_NSZE(data);
    nvme.geometry.block_bytes = 1u << IDENTIFY_LBADS(data, IDENTIFY_FLBAS(data));
    return status;
}

static NTSTATUS create_io_queue(void)
{
    NTSTATUS status = execute((struct nvme_command){
        .opcode_and_id = ADMIN_CREATE_CQ,
        .prp1 = logical_of(offsetof(struct shared, completions[IO])),
        .cdw10 = (CQ_ENTRIES - 1) << 16 | IO,
        .cdw11 = INTERRUPT_VECTOR << 16 | CREATE_INTERRUPTS | CREATE_CONTIGUOUS,
    });

    if (!NT_SUCCESS(status)) {
        return status;
    }
    return execute((struct nvme_command){
        .opcode_and_id = ADMIN_CREATE_SQ,
        .prp1 = logical_of(offsetof(struct shared, submissions[IO])),
        .cdw10 = (SQ_ENTRIES - 1) << 16 | IO,
        .cdw11 = IO << 16 | CREATE_CONTIGUOUS,
    });
}

/* Vectors are connected first: a queue of QEMU's that is made before has none. */
static NTSTATUS bring_up(void)
{
    static NTSTATUS (*const steps[])(void) = {
        check_capabilities, get_adapter, connect, enable, read_geometry, create_io_queue,
    };
    NTSTATUS status = STATUS_SUCCESS;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && NT_SUCCESS(status); i++) {
        status = steps[i]();
    }
    return status;
}

NTSTATUS nvme_start(struct nvme_geometry *geometry)
{
    if (nvme.adapter) {
        return STATUS_DEVICE_BUSY;
    }
    NTSTATUS status = dmav3_pci_find_class(NVME_CLASS, 0, &nvme.pci);

    if (NT_SUCCESS(status)) {
        status = dmav3_pci_enable(&nvme.pci);
    }
    if (!NT_SUCCESS(status)) {
        return status;
    }
    nvme.failure = STATUS_SUCCESS;
    status = bring_up();
    if (NT_SUCCESS(status)) {
        *geometry = nvme.geometry;
    } else {
        (void)shut_down();
    }
    return status;
}

/* ---- transfers ---- */

/* PRP entries name pages: all but the first begin at the start of one, all but the last end at its end. */
static BOOLEAN has_whole_pages(const SCATTER_GATHER_LIST *list)
{
    for (ULONG i = 1; i < list->NumberOfElements; i++) {
        const SCATTER_GATHER_ELEMENT *before = &list->Elements[i - 1];

        if (BYTE_OFFSET(before->Address.QuadPart + before->Length) != 0 ||
            BYTE_OFFSET(list->Elements[i].Address.QuadPart) != 0) {
            return FALSE;
        }
    }
    return TRUE;
}

static void store_prps(struct nvme_command *command, ULONG tag, const SCATTER_GATHER_LIST *list)
{
    volatile ULONGLONG *entries = nvme.shared->prp_lists[tag]; /* of all pages but the first */
    ULONG count = 0;

    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        ULONGLONG at = (ULONGLONG)list->Elements[i].Address.QuadPart, end = at + list->Elements[i].Length;

        for (; at < end; at = (at | (PAGE_SIZE - 1)) + 1, count++) {
            if (count == 0) {
                command->prp1 = at;
            } else {
                entries[count - 1] = at;
            }
        }
    }
    if (count == 2) {
        command->prp2 = entries[0];
    } else if (count > 2) {
        command->prp2 = logical_of(offsetof(struct shared, prp_lists) + tag * PAGE_SIZE);
    }
}

static VOID list_ready(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context)
{
    struct request *request = context;
    ULONG tag = (ULONG)(request - nvme.requests);
    struct nvme_command command = {
        .opcode_and_id = request->write ? IO_WRITE : IO_READ,
        .nsid = 1,
        .cdw10 = (ULONG)request->block,
        .cdw11 = (ULONG)(request->block >> 32),
        .cdw12 = request->blocks - 1,
    };

    (void)device, (void)irp;
    request->list = list;
    if (!has_whole_pages(list)) {
        finish(request, STATUS_INVALID_PARAMETER);
        return;
    }
    store_prps(&command, tag, list);
    submit(IO, tag, command);
}

static NTSTATUS check_transfer(ULONGLONG block, PVOID buffer, ULONG bytes)
{
    const struct nvme_geometry *geometry = &nvme.geometry;

    if (!nvme.adapter) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if (bytes == 0 || bytes > geometry->maximum || bytes % geometry->block_bytes != 0 ||
        (ULONG_PTR)buffer % geometry->alignment != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (block >= geometry->blocks || bytes / geometry->block_bytes > geometry->blocks - block) {
        return STATUS_NONEXISTENT_SECTOR;
    }
    return NT_SUCCESS(nvme.failure) ? health() : nvme.failure;
}

static struct request *take_request(void)
{
    for (ULONG tag = 0; tag < NVME_REQUESTS; tag++) {
        if (!nvme.requests[tag].taken) {
            return &nvme.requests[tag];
        }
    }
    return NULL;
}

/* What it takes to be given a list: list_ready() goes on, now or when there are resources. */
static NTSTATUS ask_for_list(struct request *request, PVOID buffer, ULONG bytes)
{
    request->mdl = IoAllocateMdl(buffer, bytes, FALSE, FALSE, NULL);
    if (!request->mdl) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MmBuildMdlForNonPagedPool(request->mdl);
    NTSTATUS status = operations()->InitializeDmaTransferContext(nvme.adapter, request->context);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    return operations()->GetScatterGatherListEx(nvme.adapter, &nvme.device, request->context, request->mdl, 0,
                                                bytes, 0, list_ready, request, request->write, NULL, NULL,
                                                NULL);
}

NTSTATUS nvme_transfer(BOOLEAN write, ULONGLONG block, PVOID buffer, ULONG bytes, ULONG *tag)
{
    NTSTATUS status = check_transfer(block, buffer, bytes);
    struct request *request = take_request();

    if (!NT_SUCCESS(status) || !request) {
        return NT_SUCCESS(status) ? STATUS_DEVICE_BUSY : status;
    }
    *request = (struct request){.taken = TRUE,
                                .write = write,
                                .status = STATUS_PENDING,
                                .block = block,
                                .blocks = bytes / nvme.geometry.block_bytes};
    *tag = (ULONG)(request - nvme.requests);
    status = ask_for_list(request, buffer, bytes);
    if (!NT_SUCCESS(status)) {
        finish(request, status);
        request->taken = FALSE;
        return status;
    }
    return STATUS_PENDING;
}

NTSTATUS nvme_result(ULONG tag)
{
    if (tag >= NVME_REQUESTS || !nvme.requests[tag].taken) {
        return STATUS_INVALID_PARAMETER;
    }
    struct request *request = &nvme.requests[tag];

    if (request->status == STATUS_PENDING) {
        NTSTATUS status = health();

        if (NT_SUCCESS(status)) {
            return STATUS_PENDING;
        }
        switch_off(status);
    }
    request->taken = FALSE;
    return request->status;
}
