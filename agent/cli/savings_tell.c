/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane savings: from days to what is told of them, or why it cannot be; also for others than the verb. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/cli/savings_report.h"

int savrep_load_days(const struct savrep_work *w, struct store *s, const struct savrep_span *within, struct daily **ret)
{
        const struct daily_args a = {.site = w->site,
                                     .from_ms = within->from_ms,
                                     .to_ms = within->to_ms,
                                     .offset_ms = w->o->offset_ms,
                                     .skip_ms = w->o->skip_ms};
        int r = store_bind_site(s, w->site);

        return r < 0 ? r : daily_load(s, &a, ret);
}

/* Everything that is inside the boundary has to be metered. */
static void check_meters(struct savrep_work *w)
{
        const char *unmetered = daily_unmetered(w->site);

        if (unmetered == NULL)
                return;
        savrep_refuse(w, "not-metered", "");
        (void)snprintf(w->s.why, sizeof(w->s.why),
                       "%s has no power meter: the boundary is chillers, pumps, towers, air handler fans and racks, "
                       "and a saving outside of what is metered cannot be excluded",
                       unmetered);
}

int savrep_tell(struct savrep_work *w)
{
        int r = savrep_make_periods(w);

        memcpy(w->s.stray[0], w->days->stray, sizeof w->s.stray[0]);
        if (w->before != w->days)
                memcpy(w->s.stray[1], w->before->stray, sizeof w->s.stray[1]);
        if (r == 0)
                check_meters(w);
        if (r == 0 && !w->s.refusal[0])
                r = savrep_check_control(w);
        if (r == 0 && !w->s.refusal[0])
                r = savrep_estimate(w);
        return r;
}

/* Of what was asked for, not the day around it. */
static struct savrep_span asked(const struct savrep_options *o)
{
        struct savrep_span s = o->by_time ? o->before : o->has_after ? o->after : o->within;

        if (o->by_time && o->has_after) {
                s.from_ms = o->after.from_ms < s.from_ms ? o->after.from_ms : s.from_ms;
                s.to_ms = o->after.to_ms > s.to_ms ? o->after.to_ms : s.to_ms;
        } else if (o->by_time) {
                s.to_ms = INT64_MAX;
        }
        return s;
}

int savrep_no_samples(struct savrep_work *w)
{
        const bool other = w->days != NULL && w->other != NULL; /* its days are all there are */
        const char *db = other ? w->o->baseline : w->o->db;
        struct savrep_span s = asked(w->o);
        struct store_counts c;
        char from[32] = "", to[32] = "", first[32], last[32];
        int r = store_counts(other ? w->other : w->store, &c);

        if (r < 0)
                return r;
        for (int arm = 0; arm < 2; arm++)
                w->s.period[arm].ppue = w->s.period[arm].over_k_min = (double)NAN;
        savrep_refuse(w, "no-samples", "");
        w->s.load = w->s.load ? w->s.load : "it";
        if (c.samples == 0 || other || (s.from_ms == INT64_MIN && s.to_ms == INT64_MAX)) {
                (void)snprintf(w->s.why, sizeof w->s.why, "%s holds no samples", db);
                return 0;
        }
        if (s.from_ms != INT64_MIN)
                (void)clk_format(s.from_ms, from);
        if (s.to_ms != INT64_MAX)
                (void)clk_format(s.to_ms, to);
        (void)snprintf(w->s.why, sizeof w->s.why, "%s holds no samples %s %s%s%s: its log is from %s to %s", db,
                       from[0] && to[0] ? "between"
                       : from[0]        ? "from"
                                        : "before",
                       from, from[0] && to[0] ? " and " : "", from[0] && !to[0] ? " on" : to,
                       clk_format(c.first_t_ms, first), clk_format(c.last_t_ms, last));
        return 0;
}

int savrep_shadow(struct savrep_work *w, const struct savrep_options *o, const struct site *site, struct store *s)
{
        int r;

        *w = (struct savrep_work){.o = o, .site = site, .store = s, .load_point = -1};
        w->s = (struct savrep_story){.site = site->name, .db = o->db, .baseline = o->baseline, .load = "it"};
        r = savrep_load_days(w, s, &o->within, &w->days);
        w->before = w->days;
        if (r == 0)
                r = savrep_tell(w);
        if (r == -ENODATA)
                r = savrep_no_samples(w);
        return r;
}

void savrep_free(struct savrep_work *w)
{
        for (int arm = 0; arm < 2; arm++)
                free(w->s.period[arm].day);
        free(w->schedule);
        if (w->before != w->days)
                (void)daily_free(w->before);
        (void)daily_free(w->days);
        *w = (struct savrep_work){0};
}
