/* SPDX-License-Identifier: Apache-2.0 */
/* Exception vectors, AArch64, EL1. */

/*
 * One entry of the table: save what C may clobber, then call `handler(kind, frame)`.
 * The frame: x0 to x30, ELR_EL1, SPSR_EL1 (struct exception_frame in hal/exception.h). An interrupt goes on with
 * the stack of what it interrupted, all others with that of SP_EL1, since they may be for want of stack.
 */
    .macro entry kind, handler
    .balign 128
    .ifc \handler, irq_dispatch
    msr spsel, #0
    .endif
    sub sp, sp, #272
    stp x0, x1, [sp]
    mov x0, #\kind
    b save_and_\handler
    .endm

    .macro save handler
save_and_\handler:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    stp x30, x2, [sp, #240]
    str x3, [sp, #256]
    mov x1, sp
    bl \handler
    .endm

    .section .vectors, "ax"
    .balign 2048
    entry 0, exception_fatal
    entry 1, irq_dispatch
    entry 2, exception_fatal
    entry 3, exception_fatal
    entry 4, exception_fatal
    entry 5, exception_fatal
    entry 6, exception_fatal
    entry 7, exception_fatal
    entry 8, exception_fatal
    entry 9, exception_fatal
    entry 10, exception_fatal
    entry 11, exception_fatal
    entry 12, exception_fatal
    entry 13, exception_fatal
    entry 14, exception_fatal
    entry 15, exception_fatal

    save exception_fatal

    save irq_dispatch
    ldr x3, [sp, #256]
    ldp x30, x2, [sp, #240]
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x28, x29, [sp, #224]
    ldp x26, x27, [sp, #208]
    ldp x24, x25, [sp, #192]
    ldp x22, x23, [sp, #176]
    ldp x20, x21, [sp, #160]
    ldp x18, x19, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp]
    add sp, sp, #272
    eret
