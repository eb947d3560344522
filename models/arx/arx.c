/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/arx/arx.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/arx/arx_private.h"
#include "models/num/num.h"

#define Z_MAX 1e6 /* a scaled regressor beyond this is garbage, not data */

void arx_args_default(struct arx_args *ret)
{
        *ret = (struct arx_args){
            .ridge = 1e-2,
            .forget = 1.0,
            .delta = 0.05,
            .w_quantile = 0.995,
            .w_min = 0.02,
            .set = ARX_SET_SELF_NORMALISED,
        };
}

static size_t round16(size_t n)
{
        return (n + 15) & ~(size_t)15;
}

/* Cuts the caller's block; with base == NULL it only counts. */
struct slicer {
        char *base;
        size_t used;
};

static void *slice(struct slicer *s, size_t bytes)
{
        void *p = s->base ? s->base + s->used : NULL;
        s->used += round16(bytes);
        return p;
}

static bool structure_valid(const struct arx_structure *st)
{
        if (!st->ny || !st->nterm || !st->lag_max || !st->row_start || !st->term || !st->scale)
                return false;
        if (st->row_start[0] != 0 || st->row_start[st->ny] != st->nterm)
                return false;
        for (size_t i = 0; i < st->ny; i++)
                if (st->row_start[i + 1] < st->row_start[i] || st->row_start[i + 1] - st->row_start[i] > ARX_TERMS_MAX)
                        return false;
        const size_t count[] = {[ARX_SRC_Y] = st->ny, [ARX_SRC_U] = st->nu, [ARX_SRC_D] = st->nd};
        for (size_t k = 0; k < st->nterm; k++) {
                const struct arx_term *t = &st->term[k];
                if (t->src > ARX_SRC_ONE || t->sign < -1 || t->sign > 1 || !(st->scale[k] > 0.0) ||
                    !isfinite(st->scale[k]))
                        return false;
                if (t->src == ARX_SRC_ONE)
                        continue;
                if (t->lag < 1 || t->lag > st->lag_max || t->index >= count[t->src])
                        return false;
        }
        return true;
}

/* The eliminated member: the row's own first lag when it is in the group, else the group's first. */
static size_t find_ref(const struct arx_structure *st, size_t i)
{
        size_t t0 = st->row_start[i], n = st->row_start[i + 1] - t0, first = n;
        for (size_t k = 0; k < n; k++) {
                const struct arx_term *t = &st->term[t0 + k];
                if (!t->sum1)
                        continue;
                if (t->src == ARX_SRC_Y && t->index == i && t->lag == 1)
                        return k;
                if (first == n)
                        first = k;
        }
        return first;
}

