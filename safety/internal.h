/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the files of safety/ share, not for other rooms. verify.c takes from here only plain structs and constants.
 */
#ifndef COOLPLANE_SAFETY_INTERNAL_H
#define COOLPLANE_SAFETY_INTERNAL_H

#include "models/num/qp.h"
#include "safety/ladder.h"
#include "safety/safety.h"

#define SAFETY_START_S 300.0 /* one that does not run so long after its order is not about to */
#define SAFETY_RELIEF 1.10   /* of the least water of all that run: below it one of them stops */
#define SAFETY_STARTS_MAX 16 /* start times kept per unit; bounds max_starts_per_h */
#define SAFETY_NEAR                                                                                                    \
        1.0 /* unit of the output: FALLBACK: this close to a hard limit, full cooling; steps of its response */
#define SAFETY_COMFORT 0.5 /* unit of the output: at least this far below, the nominal action counts as known safe */
#define SAFETY_SNAP 1e-3   /* of a step: read-back noise that still counts as on the grid */
#define SAFETY_FLOAT 1e-7  /* of 1 + |value|: what a single-precision register rounds; at a bound it is the bound */
#define SAFETY_LIFT_TOL_K 1e-6 /* rounding of a difference of setpoints */
#define SAFETY_BAD_MAX 0.3     /* share of certified outputs without a reading that means FALLBACK at once */
#define SAFETY_NO_GROUP SIZE_MAX
#define SAFETY_STATE_PER_U (6 + SAFETY_STARTS_MAX)

/* Bump allocation over the caller's block; with mem NULL it only counts. */
struct arena {
        char *mem;
        size_t used;
};

static inline void *arena_take(struct arena *a, size_t n, size_t size)
{
        size_t at = a->used;
        a->used += (n * size + 15) / 16 * 16;
        return a->mem ? a->mem + at : NULL;
}

struct safety_decision {
        int64_t t_ms;
        enum decision_kind kind;
        enum decision_reason reason;
        struct safety_certificate cert;
        double *u;
        size_t nu;
        const struct safety_u *box; /* [nu] the envelope's */
};

/* limits.c: one continuous variable; more cooling = larger safe_dir·u. base: what the plant has. Values are on the grid
 * of the box, but for a base beyond it. */
/* −1: v lies before the first value of the box that the register has, +1: after the last, 0: between. */
int limits_side(const struct safety_u *u, double v);
/* True when v lies beyond the box where that is not less cooling: a base there may stay, nothing else may be there. */
bool limits_beyond(const struct safety_u *u, double v);
/* The grid value of the box for v, rounded toward more cooling, or base (safe_dir 0: toward base); base itself for a v
 * on the side of the box where base is beyond it. */
double limits_quantise(const struct safety_u *u, double v, double base);
double limits_full(const struct safety_u *u, double base);
bool limits_less_cooling(const struct safety_u *u, double a, double than);
double limits_more_of(const struct safety_u *u, double a, double b);
/* One equipment ramp from `from` toward more cooling (not quantised). */
double limits_ramp(const struct safety_u *u, double from);
/* Nearest permitted value to `want`; *why is set to the last bound that cut it, untouched when none did. */
double limits_move(const struct safety_u *u, double base, double want, bool slow_step, bool no_warmer_water,
                   enum decision_reason *why);
/* u's box of this step ends at `floor`, or at base where that is colder: what the plant has may stay. Floors bind
 * variables with safe_dir −1. */
void limits_raise(struct safety_u *u, double base, double floor);
/* The greatest lift of pair p at this step's load. */
double limits_greatest_lift(const struct safety_envelope *e, const struct safety_snapshot *snap,
                            const struct safety_lift *p);
/* Lift of act [nu] ← inside its bounds, or no farther outside than what the plant has, whichever of the two setpoints
 * comes into force first: first the condenser water goes back toward what the plant has, then the chilled water. True
 * when that moved something; *why and *binding as limits_move. */
bool limits_lift(const struct safety_lift *p, const struct safety_u *u, const double *base, double *act,
                 enum decision_reason *why, int *binding);

