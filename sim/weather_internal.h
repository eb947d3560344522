/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The hourly year behind struct weather, shared by the generator and the readers.
 */
#ifndef COOLPLANE_SIM_WEATHER_INTERNAL_H
#define COOLPLANE_SIM_WEATHER_INTERNAL_H

#include <stddef.h>

#include "sim/weather.h"

#define WEATHER_HOURS 8760 /* a common year; 29 February repeats the 28th */

struct weather {
        double utc_offset_h; /* the file's local standard time */
        double first_hour_h; /* hour of the year at which value 0 holds: EPW 1 (end of the hour), open-meteo 0 */
        double oat_c[WEATHER_HOURS], rh_ratio[WEATHER_HOURS], pressure_pa[WEATHER_HOURS];
        double wetbulb_c[WEATHER_HOURS], dewpoint_c[WEATHER_HOURS]; /* derived by weather_derive */
};

void weather_derive(struct weather *w);
/* Standard atmosphere at an elevation (ASHRAE Fundamentals 2017, ch. 1, eq. 3). */
double psychro_standard_pressure_pa(double elevation_m);

#endif
