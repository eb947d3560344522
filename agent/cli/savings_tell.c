/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane savings: from days to what is told of them, or why it cannot be; also for others than the verb. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

void savrep_no_samples(struct savrep_work *w)
{
        savrep_refuse(w, "no-samples", "a database holds no samples");
        w->s.load = w->s.load ? w->s.load : "it";
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
        if (r == -ENODATA) {
                savrep_no_samples(w);
                r = 0;
        }
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
