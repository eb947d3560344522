/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The regressors of the ARX rows and their physical priors, from a layout. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/points/layout.h"

#define RHO_CP 1206.0        /* J/(m³ K), air at 20 °C */
#define RACK_DESIGN_W 5000.0 /* when the site file gives no power_w */
#define DESIGN_RISE_K 12.0   /* air temperature rise through a rack when nothing better is known */

#define TEMPERATURE_K 1.0 /* typical sizes of regressors (arx_structure.scale) */
#define RATIO 0.1

struct rows {
        const struct layout *l;
        struct arx_term *term; /* NULL while counting */
        double *scale;
        size_t n;
        size_t row_first;
        bool sum1; /* this row knows another temperature than its own */
};

static void term(struct rows *r, enum arx_src src, int index, unsigned lag, bool temperature, int sign, double scale)
{
        if (index < 0)
                return;
        if (r->term != NULL) {
                r->term[r->n] = (struct arx_term){.src = (uint8_t)src,
                                                  .lag = (uint8_t)lag,
                                                  .sum1 = temperature && r->sum1,
                                                  .sign = (int8_t)sign,
                                                  .index = (uint16_t)index};
                r->scale[r->n] = scale;
        }
        r->n++;
}

static void lags(struct rows *r, enum arx_src src, int index, unsigned n, bool temperature, int sign, double scale)
{
        for (unsigned k = 1; k <= n; k++)
                term(r, src, index, k, temperature, sign, scale);
}

static double rack_design_w(const struct site *s, int equipment)
{
        return equipment < 0 || isnan(s->equipment[equipment].power_w) ? RACK_DESIGN_W
                                                                       : s->equipment[equipment].power_w;
}

/* Sum over the racks whose power is measured in the zone. */
static double zone_design_w(const struct layout *l, int zone)
{
        double w = 0;
        for (size_t i = 0; i < l->nd; i++)
                if (l->d[i].kind == D_RACK_POWER && l->d[i].zone == zone)
                        w += rack_design_w(l->site, l->d[i].equipment);
        return w > 0 ? w : RACK_DESIGN_W;
}

static int zone_power(const struct layout *l, int zone)
{
        for (size_t i = 0; i < l->nd; i++)
                if (l->d[i].kind == D_ZONE_POWER && l->d[i].zone == zone)
                        return (int)i;
        return -1;
}

int layout_chilled_water(const struct layout *l, int zone)
{
        int common = -1, any = -1;
        for (size_t i = 0; i < l->nd; i++) {
                if (l->d[i].kind != D_CHW_TEMP)
                        continue;
                if (zone >= 0 && l->d[i].zone == zone)
                        return (int)i;
                if (common < 0 && l->d[i].zone < 0)
                        common = (int)i;
                if (any < 0)
                        any = (int)i;
        }
        return common >= 0 ? common : any;
}

static int first_d(const struct layout *l, enum d_kind kind)
{
        for (size_t i = 0; i < l->nd; i++)
                if (l->d[i].kind == (int)kind)
                        return (int)i;
        return -1;
}

