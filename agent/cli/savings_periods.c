/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane savings: which days are what, what the log can tell at all, and the estimate. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/cli/savings_report.h"
#include "agent/points/layout.h"

#define DAY_MS INT64_C(86400000)
#define IN_FORCE_MIN 0.9 /* of a day's decisions */
#define IN_FORCE_NO 0.05
#define RECORDED_MIN 0.9   /* of a day's control steps */
#define OVER_KNOWN_MIN 0.8 /* of a period's days */
#define LOOK_RHO 0.3       /* see check_it */
#define MOVED                                                                                                          \
        "IT energy is not what calendar and weather made expect, which is the load of what is told here. If the "      \
        "measure moved it, --load calendar tells the total; if work did, --load it tells what setpoints saved; a "     \
        "demand (--load POINT) or days in turn (--ab) tell both"

/* ---- days ---- */

static bool inside(const struct savrep_options *o, const struct savrep_span *p, int64_t day)
{
        const int64_t begins = day * DAY_MS - o->offset_ms;

        return begins >= p->from_ms && begins + DAY_MS <= p->to_ms;
}

/* Of what is recorded of a day, the share in which coolplane was in force. */
static double share_in_force(const struct daily_day *d)
{
        return d->decided > 0.0 ? d->ours / d->decided : 0.0;
}

/* Decisions tell the days apart, and this one's stop short: what ran in the rest of it is not known. A day without any
 * is one on which coolplane did not run. */
static bool cut_short(const struct savrep_work *w, size_t k)
{
        const double share = w->days->day[k].decided;

        return (w->o->by_shadow || (w->o->ab != NULL && w->schedule == NULL)) && share > 0.0 && share < RECORDED_MIN;
}

/* Which arm day k of --db is in. With a baseline database none of them is A. */
static enum arm arm_of(const struct savrep_work *w, size_t k)
{
        const struct savrep_options *o = w->o;
        const struct daily_day *d = &w->days->day[k];
        const double in_force = share_in_force(d);
        const enum arm by_mode = cut_short(w, k)            ? ARM_NONE
                                 : in_force >= IN_FORCE_MIN ? ARM_B
                                 : in_force <= IN_FORCE_NO  ? ARM_A
                                                            : ARM_NONE;

        if (o->ab != NULL)
                return w->schedule != NULL ? (enum arm)w->schedule[k] : by_mode;
        if (o->by_shadow)
                return by_mode == ARM_A && d->decided == 0.0 ? ARM_NONE : by_mode;
        if (o->by_time && inside(o, &o->before, d->day))
                return ARM_A;
        if (o->has_after)
                return inside(o, &o->after, d->day) ? ARM_B : ARM_NONE;
        return !o->by_time || d->day * DAY_MS - o->offset_ms >= o->before.to_ms ? ARM_B : ARM_NONE;
}

/* Days are told apart by what was in force, and this one had both. */
static bool in_force_partly(const struct savrep_work *w, size_t k)
{
        const double ours = share_in_force(&w->days->day[k]);

        return (w->o->by_shadow || (w->o->ab != NULL && w->schedule == NULL)) && !cut_short(w, k) &&
               ours > IN_FORCE_NO && ours < IN_FORCE_MIN;
}

static void add_day(struct savrep_work *w, const struct daily *from, size_t k, enum arm arm)
{
        struct savrep_period *p = &w->s.period[arm];
        struct savings_day *to = &p->day[p->n];
        const struct daily_day *d = &from->day[k];
        const double s = (double)(DAY_MS - w->o->skip_ms) / 1000.0;
        const double cooling = d->power_w[DAILY_CHILLERS] + d->power_w[DAILY_PUMPS] + d->power_w[DAILY_TOWERS] +
                               d->power_w[DAILY_CRAH_FANS];
        const double fans = d->power_w[DAILY_SERVER_FANS], racks = d->power_w[DAILY_RACKS];

        *to = (struct savings_day){.day = d->day,
                                   .weekend = d->weekend,
                                   .load = w->load_point >= 0 ? from->mean[k * from->npoint + (size_t)w->load_point]
                                                              : (double)NAN,
                                   .weather_c = w->dry_bulb ? d->oat_c : d->wetbulb_c,
                                   .inlet_c = d->inlet_c,
                                   .energy_j = {s * cooling, s * fans, s * (w->s.fans_metered ? racks - fans : racks)}};
        p->first = p->n ? p->first : d->day;
        p->last = d->day;
        p->n++;
        if (isfinite(d->over_recommended_k_min)) {
                p->over_k_min += d->over_recommended_k_min;
                p->over_known++;
        }
        if (!isfinite(cooling))
                p->no_cooling++;
        else if (!(to->energy_j[SAVINGS_IT] > 0.0))
                p->no_it++;
        else if (!isfinite(to->weather_c))
                p->no_weather++;
        else if (w->load_point >= 0 && !isfinite(to->load))
                p->no_load++;
        else
                p->whole++;
}