/* equipment.c: automaton of one ONOFF unit. What counts is the later of the order and of what the machine was seen to
 * do: the order needs time to arrive, and the machine its own timers. */
struct equipment {
        bool seen;                         /* observed once since create or restore */
        bool commanded, running;           /* running: last known, */
        bool told;                         /* once it was */
        bool proved;                       /* seen to run since the newest start */
        bool heard;                        /* reported running just now */
        double on_s, off_s;                /* when either of the two last went on, off */
        double start_s[SAFETY_STARTS_MAX]; /* ring, newest at head − 1 */
        unsigned head;
};
void equipment_reset(struct equipment *q);
/* status: running feedback 0, 1; 255 = not known now: as before */
void equipment_observe(struct equipment *q, const struct safety_u *u, bool commanded, uint8_t status, double mono_s);
/* True for a unit that is ordered on. */
bool equipment_may_start(const struct equipment *q, const struct safety_u *u, double mono_s);
/* Of a unit that is ordered on. */
bool equipment_may_stop(const struct equipment *q, const struct safety_u *u, double mono_s);
/* act [nu] ← permitted value of each ONOFF unit for want [nu]; base of units: 0 or 1. *why and *binding as limits_move.
 */
void equipment_move(const struct safety_envelope *e, const struct equipment *q, const struct safety_snapshot *snap,
                    const double *base, const double *want, double *act, enum decision_reason *why, int *binding);
void equipment_save(const struct equipment *q, double mono_s, double *buf);
void equipment_restore(struct equipment *q, double mono_s, double elapsed_s, const double *buf);

/* interlock.c */
struct interlock {
        unsigned *trip_count;  /* [ncert] consecutive steps above trip */
        unsigned hold_count;   /* steps in HOLD since the last proposal that could be used */
        unsigned clean_count;  /* clean steps in a row while in FALLBACK */
        enum ladder_mode mode; /* RELEASE is the gate's */
        bool seen;             /* some certified output has been read since create */
};
enum interlock_order { ORDER_NORMAL, ORDER_HOLD, ORDER_FALLBACK, ORDER_FULL };
struct interlock_result {
        enum interlock_order order;
        enum decision_reason reason;
        int binding_y;
};
/* Usable reading of a certified output: its condition and value. */
enum safety_cond interlock_reading(const struct safety_envelope *e, const struct safety_snapshot *snap, size_t row,
                                   double *ret_y);
struct interlock_result interlock_step(struct interlock *k, const struct safety_envelope *e,
                                       const struct safety_snapshot *snap, const struct safety_proposal *prop);

/* tighten.c: outputs and variables that no chain of model terms joins cannot influence each other; each such group is
 * certified on its own. */
struct group {
        bool blind;       /* a reading or a lagged value it needs is missing */
        bool dark;        /* none of its certified outputs can be read */
        int blind_row;    /* which, −1 = none */
        bool comfortable; /* every usable reading is SAFETY_COMFORT below its limit */
        bool chained;     /* the previous decision was certified: its backup plan is still good */
        bool held;        /* and it ended in the terminal box */
        bool invariant;   /* the terminal box exists for the present model set */
        bool decided, certified, terminal;
        enum { PHASE_PROPOSAL, PHASE_HOLD, PHASE_BACKUP, PHASE_BISECT, PHASE_PROJECT } phase;
        unsigned tries;          /* rollouts left to PHASE_PROJECT */
        double wanted;           /* margin that PHASE_HOLD, PHASE_BISECT and PHASE_PROJECT ask for */
        double kept;             /* margin of what the plant has, −INFINITY: not certified */
        bool toward_less;        /* the clipped proposal cools less than what the plant has */
        double lo, hi, fraction; /* bisection: lo certified, hi not */
        double margin;
        int binding;
        /* The rollout that is under way: */
        bool cooperative;     /* outputs never cool each other, for the present model set */
        double need;          /* margin without which it need not go on; −INFINITY: its least is wanted */
        bool rolling, lost;   /* goes on; that margin is lost */
        bool rose, outside;   /* some row, in this step; of the terminal box */
        size_t steady, falls; /* step from which the inputs stay; steps in a row in which no row rose */
};

