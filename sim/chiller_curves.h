/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Performance of electric chillers as their makers publish it, in the model of DOE-2 and EnergyPlus
 * (Chiller:Electric:EIR; Hydeman, Gillespie 2002):
 *
 *   available capacity  Q_av = Q_nom · cap(te, tc)
 *   power               P    = Q_av / COP_nom · eir(te, tc) · plr(Q / Q_av)
 *
 * with te = chilled water leaving and tc = condenser water entering, °C; cap and eir biquadratic, plr quadratic.
 */
#ifndef COOLPLANE_SIM_CHILLER_CURVES_H
#define COOLPLANE_SIM_CHILLER_CURVES_H

#include <stdbool.h>
#include <stddef.h>

struct chiller_curves {
        char name[64];
        double capacity_w, cop; /* nominal, cooling is positive */
        /* below plr_unloading the machine false-loads itself, below plr_min it cycles; plr_min ≤ plr_unloading ≤ 1 ≤
         * plr_max */
        double plr_min, plr_unloading, plr_max;
        double te_rating_c, tc_rating_c;               /* where capacity_w and cop hold */
        double te_min_c, te_max_c, tc_min_c, tc_max_c; /* the polynomials mean something here */
        double cap[6], eir[6], plr[3];
        bool surges; /* centrifugal: at high lift it cannot unload as far */
};

/* Built in: sets of Modelica Buildings, Fluid/Chillers/Data/ElectricEIR.mo (lbl-srg/modelica-buildings @ c4117cce)
 * whose slopes stay plausible from 5 to 20 °C leaving and 16 to 32 °C condenser water, so that warm-water operation can
 * be simulated. Their limits are wider still, 4 to 20 °C and 12.78 to 32 °C; where condenser water is hardly warmer
 * than chilled water three of the four lose capacity as it gets colder, and the plant keeps out of that
 * (PLANT_MIN_LIFT_K). */
size_t chiller_curves_builtin(const struct chiller_curves **ret);

/* A CSV laid out like that record collection: header, then a row a machine (QEva_flow_nominal_W negative = cooling,
 * temperatures °C). *ret is the caller's to free. 0, -ENOMEM, -errno of opening, or -EINVAL with "file:line: reason" in
 * reterr (256 bytes). The collection does not say how a machine compresses: one whose name holds "23XL" is a screw and
 * does not surge, every other one is taken for centrifugal. */
int chiller_curves_load(const char *path, struct chiller_curves **ret, size_t *ret_n, char *reterr);

/* Inputs beyond the set's limits count as the limit. nominal_w scales the machine: its Q_nom. */
double chiller_capacity_w(const struct chiller_curves *c, double nominal_w, double leaving_c, double entering_cw_c);
/* load_w above plr_max counts as that, below the unloading (or surge) limit as that limit; below plr_min power is in
 * proportion to load, as in the model the curves come from: a mean over starts and stops. */
double chiller_power_w(const struct chiller_curves *c, double nominal_w, double load_w, double leaving_c,
                       double entering_cw_c);
/* Least part-load ratio without false load at this lift. */
double chiller_least_plr(const struct chiller_curves *c, double leaving_c, double entering_cw_c);

#endif
