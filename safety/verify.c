/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The second checker. It judges a finished, quantised action from its own copy of the envelope, with its own timers and
 * its own one-step worst case over the model set; it calls no function of the filter. It refuses or passes, it never
 * changes a value. Kept deliberately plain: read it next to safety.h, not next to filter.c.
 */
#include "safety/internal.h"

#include <math.h>
#include <string.h>

#define TOL 1e-6    /* K: rounding between the two computations of the same bound */
#define RELIEF 1.10 /* water of those that run, of their need: below it one may stop for the others */

struct unit {
        bool known, ordered, runs;
        bool told;                           /* whether it runs was known once; runs: as it was then */
        bool heard;                          /* reported running just now */
        bool awaited;                        /* a start was ordered and the machine has not been seen to run since */
        double up_s, down_s;                 /* last change of order or status that way */
        double started_s[SAFETY_STARTS_MAX]; /* unordered; the oldest is replaced */
};

struct verifier {
        struct safety_envelope env;
        const struct arx *model;
        struct unit *unit; /* [nu] */
        double *have;      /* [nu] what the plant has, inside the box or not */
        double *previous;  /* [nu] last decision */
        uint8_t *stuck;    /* [nu] the variable cannot be moved now */
        uint8_t *reach;    /* [ncert × nu] variable can move output */
        uint8_t *visited;  /* [ny] create only */
        bool decided_before;
};

static size_t round16(size_t n)
{
        return (n + 15) / 16 * 16;
}

static void *slice(char **at, size_t n)
{
        void *p = *at;
        *at += round16(n);
        return p;
}

size_t verify_memsize(const struct safety_envelope *e, const struct arx_structure *st)
{
        return round16(sizeof(struct verifier)) + round16(e->nu * sizeof(struct safety_u)) +
               round16(e->ncert * sizeof(struct safety_y)) + round16(e->nlift * sizeof(struct safety_lift)) +
               round16(e->nu * sizeof(struct unit)) + 2 * round16(e->nu * sizeof(double)) + round16(e->nu) +
               round16(e->ncert * e->nu) + round16(st->ny);
}

static void fill_reach(struct verifier *v, const struct arx_structure *st, size_t i)
{
        bool again = true;
        memset(v->visited, 0, st->ny);
        v->visited[v->env.cert[i].row] = 1;
        while (again) {
                again = false;
                for (size_t r = 0; r < st->ny; r++) {
                        if (!v->visited[r])
                                continue;
                        for (size_t k = st->row_start[r]; k < st->row_start[r + 1]; k++) {
                                const struct arx_term *t = &st->term[k];
                                if (t->src == ARX_SRC_U)
                                        v->reach[i * v->env.nu + t->index] = 1;
                                for (size_t j = 0; t->src == ARX_SRC_D && j < v->env.nu; j++) {
                                        if (v->env.u[j].drives_d == SAFETY_DRIVES(t->index))
                                                v->reach[i * v->env.nu + j] = 1;
                                }
                                if (t->src == ARX_SRC_Y && !v->visited[t->index])
                                        v->visited[t->index] = again = true;
                        }
                }
        }
}

static void forget_unit(struct unit *q)
{
        *q = (struct unit){0};
        for (size_t i = 0; i < SAFETY_STARTS_MAX; i++)
                q->started_s[i] = -(double)INFINITY;
}

