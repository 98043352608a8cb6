/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random accesses of the CPU to what the extension gives a guest: the identification page, the command UART,
 * the stream, the PL330 with programs that end anywhere, and maintenance at any address. What a guest may not
 * do to itself, such as a DMA into its own code, is left out; what it may do to QEMU is not.
 */
#include <dmav3.h>
#include <dmav3_board.h>

enum { RAM_END = 0x41800000, COHERENT_BYTES = 0x200000 };
enum { IDENT = 0x0B020000, UART = 0x0B030000, DISTRIBUTOR = 0x08000000, FIRST_OWN_SPI = 176 };
enum { COMMIT = 0x40, STEPS = 12 };
enum { DBGCMD = 0xD04, DBGINST0 = 0xD08, DBGINST1 = 0xD0C };

static ULONGLONG State;
/* How many accesses there have been, for who looks into memory: the command line may have been written over. */
volatile ULONG Touched;
static UCHAR Sandbox[4096] __attribute__((aligned(4096)));

/* xorshift64* */
static ULONGLONG Random(void)
{
    State ^= State >> 12;
    State ^= State << 25;
    State ^= State >> 27;
    return State * 0x2545F4914F6CDD1Dull;
}

static ULONG Below(ULONG limit)
{
    return (ULONG)((Random() >> 32) % limit);
}

static VOID Store(ULONG_PTR address, ULONG size, ULONGLONG value)
{
    switch (size) {
    case 1:
        *(volatile UCHAR *)address = (UCHAR)value;
        break;
    case 2:
        *(volatile USHORT *)address = (USHORT)value;
        break;
    case 4:
        *(volatile ULONG *)address = (ULONG)value;
        break;
    default:
        *(volatile ULONGLONG *)address = value;
    }
}

static VOID Load(ULONG_PTR address, ULONG size)
{
    switch (size) {
    case 1:
        (void)*(volatile UCHAR *)address;
        break;
    case 2:
        (void)*(volatile USHORT *)address;
        break;
    case 4:
        (void)*(volatile ULONG *)address;
        break;
    default:
        (void)*(volatile ULONGLONG *)address;
    }
}

/* ---- values that mean something somewhere ---- */

/* Addresses at the borders of all that there is, and in the middle of it. */
static ULONGLONG Address(void)
{
    const ULONGLONG places[] = {
        0,          0x0B000000, 0x0B010000, 0x0B020000, 0x0F000000,         0x0F100000, 0x10000000,
        0x3F000000, 0x40000000, RAM_END,    0xFFFFFFFF, (ULONG_PTR)Sandbox, ~0ull,
    };

    return places[Below(sizeof(places) / sizeof(places[0]))] + Below(129) - 64;
}

static ULONGLONG Value(void)
{
    switch (Below(6)) {
    case 0:
        return Below(32);
    case 1:
        return 1ull << Below(64);
    case 2:
        return ~0ull >> Below(64);
    case 3:
        return Random();
    default:
        return Address();
    }
}

/* ---- registers ---- */

static VOID TouchRegister(ULONG_PTR base, ULONG registers, ULONG smallest, ULONG largest)
{
    ULONG size = smallest << Below((ULONG)__builtin_ctz(largest / smallest) + 1);
    ULONG_PTR address = base + (Below(8) ? Below(registers) : Below(0x1000)) / size * size;

    if (Below(3)) {
        Store(address, size, Value());
    } else {
        Load(address, size);
    }
}

/* A record of the operation log with what such records have. */
static VOID Commit(void)
{
    for (ULONG argument = 0; argument < 5; argument++) {
        Store(IDENT + COMMIT + 8 + 8 * argument, 8, Value());
    }
    Store(IDENT + COMMIT, 4, (Below(24) | (ULONGLONG)(Below(4) ? Below(100) : (ULONG)Random()) << 8));
}

static VOID TouchIdent(void)
{
    if (Below(2)) {
        Commit();
    } else {
        TouchRegister(IDENT, 0x80, 4, 8);
    }
}

/* ---- the PL330 ---- */

/* Where a program's data may be: nothing that the firmware needs. */
static ULONG DataAddress(void)
{
    const ULONG places[] = {(ULONG)(ULONG_PTR)Sandbox + 1024,
                            0x0F000000 + 1024,
                            RAM_END,
                            0x0F800000,
                            0x0B020000,
                            0x0B010000,
                            0x0B000000};

    return places[Below(sizeof(places) / sizeof(places[0]))] + (Below(16) ? Below(9) * 8 : Below(65)) - 32;
}

static ULONG Move(UCHAR *code, ULONG which, ULONG value)
{
    code[0] = 0xBC;
    code[1] = (UCHAR)which;
    for (ULONG byte = 0; byte < 4; byte++) {
        code[2 + byte] = (UCHAR)(value >> 8 * byte);
    }
    return 6;
}

/* Bursts of one size on both sides: what is loaded can be stored. */
static ULONG Control(void)
{
    ULONG side = 1 | Below(4) << 1 | Below(16) << 4;

    return side | side << 14;
}

static ULONG Copies(UCHAR *code, const UCHAR *bytes, ULONG size)
{
    for (ULONG byte = 0; byte < size; byte++) {
        code[byte] = bytes[byte];
    }
    return size;
}

