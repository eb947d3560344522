/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Outdoor conditions by time of the year: EPW, open-meteo JSON, or a built-in seeded synthetic year. Hourly values,
 * linear in between; the year of a file is ignored (EPW years are composite). Wet bulb from dry bulb, humidity and
 * pressure (ASHRAE Fundamentals 2017, ch. 1). weather_load reads a file; all else is pure.
 */
#ifndef COOLPLANE_SIM_WEATHER_H
#define COOLPLANE_SIM_WEATHER_H

#include <stddef.h>
#include <stdint.h>

struct weather_now {
        double oat_c, rh_ratio, pressure_pa, wetbulb_c, dewpoint_c;
};
struct weather;

int weather_synthetic(uint64_t seed, struct weather **ret);
/* By extension .epw or .json. -EINVAL with reterr (≥ 256 bytes) naming the file, and the line (EPW, JSON's syntax) or
 * the value (JSON); -ENOENT. */
int weather_load(const char *path, struct weather **ret, char *reterr);
struct weather *weather_free(struct weather *w);
void weather_at(const struct weather *w, int64_t t_ms,
                struct weather_now *ret); /* UTC ms; the file's local standard time is honoured */

double psychro_wetbulb_c(double oat_c, double rh_ratio, double pressure_pa);
double psychro_dewpoint_c(double oat_c, double rh_ratio);

#endif