static void finish_period(struct savrep_period *p, bool fans)
{
        double it = 0.0, all = 0.0;

        for (size_t i = 0; i < p->n; i++) {
                const double *e = p->day[i].energy_j;
                const double servers = e[SAVINGS_IT] + (fans ? e[SAVINGS_IT_FANS] : 0.0);

                if (!isfinite(servers + e[SAVINGS_COOLING]))
                        continue;
                it += servers;
                all += servers + e[SAVINGS_COOLING];
        }
        p->ppue = it > 0.0 && all >= it ? all / it : (double)NAN;
        p->over_k_min = p->over_known > 0 && (double)p->over_known >= OVER_KNOWN_MIN * (double)p->n
                            ? p->over_k_min / (double)p->over_known
                            : (double)NAN;
}

static bool knows_wetbulb(const struct daily *d)
{
        for (size_t k = 0; k < d->n; k++)
                if (isfinite(d->day[k].wetbulb_c))
                        return true;
        return false;
}

static bool any_fans(const struct site *site)
{
        for (size_t i = 0; i < site->npoint; i++)
                if (site->point[i].role == ROLE_SERVER_FAN_POWER)
                        return true;
        return false;
}

int savrep_make_periods(struct savrep_work *w)
{
        w->dry_bulb = !knows_wetbulb(w->days) || !knows_wetbulb(w->before);
        w->s.weather = w->dry_bulb ? "dry bulb" : "wet bulb";
        w->s.fans_metered = any_fans(w->site);
        for (int arm = 0; arm < 2; arm++) {
                w->s.period[arm].day = calloc(w->days->n + w->before->n, sizeof(struct savings_day));
                if (w->s.period[arm].day == NULL)
                        return -ENOMEM;
        }
        for (size_t k = 0; w->before != w->days && k < w->before->n; k++)
                add_day(w, w->before, k, ARM_A);
        for (size_t k = 0; k < w->days->n; k++) {
                const enum arm arm = arm_of(w, k);

                if (arm != ARM_NONE)
                        add_day(w, w->days, k, arm);
                w->s.partly += in_force_partly(w, k);
                w->s.cut += cut_short(w, k);
        }
        for (int arm = 0; arm < 2; arm++)
                finish_period(&w->s.period[arm], w->s.fans_metered);
        return 0;
}

/* ---- what the log can tell at all ---- */

void savrep_refuse(struct savrep_work *w, const char *reason, const char *why)
{
        (void)snprintf(w->s.refusal, sizeof(w->s.refusal), "%s", reason);
        (void)snprintf(w->s.why, sizeof(w->s.why), "%s", why);
}

/* What is no change of a setpoint, of daily means. */
static double small(enum u_kind kind)
{
        return kind == U_FAN ? 0.03 : kind == U_CHILLER ? 0.1 : 0.3;
}

struct moments {
        double n, sum, sq;
};

static void add(struct moments *m, double v)
{
        if (!isfinite(v))
                return;
        m->n++;
        m->sum += v;
        m->sq += v * v;
}

static double mean(const struct moments *m)
{
        return m->sum / m->n;
}

static double spread(const struct moments *m)
{
        return sqrt(fmax(m->sq / m->n - mean(m) * mean(m), 0.0));
}

/* Setpoints of the two periods: one differs by more than it wandered within the baseline; or of all days: one moved
 * from day to day. */
enum setpoints { SETPOINTS_UNKNOWN, SETPOINTS_SAME, SETPOINTS_DIFFER };

static enum setpoints setpoints_differ(const struct savrep_work *w, const struct layout *l, bool between)
{
        enum setpoints told = SETPOINTS_UNKNOWN;

        for (size_t j = 0; j < l->nu; j++) {
                struct moments m[2] = {{0}};

                for (size_t k = 0; w->before != w->days && k < w->before->n; k++)
                        add(&m[0], w->before->mean[k * w->before->npoint + (size_t)l->u[j].point]);
                for (size_t k = 0; k < w->days->n; k++) {
                        const enum arm arm = arm_of(w, k);

                        if (arm != ARM_NONE || !between)
                                add(&m[between ? arm : 0], w->days->mean[k * w->days->npoint + (size_t)l->u[j].point]);
                }
                if (!(m[0].n > 0) || (between && !(m[1].n > 0)))
                        continue;
                told = SETPOINTS_SAME;
                if (between &&
                    fabs(mean(&m[1]) - mean(&m[0])) > fmax(small((enum u_kind)l->u[j].kind), 2.0 * spread(&m[0])))
                        return SETPOINTS_DIFFER;
                if (!between && spread(&m[0]) > small((enum u_kind)l->u[j].kind))
                        return SETPOINTS_DIFFER;
        }
        return told;
}

