/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* When a row was: its time, the order of the rows, what lies between them. */
#include "agent/store/import_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
#define YEAR_1990_MS INT64_C(631152000000)

static void first(int64_t *at, int64_t line)
{
        if (*at == 0)
                *at = line;
}

/* Wall time to UTC: the number of times it may be, those in ret_ms that the text's abbreviation leaves. */
static int candidates(const struct import_work *w, const struct logtime_text *t, int64_t ret_ms[2],
                      enum import_bad *ret_why)
{
        int n = logtime_to_utc(&w->a->zone, t->wall_ms, ret_ms);
        *ret_why = IMPORT_BAD_NONEXISTENT;
        if (n > 0 && t->abbrev[0]) {
                n = logtime_called(&w->a->zone, t->abbrev, n, ret_ms);
                *ret_why = IMPORT_BAD_ZONE;
        }
        return n;
}

/* A wrong clock of the device, not a time of this log: one such row would make it decades long. */
static bool plausible(const struct import_work *w, const struct logtime_text *t, int64_t ms)
{
        const int64_t now_ms = w->a->now_ms;
        return now_ms == 0 || (ms <= now_ms + DAY_MS && (t->epoch || ms >= YEAR_1990_MS));
}

/* The hour that happens twice, by the order of the rows: they rise until it begins anew. The same time once more is the
 * same row again, unless rows are an hour apart; and the second time lasts until a row that is in neither. */
static bool order_is_second(const struct import_stream *s, const int64_t utc[2])
{
        if (!s->any || utc[0] > s->prev_ms)
                return false;
        if (s->second)
                return true;
        return utc[0] < s->prev_ms ? utc[1] > s->prev_ms : s->step_ms == 0 || s->step_ms >= utc[1] - utc[0];
}

/* Rows that several of the map's patterns read, and differently. */
static void note_pattern(struct import_work *w, int64_t line, size_t f, const char *text, int64_t wall_ms)
{
        const struct import_map *m = w->a->map;
        struct logtime_text t;
        first(&w->rep.first.pattern[f], line);
        w->rep.pattern_rows[f]++;
        for (size_t g = f + 1; g < m->nformat; g++) {
                if (logtime_parse(m->format[g], text, &t) < 0 || t.wall_ms == wall_ms)
                        continue;
                first(&w->rep.first.several_patterns, line);
                w->rep.several_patterns++;
                break;
        }
}

bool import_time(struct import_work *w, struct import_stream *s, int64_t line, char *const *cell, char *text,
                 size_t cap, int64_t *ret_ms, enum import_bad *ret_why)
{
        const struct import_map *m = w->a->map;
        struct logtime_text t;
        int64_t utc[2];
        int len = m->ntime_column == 2 ? snprintf(text, cap, "%s %s", cell[w->time_at[0]], cell[w->time_at[1]])
                                       : snprintf(text, cap, "%s", cell[w->time_at[0]]);
        size_t f = 0;
        *ret_why = IMPORT_BAD_TIME;
        if (len < 0 || (size_t)len >= cap)
                return false;
        while (f < m->nformat && logtime_parse(m->format[f], text, &t) < 0)
                f++;
        if (f == m->nformat)
                return false;
        note_pattern(w, line, f, text, t.wall_ms);
        if (t.absolute) {
                *ret_ms = t.wall_ms;
                *ret_why = IMPORT_BAD_CLOCK;
                return plausible(w, &t, *ret_ms);
        }
        int n = candidates(w, &t, utc, ret_why);
        if (n == 0)
                return false;
        bool second = false;
        if (n == 2) {
                w->rep.ambiguous_hours++;
                first(&w->rep.first.ambiguous, line);
                *ret_why = IMPORT_BAD_AMBIGUOUS;
                if (m->ambiguous == AMBIGUOUS_REJECT)
                        return false;
                second =
                    m->ambiguous == AMBIGUOUS_SECOND || (m->ambiguous == AMBIGUOUS_ORDER && order_is_second(s, utc));
        }
        s->second = second;
        *ret_ms = utc[second];
        *ret_why = IMPORT_BAD_CLOCK;
        return plausible(w, &t, *ret_ms);
}

