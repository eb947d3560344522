/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "agent/base/parse.h"

/* Splits "name", "name:port" and "[v6]:port"; false when it is none of these. */
static bool split_host(const char *host, char *ret_name, size_t cap, bool *ret_bracket)
{
        const char *start = host, *end, *port;

        if (host[0] == '[') {
                start = host + 1;
                end = strchr(start, ']');
                if (!end)
                        return false;
                port = end + 1;
        } else {
                end = host + strcspn(host, ":");
                port = end;
        }
        if (*port == ':') {
                size_t digits = strspn(port + 1, "0123456789");
                if (digits < 1 || digits > 5 || port[1 + digits] != '\0')
                        return false;
        } else if (*port != '\0') {
                return false;
        }
        size_t n = (size_t)(end - start);
        if (n == 0 || n >= cap)
                return false;
        memcpy(ret_name, start, n);
        ret_name[n] = '\0';
        *ret_bracket = host[0] == '[';
        return true;
}

static bool literal(const char *name, bool bracket)
{
        struct in_addr v4;
        struct in6_addr v6;

        return bracket ? inet_pton(AF_INET6, name, &v6) == 1 : inet_pton(AF_INET, name, &v4) == 1;
}

bool request_is_loopback(const char *address)
{
        return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 || strcasecmp(address, "localhost") == 0;
}

bool request_host_allowed(const struct host_policy *p, const char *host)
{
        char name[256];
        bool bracket;

        if (!host || !split_host(host, name, sizeof name, &bracket))
                return false;
        if (bracket && !literal(name, true))
                return false;
        if (strcasecmp(name, "localhost") == 0 || strcasecmp(name, p->bind) == 0)
                return true;
        if (literal(name, bracket) && request_is_loopback(name) && request_is_loopback(p->bind))
                return true;
        if ((strcmp(p->bind, "0.0.0.0") == 0 || strcmp(p->bind, "::") == 0) && literal(name, bracket))
                return true;
        for (size_t i = 0; i < p->nname; i++)
                if (strcasecmp(name, p->names[i]) == 0)
                        return true;
        return false;
}

int request_int(const char *value, int64_t def, int64_t lo, int64_t hi, int64_t *ret)
{
        int64_t v;

        if (!value) {
                *ret = def;
                return 0;
        }
        if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value) || parse_int64(value, lo, hi, &v) < 0)
                return -EINVAL;
        *ret = v;
        return 0;
}
