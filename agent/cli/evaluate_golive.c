/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/evaluate_golive.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/text.h"
#include "agent/cli/evaluate_rank.h"
#include "agent/cli/evaluate_report.h"
#include "agent/store/daily.h"

#define DAY_S 86400.0
#define NO_EVIDENCE "no evidence is stored"

const char *golive_str(enum golive_state s)
{
        static const char *const name[] = {"met", "not met", "not known", "does not apply"};

        return (unsigned)s < GOLIVE_STATES ? name[s] : "";
}

/* A macro, because clang-tidy 14 takes the va_list of a static function for uninitialised. */
#define judge(i, met, ...)                                                                                             \
        ((i)->state = (met) ? GOLIVE_MET : GOLIVE_NOT_MET, (void)snprintf((i)->figure, sizeof(i)->figure, __VA_ARGS__))

static void not_known(struct golive_item *i, const char *why)
{
        i->state = GOLIVE_NOT_KNOWN;
        (void)snprintf(i->figure, sizeof i->figure, "%s", why);
}

static bool none_in_force(const struct evaluation *e, struct golive_item *i)
{
        if (!evrank_in_force(e))
                return false;
        i->state = GOLIVE_NONE;
        (void)snprintf(i->figure, sizeof i->figure, "coolplane was in force, not in shadow");
        return true;
}

/* A share of steps or samples; NaN: of nothing. */
static void judge_share(struct golive_item *i, double share, double least, const char *of)
{
        if (isfinite(share)) /* cut, not rounded: 98.96 % is not 99.0 % */
                judge(i, share >= least, "%.1f %% %s", floor(1000 * share + 1e-9) / 10, of);
        else
                not_known(i, "nothing to tell it from");
}

/* --- the record -------------------------------------------------------------------------------------------------- */

static void days(const struct evaluation *e, struct golive_item *i)
{
        const double d = (double)e->all.steps * e->layout->step_s / DAY_S;

        i->what = "The record is long enough";
        i->limit = "at least 14 days of decisions";
        i->why = "every weekday and weekend twice; a baseline of savings needs ten whole days";
        judge(i, d >= GOLIVE_DAYS, "%.1f days", floor(10 * d) / 10);
}

static void gaps(const struct evaluation *e, struct golive_item *i)
{
        const double span_ms = (double)(e->last_ms - e->first_ms) + 1000 * e->layout->step_s;
        const double share = span_ms > 0 ? (double)e->gap_ms / span_ms : (double)NAN;

        i->what = "The record has no gaps to speak of";
        i->limit = "at most 1 % of the time";
        i->why = "what happened in a gap is not in any figure here";
        if (isfinite(share))
                judge(i, share <= GOLIVE_GAPS, "%.2f %% in %zu gap%s", 100 * share, e->gaps, PLURAL_S(e->gaps));
        else
                not_known(i, "no time passed");
}

static void samples(const struct evaluation *e, struct golive_item *i)
{
        size_t good = 0, all = 0;

        for (size_t p = 0; p < e->site->npoint; p++) {
                const size_t *q = e->quality[p];

                good += q[QUALITY_GOOD];
                all += q[QUALITY_GOOD] + q[QUALITY_UNCERTAIN] + q[QUALITY_BAD];
        }
        i->what = "Samples are good";
        i->limit = "at least 95 % of all points' samples";
        i->why = "a day that is metered for less does not count for savings either";
        judge_share(i, score_share(good, all), GOLIVE_GOOD, "good");
}

static void outputs(const struct evaluation *e, struct golive_item *i)
{
        size_t dark = 0;

        for (size_t y = 0; y < e->layout->ny; y++)
                dark += evrank_unusable(e, y) > EVRANK_DARK;
        i->what = "Inlets, supply air and valves can be read";
        i->limit = "none unusable in more than 5 % of the steps";
        i->why = "what cannot be read is cooled as if it were at its worst";
        if (e->evidence > 0)
                judge(i, dark == 0, "%zu of %zu can", e->layout->ny - dark, e->layout->ny);
        else
                not_known(i, NO_EVIDENCE);
}

static void judged(const struct evaluation *e, struct golive_item *i)
{
        i->what = "Decisions could be judged";
        i->limit = "at least 99 %";
        i->why = "with the readings and the model set they were made on, unchanged since";
        judge_share(i, score_share(e->evidence, e->decisions - e->changed), 1 - EVRANK_FEW,
                    e->changed > 0 ? "of the decisions not changed" : "of the decisions");
}

