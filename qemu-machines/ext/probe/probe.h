/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that the harness maps read-only: line states, counters, findings, the event ring.
 *
 * The layout is versioned, and the harness takes every offset from the debug information of the
 * shared object. Everything is written by the extension only. The header, `findings` and `costs`
 * are consistent while the gate is closed or the machine is stopped; the ring is readable at any
 * time: a record is complete before `ring_head` counts it.
 *
 * The file never grows: it is the header (PROBE_HEADER_BYTES), one byte for each line of RAM, and
 * PROBE_RING_RECORDS records of 64 bytes, that is, 6 MiB for 64 MiB of RAM with lines of 64 bytes. What does
 * not fit is counted instead: `findings_lost`, and records by ring_head - ring_reset.
 *
 * The caller of all functions but probe_open(), probe_lines() and probe_wake() holds the views' lock.
 */
#ifndef DMAV3_PROBE_H
#define DMAV3_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#define PROBE_MAGIC        0x33764d44u /* "DMv3" */
#define PROBE_LAYOUT       1
#define PROBE_RING_RECORDS 65536u
#define PROBE_FINDINGS     4096u
#define PROBE_COSTS        1024u
#define PROBE_HEADER_BYTES (1u << 20)

/* State bits of a line of RAM, in its byte at struct probe.lines_offset of the file. */
enum probe_line {
    PROBE_LINE_VALID = 1,   /* in the cache */
    PROBE_LINE_DIRTY = 2,   /* ... and newer than DRAM */
    PROBE_LINE_UNCLEAN = 4, /* holds bytes stored by the CPU that no clean has covered since */
    PROBE_LINE_STALE = 8,   /* holds bytes written by a device that no invalidate has covered since */
    PROBE_LINE_OWED = 16,   /* something else is remembered of it: a barrier owed, bytes lost */
};

/* What a record reports, and what its `id` and `a` to `e` are then; what is not named is 0. */
enum probe_kind {
    PROBE_RESET = 1, /* a new run begins; model time and command are 0 */
    PROBE_COMMAND,   /* the gate opened for command number `command` */
    PROBE_READY,     /* the gate closes. a device reads, b device writes, c speculative fills,
                        d evictions, e write-backs, all since reset */
    PROBE_ENTER,     /* id; a adapter, b where a routine was called, or where a callback begins; 0 for others */
    PROBE_EXIT,      /* id; a adapter, b status, c bytes | elements << 32, d lines cleaned |
                        lines invalidated << 32, e lines written back | other lines << 32 */
    PROBE_RANGE,     /* id: 0 mapped, 1 bounced, 2 flushed by KeFlushIoBuffers, 3 the device's side in RAM; a
                        handle, b physical address, c bytes, d write, e adapter (of the firmware: e where the device
                        sees the first byte) */
    PROBE_UNMAPPED,  /* id: 1 flushed, 0 given up; a handle, b which of its mappings, 0: all */
    PROBE_VIOLATION, /* id: code; a p2, b p3 */
    PROBE_DMAGO,     /* id: channel; a address of the program */
    PROBE_FINDING,   /* id: index in `findings` */
    /* The PL330; id: channel, a: address of its instruction. */
    PROBE_INSTRUCTION,   /* with `trace`: it begins. b its bytes, the opcode lowest; of a burst c address,
                            d bytes; of DMASEV e: 1, it interrupts the CPU */
    PROBE_HELD,          /* on request. b bursts, c bytes so far */
    PROBE_CHANNEL_FAULT, /* b FTRn, c SAR, d DAR, e of a bus error: the address that was accessed */
    PROBE_DMAKILL = 15,  /* by the debug interface */
    /* PCI devices; always ungated. */
    PROBE_PCI_ACCESS, /* id: bus << 8 | device << 3 | function. a address, b bytes, d write: its accesses to
                         neighbouring addresses, as far as nothing else came between */
    PROBE_MAPPING,    /* a mapping begins, of which the next ranges are. id: the routine that made it; a handle,
                         b which of its mappings, c 1: looped, d where the routine was called, e adapter */
    PROBE_MEMORY,     /* id: 0 common buffer, 1 private memory of a channel, 2 window of the tests; b physical
                         address, c bytes, d 1: it is there for devices, 0: no longer, e adapter */
    PROBE_ADAPTER,    /* one was made. id: channel of the PL330, 0xffffff: a bus master; b adapter */
    PROBE_REASON,     /* why a routine does not do what it was asked for. a address of a text of the image,
                         b, c numbers for it */
    PROBE_ARGUMENTS,  /* what the routine entered last was called with. id: the first one | their number << 8; a
                         to e up to five of them */
    /* Remote devices (devices/remote.h); id: which. */
    PROBE_DEVICE_REGISTER,  /* the CPU accesses a register. a offset, b bytes, c value, d write, e 1: the answer
                               is a bus error */
    PROBE_DEVICE_ACCESS,    /* it accesses memory. a address, b bytes, d write */
    PROBE_DEVICE_INTERRUPT, /* a its level */
    PROBE_DEVICE_MESSAGE,   /* a vector, b enum probe_message */
    PROBE_KINDS,
};

