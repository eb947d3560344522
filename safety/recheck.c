/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A stored decision judged again, by a process that has nothing but what was stored: the same base, groups, rollout and
 * second checker as the filter's, without its search. It takes the action as it is and says what is true of it.
 *
 * Basis: the equipment's timers as safety_state_save has them, then what the plant had [nu], then of each group how it
 * was decided and the margin that the certificate counted for it. The timers are the filter's; the second checker's own
 * are not in it: here it counts starts and stops from the filter's.
 */
#include "safety/internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* A group that was given up took an action that nobody had judged: its margin is that of the last candidate. */
enum verdict { NOT_JUDGED, CERTIFIED, GIVEN_UP, SETTLED_BLIND };

static size_t state_count(const struct safety *s)
{
        return 1 + s->env.nu * SAFETY_STATE_PER_U;
}

static enum verdict verdict_of(const struct group *p)
{
        if (!p->decided)
                return NOT_JUDGED;
        if (p->certified)
                return CERTIFIED;
        /* a bisection that ended has narrowed its segment, and the whole proposal is its other end */
        return p->fraction < 1 && p->hi - p->lo == 1 ? GIVEN_UP : SETTLED_BLIND;
}

size_t safety_basis_save(const struct safety *s, double mono_s, double *buf, size_t cap)
{
        size_t n = state_count(s), nu = s->env.nu;
        double *group;
        if (cap < n + nu + 2 * s->ngroup)
                return n + nu + 2 * s->ngroup;
        group = buf + n + nu;
        (void)safety_state_save(s, mono_s, buf, cap);
        memcpy(buf + n, s->base, nu * sizeof(double));
        for (size_t g = 0; g < s->ngroup; g++) {
                group[2 * g] = verdict_of(&s->group[g]);
                group[2 * g + 1] = s->group[g].margin;
        }
        return n + nu + 2 * s->ngroup;
}

/* Group g of the last rollout, into the sum over all. */
static void judge_group(struct safety *s, size_t g, double verdict, double margin_said, struct safety_recheck *r)
{
        const struct group *p = &s->group[g];
        bool ok = tighten_judge(s, g);
        double margin = verdict == GIVEN_UP ? margin_said : verdict == NOT_JUDGED ? (double)NAN : p->margin;

        r->certified = r->certified && verdict == CERTIFIED;
        r->holds = r->holds && (verdict != CERTIFIED || (ok && !p->blind));
        r->terminal = r->terminal && p->terminal;
        if (margin < r->margin) {
                r->margin = margin;
                r->binding_y = p->binding;
        }
}

int safety_recheck(struct safety *s, const struct safety_snapshot *snap, const double *basis, size_t n,
                   const double *act, struct safety_recheck *ret)
{
        const size_t nstate = state_count(s), nu = s->env.nu;
        const double *base = basis + nstate, *group = base + nu;
        struct safety_recheck r = {.base_same = true,
                                   .certified = true,
                                   .holds = true,
                                   .terminal = true,
                                   .margin = (double)INFINITY,
                                   .binding_y = -1};

        if (n != nstate + nu + 2 * s->ngroup || basis[0] != 1)
                return -EINVAL;
        safety_state_restore(s, snap->mono_s, 0, basis, nstate);
        /* where nothing is confirmed, what the filter took for it */
        memcpy(s->last, base, nu * sizeof(double));
        s->have_last = true;
        verify_decided(s->verifier, base);
        filter_set_base(s, snap);
        for (size_t j = 0; j < nu; j++)
                r.base_same = r.base_same && s->base[j] == base[j];
        tighten_model(s);
        for (size_t g = 0; g < s->ngroup; g++) /* a recheck says nothing of the step before */
                s->group[g].chained = s->group[g].held = false;
        tighten_observe(s, snap);
        tighten_window(s, snap);
        for (size_t g = 0; g < s->ngroup; g++)
                s->group[g].need = -(double)INFINITY; /* the least margin, whatever it is */
        tighten_rollout(s, snap->d_hi, act, true);
        for (size_t g = 0; g < s->ngroup; g++)
                judge_group(s, g, group[2 * g], group[2 * g + 1], &r);
        if (!isfinite(r.margin))
                r.margin = (double)NAN;
        verify_observe(s->verifier, snap);
        r.verified = verify_action(s->verifier, snap, act);
        *ret = r;
        return 0;
}
