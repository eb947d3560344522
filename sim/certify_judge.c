/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What may reach an actuator, judged apart from safety/: no code is shared with what is being tested. */
#include "sim/certify.h"

#include <math.h>
#include <time.h>

#define ROUNDING 1e-9
#define START_S 300.0 /* so long after its order a unit may be about to run (safety.h: starts beside another) */
#define RELIEF 1.10   /* of the least water of those that run */
#define CLOCKS 1e-6   /* s: of what two clocks round */
#define COMFORT_K 0.5 /* below the soft limit: soft floors stand */

static bool on_grid(const struct safety_u *u, double v)
{
        double k = u->step > 0 ? round((v - u->origin) / u->step) : 0;

        return u->step == 0 || fabs(u->origin + k * u->step - v) <= ROUNDING * (1 + fabs(v));
}

/* First and last value of the box that the register has. */
static double end(const struct safety_u *u, bool upper)
{
        double k = u->step > 0 ? ((upper ? u->hi : u->lo) - u->origin) / u->step : 0;

        if (u->step == 0)
                return upper ? u->hi : u->lo;
        return u->origin + u->step * (upper ? floor(k + ROUNDING) : ceil(k - ROUNDING));
}

/* The plant has it beyond the box, and going there would not be more cooling: it may stay, and nothing is written. */
static bool beyond(const struct safety_u *u, double was)
{
        return (u->safe_dir <= 0 && was < end(u, false)) || (u->safe_dir >= 0 && was > end(u, true));
}

/* One rate toward less cooling, either way without a direction, and what rounding adds: one count without a direction,
 * else what a read-back is off the grid; and what a single-precision register rounds: a value that is a bound but for
 * that is the bound (SAFETY_FLOAT in safety/internal.h). */
static bool over_rate(const struct safety_u *u, double v, double was)
{
        const double single = 1e-7 * (1 + fabs(was));

        if (u->safe_dir == 0)
                return !(fabs(v - was) <= u->rate + 1.001 * u->step + single);
        return !(u->safe_dir * (v - was) >= -(u->rate * (1 + ROUNDING) + 2e-3 * u->step + single));
}

uint64_t certify_judge_value(const struct safety_u *u, double v, double was, struct certify_illegal *n)
{
        const bool finite = isfinite(v), box = v >= u->lo && v <= u->hi,
                   rate = u->kind == SAFETY_U_CONTINUOUS && over_rate(u, v, was);

        if (u->kind == SAFETY_U_CONTINUOUS && v == was && beyond(u, was))
                return 0;
        n->not_finite += !finite;
        n->box += !box;
        n->rate += rate;
        n->grid += finite && !on_grid(u, v);
        return !finite || !box || rate || !on_grid(u, v);
}

void certify_judge_forget(const struct safety_u *u, bool on, double now_s, struct certify_automaton *q)
{
        const struct certify_automaton kept = *q;

        *q = (struct certify_automaton){.on = on, .since_s = now_s, .turns = kept.turns};
        for (unsigned k = 2; k <= u->max_starts_per_h; k++)
                q->start_s[q->starts++] = now_s;
}

uint64_t certify_judge_unit(const struct safety_u *u, double v, double now_s, struct certify_automaton *q,
                            struct certify_illegal *n)
{
        const size_t kept = sizeof(q->start_s) / sizeof(q->start_s[0]);
        const bool on = v >= 0.5;
        bool bad;

        if (on == q->on)
                return 0;
        bad = now_s - q->since_s < (on ? u->min_off_s : u->min_on_s) - CLOCKS;
        if (on && !q->turns) {
                unsigned in_hour = 0;

                q->start_s[q->starts++ % kept] = now_s;
                for (size_t i = 0; i < kept && i < q->starts; i++)
                        in_hour += now_s - q->start_s[i] < 3600 - CLOCKS;
                bad = bad || in_hour > u->max_starts_per_h;
        }
        q->on = on;
        q->since_s = now_s;
        n->automaton += bad;
        return bad;
}

static bool fixed(const struct certify_move *m, size_t j)
{
        return m->snap->u_fixed && m->snap->u_fixed[j];
}