struct probe_record {
    uint64_t time_ns; /* model time */
    uint32_t command; /* number of the command in which it happened, from 1 after each reset */
    uint32_t seq;     /* position within the command, from 0; of an ungated one: that of the next that is not */
    uint16_t kind;    /* enum probe_kind */
    uint16_t ungated; /* 1: caused by something that the gate does not stop */
    uint32_t id;
    uint64_t a, b, c, d, e;
};

/* Root causes by kind. Those before FINDING_BUS_ERROR are hazards of the cache (enum cache_hazard). */
enum probe_finding_kind {
    FINDING_STALE_CPU_READ = 1,
    FINDING_STALE_DEVICE_READ,
    FINDING_LOST_DEVICE_WRITE,
    FINDING_LOST_CPU_WRITE,
    FINDING_SHARED_LINE,
    FINDING_MISSING_BARRIER,
    FINDING_MISMATCHED_ALIAS,
    FINDING_BUS_ERROR,           /* a device's access was answered by an error (pl330, devices/pci.h) */
    FINDING_BYPASSING_DEVICE,    /* the CPU started a device that goes past the views (devices/bypass.h) */
    FINDING_NOT_YOUR_BUFFER,     /* the CPU touched a buffer that was a device's (evidence/ownership.h) */
    FINDING_STRAY_DEVICE_ACCESS, /* a device reached what nothing gave it (evidence/stray.h) */
    FINDING_BAD_RECORD,          /* the image told what cannot be (evidence/declared.h) */
    /* A program of the PL330 did what silicon does not tell (engine/engine.h, enum engine_finding_kind). */
    FINDING_MICROCODE_EARLY_EVENT,
    FINDING_MICROCODE_EARLY_LOAD,
    FINDING_MICROCODE_UNUSED_REQUEST,
    FINDING_MICROCODE_OLD_REQUEST,
    FINDING_MICROCODE_FULL_FIFO,
    FINDING_MICROCODE_CHANGED_PROGRAM,
};

/* Where the bytes of a stray access lie, from a mapping or memory for devices. */
enum probe_near {
    NEAR_NOTHING,         /* there is none, and was none */
    NEAR_BEHIND,          /* behind its end */
    NEAR_BEFORE,          /* before its start */
    NEAR_OTHER_DIRECTION, /* inside, but it is for the other direction */
    NEAR_ENDED,           /* inside, but it has ended */
};

/* What a mapping, or memory for devices, is. */
enum probe_memory { MEMORY_COMMON, MEMORY_PRIVATE, MEMORY_WINDOW, MEMORY_FLUSHED, MEMORY_MAPPED };

/* Why a record of the image cannot be. */
enum probe_bad_record {
    BAD_RECORD_NOT_RAM = 1, /* no bytes, or bytes that are not in RAM */
    BAD_RECORD_UNKNOWN,     /* the end of what never began */
    BAD_RECORD_TOO_MANY,    /* more at a time than there is room for */
};

/* What became of a message, a PCI function's interrupt. */
enum probe_message {
    MESSAGE_SENT,
    MESSAGE_NOT_ENABLED, /* by the driver, which has MSI off */
    MESSAGE_NO_MASTER,   /* the driver has bus mastering off */
};

/* Why a device's access was answered by an error. */
enum probe_bus_error {
    BUS_ERROR_ANSWERED,
    BUS_ERROR_FAULTED,   /* it was, and the channel of the PL330 has faulted */
    BUS_ERROR_NO_MASTER, /* it was not even sent: the driver has bus mastering off */
};

/* One root cause, counted: what the same routine owed for the same adapter; where none owed anything, what the
 * same instruction of the CPU did; what a device did beside mappings of the same caller; each device that goes
 * past the views. The first case is kept. The harness counts those of one function together. */
struct probe_finding {
    uint32_t kind;    /* enum probe_finding_kind */
    uint32_t count;   /* how many times */
    uint64_t time_ns; /* of the first, as are all below */
    uint32_t command;
    uint32_t seq;
    uint64_t address;      /* physical; of FINDING_BYPASSING_DEVICE: of the device's registers; of
                              FINDING_MICROCODE_…: of the other instruction */
    uint64_t cpu_pc;       /* of the access or store that raced; 0: not known */
    uint32_t routine;      /* that owed the maintenance, by its id in the operation log; 0: none */
    uint32_t channel;      /* of the PL330; 0x10000 | bus << 8 | device << 3 | function: of a PCI device;
                              0x20000 | id: of a virtio-mmio device; 0x20000: of fw_cfg; 0x80000 | id: of a
                              remote device; ~0: not known */
    uint64_t microcode;    /* address of the channel's instruction; 0 for PCI, as is: */
    uint64_t burst;        /* n-th load or store of the program, from 1 */
    uint64_t adapter;      /* whose mapping covers the address; 0: none does */
    uint32_t while_mapped; /* 1: the CPU's access to these very bytes came between MapTransferEx and
                              FlushAdapterBuffersEx */
    uint32_t by_device;    /* 1: the access that showed it was the device's */
    uint32_t bounced;      /* 1: the device's bytes were in a bounce page that stands in for the address */
    uint32_t is_write;     /* 1: the access that showed it was a store, or a device's write */
    uint32_t has_layer;    /* 1: the image writes an operation log, so it knows mappings */
    uint32_t reason;       /* enum probe_bad_record; of FINDING_BUS_ERROR enum probe_bus_error; 0 for others */
    uint32_t unused;
    /* The mapping of `adapter`; of a stray access: the nearest. */
    uint32_t for_write;   /* 1: the device may read it, 0: write */
    uint32_t near;        /* enum probe_near */
    uint32_t memory;      /* enum probe_memory */
    uint32_t maker;       /* the routine that made it; 0: there is none, as then are all below */
    uint32_t ender;       /* the routine that ended it; 0: none did */
    uint64_t maker_pc;    /* where the routine that made it was called; 0: not known */
    uint64_t near_start;  /* of its piece, where the device sees it */
    uint64_t near_memory; /* of the caller's memory for it: the same, unless it is bounced */
    uint64_t near_length; /* bytes */
    uint64_t ended_ns;    /* model time */
    uint64_t code;        /* of FINDING_MICROCODE_...: the instruction's bytes, from the lowest on */
    uint64_t clean_pc;    /* of a missing barrier behind the store's clean: of that clean; 0 of others */
};

