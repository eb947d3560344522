/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BISECT_END (1.0 / 128) /* of the way from backup to proposal: below a register step in practice */
#define PROJECT_TRIES 6        /* rollouts of PHASE_PROJECT, the one that it starts from included */
#define KEEP 0.5               /* of the reserve, below which what the plant has does not stay */
#define PROJECT_GAIN 0.01      /* of the distance to the end of the segment: less is not worth a rollout */

static void *copy(struct arena *a, const void *from, size_t n, size_t size)
{
        void *p = arena_take(a, n, size);
        if (p && n > 0)
                memcpy(p, from, n * size);
        return p;
}

/* arx_predict_work needs a model, memsize has only its shape: an upper bound, checked against the model in create. */
static size_t work_max(const struct arx_structure *st, size_t n)
{
        return 4 * ((n + st->lag_max + 1) * (st->ny + st->nu + st->nd) + st->nterm + ARX_TERMS_MAX);
}

static void carve(struct arena *a, const struct safety_envelope *e, const struct arx_structure *st, struct safety *s)
{
        const size_t nu = e->nu, ny = e->ny, n = e->horizon, lag = st->lag_max;
        (void)arena_take(a, 1, sizeof(*s)); /* the object itself */
        s->env = *e;
        s->own_u = copy(a, e->u, nu, sizeof(struct safety_u));
        s->env.u = s->now_u = copy(a, e->u, nu, sizeof(struct safety_u));
        s->env.cert = copy(a, e->cert, e->ncert, sizeof(struct safety_y));
        s->env.lift = copy(a, e->lift, e->nlift, sizeof(struct safety_lift));
        s->env.d_max = copy(a, e->d_max, e->nd, sizeof(double));
        s->group = arena_take(a, ny, sizeof(struct group));
        s->row_group = arena_take(a, ny, sizeof(size_t));
        s->u_group = arena_take(a, nu, sizeof(size_t));
        s->equip = arena_take(a, nu, sizeof(struct equipment));
        s->lock.trip_count = arena_take(a, e->ncert, sizeof(unsigned));
        s->base = arena_take(a, nu, sizeof(double));
        s->want = arena_take(a, nu, sizeof(double));
        s->clip = arena_take(a, nu, sizeof(double));
        s->start = arena_take(a, nu, sizeof(double));
        s->end = arena_take(a, nu, sizeof(double));
        s->act = arena_take(a, nu, sizeof(double));
        s->last = arena_take(a, nu, sizeof(double));
        s->best = arena_take(a, nu, sizeof(double));
        s->guess = arena_take(a, nu, sizeof(double));
        s->decision.u = arena_take(a, nu, sizeof(double));
        s->u_future = arena_take(a, n * nu, sizeof(double));
        s->d_future = arena_take(a, n * e->nd, sizeof(double));
        s->y_up = arena_take(a, n * ny, sizeof(double));
        s->least = arena_take(a, e->ncert, sizeof(double));
        s->when = arena_take(a, e->ncert, sizeof(size_t));
        s->box = arena_take(a, ny, sizeof(double));
        s->syn_y = arena_take(a, lag * ny, sizeof(double));
        s->syn_u = arena_take(a, lag * nu, sizeof(double));
        s->syn_d = arena_take(a, lag * e->nd, sizeof(double));
        s->active = arena_take(a, ny, sizeof(uint8_t));
        s->row_bad = arena_take(a, ny, sizeof(uint8_t));
        s->arx_work = arena_take(a, work_max(st, n), sizeof(double));
        project_carve(a, e, st, &s->projector);
        s->verifier = arena_take(a, 1, verify_memsize(e, st));
}

size_t safety_memsize(const struct safety_envelope *e, const struct arx_structure *st)
{
        struct arena a = {NULL, 0};
        struct safety dummy;
        carve(&a, e, st, &dummy);
        return a.used;
}

