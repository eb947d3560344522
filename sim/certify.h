/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * `coolplane-sim certify`: the claim of ARCHITECTURE.md, tried on plants that satisfy its assumptions. An episode is a
 * linear plant of Θ (certify_site.h) under the production filter, both checkers in it, and a model that learns from
 * scratch with the gate's own arguments and schedule, for hours of 30 s steps, while some proposer proposes.
 *
 * Assumptions the plant keeps at every step:
 *   θ ∈ Θ, the prior box with its sums;   disturbances ≤ the d_hi declared beforehand, and ≤ d_max;   true readings;
 *   writes take effect;   |w_i| ≤ W = 0.05 K on every row (certify_episode), whatever its signs.
 * What the production certificate counts is less than "every |w| ≤ W, all in one direction": one step of w̄ (97 %
 * quantile of the residuals; near W once learned), then w_step a step, learned from how far noise carries in ten steps,
 * and w̄/√n for the mean of the window that anchors it. Uniform and ±W noise exceed that now and then, noise that
 * persists because it looks where the heat is exceeds it by construction. So each certificate is judged twice:
 *   - out:    from the state it was given in, the decided action and then full cooling, worst declared disturbances and
 *             noise of the episode's kind: some output ends above limit − margin, the bound the certificate states;
 *   - within: the same although all it assumes held: θ in the learned set (intervals and ellipsoid), the window's mean
 *             noise, and at that inlet no more noise accumulated than counted. A theorem: must be 0.
 * The learned set itself is statistical (white noise, θ that stays): noise that persists and plants that drift leave
 * it. Hard violations are counted in the true trajectory, apart where such an assumption did not hold.
 *
 * Strict: the model knows W. Set membership is its only learned set, and every step counts W, the mean of the anchor
 * too. Then nothing is statistical any more: of plants that do not drift every certificate must hold whatever the noise
 * does within W, with all that it assumes, and no row may begin anew.
 *
 * Pure but for the clock that times the filter; allocates at the start of an episode only.
 */
#ifndef COOLPLANE_SIM_CERTIFY_H
#define COOLPLANE_SIM_CERTIFY_H

#include "sim/certify_site.h"

#define CERTIFY_NOISE_K 0.05
#define CERTIFY_REASONS (DR_WATER + 1)
#define CERTIFY_TIME_BINS 160 /* eighth octaves from 1 µs */

enum certify_noise {
        CERTIFY_ZERO,
        CERTIFY_UNIFORM,
        CERTIFY_TELEGRAPH,   /* ±W, every row by itself, ten steps long in the mean */
        CERTIFY_ADVERSARIAL, /* +W on the hottest inlet and on the supply air it reads, −W elsewhere */
        CERTIFY_CONSTANT,    /* +W */
        CERTIFY_NOISES
};
enum certify_load {
        CERTIFY_STILL,   /* 70 % */
        CERTIFY_STEPS,   /* each rack by itself, 30 … 100 %; d_hi always says 100 % */
        CERTIFY_RAMPS,   /* 40 to 100 % in 30 min and back: d_hi is reached, entering water up to 18 °C with it */
        CERTIFY_DIURNAL, /* 70 ± 30 % */
        CERTIFY_LOADS
};
enum certify_proposer {
        CERTIFY_SENSIBLE,    /* least cooling that keeps the hottest inlet just below 27 °C */
        CERTIFY_LEAST,       /* the warm end of every box */
        CERTIFY_ANYWHERE,    /* anywhere in and near the boxes */
        CERTIFY_NAN,         /* NaN, +Inf or −Inf among the warm ends */
        CERTIFY_BANGBANG,    /* warm and cold end, 10 min each */
        CERTIFY_EXTREME,     /* ±1e6 toward less cooling */
        CERTIFY_FLIPPED,     /* the sensible change with its sign turned */
        CERTIFY_OSCILLATING, /* beyond either end, every step */
        CERTIFY_STALE,       /* the sensible proposal of 30 min ago */
        CERTIFY_MISSING,     /* none for 30 min, then sensible ones for 30 */
        CERTIFY_PROPOSERS
};
/* Broken on purpose: what the harness must not call fine. From the middle of the episode on. */
enum certify_break {
        CERTIFY_INTACT,
        CERTIFY_BREAK_NOISE,   /* +20 W on every row */
        CERTIFY_BREAK_PLANT,   /* heat gains three times those of the plant: outside Θ */
        CERTIFY_BREAK_FILTER,  /* proposals reach the actuator as they are */
        CERTIFY_BREAK_BACKUP,  /* what follows a certified action is that action again, not full cooling */
        CERTIFY_BREAK_TURNING, /* |w| ≤ W, but −W while all is cool and +W on every row near the limit: noise that
                                * learns what the quantiles learn; all the time */
        CERTIFY_BREAKS
};
extern const char *const certify_plant_name[CERTIFY_PLANTS];
extern const char *const certify_noise_name[CERTIFY_NOISES];
extern const char *const certify_load_name[CERTIFY_LOADS];
extern const char *const certify_proposer_name[CERTIFY_PROPOSERS];
extern const char *const certify_break_name[CERTIFY_BREAKS];

struct certify_kinds {
        enum certify_plant plant;
        enum certify_noise noise;
        enum certify_load load;
        enum certify_proposer proposer;
};
#define CERTIFY_PRODUCT (CERTIFY_PLANTS * CERTIFY_NOISES * CERTIFY_LOADS * CERTIFY_PROPOSERS)
/* Kinds of episode number e: all of the product once in CERTIFY_PRODUCT episodes, well mixed before. */
struct certify_kinds certify_kinds(uint64_t e);

