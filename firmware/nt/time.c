/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/time.h"

#include "hal/ident.h"
#include "nt/nt.h"

#define NS_A_SECOND  1000000000
#define UNITS_A_TICK 156250
#define NS_A_TICK    ((uint64_t)UNITS_A_TICK * NS_A_UNIT)

uint64_t time_of(LARGE_INTEGER time)
{
    return time.QuadPart < 0 ? ident_time() + (uint64_t)-time.QuadPart * NS_A_UNIT
                             : (uint64_t)time.QuadPart * NS_A_UNIT;
}

LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    if (PerformanceFrequency != NULL) {
        PerformanceFrequency->QuadPart = NS_A_SECOND;
    }
    return (LARGE_INTEGER){.QuadPart = (LONGLONG)ident_time()};
}

void KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime)
{
    CurrentTime->QuadPart = (LONGLONG)KeQueryInterruptTime();
}

ULONGLONG KeQueryInterruptTime(void)
{
    return ident_time() / NS_A_UNIT;
}

void KeQueryTickCount(PLARGE_INTEGER CurrentCount)
{
    CurrentCount->QuadPart = (LONGLONG)(ident_time() / NS_A_TICK);
}

ULONG KeQueryTimeIncrement(void)
{
    return UNITS_A_TICK;
}
