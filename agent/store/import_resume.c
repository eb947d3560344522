/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What an interrupted import had done. With each batch, in its transaction: the line, a hash of the header and all rows
 * until there, the report, the clocks. The next import of the file reads those rows without storing them, compares the
 * hash, and goes on; if anything differs it begins anew, and what is in the database already is a duplicate.
 */
#include "agent/store/import_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/fnv.h"

/* Bytes of this build on this machine: another build or layout has another size or version and begins anew. */
struct import_saved {
        uint64_t version, size;
        int64_t line, sequence;
        uint64_t rows_hash;
        size_t ncell, npoint, ninterval;
        struct import_report rep;
        int64_t number[]; /* npoint streams, then ninterval intervals */
};

#define SAVED_VERSION UINT64_C(0x696d706f72740004)
#define STREAM_NUMBERS 8
#define INTERVAL_NUMBERS 3

static size_t saved_size(size_t npoint, size_t ninterval)
{
        return sizeof(struct import_saved) + (npoint * STREAM_NUMBERS + ninterval * INTERVAL_NUMBERS) * sizeof(int64_t);
}

/* The same file read in the same way into the same points. */
static int name_state(struct import_work *w)
{
        uint64_t h = FNV_START;
        char *real = realpath(w->path, NULL);
        if (!real)
                return errno == ENOMEM ? -ENOMEM : -EIO;
        h = fnv_add(h, real, strlen(real));
        free(real);
        h = fnv_add(h, &w->a->map->hash, sizeof w->a->map->hash);
        h = fnv_add(h, w->a->zone.name, strlen(w->a->zone.name));
        h = fnv_add(h, w->a->site->hash, sizeof w->a->site->hash);
        snprintf(w->resume.state, sizeof w->resume.state, "import/%016" PRIx64, h);
        return 0;
}

int import_resume_find(struct import_work *w)
{
        struct import_resume *r = &w->resume;
        size_t cap = saved_size(w->a->site->npoint, IMPORT_INTERVAL_SLOTS), n = 0;
        if (!r->possible)
                return 0;
        int e = name_state(w);
        if (e < 0) {
                r->possible = false;
                return e == -ENOMEM ? e : 0;
        }
        r->saved = malloc(cap);
        if (!r->saved)
                return -ENOMEM;
        e = store_get_state(w->a->store, r->state, NULL, r->saved, cap, &n);
        r->stored = e == 0 && n > 0;
        if (e == -ENOENT || e == -ENOBUFS || (e == 0 && n < sizeof *r->saved))
                return 0;
        const struct import_saved *s = r->saved;
        if (e == 0 && s->version == SAVED_VERSION && s->size == n && s->npoint == w->a->site->npoint &&
            s->ninterval <= IMPORT_INTERVAL_SLOTS && n == saved_size(s->npoint, s->ninterval))
                r->skip_line = s->line;
        return e;
}

bool import_resume_same(const struct import_work *w)
{
        const struct import_saved *s = w->resume.saved;
        return w->line == s->line && w->rows_hash == s->rows_hash && w->ncell == s->ncell;
}

void import_resume_take(struct import_work *w)
{
        const struct import_saved *s = w->resume.saved;
        const int64_t *v = s->number;
        w->rep = s->rep;
        w->rep.resumed_rows = s->rep.rows;
        w->sequence = s->sequence;
        for (size_t i = 0; i < s->npoint; i++, v += STREAM_NUMBERS)
                w->stream[i] = (struct import_stream){.newest_ms = v[0],
                                                      .prev_ms = v[1],
                                                      .any = v[2] != 0,
                                                      .step_ms = v[3],
                                                      .second = v[4] != 0,
                                                      .read = v[5],
                                                      .unreadable = v[6],
                                                      .unreadable_line = v[7]};
        for (size_t i = 0; i < s->ninterval; i++, v += INTERVAL_NUMBERS)
                import_restore_interval(w, &(struct import_interval){.ms = v[0], .n = v[1], .line = v[2]});
}

static struct import_saved *save(const struct import_work *w, const struct import_report *rep, size_t *ret_size)
{
        size_t npoint = w->a->site->npoint, ninterval = 0;
        for (size_t i = 0; i < IMPORT_INTERVAL_SLOTS; i++)
                ninterval += w->interval[i].n > 0;
        size_t size = saved_size(npoint, ninterval);
        struct import_saved *s = calloc(1, size);
        if (!s)
                return NULL;
        s->version = SAVED_VERSION;
        s->size = size;
        s->line = w->line;
        s->sequence = w->sequence;
        s->rows_hash = w->rows_hash;
        s->ncell = w->ncell;
        s->npoint = npoint;
        s->ninterval = ninterval;
        s->rep = *rep;
        int64_t *v = s->number;
        for (size_t i = 0; i < npoint; i++, v += STREAM_NUMBERS) {
                v[0] = w->stream[i].newest_ms;
                v[1] = w->stream[i].prev_ms;
                v[2] = w->stream[i].any;
                v[3] = w->stream[i].step_ms;
                v[4] = w->stream[i].second;
                v[5] = w->stream[i].read;
                v[6] = w->stream[i].unreadable;
                v[7] = w->stream[i].unreadable_line;
        }
        for (size_t i = 0; i < IMPORT_INTERVAL_SLOTS; i++) {
                if (w->interval[i].n == 0)
                        continue;
                v[0] = w->interval[i].ms;
                v[1] = w->interval[i].n;
                v[2] = w->interval[i].line;
                v += INTERVAL_NUMBERS;
        }
        *ret_size = size;
        return s;
}

int import_resume_put(struct import_work *w, const struct import_report *rep, bool finished)
{
        struct import_resume *r = &w->resume;
        if (!r->possible || (finished && !r->stored))
                return 0;
        if (finished)
                return store_put_state(w->a->store, r->state, rep->last_t_ms, NULL, 0);
        size_t size = 0;
        struct import_saved *s = save(w, rep, &size);
        if (!s)
                return -ENOMEM;
        int e = store_put_state(w->a->store, r->state, rep->last_t_ms, s, size);
        free(s);
        r->stored = r->stored || e == 0;
        return e;
}

void import_resume_free(struct import_work *w)
{
        free(w->resume.saved);
        w->resume.saved = NULL;
}
