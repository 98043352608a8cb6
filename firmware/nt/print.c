/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver prints becomes a line of the command line; levels and components filter nothing. */
#include "nt/format.h"
#include "nt/nt.h"
#include "rpc/shell.h"

enum { PRINT_MAX = 401 };

static ULONG print(PCSTR format, va_list arguments)
{
    CHAR text[PRINT_MAX];

    (void)nt_format(text, sizeof text, false, format, arguments);
    rpc_print(text);
    return STATUS_SUCCESS;
}

ULONG DbgPrint(PCSTR Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    ULONG status = print(Format, arguments);

    va_end(arguments);
    return status;
}

ULONG vDbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, va_list Arguments)
{
    (void)ComponentId;
    (void)Level;
    return print(Format, Arguments);
}

ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    ULONG status = vDbgPrintEx(ComponentId, Level, Format, arguments);

    va_end(arguments);
    return status;
}