/* mem is zeroed */
struct verifier *verify_create(void *mem, const struct safety_envelope *e, const struct arx *model)
{
        const struct arx_structure *st = arx_structure(model);
        char *at = mem;
        struct verifier *v = slice(&at, sizeof(*v));
        struct safety_u *u = slice(&at, e->nu * sizeof(*u));
        struct safety_y *cert = slice(&at, e->ncert * sizeof(*cert));
        struct safety_lift *lift = slice(&at, e->nlift * sizeof(*lift));
        memcpy(u, e->u, e->nu * sizeof(*u));
        memcpy(cert, e->cert, e->ncert * sizeof(*cert));
        v->env = *e;
        v->env.u = u;
        v->env.cert = cert;
        for (size_t i = 0; i < e->nlift; i++)
                lift[i] = e->lift[i];
        v->env.lift = lift;
        v->model = model;
        v->unit = slice(&at, e->nu * sizeof(*v->unit));
        v->have = slice(&at, e->nu * sizeof(double));
        v->previous = slice(&at, e->nu * sizeof(double));
        v->stuck = slice(&at, e->nu);
        v->reach = slice(&at, e->ncert * e->nu);
        v->visited = slice(&at, st->ny);
        for (size_t i = 0; i < e->ncert; i++)
                fill_reach(v, st, i);
        for (size_t j = 0; j < e->nu; j++)
                forget_unit(&v->unit[j]);
        return v;
}

static void add_start(struct unit *q, double at_s)
{
        size_t oldest = 0;
        for (size_t i = 1; i < SAFETY_STARTS_MAX; i++) {
                if (q->started_s[i] < q->started_s[oldest])
                        oldest = i;
        }
        q->started_s[oldest] = at_s;
}

static double starts_left(const struct unit *q, const struct safety_u *u, double mono_s)
{
        double left = floor(u->max_starts_per_h);
        for (size_t i = 0; i < SAFETY_STARTS_MAX; i++)
                left -= mono_s - q->started_s[i] < 3600 ? 1 : 0;
        return left;
}

/* heard: it reports that it runs; runs: as far as anyone knows. Ordered on again unheard, it may have stopped between.
 */
static void watch_unit(struct unit *q, const struct safety_u *u, bool ordered, bool runs, bool heard, double mono_s)
{
        const bool up = (ordered && !q->ordered) || (runs && !q->runs);
        const bool down = (q->ordered && !ordered) || (q->runs && !runs);

        if (!q->known) {
                for (unsigned n = 2; n <= u->max_starts_per_h; n++)
                        add_start(q, mono_s);
                q->awaited = ordered && !runs;
        } else if (ordered && !q->ordered && !(q->heard && heard)) {
                add_start(q, mono_s);
                q->awaited = !heard;
        } else if (heard && q->awaited) {
                size_t newest = 0; /* this is the start that was ordered: it counts from now */
                for (size_t i = 1; i < SAFETY_STARTS_MAX; i++) {
                        if (q->started_s[i] > q->started_s[newest])
                                newest = i;
                }
                q->started_s[newest] = mono_s;
                q->awaited = false;
        } else if (runs && !q->runs) {
                add_start(q, mono_s);
        }
        if (up || !q->known || q->up_s > mono_s)
                q->up_s = mono_s;
        if (down || !q->known || q->down_s > mono_s)
                q->down_s = mono_s;
        q->known = true;
        q->ordered = ordered;
        q->runs = runs;
        q->heard = heard;
}

void verify_observe(struct verifier *v, const struct safety_snapshot *snap)
{
        for (size_t j = 0; j < v->env.nu; j++) {
                const struct safety_u *u = &v->env.u[j];
                double now = v->decided_before ? v->previous[j] : u->nominal;
                if (snap->u_confirmed && isfinite(snap->u_confirmed[j]))
                        now = snap->u_confirmed[j];
                v->have[j] = u->kind == SAFETY_U_ONOFF ? now >= 0.5 : now;
                v->stuck[j] = snap->u_fixed && snap->u_fixed[j];
                if (u->kind == SAFETY_U_ONOFF) {
                        const bool told = snap->onoff_status && snap->onoff_status[j] != 255;
                        const bool runs = told ? snap->onoff_status[j] == 1 : v->unit[j].runs;
                        watch_unit(&v->unit[j], u, v->have[j] == 1, runs, told && runs, snap->mono_s);
                        v->unit[j].told = v->unit[j].told || told;
                }
        }
}

