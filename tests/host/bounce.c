/* SPDX-License-Identifier: Apache-2.0 */
/* Between the layer and its copies (the linker's --wrap): each enters the log. */
#include "machine.h"

#include "layer/bounce.h"

void __wrap_bounce_copy_to_device(const struct plan_fragment *fragment, uint32_t first);
void __real_bounce_copy_to_device(const struct plan_fragment *fragment, uint32_t first);
void __wrap_bounce_copy_from_device(const struct plan_fragment *fragment, uint32_t first, uint32_t length);
void __real_bounce_copy_from_device(const struct plan_fragment *fragment, uint32_t first, uint32_t length);

static void record(uint32_t kind, const struct plan_fragment *fragment, uint32_t first, uint32_t length)
{
    log_record(kind, 0,
               (const uint64_t[5]){fragment->virtual_address, length, bounce_logical(fragment, first)});
}

void __wrap_bounce_copy_to_device(const struct plan_fragment *fragment, uint32_t first)
{
    record(LOG_COPY_TO_DEVICE, fragment, first, fragment->length);
    __real_bounce_copy_to_device(fragment, first);
}

void __wrap_bounce_copy_from_device(const struct plan_fragment *fragment, uint32_t first, uint32_t length)
{
    record(LOG_COPY_FROM_DEVICE, fragment, first, length);
    __real_bounce_copy_from_device(fragment, first, length);
}
