/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/print_site.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/outfile.h"

#define COLUMNS                                                                                                        \
        "name,device,table,address,type,order,scale,unit,access,invalid,valid_min,valid_max,frozen_after,stale_after," \
        "min,max,"                                                                                                     \
        "default,max_step,min_interval,settle,tol,safe_dir,brick,equipment,key\n"
#define PATH_CAP 1024
/* what each file begins with: the same may be written again */
#define PROFILE_BEGINS "# device model "
#define POINTS_BEGINS "# rack sensors and plant controller (Modbus), rack power and weather (MQTT)\n"
#define SITE_BEGINS "# written by: coolplane-sim serve --print-site "

static const char *const type_str[] = {"int16", "uint16", "int32", "uint32", "float32"};
static const char *const order_str[] = {"AB", "BA", "ABCD", "CDAB", "BADC", "DCBA"};
static const char *const unit_str[] = {"none", "degC", "degF", "W", "kW", "Pa", "m3/s", "L/s", "ratio", "%", "h", "s"};

/* A believable reading, SI: a wrong word order or a map shifted by one mostly shows something else. */
static bool plausible(enum quantity q, const struct plant_spec *spec, double *ret_min, double *ret_max)
{
        struct reg_write w;

        if (reg_write_of(q, spec, &w) && isfinite(w.max_step)) { /* a setpoint shows what the device takes */
                double slack = 0.01 * (w.device_max - w.device_min);
                *ret_min = w.device_min - slack;
                *ret_max = w.device_max + slack;
                return true;
        }
        switch (q) {
        case Q_RACK_INLET:
        case Q_RACK_INLET_LOW:
        case Q_CRAH_SAT:
                *ret_min = 1; /* not 0, which two halves of other numbers often make */
                *ret_max = 60;
                return true;
        case Q_CRAH_RAT:
        case Q_RACK_OUTLET:
                *ret_min = 1;
                *ret_max = 90;
                return true;
        case Q_CRAH_CHW_IN:
        case Q_CRAH_CHW_OUT:
        case Q_CH_CHWST:
        case Q_CH_CHWRT:
        case Q_CH_CW_IN:
        case Q_CH_CW_OUT:
        case Q_W_CHWST:
        case Q_W_CHWRT:
        case Q_W_CWST:
        case Q_W_CWRT:
                *ret_min = 1;
                *ret_max = 70;
                return true;
        case Q_CRAH_FAN:
        case Q_CRAH_VALVE:
        case Q_CH_PLR:
        case Q_W_TOWER_FAN:
                *ret_min = -0.05;
                *ret_max = 1.25;
                return true;
        case Q_CRAH_DP:
                *ret_min = -100;
                *ret_max = 500;
                return true;
        case Q_CRAH_AIRFLOW:
        case Q_CH_FLOW:
        case Q_W_CHW_FLOW:
        case Q_W_CW_FLOW:
                *ret_min = -0.1;
                *ret_max = 50;
                return true;
        case Q_CRAH_POWER:
        case Q_CH_POWER:
        case Q_W_CHW_PUMP:
        case Q_W_CW_PUMP:
        case Q_W_TOWER_POWER:
                *ret_min = -1e3;
                *ret_max = 1e7;
                return true;
        case Q_CRAH_RUNNING:
        case Q_CRAH_ALARM:
        case Q_CH_RUNNING:
        case Q_CH_ALARM:
        case Q_CH_ENABLE_CMD:
        case Q_W_ECON:
        case Q_REMOTE_CMD:
        case Q_REMOTE_STATUS:
                *ret_min = 0;
                *ret_max = 1;
                return true;
        case Q_OAT:
        case Q_WETBULB:
        case Q_ROOM_DEWPOINT:
                *ret_min = -50;
                *ret_max = 60;
                return true;
        default:
                return false;
        }
}