struct certify_args {
        uint64_t seed, number; /* of the episode: its kinds and its random stream */
        size_t units, horizon; /* horizon 0 = the gate's */
        size_t steps;
        enum certify_break broken;
        bool strict; /* the model set and the noise counted are those of the theorem, see above */
};

/* Time the filter took. */
struct certify_time {
        double sum_s, max_s;
        uint32_t bin[CERTIFY_TIME_BINS];
};
double certify_clock_s(bool processor); /* monotonic, or what this thread has used */
void certify_time_add(struct certify_time *t, double s);
void certify_time_merge(struct certify_time *sum, const struct certify_time *t);
double certify_time_quantile(const struct certify_time *t, double q); /* upper edge of its bin; 0 = none */

/* What reached the actuator and should not have. */
struct certify_illegal {
        uint64_t not_finite, box, rate, grid;
        uint64_t automaton; /* of a unit or a pair: times, starts, load, water, lift */
        uint64_t full;      /* full cooling was demanded and not ordered */
};
void certify_illegal_add(struct certify_illegal *sum, const struct certify_illegal *n);
bool certify_illegal_any(const struct certify_illegal *n);

struct certify_result {
        uint64_t number;
        struct certify_kinds kind;
        bool strict;
        uint64_t steps, kind_steps[4], reason_steps[CERTIFY_REASONS];
        uint64_t certified, terminal, first_certified; /* first: step number, = steps when never */
        /* (inlet, step) above the limit in the true trajectory: while all that the last certificate assumes held (or
         * none was given in the last horizon); although something did not; of both, right after a certified decision */
        uint64_t hard, hard_outside, hard_covered;
        struct certify_illegal illegal;
        uint64_t unfounded;         /* less cooling than before and than nominal without a certificate */
        uint64_t out, within, over; /* certificates, see above; over: out and above the limit itself */
        /* certificates of which an assumption did not hold: the set, the window's noise, the noise of the first step,
         * what accumulates later (of any inlet) */
        uint64_t no_set, no_anchor, no_first, no_sum;
        uint64_t resets; /* how often readings of a row contradicted what was learned of it, or W */
        uint64_t judged, cut,
            cut_robust;                 /* sensible proposals; changed; changed by the worst case or for want of one */
        uint64_t judged_late, cut_late; /* the same after the third hour */
        double hottest_c, out_k, margin_sum_k, margin_min_k;
        double late_travel;            /* way of all supply airs and fans after the third hour, in ranges */
        struct certify_time time, cpu; /* wall, and this thread's: a busy machine is in the former only */
        char first[128];               /* the first violation in words; "" = none */
};

/* 0, -ENOMEM, -EINVAL (units, steps). */
int certify_episode(const struct certify_args *a, struct certify_result *ret);
/* True when a claim is violated. */
bool certify_failed(const struct certify_result *r);

/* Counts what is wrong with value v of variable j when `was` was confirmed; 0 = legal. now_s: for the automata. */
struct certify_automaton {
        bool on;
        double since_s, start_s[17]; /* one more than any box permits in an hour */
        size_t starts;
        bool told, runs; /* its status was known once, and what it said last */
        bool turns;      /* whatever it says, it turns: an order on is no start */
};
/* From now on nothing is known of its past: it has just been switched, and all starts of this hour but one were made.
 */
void certify_judge_forget(const struct safety_u *u, bool on, double now_s, struct certify_automaton *q);
uint64_t certify_judge_value(const struct safety_u *u, double v, double was, struct certify_illegal *n);
uint64_t certify_judge_unit(const struct safety_u *u, double v, double now_s, struct certify_automaton *q,
                            struct certify_illegal *n);

/* A decision with what it was made on: rules that tie variables to the snapshot and to each other. Each counts what is
 * broken and names it; NULL = legal. */
struct certify_move {
        const struct safety_envelope *env;
        const struct safety_snapshot *snap;   /* mono_s: on the clock of unit */
        const double *was, *act;              /* [nu] confirmed before, decided */
        const struct certify_automaton *unit; /* [nu] as it was before the decision, with the status of now */
        enum decision_kind kind;
};
/* Setpoint j: slow step, warmer and colder water, soft floor, full cooling. */
const char *certify_judge_setpoint(const struct certify_move *m, size_t j, struct certify_illegal *n);
/* Unit j: stops against load and water, starts against water. */
const char *certify_judge_stage(const struct certify_move *m, size_t j, struct certify_illegal *n);
const char *certify_judge_lift(const struct certify_move *m, const struct safety_lift *p, struct certify_illegal *n);

/* At most CERTIFY_CHUNK hostile proposals against random boxes, grids, rates, chillers and lifts (one air handler),
 * while others move setpoints beyond their boxes too, machines stop by themselves, flows, loads and floors may be any
 * number or none, readings are no numbers, the plant takes what is written late or cannot be read back, the clock
 * stands still or goes back, and the filter is restarted with what it saved or without. Each chunk has proposals of its
 * own. */
#define CERTIFY_CHUNK 100000
struct certify_hostile {
        uint64_t proposals, kind_steps[4];
        struct certify_illegal illegal;
        struct certify_time time;
        char first[128];
};
int certify_hostile(uint64_t seed, uint64_t chunk, uint64_t n, struct certify_hostile *ret);

#endif
