/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the other widths; those of 32 bits are in routines/registers.c. */
#include <wdm.h>

#include "hal/cache.h"

#define SINGLE(name, type)                                                                                     \
    type READ_REGISTER_##name(volatile type *Register)                                                         \
    {                                                                                                          \
        type value;                                                                                            \
                                                                                                               \
        barrier_sync();                                                                                        \
        value = *Register;                                                                                     \
        barrier_sync();                                                                                        \
        return value;                                                                                          \
    }                                                                                                          \
    void WRITE_REGISTER_##name(volatile type *Register, type Value)                                            \
    {                                                                                                          \
        barrier_sync();                                                                                        \
        *Register = Value;                                                                                     \
        barrier_sync();                                                                                        \
    }

/* One register behind the other. */
#define BUFFER(name, type)                                                                                     \
    void READ_REGISTER_BUFFER_##name(volatile type *Register, type *Buffer, ULONG Count)                       \
    {                                                                                                          \
        for (ULONG i = 0; i < Count; i++) {                                                                    \
            Buffer[i] = READ_REGISTER_##name(Register + i);                                                    \
        }                                                                                                      \
    }                                                                                                          \
    void WRITE_REGISTER_BUFFER_##name(volatile type *Register, type *Buffer, ULONG Count)                      \
    {                                                                                                          \
        for (ULONG i = 0; i < Count; i++) {                                                                    \
            WRITE_REGISTER_##name(Register + i, Buffer[i]);                                                    \
        }                                                                                                      \
    }

SINGLE(UCHAR, UCHAR)
SINGLE(USHORT, USHORT)
SINGLE(ULONG64, ULONG64)
BUFFER(UCHAR, UCHAR)
BUFFER(USHORT, USHORT)
BUFFER(ULONG, ULONG)
BUFFER(ULONG64, ULONG64)