static bool is_state(enum quantity q)
{
        return q == Q_CRAH_RUNNING || q == Q_CRAH_ALARM || q == Q_CH_RUNNING || q == Q_CH_ALARM || q == Q_W_ECON ||
               q >= Q_HEARTBEAT_CMD;
}

/* An air temperature that does not change for half an hour is a dead sensor: noise alone moves its last digit. */
static bool is_noisy(enum quantity q)
{
        return q == Q_RACK_INLET || q == Q_RACK_INLET_LOW || q == Q_RACK_OUTLET || q == Q_CRAH_SAT || q == Q_CRAH_RAT;
}

/* What the type shows when the instrument has no value (reg_encode). */
static const char *sentinel(const struct reg *g, const struct plant_spec *spec)
{
        static const char *const s[] = {"\"[\"\"0x8000\"\"]\"", "\"[\"\"0xFFFF\"\"]\"", "\"[\"\"0x80000000\"\"]\"",
                                        "\"[\"\"0xFFFFFFFF\"\"]\"", "\"[\"\"nan\"\"]\""};
        struct reg_write w;
        return is_state(g->q) || reg_write_of(g->q, spec, &w) ? "" : s[g->type];
}

static void number(FILE *f, double v)
{
        if (isnan(v))
                fprintf(f, ",");
        else
                fprintf(f, ",%.10g", v);
}

static double delta_from_si(enum reg_unit u, double dv)
{
        return reg_unit_from_si(u, dv) - reg_unit_from_si(u, 0);
}

static void print_row(FILE *f, const struct plant_spec *spec, const struct reg *g, const char *name, const char *device,
                      const char *equipment)
{
        struct reg_write w;
        bool writable = reg_write_of(g->q, spec, &w);
        double lo = (double)NAN, hi = (double)NAN;

        if (plausible(g->q, spec, &lo, &hi)) {
                lo = reg_unit_from_si(g->unit, lo);
                hi = reg_unit_from_si(g->unit, hi);
                /* an unsigned register cannot show less */
                if ((g->type == REG_UINT16 || g->type == REG_UINT32) && lo < 0)
                        lo = 0;
        }
        fprintf(f, "%s,%s,%s,%u,%s,%s", name, device, g->holding ? "holding" : "input", (unsigned)g->address,
                type_str[g->type], order_str[g->order]);
        number(f, g->scale);
        fprintf(f, ",%s,%s,%s", unit_str[g->unit], writable ? "RW" : "R", sentinel(g, spec));
        number(f, lo);
        number(f, hi);
        fprintf(f, ",%s,90s", is_noisy(g->q) ? "30m" : "");
        if (writable) {
                bool analog = isfinite(w.max_step);
                number(f, reg_unit_from_si(g->unit, w.min));
                number(f, reg_unit_from_si(g->unit, w.max));
                number(f, isnan(w.fallback) ? w.fallback : reg_unit_from_si(g->unit, w.fallback));
                number(f, isnan(w.max_step) ? w.max_step : delta_from_si(g->unit, w.max_step));
                fprintf(f, ",%s,%s", w.min_interval ? w.min_interval : "", analog ? "1s" : "");
                double step = g->type == REG_FLOAT32 ? 0 : g->scale; /* a float shows what was written */
                number(f, analog ? fmax(step, delta_from_si(g->unit, 0.001)) : (double)NAN);
                fprintf(f, ",%s", w.safe_dir > 0 ? "+" : w.safe_dir < 0 ? "-" : "");
        } else
                fprintf(f, ",,,,,,,,");
        fprintf(f, ",%s,%s,\n", g->brick, equipment);
}

static int open_file(const char *dir, const char *name, FILE **ret)
{
        char path[PATH_CAP];
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
                return -ENAMETOOLONG;
        *ret = fopen(path, "w");
        return *ret ? 0 : -errno;
}

static int close_file(FILE *f)
{
        int err = ferror(f) ? -EIO : 0;
        return fclose(f) != 0 ? -errno : err;
}