/* Variable j is decided for all groups, by certify_drivers or together with others, so none may own it. */
static bool shared(const struct safety_envelope *e, size_t j)
{
        for (size_t i = 0; i < e->nlift; i++) {
                if (e->lift[i].cw == j || e->lift[i].chw == j)
                        return true;
        }
        return e->u[j].drives_d != SAFETY_NO_D ||
               (e->u[j].kind == SAFETY_U_ONOFF && (e->u[j].min_flow_m3s > 0 || e->u[j].max_flow_ramp_per_min > 0));
}

int safety_create(void *mem, size_t size, const struct safety_envelope *e, const struct arx *model, struct safety **ret)
{
        const struct arx_structure *st = arx_structure(model);
        struct arena a = {mem, 0};
        struct safety *s = mem;
        const char *what;
        size_t index;
        if (safety_envelope_validate(e, &what, &index) < 0 || e->nu != st->nu || e->ny != st->ny || e->nd != st->nd)
                return -EINVAL;
        for (size_t k = 0; k < st->nterm; k++) {
                if (st->term[k].src == ARX_SRC_U && shared(e, st->term[k].index))
                        return -EINVAL;
        }
        if (!mem || size < safety_memsize(e, st) || arx_predict_work(model, e->horizon) > work_max(st, e->horizon))
                return -ENOMEM;
        memset(mem, 0, safety_memsize(e, st));
        carve(&a, e, st, s);
        s->model = model;
        s->lag_max = st->lag_max;
        s->decision.nu = e->nu;
        s->decision.box = s->own_u;
        for (size_t j = 0; j < e->nu; j++)
                equipment_reset(&s->equip[j]);
        tighten_groups(s);
        s->verifier = verify_create(s->verifier, e, model);
        *ret = s;
        return 0;
}

static bool is_fixed(const struct safety_snapshot *snap, size_t j)
{
        return snap->u_fixed && snap->u_fixed[j];
}

/* Some certified reading is missing or near its soft limit: floors that are soft give way to what the hard limit asks.
 */
static bool heat_calls(const struct safety *s, const struct safety_snapshot *snap)
{
        for (size_t i = 0; i < s->env.ncert; i++) {
                const struct safety_y *c = &s->env.cert[i];
                double y;
                if (interlock_reading(&s->env, snap, c->row, &y) != COND_TRUE ||
                    y > (isnan(c->hi) ? c->trip : c->hi) - c->soft_k - SAFETY_COMFORT)
                        return true;
        }
        return false;
}

/* What the plant has now, inside the box or not: read-back, else what was last decided, else the nominal action. A
 * variable that cannot be moved has no other value: its box is that point. */
void filter_set_base(struct safety *s, const struct safety_snapshot *snap)
{
        s->heat = heat_calls(s, snap);
        s->box_changed = false;
        for (size_t j = 0; j < s->env.nu; j++) {
                struct safety_u *u = &s->now_u[j];
                const struct safety_u was = *u;
                const bool was_beyond = limits_beyond(u, s->base[j]);
                double v = snap->u_confirmed ? snap->u_confirmed[j] : (double)NAN;
                *u = s->own_u[j];
                if (!isfinite(v))
                        v = s->have_last ? s->last[j] : u->nominal;
                if (u->kind == SAFETY_U_ONOFF)
                        v = v >= 0.5;
                else if (!is_fixed(snap, j) && limits_side(u, v) == 0) /* read-back noise at a bound */
                        v = fmin(fmax(v, u->lo), u->hi);
                s->base[j] = v;
                if (is_fixed(snap, j)) {
                        u->lo = u->hi = u->nominal = v;
                        u->step = u->kind == SAFETY_U_ONOFF ? u->step : 0;
                } else {
                        if (snap->no_colder_water && !u->fast)
                                limits_raise(u, v, (double)INFINITY);
                        if (snap->u_floor && !s->heat)
                                limits_raise(u, v, snap->u_floor[j]);
                        if (u->unseen)
                                u->hi = fmax(u->lo, fmin(u->hi, s->heat ? v : fmax(v, u->nominal)));
                }
                if (s->u_group[j] != SAFETY_NO_GROUP) /* the model reads no other */
                        s->box_changed =
                            s->box_changed || u->lo != was.lo || u->hi != was.hi || limits_beyond(u, v) != was_beyond;
                if (u->kind == SAFETY_U_ONOFF)
                        equipment_observe(&s->equip[j], u, s->base[j] > 0,
                                          snap->onoff_status ? snap->onoff_status[j] : 255, snap->mono_s);
        }
}