static bool runs(const struct certify_move *m, size_t k)
{
        return m->env->u[k].kind == SAFETY_U_ONOFF && m->snap->onoff_status && m->snap->onoff_status[k] == 1;
}

/* Every certified reading is there and clear of its soft limit. */
static bool cool(const struct certify_move *m)
{
        const struct arx_window *w = &m->snap->window;

        for (size_t i = 0; i < m->env->ncert; i++) {
                const struct safety_y *c = &m->env->cert[i];
                const double y = w->y[(w->n - 1) * m->env->ny + c->row], hard = isnan(c->hi) ? c->trip : c->hi;

                if (m->snap->y_ok[c->row] != COND_TRUE || !isfinite(y) || !(y <= hard - c->soft_k - COMFORT_K))
                        return false;
        }
        return true;
}

/* The soft floor of setpoint j, −INFINITY for none. */
static double soft_floor(const struct certify_move *m, size_t j)
{
        const bool none = m->env->u[j].safe_dir != -1 || !m->snap->u_floor || isnan(m->snap->u_floor[j]);

        return none ? -(double)INFINITY : m->snap->u_floor[j];
}

static bool freezing(const struct certify_move *m, size_t j)
{
        return m->snap->no_colder_water && !m->env->u[j].fast && m->env->u[j].safe_dir == -1;
}

/* Colder than `least`, and than what the plant has; counted in the register's values. */
static bool below(const struct certify_move *m, size_t j, double least)
{
        const struct safety_u *u = &m->env->u[j];
        double had = m->was[j];

        if (u->step > 0)
                had = u->origin + u->step * floor((had - u->origin) / u->step + 1e-3);
        had = fmin(had - 1e-7 * (1 + fabs(had)), end(u, true));
        return m->act[j] != m->was[j] && !(m->act[j] >= fmin(least, had) - ROUNDING * (1 + fabs(m->act[j])));
}

/* More than rounding toward less cooling, to either side without a direction. */
static bool moves_back(const struct safety_u *u, double v, double was)
{
        const struct safety_u still = {.safe_dir = u->safe_dir, .step = u->step};

        return over_rate(&still, v, was);
}

/* Where setpoint j is when nothing moves: inside its box where it has to go there. */
static double still(const struct certify_move *m, size_t j)
{
        const struct safety_u *u = &m->env->u[j];

        if (fixed(m, j) || beyond(u, m->was[j]))
                return m->was[j];
        return fmin(fmax(m->was[j], end(u, false)), end(u, true));
}

/* The greatest lift: a machine surges at less of it the less it carries. Nobody says how much: as if it were full. */
static double greatest(const struct certify_move *m, const struct safety_lift *p)
{
        const double load_w = m->snap->cooling_load_w;
        double carry_w = 0;

        for (size_t k = 0; k < m->env->nu; k++)
                if (runs(m, k))
                        carry_w += m->env->u[k].capacity_w;
        if (!(load_w >= 0) || !(load_w < carry_w))
                return p->max_k;
        return p->max_k - p->surge_less_k + load_w / carry_w * p->surge_less_k;
}

static bool in_pair(const struct safety_lift *p, size_t j)
{
        return p->cw == j || p->chw == j;
}

/* What a pair's lift is now, and can be while these two come into force, the one before the other or with it. */
struct lifts {
        double had, least, most;
};

static struct lifts lifts_of(const struct certify_move *m, const struct safety_lift *p, double cw, double chw)
{
        const double was_cw = still(m, p->cw), was_chw = still(m, p->chw);

        return (struct lifts){
            .had = was_cw - was_chw,
            .least = fmin(was_cw, cw) - fmax(was_chw, chw),
            .most = fmax(was_cw, cw) - fmin(was_chw, chw),
        };
}

/* Setpoint j, in pair i, may go a count more toward its goal, and its partner, whose rounding may be why it is not
 * there, by a count. Not asked of a pair that another one shares a setpoint with: the partner may have given way to j
 * before the other pair held j back. */