/* Of the whole time of an arm's days: what is not recorded of them was not ours, as far as anyone knows. */
static double in_force(const struct savrep_work *w, enum arm arm)
{
        double sum = 0.0, n = 0.0;

        for (size_t k = 0; k < w->days->n; k++)
                if (arm_of(w, k) == arm) {
                        sum += w->days->day[k].ours;
                        n++;
                }
        return n > 0.0 ? sum / n : 0.0;
}

/* By setpoints_differ. */
static const char *never_in_force(enum setpoints s)
{
        static const char *const why[] = {
            [SETPOINTS_UNKNOWN] =
                "on no day was coolplane in force, and of no setpoint is a whole day known: nothing in "
                "this log tells what other setpoints would have cost",
            [SETPOINTS_SAME] =
                "on no day was coolplane in force, and setpoints never moved from day to day: nothing in "
                "this log tells what other setpoints would have cost",
            [SETPOINTS_DIFFER] = "on no day was coolplane in force. Setpoints did move from day to day, but of "
                                 "proposals that were never "
                                 "carried out, and so never led on to others, this log holds no outcome"};

        return why[s];
}

static const char *same_control(enum setpoints s)
{
        return s == SETPOINTS_SAME
                   ? "setpoints of both periods are the same and no decision of coolplane was in force in one of them "
                     "alone: there is no measure whose saving could be told. If something else was changed, say what "
                     "with --measure"
                   : "of no setpoint is a whole day of both periods known, and no decision of coolplane was in force "
                     "in "
                     "one of them alone: whether control was changed cannot be seen. Say what was with --measure";
}

int savrep_check_control(struct savrep_work *w)
{
        struct layout *l = NULL;
        int r = layout_create(w->site, &l);

        if (r < 0)
                return r;
        if (w->o->by_shadow && w->s.period[1].n == 0) {
                savrep_refuse(w, "never-in-force", never_in_force(setpoints_differ(w, l, false)));
        } else if (w->o->measure == NULL && w->s.period[0].whole > 0 && w->s.period[1].whole > 0 &&
                   in_force(w, ARM_B) - (w->before == w->days ? in_force(w, ARM_A) : 0.0) < 0.5) {
                const enum setpoints s = setpoints_differ(w, l, true);

                if (s != SETPOINTS_DIFFER)
                        savrep_refuse(w, s == SETPOINTS_SAME ? "same-control" : "setpoints-not-known", same_control(s));
        }
        l = layout_free(l);
        return 0;
}

static int one_number(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)n;
        (void)name;
        return parse_int64(text[0], 0, INT64_MAX, ctx);
}

/* VM moves that were asked for in the reporting days. */
static int moves_asked(struct savrep_work *w, int64_t *ret)
{
        const struct savrep_period *p = &w->s.period[1];
        const struct store_param span[] = {{.i = p->first * DAY_MS - w->o->offset_ms},
                                           {.i = (p->last + 1) * DAY_MS - w->o->offset_ms}};

        *ret = 0;
        return p->n == 0 ? 0
                         : store_query_rows(w->store,
                                            "SELECT count(*) FROM vm_message WHERE subtopic = 'move/request' AND "
                                            "t_ms >= ?1 AND t_ms < ?2",
                                            span, 2, one_number, ret);
}

/* ---- the estimate ---- */

static const char *why_not(enum savings_reason r, bool ab)
{
        switch (r) {
        case SAVINGS_FEW_BASELINE:
                return "too few whole days (or pairs of days) of baseline: ten are needed, each metered for 95 % of "
                       "its time";
        case SAVINGS_FEW_REPORTING:
                return "too few whole days to report on: seven are needed, each metered for 95 % of its time";
        case SAVINGS_NO_OVERLAP:
                return ab ? "one control ran on weekends and the other on working days"
                          : "most reporting days had a load or weather that the baseline never saw";
        case SAVINGS_POOR_FIT:
                return "the baseline does not explain its own days (CV(RMSE) above 30 % or NMBE beyond 10 %)";
        case SAVINGS_INLET_NOT_KNOWN:
                return "IT power is given, but how warm its inlets were is known on fewer than 80 % of the days, so "
                       "what "
                       "it may have answered has no bound: --it-response 0 takes it to answer nothing";
        case SAVINGS_IMPRECISE:
                return "the interval is wider than the claim is worth: more days, a demand (--load POINT) or days in "
                       "turn (--ab) would narrow it";
        case SAVINGS_TOLD:
                break;
        }
        return "";
}