/* want ← the proposal, without what would be noise or cannot be done. */
static void take_proposal(struct safety *s, const struct safety_snapshot *snap, const double *u)
{
        for (size_t j = 0; j < s->env.nu; j++) {
                bool noise = s->env.u[j].kind == SAFETY_U_CONTINUOUS && fabs(u[j] - s->base[j]) < s->env.u[j].dead_band;
                s->want[j] = noise || is_fixed(snap, j) ? s->base[j] : u[j];
        }
}

/* A room that cannot be seen at all goes where the fallback would take it: it may be overheating. */
static void dark_rooms(struct safety *s, const struct safety_snapshot *snap)
{
        fallback_action(s, snap, false, s->start);
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] != SAFETY_NO_GROUP && s->group[s->u_group[j]].dark)
                        s->want[j] = s->start[j];
        }
}

/* want, or where the soft floor of variable j takes it: what is below comes up by rates, as far as it is certified, but
 * not where it is warm. */
static double dry(const struct safety *s, const struct safety_snapshot *snap, size_t j, enum decision_reason *cut)
{
        const struct safety_u *u = &s->env.u[j];
        if (s->heat || u->safe_dir >= 0 || !(snap->u_floor[j] > s->want[j]) ||
            snap->u_floor[j] - s->base[j] < u->dead_band)
                return s->want[j];
        *cut = DR_LIMIT;
        return fmin(snap->u_floor[j], u->hi);
}

/* clip ← want inside box, rates, slow step, water, equipment. proposed: inside the soft floors, too, but for rooms that
 * cannot be seen. */
static void clip_all(struct safety *s, const struct safety_snapshot *snap, bool proposed, enum decision_reason *why,
                     int *binding)
{
        for (size_t j = 0; j < s->env.nu; j++) {
                const bool dark = s->u_group[j] != SAFETY_NO_GROUP && s->group[s->u_group[j]].dark;
                enum decision_reason cut = DR_ACCEPTED;
                double want = s->want[j];
                struct safety_u u = s->env.u[j];
                if (u.kind != SAFETY_U_CONTINUOUS)
                        continue;
                if (proposed && snap->u_floor && !dark && !is_fixed(snap, j)) {
                        limits_raise(&u, s->base[j], snap->u_floor[j]);
                        want = dry(s, snap, j, &cut);
                }
                s->clip[j] = limits_move(&u, s->base[j], want, snap->slow_step, snap->no_warmer_water, &cut);
                if (cut != DR_ACCEPTED && *why == DR_ACCEPTED) {
                        *why = cut;
                        *binding = (int)j;
                }
        }
        equipment_move(&s->env, s->equip, snap, s->base, s->want, s->clip, why, binding);
}

/* v, or what the plant has where that cools more, or where v could be either. */
static double no_less(const struct safety *s, size_t j, double v)
{
        const struct safety_u *u = &s->env.u[j];
        return limits_quantise(u, u->safe_dir == 0 ? s->base[j] : limits_more_of(u, v, s->base[j]), s->base[j]);
}

/* In a blind group nothing moves toward less cooling. */
static void hold_blind(struct safety *s)
{
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] != SAFETY_NO_GROUP && s->group[s->u_group[j]].blind)
                        s->clip[j] = no_less(s, j, s->clip[j]);
        }
}

/* start ← where the segment of variable j begins, never less cooling than clip: one ramp of the backup, or the nominal
 * action, which the plant ran on before us. */
