/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Faults by name: a table of them, the numbers they take, and what each does. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "agent/base/parse.h"
#include "sim/plant_internal.h"

enum { TOKENS_MAX = 4, TOKEN_BYTES = 24 };

struct tokens {
        size_t n; /* the first is the fault's name */
        char s[TOKENS_MAX][TOKEN_BYTES];
};

struct channel {
        const char *name;
        enum channel_kind kind;
        unsigned item; /* as plant_meas.c numbers them */
        size_t offset; /* of its reading in the kind's measurement */
        bool may_swap;
};

#define RACK(m) offsetof(struct plant_rack_meas, m)
#define CRAH(m) offsetof(struct plant_crah_meas, m)
#define CHILLER(m) offsetof(struct plant_chiller_meas, m)
#define WATER(m) offsetof(struct plant_water_meas, m)
#define WEATHER(m) offsetof(struct plant_weather_meas, m)
static const struct channel channels[] = {
    {"inlet", CH_RACK, 0, RACK(inlet_c), true},
    {"inlet-low", CH_RACK, 1, RACK(inlet_low_c), false},
    {"outlet", CH_RACK, 2, RACK(outlet_c), false},
    {"rack-power", CH_RACK, 3, RACK(power_w), true},
    {"sat", CH_CRAH, 0, CRAH(sat_c), true},
    {"rat", CH_CRAH, 1, CRAH(rat_c), false},
    {"crah-power", CH_CRAH, 2, CRAH(power_w), false},
    {"dp", CH_CRAH, 3, CRAH(dp_pa), false},
    {"coil-in", CH_CRAH, 4, CRAH(chw_in_c), false},
    {"coil-out", CH_CRAH, 5, CRAH(chw_out_c), false},
    {"airflow", CH_CRAH, 6, CRAH(airflow_m3s), false},
    {"chiller-leaving", CH_CHILLER, 0, CHILLER(chwst_c), false},
    {"chiller-power", CH_CHILLER, 4, CHILLER(power_w), false},
    {"chw-supply", CH_WATER, 0, WATER(chwst_c), false},
    {"chw-return", CH_WATER, 1, WATER(chwrt_c), false},
    {"cw-supply", CH_WATER, 2, WATER(cwst_c), false},
    {"cw-return", CH_WATER, 3, WATER(cwrt_c), false},
    {"oat", CH_WEATHER, 0, WEATHER(oat_c), false},
    {"wetbulb", CH_WEATHER, 1, WEATHER(wetbulb_c), false},
};

static int split(const char *name, struct tokens *ret)
{
        for (ret->n = 0; ret->n < TOKENS_MAX; ret->n++) {
                const size_t len = strcspn(name, ":");

                if (len == 0 || len >= TOKEN_BYTES)
                        return -EINVAL;
                memcpy(ret->s[ret->n], name, len);
                ret->s[ret->n][len] = '\0';
                if (name[len] == '\0') {
                        ret->n++;
                        return 0;
                }
                name += len + 1;
        }
        return -EINVAL;
}

static bool number(const char *s, double lo, double hi, double *ret)
{
        double v;

        if (parse_double(s, &v) < 0 || !(v >= lo && v <= hi))
                return false;
        *ret = v;
        return true;
}

