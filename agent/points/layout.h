/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The layout of a site: which points are the manipulated variables u, the controlled outputs y and the measured
 * disturbances d, in a fixed order, and who is whose neighbour. The gate, the planner, training and replay derive the
 * same layout from the same site (same configuration hash), so vectors can be exchanged without names.
 *
 * Order: u = for each air handler SAT setpoint then fan; then CHWST setpoints, CWST setpoints, chiller enables.
 *        y = inlets, then supply air temperatures, then valves.   d = rack powers, zone powers (computed: the sum of
 * the zone's rack powers; point = −1), return/mixed air and dampers, chilled and condenser water temperature, wet bulb,
 * dry bulb. Within a kind: order of the point map (zones and air handlers: order of the site file). Measured fan, valve
 * and setpoint are disturbances where the air handler has no command of its own for them. Immutable after create.
 */
#ifndef COOLPLANE_POINTS_LAYOUT_H
#define COOLPLANE_POINTS_LAYOUT_H

#include "agent/points/site.h"
#include "models/arx/arx.h"

enum u_kind { U_SAT, U_FAN, U_CHWST, U_CWST, U_CHILLER };
enum y_kind { Y_INLET, Y_SAT, Y_VALVE };
enum d_kind {
        D_RACK_POWER,
        D_ZONE_POWER,
        D_RAT,
        D_MAT,
        D_DAMPER,
        D_HEAT_VALVE,
        D_FAN,
        D_CHW_TEMP,
        D_WETBULB,
        D_OAT,
        /* another controller's doings at an air handler that we cannot command */
        D_VALVE,
        D_SAT_SP,
        D_CW_TEMP,
};

struct layout_var {
        int point; /* index into site.point; −1 = computed (zone power) */
        int kind;  /* u_kind, y_kind or d_kind */
        int equipment, zone;
};

struct layout {
        const struct site *site; /* borrowed */
        size_t nu, ny, nd;
        struct layout_var *u, *y, *d;
        double step_s; /* fast step */
};

int layout_create(const struct site *site, struct layout **ret);
struct layout *layout_free(struct layout *l);

/* Index into u, y or d of the variable of this kind on this equipment; −1 if none. */
int layout_find_u(const struct layout *l, enum u_kind kind, int equipment);
int layout_find_y(const struct layout *l, enum y_kind kind, int equipment);
int layout_find_d(const struct layout *l, enum d_kind kind, int equipment);
/* Chilled water that the model has feeding an air handler of the zone (index into d): of its zone's plant, else the
 * common one, else the first; −1: none is measured. */
int layout_chilled_water(const struct layout *l, int zone);

/* The regressors of every output for an ARX model with `na` output lags and `nb` input lags, masked by neighbourhood:
 *  inlet: own lags; SAT (measured, y) and fan command of the air handlers of its zone; power of its own rack and of
 *         the zone; constant.
 *  SAT:   own lags; own SAT setpoint, fan command, return (or mixed) air, chilled water temperature; dampers, heating
 *         valve and measured fan where the equipment has no commands (logs of other controllers).
 *  valve: own lags; own SAT, SAT setpoint, fan command, return air, chilled water temperature; constant.
 * A SAT row without commands is only predicted, never certified: its own lags may have either sign (momentum), and it
 * has a constant and, with a damper but no mixed-air sensor, dry bulb.
 * Sign priors: colder supply never warms, more fan never warms an inlet, more power never cools, warmer water never
 * cools. Temperatures of inlet and SAT rows are in the sum-to-one group (arx.h), unless the row knows no other
 * temperature than its own. A row with more than ARX_TERMS_MAX regressors gets fewer input lags (-E2BIG when even one
 * is too many). *ret is one block: free(). */
int layout_arx_structure(const struct layout *l, unsigned na, unsigned nb, struct arx_structure **ret);

/* Physics priors of the interval model from the equipment data, half as much again as the data say; fills lo/hi of
 * every term of `st` [arx_structure order]. For the gate's model and for the inlets of training. With step h, a_lo =
 * 0.5^(h/30 s) and a_hi = 0.96^(h/30 s) (time constants of 43 s to 12 min), g = 1/(ρ c_p V_zone) K/W from the zone's
 * air flow: inlet: first own lag in [a_lo, a_hi], further ones in [0, 0.3]; each supply temperature in [0, 1 − a_lo];
 *         zone power in [0, 1.5 g (1 − a_lo)]; own power in [0, 1.5 · 0.3 · 12 K/P_rack (1 − a_lo)] (a third of its
 *         own exhaust comes back); fan in [−1.5 ΔT (1 − a_lo), 0] per ratio, ΔT = g P_zone but at most 12 K;
 *         constant within ±(1 − a_lo) K.
 *  SAT and valve: wide boxes that only keep nonsense out (regress.c).
 * Data that are not given make the box wider: V_zone = P_zone/(ρ c_p 12 K), P_rack = 5 kW. */
void layout_arx_prior(const struct layout *l, const struct arx_structure *st, double *ret_lo, double *ret_hi);

#endif