static void segment_start(struct safety *s, const struct safety_snapshot *snap, size_t j, bool nominal)
{
        const struct safety_u *u = &s->env.u[j];
        double to = nominal ? u->nominal : limits_ramp(u, s->base[j]);
        if (u->kind == SAFETY_U_ONOFF)
                s->start[j] = s->clip[j] > 0 || (nominal ? s->base[j] * u->nominal > 0
                                                         : equipment_may_start(&s->equip[j], u, snap->mono_s));
        else if (u->safe_dir == 0)
                s->start[j] = limits_quantise(u, s->base[j], s->base[j]);
        else
                s->start[j] = limits_quantise(u, limits_more_of(u, s->clip[j], to), s->base[j]);
}

/* Nothing can be certified, the readings are comfortable: toward the nominal action by one rate a step, not at a bound;
 * a jump would shake the plant for no measured reason. Never toward less cooling, never less than the proposal's own.
 */
static void retreat(struct safety *s, size_t j)
{
        const struct safety_u *u = &s->env.u[j];
        const double step = u->rate > 0 ? u->rate : u->backup_rate, pace = s->base[j] + u->safe_dir * step;
        if (u->kind == SAFETY_U_CONTINUOUS && limits_less_cooling(u, pace, s->start[j]))
                s->start[j] = limits_quantise(u, limits_more_of(u, s->clip[j], pace), s->base[j]);
}

static double between(const struct safety *s, size_t j, double f)
{
        const struct safety_u *u = &s->env.u[j];
        if (u->kind == SAFETY_U_ONOFF)
                return f > 0 ? s->end[j] : s->start[j];
        return limits_quantise(u, s->start[j] + f * (s->end[j] - s->start[j]), s->base[j]);
}

static double halfway(const struct safety *s, size_t j)
{
        return limits_quantise(&s->env.u[j], s->best[j] + 0.5 * (s->guess[j] - s->best[j]), s->base[j]);
}

static void settle(struct safety *s, size_t g, double f, bool certified)
{
        s->group[g].decided = true;
        s->group[g].certified = certified && !s->group[g].blind;
        s->group[g].fraction = f;
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] == g)
                        s->act[j] = f == 1 ? s->clip[j] : between(s, j, f);
        }
}

/* True when the group's clipped proposal cools less than what the plant has in any variable. */
static bool eager(const struct safety *s, size_t g)
{
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] == g && limits_less_cooling(&s->env.u[j], s->clip[j], s->base[j]))
                        return true;
        }
        return false;
}

/* Margin that a verdict asks for: less cooling than now the whole reserve, so that the noise of the next step does not
 * take the certificate away again; what the plant has, and the way back to it, half of it, so that it answers while
 * little is to be done; all that the backup leaves where that is less. */
static double needed(const struct safety *s, const struct group *p)
{
        if (p->phase == PHASE_PROPOSAL)
                return p->toward_less ? s->env.reserve : KEEP * s->env.reserve;
        return p->wanted;
}

static void need_all(struct safety *s, double need)
{
        for (size_t g = 0; g < s->ngroup; g++)
                s->group[g].need = need;
}

/* What phase p tries: the proposal; what the plant has (with every proposed move toward more cooling); the backup; then
 * bisection of the segment from the last certified of these toward the one before it; then what is nearer to its end
 * than the segment. */
static void candidate(struct safety *s, const struct safety_snapshot *snap, const struct group *p, size_t j)
{
        double hold = no_less(s, j, s->clip[j]);
        if (p->phase == PHASE_PROPOSAL) {
                s->act[j] = s->end[j] = s->clip[j];
        } else if (p->phase == PHASE_HOLD) {
                s->act[j] = s->start[j] = hold;
        } else if (p->phase == PHASE_BACKUP) {
                s->end[j] = hold;
                segment_start(s, snap, j, !p->chained && p->comfortable);
                s->act[j] = s->start[j];
        } else if (p->phase == PHASE_BISECT) {
                s->act[j] = between(s, j, 0.5 * (p->lo + p->hi));
        } else {
                s->act[j] = s->guess[j];
        }
}