/* What an instrument may show instead of a number. */
static bool no_number(const char *s, double *ret)
{
        if (strcmp(s, "nan") == 0)
                *ret = (double)NAN;
        else if (strcmp(s, "inf") == 0 || strcmp(s, "-inf") == 0)
                *ret = s[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        else
                return false;
        return true;
}

static bool index_in(const char *s, size_t n, size_t *ret)
{
        int64_t v;

        if (n == 0 || parse_int64(s, 0, (int64_t)n - 1, &v) < 0)
                return false;
        *ret = (size_t)v;
        return true;
}

static size_t channel_count(const struct plant *p, enum channel_kind kind)
{
        switch (kind) {
        case CH_RACK:
                return p->spec.nrack;
        case CH_CRAH:
                return p->spec.ncrah;
        case CH_CHILLER:
                return p->spec.nchiller;
        case CH_WATER:
        case CH_WEATHER:
                break;
        }
        return 1;
}

static double reading(const struct plant *p, const struct channel *c, size_t i)
{
        union {
                struct plant_rack_meas rack;
                struct plant_crah_meas crah;
                struct plant_chiller_meas chiller;
                struct plant_water_meas water;
                struct plant_weather_meas weather;
        } m;
        double v;

        switch (c->kind) {
        case CH_RACK:
                plant_rack_meas(p, i, &m.rack);
                break;
        case CH_CRAH:
                plant_crah_meas(p, i, &m.crah);
                break;
        case CH_CHILLER:
                plant_chiller_meas(p, i, &m.chiller);
                break;
        case CH_WATER:
                plant_water_meas(p, &m.water);
                break;
        case CH_WEATHER:
                plant_weather_meas(p, &m.weather);
                break;
        }
        memcpy(&v, (const char *)&m + c->offset, sizeof(v));
        return v;
}

/* ---- instruments ---- */

static int add_sensor(struct plant *p, const struct channel *c, size_t i, enum sensor_fault_kind kind, double v,
                      size_t other)
{
        if (p->nsensor_fault == PLANT_FAULTS_MAX)
                return -ENOSPC;
        p->sensor_fault[p->nsensor_fault++] = (struct sensor_fault){
            .key = channel_key(c->kind, i, c->item), .kind = kind, .v = v, .other = other, .since_s = p->elapsed_s};
        return 0;
}

static const struct channel *channel_of(const char *name)
{
        for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
                if (strcmp(channels[k].name, name) == 0)
                        return &channels[k];
        return NULL;
}

/* -ENOENT when t names no instrument's fault. */
static int sensor(struct plant *p, const struct tokens *t)
{
        static const struct {
                const char *name;
                enum sensor_fault_kind kind;
                bool takes_value;
        } kinds[] = {
            {"stuck", SENSOR_STUCK, false}, {"bias", SENSOR_BIAS, true},  {"drift", SENSOR_DRIFT, true},
            {"spike", SENSOR_SPIKE, true},  {"lost", SENSOR_LOST, false}, {"fahrenheit", SENSOR_FAHRENHEIT, false},
            {"const", SENSOR_STUCK, true},  {"swap", SENSOR_SWAP, true},  {"mass-loss", SENSOR_LOST, false}};
        const struct channel *c;
        size_t k, i, n, other = 0;
        double v = 0.0;

        for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[k].name, t->s[0]) != 0; k++)
                ;
        if (k == sizeof(kinds) / sizeof(kinds[0]))
                return -ENOENT;
        if (t->n < 3 || t->n != (kinds[k].takes_value ? 4u : 3u) || (c = channel_of(t->s[1])) == NULL)
                return -EINVAL;
        n = channel_count(p, c->kind);
        if (strcmp(t->s[0], "mass-loss") == 0) {
                int r = number(t->s[2], 0.0, 1.0, &v) ? 0 : -EINVAL;

                for (i = 0; r == 0 && (double)i < v * (double)n; i++)
                        r = add_sensor(p, c, i, SENSOR_LOST, 0.0, 0);
                return r;
        }
        if (!index_in(t->s[2], n, &i))
                return -EINVAL;
        if (kinds[k].kind == SENSOR_SWAP) {
                if (!c->may_swap || !index_in(t->s[3], n, &other))
                        return -EINVAL;
                k = p->nsensor_fault + 2 <= PLANT_FAULTS_MAX;
                return k ? add_sensor(p, c, i, SENSOR_SWAP, 0.0, other) | add_sensor(p, c, other, SENSOR_SWAP, 0.0, i)
                         : -ENOSPC;
        }
        if (kinds[k].takes_value && !(kinds[k].kind == SENSOR_STUCK && no_number(t->s[3], &v)) &&
            !number(t->s[3], -1e6, 1e6, &v))
                return -EINVAL;
        return add_sensor(p, c, i, kinds[k].kind, strcmp(t->s[0], "stuck") == 0 ? reading(p, c, i) : v, other);
}

/* ---- plant ---- */

static void reboot(struct plant *p, size_t i)
{
        struct crah *c = &p->crah[i];

        c->lease = (struct lease){.age_s = 2.0 * PLANT_WATCHDOG_S};
        c->sat_sp_c = p->room[c->room].sat_sp_c;
        c->fan_sp_ratio = p->room[c->room].fan_ratio;
        c->cmd = (struct plant_crah_cmd){.sat_sp_c = c->sat_sp_c, .fan_ratio = c->fan_sp_ratio};
}

