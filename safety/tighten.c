/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Groups, the worst-case rollout "this action for one step, then the backup", and the terminal box.
 *
 * Terminal box b of a group: b_i = limit for certified rows; for the other rows the group's model reads (supply air
 * temperatures) the largest value found by iterating downwards from above. It is kept only if one worst-case step from
 * b, with every lag at b, the backup in force and the worst disturbance d_max, stays in b. Then, all own and cross
 * coefficients being ≥ 0, every state in the box stays in it for ever under the backup.
 */
#include "safety/internal.h"

#include <math.h>
#include <string.h>

#define CERT_TOL 1e-9    /* rounding, unit of the output */
#define BOX_START 10.0   /* above the highest limit: where free rows start */
#define BOX_ITER_MAX 100 /* one-step evaluations per model set */

/* active[row] = 1 for certified rows and every row they read, directly or through others. */
static void closure(struct safety *s, const struct arx_structure *st)
{
        bool grew = true;
        memset(s->active, 0, s->env.ny);
        for (size_t i = 0; i < s->env.ncert; i++)
                s->active[s->env.cert[i].row] = 1;
        while (grew) {
                grew = false;
                for (size_t i = 0; i < st->ny; i++) {
                        for (size_t k = st->row_start[i]; s->active[i] && k < st->row_start[i + 1]; k++) {
                                const struct arx_term *t = &st->term[k];
                                if (t->src == ARX_SRC_Y && !s->active[t->index]) {
                                        s->active[t->index] = 1;
                                        grew = true;
                                }
                        }
                }
        }
}

/* Gives both ends of a term the smaller label; true when one changed. */
static bool join(size_t *a, size_t *b)
{
        bool differ = *a != *b;
        if (*a < *b)
                *b = *a;
        else
                *a = *b;
        return differ;
}

void tighten_groups(struct safety *s)
{
        const struct arx_structure *st = arx_structure(s->model);
        bool changed = true;
        closure(s, st);
        for (size_t i = 0; i < s->env.ny; i++)
                s->row_group[i] = s->active[i] ? i : SAFETY_NO_GROUP;
        for (size_t j = 0; j < s->env.nu; j++)
                s->u_group[j] = SAFETY_NO_GROUP;
        while (changed) {
                changed = false;
                for (size_t i = 0; i < s->env.ny; i++) {
                        for (size_t k = st->row_start[i]; s->active[i] && k < st->row_start[i + 1]; k++) {
                                const struct arx_term *t = &st->term[k];
                                if (t->src == ARX_SRC_Y || t->src == ARX_SRC_U)
                                        changed |= join(&s->row_group[i], t->src == ARX_SRC_Y ? &s->row_group[t->index]
                                                                                              : &s->u_group[t->index]);
                        }
                }
        }
        /* each label is the lowest row of its group: number the groups in that order */
        s->ngroup = 0;
        for (size_t i = 0; i < s->env.ny; i++) {
                if (s->row_group[i] != i)
                        continue;
                for (size_t r = i; r < s->env.ny; r++)
                        s->row_group[r] = s->row_group[r] == i ? s->ngroup : s->row_group[r];
                for (size_t j = 0; j < s->env.nu; j++)
                        s->u_group[j] = s->u_group[j] == i ? s->ngroup : s->u_group[j];
                s->ngroup++;
        }
}

/* The end of the box toward more cooling: what the terminal set counts on, also of a variable that is beyond it. */
static double end_of(const struct safety_u *u)
{
        return limits_full(u, u->nominal);
}

/* Synthetic window: every row the backup in force and d_max; units that are not confirmed running count as off. */
static void terminal_window(struct safety *s)
{
        const size_t nu = s->env.nu, nd = s->env.nd;
        for (size_t l = 0; l < s->lag_max; l++) {
                for (size_t j = 0; j < nu; j++)
                        s->syn_u[l * nu + j] =
                            s->env.u[j].kind == SAFETY_U_ONOFF ? s->env.u[j].lo : end_of(&s->env.u[j]);
                if (nd > 0)
                        memcpy(s->syn_d + l * nd, s->env.d_max, nd * sizeof(double));
        }
}

/* The argument needs coefficients ≥ 0 on outputs and disturbances, and a backup that moves every variable it reads. Of
 * one beyond its box, more cooling must not warm the row: then it may stay there or come back. */
static bool box_possible(const struct safety *s, const struct arx_structure *st, size_t i)
{
        const double *theta, *lo, *hi;
        const struct safety_u *u;
        arx_row(s->model, i, &theta, &lo, &hi);
        for (size_t k = st->row_start[i]; k < st->row_start[i + 1]; k++) {
                const struct arx_term *t = &st->term[k];
                if ((t->src == ARX_SRC_Y || t->src == ARX_SRC_D) && !(lo[k - st->row_start[i]] >= 0))
                        return false;
                if (t->src != ARX_SRC_U)
                        continue;
                u = &s->env.u[t->index];
                if (u->safe_dir == 0 ||
                    (limits_beyond(u, s->base[t->index]) &&
                     !(u->safe_dir > 0 ? hi[k - st->row_start[i]] <= 0 : lo[k - st->row_start[i]] >= 0)))
                        return false;
        }
        return true;
}

