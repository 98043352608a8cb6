/* SPDX-License-Identifier: Apache-2.0 */
/* A test bed for the PL330's engine: memory, a recorder for what it does outside, an assembler. */
#ifndef BED_H
#define BED_H

#include "check.h"
#include "engine/engine.h"

/* ---- instructions ---- */

#define BYTES_2(v)             (uint8_t)(v), (uint8_t)((v) >> 8)
#define BYTES_4(v)             BYTES_2(v), BYTES_2((uint32_t)(v) >> 16)
#define END                    0x00
#define KILL                   0x01
#define LD                     0x04
#define LDS                    0x05
#define LDB                    0x07
#define ST                     0x08
#define STS                    0x09
#define STB                    0x0b
#define STZ                    0x0c
#define RMB                    0x12
#define WMB                    0x13
#define NOP                    0x18
#define LP0(iterations)        0x20, (iterations) - 1
#define LP1(iterations)        0x22, (iterations) - 1
#define LDPS(p)                0x25, (p) << 3
#define LDPB(p)                0x27, (p) << 3
#define STPS(p)                0x29, (p) << 3
#define STPB(p)                0x2b, (p) << 3
#define FOREVER(jump)          0x2c, jump
#define FOREVER_S(jump)        0x2d, jump
#define FOREVER_B(jump)        0x2f, jump
#define WFPS(p)                0x30, (p) << 3
#define WFPP(p)                0x31, (p) << 3
#define WFPB(p)                0x32, (p) << 3
#define SEV(e)                 0x34, (e) << 3
#define FLUSHP(p)              0x35, (p) << 3
#define WFE(e)                 0x36, (e) << 3
#define WFEI(e)                0x36, (e) << 3 | 2
#define LPEND0(jump)           0x38, jump
#define LPEND0S(jump)          0x39, jump
#define LPEND0B(jump)          0x3b, jump
#define LPEND1(jump)           0x3c, jump
#define LPEND1S(jump)          0x3d, jump
#define LPEND1B(jump)          0x3f, jump
#define ADDH_SAR(v)            0x54, BYTES_2(v)
#define ADDH_DAR(v)            0x56, BYTES_2(v)
#define ADNH_SAR(v)            0x5c, BYTES_2(v)
#define ADNH_DAR(v)            0x5e, BYTES_2(v)
#define GO(channel, address)   0xa0, channel, BYTES_4(address)
#define GONS(channel, address) 0xa2, channel, BYTES_4(address)
#define SAR(v)                 0xbc, 0, BYTES_4(v)
#define CCR(v)                 0xbc, 1, BYTES_4(v)
#define DAR(v)                 0xbc, 2, BYTES_4(v)

/* Control registers: beats of so many bytes (log2), so many of them, both sides alike. */
#define CONTROL_HALF(size_log2, beats, increments) ((increments) | (size_log2) << 1 | ((beats) - 1) << 4)
#define CONTROL(size_log2, beats)                                                                              \
    (uint32_t)(CONTROL_HALF(size_log2, beats, 1) | CONTROL_HALF(size_log2, beats, 1) << 14)
#define NONSECURE_CONTROL 0x00800200u

/* ---- the bed ---- */

enum {
    BED_BASE = 0x40000000,
    BED_SIZE = 0x10000, /* of memory; elsewhere the bus answers with errors */
    CODE = BED_BASE,
    SOURCE = BED_BASE + 0x4000,
    TARGET = BED_BASE + 0x8000,
    BED_FINDINGS = 16,
    BED_ANSWERS = 64,
};

extern struct bed {
    struct engine_config config;
    struct engine *engine;
    uint8_t memory[BED_SIZE];
    uint64_t now;
    uint64_t lines; /* outputs that are high: bit 0 irq_abort, bit 1 + n irq[n] */
    uint32_t rises; /* since bed_start(), of all of them */
    uint32_t faulted, held, issued, reads, writes, fetches;
    struct engine_burst last_read, last_write;
    struct engine_finding finding[BED_FINDINGS];
    uint32_t findings;
    uint32_t effect; /* accesses here have an effect, as far as predictions are told; 0: none has */
    struct {
        uint32_t peripheral;
        enum engine_answer answer;
    } answer[BED_ANSWERS];
    uint32_t answers;
    enum engine_request asks; /* what a peripheral asks for anew when it is answered */
    uint32_t asks_left;       /* answers after which it asks no more; 0: it goes on */
    bool asks_last;
    bool broken;      /* nothing can be fetched */
    bool skips;       /* nobody listens to instructions */
    uint64_t skipped; /* instructions that were not told of */
    uint64_t digest;  /* of what has happened outside, and when */
} bed;

/* A new engine with bed.config, which bed_reset() makes that of QEMU's defaults; memory is a pattern. */
void bed_reset(void);
void bed_start(void);

uint8_t *bed_at(uint32_t address);
void bed_mix(uint64_t value); /* into the digest */
void bed_put(uint32_t address, const uint8_t *code, size_t bytes);
#define PUT(address, ...)                                                                                      \
    bed_put(address, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Start a channel by the debug interface; execute a debug instruction as the manager or a channel. */
void bed_go(uint32_t channel, uint32_t address);
void bed_go_nonsecure(uint32_t channel, uint32_t address);
void bed_debug(uint32_t thread, const uint8_t *code, size_t bytes);
#define DEBUG(thread, ...)                                                                                     \
    bed_debug(thread, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Run for so many cycles; until nothing happens by itself any more, which must be soon. */
void bed_run(uint64_t cycles);
void bed_settle(void);

/* Put a program for channel 0 at CODE, start it, and run it until nothing happens any more. */
#define RUN(...)                                                                                               \
    do {                                                                                                       \
        PUT(CODE, __VA_ARGS__);                                                                                \
        bed_go(0, CODE);                                                                                       \
        bed_settle();                                                                                          \
    } while (0)

uint32_t bed_register(uint32_t offset);
void bed_set(uint32_t offset, uint32_t value);
uint32_t bed_state(uint32_t channel);
uint32_t bed_fault(uint32_t channel);

/* Registers, by offset. */
enum {
    DSR = 0x000,
    DPC = 0x004,
    INTEN = 0x020,
    RIS = 0x024,
    INTMIS = 0x028,
    INTCLR = 0x02c,
    FSRD = 0x030,
    FSRC = 0x034,
    FTRD = 0x038,
    FTR0 = 0x040,
    CSR0 = 0x100,
    CPC0 = 0x104,
    SAR0 = 0x400,
    DAR0 = 0x404,
    CCR0 = 0x408,
    LC0_0 = 0x40c,
    LC1_0 = 0x410,
    DBGSTATUS = 0xd00,
    DBGCMD = 0xd04,
    DBGINST0 = 0xd08,
    DBGINST1 = 0xd0c,
    CR0 = 0xe00,
    WD = 0xe80,
};

/* The bytes at TARGET are those at SOURCE. */
void bed_check_copied(size_t bytes);

#endif
