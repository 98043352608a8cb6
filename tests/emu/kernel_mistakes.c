/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes with the kernel around a driver, each a command; test_kernel_mistakes.py says what must be reported
 * for it, at the line that is marked with its name. */
#include <dmav3.h>
#include <ntddk.h>

#define TAG 'klsM'

/* `mistake` runs a case by its number; cases are in the order of this file. */
#define CASES(X)                                                                                               \
    X(Nothing)                                                                                                 \
    X(FreeTwice)                                                                                               \
    X(Overrun)                                                                                                 \
    X(Underrun)                                                                                                \
    X(WrongTag)                                                                                                \
    X(NoBytes)                                                                                                 \
    X(NoKind)                                                                                                  \
    X(WriteFreed)                                                                                              \
    X(NoBlock)                                                                                                 \
    X(Leak)                                                                                                    \
    X(RawLookaside)                                                                                            \
    X(Assertion)                                                                                               \
    X(BrokenList)                                                                                              \
    X(PagedCode)

static PUCHAR Block(void)
{
    return (PUCHAR)ExAllocatePool2(POOL_FLAG_NON_PAGED, 20, TAG); /* Overrun, Underrun, Leak */
}

static VOID Nothing(void)
{
    ExFreePoolWithTag(Block(), TAG);
}

static VOID FreeTwice(void)
{
    PVOID block = Block();

    ExFreePool(block);
    ExFreePool(block); /* FreeTwice */
}

static VOID Overrun(void)
{
    PUCHAR block = Block();

    block[20] = 1;
    ExFreePool(block);
}

static VOID Underrun(void)
{
    PUCHAR block = Block();

    block[-1] = 1;
    ExFreePool(block);
}

static VOID WrongTag(void)
{
    ExFreePoolWithTag(Block(), 'rehO'); /* WrongTag */
}

static VOID NoBytes(void)
{
    (void)ExAllocatePool2(POOL_FLAG_NON_PAGED, 0, TAG); /* NoBytes */
}

static VOID NoKind(void)
{
    (void)ExAllocatePool2(POOL_FLAG_UNINITIALIZED, 8, TAG); /* NoKind */
}

static VOID WriteFreed(void)
{
    volatile UCHAR *block = Block();

    ExFreePool((PVOID)block); /* WriteFreed */
    block[3] = 1;
}

static VOID NoBlock(void)
{
    static ULONGLONG Memory[8];

    ExFreePool(Memory + 4); /* NoBlock */
}

static VOID Leak(void)
{
    (void)Block();
}

static VOID RawLookaside(void)
{
    static NPAGED_LOOKASIDE_LIST List;

    (void)ExAllocateFromNPagedLookasideList(&List); /* RawLookaside */
}

static VOID Assertion(void)
{
    volatile ULONG count = 1;

    ASSERT(count == 0); /* Assertion */
}

static VOID BrokenList(void)
{
    LIST_ENTRY head, entry;

    InitializeListHead(&head);
    InsertTailList(&head, &entry);
    RemoveEntryList(&entry);
    head.Flink = &entry;
    RemoveEntryList(&head); /* BrokenList */
}

static VOID PagedCode(void)
{
    KIRQL old;

    KeRaiseIrql(DISPATCH_LEVEL, &old);
    PAGED_CODE(); /* PagedCode */
    KeLowerIrql(old);
}

static NTSTATUS Mistake(const ULONGLONG *argument, struct dmav3_reply *reply)
{
#define ROW(name) name,
    static VOID (*const cases[])(void) = {CASES(ROW)};

    (void)reply;
    cases[argument[0]]();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(mistake, "number", Mistake);