static int run_baseline(struct savrep_work *w, enum savings_load load, double wander_rho, struct savings_report *ret)
{
        const struct savrep_period *a = &w->s.period[0], *b = &w->s.period[1];
        struct savings_args args = w->o->args;
        struct savings_row *rows = calloc(a->n + b->n + 1, sizeof(*rows));
        int r;

        if (rows == NULL)
                return -ENOMEM;
        args.load = load;
        args.wander_rho = wander_rho;
        r = savings_baseline(a->day, a->n, b->day, b->n, &args, rows, NULL, ret);
        free(rows);
        return r;
}

/* IT is given only if it is not seen to have moved by more than what it may answer to the air, which the estimate
 * bounds. A look that refuses: it errs to the narrow side, with less autocorrelation than a claim is made with. */
static int check_it(struct savrep_work *w)
{
        const struct savings_figure *it = &w->s.it.part[SAVINGS_IT];
        int64_t moves = 0;
        double answer_j;
        int r = run_baseline(w, SAVINGS_LOAD_NONE, LOOK_RHO, &w->s.it);

        if (r == 0)
                r = moves_asked(w, &moves);
        if (r < 0)
                return r;
        w->s.it_checked = true;
        answer_j = w->o->args.it_response_ratio_k * w->s.it.inlet_change_k * it->measured_j;
        if (!isfinite(answer_j))
                answer_j = 0.0;
        if (moves > 0)
                savrep_refuse(
                    w, "load-moved",
                    "VMs were moved in the reporting days, so that IT power is part of what was changed: --load "
                    "calendar, or a demand (--load POINT), or days in turn (--ab)");
        else if (it->known && (it->low_j > fmax(-answer_j, 0.0) || it->high_j < -fmax(answer_j, 0.0))) {
                w->s.r = w->s.it;
                w->s.load = "calendar";
                savrep_refuse(
                    w, "load-moved",
                    w->o->args.it_response_ratio_k > 0.0 ? MOVED
                                                         : MOVED
                        ". With --it-response 0 any move that can be seen counts, as none may be an answer to "
                        "warmer air");
        }
        return 0;
}

static int by_day(const void *a, const void *b)
{
        const struct savings_day *x = a, *y = b;

        return (x->day > y->day) - (x->day < y->day);
}

static int run_pairs(struct savrep_work *w)
{
        const struct savrep_period *p = w->s.period;
        const size_t n = p[0].n + p[1].n;
        struct savings_day *day = calloc(n + 1, sizeof(*day));
        struct savings_row *rows = calloc(n + 1, sizeof(*rows));
        uint8_t *treated = calloc(n + 1, 1);
        struct savings_args args = w->o->args;
        int r = day && rows && treated ? 0 : -ENOMEM;

        if (r == 0) {
                memcpy(day, p[0].day, p[0].n * sizeof(*day));
                memcpy(day + p[0].n, p[1].day, p[1].n * sizeof(*day));
                qsort(day, n, sizeof(*day), by_day);
                for (size_t i = 0, b = 0; i < n; i++)
                        if (b < p[1].n && day[i].day == p[1].day[b].day) {
                                treated[i] = 1;
                                b++;
                        }
                args.load = w->load_point >= 0 ? SAVINGS_LOAD_DEMAND : SAVINGS_LOAD_NONE;
                r = savings_pairs(day, treated, n, &args, rows, &w->s.r);
        }
        free(day);
        free(rows);
        free(treated);
        return r;
}

int savrep_estimate(struct savrep_work *w)
{
        const bool automatic = w->o->load == NULL && !w->s.ab;
        int r = 0;

        if (w->s.ab)
                r = run_pairs(w);
        else if (automatic)
                r = check_it(w);
        if (r == 0 && !w->s.ab && !w->s.refusal[0])
                r = run_baseline(w,
                                 w->load_point >= 0                   ? SAVINGS_LOAD_DEMAND
                                 : strcmp(w->s.load, "calendar") == 0 ? SAVINGS_LOAD_NONE
                                                                      : SAVINGS_LOAD_IT,
                                 w->o->args.wander_rho, &w->s.r);
        if (r == 0 && !w->s.refusal[0] && w->s.r.reason != SAVINGS_TOLD)
                savrep_refuse(w, savings_reason_str(w->s.r.reason), why_not(w->s.r.reason, w->s.ab));
        return r;
}