static void inlet_row(struct rows *r, size_t i, unsigned na, unsigned nb)
{
        const struct layout *l = r->l;
        const struct site *s = l->site;
        int zone = l->y[i].zone, equipment = l->y[i].equipment;
        r->sum1 = false;
        for (size_t e = 0; e < s->nequipment && zone >= 0; e++)
                r->sum1 |= s->equipment[e].cls == EQ_CRAH && s->equipment[e].zone == zone &&
                           (layout_find_y(l, Y_SAT, (int)e) >= 0 || layout_find_u(l, U_SAT, (int)e) >= 0);
        lags(r, ARX_SRC_Y, (int)i, na, true, +1, TEMPERATURE_K);
        for (size_t e = 0; e < s->nequipment && zone >= 0; e++) {
                if (s->equipment[e].cls != EQ_CRAH || s->equipment[e].zone != zone)
                        continue;
                int sat = layout_find_y(l, Y_SAT, (int)e), fan = layout_find_u(l, U_FAN, (int)e);
                if (sat >= 0)
                        lags(r, ARX_SRC_Y, sat, nb, true, +1, TEMPERATURE_K);
                else
                        lags(r, ARX_SRC_U, layout_find_u(l, U_SAT, (int)e), nb, true, +1, TEMPERATURE_K);
                if (fan >= 0)
                        lags(r, ARX_SRC_U, fan, nb, false, -1, RATIO);
                else
                        lags(r, ARX_SRC_D, layout_find_d(l, D_FAN, (int)e), nb, false, -1, RATIO);
        }
        if (equipment >= 0)
                lags(r, ARX_SRC_D, layout_find_d(l, D_RACK_POWER, equipment), nb, false, +1,
                     rack_design_w(s, equipment));
        if (zone >= 0)
                lags(r, ARX_SRC_D, zone_power(l, zone), nb, false, +1, zone_design_w(l, zone));
        term(r, ARX_SRC_ONE, 0, 1, false, 0, 1);
}

static void sat_row(struct rows *r, size_t i, unsigned na, unsigned nb)
{
        const struct layout *l = r->l;
        int e = l->y[i].equipment;
        int sp = layout_find_u(l, U_SAT, e), fan = layout_find_u(l, U_FAN, e);
        int other_sp = layout_find_d(l, D_SAT_SP, e), chw = layout_chilled_water(l, l->y[i].zone);
        int air = layout_find_d(l, D_MAT, e), damper = layout_find_d(l, D_DAMPER, e);
        bool logged = sp < 0 && fan < 0; /* of another controller */
        int oat = logged && damper >= 0 && air < 0 ? first_d(l, D_OAT) : -1;
        if (air < 0)
                air = layout_find_d(l, D_RAT, e);
        r->sum1 = sp >= 0 || other_sp >= 0 || air >= 0 || chw >= 0 || oat >= 0;
        /* Cooperative (no negative own lag) where safety bounds the worst case; a log is only predicted. */
        lags(r, ARX_SRC_Y, (int)i, na, true, logged ? 0 : +1, TEMPERATURE_K);
        lags(r, ARX_SRC_U, sp, nb, true, +1, TEMPERATURE_K);
        /* More air over a coil that stays as it is leaves it warmer, until the valve follows: either sign. */
        lags(r, ARX_SRC_U, fan, nb, false, 0, RATIO);
        lags(r, ARX_SRC_D, air, nb, true, +1, TEMPERATURE_K);
        lags(r, ARX_SRC_D, chw, nb, true, +1, TEMPERATURE_K);
        if (sp < 0) {
                lags(r, ARX_SRC_D, other_sp, nb, true, +1, TEMPERATURE_K);
                lags(r, ARX_SRC_D, layout_find_d(l, D_VALVE, e), nb, false, -1, RATIO);
        }
        if (fan < 0)
                lags(r, ARX_SRC_D, layout_find_d(l, D_FAN, e), nb, false, 0, RATIO);
        if (logged) {
                lags(r, ARX_SRC_D, damper, nb, false, 0, RATIO);
                lags(r, ARX_SRC_D, layout_find_d(l, D_HEAT_VALVE, e), nb, false, +1, RATIO);
                lags(r, ARX_SRC_D, oat, nb, true, +1, TEMPERATURE_K);
                term(r, ARX_SRC_ONE, 0, 1, false, 0, 1);
        }
}

static void valve_row(struct rows *r, size_t i, unsigned na, unsigned nb)
{
        const struct layout *l = r->l;
        int e = l->y[i].equipment;
        int air = layout_find_d(l, D_RAT, e);
        if (air < 0)
                air = layout_find_d(l, D_MAT, e);
        r->sum1 = false;
        lags(r, ARX_SRC_Y, (int)i, na, false, 0, RATIO);
        lags(r, ARX_SRC_Y, layout_find_y(l, Y_SAT, e), nb, false, +1, TEMPERATURE_K);
        lags(r, ARX_SRC_U, layout_find_u(l, U_SAT, e), nb, false, -1, TEMPERATURE_K);
        lags(r, ARX_SRC_U, layout_find_u(l, U_FAN, e), nb, false, 0, RATIO);
        lags(r, ARX_SRC_D, air, nb, false, +1, TEMPERATURE_K);
        lags(r, ARX_SRC_D, layout_chilled_water(l, l->y[i].zone), nb, false, +1, TEMPERATURE_K);
        term(r, ARX_SRC_ONE, 0, 1, false, 0, 1);
}

