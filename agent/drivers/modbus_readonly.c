/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* In the place of modbus_write.c in a program that can write to no device (COOLPLANE_NO_WRITE): there is no job, so
 * nothing is ever sent. */
#include <errno.h>

#include "agent/drivers/modbus_private.h"

bool modbus_can_write(void)
{
        return false;
}

int mb_write_init(struct modbus_driver *drv)
{
        (void)drv;
        return -EPERM;
}

void mb_write_fini(struct modbus_driver *drv)
{
        (void)drv;
}

struct mb_job *mb_write_ready(struct mb_conn *c)
{
        (void)c;
        return NULL;
}

void mb_write_send(struct mb_job *j)
{
        (void)j;
}

void mb_write_reply(struct mb_job *j, const struct mblink_reply *reply)
{
        (void)j;
        (void)reply;
}

int mb_write(void *driver, const struct write_request *req)
{
        (void)driver;
        (void)req;
        return -EPERM;
}