/* A warmer output never cools another. */
static bool cooperative(const struct safety *s, const struct arx_structure *st, size_t i)
{
        const double *theta, *lo, *hi;
        arx_row(s->model, i, &theta, &lo, &hi);
        for (size_t k = st->row_start[i]; k < st->row_start[i + 1]; k++) {
                if (st->term[k].src == ARX_SRC_Y && !(lo[k - st->row_start[i]] >= 0))
                        return false;
        }
        return true;
}

/* One worst-case step from the constant state box; fills y_up row 0. */
static void one_step(struct safety *s)
{
        struct arx_window w = {s->lag_max, s->syn_y, s->syn_u, s->syn_d};
        for (size_t l = 0; l < s->lag_max; l++)
                memcpy(s->syn_y + l * s->env.ny, s->box, s->env.ny * sizeof(double));
        arx_worst(s->model, &w, 1, s->syn_u, s->syn_d, 1, s->active, s->arx_work, s->y_up);
}

/* Upper limit of a certified row, NaN = free. */
static double limit_of(const struct safety *s, size_t row)
{
        for (size_t i = 0; i < s->env.ncert; i++) {
                if (s->env.cert[i].row == row)
                        return s->env.cert[i].hi;
        }
        return (double)NAN;
}

/* Any box with f(box) ≤ box will do: free rows start high and come down until the certified ones fit as well, or until
 * nothing comes down any more: then there is none. */
static void box_upper(struct safety *s)
{
        double top = -(double)INFINITY;
        bool fell = true;
        for (size_t i = 0; i < s->env.ncert; i++)
                top = fmax(top, s->env.cert[i].hi); /* fmax ignores NaN */
        for (size_t i = 0; i < s->env.ny; i++) {
                double hi = limit_of(s, i);
                s->box[i] = !isnan(hi) ? hi : isfinite(top) ? top + BOX_START : 0;
        }
        for (unsigned it = 0; fell && it < BOX_ITER_MAX; it++) {
                fell = false;
                one_step(s);
                for (size_t g = 0; g < s->ngroup; g++)
                        s->group[g].decided = true; /* its box stays: the next step decides alike */
                for (size_t i = 0; i < s->env.ny; i++) {
                        if (s->active[i] && !(s->y_up[i] <= s->box[i]))
                                s->group[s->row_group[i]].decided = false;
                }
                for (size_t i = 0; i < s->env.ny; i++) {
                        if (!s->active[i] || s->group[s->row_group[i]].decided || !isnan(limit_of(s, i)))
                                continue;
                        fell = fell || s->y_up[i] < s->box[i] - CERT_TOL;
                        s->box[i] = fmin(s->box[i], s->y_up[i]);
                }
        }
        for (size_t g = 0; g < s->ngroup; g++)
                s->group[g].invariant = s->group[g].invariant && s->group[g].decided;
}

void tighten_model(struct safety *s)
{
        const struct arx_structure *st = arx_structure(s->model);
        uint64_t hash = arx_hash(s->model);
        if (s->have_hash && hash == s->model_hash && !s->box_changed)
                return;
        s->have_hash = true;
        s->model_hash = hash;
        for (size_t i = 0; i < s->env.ny; i++)
                s->active[i] = s->row_group[i] != SAFETY_NO_GROUP;
        terminal_window(s);
        for (size_t g = 0; g < s->ngroup; g++) {
                s->group[g].invariant = s->env.horizon >= s->lag_max;
                s->group[g].cooperative = true;
        }
        for (size_t i = 0; i < s->env.ny; i++) {
                if (s->active[i] && !cooperative(s, st, i))
                        s->group[s->row_group[i]].cooperative = false;
                if (s->active[i] && !box_possible(s, st, i))
                        s->group[s->row_group[i]].invariant = false;
        }
        box_upper(s);
}

