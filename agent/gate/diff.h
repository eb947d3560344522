/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The decisions of two databases side by side: two configurations, builds or planners over one log, mostly two outputs
 * of `coolplane replay`. Decisions belong together by their time, variables and readings by their names. What a
 * decision was made on is taken from the evidence stored with it, with the configuration that the database keeps of its
 * run; where that cannot be read, DIFF_UNKNOWN. Both are streamed: memory does not grow with the number of decisions.
 */
#ifndef COOLPLANE_GATE_DIFF_H
#define COOLPLANE_GATE_DIFF_H

#include "agent/store/store.h"

/* What a decision is made on, beside the configuration. */
enum diff_part {
        DIFF_READINGS,  /* outputs and disturbances of this step and whether they can be used, flows, interlocks */
        DIFF_HISTORY,   /* the rows of the window before */
        DIFF_EXPECTED,  /* what disturbances may become at worst, which is learned, and whether it is a slow step */
        DIFF_CONFIRMED, /* the setpoints in force */
        DIFF_FREE,      /* what may be moved, dew point's floors, which machines report to run */
        DIFF_TIMERS,    /* of machines: minimum on and off times, starts */
        DIFF_MODEL,     /* model set of the safety layer */
        DIFF_PROPOSAL,
        DIFF_PARTS
};
const char *diff_part_str(enum diff_part p);
const char *diff_unit(const char *unit); /* of a difference of values in this unit */

enum diff_state { DIFF_EQUAL, DIFF_DIFFERS, DIFF_UNKNOWN };

/* A variable's actions, and those of the first decision that differs. */
struct diff_var {
        char name[POINT_NAME_MAX], unit[16];
        uint64_t n;  /* decisions in which its action differs */
        double most; /* largest difference, … */
        int64_t most_ms;
        double at[2]; /* … of these two */
        bool in[2];   /* whose variable it is */
        double first_proposal[2], first_action[2], first_confirmed[2];
};

/* A numeric limit of the safety layer that is not the same. */
struct diff_limit {
        const char *what;           /* "hard limit" */
        char point[POINT_NAME_MAX]; /* the first, "" = the site's */
        const char *unit;
        double v[2];
        size_t n; /* points in which it differs */
};

/* A line of a file of the configuration that is not the same; what was inserted or deleted is a line of one only. */
struct diff_file {
        char name[SITE_PATH_MAX]; /* without folder */
        size_t line;              /* A's number, of a line that only B has B's */
        char text[2][96];         /* cut; "" = no such line or file */
        size_t more;              /* lines that differ behind this one and are none of diff_config.file */
};

/* FILES: lines of all files together, LINES: of one */
enum { DIFF_LIMITS = 32, DIFF_FILES = 64, DIFF_LINES = 8, DIFF_REASONS = 32 };

/* Of two runs' configurations. */
struct diff_config {
        bool same;
        bool read[2]; /* it could be read from the database */
        struct diff_limit limit[DIFF_LIMITS];
        size_t nlimit;
        struct diff_file file[DIFF_FILES];
        size_t nfile;
};

/* One of the two decisions that differ first. */
struct diff_decision {
        int64_t run_id;
        uint64_t step;
        char mode[16], version[32], config[65];
        enum decision_kind kind;
        enum decision_reason reason;
        char binding[POINT_NAME_MAX];
        double margin;                  /* K; NaN = none */
        char margin_at[POINT_NAME_MAX]; /* output that has it, "" = unknown */
        uint64_t model_hash;
        bool has_proposal, verified;
};

struct diff {
        uint64_t both, equal;                            /* equal: kind, reason, binding and action */
        uint64_t kind, reason, binding, action;          /* of the others: in what they differ */
        uint64_t only[2], before[2], after[2], again[2]; /* missing in the other; outside its span; at a time again */
        int64_t only_ms[2];                              /* first of them */
        int64_t begin_ms, end_ms;                        /* first and last of those in both */
        uint64_t by_kind[4][4], by_reason[DIFF_REASONS][DIFF_REASONS]; /* [A][B] where they differ */
        struct {
                uint64_t differs, unknown;
                int64_t first_ms; /* of those that differ */
        } part[DIFF_PARTS];
        char reading[POINT_NAME_MAX]; /* first that differs; readings.first_ms */
        double reading_v[2];
        struct diff_var *var; /* [nvar] */
        size_t nvar;
        struct diff_config config; /* until the first difference; without one, of the last decision */
        int64_t first_ms;          /* this and the rest: meaningful where equal < both */
        struct diff_decision first[2];
        enum diff_state first_part[DIFF_PARTS];
};

struct diff_args {
        struct store *store[2];
        int64_t from_ms, to_ms;                    /* from ≤ t < to */
        void (*progress)(void *ctx, int64_t t_ms); /* may be NULL */
        void *ctx;
};

/* 0, also where no decision is in both; -ENOMEM; -E2BIG: more than 2048 variables; else the error of a store, with
 * *ret_side which. *ret: diff_free in any case. */
int diff_run(const struct diff_args *a, struct diff *ret, int *ret_side);
void diff_free(struct diff *d);

/* diff_config.c: sites may be NULL, texts 0. */
void diff_sites(const struct site *const site[2], const struct site_text *const text[2], const size_t ntext[2],
                struct diff_config *ret);

#endif