void verify_decided(struct verifier *v, const double *act)
{
        memcpy(v->previous, act, v->env.nu * sizeof(double));
        v->decided_before = true;
}

/* The units that run are about to trip for want of water: one may stop whatever the load, if another one stays and no
 * other one is on its way out. */
static bool short_of_water(const struct verifier *v, const struct safety_snapshot *snap, const double *act)
{
        double need = 0;
        size_t leave = 0;
        bool stays = false;
        for (size_t k = 0; snap->onoff_status && k < v->env.nu; k++) {
                const bool runs = snap->onoff_status[k] == 1;
                if (v->env.u[k].kind != SAFETY_U_ONOFF)
                        continue;
                need += runs ? v->env.u[k].min_flow_m3s : 0;
                stays = stays || (runs && act[k] == 1);
                leave += act[k] == 0 && (runs || v->have[k] == 1);
        }
        return stays && leave == 1 && snap->evap_flow_m3s < need * RELIEF;
}

static bool stop_allowed(const struct verifier *v, const struct safety_snapshot *snap, const double *act, size_t j)
{
        const struct unit *q = &v->unit[j];
        double left_w = 0, slowest = (double)INFINITY; /* of those that stay: what they carry, what change they take */
        if (snap->mono_s - q->up_s < v->env.u[j].min_on_s || starts_left(q, &v->env.u[j], snap->mono_s) < 1)
                return false;
        if (v->env.u[j].min_flow_m3s > 0 && short_of_water(v, snap, act) && snap->onoff_status[j] == 1)
                return true;
        if (!v->env.u[j].fast && !snap->slow_step)
                return false;
        for (size_t k = 0; k < v->env.nu; k++) {
                if (v->env.u[k].kind == SAFETY_U_ONOFF && act[k] == 1 && v->have[k] == 1 && snap->onoff_status &&
                    snap->onoff_status[k] == 1) {
                        left_w += v->env.u[k].capacity_w;
                        if (v->env.u[k].max_flow_ramp_per_min > 0)
                                slowest = fmin(slowest, v->env.u[k].max_flow_ramp_per_min);
                }
        }
        if (snap->evap_flow_ramp_per_min > slowest) /* of any that reports running; unknown: none waits */
                return false;
        return left_w > 0 && left_w >= snap->cooling_load_w * (1 + v->env.capacity_margin);
}

/* Enough water for unit j and those that run or may be about to. Alone it may always start; a flow that nobody knows
 * stops nobody. */
static bool water_for(const struct verifier *v, const struct safety_snapshot *snap, const double *act, size_t j)
{
        double others = 0;
        for (size_t k = 0; k < v->env.nu; k++) {
                const struct unit *q = &v->unit[k];
                const bool runs = q->told ? q->runs : q->ordered; /* as far as anyone knows */
                const bool starts = act[k] == 1 && (v->have[k] == 0 || snap->mono_s - q->up_s < SAFETY_START_S);
                if (v->env.u[k].kind == SAFETY_U_ONOFF && k != j && (runs || starts))
                        others += v->env.u[k].min_flow_m3s;
        }
        if (v->env.u[j].min_flow_m3s == 0 || others == 0 || isnan(snap->chw_flow_m3s))
                return true;
        return snap->chw_flow_m3s >= (others + v->env.u[j].min_flow_m3s) * (1 + v->env.capacity_margin);
}

static bool onoff_allowed(const struct verifier *v, const struct safety_snapshot *snap, const double *act, size_t j)
{
        const struct unit *q = &v->unit[j];
        bool was = v->have[j] == 1;
        if (act[j] != 0 && act[j] != 1)
                return false;
        if ((act[j] == 1) == was)
                return true;
        if (was)
                return stop_allowed(v, snap, act, j);
        return snap->mono_s - q->down_s >= v->env.u[j].min_off_s && starts_left(q, &v->env.u[j], snap->mono_s) >= 1 &&
               water_for(v, snap, act, j);
}

