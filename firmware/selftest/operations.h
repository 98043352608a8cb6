/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations under test, one instruction each and a DSB behind it. `operand`: the address of a line,
 * or for the last three its set, way and level as the Arm ARM has them (C5.3, DC CSW).
 */
#ifndef SELFTEST_OPERATIONS_H
#define SELFTEST_OPERATIONS_H

#include <stdint.h>

void operation_dsb(uintptr_t operand);
void operation_ivac(uintptr_t operand);
void operation_cvac(uintptr_t operand);
void operation_civac(uintptr_t operand);
void operation_cvau(uintptr_t operand);
void operation_zva(uintptr_t operand);
void operation_isw(uintptr_t operand);
void operation_csw(uintptr_t operand);
void operation_cisw(uintptr_t operand);

#endif
