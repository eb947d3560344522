/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

void notify_ready(const char *status, int64_t cycle_ms)
{
        uint64_t limit_us = 0, least_us = 3 * 1000 * (uint64_t)cycle_ms;

        if (sd_watchdog_enabled(0, &limit_us) > 0 && limit_us < least_us) /* a slower site than the unit thought of */
                (void)sd_notifyf(0, "WATCHDOG_USEC=%" PRIu64, least_us);
        (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status)
{
        (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_watchdog(void)
{
        (void)sd_notify(0, "WATCHDOG=1");
}

void notify_stopping(void)
{
        (void)sd_notify(0, "STOPPING=1");
}
