/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Engineering units of the wire and of imported logs, converted to SI at the edge and nowhere else.
 * A temperature and a temperature difference are distinct units: °F → °C has an offset, a °F difference → K has none.
 */
#ifndef COOLPLANE_POINTS_UNITS_H
#define COOLPLANE_POINTS_UNITS_H

enum unit {
        UNIT_NONE = 0,
        UNIT_DEGC,
        UNIT_DEGF,
        UNIT_KELVIN, /* temperature → °C */
        UNIT_DELTA_K,
        UNIT_DELTA_F, /* temperature difference → K */
        UNIT_W,
        UNIT_KW,
        UNIT_MW,
        UNIT_TON, /* power → W (ton of refrigeration = 3516.85 W) */
        UNIT_PA,
        UNIT_KPA,
        UNIT_PSI,
        UNIT_INWC,
        UNIT_BAR, /* pressure → Pa */
        UNIT_M3S,
        UNIT_M3H,
        UNIT_LPS,
        UNIT_GPM,
        UNIT_CFM, /* flow → m³/s */
        UNIT_RATIO,
        UNIT_PERCENT, /* → ratio */
        UNIT_S,
        UNIT_MIN,
        UNIT_H, /* → s */
        UNIT_HZ,
        UNIT_RPM,
        UNIT_V,
        UNIT_A,
        UNIT_KWH,
        UNIT_J, /* kWh, J → J; others unchanged */
        UNIT_COUNT_
};

/* Unit named `s` ("degC", "°C", "degF", "deltaF", "kW", "ton", "psi", "inWC", "gpm", "%", …); −1 if unknown. */
int unit_from_str(const char *s);
const char *unit_str(enum unit u);    /* canonical spelling used in point maps */
const char *unit_si_str(enum unit u); /* the SI unit it becomes, for display */

double unit_to_si(enum unit u, double v);
double unit_from_si(enum unit u, double v);
/* The same for a difference or a rate expressed in u (no offset). */
double unit_delta_to_si(enum unit u, double dv);
double unit_delta_from_si(enum unit u, double dv);

#endif