/* Device i is the first of its model. */
static bool brings_profile(const struct registers *r, size_t i)
{
        bool seen = !r->device[i].profile;

        for (size_t k = 0; k < i && !seen; k++)
                seen = r->device[k].profile && strcmp(r->device[k].profile, r->device[i].profile) == 0;
        return !seen;
}

static int print_profiles(const struct registers *r, const char *dir)
{
        for (size_t i = 0; i < r->ndevice; i++) {
                const struct reg_device *d = &r->device[i];
                char name[64];
                FILE *f;
                int err;

                if (!brings_profile(r, i))
                        continue;
                snprintf(name, sizeof(name), "profiles/%s.csv", d->profile);
                err = open_file(dir, name, &f);
                if (err < 0)
                        return err;
                fprintf(f, PROFILE_BEGINS "%s, as coolplane-sim serves it\n" COLUMNS, d->profile);
                for (size_t k = 0; k < d->nreg; k++)
                        print_row(f, &r->spec, &d->reg[k], d->reg[k].row, "", "");
                err = close_file(f);
                if (err < 0)
                        return err;
        }
        return 0;
}

static void print_mqtt_row(FILE *f, const char *site, const char *where, const char *equipment, const char *row,
                           const char *device, const char *unit, const char *stale, const char *range,
                           const char *brick, const char *key)
{
        fprintf(f, "%s/%s/%s/%s,%s,mqtt,,,,,%s,R,,%s,,%s,,,,,,,,,%s,%s,%s\n", site, where, equipment, row, device, unit,
                range, stale, brick, equipment, key);
}

static int print_points(const struct registers *r, const char *dir)
{
        const struct plant_spec *s = &r->spec;
        FILE *f;
        int err = open_file(dir, "points.csv", &f);
        if (err < 0)
                return err;

        fprintf(f, POINTS_BEGINS COLUMNS);
        for (size_t i = 0; i < r->ndevice; i++) {
                const struct reg_device *d = &r->device[i];
                for (size_t k = 0; k < d->nreg && !d->profile; k++) {
                        const struct reg *g = &d->reg[k];
                        char eq[32], where[32], name[128];
                        snprintf(where, sizeof(where), "room-%zu", d->zone + 1);
                        if (g->equipment) {
                                snprintf(eq, sizeof(eq), "%s", g->equipment);
                                snprintf(where, sizeof(where), "plant");
                        } else if (g->q == Q_ROOM_DEWPOINT)
                                snprintf(eq, sizeof(eq), "room-%zu-air", d->zone + 1);
                        else
                                snprintf(eq, sizeof(eq), "rack-%zu", d->index + g->offset + 1);
                        snprintf(name, sizeof(name), "%s/%s/%s/%s", s->name, where, eq, g->row);
                        print_row(f, s, g, name, d->name, eq);
                }
        }
        for (size_t i = 0; i < s->nrack; i++) {
                char eq[32], where[32];
                snprintf(eq, sizeof(eq), "rack-%zu", i + 1);
                snprintf(where, sizeof(where), "room-%zu", i * s->nroom / s->nrack + 1);
                print_mqtt_row(f, s->name, where, eq, "power", "it-power", "W", "2m", "0,", "Electric_Power_Sensor",
                               eq);
        }
        print_mqtt_row(f, s->name, "plant", "weather", "oat", "weather", "degC", "15m", "-50,60",
                       "Outside_Air_Temperature_Sensor", "oat_c");
        print_mqtt_row(f, s->name, "plant", "weather", "wetbulb", "weather", "degC", "15m", "-50,60",
                       "Outside_Air_Wet_Bulb_Temperature_Sensor", "wetbulb_c");
        print_mqtt_row(f, s->name, "plant", "weather", "humidity", "weather", "ratio", "15m", "0,1.01",
                       "Outside_Air_Humidity_Sensor", "rh_ratio");
        return close_file(f);
}

