/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the console knows now: the gate's status document and the newest state of the database, read at most once a
 * second however many ask. The database is opened read-only when it appears, and again when it is replaced.
 */
#ifndef COOLPLANE_WEB_VIEW_H
#define COOLPLANE_WEB_VIEW_H

#include "agent/base/clock.h"
#include "agent/points/site.h"
#include "agent/store/store.h"
#include "agent/web/gatedoc.h"

struct view_latest {
        bool present;
        uint8_t quality, reason;
        int64_t t_ms;
        double value;
        int64_t good_t_ms; /* newest good reading seen since this process started; −1 = none */
};

struct view_run {   /* the newest run of a gate in the database */
        int64_t id; /* 0 = none */
        char mode[16], version[32];
        int64_t start_t_ms;
};

struct view {
        const struct site *site; /* borrowed */
        struct clk *clk;         /* borrowed */
        int64_t read_mono_ms;    /* real time of the last refresh; −1 = never */

        struct gatedoc gate;
        int64_t gate_mono_ms;  /* real time of the last readable document; −1 = none */
        int64_t cycle_mono_ms; /* real time at which its step was last seen to change; −1 = never */
        int64_t cycle_seen;

        struct store *store; /* NULL: not there yet */
        char store_error[512];
        uint64_t store_ino, store_dev;
        struct store_counts counts;
        struct view_run run;
        struct view_latest *latest; /* [npoint] */
        int64_t now_t_ms;           /* plant time of the refresh */
};

int view_create(const struct site *site, struct clk *clk, struct view **ret);
struct view *view_free(struct view *v);
void view_refresh(struct view *v);

/* The two lines an inlet is held against, °C. */
double view_inlet_recommended_c(const struct site *site);
double view_inlet_allowable_c(const struct site *site);

/* A sample counts as the present when it is good and not older than this before the newest one. */
#define VIEW_PRESENT_MS (5 * 60 * 1000)
bool view_is_present(const struct view *v, size_t point);

#endif
