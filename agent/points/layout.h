/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The layout of a site: which points are the manipulated variables u, the controlled outputs y and the measured
 * disturbances d, in a fixed order, and who is whose neighbour. The gate, the planner, training and replay derive the
 * same layout from the same site (same configuration hash), so vectors can be exchanged without names.
 *
 * Order: u = for each air handler SAT setpoint then fan; then CHWST setpoints, CWST setpoints, chiller enables.
 *        y = inlets, then supply air temperatures, then valves.   d = rack powers, zone powers (computed: the sum of
 * the zone's rack powers; point = −1), return/mixed air and dampers, chilled water temperature, wet bulb, dry bulb.
 *        Within a kind: order of the point map (zones: order of the site file).
 * Immutable after create.
 */
#ifndef COOLPLANE_POINTS_LAYOUT_H
#define COOLPLANE_POINTS_LAYOUT_H

#include "agent/points/site.h"
#include "models/arx/arx.h"

enum u_kind { U_SAT, U_FAN, U_CHWST, U_CWST, U_CHILLER };
enum y_kind { Y_INLET, Y_SAT, Y_VALVE };
enum d_kind { D_RACK_POWER, D_ZONE_POWER, D_RAT, D_MAT, D_DAMPER, D_HEAT_VALVE, D_FAN, D_CHW_TEMP, D_WETBULB, D_OAT };

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

/* The regressors of every output for an ARX model with `na` output lags and `nb` input lags, masked by neighbourhood:
 *  inlet: own lags; SAT (measured, y) and fan command of the air handlers of its zone; power of its own rack and of
 *         the zone; constant.
 *  SAT:   own lags; own SAT setpoint, fan command, return (or mixed) air, chilled water temperature; dampers, heating
 *         valve and measured fan where the equipment has no commands (logs of other controllers).
 *  valve: own lags; own SAT, SAT setpoint, fan command, return air, chilled water temperature; constant.
 * Sign priors: colder supply never warms, more fan never warms, more power never cools, warmer water never cools.
 * Temperatures of inlet and SAT rows are in the sum-to-one group (arx.h). */
int layout_arx_structure(const struct layout *l, unsigned na, unsigned nb, struct arx_structure **ret);

/* Physics priors of the interval model from the equipment data (gain boxes ±50 %, a in [a_min, a_max]); fills
 * lo/hi of every term of `st` [arx_structure order]. Used by the gate only. */
void layout_arx_prior(const struct layout *l, const struct arx_structure *st, double *ret_lo, double *ret_hi);

#endif
