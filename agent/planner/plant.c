/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/planner/plant.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/points/total.h"

/* Where data sheets are missing. */
#define RACK_W 5000.0       /* rated power of a rack */
#define COIL_RATIO 1.5      /* air handlers' capacity over the racks' rated power */
#define SITE_W 50e3         /* a site that names no rack */
#define FAN_RATIO (1 / 24.) /* fans at full speed over the air handler's capacity */
#define STEPS_MIN 5         /* of a slow step, to be a sample; fewer where a slow step has fewer */

/* --- ratings ------------------------------------------------------------------------------------------------------ */

double plant_rack_w(const struct site *site, int equipment)
{
        const double w = site->equipment[equipment].power_w;
        return w > 0.0 ? w : RACK_W;
}

static double racks_w(const struct site *site)
{
        double sum = 0.0;
        assert(site->equipment || site->nequipment == 0);
        for (size_t i = 0; i < site->nequipment; i++)
                if (site->equipment[i].cls == EQ_RACK)
                        sum += plant_rack_w(site, (int)i);
        return sum > 0.0 ? sum : SITE_W;
}

static size_t count_of(const struct site *site, enum equipment_class cls)
{
        size_t n = 0;
        assert(site->equipment || site->nequipment == 0);
        for (size_t i = 0; i < site->nequipment; i++)
                n += site->equipment[i].cls == cls;
        return n;
}

static const struct equipment *equipment_of(const struct site *site, int equipment)
{
        return equipment >= 0 ? &site->equipment[equipment] : NULL;
}

double plant_coil_w(const struct site *site, int equipment)
{
        const struct equipment *e = equipment_of(site, equipment);
        const size_t n = count_of(site, EQ_CRAH);

        if (e && e->capacity_w > 0.0)
                return e->capacity_w;
        return COIL_RATIO * racks_w(site) / (double)(n ? n : 1);
}

double plant_fan_w(const struct site *site, int equipment)
{
        const struct equipment *e = equipment_of(site, equipment);

        if (e && e->fan_power_w > 0.0)
                return e->fan_power_w;
        return e && e->power_w > 0.0 ? e->power_w : FAN_RATIO * plant_coil_w(site, equipment);
}

double plant_coils_w(const struct site *site)
{
        double sum = 0.0;
        for (size_t i = 0; i < site->nequipment; i++)
                if (site->equipment[i].cls == EQ_CRAH)
                        sum += plant_coil_w(site, (int)i);
        return sum > 0.0 ? sum : COIL_RATIO * racks_w(site);
}

double plant_chiller_w(const struct site *site, int equipment)
{
        const struct equipment *e = equipment_of(site, equipment);
        const size_t n = count_of(site, EQ_CHILLER);

        return e && e->capacity_w > 0.0 ? e->capacity_w : plant_coils_w(site) / (double)(n ? n : 1);
}

double plant_capacity_w(const struct site *site)
{
        double sum = 0.0;
        for (size_t i = 0; i < site->nequipment; i++)
                if (site->equipment[i].cls == EQ_CHILLER)
                        sum += plant_chiller_w(site, (int)i);
        return sum > 0.0 ? sum : plant_coils_w(site);
}

/* --- meters ------------------------------------------------------------------------------------------------------- */

#define CHILLERS_ON ENERGY_PARTS /* slot behind the powers */

int plant_power_part(enum role role)
{
        switch (role) {
        case ROLE_CRAH_POWER:
                return ENERGY_FANS;
        case ROLE_CHILLER_POWER:
                return ENERGY_CHILLERS;
        case ROLE_PUMP_POWER:
                return ENERGY_PUMPS;
        case ROLE_TOWER_POWER:
                return ENERGY_TOWERS;
        default:
                return -1;
        }
}

static int slot_of(enum role role)
{
        return role == ROLE_CHILLER_STATUS ? CHILLERS_ON : plant_power_part(role);
}

int meters_create(const struct site *site, struct meters *ret)
{
        struct meters m = {.site = site,
                           .value = calloc(site->npoint + 1, sizeof *m.value),
                           .t_ms = calloc(site->npoint + 1, sizeof *m.t_ms)};

        if (!m.value || !m.t_ms) {
                meters_destroy(&m);
                return -ENOMEM;
        }
        for (size_t i = 0; i < site->npoint; i++)
                m.t_ms[i] = INT64_MIN / 2;
        *ret = m;
        return 0;
}

void meters_destroy(struct meters *m)
{
        free(m->value);
        free(m->t_ms);
}

void meters_push(struct meters *m, const struct sample *s)
{
        if (s->point >= m->site->npoint || s->quality != QUALITY_GOOD || !isfinite(s->value))
                return;
        m->value[s->point] = s->value;
        m->t_ms[s->point] = s->t_ms;
}

