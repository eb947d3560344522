/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/score.h"

#include <math.h>

/* --- forecasts --------------------------------------------------------------------------------------------------- */

void score_error_add(struct score_error *e, double forecast, double before, double reading)
{
        const double d = forecast - reading, s = before - reading;

        if (!isfinite(d) || !isfinite(s))
                return;
        e->n++;
        e->sum += d;
        e->abs += fabs(d);
        e->sq += d * d;
        e->still_sq += s * s;
}

void score_error_merge(struct score_error *to, const struct score_error *from)
{
        to->n += from->n;
        to->sum += from->sum;
        to->abs += from->abs;
        to->sq += from->sq;
        to->still_sq += from->still_sq;
}

static double mean(double sum, size_t n)
{
        return n > 0 ? sum / (double)n : (double)NAN;
}

double score_rmse(const struct score_error *e)
{
        return sqrt(mean(e->sq, e->n));
}

double score_mae(const struct score_error *e)
{
        return mean(e->abs, e->n);
}

double score_bias(const struct score_error *e)
{
        return mean(e->sum, e->n);
}

double score_persistence(const struct score_error *e)
{
        return sqrt(mean(e->still_sq, e->n));
}

double score_skill(const struct score_error *e)
{
        return e->still_sq > 0 ? 1 - sqrt(e->sq / e->still_sq) : (double)NAN;
}

/* --- coverage ---------------------------------------------------------------------------------------------------- */

void score_cover_add(struct score_cover *c, double lo, double hi, double reading)
{
        if (!isfinite(lo) || !isfinite(hi) || !isfinite(reading))
                return;
        c->n++;
        c->inside += reading >= lo && reading <= hi;
        c->width += hi - lo;
}

void score_upper_add(struct score_cover *c, double hi, double reading)
{
        if (!isfinite(hi) || !isfinite(reading))
                return;
        c->n++;
        c->inside += reading <= hi;
}

void score_cover_merge(struct score_cover *to, const struct score_cover *from)
{
        to->n += from->n;
        to->inside += from->inside;
        to->width += from->width;
}

double score_share(size_t part, size_t all)
{
        return mean((double)part, all);
}

double score_width(const struct score_cover *c)
{
        return mean(c->width, c->n);
}

/* --- distributions ----------------------------------------------------------------------------------------------- */

#define LEAST 1e-6
#define MOST 1e9
#define RATIO 1.02 /* of two edges: the middle of a bin is within 1 % */

static double middle(size_t k)
{
        return LEAST * pow(RATIO, (double)k + 0.5);
}

void score_dist_add(struct score_dist *d, double v)
{
        double size, k;

        if (!isfinite(v))
                return;
        v = fmin(fmax(v, -MOST), MOST);
        size = fabs(v);
        d->n++;
        d->sum += v;
        d->max_abs = fmax(d->max_abs, size);
        if (!(size >= LEAST)) {
                d->zero++;
                return;
        }
        k = fmin(floor(log(size / LEAST) / log(RATIO)), SCORE_BINS - 1);
        (v > 0 ? d->above : d->below)[(size_t)k]++;
}

double score_dist_mean(const struct score_dist *d)
{
        return mean(d->sum, d->n);
}

double score_dist_quantile(const struct score_dist *d, double q)
{
        const double rank = q * (double)d->n;
        double seen = 0;

        if (d->n == 0)
                return (double)NAN;
        for (size_t k = SCORE_BINS; k-- > 0;)
                if ((seen += d->below[k]) >= rank && d->below[k] > 0)
                        return -fmin(middle(k), d->max_abs);
        if ((seen += d->zero) >= rank && d->zero > 0)
                return 0;
        for (size_t k = 0; k < SCORE_BINS; k++)
                if ((seen += d->above[k]) >= rank && d->above[k] > 0)
                        return fmin(middle(k), d->max_abs);
        return d->max_abs;
}

double score_dist_abs_quantile(const struct score_dist *d, double q)
{
        const double rank = q * (double)d->n;
        double seen = d->zero;

        if (d->n == 0)
                return (double)NAN;
        if (seen >= rank)
                return 0;
        for (size_t k = 0; k < SCORE_BINS; k++)
                if ((seen += (double)d->above[k] + d->below[k]) >= rank)
                        return fmin(middle(k), d->max_abs);
        return d->max_abs;
}

/* --- spells and limits ------------------------------------------------------------------------------------------- */

void score_spell_add(struct score_spell *s, int64_t t_ms, int64_t step_ms, int dir)
{
        const bool goes_on = dir != 0 && dir == s->dir && t_ms >= s->last_ms && t_ms - s->last_ms <= step_ms * 3 / 2;

        if (!goes_on)
                s->from_ms = t_ms;
        s->dir = dir;
        s->last_ms = t_ms;
        if (dir == 0 || t_ms + step_ms - s->from_ms <= s->longest_ms)
                return;
        s->longest_ms = t_ms + step_ms - s->from_ms;
        s->longest_from_ms = s->from_ms;
        s->longest_dir = dir;
}

void score_heat_add(struct score_heat *h, double soft_c, double hard_c, double v_c, int64_t t_ms)
{
        if (!isfinite(v_c))
                return;
        if (h->n == 0 || v_c > h->max_c) {
                h->max_c = v_c;
                h->max_t_ms = t_ms;
        }
        h->n++;
        h->soft += v_c > soft_c;
        h->hard += v_c > hard_c;
}

void score_power_add(struct score_power *p, double predicted_w, double measured_w)
{
        if (!isfinite(predicted_w) || !isfinite(measured_w))
                return;
        p->n++;
        p->predicted_w += predicted_w;
        p->measured_w += measured_w;
}

/* --- variables --------------------------------------------------------------------------------------------------- */

int score_variable_add(struct score_variable *v, int64_t t_ms, int64_t step_ms, double dead_band, double grain,
                       const double *proposal, double action, double in_force)
{
        const double change = action - in_force;
        int dir = 0;

        if (proposal && isfinite(*proposal)) {
                score_dist_add(&v->cost, action - *proposal);
                v->projected += fabs(action - *proposal) > grain;
                score_dist_add(&v->ask, *proposal - in_force);
        } else if (proposal) {
                v->not_finite++;
        }
        if (!isfinite(change)) {
                score_spell_add(&v->spell, t_ms, step_ms, 0);
                return 0;
        }
        score_dist_add(&v->change, change);
        v->steps++;
        if (change != 0 && fabs(change) >= dead_band)
                dir = change > 0 ? 1 : -1;
        v->above += dir > 0;
        v->below += dir < 0;
        score_spell_add(&v->spell, t_ms, step_ms, dir);
        return dir;
}
