/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/notify.h"

#include <systemd/sd-daemon.h>

void notify_ready(const char *status)
{
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