static void print_equipment(FILE *f, const struct plant_spec *s)
{
        /* machines beside an economiser stand idle when towers are that cold, and its water must not be kept from it.
         * Neither surge_lift_k nor max_flow_ramp_per_min: near its surge the plant's machines spill, no lift is
         * forbidden them, and its pumps bound the ramp by themselves. */
        char lift[64] = "";

        if (!s->economiser)
                (void)snprintf(lift, sizeof(lift), ", min_lift_k: %g, max_lift_k: 26", PLANT_MIN_LIFT_K);
        fprintf(f, "equipment:\n");
        for (size_t i = 0; i < s->ncrah; i++)
                fprintf(f,
                        "  - { name: crah-%zu, brick: Computer_Room_Air_Handler, zone: room-%zu, capacity_w: %.10g, "
                        "airflow_m3s: %.10g, fan_power_w: %.10g }\n",
                        i + 1, i * s->nroom / s->ncrah + 1, s->crah_capacity_w, s->crah_airflow_m3s, s->crah_fan_w);
        for (size_t i = 0; i < s->nrack; i++)
                fprintf(f, "  - { name: rack-%zu, brick: ICT_Rack, zone: room-%zu, power_w: %.10g }\n", i + 1,
                        i * s->nroom / s->nrack + 1, s->rack_design_w);
        for (size_t i = 0; i < s->nroom; i++)
                fprintf(f, "  - { name: room-%zu-air, brick: Room, zone: room-%zu }\n", i + 1, i + 1);
        for (size_t i = 0; i < s->nchiller; i++)
                fprintf(f,
                        "  - { name: chiller-%zu, brick: Chiller, capacity_w: %.10g, min_on: 5m, min_off: 10m, "
                        "max_starts_per_h: 3, min_flow_m3s: %.4g%s }\n",
                        i + 1, s->chiller_capacity_w, plant_min_flow_m3s(s), lift);
        fprintf(f, "  - { name: plant, brick: Chilled_Water_System }\n"
                   "  - { name: chw-pumps, brick: Water_Pump }\n"
                   "  - { name: cw-pumps, brick: Water_Pump }\n"
                   "  - { name: towers, brick: Cooling_Tower }\n"
                   "  - { name: economizer, brick: Water_Side_Economizer }\n"
                   "  - { name: weather, brick: Weather_Station }\n");
}

static void print_devices(FILE *f, const struct registers *r, uint16_t base_port)
{
        fprintf(f, "profiles:\n");
        for (size_t i = 0; i < r->ndevice; i++)
                if (brings_profile(r, i))
                        fprintf(f, "  %s: profiles/%s.csv\n", r->device[i].profile, r->device[i].profile);
        fprintf(f, "points: [ points.csv ]\n"
                   "devices:\n");
        for (size_t i = 0; i < r->ndevice; i++) {
                const struct reg_device *d = &r->device[i];
                fprintf(f, "  - { name: %s, protocol: modbus-tcp, host: 127.0.0.1, port: %u, unit_id: %u, period: 10s",
                        d->name, (unsigned)base_port + d->port, (unsigned)d->unit_id);
                if (d->profile)
                        fprintf(f, ", profile: %s, equipment: %s", d->profile, d->name);
                if (d->supervised)
                        fprintf(f, ", watchdog: %.0fs", PLANT_WATCHDOG_S);
                /* a device without reserved registers answers exception 02 to a read across a gap */
                fprintf(f, ", quirks: { max_gap: %d } }\n", d->holes_readable ? 8 : 0);
        }
        fprintf(f,
                "  - { name: it-power, protocol: mqtt, topic: %s/it/power }\n"
                "  - { name: weather, protocol: mqtt, topic: %s/weather }\n",
                r->spec.name, r->spec.name);
}