static int switches(struct plant *p, const char *name)
{
        if (strcmp(name, "clear") == 0)
                plant_faults_clear(p);
        else if (strcmp(name, "tower-fail") == 0)
                p->tower_failed = true;
        else if (strcmp(name, "cw-pump-fail") == 0)
                p->cw_pump_failed = true;
        else if (strcmp(name, "bypass-shut") == 0)
                p->bypass_shut = true;
        else if (strcmp(name, "watchdog-inert") == 0)
                p->watchdog_inert = true;
        else
                return -EINVAL;
        return 0;
}

static int valued(struct plant *p, const char *name, const char *arg)
{
        size_t i;

#define NAMED(s) (strcmp(name, s) == 0)
        if (NAMED("load-step") && number(arg, 0.0, 10.0, &p->load_step))
                return 0;
        if (NAMED("heat-wave") && number(arg, -20.0, 20.0, &p->heat_k))
                return 0;
        if (NAMED("utility-loss") && number(arg, 0.0, 86400.0, &p->outage_s))
                return 0;
        if (NAMED("crah-fail") && index_in(arg, p->spec.ncrah, &i)) {
                p->crah[i].failed = true;
                return 0;
        }
        if (NAMED("crah-deaf") && index_in(arg, p->spec.ncrah, &i)) {
                p->crah[i].deaf = true;
                return 0;
        }
        if (NAMED("crah-reboot") && index_in(arg, p->spec.ncrah, &i)) {
                reboot(p, i);
                return 0;
        }
        if (NAMED("chiller-trip") && index_in(arg, p->spec.nchiller, &i)) {
                p->chiller[i].tripped = true;
                return 0;
        }
        if (NAMED("containment-open") && index_in(arg, p->spec.nroom, &i)) {
                p->room[i].open = true;
                return 0;
        }
        return -EINVAL;
}

static int indexed(struct plant *p, const char *name, const char *which, const char *arg)
{
        size_t i;

        if (NAMED("valve-stuck") && index_in(which, p->spec.ncrah, &i) &&
            number(arg, 0.0, 1.0, &p->crah[i].stuck_ratio))
                return 0;
        if (NAMED("chiller-foul") && index_in(which, p->spec.nchiller, &i) &&
            number(arg, 0.0, 2.0, &p->chiller[i].foul_ratio))
                return 0;
        if (NAMED("evap-flow") && index_in(which, p->spec.nchiller, &i) &&
            number(arg, 0.05, 1.0, &p->chiller[i].evap_ratio))
                return 0;
        if (NAMED("dew-point") && index_in(which, p->spec.nroom, &i) &&
            number(arg, -20.0, 30.0, &p->room[i].dewpoint_c))
                return 0;
#undef NAMED
        return -EINVAL;
}

void plant_faults_clear(struct plant *p)
{
        p->nsensor_fault = 0;
        p->load_step = 1.0;
        p->heat_k = p->outage_s = 0.0;
        p->tower_failed = p->cw_pump_failed = p->bypass_shut = p->watchdog_inert = false;
        for (size_t i = 0; i < p->spec.ncrah; i++) {
                p->crah[i].failed = p->crah[i].deaf = false;
                p->crah[i].stuck_ratio = (double)NAN;
        }
        for (size_t i = 0; i < p->spec.nchiller; i++) {
                p->chiller[i].tripped = false;
                p->chiller[i].foul_ratio = 0.0;
                p->chiller[i].evap_ratio = 1.0;
        }
        for (size_t i = 0; i < p->spec.nroom; i++)
                p->room[i].open = false;
}

int plant_fault(struct plant *p, const char *name)
{
        struct tokens t;
        int r = split(name, &t);

        if (r < 0)
                return r;
        r = sensor(p, &t);
        if (r != -ENOENT)
                return r;
        switch (t.n) {
        case 1:
                return switches(p, t.s[0]);
        case 2:
                return valued(p, t.s[0], t.s[1]);
        case 3:
                return indexed(p, t.s[0], t.s[1], t.s[2]);
        default:
                return -EINVAL;
        }
}
