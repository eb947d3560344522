/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What a scenario's limits are about: the measures, by name, and the books they are kept in, one for each part of the
 * run. Looked at from the plant's truth every scan (5 s), so that a part may begin at any event.
 */
#ifndef COOLPLANE_SIM_SCENARIO_MEASURE_H
#define COOLPLANE_SIM_SCENARIO_MEASURE_H

#include "sim/closed_loop.h"
#include "sim/registers.h"
#include "sim/scenario.h"

enum { BOOK_MINUTES = 16 };

/* What is counted up since the run began: a part is the difference of two. */
struct book_mark {
        double t_s;
        struct plant_account account;
        struct gate_status gate;
        uint64_t vain_writes;
};

struct book_part {
        bool open, closed;
        struct book_mark from, to;
        double hottest_c, first_c, mean_c, sat_c, fan_ratio, fan_gap, chillers; /* means: sums over time until read */
        double margin_k, margins;                                               /* sum, and of how many */
        double max_rise_k, max_dewpoint_c, max_chwst_c, min_lift_k, sat_travel_k, fan_travel;
        double remote_share, min_remote_share, fixed_max, fixed_last, last_c;
        double local_t_s, bad_t_s, fallback_t_s, release_t_s,
            inactive_t_s; /* of the run; NaN = it did not come to it */
        uint64_t by_reason[SM_COUNT - SM_REASON];
};

struct book {
        struct plant *plant;               /* borrowed; so too the next two */
        struct closed_loop *loop;          /* NULL under a baseline */
        const struct registers *registers; /* and these */
        double last_event_s, last_warm_s;
        double *sat_c, *fan_ratio; /* [ncrah] in force at the look before */
        double *minute_c;          /* [BOOK_MINUTES × nrack] ring of inlets */
        size_t minutes;
        uint64_t step;
        struct book_part part[SCENARIO_PARTS];
};

int book_create(struct book *b, struct plant *plant, struct closed_loop *loop,
                const struct registers *registers); /* 0 or -ENOMEM */
void book_free(struct book *b);
/* At the plant's state of now, t_s into the part of the run that counts. Every scan; a part may begin or end after it,
 * at the same moment. */
void book_look(struct book *b, double t_s);
void book_open(struct book *b, enum scenario_part p, double t_s);
void book_close(struct book *b, enum scenario_part p, double t_s);
void book_read(const struct book *b, enum scenario_part p, double *ret); /* of a closed part; [SM_COUNT] */

#endif