static int print_yaml(const struct registers *r, const char *dir, uint16_t base_port, const char *mqtt_host,
                      int mqtt_port)
{
        const struct plant_spec *s = &r->spec;
        struct plant_spec named;
        FILE *f;
        int err = open_file(dir, "site.yaml", &f);
        if (err < 0)
                return err;

        fprintf(f, SITE_BEGINS "DIR --site %s --base-port %u%s\n",
                plant_spec_named(s->name, &named) == 0 ? s->name : "FILE", (unsigned)base_port,
                s->economiser ? " --economiser" : "");
        fprintf(f,
                "site:\n  name: %s\n  seed: %" PRIu64 "\n"
                "  fast_step: 30s\n  slow_step: 5m\n"
                "web: { bind: 127.0.0.1, port: 8480 }\n"
                "limits:\n  inlet_recommended: 27\n  inlet_allowable: 32\n  chwst_min: 6\n  chwst_max: 18\n",
                s->name, s->seed);
        fprintf(f, "mqtt:\n  host: %s\n  port: %d\n  silence: 60s\n", mqtt_host, mqtt_port);
        fprintf(f, "# how long the database keeps what it has; of samples never less than 7 days\n"
                   "retention: { samples: 400d, decisions: 1825d, max_bytes: 200GiB }\n");
        fprintf(f, "vm:\n  topic: %s/vm\n  max_moves_per_hour: %d\n  max_concurrent: %d\n", s->name,
                PRINT_SITE_MOVES_PER_HOUR, PRINT_SITE_MOVES_AT_ONCE);
        fprintf(f, "zones:\n");
        for (size_t i = 0; i < s->nroom; i++)
                fprintf(f, "  - { name: room-%zu }\n", i + 1);
        print_equipment(f, s);
        print_devices(f, r, base_port);
        return close_file(f);
}

/* With the folders above it. */
static int make_dir(const char *path)
{
        char part[PATH_CAP];

        for (size_t i = 1; i < sizeof(part); i++) {
                if (path[i - 1] == '\0')
                        return 0;
                if (path[i] != '/' && path[i] != '\0')
                        continue;
                memcpy(part, path, i);
                part[i] = '\0';
                if (mkdir(part, 0777) < 0 && errno != EEXIST)
                        return -errno;
        }
        return -ENAMETOOLONG;
}

static bool may(const char *dir, const char *name, const char *begins, const char *const *input, size_t ninput,
                char why[512])
{
        char path[PATH_CAP];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name); /* too long: told by print_site */
        return outfile_may(
            &(struct outfile){
                .path = path, .what = "what --print-site wrote", .begins = begins, .input = input, .ninput = ninput},
            why);
}

bool print_site_may(const struct registers *r, const char *dir, const char *const *input, size_t ninput, char why[512])
{
        bool ok = may(dir, "site.yaml", SITE_BEGINS, input, ninput, why) &&
                  may(dir, "points.csv", POINTS_BEGINS, input, ninput, why);

        for (size_t i = 0; i < r->ndevice && ok; i++)
                if (brings_profile(r, i)) {
                        char name[64];

                        snprintf(name, sizeof(name), "profiles/%s.csv", r->device[i].profile);
                        ok = may(dir, name, PROFILE_BEGINS, input, ninput, why);
                }
        return ok;
}

int print_site(const struct registers *r, const char *dir, uint16_t base_port, const char *mqtt_host, int mqtt_port)
{
        char sub[PATH_CAP];
        int err;

        if ((size_t)snprintf(sub, sizeof(sub), "%s/profiles", dir) >= sizeof(sub))
                return -ENAMETOOLONG;
        err = make_dir(dir);
        if (err == 0)
                err = make_dir(sub);
        if (err == 0)
                err = print_profiles(r, dir);
        if (err == 0)
                err = print_points(r, dir);
        if (err == 0)
                err = print_yaml(r, dir, base_port, mqtt_host, mqtt_port);
        return err;
}
