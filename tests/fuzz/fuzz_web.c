/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the console takes from outside: the Host header, the numbers of a query, and the gate's status document.
 * Oracles: an allowed host is one of the names written out below with at most a port behind, a number is in its range,
 * and what is kept of a document is bounded text and prints to JSON that reads back the same.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "agent/web/gatedoc.h"
#include "agent/web/request.h"
#include "tests/fuzz/fuzz.h"

static void hosts(const char *s)
{
        static const char *const names[] = {"coolplane.example"};
        static const struct host_policy local = {.bind = "127.0.0.1"},
                                        named = {.bind = "10.1.2.3", .names = names, .nname = 1};
        size_t n = strcspn(s, ":");
        if (request_host_allowed(&named, s)) {
                bool v6 = strncmp(s, "[::ffff:", 8) == 0;
                MUST(v6 || (n == 9 && strncasecmp(s, "localhost", n) == 0) ||
                     (n == 8 && strncmp(s, "10.1.2.3", n) == 0) || (n == 17 && strncasecmp(s, names[0], n) == 0));
                MUST(v6 || s[n] == '\0' ||
                     (strlen(s + n) <= 6 && strspn(s + n + 1, "0123456789") == strlen(s + n + 1)));
        }
        if (request_host_allowed(&local, s))
                MUST(s[0] == '[' || strncmp(s, "127.", 4) == 0 || strncasecmp(s, "localhost", 9) == 0);
}

static void integers(const char *s)
{
        int64_t v = -77;
        if (request_int(s, 5, 1, 1000, &v) < 0)
                MUST(v == -77);
        else
                MUST(v >= 1 && v <= 1000 && v == strtoll(s, NULL, 10));
}

static void document(const uint8_t *data, size_t size)
{
        struct gatedoc d = {0}, again = {0};
        char *text = (char *)fuzz_copy(data, size);
        MUST(gatedoc_parse(text, size, &d) == 0);
        free(text);
        MUST(d.link == GATE_GARBLED || d.link == GATE_RUNNING);
        MUST((d.link == GATE_RUNNING) == (d.json != NULL));
        MUST(strnlen(d.mode, sizeof d.mode) < sizeof d.mode);
        for (size_t i = 0; i < d.ndevice; i++) {
                MUST(strnlen(d.device[i].name, 64) < 64 && strnlen(d.device[i].state, 16) < 16);
                MUST(d.device[i].nerror <= GATE_ERRORS_MAX);
        }
        if (d.json) {
                MUST(!isinf(d.max_inlet_c) && !isinf(d.margin_k) && !isinf(d.last_commit_s));
                MUST(gatedoc_parse(d.json, strlen(d.json), &again) == 0 && again.link == GATE_RUNNING);
                MUST(again.step == d.step && again.ndevice == d.ndevice && strcmp(again.mode, d.mode) == 0);
        }
        gatedoc_clear(&again);
        gatedoc_clear(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *s = fuzz_text(data, size);
        hosts(s);
        integers(s);
        free(s);
        document(data, size);
        return 0;
}
