/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/certify_pi.h"

#include <math.h>
#include <string.h>

#define KP 0.5
#define TI_S 180
#define AIM_C 26.5

static double way(const struct safety_u *u, double v)
{
        return u->safe_dir > 0 ? (v - u->lo) / (u->hi - u->lo) : (u->hi - v) / (u->hi - u->lo);
}

static double quantised(const struct safety_u *u, double v)
{
        return u->lo + round((v - u->lo) / u->step) * u->step;
}

double certify_cooling(const struct certify_site *site, const double *u)
{
        double sum = 0;

        for (size_t j = 0; j < 2 * site->units; j++)
                sum += way(&site->u[j], u[j]);
        return sum / (double)(2 * site->units);
}

void certify_pi_begin(const struct certify_site *site, const double *y, const double *u, double kp, double ti_s,
                      struct certify_pi *ret)
{
        *ret = (struct certify_pi){.kp = kp > 0 ? kp : KP, .ti_s = ti_s > 0 ? ti_s : TI_S};
        memcpy(ret->u, u, site->st.nu * sizeof(*u));
        for (size_t i = 0; i < site->units; i++) {
                ret->out[i] = certify_cooling(site, u);
                ret->error_k[i] = y[i] - AIM_C;
        }
}

/* Velocity form: no windup at either end, nor at a rate, nor where the filter wrote something else. */
static void step_one(const struct certify_site *site, size_t i, const double *y, const double *u, struct certify_pi *l)
{
        const struct safety_u *sat = &site->u[2 * i], *fan = &site->u[2 * i + 1];
        const double slow = fmin(sat->rate / (sat->hi - sat->lo), fan->rate / (fan->hi - fan->lo));
        const double *has = &u[2 * i];
        double hot = y[i], error_k, change, *out = &l->out[i];

        for (size_t j = i > 0 ? i - 1 : 0; j <= i + 1 && j < site->units; j++)
                hot = fmax(hot, y[j]);
        if (fabs(has[0] - l->u[2 * i]) > sat->step / 2 || fabs(has[1] - l->u[2 * i + 1]) > fan->step / 2)
                *out = 0.5 * (way(sat, has[0]) + way(fan, has[1]));
        error_k = hot - AIM_C;
        change = l->kp * (error_k - l->error_k[i] + error_k * CERTIFY_STEP_S / l->ti_s);
        *out = fmin(fmax(*out + fmax(change, -slow), 0), 1);
        l->error_k[i] = error_k;
        l->u[2 * i] = quantised(sat, sat->hi - *out * (sat->hi - sat->lo));
        l->u[2 * i + 1] = quantised(fan, fan->lo + *out * (fan->hi - fan->lo));
}

void certify_pi_step(const struct certify_site *site, const double *y, const double *u, struct certify_pi *l)
{
        for (size_t i = 0; i < site->units; i++)
                step_one(site, i, y, u, l);
}
