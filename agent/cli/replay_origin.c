/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/replay_origin.h"

#include <errno.h>

#include "models/num/bytes.h"

#define NAME "replay"
enum { VERSION = 1, WHAT_IF = 1, ENDED = 2, BYTES = 2 + 4 * 8 };

int replay_origin_put(struct store *s, const struct replay_origin *o)
{
        uint8_t blob[BYTES], *p = blob;

        p = bytes_put(p, VERSION, 1);
        p = bytes_put(p, (o->what_if ? WHAT_IF : 0u) | (o->ended ? ENDED : 0u), 1);
        p = bytes_put(p, (uint64_t)o->log.from_ms, 8);
        p = bytes_put(p, (uint64_t)o->log.to_ms, 8);
        p = bytes_put(p, o->log.samples, 8);
        (void)bytes_put(p, o->log.sum, 8);
        return store_put_state(s, NAME, o->log.from_ms, blob, sizeof blob);
}

/* Replays, and those without an end. */
static int on_runs(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct replay_origin *o = ctx;

        (void)n;
        (void)name;
        o->replay = text[0] && text[0][0] == '1';
        o->ended = text[1] && text[1][0] == '1';
        return 0;
}

int replay_origin_get(struct store *s, struct replay_origin *ret)
{
        struct replay_origin o = {.replay = false};
        uint8_t blob[BYTES];
        uint64_t flags;
        int64_t t_ms;
        size_t len;
        int r = store_query_rows(s, "SELECT count(*) > 0, count(*) = count(end_t_ms) FROM run WHERE mode = 'replay'",
                                 NULL, 0, on_runs, &o);

        if (r < 0)
                return r;
        r = store_get_state(s, NAME, &t_ms, blob, sizeof blob, &len);
        if (r == 0 && len == BYTES && bytes_get(blob, 1) == VERSION) {
                flags = bytes_get(blob + 1, 1);
                o.replay = o.logged = true;
                o.what_if = flags & WHAT_IF;
                o.ended = o.ended && (flags & ENDED); /* one that failed has an end of its run, too */
                o.log = (struct log_print){.from_ms = (int64_t)bytes_get(blob + 2, 8),
                                           .to_ms = (int64_t)bytes_get(blob + 10, 8),
                                           .samples = bytes_get(blob + 18, 8),
                                           .sum = bytes_get(blob + 26, 8)};
        } else if (r < 0 && r != -ENOENT && r != -ENOBUFS) {
                return r;
        }
        *ret = o;
        return 0;
}
