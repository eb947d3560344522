/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The parts of a request that are decided on: its Host and its numbers. Pure. */
#ifndef COOLPLANE_WEB_REQUEST_H
#define COOLPLANE_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_policy {
        const char *bind;         /* address the console listens on */
        const char *const *names; /* further names it is known by */
        size_t nname;
};

/* DNS rebinding makes a browser ask this server under the attacker's name, so only names we are known by pass: the
 * bound address, localhost, the configured names, and, when bound to every address, any literal address (a literal is
 * nobody's name). A port may follow and is not compared: the console may be behind a port forward. */
bool request_host_allowed(const struct host_policy *p, const char *host);

/* A number of the query: `value` NULL = absent = def. -EINVAL when it is not a decimal within lo..hi. */
int request_int(const char *value, int64_t def, int64_t lo, int64_t hi, int64_t *ret);

/* True for the addresses that mean "this machine only". */
bool request_is_loopback(const char *address);

#endif
