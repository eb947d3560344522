/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Set membership: each sample of a row leaves of its prior box the strip |target − zᵀc| ≤ w (z, c reduced as in fit.c;
 * the reference's own interval is one strip more). What is sought is the box around box ∩ strips, two linear programs
 * a coefficient. A quadratic program with a faint Hessian guesses their multipliers λ, and these prove the bound,
 * whatever they are (weak duality):
 *   eᵀc = λᵀZ c + (e − Zᵀλ)ᵀc ≤ Σ (λ_i target_i + |λ_i| w_i) + Σ_j max over box_j of (e − Zᵀλ)_j c_j
 * An empty set shows by a certificate that is checked without the solver. Of the strips the half is kept that the
 * multipliers ask for most: what is left out loosens the box, and is never wrong.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/arx/arx_private.h"
#include "models/num/num.h"
#include "models/num/qp.h"

#define STRIPS 64 /* of a row, at most */
#define KEEP (STRIPS / 2)
#define ROWS (STRIPS + 1) /* and the reference's interval */
#define FAINT 1e-4        /* Hessian, of coefficients in widths of their box */
#define ROUNDING 1e-12    /* relative, of all that is summed */
#define SUM_ROUNDING 1e-9 /* as arx_row_check_sum1 grants */

struct strips {
        size_t n;
        double w_max;          /* 0: this row has no membership */
        double *z;             /* [STRIPS × m] */
        double target[STRIPS]; /* |target − zᵀc| ≤ w */
        double w[STRIPS];      /* grows as the sample is forgotten */
        double use[STRIPS];    /* largest multiplier of the last programs */
};

struct arx_member {
        struct strips *row; /* [ny] */
        size_t turns, turn; /* programs of row i when i % turns == turn; turns 0: before each fit */
        bool pass;
        void *qp_mem;
        size_t qp_size;
        double *h, *a; /* [m²], [ROWS × m] */
};

/* The box around c of one row, in widths: c = lo + width x, 0 ≤ x ≤ 1. */
struct around {
        struct arx *m;
        const struct arx_row *r;
        struct strips *s;
        struct qp *qp;
        double lo[ARX_TERMS_MAX], width[ARX_TERMS_MAX], ones[ARX_TERMS_MAX];
        double group[ARX_TERMS_MAX]; /* Σ_group θ = groupᵀc */
        size_t rows;                 /* the strips, and the reference's interval last */
        double cl[ROWS], cu[ROWS];   /* in x */
};

static size_t round16(size_t n)
{
        return (n + 15) & ~(size_t)15;
}

static size_t widest(const struct arx_structure *st)
{
        size_t n = 1;
        for (size_t i = 0; i < st->ny; i++)
                if (st->row_start[i + 1] - st->row_start[i] > n)
                        n = st->row_start[i + 1] - st->row_start[i];
        return n;
}

size_t arx_member_memsize(const struct arx_structure *st)
{
        const size_t n = widest(st);
        return round16(sizeof(struct arx_member)) + round16(sizeof(struct strips) * st->ny) +
               round16(sizeof(double) * STRIPS * st->nterm) + round16(sizeof(double) * n * n) +
               round16(sizeof(double) * ROWS * n) + round16(qp_bytes(&(struct qp_dims){n, ROWS, 0}));
}

int arx_member_create(struct arx *m, void *mem, size_t size, const double *w_max, size_t turns)
{
        const struct arx_structure *st = &m->st;
        const size_t n = widest(st);
        char *at = mem;

        if (!mem || ((uintptr_t)mem & 15u) || size < arx_member_memsize(st))
                return -EINVAL;
        for (size_t i = 0; i < st->ny; i++)
                if (!(w_max[i] >= 0.0 && w_max[i] < 1e9) ||
                    (w_max[i] > 0.0 && !(num_all_finite(m->row[i].n, m->prior_lo + m->row[i].t0) &&
                                         num_all_finite(m->row[i].n, m->prior_hi + m->row[i].t0))))
                        return -EINVAL;

        struct arx_member *b = mem;
        memset(mem, 0, arx_member_memsize(st));
        at += round16(sizeof(*b));
        b->turns = turns;
        b->row = (struct strips *)(void *)at;
        at += round16(sizeof(struct strips) * st->ny);
        for (size_t i = 0; i < st->ny; i++) {
                b->row[i].w_max = w_max[i];
                b->row[i].z = (double *)(void *)at + STRIPS * m->row[i].t0;
        }
        at += round16(sizeof(double) * STRIPS * st->nterm);
        b->h = (double *)(void *)at;
        at += round16(sizeof(double) * n * n);
        b->a = (double *)(void *)at;
        at += round16(sizeof(double) * ROWS * n);
        b->qp_mem = at;
        b->qp_size = qp_bytes(&(struct qp_dims){n, ROWS, 0});
        m->member = b;
        for (size_t i = 0; i < st->ny; i++)
                arx_member_forget(m, i);
        return 0;
}

void arx_member_forget(struct arx *m, size_t i)
{
        const struct arx_row *r = &m->row[i];

        memcpy(m->box_lo + r->t0, m->prior_lo + r->t0, sizeof(double) * r->n);
        memcpy(m->box_hi + r->t0, m->prior_hi + r->t0, sizeof(double) * r->n);
        if (m->member)
                m->member->row[i].n = 0;
}

/* The programs of row i: box, strips, factor. False: the solver has no use for them. */
static bool set_up(struct arx *m, size_t i, struct around *p)
{
        const struct arx_row *r = &m->row[i];
        struct arx_member *b = m->member;
        double sum = 0.0, ref_lo = (double)-INFINITY, ref_hi = (double)INFINITY;
        size_t j = 0;

        *p = (struct around){.m = m, .r = r, .s = &b->row[i], .rows = b->row[i].n + 1};
        memset(b->h, 0, sizeof(double) * r->m * r->m);
        for (size_t k = 0; k < r->n; k++) {
                const size_t t = r->t0 + k;
                if (k == r->ref) {
                        ref_lo = m->prior_lo[t];
                        ref_hi = m->prior_hi[t];
                        continue;
                }
                p->lo[j] = m->prior_lo[t] * m->st.scale[t];
                p->width[j] = m->prior_hi[t] * m->st.scale[t] - p->lo[j];
                p->group[j] = m->st.term[t].sum1 ? 1.0 / m->st.scale[t] : 0.0;
                p->ones[j] = 1.0;
                b->h[j * r->m + j] = FAINT;
                b->a[p->s->n * r->m + j] = p->group[j] * p->width[j];
                sum += p->group[j] * p->lo[j];
                j++;
        }
        p->cl[p->s->n] = 1.0 - ref_hi - sum - SUM_ROUNDING;
        p->cu[p->s->n] = 1.0 - ref_lo - sum + SUM_ROUNDING;
        for (size_t q = 0; q < p->s->n; q++) {
                const double *strip = p->s->z + q * r->m, from = p->s->target[q] - num_dot(r->m, strip, p->lo);
                double size = 1.0 + fabs(p->s->target[q]), half;
                for (j = 0; j < r->m; j++) {
                        b->a[q * r->m + j] = strip[j] * p->width[j];
                        size += fabs(strip[j] * p->lo[j]);
                }
                half = p->s->w[q] + ROUNDING * size;
                p->cl[q] = from - half;
                p->cu[q] = from + half;
        }
        return qp_init(&(struct qp_dims){r->m, p->rows, 0}, b->qp_mem, b->qp_size, &p->qp) == 0 &&
               qp_factor(p->qp, b->h, b->a) == 0;
}

/* The largest eᵀx that multipliers lam [rows] prove. */
static double proven(const struct around *p, const double *e, const double *lam)
{
        const double *a = p->m->member->a;
        double rest[ARX_TERMS_MAX], sum = 0.0, size = 0.0;

        memcpy(rest, e, sizeof(double) * p->r->m);
        for (size_t q = 0; q < p->rows; q++) {
                if (lam[q] == 0.0)
                        continue;
                const double part = lam[q] * (lam[q] > 0.0 ? p->cu[q] : p->cl[q]);
                sum += part;
                size += fabs(part);
                for (size_t j = 0; j < p->r->m; j++) {
                        rest[j] -= lam[q] * a[q * p->r->m + j];
                        size += fabs(lam[q] * a[q * p->r->m + j]);
                }
        }
        for (size_t j = 0; j < p->r->m; j++)
                sum += fmax(rest[j], 0.0);
        return sum + ROUNDING * (size + 1.0);
}

/* ret: no point of the set has a larger eᵀx, e [m] with 1 its largest; false = the set is empty. */
static bool support(struct around *p, const double *e, double *ret)
{
        const struct qp_dims dims = {p->r->m, p->rows, 0};
        const struct qp_settings set = qp_settings_default();
        const double zero[ARX_TERMS_MAX] = {0.0}, none[ROWS] = {0.0};
        double g[ARX_TERMS_MAX];
        const struct qp_vectors v = {g, zero, p->ones, p->cl, p->cu, NULL, NULL};
        struct qp_result res;

        for (size_t j = 0; j < p->r->m; j++)
                g[j] = -e[j];
        *ret = proven(p, e, none);
        if (qp_solve(p->qp, &v, &set, &res) < 0)
                return true;
        if (res.status == QP_INFEASIBLE)
                return !(qp_certificate_radius(&dims, p->m->member->a, &v, res.certificate) >= (double)INFINITY);
        if (!res.lam_row)
                return true;
        for (size_t q = 0; q < p->s->n; q++)
                p->s->use[q] = fmax(p->s->use[q], fabs(res.lam_row[q]));
        *ret = fmin(*ret, proven(p, e, res.lam_row));
        return true;
}

/* θ_t = base + eᵀx: its box; e [m] is overwritten. */
static bool bound_term(struct around *p, size_t t, double base, double *e)
{
        struct arx *m = p->m;
        double unit = 0.0, up, down, rounding = ROUNDING * fabs(base);

        for (size_t j = 0; j < p->r->m; j++)
                unit = fmax(unit, fabs(e[j]));
        if (unit == 0.0) /* known beforehand */
                return true;
        for (size_t j = 0; j < p->r->m; j++)
                e[j] /= unit;
        if (!support(p, e, &up))
                return false;
        for (size_t j = 0; j < p->r->m; j++)
                e[j] = -e[j];
        if (!support(p, e, &down))
                return false;
        m->box_lo[t] = fmax(m->prior_lo[t], base - unit * down - rounding);
        m->box_hi[t] = fmin(m->prior_hi[t], base + unit * up + rounding);
        return m->box_lo[t] <= m->box_hi[t];
}

static void swap(double *a, double *b)
{
        const double v = *a;
        *a = *b;
        *b = v;
}

/* The KEEP strips with the largest multipliers stay; there are more. */
static void thin(struct strips *s, size_t m)
{
        for (size_t k = 0; k < KEEP; k++) {
                size_t best = k;
                for (size_t q = k + 1; q < s->n; q++)
                        if (s->use[q] > s->use[best])
                                best = q;
                swap(&s->target[k], &s->target[best]);
                swap(&s->w[k], &s->w[best]);
                swap(&s->use[k], &s->use[best]);
                for (size_t j = 0; j < m; j++)
                        swap(&s->z[k * m + j], &s->z[best * m + j]);
        }
        s->n = KEEP;
}

/* False when nothing of the set is left. */
static bool find_box(struct arx *m, size_t i)
{
        const struct arx_row *r = &m->row[i];
        struct around p;
        double e[ARX_TERMS_MAX] = {0.0};
        size_t j = 0;

        if (m->member->row[i].n == 0 || !set_up(m, i, &p))
                return true;
        memset(p.s->use, 0, sizeof(p.s->use));
        for (size_t k = 0; k < r->n; k++) {
                const size_t t = r->t0 + k;
                double base = p.lo[j] / m->st.scale[t];
                memset(e, 0, sizeof(double) * r->m);
                if (k != r->ref) {
                        e[j] = p.width[j] / m->st.scale[t];
                        j++;
                } else {
                        base = 1.0 - num_dot(r->m, p.group, p.lo);
                        for (size_t q = 0; q < r->m; q++)
                                e[q] = -p.group[q] * p.width[q];
                }
                if (!bound_term(&p, t, base, e))
                        return false;
        }
        return true;
}

/* All of the box explains it: nothing is learned from it. */
static bool covers(const struct arx *m, const struct arx_row *r, const double *z, double target, double w)
{
        double least = 0.0, most = 0.0;
        size_t j = 0;

        for (size_t k = 0; k < r->n; k++) {
                const size_t t = r->t0 + k;
                if (k == r->ref)
                        continue;
                const double zs = z[j++] * m->st.scale[t], a = zs * m->box_lo[t], b = zs * m->box_hi[t];
                least += fmin(a, b);
                most += fmax(a, b);
        }
        return most <= target + w && least >= target - w;
}

/* The box of row i; where the samples contradict bound or prior they are forgotten, and with them, at once, what they
 * had made of the set. */
static void box_or_nothing(struct arx *m, size_t i)
{
        if (find_box(m, i))
                return;
        m->row[i].contradictions++;
        arx_member_forget(m, i);
        if (m->row[i].fitted > 0.0) {
                m->memo->known = false;
                (void)arx_fit_row(m, i);
        }
}

void arx_member_before_fit(struct arx *m, size_t i)
{
        if (m->member && m->member->turns == 0)
                box_or_nothing(m, i);
}

void arx_member_turn(struct arx *m)
{
        struct arx_member *b = m->member;

        if (!b || b->turns == 0)
                return;
        for (size_t i = b->turn; i < m->st.ny; i += b->turns) {
                box_or_nothing(m, i);
                if (b->row[i].n > KEEP)
                        thin(&b->row[i], m->row[i].m);
        }
        b->turn = (b->turn + 1) % b->turns;
}

void arx_member_pass(struct arx *m, bool pass)
{
        if (m->member)
                m->member->pass = pass;
}

void arx_member_add(struct arx *m, size_t i, const double *z, double target)
{
        const struct arx_row *r = &m->row[i];
        struct strips *s;

        if (!m->member || !(m->member->row[i].w_max > 0.0))
                return;
        s = &m->member->row[i];
        for (size_t q = 0; q < s->n; q++)
                s->w[q] /= m->args.forget;
        if (m->member->pass || covers(m, r, z, target, s->w_max))
                return;
        if (s->n == STRIPS) {
                box_or_nothing(m, i);
                if (s->n == STRIPS)
                        thin(s, r->m);
        }
        memcpy(s->z + s->n * r->m, z, sizeof(double) * r->m);
        s->target[s->n] = target;
        s->w[s->n++] = s->w_max;
}
