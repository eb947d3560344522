/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Time as the agent sees it. Three wirings: real, scaled (a simulated plant that runs faster than real time) and
 * virtual (replay, in-process simulation). All intervals come from mono_ms; t_ms only labels.
 */
#ifndef COOLPLANE_BASE_CLOCK_H
#define COOLPLANE_BASE_CLOCK_H

#include <stdint.h>

struct clk {
        double scale;            /* plant time per real time; 1 = real */
        int64_t origin_wall_ms;  /* real UTC ms … */
        int64_t origin_plant_ms; /* … at which plant time was this */
        int64_t start_mono_ms, start_plant_ms;
        int64_t virtual_ms; /* virtual clock: now; −1 = not virtual */
};

/* Real time (scale 1) or scaled. origin_wall_ms < 0: plant time starts equal to UTC now. */
void clk_init(struct clk *c, double scale, int64_t origin_wall_ms, int64_t origin_plant_ms);
void clk_init_virtual(struct clk *c, int64_t start_ms);
void clk_advance_to(struct clk *c, int64_t t_ms); /* virtual only; never backwards */

/* Plant time, UTC epoch ms (label). Follows CLOCK_REALTIME when scale is 1. */
int64_t clk_t_ms(const struct clk *c);
/* Plant time, monotonic ms since an arbitrary start. */
int64_t clk_mono_ms(const struct clk *c);
/* Real monotonic ms, never scaled (time-outs of sockets). */
int64_t clk_real_mono_ms(void);

/* "SCALE", "WALL_MS:PLANT_MS" as given to --time-scale and --time-origin; 0 or -EINVAL. */
int clk_parse_scale(const char *s, double *ret);
int clk_parse_origin(const char *s, int64_t *ret_wall_ms, int64_t *ret_plant_ms);

/* RFC 3339 UTC with ms, e.g. 2026-11-22T00:42:55.123Z; buf ≥ 32 bytes. Returns buf. */
char *clk_format(int64_t t_ms, char *buf);
/* RFC 3339 with mandatory offset, or a plain integer of epoch ms. 0 or -EINVAL. */
int clk_parse_time(const char *s, int64_t *ret_t_ms);

#endif
