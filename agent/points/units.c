/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/units.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* si = (v + shift) · factor; a difference drops the shift. */
struct unit_def {
        const char *name, *si;
        double shift, factor;
};

static const struct unit_def defs[UNIT_COUNT_] = {
    [UNIT_NONE] = {"", "", 0, 1},
    [UNIT_DEGC] = {"degC", "degC", 0, 1},
    [UNIT_DEGF] = {"degF", "degC", -32, 5.0 / 9.0},
    [UNIT_KELVIN] = {"kelvin", "degC", -273.15, 1},
    [UNIT_DELTA_K] = {"deltaK", "K", 0, 1},
    [UNIT_DELTA_F] = {"deltaF", "K", 0, 5.0 / 9.0},
    [UNIT_W] = {"W", "W", 0, 1},
    [UNIT_KW] = {"kW", "W", 0, 1e3},
    [UNIT_MW] = {"MW", "W", 0, 1e6},
    [UNIT_TON] = {"ton", "W", 0, 3516.8528420667}, /* 12,000 BTU(IT)/h */
    [UNIT_PA] = {"Pa", "Pa", 0, 1},
    [UNIT_KPA] = {"kPa", "Pa", 0, 1e3},
    [UNIT_PSI] = {"psi", "Pa", 0, 6894.757293168},
    [UNIT_INWC] = {"inWC", "Pa", 0, 249.08891}, /* 4 °C water */
    [UNIT_BAR] = {"bar", "Pa", 0, 1e5},
    [UNIT_M3S] = {"m3/s", "m3/s", 0, 1},
    [UNIT_M3H] = {"m3/h", "m3/s", 0, 1.0 / 3600.0},
    [UNIT_LPS] = {"L/s", "m3/s", 0, 1e-3},
    [UNIT_GPM] = {"gpm", "m3/s", 0, 3.785411784e-3 / 60.0}, /* US gallons */
    [UNIT_CFM] = {"cfm", "m3/s", 0, 0.028316846592 / 60.0},
    [UNIT_RATIO] = {"ratio", "ratio", 0, 1},
    [UNIT_PERCENT] = {"%", "ratio", 0, 0.01},
    [UNIT_S] = {"s", "s", 0, 1},
    [UNIT_MIN] = {"min", "s", 0, 60},
    [UNIT_H] = {"h", "s", 0, 3600},
    [UNIT_HZ] = {"Hz", "Hz", 0, 1},
    [UNIT_RPM] = {"rpm", "rpm", 0, 1},
    [UNIT_V] = {"V", "V", 0, 1},
    [UNIT_A] = {"A", "A", 0, 1},
    [UNIT_KWH] = {"kWh", "J", 0, 3.6e6},
    [UNIT_J] = {"J", "J", 0, 1},
};

/* "K" alone is a temperature, as in simulators' logs; a difference must say so. */
static const struct {
        const char *name;
        enum unit u;
} aliases[] = {
    {"none", UNIT_NONE},       {"-", UNIT_NONE},       {"1", UNIT_RATIO},         {"°C", UNIT_DEGC},
    {"C", UNIT_DEGC},          {"celsius", UNIT_DEGC}, {"°F", UNIT_DEGF},         {"F", UNIT_DEGF},
    {"fahrenheit", UNIT_DEGF}, {"K", UNIT_KELVIN},     {"deltaC", UNIT_DELTA_K},  {"delta_K", UNIT_DELTA_K},
    {"dK", UNIT_DELTA_K},      {"ΔK", UNIT_DELTA_K},   {"delta_F", UNIT_DELTA_F}, {"dF", UNIT_DELTA_F},
    {"Δ°F", UNIT_DELTA_F},     {"watt", UNIT_W},       {"tonR", UNIT_TON},        {"tons", UNIT_TON},
    {"TR", UNIT_TON},          {"pascal", UNIT_PA},    {"inH2O", UNIT_INWC},      {"in_wc", UNIT_INWC},
    {"m³/s", UNIT_M3S},        {"m3s", UNIT_M3S},      {"m³/h", UNIT_M3H},        {"m3h", UNIT_M3H},
    {"l/s", UNIT_LPS},         {"lps", UNIT_LPS},      {"GPM", UNIT_GPM},         {"CFM", UNIT_CFM},
    {"percent", UNIT_PERCENT}, {"pct", UNIT_PERCENT},  {"second", UNIT_S},        {"sec", UNIT_S},
    {"minute", UNIT_MIN},      {"hour", UNIT_H},       {"hertz", UNIT_HZ},        {"volt", UNIT_V},
    {"ampere", UNIT_A},        {"joule", UNIT_J},      {"deg C", UNIT_DEGC},      {"DegC", UNIT_DEGC},
    {"Deg C", UNIT_DEGC},      {"ºC", UNIT_DEGC},      {"℃", UNIT_DEGC},          {"deg F", UNIT_DEGF},
    {"DegF", UNIT_DEGF},       {"Deg F", UNIT_DEGF},   {"ºF", UNIT_DEGF},         {"℉", UNIT_DEGF},
    {"Tons", UNIT_TON},        {"PSI", UNIT_PSI},      {"inwc", UNIT_INWC},       {"in WC", UNIT_INWC},
    {"in/wc", UNIT_INWC},      {"inH₂O", UNIT_INWC},   {"in H2O", UNIT_INWC},     {"gal/min", UNIT_GPM},
    {"m³/hr", UNIT_M3H},       {"m3/hr", UNIT_M3H},    {"%RH", UNIT_PERCENT},     {"% RH", UNIT_PERCENT},
};

int unit_from_str(const char *s)
{
        if (s == NULL)
                return -1;
        for (int u = 0; u < UNIT_COUNT_; u++)
                if (strcmp(s, defs[u].name) == 0)
                        return u;
        for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
                if (strcmp(s, aliases[i].name) == 0)
                        return (int)aliases[i].u;
        return -1;
}

static const struct unit_def *def(enum unit u)
{
        assert((int)u >= 0 && u < UNIT_COUNT_);
        return &defs[u];
}

const char *unit_str(enum unit u)
{
        return def(u)->name;
}

const char *unit_si_str(enum unit u)
{
        return def(u)->si;
}

double unit_to_si(enum unit u, double v)
{
        return (v + def(u)->shift) * def(u)->factor;
}

double unit_from_si(enum unit u, double v)
{
        return v / def(u)->factor - def(u)->shift;
}

double unit_delta_to_si(enum unit u, double dv)
{
        return dv * def(u)->factor;
}

double unit_delta_from_si(enum unit u, double dv)
{
        return dv / def(u)->factor;
}
