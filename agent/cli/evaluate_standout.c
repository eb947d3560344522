/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What stands out of an evaluation, for the text and for the page. */
#include <math.h>

#include "agent/cli/evaluate_rank.h"
#include "agent/cli/evaluate_report.h"

static void heat(const struct evaluation *e, struct text *t)
{
        const struct score_heat *m = &e->all.heat[HEAT_MEASURED], *f = &e->all.heat[HEAT_IN_FORCE],
                                *a = &e->all.heat[HEAT_ACTION];

        if (m->hard > 0)
                text_printf(t, "measured above the hard limit (%.1f °C) in %zu step%s\n", e->hard_c, m->hard,
                            PLURAL_S(m->hard));
        if (a->hard > 0)
                text_printf(t, "the model foresees our own action above the hard limit in %zu step%s\n", a->hard,
                            PLURAL_S(a->hard));
        if (!evrank_in_force(e) && a->soft > f->soft)
                text_printf(
                    t, "more steps above %.1f °C foreseen under our action (%zu) than under what was in force (%zu)\n",
                    e->soft_c, a->soft, f->soft);
}

static void model(const struct evaluation *e, struct text *t)
{
        static const char *const name[GROUP_COUNT] = {"inlets", "supply air"};

        for (int g = 0; g < GROUP_COUNT; g++) {
                const struct score_cover *c = &e->all.forecast[g].upper;
                const double below = score_share(c->inside, c->n);
                struct evrank_skill s;

                evrank_skill(e, (enum evaluate_group)g, &s);
                if (isfinite(s.all) && !s.above)
                        text_printf(t,
                                    "nominal forecasts of %s do not beat \"stays as it is\" (skill %.2f, anchored "
                                    "%.2f; " EVRANK_SKILL ")\n",
                                    name[g], s.all, s.anchored, EVRANK_SKILL_OF(&s));
                if (below < EVALUATE_COVERAGE)
                        text_printf(
                            t, "only %.1f %% of the readings of %s are below their one-step bound (nominal %.0f %%)\n",
                            100 * below, name[g], 100 * EVALUATE_COVERAGE);
        }
}

static void proposals(const struct evaluation *e, struct text *t)
{
        const size_t asked = e->all.steps - e->all.no_proposal;
        const double changed = score_share(e->all.by_kind[DECISION_PROJECT], asked),
                     refused = score_share(e->reason[DECISION_PROJECT][DR_NOT_CERTIFIABLE], asked);
        size_t dark = 0;

        if (e->all.no_proposal == e->all.steps)
                text_put(t, "there were no proposals\n");
        if (changed > 0.1)
                text_printf(
                    t, "the safety layer changed %.1f %% of the proposals; in %.1f %% nothing could be certified\n",
                    100 * changed, 100 * refused);
        for (size_t i = 0; i < e->layout->ny; i++)
                dark += evrank_unusable(e, i) > EVRANK_DARK;
        if (dark > 0)
                text_printf(t, "%zu of %zu outputs could not be read in more than 5 %% of the steps\n", dark,
                            e->layout->ny);
}

void evaluate_stand_out(const struct evaluation *e, struct text *t)
{
        const double weak =
            score_share(e->all.by_kind[DECISION_HOLD] + e->all.by_kind[DECISION_FALLBACK], e->all.steps);

        if (e->writes.left > 0)
                text_printf(t, "%zu write%s left a gate that may write nothing\n", e->writes.left,
                            PLURAL_S(e->writes.left));
        if (e->changed > 0)
                text_printf(t, "%zu record%s changed after being written, in no figure here: coolplane audit verify\n",
                            e->changed, e->changed == 1 ? " was" : "s were");
        if (e->unended)
                text_put(t, "the replay did not end: what it would have gone on with is not here\n");
        heat(e, t);
        model(e, t);
        proposals(e, t);
        if (weak > EVRANK_FEW)
                text_printf(t, "holds and fallbacks in %.1f %% of the steps\n", 100 * weak);
        if (e->gaps > 0)
                text_printf(t, "%zu gap%s in the record\n", e->gaps, PLURAL_S(e->gaps));
}