static void unchanged(const struct evaluation *e, struct golive_item *i)
{
        i->what = "The record is as it was written";
        i->limit = "no decision changed afterwards";
        i->why = "such a decision is in no figure here; coolplane audit verify names it";
        if (e->evidence > 0 || e->changed > 0)
                judge(i, e->changed == 0, "%zu of %zu changed", e->changed, e->decisions);
        else
                not_known(i, NO_EVIDENCE);
}

/* --- the model --------------------------------------------------------------------------------------------------- */

static void fitted(const struct evaluation *e, struct golive_item *i)
{
        const size_t all = e->envelope.safety.ncert;

        i->what = "The model is fitted for every certified output";
        i->limit = "all, in the newest model set";
        i->why = "before its fit a row is held to its physical prior, which certifies little";
        if (e->evidence > 0)
                judge(i, e->fitted == all, "%zu of %zu rows", e->fitted, all);
        else
                not_known(i, NO_EVIDENCE);
}

/* Least share of the groups that were judged; NaN: none was. */
static void bounds(const struct evaluation *e, struct golive_item *i)
{
        double least = (double)NAN;

        for (int g = 0; g < GROUP_COUNT; g++) {
                const struct score_cover *c = &e->all.forecast[g].upper;

                least = fmin(least, score_share(c->inside, c->n)); /* fmin: the one that is known */
        }
        i->what = "Readings stay below their one-step bound";
        i->limit = "at least 98 %, inlets and supply air each";
        i->why = "the share certificates are made with";
        judge_share(i, least, EVALUATE_COVERAGE, "of the readings");
}

static void skill(const struct evaluation *e, struct golive_item *i)
{
        static const char *const name[GROUP_COUNT] = {"inlets", "supply air"};
        bool above = true;
        char text[256] = "";
        size_t n = 0;

        for (int g = 0; g < GROUP_COUNT; g++) {
                struct evrank_skill s;

                evrank_skill(e, (enum evaluate_group)g, &s);
                if (!isfinite(s.all))
                        continue;
                above &= s.above;
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %.2f (anchored %.2f), " EVRANK_SKILL,
                                      n > 0 ? "; " : "", name[g], s.all, s.anchored, EVRANK_SKILL_OF(&s));
        }
        i->what = "Forecasts beat \"stays as it is\", 5 min ahead";
        i->limit = "skill above 0, inlets and supply air each: over all, on most whole days and for most outputs";
        i->why = "with loads, weather and setpoints as they came; 1 is perfect";
        if (n > 0)
                judge(i, above, "%s", text);
        else
                not_known(i, "no forecast could be judged");
}

static void moved(const struct evaluation *e, struct golive_item *i)
{
        size_t n = 0, all = 0;

        for (size_t u = 0; u < e->layout->nu; u++) {
                const struct safety_u *box = &e->envelope.u[u];

                if (e->layout->u[u].kind == U_CHILLER)
                        continue;
                all++;
                n += e->series.hi[u] - e->series.lo[u] >= fmax(box->dead_band, box->step);
        }
        i->what = "Every setpoint moved during the record";
        i->limit = "each by its dead band or step; not chiller starts";
        i->why = "what never moved is known from its prior alone; live explores it first";
        if (none_in_force(e, i))
                return;
        if (e->shadow > 0 && all > 0 && e->all.compared == 0)
                not_known(i, "no setpoint in force could be read");
        else if (e->shadow > 0 && all > 0)
                judge(i, n == all, "%zu of %zu", n, all);
        else
                not_known(i, all > 0 ? "no decision in shadow" : "there are none");
}

/* --- decisions --------------------------------------------------------------------------------------------------- */

static void proposals(const struct evaluation *e, struct golive_item *i)
{
        i->what = "A proposal was at hand";
        i->limit = "in at least 99 % of the steps";
        i->why = "without one the gate holds, then falls back";
        judge_share(i, score_share(e->all.steps - e->all.no_proposal, e->all.steps), 1 - EVRANK_FEW, "of the steps");
}

static void certified(const struct evaluation *e, struct golive_item *i)
{
        i->what = "Decisions carry a certificate";
        i->limit = "at least 99 % (accepted, projected onto what is safe, or a hold that could be certified)";
        i->why = "the others are fallbacks, holds or more cooling of which nothing could be certified";
        judge_share(i, score_share(evrank_certified(e), e->all.steps), 1 - EVRANK_FEW, "of the steps");
        if (e->all.steps > 0)
                (void)snprintf(i->figure + strlen(i->figure), sizeof i->figure - strlen(i->figure),
                               ": %zu of %zu, %zu of them holds", evrank_certified(e), e->all.steps,
                               e->certified[DECISION_HOLD]);
}

