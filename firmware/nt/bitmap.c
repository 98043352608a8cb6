/* SPDX-License-Identifier: Apache-2.0 */
/* Bit maps: bit n is bit n % 32 of ULONG n / 32. */
#include <wdm.h>

enum { BITS = 32 };

void RtlInitializeBitMap(PRTL_BITMAP BitMapHeader, PULONG BitMapBuffer, ULONG SizeOfBitMap)
{
    BitMapHeader->Buffer = BitMapBuffer;
    BitMapHeader->SizeOfBitMap = SizeOfBitMap;
}

BOOLEAN RtlTestBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    return BitMapHeader->Buffer[BitNumber / BITS] >> BitNumber % BITS & 1;
}

void RtlSetBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    BitMapHeader->Buffer[BitNumber / BITS] |= 1u << BitNumber % BITS;
}

void RtlClearBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    BitMapHeader->Buffer[BitNumber / BITS] &= ~(1u << BitNumber % BITS);
}

void RtlSetBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToSet)
{
    for (ULONG i = 0; i < NumberToSet; i++) {
        RtlSetBit(BitMapHeader, StartingIndex + i);
    }
}

void RtlClearBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToClear)
{
    for (ULONG i = 0; i < NumberToClear; i++) {
        RtlClearBit(BitMapHeader, StartingIndex + i);
    }
}

void RtlClearAllBits(PRTL_BITMAP BitMapHeader)
{
    RtlZeroMemory(BitMapHeader->Buffer, (BitMapHeader->SizeOfBitMap + BITS - 1) / BITS * sizeof(ULONG));
}

void RtlSetAllBits(PRTL_BITMAP BitMapHeader)
{
    RtlFillMemory(BitMapHeader->Buffer, (BitMapHeader->SizeOfBitMap + BITS - 1) / BITS * sizeof(ULONG), 0xff);
}

static BOOLEAN are_bits(PRTL_BITMAP map, ULONG start, ULONG length, BOOLEAN wanted)
{
    if (length == 0 || start >= map->SizeOfBitMap || length > map->SizeOfBitMap - start) {
        return FALSE;
    }
    for (ULONG i = 0; i < length; i++) {
        if (RtlTestBit(map, start + i) != wanted) {
            return FALSE;
        }
    }
    return TRUE;
}

BOOLEAN RtlAreBitsSet(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return are_bits(BitMapHeader, StartingIndex, Length, TRUE);
}

BOOLEAN RtlAreBitsClear(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return are_bits(BitMapHeader, StartingIndex, Length, FALSE);
}

ULONG RtlNumberOfSetBits(PRTL_BITMAP BitMapHeader)
{
    ULONG count = 0;

    for (ULONG i = 0; i < BitMapHeader->SizeOfBitMap; i++) {
        count += RtlTestBit(BitMapHeader, i);
    }
    return count;
}

ULONG RtlNumberOfClearBits(PRTL_BITMAP BitMapHeader)
{
    return BitMapHeader->SizeOfBitMap - RtlNumberOfSetBits(BitMapHeader);
}

static ULONG find(PRTL_BITMAP map, ULONG count, ULONG hint, BOOLEAN wanted)
{
    ULONG first = hint < map->SizeOfBitMap ? hint : 0;

    for (ULONG i = 0; i < map->SizeOfBitMap; i++) {
        ULONG start = (first + i) % map->SizeOfBitMap;

        if (are_bits(map, start, count, wanted)) {
            return start;
        }
    }
    return MAXULONG;
}

ULONG RtlFindClearBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return find(BitMapHeader, NumberToFind, HintIndex, FALSE);
}

ULONG RtlFindSetBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return find(BitMapHeader, NumberToFind, HintIndex, TRUE);
}

ULONG RtlFindClearBitsAndSet(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG start = RtlFindClearBits(BitMapHeader, NumberToFind, HintIndex);

    if (start != MAXULONG) {
        RtlSetBits(BitMapHeader, start, NumberToFind);
    }
    return start;
}
