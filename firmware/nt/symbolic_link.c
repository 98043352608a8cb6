/* SPDX-License-Identifier: Apache-2.0 */
/* Names of devices for a user mode that does not exist: kept, so that a second one of a name is refused, and
 * one that is left behind is told. */
#include "hal/memory.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

struct link {
    LIST_ENTRY entry;
    UNICODE_STRING name; /* behind it */
    struct routine_place maker;
};

static LIST_ENTRY links = {&links, &links};

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = links.Flink; at != &links; at = at->Flink) {
        const struct link *link = CONTAINING_RECORD(at, struct link, entry);
        const struct dma_live told = live_of("symbolic_link", (uintptr_t)link, &link->maker);

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

static struct link *find(PCUNICODE_STRING name)
{
    for (PLIST_ENTRY at = links.Flink; at != &links; at = at->Flink) {
        struct link *link = CONTAINING_RECORD(at, struct link, entry);

        if (RtlEqualUnicodeString(&link->name, name, TRUE)) {
            return link;
        }
    }
    return NULL;
}

NTSTATUS IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
    struct link *link;

    (void)DeviceName;
    (void)NT_AT_MOST(IoCreateSymbolicLink, PASSIVE_LEVEL);
    if (find(SymbolicLinkName) != NULL) {
        return STATUS_OBJECT_NAME_COLLISION;
    }
    link = memory_allocate(sizeof *link + SymbolicLinkName->Length);
    if (link == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    link->name = (UNICODE_STRING){.MaximumLength = SymbolicLinkName->Length, .Buffer = (PWCH)(link + 1)};
    RtlCopyUnicodeString(&link->name, SymbolicLinkName);
    link->maker = (struct routine_place){OPLOG_IoCreateSymbolicLink, NT_CALLER, origin_now()};
    InsertTailList(&links, &link->entry);
    live_add(&source);
    return STATUS_SUCCESS;
}

NTSTATUS IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName)
{
    struct link *link = find(SymbolicLinkName);

    (void)NT_AT_MOST(IoDeleteSymbolicLink, PASSIVE_LEVEL);
    if (link == NULL) {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    RemoveEntryList(&link->entry);
    memory_release(link);
    return STATUS_SUCCESS;
}