static void one_row(struct rows *r, size_t i, unsigned na, unsigned nb)
{
        switch ((enum y_kind)r->l->y[i].kind) {
        case Y_INLET:
                inlet_row(r, i, na, nb);
                break;
        case Y_SAT:
                sat_row(r, i, na, nb);
                break;
        case Y_VALVE:
                valve_row(r, i, na, nb);
                break;
        }
}

/* Input lags that row i can afford; 0 = not even one. */
static unsigned affordable_nb(const struct layout *l, size_t i, unsigned na, unsigned nb)
{
        for (; nb > 0; nb--) {
                struct rows count = {.l = l};
                one_row(&count, i, na, nb);
                if (count.n <= ARX_TERMS_MAX)
                        break;
        }
        return nb;
}

int layout_arx_structure(const struct layout *l, unsigned na, unsigned nb, struct arx_structure **ret)
{
        if (na < 1 || nb < 1 || na > 64 || nb > 64 || l->ny == 0 || l->ny > UINT16_MAX || l->nd > UINT16_MAX)
                return -EINVAL;
        struct rows r = {.l = l};
        for (size_t i = 0; i < l->ny; i++) {
                unsigned row_nb = affordable_nb(l, i, na, nb);
                if (row_nb == 0)
                        return -E2BIG;
                one_row(&r, i, na, row_nb);
        }
        size_t nterm = r.n;
        size_t size = sizeof(**ret) + nterm * (sizeof(double) + sizeof(struct arx_term)) + (l->ny + 1) * sizeof(size_t);
        struct arx_structure *st = calloc(1, size);
        if (st == NULL)
                return -ENOMEM;
        r.scale = (double *)(void *)(st + 1);
        size_t *row_start = (size_t *)(void *)(r.scale + nterm);
        r.term = (struct arx_term *)(void *)(row_start + l->ny + 1);
        r.n = 0;
        for (size_t i = 0; i < l->ny; i++) {
                row_start[i] = r.n;
                one_row(&r, i, na, affordable_nb(l, i, na, nb));
        }
        row_start[l->ny] = r.n;
        *st = (struct arx_structure){
            .ny = l->ny,
            .nu = l->nu,
            .nd = l->nd,
            .lag_max = na > nb ? na : nb,
            .nterm = nterm,
            .row_start = row_start,
            .term = r.term,
            .scale = r.scale,
        };
        *ret = st;
        return 0;
}

/* ---- priors ---- */

struct prior {
        const struct layout *l;
        double a_lo, a_hi; /* rack inlets: time constants from 45 s to 12 min */
        double coil_hi;    /* supply air: at most 5 min */
};

static void box(double lo, double hi, double *ret_lo, double *ret_hi)
{
        *ret_lo = lo;
        *ret_hi = hi;
}