/* The last value that the register has on that side of the box. */
static double edge(const struct safety_u *u, bool upper)
{
        double at = upper ? u->hi : u->lo, count;
        if (u->step == 0)
                return at;
        count = (at - u->origin) / u->step;
        return u->origin + u->step * (upper ? floor(count + 1e-9) : ceil(count - 1e-9));
}

/* What the plant has lies beyond the box, and not on the side from where the box is more cooling. */
static bool outside(const struct verifier *v, size_t j)
{
        const struct safety_u *u = &v->env.u[j];
        return (u->safe_dir <= 0 && v->have[j] < edge(u, false)) || (u->safe_dir >= 0 && v->have[j] > edge(u, true));
}

/* Certified output i is read and clear of its soft limit. */
static bool clear_of_soft(const struct verifier *v, const struct safety_snapshot *snap, size_t i)
{
        const struct safety_y *c = &v->env.cert[i];
        const double limit = (isnan(c->hi) ? c->trip : c->hi) - c->soft_k - SAFETY_COMFORT;
        double y;
        if (!snap->y_ok || snap->y_ok[c->row] != COND_TRUE || snap->window.n == 0)
                return false;
        y = snap->window.y[(snap->window.n - 1) * v->env.ny + c->row];
        return isfinite(y) && y <= limit;
}

/* All of them are: nothing is so hot that a soft floor has to give way. */
static bool cool(const struct verifier *v, const struct safety_snapshot *snap)
{
        for (size_t i = 0; i < v->env.ncert; i++) {
                if (!clear_of_soft(v, snap, i))
                        return false;
        }
        return true;
}

/* The value of the register that the plant has; beside the grid the one below. step > 0. */
static double register_below(const struct safety_u *u, double v)
{
        return u->origin + u->step * floor((v - u->origin) / u->step + SAFETY_SNAP);
}

/* Not colder than a floor of this step, or than what the plant has where that is colder. */
static bool above_floor(const struct verifier *v, const struct safety_snapshot *snap, double a, size_t j)
{
        const struct safety_u *u = &v->env.u[j];
        double floor_c = -(double)INFINITY, now = v->have[j];
        if (u->safe_dir != -1)
                return true;
        if (snap->u_floor && snap->u_floor[j] > floor_c && cool(v, snap))
                floor_c = snap->u_floor[j];
        if (snap->no_colder_water && !u->fast)
                floor_c = (double)INFINITY;
        if (u->step > 0)
                now = register_below(u, now);
        return a >= fmin(fmin(floor_c, now), edge(u, true)) - 1e-9 * (1 + fabs(a));
}

static bool continuous_allowed(const struct verifier *v, const struct safety_snapshot *snap, double a, size_t j)
{
        const struct safety_u *u = &v->env.u[j];
        double tol = 2 * SAFETY_SNAP * u->step + SAFETY_FLOAT * (1 + fabs(v->have[j])), change = a - v->have[j];
        if (change == 0 && outside(v, j))
                return true; /* stays: nothing is written */
        if (!(a >= u->lo && a <= u->hi) || !above_floor(v, snap, a, j))
                return false;
        if (u->step > 0 && !(fabs(u->origin + round((a - u->origin) / u->step) * u->step - a) <= 1e-9 * (1 + fabs(a))))
                return false;
        if (u->safe_dir * change >= 0 && u->safe_dir != 0)
                return true; /* more cooling, or no change */
        /* without a direction and beside the grid, the value below is as near to no change as there is one */
        if (fabs(change) <= tol ||
            (u->safe_dir == 0 && u->step > 0 && fabs(a - register_below(u, v->have[j])) <= 1e-9 * (1 + fabs(a))))
                return true;
        if (u->unseen && !(a <= u->nominal + tol && cool(v, snap)))
                return false;
        if (!u->fast && !snap->slow_step)
                return false;
        if (!u->fast && snap->no_warmer_water && change > 0) /* no fan: more of one has passed above */
                return false;
        return fabs(change) <= u->rate * (1 + 1e-9) + tol;
}