static bool pair_has_room(const struct certify_move *m, size_t i, size_t j)
{
        const struct safety_lift *p = &m->env->lift[i];
        const double more = m->env->u[j].safe_dir * fmax(m->env->u[p->cw].step + m->env->u[p->chw].step, 1e-3);
        struct lifts lift;

        for (size_t k = 0; k < m->env->nlift; k++)
                if (k != i && (in_pair(&m->env->lift[k], p->cw) || in_pair(&m->env->lift[k], p->chw)))
                        return false;
        lift = lifts_of(m, p, m->act[p->cw] + (p->cw == j ? more : 0), m->act[p->chw] + (p->chw == j ? more : 0));
        return lift.least >= fmin(p->min_k, lift.had) && lift.most <= fmax(greatest(m, p), lift.had);
}

static bool has_room(const struct certify_move *m, size_t j)
{
        for (size_t i = 0; i < m->env->nlift; i++)
                if (in_pair(&m->env->lift[i], j) && !pair_has_room(m, i, j))
                        return false;
        return true;
}

/* Full cooling is demanded and not there, and neither freezing, nor a floor where it is cool, nor a lift is why. */
static bool less_than_full(const struct certify_move *m, size_t j)
{
        const struct safety_u *u = &m->env->u[j];
        const double goal = end(u, u->safe_dir > 0);

        if (!m->snap->interlock || u->safe_dir == 0)
                return false;
        if (m->kind != DECISION_FALLBACK)
                return true;
        if (freezing(m, j) || !has_room(m, j) || (soft_floor(m, j) > goal && cool(m)))
                return false;
        return !(u->safe_dir * (m->act[j] - goal) >= -ROUNDING * (1 + fabs(goal)));
}

const char *certify_judge_setpoint(const struct certify_move *m, size_t j, struct certify_illegal *n)
{
        const struct safety_u *u = &m->env->u[j];
        const double v = m->act[j], was = m->was[j];
        const bool back = !u->fast && moves_back(u, v, was);
        const bool off_step = back && !m->snap->slow_step;
        const bool warmer = back && u->safe_dir <= 0 && v > was && m->snap->no_warmer_water;
        const bool colder = freezing(m, j) && below(m, j, (double)INFINITY);
        /* nothing that is accepted as proposed is below a floor, however hot it is */
        const bool damp = (cool(m) || m->kind == DECISION_ACCEPT) && below(m, j, soft_floor(m, j));
        const bool idle = less_than_full(m, j);

        if (u->kind != SAFETY_U_CONTINUOUS || fixed(m, j))
                return NULL;
        n->rate += off_step || warmer;
        n->box += colder || damp;
        n->full += idle;
        return off_step ? "slow step"
               : warmer ? "warmer water"
               : colder ? "freezing"
               : damp   ? "floor"
               : idle   ? "full cooling"
                        : NULL;
}

/* What the other units that report running and go on carry. */
static double carried(const struct certify_move *m, size_t j)
{
        double sum_w = 0;

        for (size_t k = 0; k < m->env->nu; k++)
                if (k != j && runs(m, k) && m->was[k] >= 0.5 && m->act[k] >= 0.5)
                        sum_w += m->env->u[k].capacity_w;
        return sum_w;
}

/* Those that run are short of water, and unit j is the one that goes for it: no other is on its way out, be it one that
 * nobody hears. */
static bool relieves(const struct certify_move *m, size_t j)
{
        double need = 0;
        size_t stay = 0, go = 0;

        for (size_t k = 0; k < m->env->nu; k++) {
                const bool off = m->act[k] < 0.5;

                if (m->env->u[k].kind != SAFETY_U_ONOFF)
                        continue;
                need += runs(m, k) ? m->env->u[k].min_flow_m3s : 0;
                stay += runs(m, k) && !off;
                go += off && (runs(m, k) || m->was[k] >= 0.5);
        }
        return runs(m, j) && stay > 0 && go == 1 && m->snap->evap_flow_m3s < need * RELIEF * (1 + ROUNDING);
}

/* The water of those that run changes faster already than one of those that stay takes. */
static bool disturbs(const struct certify_move *m, size_t j)
{
        for (size_t k = 0; k < m->env->nu; k++)
                if (k != j && runs(m, k) && m->was[k] >= 0.5 && m->act[k] >= 0.5 &&
                    m->env->u[k].max_flow_ramp_per_min > 0 &&
                    m->snap->evap_flow_ramp_per_min > m->env->u[k].max_flow_ramp_per_min)
                        return true;
        return false;
}