void tighten_observe(struct safety *s, const struct safety_snapshot *snap)
{
        double phi[ARX_TERMS_MAX];
        for (size_t g = 0; g < s->ngroup; g++) {
                struct group *p = &s->group[g];
                *p = (struct group){.chained = p->chained,
                                    .held = p->held,
                                    .invariant = p->invariant,
                                    .cooperative = p->cooperative,
                                    .comfortable = true,
                                    .dark = true,
                                    .blind_row = -1,
                                    .binding = -1,
                                    .margin = (double)NAN};
        }
        for (size_t i = 0; i < s->env.ny; i++) {
                struct group *g = s->row_group[i] != SAFETY_NO_GROUP ? &s->group[s->row_group[i]] : NULL;
                double y;
                s->row_bad[i] = interlock_reading(&s->env, snap, i, &y) != COND_TRUE;
                if (!g || (!s->row_bad[i] && arx_regressor(s->model, i, &snap->window, phi)))
                        continue;
                if (!g->blind || (s->row_bad[i] && !s->row_bad[g->blind_row]))
                        g->blind_row = (int)i;
                g->blind = true;
        }
        for (size_t i = 0; i < s->env.ncert; i++) {
                const struct safety_y *c = &s->env.cert[i];
                double y;
                if (interlock_reading(&s->env, snap, c->row, &y) != COND_TRUE)
                        continue;
                s->group[s->row_group[c->row]].dark = false;
                if (y > c->hi - c->soft_k - SAFETY_COMFORT)
                        s->group[s->row_group[c->row]].comfortable = false;
        }
}

bool tighten_reads(const struct safety *s, size_t g, size_t j)
{
        const struct arx_structure *st = arx_structure(s->model);
        for (size_t i = 0; i < s->env.ny; i++) {
                for (size_t k = st->row_start[i]; s->row_group[i] == g && k < st->row_start[i + 1]; k++) {
                        if (st->term[k].src == ARX_SRC_D && SAFETY_DRIVES(st->term[k].index) == s->env.u[j].drives_d)
                                return true;
                }
        }
        return false;
}

/* Inputs and disturbances of a rollout: act for one step, then the backup. Disturbances are the same in every step. */
static void fill_future(struct safety *s, const double *d_hi, const double *act)
{
        const size_t nu = s->env.nu, nd = s->env.nd, n = s->env.horizon;
        for (size_t k = 0; k < n && nd > 0; k++)
                memcpy(s->d_future + k * nd, d_hi, nd * sizeof(double));
        for (size_t j = 0; j < nu; j++) {
                const struct safety_u *u = &s->env.u[j];
                struct group *g = s->u_group[j] != SAFETY_NO_GROUP ? &s->group[s->u_group[j]] : NULL;
                double v = act[j];
                bool ramps = u->kind == SAFETY_U_CONTINUOUS && u->safe_dir != 0;
                if (u->kind == SAFETY_U_ONOFF)
                        v = fmin(v, s->base[j]); /* a start is not counted on before it is confirmed */
                else if (ramps && limits_less_cooling(u, limits_ramp(u, s->base[j]), v))
                        v = limits_ramp(u, s->base[j]);
                for (size_t k = 0; k < n && u->drives_d != SAFETY_NO_D;
                     k++) { /* colder water comes too late to count on */
                        double *d = &s->d_future[k * nd + u->drives_d - 1];
                        *d = v > *d ? v : *d;
                }
                for (size_t k = 0; k < n; k++) {
                        s->u_future[k * nu + j] = v;
                        if (ramps) {
                                double next = limits_more_of(u, v, limits_ramp(u, v));
                                ramps = next != v;
                                v = next;
                                if (ramps && g)
                                        g->steady = g->steady > k + 1 ? g->steady : k + 1;
                        }
                }
        }
}

/* What step k says of the groups: the least margins so far; whether one that is needed is lost, whether a row rose,
 * whether one is outside of the terminal box. */
static void look(struct safety *s, size_t k)
{
        const double *y = s->y_up + k * s->env.ny;
        for (size_t g = 0; g < s->ngroup; g++) {
                s->group[g].rose = k == 0; /* from what is measured to what is predicted is no fall */
                s->group[g].outside = false;
        }
        for (size_t i = 0; i < s->env.ny; i++) {
                struct group *p = s->active[i] ? &s->group[s->row_group[i]] : NULL;
                if (!p)
                        continue;
                p->rose = p->rose || !(y[i] <= s->y_up[(k - 1) * s->env.ny + i]);
                p->outside = p->outside || !(y[i] <= s->box[i] + CERT_TOL);
        }
        for (size_t i = 0; i < s->env.ncert; i++) {
                const struct safety_y *c = &s->env.cert[i];
                double m = c->hi - y[c->row];
                if (!s->active[c->row] || isnan(c->hi))
                        continue;
                if (!isnan(s->least[i]) && !(s->least[i] <= m)) { /* NaN stays */
                        s->least[i] = m;
                        s->when[i] = k;
                }
                if (!(s->least[i] >= s->group[s->row_group[c->row]].need - CERT_TOL))
                        s->group[s->row_group[c->row]].lost = true;
        }
}

/* True when what comes after step k cannot change what is said of group p: a margin that it needs is lost; or it has
 * settled (THEOREM.md): inputs stay from now on, no row rose in any of the last lag_max steps, and the terminal box is
 * reached where it counts. */
