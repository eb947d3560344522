/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* LD_PRELOAD: the wall clock shifted by the seconds in the file $STEP_CLOCK, read at each call. */
#define _GNU_SOURCE /* syscall */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
        char text[32] = "";
        int r = (int)syscall(SYS_clock_gettime, id, ts);
        const char *path = getenv("STEP_CLOCK");

        if (r < 0 || id != CLOCK_REALTIME || !path)
                return r;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return r;
        ssize_t n = read(fd, text, sizeof(text) - 1);
        (void)close(fd);
        if (n > 0)
                ts->tv_sec += strtol(text, NULL, 10);
        return r;
}