/* project.c: scratch of one guess; n variables, m rows */
struct projector {
        double *slope;   /* [steps × nterm] of each row, */
        uint8_t *known;  /* [steps × ny] once it is asked for */
        double *adjoint; /* [N × ny] of one certified output by those of earlier steps */
        double *grad;    /* [m × nu] of each by the action */
        size_t *var;     /* [n] */
        double *h, *a;   /* [n × n], [m × n] */
        double *g, *lb, *ub, *cl, *cu;
        void *qp;
        size_t qp_size;
};

struct verifier;

struct safety {
        struct safety_envelope env;
        const struct arx *model;
        uint64_t model_hash;
        bool have_hash, have_last, box_changed;
        bool heat; /* soft floors give way */
        size_t lag_max, ngroup;
        struct group *group;
        size_t *row_group, *u_group;  /* [ny], [nu]; SAFETY_NO_GROUP = no certified output depends on it */
        struct safety_u *now_u;       /* [nu] env.u of this step: a fixed variable's box is its present value */
        const struct safety_u *own_u; /* [nu] the validated copy */
        struct equipment *equip;      /* [nu] */
        struct interlock lock;
        double *base, *want, *clip, *start, *end, *act, *last; /* [nu] */
        double *best, *guess;        /* [nu] PHASE_PROJECT: the best certified action so far, and what is tried next */
        double *u_future, *d_future; /* [N × nu], [N × nd] */
        double *y_up;                /* [N × ny] */
        double *least;               /* [ncert] least margin in the last rollout, */
        size_t *when;                /* [ncert] and its step */
        double *box;                 /* [ny] terminal box, upper */
        double *syn_y, *syn_u, *syn_d; /* [lag_max × …] constant window of the terminal set */
        uint8_t *active, *row_bad;     /* [ny] */
        double *arx_work;
        struct arx_rollout rollout;
        struct projector projector;
        struct verifier *verifier;
        struct safety_decision decision;
};

/* filter.c: base, the boxes of this step and the equipment's timers from the snapshot. */
void filter_set_base(struct safety *s, const struct safety_snapshot *snap);

void tighten_groups(struct safety *s);
void tighten_model(struct safety *s); /* terminal boxes, when the model set changed */
void tighten_observe(struct safety *s, const struct safety_snapshot *snap);
/* The window from which the next rollouts start; borrowed until the last of them. */
void tighten_window(struct safety *s, const struct safety_snapshot *snap);
/* Worst case of act [nu] for one step and the backup after it, for every group that is not decided (all = every one),
 * as far as it takes to judge it. */
void tighten_rollout(struct safety *s, const double *d_hi, const double *act, bool all);
/* True when a row of group g reads the disturbance that variable j drives. */
bool tighten_reads(const struct safety *s, size_t g, size_t j);
/* True when group g of the last rollout is certified; fills its margin, binding and terminal. */
bool tighten_judge(struct safety *s, size_t g);

/* project.c */
void project_carve(struct arena *a, const struct safety_envelope *e, const struct arx_structure *st,
                   struct projector *p);
/* How far act [nu] is from the end of group g's segment: the norm of W. */
double project_distance(const struct safety *s, size_t g, const double *act);
/* ret_act [nu] ← where a certified action of group g may lie nearer to the end of its segment, between start and end.
 * Right after the rollout of act. Writes the variables of g that the segment moves; false: no idea. */
bool project_guess(struct safety *s, size_t g, const double *act, double *ret_act);

/* fallback.c: want [nu] ← trim and respond without the model. */
void fallback_action(const struct safety *s, const struct safety_snapshot *snap, bool full, double *want);

/* verify.c */
size_t verify_memsize(const struct safety_envelope *e, const struct arx_structure *st);
struct verifier *verify_create(void *mem, const struct safety_envelope *e, const struct arx *model);
/* Sees every snapshot first (timers), then judges candidates. */
void verify_observe(struct verifier *v, const struct safety_snapshot *snap);
bool verify_action(const struct verifier *v, const struct safety_snapshot *snap, const double *act);
void verify_decided(struct verifier *v, const double *act);
void verify_restore(struct verifier *v, double mono_s, double elapsed_s, const double *buf, size_t n);

#endif
