/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Psychrometrics of moist air: ASHRAE Fundamentals 2017, chapter 1 (equation numbers below). */
#include <math.h>

#include "sim/weather_internal.h"

#define RH_MIN 0.005

/* Hyland-Wexler saturation pressure over ice and water, eq. 5 and 6. */
static double saturation_pa(double t_c)
{
        const double t = t_c + 273.15;

        if (t_c < 0.0)
                return exp(-5.6745359e3 / t + 6.3925247 +
                           t * (-9.677843e-3 + t * (6.2215701e-7 + t * (2.0747825e-9 + t * -9.484024e-13))) +
                           4.1635019 * log(t));
        return exp(-5.8002206e3 / t + 1.3914993 + t * (-4.8640239e-2 + t * (4.1764768e-5 + t * -1.4452093e-8)) +
                   6.5459673 * log(t));
}

static double humidity_ratio(double vapour_pa, double pressure_pa)
{
        return 0.621945 * vapour_pa / (pressure_pa - vapour_pa);
}

/* Humidity ratio of air at oat_c whose thermodynamic wet bulb is wb_c, eq. 33 and 35. */
static double ratio_at_wetbulb(double oat_c, double wb_c, double pressure_pa)
{
        const double ws = humidity_ratio(saturation_pa(wb_c), pressure_pa);

        if (wb_c < 0.0)
                return ((2830.0 - 0.24 * wb_c) * ws - 1.006 * (oat_c - wb_c)) / (2830.0 + 1.86 * oat_c - 2.1 * wb_c);
        return ((2501.0 - 2.326 * wb_c) * ws - 1.006 * (oat_c - wb_c)) / (2501.0 + 1.86 * oat_c - 4.186 * wb_c);
}

static double clamp_rh(double rh_ratio)
{
        return fmin(fmax(rh_ratio, RH_MIN), 1.0);
}

double psychro_dewpoint_c(double oat_c, double rh_ratio)
{
        const double vapour_pa = clamp_rh(rh_ratio) * saturation_pa(oat_c);
        double lo = -90.0, hi = oat_c;

        for (int i = 0; i < 50; i++) {
                const double mid = 0.5 * (lo + hi);

                if (saturation_pa(mid) > vapour_pa)
                        hi = mid;
                else
                        lo = mid;
        }
        return 0.5 * (lo + hi);
}

double psychro_wetbulb_c(double oat_c, double rh_ratio, double pressure_pa)
{
        const double w = humidity_ratio(clamp_rh(rh_ratio) * saturation_pa(oat_c), pressure_pa);
        double lo = oat_c - 45.0, hi = oat_c;

        for (int i = 0; i < 45; i++) {
                const double mid = 0.5 * (lo + hi);

                if (ratio_at_wetbulb(oat_c, mid, pressure_pa) > w)
                        hi = mid;
                else
                        lo = mid;
        }
        return 0.5 * (lo + hi);
}

double psychro_standard_pressure_pa(double elevation_m)
{
        return 101325.0 * pow(1.0 - 2.25577e-5 * elevation_m, 5.2559);
}