/* Nothing can be certified for group g: the start of its segment, gently where the readings are comfortable. */
static void give_up(struct safety *s, const struct safety_snapshot *snap, size_t g)
{
        bool comfortable = s->group[g].comfortable;
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] != g)
                        continue;
                segment_start(s, snap, j, comfortable);
                if (comfortable)
                        retreat(s, j);
        }
        settle(s, g, 0, false);
}

/* The bisection of group g has ended: what it found is what there is, unless something nearer is certified. Where even
 * the start of the segment leaves no reserve there is nothing. */
static void end_bisection(struct safety *s, size_t g)
{
        struct group *p = &s->group[g];
        settle(s, g, p->lo, true);
        if (p->blind || (p->lo == 0 && p->margin < p->wanted))
                return;
        p->decided = false;
        p->tries = PROJECT_TRIES;
        p->phase = PHASE_PROJECT;
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] == g)
                        s->best[j] = s->guess[j] = s->act[j];
        }
}

/* One verdict on the guess of group g: from a certified one (the first is the bisection's own) the next is made,
 * another is halved. Ends with the best. */
static void project(struct safety *s, size_t g, bool ok)
{
        struct group *p = &s->group[g];
        bool more = true;
        for (size_t j = 0; j < s->env.nu; j++) {
                if (s->u_group[j] == g && ok)
                        s->best[j] = s->guess[j];
                else if (s->u_group[j] == g)
                        s->guess[j] = halfway(s, j);
        }
        if (ok && p->tries < PROJECT_TRIES)
                p->fraction = 1 - project_distance(s, g, s->best) / project_distance(s, g, s->start);
        if (ok)
                more = project_guess(s, g, s->best, s->guess);
        p->tries--;
        if (more && p->tries > 0 &&
            project_distance(s, g, s->guess) < (1 - PROJECT_GAIN) * project_distance(s, g, s->best))
                return;
        p->decided = true;
        for (size_t j = 0; j < s->env.nu; j++)
                s->act[j] = s->u_group[j] == g ? s->best[j] : s->act[j];
}

/* One verdict of the rollout for group g: it decides the group, leads one phase on, or halves the segment. */
static void next_phase(struct safety *s, const struct safety_snapshot *snap, size_t g)
{
        struct group *p = &s->group[g], kept = *p;
        const bool certified = tighten_judge(s, g);
        bool ok = certified && (p->phase == PHASE_BACKUP || p->margin >= needed(s, p));

        if (p->phase == PHASE_PROPOSAL) {
                if (ok)
                        settle(s, g, 1, true);
                p->phase = PHASE_HOLD;
                p->wanted = KEEP * s->env.reserve;
        } else if (p->phase == PHASE_HOLD) {
                p->phase = ok ? PHASE_BISECT : PHASE_BACKUP;
                p->kept = certified ? p->margin : -(double)INFINITY;
                if (ok)
                        p->wanted = s->env.reserve;
        } else if (p->phase == PHASE_BACKUP) {
                if (!ok)
                        give_up(s, snap, g);
                p->wanted = fmin(KEEP * s->env.reserve, p->margin);
                p->phase = p->kept >= p->wanted ? PHASE_HOLD : PHASE_BISECT; /* no less than the backup leaves: stays */
        } else if (p->phase == PHASE_PROJECT) {
                if (!ok)
                        *p = kept; /* margin and terminal stay those of the best certified action */
                project(s, g, ok);
        } else {
                double mid = 0.5 * (p->lo + p->hi);
                if (ok) {
                        p->lo = mid;
                } else {
                        *p = kept; /* as above */
                        p->hi = mid;
                }
                if (p->hi - p->lo < BISECT_END)
                        end_bisection(s, g);
        }
}

/* Setpoints that drive a disturbance serve several groups, so they are decided first: warmer only where every group
 * that reads them stays certified, with the reserve, on what the plant has; without that at most to the nominal action,
 * and only where readings are comfortable. */