static struct arx *layout_memory(struct slicer *s, const struct arx_structure *st)
{
        struct arx *m = slice(s, sizeof(*m));
        size_t *row_start = slice(s, sizeof(size_t) * (st->ny + 1));
        struct arx_term *term = slice(s, sizeof(*term) * st->nterm);
        double *scale = slice(s, sizeof(double) * st->nterm);
        double *prior_lo = slice(s, sizeof(double) * st->nterm), *prior_hi = slice(s, sizeof(double) * st->nterm);
        double *box_lo = slice(s, sizeof(double) * st->nterm), *box_hi = slice(s, sizeof(double) * st->nterm);
        double *theta = slice(s, sizeof(double) * st->nterm);
        double *lo = slice(s, sizeof(double) * st->nterm), *hi = slice(s, sizeof(double) * st->nterm);
        double *scratch = slice(s, sizeof(double) * (3 * ARX_TERMS_MAX * ARX_TERMS_MAX + 8 * ARX_TERMS_MAX));
        struct arx_hash_memo *memo = slice(s, sizeof(*memo));
        double *free_run = slice(s, sizeof(double) * (st->lag_max + ARX_HORIZON_MAX) * st->ny);
        double *bound = slice(s, sizeof(double) * st->ny), *bound_low = slice(s, sizeof(double) * st->ny);
        double *bound_work = slice(s, sizeof(double) * arx_work_of(st, 1));
        uint8_t *every = slice(s, st->ny);
        struct arx_row *row = slice(s, sizeof(*row) * st->ny);
        for (size_t i = 0; i < st->ny; i++) {
                size_t n = st->row_start[i + 1] - st->row_start[i], ref = find_ref(st, i);
                size_t reduced = ref < n ? n - 1 : n;
                double *g = slice(s, sizeof(double) * reduced * reduced), *b = slice(s, sizeof(double) * reduced);
                double *hist = slice(s, sizeof(double) * ARX_HIST_BINS),
                       *drift = slice(s, sizeof(double) * ARX_HIST_BINS);
                double *factor = slice(s, sizeof(double) * reduced * reduced);
                double *phi_sum = slice(s, sizeof(double) * n), *phi0 = slice(s, sizeof(double) * n);
                if (s->base)
                        row[i] = (struct arx_row){.t0 = st->row_start[i],
                                                  .n = n,
                                                  .m = reduced,
                                                  .ref = ref,
                                                  .g = g,
                                                  .b = b,
                                                  .hist = hist,
                                                  .factor = factor,
                                                  .phi_sum = phi_sum,
                                                  .phi0 = phi0,
                                                  .drift = drift};
        }
        if (!s->base)
                return NULL;
        memcpy(row_start, st->row_start, sizeof(size_t) * (st->ny + 1));
        memcpy(term, st->term, sizeof(*term) * st->nterm);
        memcpy(scale, st->scale, sizeof(double) * st->nterm);
        m->st = *st;
        m->st.row_start = row_start;
        m->st.term = term;
        m->st.scale = scale;
        m->row = row;
        m->prior_lo = prior_lo;
        m->prior_hi = prior_hi;
        m->box_lo = box_lo;
        m->box_hi = box_hi;
        m->theta = theta;
        m->lo = lo;
        m->hi = hi;
        m->scratch = scratch;
        m->free_run = free_run;
        m->bound = bound;
        m->bound_low = bound_low;
        m->bound_work = bound_work;
        m->every = every;
        memset(every, 1, st->ny);
        m->memo = memo;
        return m;
}

size_t arx_memsize(const struct arx_structure *st)
{
        struct slicer s = {.base = NULL};
        (void)layout_memory(&s, st);
        return s.used;
}

static double clamp(double v, double lo, double hi)
{
        return v < lo ? lo : (v > hi ? hi : v);
}

static bool priors_valid(const struct arx_structure *st, const double *lo, const double *hi)
{
        for (size_t k = 0; k < st->nterm; k++) {
                double l = lo ? lo[k] : (double)-INFINITY, h = hi ? hi[k] : (double)INFINITY;
                if (st->term[k].sign > 0 && l < 0.0)
                        l = 0.0;
                if (st->term[k].sign < 0 && h > 0.0)
                        h = 0.0;
                if (!(l <= h) || l >= (double)INFINITY || h <= (double)-INFINITY)
                        return false;
        }
        return true;
}

/* Row i knows nothing but its prior. */
static void row_begin(struct arx *m, size_t i)
{
        struct arx_row *r = &m->row[i];

        for (size_t k = r->t0; k < r->t0 + r->n; k++) {
                m->lo[k] = m->prior_lo[k];
                m->hi[k] = m->prior_hi[k];
                m->theta[k] = clamp(0.0, m->lo[k], m->hi[k]);
        }
        if (r->ref < r->n)
                m->theta[r->t0 + r->ref] = clamp(1.0, m->lo[r->t0 + r->ref], m->hi[r->t0 + r->ref]);
        r->w_bar = r->w_step = fmax(m->args.w_unfitted, m->args.w_min);
        r->w_more = 0.0;
        r->track = r->track_low = -m->args.track_floor;
        arx_member_forget(m, i);
        arx_row_check_sum1(m, i);
}

void arx_row_reset(struct arx *m, size_t i)
{
        struct arx_row *r = &m->row[i];

        memset(r->g, 0, sizeof(double) * r->m * r->m);
        memset(r->factor, 0, sizeof(double) * r->m * r->m);
        memset(r->b, 0, sizeof(double) * r->m);
        memset(r->hist, 0, sizeof(double) * ARX_HIST_BINS);
        memset(r->drift, 0, sizeof(double) * ARX_HIST_BINS);
        memset(r->phi_sum, 0, sizeof(double) * r->n);
        memset(r->phi0, 0, sizeof(double) * r->n);
        r->yy = r->weight = r->samples = r->fitted = r->s = r->s_hist = 0.0;
        r->ew_sq = r->ew_weight = r->hist_weight = r->drift_weight = r->radius = r->width0 = 0.0;
        r->resets++;
        row_begin(m, i);
        m->memo->known = false;
}

