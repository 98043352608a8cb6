/* SPDX-License-Identifier: Apache-2.0 */
#include "pl330/settings.h"

struct pl330_settings pl330_settings_of_owner(DMA_WIDTH width)
{
    return (struct pl330_settings){.width = width, .beats = 1};
}

static bool set_owner(struct pl330_settings *settings, ULONG width)
{
    *settings = pl330_settings_of_owner((DMA_WIDTH)width);
    return true;
}

static bool set_burst_beats(struct pl330_settings *settings, ULONG beats)
{
    if (beats < 1 || beats > PL330_BEATS_MAX) {
        return false;
    }
    settings->beats = beats;
    return true;
}

static bool set_notice_bytes(struct pl330_settings *settings, ULONG bytes)
{
    ULONG width = settings->width == WidthNoWrap ? 1 : 1U << settings->width;

    if (bytes % (settings->beats * width) != 0) {
        return false;
    }
    settings->notice_bytes = bytes;
    return true;
}

static bool set_request_policy(struct pl330_settings *settings, ULONG policy)
{
    static const enum pl330_request requests[] = {
        [PL330_POLICY_SINGLE] = PL330_SINGLE,
        [PL330_POLICY_BURST] = PL330_BURST,
        [PL330_POLICY_PERIPHERAL] = PL330_PERIPHERAL,
    };

    if (policy >= sizeof requests / sizeof requests[0]) {
        return false;
    }
    settings->has_request = true;
    settings->request = requests[policy];
    return true;
}

static bool inject_fault(struct pl330_settings *settings, ULONG ending)
{
    if (ending > PL330_ENDS_LOCKED_UP) {
        return false;
    }
    settings->ending = (enum pl330_ending)ending;
    return true;
}

static const struct row {
    enum pl330_function number;
    bool (*set)(struct pl330_settings *settings, ULONG value);
} rows[] = {
    {DMA_CONFIGURE_NEW_OWNER, set_owner}, /* only the layer calls it */
    {PL330_SET_BURST_BEATS, set_burst_beats},       {PL330_SET_NOTICE_BYTES, set_notice_bytes},
    {PL330_SET_REQUEST_POLICY, set_request_policy}, {PL330_INJECT_FAULT, inject_fault},
};

static const struct row *find(ULONG function)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((ULONG)rows[i].number == function) {
            return &rows[i];
        }
    }
    return NULL;
}

bool pl330_settings_know(ULONG function)
{
    return find(function) != NULL;
}

bool pl330_settings_change(struct pl330_settings *settings, ULONG function, ULONG value)
{
    return find(function)->set(settings, value);
}

enum pl330_request pl330_settings_request(const struct pl330_settings *settings)
{
    if (settings->has_request) {
        return settings->request;
    }
    return settings->beats > 1 ? PL330_BURST : PL330_SINGLE;
}