/* The worst of disturbance d over the step: not below a setpoint that it follows. */
static double disturbance(const struct verifier *v, const struct safety_snapshot *snap, size_t d, const double *act)
{
        double worst = snap->d_hi[d];
        for (size_t j = 0; j < v->env.nu; j++) {
                if (v->env.u[j].drives_d == SAFETY_DRIVES(d) && act[j] > worst)
                        worst = act[j];
        }
        return worst;
}

static double regressor(const struct verifier *v, const struct safety_snapshot *snap, const struct arx_term *t,
                        const double *act)
{
        const struct arx_window *w = &snap->window;
        size_t r;
        if (t->src == ARX_SRC_ONE)
                return 1;
        if (t->lag > w->n)
                return (double)NAN;
        r = w->n - t->lag;
        if (t->src == ARX_SRC_Y)
                return w->y[r * v->env.ny + t->index];
        if (t->src == ARX_SRC_U)
                return t->lag > 1 ? w->u[r * v->env.nu + t->index] : act[t->index];
        return t->lag > 1 ? w->d[r * v->env.nd + t->index] : disturbance(v, snap, t->index, act);
}

/* max Σ θ_k x_k over lo ≤ θ ≤ hi and Σ θ = 1: start at lo, spend what is left on the largest x first. hi is used up.
 * A set whose sums cannot meet 1 is taken without that condition, which only widens it. */
static double sum1_max(size_t n, const double *x, const double *lo, double *hi)
{
        double sum_lo = 0, sum_hi = 0, value = 0, boxed = 0, left;
        for (size_t k = 0; k < n; k++) {
                sum_lo += lo[k];
                sum_hi += hi[k];
                value += lo[k] * x[k];
                boxed += x[k] > 0 ? hi[k] * x[k] : lo[k] * x[k];
        }
        if (!(sum_lo <= 1 + 1e-9 && sum_hi >= 1 - 1e-9) || !isfinite(sum_lo))
                return boxed;
        left = 1 - sum_lo;
        for (size_t turn = 0; turn < n && left > 0; turn++) {
                size_t best = n;
                double room;
                for (size_t k = 0; k < n; k++) {
                        if (hi[k] > lo[k] && (best == n || x[k] > x[best]))
                                best = k;
                }
                if (best == n)
                        break;
                room = fmin(hi[best] - lo[best], left);
                value += room * x[best];
                left -= room;
                hi[best] = lo[best];
        }
        return value;
}

/* Value of a term at row r of the window, as it was then. */
static double seen(const struct verifier *v, const struct arx_window *w, const struct arx_term *t, size_t r)
{
        if (t->src == ARX_SRC_ONE)
                return 1;
        if (t->lag > r + 1)
                return (double)NAN;
        r -= t->lag - 1u;
        return t->src == ARX_SRC_Y   ? w->y[r * v->env.ny + t->index]
               : t->src == ARX_SRC_U ? w->u[r * v->env.nu + t->index]
                                     : w->d[r * v->env.nd + t->index];
}

/* Mean regressor and mean outcome of the row over the window's transitions; NaN when it shows none whole. */
static void recent(const struct verifier *v, const struct arx_window *w, size_t row, double *ret_phi, double *ret_y)
{
        const struct arx_structure *st = arx_structure(v->model);
        size_t n = st->row_start[row + 1] - st->row_start[row], count = 0;
        double y = 0;
        memset(ret_phi, 0, n * sizeof(double));
        for (size_t r = 0; r + 1 < w->n; r++) {
                bool whole = isfinite(w->y[(r + 1) * v->env.ny + row]);
                for (size_t k = 0; k < n; k++)
                        whole = whole && isfinite(seen(v, w, &st->term[st->row_start[row] + k], r));
                if (!whole)
                        continue;
                for (size_t k = 0; k < n; k++)
                        ret_phi[k] += seen(v, w, &st->term[st->row_start[row] + k], r);
                y += w->y[(r + 1) * v->env.ny + row];
                count++;
        }
        const double seen_n = count > 0 ? (double)count : (double)NAN;
        for (size_t k = 0; k < n; k++)
                ret_phi[k] /= seen_n;
        *ret_y = y / seen_n;
}