/* Least water of the other evaporators that have it: as far as anyone knows they run, or may be about to. */
static double beside(const struct certify_move *m, size_t j)
{
        double sum = 0;

        for (size_t k = 0; k < m->env->nu; k++) {
                const struct certify_automaton *q = &m->unit[k];
                const bool on = m->act[k] >= 0.5, was_on = m->was[k] >= 0.5;

                if (k == j || m->env->u[k].kind != SAFETY_U_ONOFF)
                        continue;
                if ((q->told ? q->runs : was_on) || (on && !(was_on && m->snap->mono_s - q->since_s >= START_S)))
                        sum += m->env->u[k].min_flow_m3s;
        }
        return sum;
}

const char *certify_judge_stage(const struct certify_move *m, size_t j, struct certify_illegal *n)
{
        const struct safety_u *u = &m->env->u[j];
        const bool was = m->was[j] >= 0.5, on = m->act[j] >= 0.5;
        const double more = 1 + m->env->capacity_margin, others = beside(m, j);
        const char *what = NULL;

        if (u->kind != SAFETY_U_ONOFF || fixed(m, j) || was == on)
                return NULL;
        if (on && u->min_flow_m3s > 0 && others > 0 &&
            m->snap->chw_flow_m3s < (others + u->min_flow_m3s) * more * (1 - ROUNDING))
                what = "start without water";
        else if (was && !relieves(m, j) && !u->fast && !m->snap->slow_step)
                what = "stop off the slow step";
        else if (was && !relieves(m, j) && !(carried(m, j) >= m->snap->cooling_load_w * more)) /* unknown: none stops */
                what = "stop against the load";
        else if (was && !relieves(m, j) && disturbs(m, j))
                what = "stop into changing water";
        n->automaton += what != NULL;
        return what;
}

const char *certify_judge_lift(const struct certify_move *m, const struct safety_lift *p, struct certify_illegal *n)
{
        const struct lifts l = lifts_of(m, p, m->act[p->cw], m->act[p->chw]);
        /* what is off the grid is rounded, and may come from beyond its box */
        const double tol = m->env->u[p->cw].step + m->env->u[p->chw].step + 1e-6;
        const bool bad =
            !(l.least >= fmin(p->min_k - 1e-6, l.had - tol) && l.most <= fmax(greatest(m, p) + 1e-6, l.had + tol));

        n->automaton += bad;
        return bad ? "lift" : NULL;
}

void certify_illegal_add(struct certify_illegal *sum, const struct certify_illegal *n)
{
        sum->not_finite += n->not_finite;
        sum->box += n->box;
        sum->rate += n->rate;
        sum->grid += n->grid;
        sum->automaton += n->automaton;
        sum->full += n->full;
}

bool certify_illegal_any(const struct certify_illegal *n)
{
        return n->not_finite || n->box || n->rate || n->grid || n->automaton || n->full;
}

double certify_clock_s(bool processor)
{
        struct timespec t;

        (void)clock_gettime(processor ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void certify_time_merge(struct certify_time *sum, const struct certify_time *t)
{
        sum->sum_s += t->sum_s;
        sum->max_s = fmax(sum->max_s, t->max_s);
        for (size_t k = 0; k < CERTIFY_TIME_BINS; k++)
                sum->bin[k] += t->bin[k];
}

void certify_time_add(struct certify_time *t, double s)
{
        double at = 8 * log2(fmax(s, 1e-6) / 1e-6);

        t->sum_s += s;
        t->max_s = fmax(t->max_s, s);
        t->bin[(size_t)fmin(at, CERTIFY_TIME_BINS - 1)]++;
}

double certify_time_quantile(const struct certify_time *t, double q)
{
        double all = 0, below = 0;

        for (size_t k = 0; k < CERTIFY_TIME_BINS; k++)
                all += t->bin[k];
        for (size_t k = 0; k < CERTIFY_TIME_BINS; k++) {
                below += t->bin[k];
                if (below > 0 && below >= q * all)
                        return 1e-6 * exp2((double)(k + 1) / 8);
        }
        return 0;
}