int arx_create(void *mem, size_t size, const struct arx_structure *st, const struct arx_args *args,
               const double *prior_lo, const double *prior_hi, struct arx **ret)
{
        if (!mem || ((uintptr_t)mem & 15u) || !structure_valid(st) || size < arx_memsize(st))
                return -EINVAL;
        if (!(args->ridge > 0.0 && args->ridge < 1e9) || !(args->forget > 0.0 && args->forget <= 1.0) ||
            !(args->delta > 0.0 && args->delta < 1.0) || !(args->w_quantile > 0.0 && args->w_quantile < 1.0) ||
            !(args->w_min > 0.0 && args->w_min < 1e9) || args->w_horizon == 1 || args->w_horizon > ARX_HORIZON_MAX ||
            (args->set != ARX_SET_SELF_NORMALISED && args->set != ARX_SET_ASYMPTOTIC &&
             args->set != ARX_SET_MEMBERSHIP))
                return -EINVAL;
        if (!(args->track_miss >= 0.0 && args->track_miss < 1.0) ||
            (args->track_miss > 0.0 && !(args->track_step > 0.0 && args->track_step < 1e9 && args->track_floor >= 0.0 &&
                                         args->track_floor < 1e9 && args->track_reset >= 0.0)))
                return -EINVAL;
        if (!priors_valid(st, prior_lo, prior_hi))
                return -EINVAL;

        struct slicer s = {.base = mem};
        memset(mem, 0, arx_memsize(st));
        struct arx *m = layout_memory(&s, st);
        assert(s.used <= size);
        m->args = *args;
        for (size_t k = 0; k < st->nterm; k++) {
                double l = prior_lo ? prior_lo[k] : (double)-INFINITY, h = prior_hi ? prior_hi[k] : (double)INFINITY;
                if (st->term[k].sign > 0 && l < 0.0)
                        l = 0.0;
                if (st->term[k].sign < 0 && h > 0.0)
                        h = 0.0;
                m->prior_lo[k] = l;
                m->prior_hi[k] = h;
        }
        for (size_t i = 0; i < st->ny; i++)
                row_begin(m, i);
        *ret = m;
        return 0;
}

void arx_row_check_sum1(struct arx *m, size_t i)
{
        struct arx_row *r = &m->row[i];
        double lo = 0.0, hi = 0.0;
        for (size_t k = r->t0; k < r->t0 + r->n; k++)
                if (m->st.term[k].sum1) {
                        lo += m->lo[k];
                        hi += m->hi[k];
                }
        /* a rounding's width of tolerance: the fitted coefficients themselves add to 1 only to rounding */
        r->sum1_infeasible = r->ref < r->n && !(lo <= 1.0 + 1e-9 && hi >= 1.0 - 1e-9);
}

const struct arx_structure *arx_structure(const struct arx *m)
{
        return &m->st;
}

bool arx_anchored(const struct arx *m)
{
        return m->args.anchor;
}

bool arx_regressor(const struct arx *m, size_t i, const struct arx_window *w, double *phi)
{
        const struct arx_row *r = &m->row[i];
        const size_t stride[] = {[ARX_SRC_Y] = m->st.ny, [ARX_SRC_U] = m->st.nu, [ARX_SRC_D] = m->st.nd};
        const double *base[] = {[ARX_SRC_Y] = w->y, [ARX_SRC_U] = w->u, [ARX_SRC_D] = w->d};
        for (size_t k = 0; k < r->n; k++) {
                const struct arx_term *t = &m->st.term[r->t0 + k];
                if (t->src == ARX_SRC_ONE) {
                        phi[k] = 1.0;
                        continue;
                }
                if (t->lag > w->n)
                        return false;
                phi[k] = base[t->src][(w->n - t->lag) * stride[t->src] + t->index];
                if (!isfinite(phi[k]))
                        return false;
        }
        return true;
}