/* An instruction, or some that belong together. */
static ULONG Step(UCHAR *code)
{
    static const UCHAR loop[] = {0x20, 7, 0x04, 0x08, 0x38, 2}, copy[] = {0x04, 0x08}, zero[] = {0x0C},
                       event[] = {0x34, 0x08}, wait[] = {0x30, 0x08}, add[] = {0x54, 0xFF, 0xFF},
                       end[] = {0x00};

    switch (Below(Below(16) ? 9 : 10)) {
    case 0:
        return Move(code, 0, DataAddress());
    case 1:
        return Move(code, 2, DataAddress());
    case 2:
        return Move(code, 1, Control());
    case 3:
        return Copies(code, loop, sizeof(loop));
    case 4:
        return Copies(code, zero, sizeof(zero));
    case 5:
        return Copies(code, Below(4) ? event : wait, 2);
    case 6:
        return Copies(code, add, sizeof(add));
    case 7:
        return Copies(code, end, Below(8) == 0);
    case 8:
        return Copies(code, copy, sizeof(copy));
    default:
        code[0] = (UCHAR)Random();
        return 1;
    }
}

static VOID Execute(ULONG instruction, ULONG operand)
{
    Store(DMAV3_PL330_BASE + DBGINST0, 4, instruction);
    Store(DMAV3_PL330_BASE + DBGINST1, 4, operand);
    Store(DMAV3_PL330_BASE + DBGCMD, 4, 0);
}

/* Return where the program is: in the sandbox, or the last bytes of RAM. */
static ULONG Put(const UCHAR *code, ULONG size)
{
    ULONG_PTR at = Below(2) ? (ULONG_PTR)Sandbox + 64 : RAM_END - size;

    for (ULONG byte = 0; byte < size; byte++) {
        ((volatile UCHAR *)at)[byte] = code[byte];
    }
    __asm__ volatile("dc civac, %0\n dc civac, %1\n dsb sy" : : "r"(at), "r"(at + size - 1) : "memory");
    return (ULONG)at;
}

static VOID StartProgram(void)
{
    UCHAR code[STEPS * 6 + 1];
    ULONG size = 0, channel = Below(8);

    for (ULONG n = Below(STEPS) + 1; n; n--) {
        size += Step(code + size);
    }
    code[size++] = 0;
    Execute(0x00A00000 | channel << 24,
            Below(16) ? Put(code, size - (size > 1 && Below(4) == 0)) : DataAddress());
    if (Below(2)) {
        Execute(0x00010001 | channel << 8, 0);
    }
}

/* ---- the cache ---- */

static VOID Maintain(void)
{
    ULONG_PTR address = Below(2) ? (ULONG_PTR)Sandbox + Below(2 * 4096) - 2048
                                 : RAM_END - COHERENT_BYTES + Below(COHERENT_BYTES);
    ULONGLONG set_way = Random();

    switch (Below(6)) {
    case 0:
        __asm__ volatile("dc cvac, %0" : : "r"(address) : "memory");
        break;
    case 1:
        __asm__ volatile("dc civac, %0" : : "r"(address) : "memory");
        break;
    case 2:
        __asm__ volatile("dc zva, %0"
                         :
                         : "r"(RAM_END - COHERENT_BYTES + (address & (COHERENT_BYTES - 1)))
                         : "memory");
        break;
    case 3:
        __asm__ volatile("dc csw, %0" : : "r"(set_way) : "memory");
        break;
    case 4:
        __asm__ volatile("dc cisw, %0" : : "r"(set_way) : "memory");
        break;
    default:
        __asm__ volatile("dsb sy" : : : "memory");
    }
}

/* What the devices ask for is not served: the interrupts of the PL330's programs are not the firmware's. */
static VOID Silence(void)
{
    for (ULONG interrupt = FIRST_OWN_SPI; interrupt < FIRST_OWN_SPI + 17; interrupt++) {
        ULONG number = interrupt + 32;

        Store(DISTRIBUTOR + 0x180 + number / 32 * 4, 4, 1u << number % 32);
    }
}

/* controller: may it be used? A limit of QEMU's model of it ends a run early. */
static VOID Touch(BOOLEAN controller)
{
    switch (Below(controller ? 8 : 6)) {
    case 0:
    case 1:
        TouchIdent();
        break;
    case 2:
        TouchRegister(UART, 0x48, 1, 4);
        break;
    case 3:
    case 4:
        TouchRegister(DMAV3_STREAM_BASE, 0x10, 1, 8);
        break;
    case 5:
        Maintain();
        break;
    case 6:
        TouchRegister(DMAV3_PL330_BASE, 0x500, 4, 4);
        break;
    default:
        StartProgram();
    }
}

static NTSTATUS Fuzz(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    Silence();
    State = argument[0] * 2 + 1;
    while (Touched < argument[1]) {
        Touch(argument[2] != 0);
        Touched++;
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(fuzz, "seed count controller", Fuzz);

static NTSTATUS CleanLine(const ULONGLONG *address, struct dmav3_reply *reply)
{
    (void)reply;
    __asm__ volatile("dc cvac, %0" : : "r"(*address) : "memory");
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(clean_line, "address", CleanLine);
