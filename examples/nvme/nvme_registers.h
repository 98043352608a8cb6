/* SPDX-License-Identifier: Apache-2.0 */
/* What the NVM Express base specification (1.4) defines, as far as the driver uses it. Names are its own. */
#ifndef NVME_REGISTERS_H
#define NVME_REGISTERS_H

#include <wdm_dma.h>

#ifndef NVME_CLASS
#define NVME_CLASS 0x010802 /* mass storage, non-volatile memory, NVMe */
#endif

/* Controller registers, offsets in BAR 0. */
enum {
    NVME_CAP = 0x00,
    NVME_CAP_HIGH = 0x04,
    NVME_CC = 0x14,
    NVME_CSTS = 0x1C,
    NVME_AQA = 0x24,
    NVME_ASQ = 0x28,
    NVME_ACQ = 0x30,
    NVME_DOORBELLS = 0x1000,
};

#define CAP_MQES(cap)         ((cap) & 0xFFFF)         /* most entries of a queue, minus 1 */
#define CAP_HIGH_DSTRD(high)  ((high) & 0xF)           /* doorbells are 4 << DSTRD bytes apart */
#define CAP_HIGH_MPSMIN(high) ((high) >> 16 & 0xF)     /* the smallest page is 4096 << MPSMIN */
#define CC_ENABLE             (1u | 6 << 16 | 4 << 20) /* pages of 4096 bytes, entries of 1 << 6 and 1 << 4 */
#define CSTS_RDY              1u
#define CSTS_CFS              2u  /* the controller has failed */
#define CSTS_GONE             ~0u /* what a register reads as that nobody answers for */

/* A submission entry. */
struct nvme_command {
    ULONG opcode_and_id; /* the identifier in the upper half */
    ULONG nsid;
    ULONG reserved[4];
    ULONGLONG prp1, prp2;
    ULONG cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct nvme_command) == 64, "CC.IOSQES");

/* A completion entry. */
struct nvme_completion {
    ULONG result, reserved, sq;
    ULONG id_and_status; /* the command's identifier, the phase, the status */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "CC.IOCQES");

#define COMPLETION_ID(word)     ((word) & 0xFFFF)
#define COMPLETION_PHASE(word)  ((word) >> 16 & 1)
#define COMPLETION_STATUS(word) ((word) >> 17 & 0x7FF) /* type << 8 | code */

enum { ADMIN_CREATE_SQ = 0x01, ADMIN_CREATE_CQ = 0x05, ADMIN_IDENTIFY = 0x06 };
enum { IO_WRITE = 0x01, IO_READ = 0x02 };
enum { CNS_NAMESPACE = 0, CNS_CONTROLLER = 1 };
enum { CREATE_CONTIGUOUS = 1, CREATE_INTERRUPTS = 2 };

enum {
    NVME_SUCCESS = 0x000,
    NVME_INVALID_FIELD = 0x002,
    NVME_DATA_TRANSFER_ERROR = 0x004,
    NVME_WRITE_PROTECTED = 0x020,
    NVME_LBA_OUT_OF_RANGE = 0x080,
};

/* Identify data, as an array of ULONG. */
#define IDENTIFY_MDTS(data)  ((data)[77 / 4] >> 8 & 0xFF) /* most pages of a command, a power of 2; 0: any */
#define IDENTIFY_NSZE(data)  ((data)[0] | (ULONGLONG)(data)[1] << 32)
#define IDENTIFY_FLBAS(data) ((data)[26 / 4] >> 16 & 0xF)
#define IDENTIFY_LBADS(data, flbas) ((data)[128 / 4 + (flbas)] >> 16 & 0xFF)

#endif
