/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/num/rng.h"
#include "sim/weather_internal.h"

#define PI 3.14159265358979323846

void weather_derive(struct weather *w)
{
        for (size_t i = 0; i < WEATHER_HOURS; i++) {
                w->wetbulb_c[i] = psychro_wetbulb_c(w->oat_c[i], w->rh_ratio[i], w->pressure_pa[i]);
                w->dewpoint_c[i] = psychro_dewpoint_c(w->oat_c[i], w->rh_ratio[i]);
        }
}

/*
 * A temperate year (the scale of Frankfurt: mean 10.5 °C, about -10 to 35 °C): annual and daily waves, weather fronts
 * as a first-order process of three days, dew point following the slow part so that afternoons are dry.
 */
int weather_synthetic(uint64_t seed, struct weather **ret)
{
        struct weather *w = calloc(1, sizeof(*w));
        struct rng rng;
        double front_k = 0.0, spread_k = 0.0, pressure_pa = 0.0, cloud = 0.0;

        if (w == NULL)
                return -ENOMEM;
        rng_seed(&rng, seed, 0x77656174u);
        for (size_t i = 0; i < WEATHER_HOURS; i++) {
                const double day = (double)i / 24.0, hour = (double)(i % 24);
                const double summer = -cos(2.0 * PI * (day - 18.0) / 365.0); /* -1 in mid January, +1 in mid July */
                const double swing_k = (3.2 + 2.0 * summer) * (1.0 - 0.5 * cloud);
                double slow_c, dew_c;

                front_k = 0.9862 * front_k + 0.1655 * 3.6 * rng_normal(&rng);
                spread_k = 0.97 * spread_k + 0.243 * 1.2 * rng_normal(&rng);
                pressure_pa = 0.99 * pressure_pa + 0.141 * 800.0 * rng_normal(&rng);
                cloud = fmin(fmax(0.95 * cloud + 0.05 * 0.5 + 0.12 * rng_normal(&rng), 0.0), 1.0);
                slow_c = 10.5 + 9.3 * summer + front_k;
                dew_c = fmin(slow_c - (4.0 + 1.8 * summer) - spread_k, 18.0);
                w->oat_c[i] = slow_c + swing_k * cos(2.0 * PI * (hour - 15.0) / 24.0);
                w->pressure_pa[i] = psychro_standard_pressure_pa(111.0) + pressure_pa;
                /* Magnus form is exact enough to generate with; what is shown is derived from these by psychro.c. */
                w->rh_ratio[i] = fmin(
                    fmax(exp(17.625 * dew_c / (243.04 + dew_c) - 17.625 * w->oat_c[i] / (243.04 + w->oat_c[i])), 0.15),
                    1.0);
        }
        weather_derive(w);
        *ret = w;
        return 0;
}

struct weather *weather_free(struct weather *w)
{
        free(w);
        return NULL;
}

/* Hours since 1 January 00:00 of a common year, in the file's local standard time. */
static double hour_of_year(const struct weather *w, int64_t t_ms)
{
        const double local_s = (double)t_ms / 1000.0 + w->utc_offset_h * 3600.0;
        const int64_t days = (int64_t)floor(local_s / 86400.0);
        const double in_day_h = (local_s - (double)days * 86400.0) / 3600.0;
        /* Hinnant's civil_from_days, reckoned from 1 March 0000 */
        const int64_t z = days + 719468;
        const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
        const int64_t doe = z - era * 146097;
        const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100); /* from 1 March; 365 = 29 February */
        int64_t day = (doy + 59) % 365;

        if (doy == 365)
                day = 58;
        return (double)day * 24.0 + in_day_h;
}

static double lerp(const double *v, size_t i, size_t j, double f)
{
        return v[i] + (v[j] - v[i]) * f;
}

void weather_at(const struct weather *w, int64_t t_ms, struct weather_now *ret)
{
        double x = hour_of_year(w, t_ms) - w->first_hour_h;
        size_t i, j;
        double f;

        if (x < 0.0)
                x += (double)WEATHER_HOURS;
        i = (size_t)x % WEATHER_HOURS;
        j = (i + 1) % WEATHER_HOURS;
        f = x - floor(x);
        *ret = (struct weather_now){
            .oat_c = lerp(w->oat_c, i, j, f),
            .rh_ratio = lerp(w->rh_ratio, i, j, f),
            .pressure_pa = lerp(w->pressure_pa, i, j, f),
            .wetbulb_c = lerp(w->wetbulb_c, i, j, f),
            .dewpoint_c = lerp(w->dewpoint_c, i, j, f),
        };
}