/* Largest y of the row after one step of act, over the model set and the noise; `from_recent`: counted from the
 * mean of the transitions just seen, which every model of the set explains up to w_bar. */
static double one_step_bound(const struct verifier *v, const struct safety_snapshot *snap, size_t row,
                             const double *act, bool from_recent)
{
        const struct arx_structure *st = arx_structure(v->model);
        const double *theta, *lo, *hi;
        double gx[ARX_TERMS_MAX], glo[ARX_TERMS_MAX], ghi[ARX_TERMS_MAX]; /* the sum-to-one group */
        struct arx_row_info info;
        double phi[ARX_TERMS_MAX], y = 0, sum = 0;
        size_t n = 0;
        arx_row(v->model, row, &theta, &lo, &hi);
        arx_row_info(v->model, row, &info);
        if (from_recent)
                recent(v, &snap->window, row, phi, &y);
        for (size_t k = st->row_start[row]; k < st->row_start[row + 1]; k++) {
                size_t o = k - st->row_start[row];
                double x = regressor(v, snap, &st->term[k], act) - (from_recent ? phi[o] : 0);
                if (!isfinite(x))
                        return (double)NAN;
                if (st->term[k].sum1) {
                        gx[n] = x;
                        glo[n] = lo[o];
                        ghi[n++] = hi[o];
                } else if (x != 0) {
                        sum += x > 0 ? hi[o] * x : lo[o] * x;
                }
        }
        return sum + sum1_max(n, gx, glo, ghi) + (from_recent ? 2 * info.w_bar + y : info.w_bar);
}

/* Where the model set may be read that way, both bounds hold and the tighter counts; NaN when none can be computed. */
static double bound(const struct verifier *v, const struct safety_snapshot *snap, size_t row, const double *act)
{
        double from_zero = one_step_bound(v, snap, row, act, false);
        return arx_anchored(v->model) ? fmin(from_zero, one_step_bound(v, snap, row, act, true)) : from_zero;
}

/* Certified row i would stay inside its limit for one step, whatever the model in the set. */
static bool row_inside(const struct verifier *v, const struct safety_snapshot *snap, const double *act, size_t i)
{
        const struct safety_y *c = &v->env.cert[i];
        return isnan(c->hi) || bound(v, snap, c->row, act) <= c->hi + TOL;
}

/* Variable j cools at least as much as now; where readings are comfortable, or at least as much as the plant on its own
 * (A7 in THEOREM.md). */
static bool known_safe(const struct verifier *v, double a, size_t j, bool comfortable)
{
        const struct safety_u *u = &v->env.u[j];
        double now = v->have[j], tol = 2 * SAFETY_SNAP * u->step + SAFETY_FLOAT * (1 + fabs(now));
        double own = fmin(fmax(u->nominal, edge(u, false)), edge(u, true));
        if (u->safe_dir == 0)
                return a >= fmin(now, own) - u->step - tol && a <= fmax(now, own) + u->step + tol;
        return u->safe_dir * (a - now) >= -tol || (comfortable && u->safe_dir * (a - own) >= -tol);
}

/* Where variable j is when nothing moves: what the plant has, inside the box where it has to go there. */
static double still(const struct verifier *v, size_t j)
{
        const struct safety_u *u = &v->env.u[j];
        return v->stuck[j] || outside(v, j) ? v->have[j] : fmin(fmax(v->have[j], edge(u, false)), edge(u, true));
}

