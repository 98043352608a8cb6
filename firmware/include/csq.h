/* SPDX-License-Identifier: Apache-2.0 */
/* Cancel-safe queues, which wdm.h has as well. */
#ifndef CSQ_H
#define CSQ_H

#include <wdm.h>

#endif
