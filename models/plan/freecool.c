/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Free cooling. Beside a waterside economiser the compressors stand still as long as tower water is so far below the
 * chilled-water setpoint that the heat exchanger carries the load: of a heat q it passes q ∝ (setpoint − tower water),
 * so what counts is that distance per watt, the reach z. How much of it the site needs nobody tells us; it is bracketed
 * by what is seen: a reach that lost free cooling, or did not bring it, was too short, one that keeps it is enough. The
 * energy model cannot know: it sees two plants, one with compressors and one without, and in neither does warmer tower
 * water cost much. Where compressors never stand still while colder tower water
 * carries the heat, or are not metered, nothing here says anything.
 */
#include "models/plan/plan_impl.h"

#include <math.h>

#define IDLE_RATIO 0.01     /* of the heat: chillers that draw less than this do not cool it */
#define NEAR_K 1.0          /* tower water at most this much warmer than the chilled water is to be */
#define WARM_K 2.0          /* chilled water this far above its setpoint is no cooling at all, free or not */
#define MARGIN_RATIO 1.1    /* reach asked for, of what was too short */
#define FORGET_RATIO 0.0005 /* of what was too short, a slow step of 5 min: 13 % a day; tried again after 16 h */
#define FORGET_STEP_S 300.0 /* that step */
#define PATIENCE_S 3600.0   /* with reach enough and still no free cooling: it takes more */
#define STEEP_K 2.0         /* K of tower water over which the compressors' power is lost, in the score, at least */
#define HEADROOM_K 1.0      /* what warmer chilled water may add to it */

/* NaN when one of them is. */
static double mean_chwst_sp_c(const struct plan *p, const double *u)
{
        double sum = 0.0;
        size_t n = 0;

        for (size_t j = 0; j < p->nu; j++)
                if (p->u[j].kind == PLAN_U_CHWST) {
                        sum += u[j];
                        n++;
                }
        return n > 0 ? sum / (double)n : (double)NAN;
}

/* K/W; NaN where something is not known. s: the plant under u. */
static double reach(const struct plan *p, const struct energy_sample *s, const double *u)
{
        return s->heat_w > 0.0 ? (mean_chwst_sp_c(p, u) - s->cwst_c) / s->heat_w : (double)NAN;
}

/* Machines rest for other reasons as well: it is tower water that must be cold enough, but for what sensors err. */
static bool is_free(const struct energy_sample *s, double chwst_sp_c)
{
        const double chillers_w = s->power_w[ENERGY_CHILLERS];

        return s->chwst_c < chwst_sp_c + WARM_K && s->cwst_c < chwst_sp_c + NEAR_K &&
               (isfinite(chillers_w) ? chillers_w < IDLE_RATIO * s->heat_w : s->chillers_on < 0.5);
}

void plan_observe_economiser(struct plan *p, const struct plan_input *in)
{
        struct plan_economiser *f = &p->freecool;
        const struct energy_sample *s = &in->plant;
        const double z = reach(p, s, in->u_now), chillers_w = s->power_w[ENERGY_CHILLERS];
        const bool now = isfinite(z) && is_free(s, mean_chwst_sp_c(p, in->u_now));

        f->short_k_w *= 1.0 - FORGET_RATIO * p->args.slow_step_s / FORGET_STEP_S;
        f->running_w *= 1.0 - FORGET_RATIO * p->args.slow_step_s / FORGET_STEP_S;
        if (!isfinite(z)) { /* what comes after a gap follows nothing */
                f->is_free = false;
                f->enough_since = p->slow_count;
                return;
        }
        if (!now && chillers_w > f->running_w)
                f->running_w = chillers_w;         /* also of the last day: machines unload before they stop */
        if (now && f->is_free && z < f->short_k_w) /* twice in a row: it does keep it */
                f->short_k_w = z;
        if (!now && f->is_free) {
                f->short_k_w = fmax(f->short_k_w, f->last_k_w);
                f->enough_since = p->slow_count;
        }
        if (!now && !(z > MARGIN_RATIO * f->short_k_w))
                f->enough_since = p->slow_count;
        if (!now && f->seen && (double)(p->slow_count - f->enough_since) * p->args.slow_step_s >= PATIENCE_S) {
                f->short_k_w = z;
                f->enough_since = p->slow_count;
        }
        f->seen = f->seen || (now && f->is_free); /* one look may be at machines that have just tripped */
        f->is_free = now;
        f->last_k_w = z;
}

static double coldest_tower_c(const struct plan *p, double wetbulb_c)
{
        double coldest_c = wetbulb_c + p->args.tower_approach_k;

        for (size_t j = 0; j < p->nu; j++)
                if (p->u[j].kind == PLAN_U_CWST)
                        coldest_c = fmax(coldest_c, p->u[j].lo);
        return coldest_c;
}

static double missing_k(const struct plan *p, const struct energy_sample *s, const double *u)
{
        return (MARGIN_RATIO * p->freecool.short_k_w - reach(p, s, u)) * s->heat_w;
}

double plan_economiser_gain_w(const struct plan *p, const struct plan_input *in, const struct energy_sample *hold,
                              const double *u_hold, const struct energy_sample *s, const double *u)
{
        const struct plan_economiser *f = &p->freecool;
        const double now_k = missing_k(p, hold, u_hold), then_k = missing_k(p, s, u);
        const double coldest_c = coldest_tower_c(p, in->plant.wetbulb_c), width_k = fmax(STEEP_K, now_k);

        if (!f->seen || !(f->running_w > 0.0) || !isfinite(now_k) || !isfinite(then_k))
                return 0.0;
        if (!f->is_free && !(isfinite(in->plant.wetbulb_c) && hold->cwst_c - coldest_c + HEADROOM_K > now_k))
                return 0.0; /* not in this weather */
        return f->running_w * (plan_clamp(now_k / width_k, 0.0, 1.0) - plan_clamp(then_k / width_k, 0.0, 1.0));
}
