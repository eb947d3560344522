/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What of an evaluation is the worst: the same order in the text and on the page. Outputs and variables are counted as
 * in the layout, points as in the site. */
#ifndef COOLPLANE_CLI_EVALUATE_RANK_H
#define COOLPLANE_CLI_EVALUATE_RANK_H

#include "agent/gate/evaluate.h"

#define EVRANK_TOLD 0.001 /* a smaller share is not worth a line */
#define EVRANK_DARK 0.05  /* an output that cannot be read in more of the steps stands out */
#define EVRANK_FEW 0.01   /* holds, fallbacks, proposals that are missing: more of the steps stand out */

/* How bad item i is; what is not positive, or NaN, is not in the list. */
typedef double evrank_fn(const struct evaluation *e, size_t i);
double evrank_forecast(const struct evaluation *e, size_t y); /* RMSE at evrank_distance */
double evrank_coverage(const struct evaluation *e, size_t y); /* short of the nominal share below the one-step bound */
double evrank_unusable(const struct evaluation *e, size_t y); /* share of steps */
double evrank_change(const struct evaluation *e, size_t u);   /* our action − what was in force, of the range */
double evrank_projection(const struct evaluation *e, size_t u);  /* what the safety layer changed, of the range */
double evrank_quality(const struct evaluation *e, size_t point); /* share of samples that are not good */

/* The worst of n into ret [most]; how many. */
size_t evrank_worst(const struct evaluation *e, size_t n, evrank_fn *badness, size_t *ret, size_t most);

/* Index into e->ahead of the distance that is told where only one is: 5 min. */
size_t evrank_distance(const struct evaluation *e);
const char *evrank_y_name(const struct evaluation *e, size_t y);
const char *evrank_u_name(const struct evaluation *e, size_t u);
/* Outputs of this group were judged. */
bool evrank_judged(const struct evaluation *e, enum evaluate_group g);
/* Scored decisions that carry a certificate (evaluate_certified). */
size_t evrank_certified(const struct evaluation *e);
/* Of no scored decision coolplane only watched. */
bool evrank_in_force(const struct evaluation *e);

/* How the forecasts of a group do at evrank_distance beside "stays as it is". above: over all, on most whole days
 * (where there is one) and for most outputs; no one stretch and no one output carries it. */
struct evrank_skill {
        double all, anchored; /* all cut to two decimals; NaN: none was judged */
        size_t days, days_not_above, outputs, outputs_not_above;
        bool above;
};
void evrank_skill(const struct evaluation *e, enum evaluate_group g, struct evrank_skill *ret);
/* Both in words, for a text. */
#define EVRANK_SKILL "%zu of %zu whole day%s and %zu of %zu output%s not above 0"
#define EVRANK_SKILL_OF(s)                                                                                             \
        (s)->days_not_above, (s)->days, PLURAL_S((s)->days), (s)->outputs_not_above, (s)->outputs,                     \
            PLURAL_S((s)->outputs)

/* The operator's answers to advice, over all variables. */
void evrank_answers(const struct evaluation *e, size_t ret[ADVICE_ANSWERS]);

#endif
