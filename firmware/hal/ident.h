/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identification page of the platform: which platform it is, what it can do, its clock and its alarm.
 * The shim tells it by READY that a command has ended, and by the operation log (oplog.h) what it does.
 */
#ifndef HAL_IDENT_H
#define HAL_IDENT_H

#include <stdbool.h>
#include <stdint.h>

/* Bits of ident_features(). */
enum ident_feature { IDENT_COHERENT = 1, IDENT_STREAM = 2, IDENT_GATE = 4, IDENT_LOW_RAM = 8 };

/* What an image can promise to record (oplog_announce()). */
enum ident_records { IDENT_RECORDS_MEMORY = 1 };

/* Is the page there (does it answer with its magic number)? Without it, nothing below does anything. */
bool ident_present(void);

uint32_t ident_features(void); /* IDENT_ bits */
uint64_t ident_nonce(void);    /* given to the machine by whoever started it */
uint64_t ident_time(void);     /* model time, nanoseconds */
uint32_t ident_held(void);     /* bit n: channel n of the controller is held */

/* Let interrupt ALARM_SPI rise at that model time, or when a channel is held; until the next call. 0: never. */
void ident_set_alarm(uint64_t time);

/* The shell waits for its next line: time may stop. Call it where IDENT_GATE is set, with nothing
 * left to do. */
void ident_ready(void);

#endif