static int64_t eighth_of_octave(int64_t ms)
{
        int shift = 0;
        while ((ms >> shift) >= 16)
                shift++;
        return (ms >> shift) << shift;
}

/* Where an interval of this length is counted, or would be. */
static struct import_interval *slot_of(struct import_work *w, int64_t ms)
{
        size_t at = (size_t)((uint64_t)ms * 0x9e3779b97f4a7c15u >> 51) % IMPORT_INTERVAL_SLOTS;
        while (w->interval[at].n > 0 && w->interval[at].ms != ms)
                at = (at + 1) % IMPORT_INTERVAL_SLOTS;
        return &w->interval[at];
}

void import_restore_interval(struct import_work *w, const struct import_interval *v)
{
        struct import_interval *to = slot_of(w, v->ms);
        w->ninterval += to->n == 0;
        *to = *v;
}

static void note_interval(struct import_work *w, int64_t ms, int64_t line)
{
        struct import_interval *to = slot_of(w, ms);
        if (to->n == 0 && w->ninterval >= IMPORT_INTERVAL_EXACT) {
                ms = eighth_of_octave(ms);
                to = slot_of(w, ms);
        }
        if (to->n == 0) {
                w->ninterval++;
                *to = (struct import_interval){.ms = ms, .line = line};
        }
        to->n++;
}

bool import_note_time(struct import_work *w, struct import_stream *s, int64_t line, int64_t t_ms)
{
        struct import_report *rep = &w->rep;
        bool late = s->any && t_ms < s->newest_ms;
        if (s->any && t_ms > s->newest_ms) {
                s->step_ms = t_ms - s->newest_ms;
                note_interval(w, s->step_ms, line);
        }
        if (s->any && t_ms < s->prev_ms) {
                rep->steps_back++;
                first(&rep->first.step_back, line);
        }
        bool any = w->nrow > 0 || rep->ok + rep->duplicates > 0; /* this row is not in the batch yet */
        if (!any || t_ms < rep->first_t_ms)
                rep->first_t_ms = t_ms;
        if (!any || t_ms > rep->last_t_ms)
                rep->last_t_ms = t_ms;
        if (!s->any || t_ms > s->newest_ms)
                s->newest_ms = t_ms;
        s->prev_ms = t_ms;
        s->any = true;
        return late;
}

static int by_ms(const void *a, const void *b)
{
        const struct import_interval *x = a, *y = b;
        return (x->ms > y->ms) - (x->ms < y->ms);
}

void import_finish_clock(struct import_work *w)
{
        int64_t total = 0, seen = 0;
        qsort(w->interval, IMPORT_INTERVAL_SLOTS, sizeof w->interval[0], by_ms);
        for (size_t i = 0; i < IMPORT_INTERVAL_SLOTS; i++)
                total += w->interval[i].n;
        for (size_t i = 0; i < IMPORT_INTERVAL_SLOTS && total > 0; i++) {
                seen += w->interval[i].n;
                if (2 * seen >= total) {
                        w->rep.median_interval_ms = w->interval[i].ms;
                        break;
                }
        }
        int64_t limit = w->a->map->gap_ms > 0 ? w->a->map->gap_ms : 10 * w->rep.median_interval_ms;
        for (size_t i = 0; i < IMPORT_INTERVAL_SLOTS; i++) {
                if (w->interval[i].n == 0 || w->interval[i].ms <= limit)
                        continue;
                w->rep.gaps += w->interval[i].n;
                if (w->rep.first.gap == 0 || w->interval[i].line < w->rep.first.gap)
                        w->rep.first.gap = w->interval[i].line;
        }
}