/* Maintenance by one instruction of the program, inside one routine. */
struct probe_cost {
    uint64_t pc;
    uint64_t routine;    /* innermost routine or callback, by its id in the operation log; 0: none */
    uint64_t operations; /* executed */
    uint64_t redundant;  /* ... that found nothing to do */
}; /* in the last entry: of all that found no room, with a pc of 0 */

struct probe {
    uint32_t magic;
    uint32_t layout;
    uint64_t file_size;
    uint64_t ram_base, ram_size;
    uint32_t line_size;
    uint32_t gate_closed;  /* 1: a line may be sent; memory and this file stand still */
    uint64_t lines_offset; /* ram_size / line_size bytes of enum probe_line */
    uint64_t ring_offset;  /* PROBE_RING_RECORDS records, a power of two */
    uint64_t ring_head;    /* records written since the file was made; the last PROBE_RING_RECORDS are there */
    uint64_t ring_reset;   /* ring_head at the last reset */
    uint64_t time_ns;      /* model time when the gate closed */
    uint32_t command;
    uint32_t findings;      /* valid entries below */
    uint32_t findings_lost; /* more root causes than fit */
    uint32_t costs;
    uint64_t trace_lost; /* instructions of the PL330 that `trace` did not record: more than was asked for */
    uint32_t violations; /* records of PROBE_VIOLATION since the last reset */
    /* An access to a register of a PCI device that has not come back; there is none where bar_address is 0.
     * Not kept where devices have no view of their own. */
    uint32_t bar_is_write;
    uint64_t bar_address;
    uint64_t bar_accesses; /* begun since the file was made */
    struct probe_finding finding[PROBE_FINDINGS];
    struct probe_cost cost[PROBE_COSTS];
};
_Static_assert(sizeof(struct probe) <= PROBE_HEADER_BYTES, "it has room");
_Static_assert(sizeof(struct probe_record) == 64, "as said above");

/* stream-fd: this header in the first page, then the data of the two rings, of equal size.
 * Heads and tails count bytes since reset and are used modulo ring_size. */
struct stream_rings {
    uint32_t magic; /* PROBE_MAGIC */
    uint32_t layout;
    uint64_t ring_size;      /* a power of two */
    uint64_t sent_offset;    /* in the file: bytes the device took in; written by the extension */
    uint64_t sent_head;      /* ... up to here */
    uint64_t sent_tail;      /* the host has read up to here */
    uint64_t receive_offset; /* bytes the device will give out; written by the host */
    uint64_t receive_head;   /* ... up to here */
    uint64_t receive_tail;   /* the device has taken up to here */
};

/* Map the file (grown to the size it needs) and write the header. `time_ns` returns model time, for the
 * records. False with errno set on failure. */
bool probe_open(int fd, uint64_t ram_base, uint64_t ram_size, uint32_t line_size, uint64_t (*time_ns)(void));

/* The mapped file, NULL before probe_open() and in a machine that has none. */
extern struct probe *probe;

/* The bytes at lines_offset. */
uint8_t *probe_lines(void);

/* Append a record; time, command and seq are filled in. Returns seq. It is not marked as ungated. */
uint32_t probe_record(enum probe_kind kind, uint32_t id, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                      uint64_t e);

/* Append a record of PROBE_FINDING for entry `index`; ungated: its cause is something that the gate does not
 * stop. Returns seq. */
uint32_t probe_record_finding(uint32_t index, bool ungated);

/* Note one access of a PCI device, for PROBE_PCI_ACCESS. The record enters the ring when another record, or an
 * access elsewhere, follows. */
void probe_access(uint32_t requester, uint64_t address, unsigned int size, bool is_write);

/* Every later record of a kind whose bit (1 << kind) is set makes the eventfd `fd` readable. */
void probe_wake(int fd, uint64_t mask);

/* Forget findings and costs, write PROBE_RESET. */
void probe_reset(void);

#endif