void meters_sum(const struct meters *m, int64_t t_ms, int64_t stale_ms, double *ret_power_w, double *ret_chillers_on)
{
        struct total t[ENERGY_PARTS + 1] = {0};

        for (size_t i = 0; i < m->site->npoint; i++) {
                const int slot = slot_of(m->site->point[i].role);
                if (slot >= 0)
                        total_add(&t[slot], t_ms - m->t_ms[i] <= stale_ms ? m->value[i] : (double)NAN);
        }
        for (int k = 0; k < ENERGY_PARTS; k++)
                ret_power_w[k] = total_value(&t[k]);
        *ret_chillers_on = total_all_known(&t[CHILLERS_ON]);
}

/* --- sample ------------------------------------------------------------------------------------------------------- */

static struct total total_of(const struct layout_var *var, const double *v, size_t n, int kind)
{
        struct total t = {0};

        for (size_t j = 0; j < n; j++)
                if (var[j].kind == kind)
                        total_add(&t, v[j]);
        return t;
}

static double mean_of(const struct layout_var *var, const double *v, size_t n, int kind)
{
        const struct total t = total_of(var, v, n, kind);

        return t.known ? t.sum / (double)t.known : (double)NAN;
}

struct energy_sample plant_sample(const struct layout *l, const double *y, const double *u, const double *d,
                                  const double *power_w, double chillers_on)
{
        struct energy_sample s = {.fan_ratio_cubed = (double)NAN, .chillers_on = chillers_on};
        const struct total it = total_of(l->d, d, l->nd, D_RACK_POWER);
        double fan = 0.0, most = 0.0, rated = 0.0, on = 0.0; /* most: of fans that cannot be read all they can take */
        size_t nchiller = 0;

        memcpy(s.power_w, power_w, sizeof s.power_w);
        for (size_t j = 0; j < l->nu; j++) {
                if (l->u[j].kind == U_FAN) {
                        const double full = plant_fan_w(l->site, l->u[j].equipment);
                        fan += full * u[j] * u[j] * u[j];
                        most += isfinite(u[j]) ? full * u[j] * u[j] * u[j] : full;
                        rated += full;
                } else if (l->u[j].kind == U_CHILLER) {
                        on += isfinite(u[j]) ? u[j] > 0.5
                                             : (double)NAN; /* one that cannot be read is not one that stopped */
                        nchiller++;
                }
        }
        if (rated > 0.0)
                s.fan_ratio_cubed = fan / rated;
        if (!isfinite(s.chillers_on) && nchiller)
                s.chillers_on = on;
        s.heat_w = total_value(&it) + (isfinite(power_w[ENERGY_FANS]) ? power_w[ENERGY_FANS] : most);
        s.chwst_c = mean_of(l->d, d, l->nd, D_CHW_TEMP);
        if (!isfinite(s.chwst_c))
                s.chwst_c = mean_of(l->u, u, l->nu, U_CHWST);
        s.cwst_c = mean_of(l->d, d, l->nd, D_CW_TEMP);
        if (!isfinite(s.cwst_c))
                s.cwst_c = mean_of(l->u, u, l->nu, U_CWST);
        s.wetbulb_c = mean_of(l->d, d, l->nd, D_WETBULB);
        s.valve_mean_ratio = mean_of(l->y, y, l->ny, Y_VALVE);
        return s;
}

/* --- means -------------------------------------------------------------------------------------------------------- */

static double *field(struct energy_sample *s, size_t i)
{
        double *const f[] = {&s->fan_ratio_cubed, &s->heat_w,      &s->chwst_c,          &s->cwst_c,
                             &s->wetbulb_c,       &s->chillers_on, &s->valve_mean_ratio, &s->power_w[0],
                             &s->power_w[1],      &s->power_w[2],  &s->power_w[3]};
        static_assert(sizeof f / sizeof *f == PLANT_FIELDS, "one a field");
        return f[i];
}

void plant_mean_init(struct plant_mean *m, const struct site *site)
{
        const int64_t steps = site->fast_step_ms > 0 ? site->slow_step_ms / site->fast_step_ms : 1;

        *m = (struct plant_mean){.steps_min = steps < 1 ? 1 : steps < STEPS_MIN ? (unsigned)steps : STEPS_MIN};
}

bool plant_mean_close(struct plant_mean *m, struct energy_sample *ret)
{
        const bool complete = m->steps >= m->steps_min;

        for (size_t i = 0; i < PLANT_FIELDS && complete; i++)
                *field(ret, i) = m->n[i] ? m->sum[i] / m->n[i] : (double)NAN;
        *m = (struct plant_mean){.steps_min = m->steps_min, .slow = m->slow};
        return complete;
}

bool plant_mean_add(struct plant_mean *m, int64_t t_ms, int64_t slow_ms, bool follows, const struct energy_sample *s,
                    struct energy_sample *ret)
{
        const int64_t slow = t_ms / slow_ms;
        struct energy_sample now = *s;
        bool completed = false;

        if (m->steps > 0 && (slow != m->slow || !follows))
                completed = plant_mean_close(m, ret);
        m->slow = slow;
        m->steps++;
        for (size_t i = 0; i < PLANT_FIELDS; i++) {
                const double v = *field(&now, i);
                if (!isfinite(v))
                        continue;
                m->sum[i] += v;
                m->n[i]++;
        }
        return completed;
}
