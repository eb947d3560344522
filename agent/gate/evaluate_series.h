/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What an evaluation looked like over time, in bounded memory however long the record: at most SERIES_BUCKETS stretches
 * of equal width, which doubles (neighbours are merged) when there is no room for another; and the hours that were the
 * hottest. Stretches without a decision are not there. Times that come again (a clock that was set back) go to the
 * stretch they belong to. Allocates at create only.
 */
#ifndef COOLPLANE_GATE_EVALUATE_SERIES_H
#define COOLPLANE_GATE_EVALUATE_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "safety/safety.h"

enum { SERIES_BUCKETS = 1024, SERIES_WORST = 10, SERIES_HEATS = 5 };

/* One decision. heat_c, row: as enum evaluate_heat counts them; NaN and −1: not known. row: arx row of the hottest. */
struct series_moment {
        int64_t t_ms;
        double heat_c[SERIES_HEATS];
        int row[SERIES_HEATS];
        double predicted_w, measured_w; /* cooling; NaN = not known */
        enum decision_kind kind;
        enum decision_reason reason;
        const double *action, *in_force; /* [nu]; in_force NULL: the gate was acting */
};

/* Where the unit begins that holds t_ms. */
int64_t series_floor(int64_t t_ms, int64_t unit_ms);

struct series_mean {
        double sum;
        size_t n;
};
double series_mean(const struct series_mean *m);       /* NaN: of nothing */
void series_mean_add(struct series_mean *m, double v); /* not finite: says nothing */

struct series_bucket {
        int64_t t_ms;                               /* begins, UTC */
        double heat_c[SERIES_HEATS];                /* hottest; NaN: none */
        struct series_mean predicted_w, measured_w; /* of steps that know both */
        struct series_mean metered_w;               /* of steps that know the second */
};

/* Of steps that know both. */
struct series_pair {
        struct series_mean action, in_force;
};

/* A clock hour (UTC), told by its hottest step. */
struct series_hour {
        int64_t t_ms, at_ms; /* begins; the step */
        double c;
        int row; /* −1: not known */
        enum decision_kind kind;
        enum decision_reason reason;
};

struct series {
        size_t nu, n;
        int64_t width_ms;
        struct series_bucket *bucket; /* [n], ascending */
        struct series_pair *u;        /* [n × nu] */
        double *lo, *hi;              /* [nu] what was in force, least and greatest; NaN: never known */
        /* per enum evaluate_heat, worst first, the present hour among them */
        struct series_hour worst[SERIES_HEATS][SERIES_WORST];
        size_t nworst[SERIES_HEATS];
};

/* step_ms: of the control steps; a stretch begins with the width of two of them, a minute at least. -ENOMEM. */
int series_create(struct series *s, size_t nu, int64_t step_ms);
void series_free(struct series *s);
void series_add(struct series *s, const struct series_moment *m);

#endif