double arx_reduce(const struct arx *m, const struct arx_row *r, const double *phi, double *z)
{
        double ref = r->ref < r->n ? phi[r->ref] : 0.0;
        size_t j = 0;
        for (size_t k = 0; k < r->n; k++)
                if (k != r->ref)
                        z[j++] = (phi[k] - (m->st.term[r->t0 + k].sum1 ? ref : 0.0)) / m->st.scale[r->t0 + k];
        return ref;
}

/* Reduced regressor and target; false when absurd. */
static bool reduce(const struct arx *m, const struct arx_row *r, const double *phi, double y, double *z, double *target)
{
        *target = y - arx_reduce(m, r, phi, z);
        for (size_t k = 0; k < r->m; k++)
                if (!(fabs(z[k]) <= Z_MAX))
                        return false;
        return fabs(*target) <= Z_MAX;
}

void arx_hist_add(const struct arx *m, double *hist, double *weight, double residual)
{
        double a = fabs(residual), f = m->args.forget;
        int bin = a > 0.0 ? (int)floor(clamp(8.0 * (log2(a / m->args.w_min) + 2.0), 0.0, ARX_HIST_BINS - 1.0)) : 0;
        if (f < 1.0)
                for (size_t k = 0; k < ARX_HIST_BINS; k++)
                        hist[k] *= f;
        hist[bin] += 1.0;
        *weight = f * *weight + 1.0;
}

static void add_residual(const struct arx *m, struct arx_row *r, double residual)
{
        const double keep = 1.0 - 1.0 / 500.0;
        arx_hist_add(m, r->hist, &r->hist_weight, residual);
        r->ew_sq = keep * r->ew_sq + residual * residual;
        r->ew_weight = keep * r->ew_weight + 1.0;
}

/* How far a free run over the horizon ends from what was measured; rows that missed a value on the way say nothing. */
static void add_drift(struct arx *m, const struct arx_window *w, const double *y_next)
{
        const size_t h = m->args.w_horizon;
        double phi[ARX_TERMS_MAX];
        const double *run;
        if (h == 0 || w->n < h - 1 + m->st.lag_max)
                return;
        run = arx_free_run(m, w, h, m->free_run);
        const size_t from = w->n - (h - 1 + m->st.lag_max), rows = w->n - from;
        const bool known = num_all_finite(rows * m->st.ny, w->y + from * m->st.ny) &&
                           num_all_finite(rows * m->st.nu, w->u + from * m->st.nu) &&
                           num_all_finite(rows * m->st.nd, w->d + from * m->st.nd);
        for (size_t i = 0; i < m->st.ny; i++) {
                struct arx_row *r = &m->row[i];
                bool whole = r->fitted > 0.0 && isfinite(y_next[i]) && isfinite(run[i]);
                for (size_t k = 0; k < h && whole && !known; k++)
                        whole = arx_regressor(m, i, &(struct arx_window){w->n - k, w->y, w->u, w->d}, phi);
                if (whole)
                        arx_hist_add(m, r->drift, &r->drift_weight, y_next[i] - run[i]);
        }
}

/* g ← f g + za z, four at a time (the same arithmetic for each). */
static void add_row(size_t n, double f, double za, const double *restrict z, double *restrict g)
{
        size_t b = 0;
        for (; b + 4 <= n; b += 4) {
                g[b] = f * g[b] + za * z[b];
                g[b + 1] = f * g[b + 1] + za * z[b + 1];
                g[b + 2] = f * g[b + 2] + za * z[b + 2];
                g[b + 3] = f * g[b + 3] + za * z[b + 3];
        }
        for (; b < n; b++)
                g[b] = f * g[b] + za * z[b];
}

/* One-step bounds of all rows from this window into m->bound and m->bound_low; NaN where nothing is tracked. */
static void find_bounds(struct arx *m, const struct arx_window *w)
{
        struct arx_rollout up, low;
        const double *u, *d;
        bool any = false;

        for (size_t i = 0; i < m->st.ny; i++) {
                any |= m->row[i].fitted > 0.0;
                m->bound[i] = m->bound_low[i] = (double)NAN;
        }
        if (!any || !(m->args.track_miss > 0.0) || w->n == 0)
                return;
        u = w->u + (w->n - 1) * m->st.nu;
        d = w->d + (w->n - 1) * m->st.nd;
        arx_rollout_begin(&up, m, w, 1, 1, m->every, m->bound_work);
        low = up; /* of one step both read the same */
        low.sgn = -1.0;
        arx_rollout_step(&up, 0, u, d, m->every, m->bound);
        arx_rollout_step(&low, 0, u, d, m->every, m->bound_low);
}