static void certify_drivers(struct safety *s, const struct safety_snapshot *snap, enum decision_reason *why,
                            int *binding)
{
        static const struct group hold = {.phase = PHASE_HOLD};
        bool any = false;
        for (size_t j = 0; j < s->env.nu; j++) {
                bool warmer = s->env.u[j].drives_d != SAFETY_NO_D && s->clip[j] > s->base[j];
                if (s->u_group[j] != SAFETY_NO_GROUP)
                        candidate(s, snap, &hold, j);
                else
                        s->act[j] = s->clip[j];
                any = any || warmer;
        }
        if (!any)
                return;
        need_all(s, s->env.reserve);
        tighten_rollout(s, snap->d_hi, s->act, true);
        for (size_t j = 0; j < s->env.nu; j++) {
                const struct safety_u *u = &s->env.u[j];
                for (size_t g = 0; g < s->ngroup; g++) {
                        const struct group *p = &s->group[g];
                        double most = p->comfortable && !p->blind ? fmax(s->base[j], u->nominal) : s->base[j];
                        if (s->clip[j] <= most || !tighten_reads(s, g, j) || /* nobody reads what drives nothing */
                            (tighten_judge(s, g) && !p->blind && p->margin >= s->env.reserve))
                                continue;
                        s->clip[j] = limits_quantise(u, most, s->base[j]);
                        if (*why == DR_ACCEPTED) {
                                *why = DR_WORST_CASE;
                                *binding = (int)j;
                        }
                }
        }
}

/* Pairs share setpoints, so what keeps one may undo another: again, until nothing moves. Every move is toward what the
 * plant has, where all of them are kept. What a pass too few would leave the second checker refuses. */
static void keep_lift(const struct safety *s, const struct safety_snapshot *snap, double *act,
                      enum decision_reason *why, int *binding)
{
        size_t pass = 0;
        while (pass <= s->env.nlift) {
                bool moved = false;
                for (size_t i = 0; i < s->env.nlift; i++) {
                        struct safety_lift p = s->env.lift[i];
                        p.max_k = limits_greatest_lift(&s->env, snap, &p);
                        moved = limits_lift(&p, s->env.u, s->base, act, why, binding) || moved;
                }
                pass = moved ? pass + 1 : s->env.nlift + 1;
        }
}

/* Every group by itself, all groups in one rollout. At most four verdicts, eight halvings and PROJECT_TRIES rollouts of
 * PHASE_PROJECT each: the loop ends. */
static void certify(struct safety *s, const struct safety_snapshot *snap)
{
        size_t open = s->ngroup;
        memcpy(s->act, s->clip, s->env.nu * sizeof(double));
        for (size_t g = 0; g < s->ngroup; g++) { /* PHASE_PROPOSAL and lo 0 they have from tighten_observe */
                s->group[g].toward_less = eager(s, g);
                s->group[g].hi = 1;
        }
        while (open > 0) {
                for (size_t j = 0; j < s->env.nu; j++) {
                        if (s->u_group[j] != SAFETY_NO_GROUP && !s->group[s->u_group[j]].decided)
                                candidate(s, snap, &s->group[s->u_group[j]], j);
                }
                for (size_t g = 0; g < s->ngroup; g++) {
                        struct group *p = &s->group[g];
                        /* of a backup that cannot be certified the margin is told; of what the plant has it decides */
                        p->need = p->phase == PHASE_BACKUP ? -(double)INFINITY
                                  : p->phase == PHASE_HOLD ? 0
                                                           : needed(s, p);
                }
                tighten_rollout(s, snap->d_hi, s->act, false);
                open = 0;
                for (size_t g = 0; g < s->ngroup; g++) {
                        if (!s->group[g].decided)
                                next_phase(s, snap, g);
                        open += !s->group[g].decided;
                }
        }
}

/* True when variable j of the action is the proposal's up to quantisation; without steps it is exactly that. */
static bool unchanged(const struct safety *s, size_t j)
{
        return fabs(s->act[j] - s->want[j]) <= s->env.u[j].step * (1 + SAFETY_SNAP);
}