static bool told(const struct safety *s, const struct group *p, size_t k)
{
        const size_t lags = s->lag_max;
        return (p->lost && !p->blind) ||
               (p->cooperative && p->falls >= lags && k + 1 >= p->steady + lags && !(p->invariant && p->outside));
}

/* Ends the rollout of group g after step k. Of one that settled what was reached last bounds what follows as well; of
 * one that lost its margin nobody asks. */
static void stop(struct safety *s, size_t g, size_t k)
{
        const size_t ny = s->env.ny;
        s->group[g].rolling = false;
        for (size_t i = 0; i < ny; i++) {
                if (s->row_group[i] != g)
                        continue;
                s->active[i] = 0;
                for (size_t t = k + 1; t < s->env.horizon; t++)
                        s->y_up[t * ny + i] = s->y_up[k * ny + i];
        }
}

void tighten_window(struct safety *s, const struct safety_snapshot *snap)
{
        for (size_t i = 0; i < s->env.ny; i++)
                s->active[i] = s->row_group[i] != SAFETY_NO_GROUP;
        arx_rollout_begin(&s->rollout, s->model, &snap->window, s->env.horizon, 1, s->active, s->arx_work);
}

void tighten_rollout(struct safety *s, const double *d_hi, const double *act, bool all)
{
        size_t rolling = 0;
        for (size_t g = 0; g < s->ngroup; g++) {
                struct group *p = &s->group[g];
                p->rolling = all || !p->decided;
                p->lost = false;
                p->steady = p->falls = 0;
                rolling += p->rolling;
        }
        for (size_t i = 0; i < s->env.ny; i++)
                s->active[i] = s->row_group[i] != SAFETY_NO_GROUP && s->group[s->row_group[i]].rolling;
        for (size_t i = 0; i < s->env.ncert; i++)
                s->least[i] = s->active[s->env.cert[i].row] ? (double)INFINITY : s->least[i];
        fill_future(s, d_hi, act);
        for (size_t k = 0; k < s->env.horizon && rolling > 0; k++) {
                arx_rollout_step(&s->rollout, k, s->u_future, s->d_future, s->active, s->y_up + k * s->env.ny);
                look(s, k);
                for (size_t g = 0; g < s->ngroup; g++) {
                        struct group *p = &s->group[g];
                        p->falls = p->rose ? 0 : p->falls + 1;
                        if (!p->rolling || !told(s, p, k))
                                continue;
                        stop(s, g, k);
                        rolling--;
                }
        }
}

/* True when the backup is wholly in force for every lag at the end of the horizon. */
static bool at_backup(const struct safety *s, size_t g)
{
        const size_t n = s->env.horizon, first = s->lag_max > 2 ? n + 1 - s->lag_max : n - 1; /* n ≥ lag_max */
        for (size_t j = 0; j < s->env.nu; j++) {
                const struct safety_u *u = &s->env.u[j];
                if (s->u_group[j] != g || u->kind != SAFETY_U_CONTINUOUS)
                        continue;
                for (size_t k = first; k < n; k++) {
                        if (limits_less_cooling(u, s->u_future[k * s->env.nu + j], end_of(u)))
                                return false;
                }
        }
        return true;
}

static bool in_box(const struct safety *s, size_t g)
{
        for (size_t k = s->env.horizon - s->lag_max; k < s->env.horizon; k++) {
                for (size_t i = 0; i < s->env.ny; i++) {
                        if (s->row_group[i] == g && !(s->y_up[k * s->env.ny + i] <= s->box[i] + CERT_TOL))
                                return false;
                }
        }
        return true;
}

bool tighten_judge(struct safety *s, size_t g)
{
        struct group *p = &s->group[g];
        bool ok = true, box_due;
        p->margin = (double)INFINITY;
        p->binding = -1;
        for (size_t i = 0; i < s->env.ncert; i++) {
                double m = s->least[i];
                if (s->row_group[s->env.cert[i].row] != g || isnan(s->env.cert[i].hi))
                        continue;
                if (p->blind && (isnan(m) || s->row_bad[s->env.cert[i].row]))
                        continue;
                if (isnan(m))
                        m = -(double)INFINITY;
                ok = ok && m >= -CERT_TOL;
                if (m < p->margin) {
                        p->margin = m;
                        p->binding = (int)s->env.cert[i].row;
                }
        }
        /* the terminal box is asked for where it can be reached, and never given up once it was held; but where nothing
         * has a limit nothing needs it */
        box_due = p->invariant && !p->blind && (p->held || at_backup(s, g));
        p->terminal = ok && box_due && at_backup(s, g) && in_box(s, g);
        return ok && (p->terminal || !box_due || p->binding < 0);
}