/* Steps above the hard limit; no step known: not known. */
static void below_hard(const struct evaluation *e, enum evaluate_heat from, struct golive_item *i)
{
        const struct score_heat *h = &e->all.heat[from];

        i->limit = "in no step";
        if (h->n > 0)
                judge(i, h->hard == 0, "%zu step%s above %.1f °C, hottest %.1f °C", h->hard, PLURAL_S(h->hard),
                      e->hard_c, h->max_c);
        else
                not_known(i, "nothing is known of it");
}

static void no_warmer(const struct evaluation *e, struct golive_item *i)
{
        const struct score_heat *ours = &e->all.heat[HEAT_ACTION], *theirs = &e->all.heat[HEAT_IN_FORCE];

        i->what = "Our actions are foreseen no warmer than what was in force";
        i->limit = "no more steps above the soft limit";
        i->why = "five minutes ahead, setpoints held";
        if (none_in_force(e, i))
                return;
        if (ours->n > 0 && theirs->n > 0)
                judge(i, ours->soft <= theirs->soft, "%zu steps under ours, %zu under theirs (above %.1f °C)",
                      ours->soft, theirs->soft, e->soft_c);
        else
                not_known(i, "nothing is foreseen");
}

static void wrote_nothing(const struct evaluation *e, struct golive_item *i)
{
        i->what = "Shadow wrote nothing";
        i->limit = "no write left";
        i->why = "a gate that may only watch must only watch";
        if (e->writes.left == 0 && none_in_force(e, i))
                return;
        judge(i, e->writes.left == 0, "%zu of %zu recorded actions left", e->writes.left, e->writes.recorded);
}

static bool is_meter(enum role r)
{
        return r == ROLE_RACK_POWER || r == ROLE_CRAH_POWER || r == ROLE_CHILLER_POWER || r == ROLE_PUMP_POWER ||
               r == ROLE_TOWER_POWER;
}

/* Equipment whose meters had no good sample; the first in *ret_name. */
static size_t count_silent(const struct evaluation *e, size_t *ret_metered, const char **ret_name)
{
        size_t silent = 0;

        *ret_metered = 0;
        for (size_t k = 0; k < e->site->nequipment; k++) {
                bool metered = false, reads = false;

                for (size_t p = 0; p < e->site->npoint; p++)
                        if (e->site->point[p].equipment == (int)k && is_meter(e->site->point[p].role)) {
                                metered = true;
                                reads |= e->quality[p][QUALITY_GOOD] > 0;
                        }
                *ret_metered += metered;
                if (metered && !reads && silent++ == 0)
                        *ret_name = e->site->equipment[k].name;
        }
        return silent;
}

static void meters(const struct evaluation *e, struct golive_item *i)
{
        const char *missing = daily_unmetered(e->site), *name = "";
        size_t metered;
        const size_t silent = count_silent(e, &metered, &name);

        i->what = "Everything inside the energy boundary is metered";
        i->limit = "racks, air handlers, chillers, pumps, towers";
        i->why = "without it no saving can be told afterwards";
        if (missing)
                judge(i, false, "no power meter: %s", missing);
        else if (e->samples == 0)
                not_known(i, "meters are named in the site file; no samples are stored here");
        else if (silent == metered && metered > 0)
                judge(i, false, "meters are named in the site file, but none had a good sample");
        else if (silent > 0)
                judge(i, false, "no good sample of the meters of %zu of %zu, first %s", silent, metered, name);
        else
                judge(i, true, "all of it");
}

void golive_judge(const struct evaluation *e, struct golive *ret)
{
        struct golive_item *i = ret->item;

        *ret = (struct golive){0};
        days(e, i++);
        gaps(e, i++);
        samples(e, i++);
        outputs(e, i++);
        judged(e, i++);
        unchanged(e, i++);
        fitted(e, i++);
        bounds(e, i++);
        skill(e, i++);
        moved(e, i++);
        proposals(e, i++);
        certified(e, i++);
        i->what = "No inlet was measured above the hard limit";
        i->why = "the room as it is run today";
        below_hard(e, HEAT_MEASURED, i++);
        i->what = "None is foreseen above it under our actions";
        i->why = "five minutes ahead, setpoints held";
        below_hard(e, HEAT_ACTION, i++);
        no_warmer(e, i++);
        wrote_nothing(e, i++);
        meters(e, i++);
        for (size_t k = 0; k < GOLIVE_ITEMS; k++)
                ret->n[ret->item[k].state]++;
}
