/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/parse.h"

#define SCALE_MAX 1e6
#define SLEW_PART 10  /* a lag is made up for by 1/10 of the time that passes */
#define SAME_US 20000 /* of difference between the two clocks: read at different moments, not a step */

static int64_t machine_us(bool wall)
{
        struct timespec ts;
        (void)clock_gettime(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, &ts); /* cannot fail for these two clocks */
        return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* From µs: a real ms is 0.36 s of plant time at scale 360. */
static int64_t scaled_us(double scale, int64_t us)
{
        return scale >= 1.0 && scale <= 1.0 ? us : (int64_t)llround((double)us * scale);
}

void clk_init_from(struct clk *c, double scale, int64_t origin_wall_ms, int64_t origin_plant_ms,
                   int64_t (*now_us)(bool wall))
{
        int64_t mono_us = now_us(false), wall_us = now_us(true);

        *c = (struct clk){.scale = scale, .virtual_ms = -1, .now_us = now_us};
        c->follows = scale >= 1.0 && scale <= 1.0 && origin_wall_ms < 0;
        c->start_mono_us = c->base_mono_us = c->seen_mono_us = mono_us;
        c->seen_wall_us = c->base_plant_us = wall_us;
        if (origin_wall_ms >= 0)
                c->base_plant_us = origin_plant_ms * 1000 + scaled_us(scale, wall_us - origin_wall_ms * 1000);
}

void clk_init(struct clk *c, double scale, int64_t origin_wall_ms, int64_t origin_plant_ms)
{
        clk_init_from(c, scale, origin_wall_ms, origin_plant_ms, machine_us);
}

void clk_init_virtual(struct clk *c, int64_t start_ms)
{
        *c = (struct clk){.scale = 1.0, .virtual_ms = start_ms};
}

void clk_advance_to(struct clk *c, int64_t t_ms)
{
        if (c->virtual_ms >= 0 && t_ms > c->virtual_ms)
                c->virtual_ms = t_ms;
}

/* How much of the lag has been made up for since the anchor. */
static int64_t slewed_us(const struct clk *c, int64_t elapsed_us)
{
        int64_t most = elapsed_us / SLEW_PART;

        if (c->lag_us < 0)
                return c->lag_us < -most ? -most : c->lag_us;
        return c->lag_us > most ? most : c->lag_us;
}

static int64_t t_us_at(const struct clk *c, int64_t mono_us)
{
        int64_t elapsed = mono_us - c->base_mono_us;

        return c->base_plant_us + scaled_us(c->scale, elapsed) + slewed_us(c, elapsed);
}

int64_t clk_follow(struct clk *c)
{
        if (!c->follows)
                return 0;
        int64_t mono_us = c->now_us(false), wall_us = c->now_us(true), t_us = t_us_at(c, mono_us);
        int64_t step_us = (wall_us - c->seen_wall_us) - (mono_us - c->seen_mono_us);

        c->seen_mono_us = c->base_mono_us = mono_us;
        c->seen_wall_us = wall_us;
        c->base_plant_us = t_us;
        c->lag_us = wall_us - t_us;
        if (c->lag_us >= CLK_STEP_MS * 1000) { /* forwards is no danger: what is old looks old */
                c->base_plant_us = wall_us;
                c->lag_us = 0;
        } else if (llabs(c->lag_us) < SAME_US) {
                c->lag_us = 0;
        }
        return llabs(step_us) >= CLK_STEP_MS * 1000 ? step_us / 1000 : 0;
}

int64_t clk_ahead_ms(const struct clk *c)
{
        if (c->lag_us == 0)
                return 0;
        return (slewed_us(c, c->now_us(false) - c->base_mono_us) - c->lag_us) / 1000;
}

void clk_stamp(const struct clk *c, struct clk_stamp *ret)
{
        struct timespec up = {0};

        (void)clock_gettime(CLOCK_BOOTTIME, &up); /* cannot fail */
        *ret = (struct clk_stamp){.t_ms = clk_t_ms(c), .up_ms = (int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000};
}

int64_t clk_passed_ms(const struct clk *c, const struct clk_stamp *then)
{
        struct clk_stamp now;
        int64_t ms;

        clk_stamp(c, &now);
        ms = now.t_ms - then->t_ms;
        if (c->follows && now.up_ms - then->up_ms < ms)
                ms = now.up_ms - then->up_ms;
        return ms > 0 ? ms : 0;
}

int64_t clk_t_ms(const struct clk *c)
{
        if (c->virtual_ms >= 0)
                return c->virtual_ms;
        return t_us_at(c, c->now_us(false)) / 1000;
}

int64_t clk_mono_ms(const struct clk *c)
{
        if (c->virtual_ms >= 0)
                return c->virtual_ms;
        return scaled_us(c->scale, c->now_us(false) - c->start_mono_us) / 1000;
}

int64_t clk_real_mono_ms(void)
{
        return machine_us(false) / 1000;
}

int clk_parse_scale(const char *s, double *ret)
{
        double v;
        int r = parse_double(s, &v);
        if (r < 0 || !(v > 0 && v <= SCALE_MAX))
                return -EINVAL;
        *ret = v;
        return 0;
}

int clk_parse_origin(const char *s, int64_t *ret_wall_ms, int64_t *ret_plant_ms)
{
        const char *colon = strchr(s, ':');
        char first[24];
        int64_t wall, plant;

        if (!colon || (size_t)(colon - s) >= sizeof(first))
                return -EINVAL;
        memcpy(first, s, (size_t)(colon - s));
        first[colon - s] = '\0';
        /* 35,000 years keep every later sum inside int64_t at any scale. */
        if (parse_int64(first, 0, INT64_C(1) << 50, &wall) < 0 ||
            parse_int64(colon + 1, 0, INT64_C(1) << 50, &plant) < 0)
                return -EINVAL;
        *ret_wall_ms = wall;
        *ret_plant_ms = plant;
        return 0;
}

/* Days since 1970-01-01 of a proleptic Gregorian date, and back (years counted from March, eras of 400 years). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
        y -= m <= 2;
        int64_t era = (y >= 0 ? y : y - 399) / 400;
        int64_t yoe = y - era * 400;
        int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
        int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t days, int64_t *ret_y, int *ret_m, int *ret_d)
{
        days += 719468;
        int64_t era = (days >= 0 ? days : days - 146096) / 146097;
        int64_t doe = days - era * 146097;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        int64_t mp = (5 * doy + 2) / 153;
        *ret_d = (int)(doy - (153 * mp + 2) / 5 + 1);
        *ret_m = (int)(mp < 10 ? mp + 3 : mp - 9);
        *ret_y = yoe + era * 400 + (*ret_m <= 2);
}

char *clk_format(int64_t t_ms, char *buf)
{
        const int64_t day_ms = INT64_C(86400000);
        int64_t days = t_ms / day_ms, ms = t_ms % day_ms, y;
        int m, d;

        if (ms < 0) {
                ms += day_ms;
                days--;
        }
        civil_from_days(days, &y, &m, &d);
        (void)snprintf(buf, 32, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)y, m, d, (int)(ms / 3600000),
                       (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
        return buf;
}

/* n digits at *s, then advances; −1 when there are not n digits. */
static int take_digits(const char **s, int n)
{
        int v = 0;
        for (int i = 0; i < n; i++, (*s)++) {
                if (**s < '0' || **s > '9')
                        return -1;
                v = v * 10 + (**s - '0');
        }
        return v;
}

static bool take_char(const char **s, char c)
{
        if (**s != c)
                return false;
        (*s)++;
        return true;
}

static int days_in_month(int y, int m)
{
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
        return days[m - 1] + (m == 2 && leap);
}

/* "Z", "+HH:MM", "-HH:MM" up to the end of the text. */
static int take_offset_min(const char *s, int *ret_min)
{
        if ((*s == 'Z' || *s == 'z') && s[1] == '\0') {
                *ret_min = 0;
                return 0;
        }
        int sign = *s == '+' ? 1 : *s == '-' ? -1 : 0;
        if (sign == 0)
                return -EINVAL;
        s++;
        int h = take_digits(&s, 2);
        if (h < 0 || h > 23 || !take_char(&s, ':'))
                return -EINVAL;
        int m = take_digits(&s, 2);
        if (m < 0 || m > 59 || *s != '\0')
                return -EINVAL;
        *ret_min = sign * (h * 60 + m);
        return 0;
}

static int parse_rfc3339(const char *s, int64_t *ret_t_ms)
{
        int ms = 0, offset_min;
        int y = take_digits(&s, 4);
        if (y < 0 || !take_char(&s, '-'))
                return -EINVAL;
        int mo = take_digits(&s, 2);
        if (mo < 1 || mo > 12 || !take_char(&s, '-'))
                return -EINVAL;
        int d = take_digits(&s, 2);
        if (d < 1 || d > days_in_month(y, mo) || !(*s == 'T' || *s == 't' || *s == ' '))
                return -EINVAL;
        s++;
        int h = take_digits(&s, 2);
        if (h < 0 || h > 23 || !take_char(&s, ':'))
                return -EINVAL;
        int mi = take_digits(&s, 2);
        if (mi < 0 || mi > 59 || !take_char(&s, ':'))
                return -EINVAL;
        int sec = take_digits(&s, 2);
        if (sec < 0 || sec > 60) /* 60: a leap second is the second after :59 */
                return -EINVAL;
        if (take_char(&s, '.')) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                for (int weight = 100; *s >= '0' && *s <= '9'; s++, weight /= 10)
                        ms += (*s - '0') * weight; /* digits past ms are cut */
        }
        if (take_offset_min(s, &offset_min) < 0)
                return -EINVAL;
        int64_t minutes = (days_from_civil(y, mo, d) * 24 + h) * 60 + mi - offset_min;
        *ret_t_ms = (minutes * 60 + sec) * 1000 + ms;
        return 0;
}

int clk_parse_time(const char *s, int64_t *ret_t_ms)
{
        int64_t t;
        if (strchr(s, ':')) {
                int r = parse_rfc3339(s, &t);
                if (r < 0)
                        return r;
        } else if (parse_int64(s, -(INT64_C(1) << 50), INT64_C(1) << 50, &t) < 0) {
                return -EINVAL;
        }
        *ret_t_ms = t;
        return 0;
}
