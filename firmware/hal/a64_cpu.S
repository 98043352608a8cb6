/* SPDX-License-Identifier: Apache-2.0 */
/* What C cannot say, AArch64. Leaf functions of the AAPCS64; clobbers are said where they go beyond
 * the arguments' registers. */

    .macro function name
    .section .text.\name, "ax"
    .global \name
    .type \name, %function
\name:
    .endm

/* size_t cache_line_size(void): 4 << CTR_EL0.DminLine. Clobbers x1. */
    function cache_line_size
    mrs x1, ctr_el0
    ubfx x1, x1, #16, #4
    mov x0, #4
    lsl x0, x0, x1
    ret

/* unsigned int cache_coherency_level(void): CLIDR_EL1.LoC. */
    function cache_coherency_level
    mrs x0, clidr_el1
    ubfx x0, x0, #24, #3
    ret

/* uint32_t cache_size_id(unsigned int level): CCSIDR_EL1, selected by CSSELR_EL1. */
    function cache_size_id
    sub w0, w0, #1
    lsl w0, w0, #1
    msr csselr_el1, x0
    isb
    mrs x0, ccsidr_el1
    ret

/*
 * void NAME(uintptr_t address, size_t size): the operation on each line of [address, address + size).
 * in: x0 address, x1 size. clobbers: x2, x3. No barrier.
 */
    .macro maintenance name, operation
    function \name
    cbz x1, 2f
    mrs x3, ctr_el0
    ubfx x3, x3, #16, #4
    mov x2, #4
    lsl x2, x2, x3
    add x1, x0, x1
    sub x3, x2, #1
    bic x0, x0, x3
1:  dc \operation, x0
    add x0, x0, x2
    cmp x0, x1
    b.lo 1b
2:  ret
    .endm

    maintenance cache_clean, cvac
    maintenance cache_invalidate, ivac
    maintenance cache_clean_invalidate, civac

/* void barrier_sync(void) */
    function barrier_sync
    dsb sy
    ret

/* uint64_t irq_save(void): the former PSTATE.DAIF. */
    function irq_save
    mrs x0, daif
    msr daifset, #2
    ret

/* void irq_restore(uint64_t state) */
    function irq_restore
    msr daif, x0
    ret

/* void irq_enable(void) */
    function irq_enable
    msr daifclr, #2
    isb
    ret

/* void cpu_sleep(void): until an interrupt is pending, masked or not. */
    function cpu_sleep
    dsb sy
    wfi
    ret

/* uint64_t cpu_translate(uintptr_t address): PAR_EL1 of a read at EL1; bit 0 set: not mapped. */
    function cpu_translate
    at s1e1r, x0
    isb
    mrs x0, par_el1
    ret

/*
 * void cpu_enable_translation(uint64_t tables, uint64_t attributes, uint64_t control)
 * in: TTBR0_EL1, MAIR_EL1, TCR_EL1. out: MMU, data and instruction cache on. clobbers: x3, x4.
 */
    function cpu_enable_translation
    msr ttbr0_el1, x0
    msr mair_el1, x1
    msr tcr_el1, x2
    isb
    tlbi vmalle1
    dsb sy
    isb
    mrs x3, sctlr_el1
    mov x4, #0x1005 /* I, C, M */
    orr x3, x3, x4
    msr sctlr_el1, x3
    isb
    ret

/* bool cpu_is_caching(void): C and M of SCTLR_EL1. clobbers: x1. */
    function cpu_is_caching
    mrs x0, sctlr_el1
    mov x1, #0x5
    bics xzr, x1, x0
    cset w0, eq
    ret

/* void exception_registers(uint64_t values[3]): ESR_EL1, FAR_EL1, SP_EL0. clobbers: x1, x2, x3. */
    function exception_registers
    mrs x1, esr_el1
    mrs x2, far_el1
    mrs x3, sp_el0
    stp x1, x2, [x0]
    str x3, [x0, #16]
    ret

/* bool irq_is_pending(void): ISR_EL1.I. */
    function irq_is_pending
    mrs x0, isr_el1
    ubfx x0, x0, #7, #1
    ret

/* bool irq_is_masked(uint64_t state): what irq_save() returned. */
    function irq_is_masked
    ubfx x0, x0, #7, #1
    ret

/* void *cpu_new_stack(void *top, void (*entry)(void)): a frame of cpu_switch() that returns to `entry`. */
    function cpu_new_stack
    sub x0, x0, #96
    stp xzr, x1, [x0, #80]
    ret

/*
 * void cpu_switch(void **from, void *to)
 * The frame: x19 to x28, x29, x30, which is what a function must keep. No floating point: nothing here has any.
 */
    function cpu_switch
    sub sp, sp, #96
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    add sp, sp, #96
    ret