static void inlet_prior(const struct prior *p, size_t i, const struct arx_term *t, double *lo, double *hi)
{
        const struct layout *l = p->l;
        const struct site *s = l->site;
        int zone = l->y[i].zone;
        double flow = 0, zone_w = zone_design_w(l, zone), settle = 1 - p->a_lo;
        for (size_t e = 0; e < s->nequipment; e++)
                if (s->equipment[e].cls == EQ_CRAH && s->equipment[e].zone == zone && zone >= 0 &&
                    !isnan(s->equipment[e].airflow_m3s))
                        flow += s->equipment[e].airflow_m3s;
        if (!(flow > 0))
                flow = zone_w / (RHO_CP * DESIGN_RISE_K);
        double g = 1 / (RHO_CP * flow);
        if (t->src == ARX_SRC_ONE)
                box(-settle, settle, lo, hi);
        else if (t->src == ARX_SRC_Y && t->index == i)
                box(t->lag == 1 ? p->a_lo : 0, t->lag == 1 ? p->a_hi : 0.3, lo, hi);
        else if (t->src == ARX_SRC_Y || (t->src == ARX_SRC_U && l->u[t->index].kind == U_SAT))
                box(0, settle, lo, hi);
        else if (t->src == ARX_SRC_D && l->d[t->index].kind == D_ZONE_POWER)
                box(0, 1.5 * g * settle, lo, hi);
        else if (t->src == ARX_SRC_D && l->d[t->index].kind == D_RACK_POWER)
                box(0, 1.5 * 0.3 * DESIGN_RISE_K / rack_design_w(s, l->y[i].equipment) * settle, lo, hi);
        else /* fan */
                box(-1.5 * fmin(g * zone_w, DESIGN_RISE_K) * settle, 0, lo, hi);
}

static void sat_prior(const struct prior *p, size_t i, const struct arx_term *t, double *lo, double *hi)
{
        const struct layout *l = p->l;
        if (t->src == ARX_SRC_ONE) {
                box(-10, 10, lo, hi); /* K; logs only: takes up what valve and damper mean at rest */
        } else if (t->src == ARX_SRC_Y && t->index == i && t->sign == 0) {
                box(t->lag == 1 ? 0 : -1, t->lag == 1 ? 2 : 1, lo, hi);
        } else if (t->sum1) { /* a mean of temperatures: nothing counts more than once */
                box(0, t->src == ARX_SRC_Y && t->index == i ? p->coil_hi : 1, lo, hi);
        } else if (t->src == ARX_SRC_Y) {
                box(0, p->coil_hi, lo, hi);
        } else if (t->src == ARX_SRC_D && l->d[t->index].kind == D_VALVE) {
                box(-30, 0, lo, hi); /* K per full stroke */
        } else if (t->src == ARX_SRC_D && l->d[t->index].kind == D_HEAT_VALVE) {
                box(0, 60, lo, hi);
        } else if (t->src == ARX_SRC_D && l->d[t->index].kind == D_DAMPER) {
                box(-30, 30, lo, hi);
        } else { /* fan, K per ratio in one step: the valve's loop takes up all but a transient */
                box(-1, 1, lo, hi);
        }
}

static void valve_prior(const struct layout *l, size_t i, const struct arx_term *t, double *lo, double *hi)
{
        if (t->src == ARX_SRC_ONE)
                box(-5, 5, lo, hi);
        else if (t->src == ARX_SRC_Y && t->index == i)
                box(-1, t->lag == 1 ? 2 : 1, lo, hi);
        else if (t->src == ARX_SRC_U && l->u[t->index].kind == U_FAN)
                box(-2, 2, lo, hi);
        else if (t->src == ARX_SRC_U)
                box(-1, 0, lo, hi); /* ratio per K */
        else
                box(0, 1, lo, hi);
}

void layout_arx_prior(const struct layout *l, const struct arx_structure *st, double *ret_lo, double *ret_hi)
{
        struct prior p = {.l = l,
                          .a_lo = pow(0.5, l->step_s / 30),
                          .a_hi = pow(0.96, l->step_s / 30),
                          .coil_hi = pow(0.9, l->step_s / 30)};
        for (size_t i = 0; i < st->ny; i++)
                for (size_t k = st->row_start[i]; k < st->row_start[i + 1]; k++) {
                        const struct arx_term *t = &st->term[k];
                        if (l->y[i].kind == Y_INLET)
                                inlet_prior(&p, i, t, &ret_lo[k], &ret_hi[k]);
                        else if (l->y[i].kind == Y_SAT)
                                sat_prior(&p, i, t, &ret_lo[k], &ret_hi[k]);
                        else
                                valve_prior(l, i, t, &ret_lo[k], &ret_hi[k]);
                }
}
