/* SPDX-License-Identifier: Apache-2.0 */
/* Reset, AArch64, EL1. The linker script (shim.ld) places the exception vectors, hal/a64_vectors.S. */

/*
 * void _start(void)
 * in: MMU and caches off, interrupts masked, EL1 (where the extension enters images). The loader zeroes
 *     .bss; clearing it here would add 1/7 to a reset.
 * out: main() on its stack, which is SP_EL0, because an exception then finds its own in SP_EL1, whatever is left
 *      of the other; VBAR_EL1 set. Does not return.
 */
    .section .text.boot, "ax"
    .global _start
_start:
    adrp x0, __exception_stack_end
    add x0, x0, :lo12:__exception_stack_end
    mov sp, x0
    msr spsel, #0
    adrp x0, __stack_end
    add x0, x0, :lo12:__stack_end
    mov sp, x0
    adrp x0, __vectors
    add x0, x0, :lo12:__vectors
    msr vbar_el1, x0
    isb
    mov x29, xzr
    mov x30, xzr
    bl main
1:  wfi
    b 1b