static double tracked(const struct arx_args *a, double track, bool miss)
{
        return fmax(track + a->track_step * ((double)miss - a->track_miss), -a->track_floor);
}

/* False when the data contradict the row's set. */
static bool track(struct arx *m, struct arx_row *r, double y, double bound, double bound_low)
{
        const bool miss = y > bound;

        if (isfinite(bound_low)) {
                r->track_low = tracked(&m->args, r->track_low, y < bound_low);
                if (m->args.track_reset > 0.0) /* as far as the other side can: neither hides the other for long */
                        r->track_low = fmin(r->track_low, m->args.track_reset);
        }
        if (!isfinite(bound))
                return true;
        r->readings++;
        r->misses += miss;
        r->track = tracked(&m->args, r->track, miss);
        if (r->track * r->w_bar > r->w_more) {
                r->w_more = r->track * r->w_bar;
                m->memo->known = false;
        }
        return !(m->args.track_reset > 0.0 && r->track >= m->args.track_reset);
}

size_t arx_add(struct arx *m, const struct arx_window *w, const double *y_next)
{
        double phi[ARX_TERMS_MAX] = {0}, z[ARX_TERMS_MAX] = {0}, target;
        size_t taken = 0;
        add_drift(m, w, y_next);
        find_bounds(m, w);
        for (size_t i = 0; i < m->st.ny; i++) {
                struct arx_row *r = &m->row[i];
                if (!isfinite(y_next[i]) || !arx_regressor(m, i, w, phi) || !reduce(m, r, phi, y_next[i], z, &target))
                        continue;
                taken++;
                if (r->fitted > 0.0) {
                        if (!track(m, r, y_next[i], m->bound[i], m->bound_low[i]))
                                arx_row_reset(m, i);
                        else
                                add_residual(m, r, y_next[i] - num_dot(r->n, phi, m->theta + r->t0));
                }

                double f = m->args.forget;
                for (size_t a = 0; a < r->m; a++) {
                        const double za = z[a];
                        add_row(a + 1, f, za, z, r->g + a * r->m); /* f = 1 is exact */
                        r->b[a] = f * r->b[a] + za * target;
                }
                for (size_t k = 0; k < r->n; k++)
                        r->phi_sum[k] = f * r->phi_sum[k] + phi[k];
                r->yy = f * r->yy + target * target;
                r->weight = f * r->weight + 1.0;
                r->samples += 1.0;
                arx_member_add(m, i, z, target);
        }
        arx_member_turn(m);
        return taken;
}

void arx_row_info(const struct arx *m, size_t i, struct arx_row_info *ret)
{
        const struct arx_row *r = &m->row[i];
        double width = 0.0;
        for (size_t k = r->t0; k < r->t0 + r->n; k++)
                width += (m->hi[k] - m->lo[k]) * m->st.scale[k];
        *ret = (struct arx_row_info){
            .samples = (size_t)r->samples,
            .fitted = r->fitted > 0.0,
            .rmse = r->ew_weight > 0.0 ? sqrt(r->ew_sq / r->ew_weight) : (r->fitted > 0.0 ? r->s : (double)NAN),
            .w_bar = arx_w_bar(r),
            .w_step = arx_w_step(r),
            .w_more = r->w_more,
            .drift = fmax(r->track, 0.0),
            .drift_low = fmax(r->track_low, 0.0),
            .readings = r->readings,
            .misses = r->misses,
            .resets = r->resets,
            .contradictions = r->contradictions,
            .width = width,
            .sum1_infeasible = r->sum1_infeasible,
        };
}

void arx_row(const struct arx *m, size_t i, const double **ret_theta, const double **ret_lo, const double **ret_hi)
{
        size_t t0 = m->row[i].t0;
        if (ret_theta)
                *ret_theta = m->theta + t0;
        if (ret_lo)
                *ret_lo = m->lo + t0;
        if (ret_hi)
                *ret_hi = m->hi + t0;
}
