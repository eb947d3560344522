/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The safety envelope of a site: every number the filter may rely on, from the site file and the point map alone; and
 * the check that the gate will accept a site, so that a configuration is refused when it is read and not at start.
 */
#ifndef COOLPLANE_GATE_ENVELOPE_H
#define COOLPLANE_GATE_ENVELOPE_H

#include "agent/points/layout.h"
#include "safety/safety.h"

#define GATE_RESERVE_K 0.5 /* margin a move toward less cooling must leave */
#define GATE_DELTA 0.05    /* 1 − confidence of one row of the model set */

enum {
        GATE_FIT_EVERY = 20, /* steps between refits of the safety model */
        GATE_FIT_MIN = 60,   /* samples a row needs before its fit counts */
};

/* Time spans as steps of the site's control step, within bounds that keep the arithmetic small and the statistics
 * meaningful: at steps between 6 s and 90 s the spans are kept. */
struct gate_spans {
        size_t horizon;     /* 6 min: what the worst case looks ahead; 4 … 60 steps */
        unsigned w_horizon; /* 5 min: what accumulates of the noise (arx_args); 2 … ARX_HORIZON_MAX */
        size_t window;      /* rows of history: w_horizon transitions anchor the worst case */
        unsigned hold;      /* at most 5 min */
        unsigned persist;   /* 5 min of clean steps before FALLBACK is left */
        double forget;      /* about four hours: the gains move with the operating point */
        double day_weight;  /* of one step in an average over about a day */
};
struct gate_spans gate_spans(double step_s);

/* Three standard deviations of what a disturbance may do over one horizon while nothing was seen of it yet: a share of
 * a power, K of a temperature. */
#define GATE_RISE_RACK 0.2
#define GATE_RISE_ZONE 0.1
#define GATE_RISE_K 1.0
/* d_hi − d: how far a disturbance may rise within one horizon. Three standard deviations of what it did over one so
 * far (change2: mean square over about a day, of `steps`), in which the wide `start` counts as an hour. */
double gate_rise(const struct gate_spans *span, double start, double steps, double change2);
/* Learns from its change over `over` steps, scaled as a random walk would be. */
void gate_rise_learn(const struct gate_spans *span, double change, size_t over, double *steps, double *change2);

/* How the safety model learns and what its worst case counts. */
struct arx_args gate_arx_args(const struct gate_spans *span);

struct gate_envelope {
        struct safety_envelope safety; /* its arrays are those below */
        struct safety_u *u;
        struct safety_y *cert;
        struct safety_lift *lift;
        double *d_max; /* INFINITY = unknown */
};

/* 0 or -ENOMEM. Not validated: gate_check_site and safety_create do. */
int gate_envelope_build(const struct layout *l, struct gate_envelope *ret);
void gate_envelope_free(struct gate_envelope *e);

/* Would the gate take this site? A check for site_load_checked: every reason against it is added to `e` with its place.
 * 0, -ENOMEM. */
int gate_check_site(const struct site *site, struct site_errors *e);

#endif