/* Reads the groups' outcomes into kind, reason and certificate. `cut` is what the simple limits said. */
static void conclude(struct safety *s, enum decision_reason cut, int *binding_u)
{
        struct safety_decision *d = &s->decision;
        enum decision_reason why = cut;
        d->cert.terminal = true;
        d->cert.margin = (double)INFINITY;
        for (size_t g = 0; g < s->ngroup; g++) {
                const struct group *p = &s->group[g];
                if (!p->certified && !p->blind && why != DR_NOT_CERTIFIABLE) {
                        why = DR_NOT_CERTIFIABLE;
                        d->cert.binding_y = p->binding;
                } else if (p->blind && why != DR_NOT_CERTIFIABLE && why != DR_SENSOR) {
                        why = DR_SENSOR;
                        d->cert.binding_y = p->blind_row;
                } else if (p->certified && p->fraction < 1 && why == cut) {
                        why = DR_WORST_CASE;
                }
                d->cert.terminal = d->cert.terminal && p->certified && p->terminal;
                d->cert.fraction = fmin(d->cert.fraction, p->fraction);
                if (p->margin < d->cert.margin) {
                        d->cert.margin = p->margin;
                        if (why != DR_NOT_CERTIFIABLE && why != DR_SENSOR)
                                d->cert.binding_y = p->binding;
                }
        }
        if (!isfinite(d->cert.margin))
                d->cert.margin = (double)NAN;
        for (size_t j = 0; j < s->env.nu; j++) {
                if (why == DR_ACCEPTED && !unchanged(s, j)) { /* rounded to where it is, beyond its box */
                        why = DR_LIMIT;
                        *binding_u = (int)j;
                }
        }
        /* a HOLD keeps its kind and reason, whatever had to move: there is no proposal that could have been changed */
        if (d->kind != DECISION_HOLD && why != DR_ACCEPTED) {
                d->kind = DECISION_PROJECT;
                d->reason = why;
        }
}

/* act ← full cooling, of machines only where asked for: else they stay as they are. */
static void backup(struct safety *s, const struct safety_snapshot *snap, bool machines)
{
        enum decision_reason cut = DR_ACCEPTED;
        int binding = -1;
        for (size_t j = 0; j < s->env.nu; j++) {
                const bool stays = s->env.u[j].kind == SAFETY_U_ONOFF && !machines;
                s->want[j] = 1; /* of units; clip is made anew */
                s->act[j] = stays ? s->base[j] : no_less(s, j, limits_full(&s->env.u[j], s->base[j]));
        }
        if (machines)
                equipment_move(&s->env, s->equip, snap, s->base, s->want, s->act, &cut, &binding);
        keep_lift(s, snap, s->act, &cut, &binding);
}

/* The second checker has the last word: the action, else the whole backup, else the backup without the machines, else
 * what is confirmed. */
static void verify_last(struct safety *s, const struct safety_snapshot *snap)
{
        struct safety_decision *d = &s->decision;
        verify_observe(s->verifier, snap);
        d->cert.verified = verify_action(s->verifier, snap, s->act);
        if (!d->cert.verified) {
                backup(s, snap, true);
                if (!verify_action(s->verifier, snap, s->act))
                        backup(s, snap, false);
                if (!verify_action(s->verifier, snap, s->act)) {
                        for (size_t j = 0; j < s->env.nu; j++)
                                s->act[j] = no_less(s, j, s->base[j]);
                }
                d->kind = d->kind >= DECISION_HOLD ? d->kind : DECISION_PROJECT;
                d->reason = DR_VERIFY;
                d->cert.terminal = false;
                d->cert.fraction = 0;
                d->cert.margin = (double)NAN;
        }
        for (size_t g = 0; g < s->ngroup; g++) {
                s->group[g].chained = s->group[g].certified && d->cert.verified;
                s->group[g].held = s->group[g].chained && s->group[g].terminal;
        }
        memcpy(d->u, s->act, s->env.nu * sizeof(double));
        memcpy(s->last, s->act, s->env.nu * sizeof(double));
        s->have_last = true;
        verify_decided(s->verifier, s->act);
}