/* How much of what those that report running can carry nobody asks for; 0 where load or machines are not known. */
static double spare_share(const struct verifier *v, const struct safety_snapshot *snap)
{
        double able_w = 0;
        for (size_t k = 0; snap->onoff_status && k < v->env.nu; k++)
                able_w += v->env.u[k].kind == SAFETY_U_ONOFF && snap->onoff_status[k] == 1 ? v->env.u[k].capacity_w : 0;
        if (!(snap->cooling_load_w >= 0 && snap->cooling_load_w < able_w))
                return 0;
        return 1 - snap->cooling_load_w / able_w;
}

/* By how much what the plant has of variable j may be another value of its register: a count where it lies between two
 * of them and goes to one; what stays gains nothing, or it would again at every step. */
static double rounding(const struct verifier *v, size_t j)
{
        const struct safety_u *u = &v->env.u[j];
        const double at = u->step > 0 ? (v->have[j] - u->origin) / u->step : 0, off = fabs(at - round(at));
        const bool goes = off > SAFETY_SNAP && !v->stuck[j] && !outside(v, j);
        return (goes ? 1 : fmin(off, SAFETY_SNAP)) * u->step + SAFETY_FLOAT * (1 + fabs(v->have[j]));
}

/* Lift inside its bounds, or no farther outside than when nothing moves, but for rounding: with both setpoints as
 * ordered, and with one of them still where it is. */
static bool lift_allowed(const struct verifier *v, const struct safety_snapshot *snap, const double *act,
                         const struct safety_lift *p)
{
        const double greatest = p->max_k - p->surge_less_k * spare_share(v, snap);
        const double cw = still(v, p->cw), chw = still(v, p->chw), now = cw - chw;
        const double least = fmin(cw, act[p->cw]) - fmax(chw, act[p->chw]);
        const double most = fmax(cw, act[p->cw]) - fmin(chw, act[p->chw]);
        const double off = rounding(v, p->cw) + rounding(v, p->chw) + TOL;
        return (least >= p->min_k - TOL || least >= now - off) && (most <= greatest + TOL || most <= now + off);
}

bool verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act)
{
        for (size_t j = 0; j < v->env.nu; j++) {
                if (v->stuck[j]                               ? act[j] != v->have[j]
                    : v->env.u[j].kind == SAFETY_U_CONTINUOUS ? !continuous_allowed(v, snap, act[j], j)
                                                              : !onoff_allowed(v, snap, act, j))
                        return false;
        }
        for (size_t i = 0; i < v->env.nlift; i++) {
                if (!lift_allowed(v, snap, act, &v->env.lift[i]))
                        return false;
        }
        for (size_t i = 0; i < v->env.ncert; i++) {
                if (row_inside(v, snap, act, i))
                        continue;
                for (size_t j = 0; j < v->env.nu; j++) {
                        if (v->reach[i * v->env.nu + j] && !known_safe(v, act[j], j, clear_of_soft(v, snap, i)))
                                return false;
                }
        }
        return true;
}

void verify_restore(struct verifier *v, double mono_s, double elapsed_s, const double *buf, size_t n)
{
        if (n != 1 + v->env.nu * SAFETY_STATE_PER_U || buf[0] != 1)
                return;
        for (size_t j = 0; j < v->env.nu; j++) {
                const double *b = buf + 1 + j * SAFETY_STATE_PER_U;
                forget_unit(&v->unit[j]);
                if (b[0] != 1 || !(b[4] >= 0 && b[5] >= 0))
                        continue;
                v->unit[j].known = true;
                v->unit[j].ordered = b[1] != 0;
                v->unit[j].runs = b[2] == 1;
                v->unit[j].told = b[2] != 2;
                v->unit[j].awaited = b[3] == 0 && b[1] != 0;
                v->unit[j].up_s = mono_s - elapsed_s - b[4];
                v->unit[j].down_s = mono_s - elapsed_s - b[5];
                for (size_t i = 0; i < SAFETY_STARTS_MAX; i++) {
                        if (b[6 + i] >= 0)
                                add_start(&v->unit[j], mono_s - elapsed_s - b[6 + i]);
                }
        }
}
