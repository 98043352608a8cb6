/* SPDX-License-Identifier: Apache-2.0 */
/* As operations.h says. */

    .macro operation name, instruction:vararg
    .section .text.operation_\name, "ax"
    .global operation_\name
    .type operation_\name, %function
operation_\name:
    \instruction
    dsb sy
    ret
    .endm

    operation dsb, nop
    operation ivac, dc ivac, x0
    operation cvac, dc cvac, x0
    operation civac, dc civac, x0
    operation cvau, dc cvau, x0
    operation zva, dc zva, x0
    operation isw, dc isw, x0
    operation csw, dc csw, x0
    operation cisw, dc cisw, x0
