/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The plant under other settings than those of a log. Every reading is the log's own plus the difference that the
 * trained model sees between our settings and the operator's: with the operator's settings it is the log to the bit,
 * and what no model explains (weather, loads, leaks, noise) stays as it was. Powers likewise, so that the saving is
 *   Σ (E(log) − E(ours)) / Σ measured,     E: energy model of the same log,
 * once for each member of its ensemble: what they disagree about is what the log leaves open.
 *
 * Where our settings are others, what the operator's own steps shake is left out (calm.h).
 * Inlets and supply air by the ARX model, free-running, inlets bent over fan speed (inlet_bend.h); valves by the
 * balance of their coils; water follows its setpoint within minutes, condenser water no nearer to the wet bulb than the
 * tower has come or 4 K; return air by the heat of the log over the new air flow. Racks draw what they drew: server
 * fans, which warmer inlets speed up, are not foreseen but bounded (WHATIF_IT_RESPONSE). Nor foreseen are chillers that
 * take time to start. What the log lacks within a segment is carried. No clock, no logging; allocates at create and for
 * the result.
 */
#ifndef COOLPLANE_PLANNER_WHATIF_H
#define COOLPLANE_PLANNER_WHATIF_H

#include "agent/planner/train.h"

struct whatif_args {
        const struct layout *layout;    /* borrowed */
        const struct train_file *model; /* of all of this log, with an energy model; borrowed */
        const struct dataset *log;      /* what the model was trained with and what is walked; borrowed */
        int64_t closes_ms;              /* until then the operator's settings stay */
};

struct whatif;
/* 0; -EINVAL: the model has no energy, or another structure than the layout's; -ENOMEM. */
int whatif_create(const struct whatif_args *a, struct whatif **ret);
struct whatif *whatif_free(struct whatif *w);

/* A setting of ours, in force from the next step on. Points that are no manipulated variable are ignored. */
void whatif_set(struct whatif *w, size_t point, double value);
/* The step that begins at t_ms: samples from here on are of it. Later than the one before. */
void whatif_step(struct whatif *w, int64_t t_ms);
/* A sample of the log becomes what it would have been. */
void whatif_sample(struct whatif *w, struct sample *s);

enum { WHATIF_KINDS = 5 }; /* enum u_kind */
/* Share of IT power that a kelvin of inlet may cost, cooling in it; as savings_args_default's it_response_ratio_k. */
#define WHATIF_IT_RESPONSE 0.005

/* How a kind of setpoint was moved: means over its variables and the closed steps but where it says so; unit of u. */
struct whatif_moved {
        size_t n;                 /* variables */
        double log_low, log_high; /* where the log kept them nine tenths of the time that the energy model remembers
                                     (ENERGY_SAMPLES); NaN: not known */
        double distance;          /* |ours − the log's| */
        double mean_change;       /* ours − the log's */
        double inside_ratio; /* share of the steps with ours between log_low and log_high: of the variable where it is
                              * least, of those that move by more than nobody would notice; 1: none does */
};

/* Why the log cannot tell; what it would say is there all the same. */
enum whatif_refusal {
        WHATIF_TOLD,
        WHATIF_SHORT,         /* less than a day of closed steps */
        WHATIF_NOT_METERED,   /* no power of chillers and fans */
        WHATIF_NOT_FITTED,    /* a tenth of the outputs have no model, or more */
        WHATIF_NO_EXCITATION, /* a setpoint would spend a fifth of the time where the log hardly had it (beyond its 5 %
                               * and 95 % quantiles): what that does is physics by the book, not this plant */
        WHATIF_NO_RANGE,      /* where a setpoint was in the time that the energy model remembers is not known at all */
        WHATIF_NOT_JUDGED,    /* too little, or nothing, of the log lies our way to judge the energy model's error by */
        WHATIF_OUTSIDE, /* one slow step in five is farther than a data spread from all that the energy model remembers
                         */
};

struct whatif_result {
        enum whatif_refusal refusal;
        enum u_kind kind;                 /* of WHATIF_NO_EXCITATION and _NO_RANGE */
        size_t steps;                     /* closed, in which everything was known */
        size_t unknown;                   /* closed, in which powers or temperatures were not */
        size_t breaks;                    /* gaps of the log after which it begins anew from the operator's settings */
        size_t outputs, fitted;           /* of the thermal model */
        bool metered[ENERGY_PARTS];       /* in every step that counts */
        double measured_wh[ENERGY_PARTS]; /* of the log */
        double log_wh[ENERGY_PARTS], ours_wh[ENERGY_PARTS]; /* as modelled, mean of the members */
        double saving_ratio;                                /* of the metered parts; NaN: nothing measured */
        double half_width_ratio; /* of its 95 % interval: what the log leaves open (members), how far the model errs
                                  * that way (transfer), and what is decided differently as the readings are not quite
                                  * those that would have come (DECIDED, set by simulated sites); NaN: not known */
        double member_ratio[ENERGY_MEMBERS]; /* the same by each member; rising */
        double robust_ratio;                 /* the saving by the doubly robust estimate (transfer.h) */
        double support_ratio;  /* … of the part where it is least, the share of the time with the log near */
        double transfer_ratio; /* how far the energy model errs that way (transfer.h); NaN: the log cannot tell */
        size_t slow_steps;
        double outside_ratio; /* share of these farther than one data spread from all of the log */
        struct whatif_moved moved[WHATIF_KINDS];
        double hottest_log_c, hottest_ours_c; /* inlets, closed steps; NaN: none */
        double rise_k; /* inlets, ours − the log's: mean over closed steps, zones weighed by power; NaN: not known */
        double servers_wh; /* what servers and their cooling may draw more in zones whose inlets are warmer */
};
void whatif_result(const struct whatif *w, struct whatif_result *ret);

#endif
