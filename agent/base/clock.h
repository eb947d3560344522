/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Time as the agent sees it. Three wirings: real, scaled (a simulated plant that runs faster than real time) and
 * virtual (replay, in-process simulation). Timers and intervals come from mono_ms; t_ms labels samples and decisions,
 * and the age of a value is a difference of labels: so labels never run backwards.
 *
 * When the machine's wall clock is set (NTP, an operator, a guest that was paused):
 *  - forwards by CLK_STEP_MS or more: t_ms jumps along. What was read before looks as old as it may be (a paused guest
 *    really lost that time), until the next scan reads it again;
 *  - backwards, or forwards by less: t_ms goes on and is slewed, 10 % slow or fast, until both agree. Modbus samples
 *    are labelled with this clock, so none is "late" and none stays "fresh";
 *  - a step of CLK_STEP_MS or more is reported once, by clk_follow, which the program calls each second or so.
 * Times given by others (MQTT) come from the true wall clock. They are compared with our wall clock and then labelled
 * on our scale: t_ms = given + clk_ahead_ms(). While we are slewed that keeps them neither stale nor from the future.
 * A source time further ahead than SAMPLE_AHEAD_MS (quality.h) comes from a wrong clock, theirs or ours, and is
 * refused; one that is late by more than the point's stale_after is STALE: whose clock is wrong cannot be known.
 * With a scale or an origin plant time is a simulation's, the wall clock is read once, at start, and not followed.
 */
#ifndef COOLPLANE_BASE_CLOCK_H
#define COOLPLANE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLK_STEP_MS 2000 /* a smaller change of the wall clock is not worth an event */

struct clk {
        double scale;       /* plant time per real time; 1 = real */
        bool follows;       /* the wall clock */
        int64_t virtual_ms; /* virtual clock: now; −1 = not virtual */
        int64_t start_mono_us;
        int64_t base_mono_us, base_plant_us; /* anchor: at this monotonic time, plant time was this */
        int64_t lag_us;                      /* wall − plant time at the anchor; still to be slewed away */
        int64_t seen_mono_us, seen_wall_us;  /* at the last clk_follow */
        int64_t (*now_us)(bool wall);        /* the machine's clocks, or a test's */
};

/* Real time (scale 1) or scaled. origin_wall_ms < 0: plant time starts equal to UTC now. */
void clk_init(struct clk *c, double scale, int64_t origin_wall_ms, int64_t origin_plant_ms);
void clk_init_virtual(struct clk *c, int64_t start_ms);
void clk_advance_to(struct clk *c, int64_t t_ms); /* virtual only; never backwards */

/* now_us: what the wall clock (true) or the monotonic clock (false) says. */
void clk_init_from(struct clk *c, double scale, int64_t origin_wall_ms, int64_t origin_plant_ms,
                   int64_t (*now_us)(bool wall));

/* Plant time, UTC epoch ms (label); never backwards. */
int64_t clk_t_ms(const struct clk *c);
/* Compares with the wall clock, see above. Returns by how much it was set since the last call, ms; 0: not worth saying.
 */
int64_t clk_follow(struct clk *c);
/* t_ms minus the wall clock as of the last clk_follow; 0 but for the time of slewing. */
int64_t clk_ahead_ms(const struct clk *c);
/* Plant time, monotonic ms since an arbitrary start. */
int64_t clk_mono_ms(const struct clk *c);
/* A moment to be stored, and how long ago it was, at least, when the program or the machine has been started since. The
 * wall clock may have been set meanwhile, so the machine's own running time bounds the difference of the labels: exact
 * within one boot; over a boot it is less than what has passed. (Virtual and simulated time: the labels.) */
struct clk_stamp {
        int64_t t_ms, up_ms; /* label; CLOCK_BOOTTIME */
};
void clk_stamp(const struct clk *c, struct clk_stamp *ret);
int64_t clk_passed_ms(const struct clk *c, const struct clk_stamp *then); /* ≥ 0 */

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