const struct safety_decision *safety_filter(struct safety *s, const struct safety_snapshot *snap,
                                            const struct safety_proposal *prop)
{
        struct safety_decision *d = &s->decision;
        struct interlock_result lock;
        enum decision_reason cut = DR_ACCEPTED;
        int binding_u = -1;
        filter_set_base(s, snap);
        tighten_model(s);
        tighten_observe(s, snap);
        lock = interlock_step(&s->lock, &s->env, snap, prop);
        d->t_ms = snap->t_ms;
        d->reason = lock.reason;
        d->kind = lock.order >= ORDER_FALLBACK ? DECISION_FALLBACK : lock.order ? DECISION_HOLD : DECISION_ACCEPT;
        d->cert = (struct safety_certificate){.model_hash = s->model_hash,
                                              .delta = s->env.delta > 0 ? s->env.delta : (double)NAN,
                                              .horizon = s->env.horizon,
                                              .margin = (double)NAN,
                                              .binding_y = lock.binding_y,
                                              .fraction = lock.order >= ORDER_FALLBACK ? 0 : 1};
        if (lock.order == ORDER_NORMAL)
                take_proposal(s, snap, prop->u);
        else if (lock.order == ORDER_HOLD)
                memcpy(s->want, s->have_last ? s->last : s->base, s->env.nu * sizeof(double));
        else
                fallback_action(s, snap, lock.order == ORDER_FULL, s->want);
        if (lock.order < ORDER_FALLBACK && s->lock.seen)
                dark_rooms(s, snap);
        clip_all(s, snap, lock.order == ORDER_NORMAL, &cut, &binding_u);
        if (lock.order >= ORDER_FALLBACK) {
                keep_lift(s, snap, s->clip, &cut, &binding_u);
                memcpy(s->act, s->clip, s->env.nu * sizeof(double));
        } else {
                hold_blind(s);
                tighten_window(s, snap);
                certify_drivers(s, snap, &cut, &binding_u);
                keep_lift(s, snap, s->clip, &cut, &binding_u);
                certify(s, snap);
                conclude(s, cut, &binding_u);
        }
        d->cert.binding_u = binding_u;
        verify_last(s, snap);
        return d;
}

bool safety_check_load(struct safety *s, const struct safety_snapshot *snap, const double *d_with)
{
        bool ok = s->have_last;
        need_all(s, 0);
        tighten_window(s, snap);
        tighten_rollout(s, d_with, s->last, true);
        for (size_t g = 0; g < s->ngroup; g++) {
                struct group kept = s->group[g]; /* the certificate of the decision is not touched */
                ok = tighten_judge(s, g) && !s->group[g].blind && ok;
                s->group[g] = kept;
        }
        return ok;
}

size_t safety_state_save(const struct safety *s, double mono_s, double *buf, size_t cap)
{
        size_t n = 1 + s->env.nu * SAFETY_STATE_PER_U;
        if (cap < n)
                return n;
        buf[0] = 1; /* version */
        for (size_t j = 0; j < s->env.nu; j++)
                equipment_save(&s->equip[j], mono_s, buf + 1 + j * SAFETY_STATE_PER_U);
        return n;
}

void safety_state_restore(struct safety *s, double mono_s, double elapsed_s, const double *buf, size_t n)
{
        double gap_s = elapsed_s >= 0 && isfinite(elapsed_s) ? elapsed_s : 0;
        verify_restore(s->verifier, mono_s, gap_s, buf, n);
        if (n != 1 + s->env.nu * SAFETY_STATE_PER_U || buf[0] != 1)
                return;
        for (size_t j = 0; j < s->env.nu; j++)
                equipment_restore(&s->equip[j], mono_s, gap_s, buf + 1 + j * SAFETY_STATE_PER_U);
}
