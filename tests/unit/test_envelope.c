/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The safety envelope of small sites written here: the register grid, spans of time, what the gate refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/gate/envelope.h"
#include "agent/gate/safety_model.h"
#include "agent/gate/ipc.h"
#include "agent/points/codec.h"
#include "agent/points/units.h"
#include "models/num/rng.h"

#define HEAD "name,device,equipment,table,address,type,scale,offset,unit,access,min,max,max_step,safe_dir,brick\n"
#define INLET "s/inlet,d,r1,holding,900,uint16,0.1,0,degC,R,,,,,Intake_Air_Temperature_Sensor\n"

static char dir[64], found[1 << 16];
static uint64_t seed;

static void put(const char *name, const char *text)
{
        char path[128];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/%s", dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void put_site(const char *more_site, const char *more)
{
        char text[2048];

        (void)snprintf(text, sizeof text,
                       "site: { name: s%s }\n"
                       "zones: [ { name: z } ]\n"
                       "equipment:\n"
                       "  - { name: a1, brick: CRAH, zone: z }\n"
                       "  - { name: r1, brick: ICT_Rack, zone: z }\n"
                       "  - { name: c1, brick: Chiller }\n"
                       "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n"
                       "points: [ points.csv ]\n%s",
                       more_site, more);
        put("site.yaml", text);
}

/* What check-config does: the site when nothing is wrong, else NULL and every message in `found`. */
static struct site *check(void)
{
        char path[128];
        struct site_errors *e = NULL;
        struct site *s = NULL;
        FILE *f = fmemopen(found, sizeof found, "w");
        int r;

        assert_non_null(f);
        (void)snprintf(path, sizeof path, "%s/site.yaml", dir);
        r = site_load_checked(path, gate_check_site, &s, &e);
        assert_true((r == 0) == (site_errors_count(e) == 0));
        site_errors_print(e, f);
        (void)fputc('\0', f);
        (void)fclose(f);
        site_errors_free(e);
        return r == 0 ? s : site_free(s);
}

static void refused(const char *text)
{
        assert_null(check());
        if (!strstr(found, text))
                fail_msg("'%s' is not in:\n%s", text, found);
}

static struct site *accepted(void)
{
        struct site *s = check();

        if (!s)
                fail_msg("refused:\n%s", found);
        return s;
}

static double uniform(struct rng *r, double lo, double hi)
{
        return lo + rng_uniform(r) * (hi - lo);
}

/* Every value the filter can choose is a value the register has: what is verified is what is written. */
static void check_grid(const struct site *site)
{
        struct layout *l;
        struct gate_envelope e;

        assert_int_equal(layout_create(site, &l), 0);
        assert_int_equal(gate_envelope_build(l, &e), 0);
        assert_int_equal(l->nu, 2);
        for (size_t j = 0; j < l->nu; j++) {
                const struct safety_u *u = &e.u[j];
                const struct point *p = &site->point[l->u[j].point];

                assert_true(u->step > 0);
                for (double k = ceil((u->lo - u->origin) / u->step - 1e-9); u->origin + k * u->step <= u->hi;
                     k += fmax(1, floor((u->hi - u->lo) / u->step / 37))) {
                        double v = u->origin + k * u->step, q;
                        uint16_t regs[4];
                        struct sample s = {0};

                        assert_int_equal(codec_encode(p, v, regs, &q), 0);
                        codec_decode(p, regs, 0, &s);
                        if (!(fabs(s.value - v) < 1e-6 * u->step && fabs(q - v) < 1e-6 * u->step))
                                fail_msg("%s, scale %.17g offset %.17g: %.17g is written as %.17g (step %g)",
                                         unit_str((enum unit)p->unit), p->scale, p->offset, v, s.value, u->step);
                }
        }
        gate_envelope_free(&e);
        layout_free(l);
}

static void test_grid_is_the_register_s(void **state)
{
        static const enum unit temperature[] = {UNIT_DEGC, UNIT_DEGF, UNIT_KELVIN},
                               ratio[] = {UNIT_RATIO, UNIT_PERCENT};
        struct rng rng;

        (void)state;
        rng_seed(&rng, seed, 1);
        put_site("", "");
        for (int n = 0; n < 60; n++) {
                enum unit t = temperature[n % 3], r = ratio[n % 2];
                double step = n < 6 ? 0.1 : uniform(&rng, 0.01, 0.4), off = n < 3 ? 0 : uniform(&rng, -20, 20);
                double fan_step = uniform(&rng, 0.001, 0.01), lo = unit_from_si(r, 0.2), hi = unit_from_si(r, 1);
                char text[1024];

                (void)snprintf(
                    text, sizeof text,
                    HEAD INLET "s/sat,d,a1,holding,0,int32,%.17g,%.17g,%s,RW,%.17g,%.17g,,-,"
                               "Supply_Air_Temperature_Setpoint\n"
                               "s/fan,d,a1,holding,4,int32,%.17g,%.17g,%s,RW,%.17g,%.17g,,+,Fan_Speed_Command\n",
                    n % 2 ? step : -step, off, unit_str(t), unit_from_si(t, 14.03), unit_from_si(t, 27.01),
                    unit_delta_from_si(r, fan_step), unit_from_si(r, uniform(&rng, -1, 1)), unit_str(r), lo, hi);
                put("points.csv", text);
                struct site *s = accepted();
                check_grid(s);
                site_free(s);
        }
}

static void test_refuses_what_the_gate_would(void **state)
{
        (void)state;
        put_site("", "");
        put("points.csv",
            HEAD INLET "s/sat,d,a1,holding,0,int16,1,0,degC,RW,14,27,0.5,-,Supply_Air_Temperature_Setpoint\n");
        refused("points.csv:3: max_step: 0.5 is less than one count of the register");
        /* without max_step a coarse register moves by one count */
        put("points.csv",
            HEAD INLET "s/sat,d,a1,holding,0,int16,1,0,degC,RW,14,27,,-,Supply_Air_Temperature_Setpoint\n");
        site_free(accepted());
        put("points.csv",
            HEAD INLET "s/sat,d,a1,holding,0,int16,0.5,0,degC,RW,14,27,0.5,-,Supply_Air_Temperature_Setpoint\n");
        site_free(accepted());

        put("points.csv", HEAD INLET "s/en,d,c1,holding,0,uint16,1,0,,RW,0,1,,,On_Off_Command\n");
        refused("points.csv:3: safe_dir: a writable chiller_enable needs it (+)");
        put("points.csv", HEAD INLET "s/en,d,c1,holding,0,float32,1,0,,RW,0,1,,+,On_Off_Command\n");
        site_free(accepted());
        put("points.csv", HEAD INLET "s/en,d,c1,holding,0,uint16,0.3,0,,RW,0,1,,+,On_Off_Command\n");
        refused("points.csv:3: a writable chiller_enable goes from min 0 to max 1");
        put("points.csv", HEAD INLET "s/en,d,c1,holding,0,uint16,1,0,,RW,0,2,,+,On_Off_Command\n");
        refused("points.csv:3: a writable chiller_enable goes from min 0 to max 1");
        put("points.csv", HEAD INLET "s/en,d,c1,holding,0,uint16,1,0,,RW,0,1,,+,On_Off_Command\n");
        site_free(accepted());

        put("points.csv", HEAD INLET "s/w,d,c1,holding,0,uint16,0.1,0,degC,RW,19,25,,-,"
                                     "Leaving_Chilled_Water_Temperature_Setpoint\n");
        refused("points.csv:3: min..max (19 to 25 °C) lies outside limits.chwst_min..chwst_max (5 to 18 °C)");
        put("points.csv", HEAD INLET "s/w,d,c1,holding,0,uint16,2,0,degC,RW,6,16,,-,"
                                     "Leaving_Chilled_Water_Temperature_Setpoint\n");
        refused("points.csv:3: 's/w' cannot be commanded: one count of the register is more than");

        /* together with what the loader finds; a point whose row is wrong is neither missing nor unknown */
        put("points.csv",
            "name,device,equipment,table,address,type,scale,unit,access,min,max,safe_dir,interlock,brick\n"
            "s/inlet,d,r1,holding,900,uint17,0.1,degC,R,,,,,Intake_Air_Temperature_Sensor\n"
            "s/w,d,c1,holding,0,uint16,2,degC,RW,6,16,-,s/inlet,"
            "Leaving_Chilled_Water_Temperature_Setpoint\n"
            "s/sat,d,a1,holding,1,int16,1,degC,RW,14,27,-,s/inlett,Supply_Air_Temperature_Setpoint\n");
        refused("points.csv:2: type: unknown 'uint17'");
        refused("points.csv:3: 's/w' cannot be commanded: one count of the register is more than");
        refused("points.csv:4: interlock: no point is named 's/inlett'");
        assert_null(strstr(found, "no point is named 's/inlet'"));
        assert_null(strstr(found, "no rack inlet"));

        put("points.csv", HEAD "s/p,d,r1,holding,0,uint16,1,0,W,R,,,,,Electric_Power_Sensor\n");
        refused("site.yaml: no rack inlet and no supply air temperature");

        put("points.csv", HEAD INLET);
        put_site(", fast_step: 6m, slow_step: 12m", "");
        refused("fast_step: '6m' is not from 1000 ms to 300000 ms");
        put_site(", fast_step: 5m", "");
        site_free(accepted());
}

static void test_starts_per_hour(void **state)
{
        static const struct {
                const char *starts;
                bool ok;
        } v[] = {{"0.5", false}, {"1", true}, {"16", true}, {"17", false}, {"20", false}};

        (void)state;
        put("points.csv", HEAD INLET "s/en,d,c1,holding,0,uint16,1,0,,RW,0,1,,+,On_Off_Command\n");
        for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
                char text[512];

                (void)snprintf(text, sizeof text,
                               "site: { name: s }\nzones: [ { name: z } ]\nequipment:\n"
                               "  - { name: r1, brick: ICT_Rack, zone: z }\n"
                               "  - { name: c1, brick: Chiller, max_starts_per_h: %s }\n"
                               "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\npoints: [ points.csv ]\n",
                               v[i].starts);
                put("site.yaml", text);
                if (v[i].ok)
                        site_free(accepted());
                else
                        refused("site.yaml:5:51: max_starts_per_h: ");
        }
}

static void test_more_than_the_messages_carry(void **state)
{
        char *text = malloc((IPC_Y_MAX + 2) * 160);
        size_t n = 0;

        (void)state;
        assert_non_null(text);
        put_site("", "");
        for (int over = 1; over >= 0; over--) {
                n = (size_t)sprintf(text, HEAD);
                for (int i = 0; i < IPC_Y_MAX + over; i++)
                        n += (size_t)sprintf(text + n,
                                             "s/i%d,d,r1,holding,%d,uint16,0.1,0,degC,R,,,,,"
                                             "Intake_Air_Temperature_Sensor\n",
                                             i, i);
                put("points.csv", text);
                if (over)
                        refused("site.yaml: 2049 controlled readings: more than the 2048 the gate can carry");
                else
                        site_free(accepted());
        }
        free(text);
}

static void test_spans(void **state)
{
        struct gate_spans s = gate_spans(30), f = gate_spans(10), slow = gate_spans(300), fast = gate_spans(1);

        (void)state;
        assert_true(s.horizon == 12 && s.w_horizon == 10 && s.window == 11 && s.hold == 10 && s.persist == 10);
        assert_true(fabs(s.forget - 0.998) < 1e-12 && fabs(1 / s.day_weight - 2880) < 1e-9);
        /* the same six minutes, four hours and day at another step */
        assert_true(f.horizon == 36 && f.w_horizon == 20 && f.window == 21 && f.hold == 30 && f.persist == 30);
        assert_true(fabs(pow(f.forget, 3) - s.forget) < 1e-12 && fabs(3 * f.day_weight - s.day_weight) < 1e-12);
        assert_true(slow.horizon == 4 && slow.w_horizon == 2 && slow.window == 5 && slow.hold == 1);
        assert_true(slow.forget >= 0.9 && slow.forget < s.forget);
        assert_true(fast.horizon == 60 && fast.w_horizon == ARX_HORIZON_MAX && fast.forget < 1);
}

/* A rating bounds a rack; without one nothing does, and chilled water is bounded by what the site allows. */
static void test_worst_disturbance(void **state)
{
        struct layout *l;
        struct gate_envelope e;
        struct site *s;
        const char *what;
        size_t index;
        int own, zone, water;

        (void)state;
        put("points.csv",
            HEAD INLET "s/p,d,r1,holding,1,uint16,10,0,W,R,,,,,Electric_Power_Sensor\n"
                       "s/w,d,c1,holding,2,uint16,0.1,0,degC,R,,,,,Chilled_Water_Supply_Temperature_Sensor\n"
                       "s/sat,d,a1,holding,3,int16,0.1,0,degC,RW,14,27,,-,Supply_Air_Temperature_Setpoint\n");
        for (int rated = 0; rated < 2; rated++) {
                char text[512];

                (void)snprintf(text, sizeof text,
                               "site: { name: s }\nzones: [ { name: z } ]\nlimits: { chwst_max: 24 }\nequipment:\n"
                               "  - { name: a1, brick: CRAH, zone: z }\n  - { name: c1, brick: Chiller }\n"
                               "  - { name: r1, brick: ICT_Rack, zone: z%s }\n"
                               "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\npoints: [ points.csv ]\n",
                               rated ? ", power_w: 35000" : "");
                put("site.yaml", text);
                s = accepted();
                assert_int_equal(layout_create(s, &l), 0);
                assert_int_equal(gate_envelope_build(l, &e), 0);
                assert_int_equal(safety_envelope_validate(&e.safety, &what, &index), 0);
                own = zone = water = -1;
                for (size_t k = 0; k < l->nd; k++) {
                        own = l->d[k].kind == D_RACK_POWER ? (int)k : own;
                        zone = l->d[k].kind == D_ZONE_POWER ? (int)k : zone;
                        water = l->d[k].kind == D_CHW_TEMP ? (int)k : water;
                }
                assert_true(own >= 0 && zone >= 0 && water >= 0);
                assert_true(rated ? e.d_max[own] == 35000 && e.d_max[zone] == 35000
                                  : isinf(e.d_max[own]) && isinf(e.d_max[zone]));
                assert_true(e.d_max[water] == 24);
                gate_envelope_free(&e);
                layout_free(l);
                site_free(s);
        }
}

static struct gate_envelope envelope_of(const char *header, const char *rows, struct layout **ret_l,
                                        struct site **ret_s)
{
        char text[2048];
        struct gate_envelope e;

        (void)snprintf(text, sizeof text, "%s%s", header, rows);
        put("points.csv", text);
        *ret_s = accepted();
        assert_int_equal(layout_create(*ret_s, ret_l), 0);
        assert_int_equal(gate_envelope_build(*ret_l, &e), 0);
        return e;
}

static void test_dead_band(void **state)
{
        static const struct {
                const char *register_, *max_step, *dead_band;
                double sat_k;
        } v[] = {{"0.1", "", "", 0.2},  {"0.5", "", "", 0.5},     {"0.01", "", "0.05", 0.05}, {"0.1", "", "0.05", 0.1},
                 {"0.1", "", "0", 0.1}, {"0.05", "0.1", "", 0.1}, {"0.1", "1", "0.4", 0.4}};
        struct layout *l;
        struct site *s;

        (void)state;
        put_site("", "");
        for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
                char text[1024];

                (void)snprintf(text, sizeof text,
                               "s/inlet,d,r1,holding,900,uint16,0.1,degC,R,,,,,Intake_Air_Temperature_Sensor,\n"
                               "s/sat,d,a1,holding,0,uint16,%s,degC,RW,14,27,%s,-,Supply_Air_Temperature_Setpoint,%s\n"
                               "s/fan,d,a1,holding,1,uint16,1,%%,RW,30,100,,+,Fan_Speed_Command,\n"
                               "s/en,d,c1,holding,2,uint16,1,,RW,0,1,,+,On_Off_Command,\n",
                               v[i].register_, v[i].max_step, v[i].dead_band);
                struct gate_envelope e = envelope_of(
                    "name,device,equipment,table,address,type,scale,unit,access,min,max,max_step,safe_dir,brick,"
                    "dead_band\n",
                    text, &l, &s);
                assert_int_equal(l->nu, 3);
                assert_true(fabs(e.u[0].dead_band - v[i].sat_k) < 1e-4 && e.u[0].dead_band < v[i].sat_k);
                assert_true(fabs(e.u[1].dead_band - 0.02) < 1e-4);
                assert_true(e.u[2].kind == SAFETY_U_ONOFF && e.u[2].dead_band == 0);
                gate_envelope_free(&e);
                layout_free(l);
                site_free(s);
        }
        put("points.csv", "name,device,equipment,table,address,type,scale,unit,access,min,max,max_step,safe_dir,brick,"
                          "dead_band\n"
                          "s/sat,d,a1,holding,0,uint16,0.1,degC,RW,14,27,0.5,-,Supply_Air_Temperature_Setpoint,0.6\n"
                          "s/fan,d,a1,holding,1,uint16,1,%,RW,30,100,,+,Fan_Speed_Command,-1\n");
        refused("points.csv:2: dead_band: 0.6 is more than max_step 0.5");
        refused("points.csv:3: dead_band: must not be negative");
}

#define UNSEEN                                                                                                         \
        "warning: 's/w': no model row sees what it does: it is never warmer than its default (or than it is); it has " \
        "no default, so it can only fall\n"
#define NOTHING                                                                                                        \
        "points.csv:2: warning: 's/w': nothing can be commanded: no rack inlet, and no supply air of an air handler "  \
        "that is commanded\n"

/* A chilled-water setpoint names the reading it drives. */
static void test_driven_water(void **state)
{
        static const char sp[] =
            "s/w,d,c1,holding,0,uint16,0.1,0,degC,RW,6,16,,-,Leaving_Chilled_Water_Temperature_Setpoint\n";
        static const char own[] =
            "s/wt,d,c1,holding,1,uint16,0.1,0,degC,R,,,,,Leaving_Chilled_Water_Temperature_Sensor\n";
        static const char air[] = "s/sat,d,a1,holding,2,uint16,0.1,0,degC,R,,,,,Supply_Air_Temperature_Sensor\n";
        static const char other_sp[] =
            "s/w2,d,c2,holding,5,uint16,0.1,0,degC,RW,6,16,,-,Leaving_Chilled_Water_Temperature_Setpoint\n";
        static const char other[] =
            "s/wt2,d,c2,holding,6,uint16,0.1,0,degC,R,,,,,Leaving_Chilled_Water_Temperature_Sensor\n";
        static const char site[] = "site: { name: s }\n"
                                   "zones: [ { name: z } ]\n"
                                   "equipment:\n"
                                   "  - { name: a1, brick: CRAH, zone: z }\n"
                                   "  - { name: r1, brick: ICT_Rack, zone: z }\n"
                                   "  - { name: c1, brick: Chiller }\n"
                                   "  - { name: c2, brick: Chiller }\n"
                                   "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n"
                                   "points: [ points.csv ]\n";
        static const struct {
                const char *rows[5];
                bool seen[2]; /* setpoint of c1, of c2 */
        } v[] = {
            {{air, sp, own}, {true}}, /* its own reading feeds the room */
            {{air, sp}, {false}},     /* nobody measures the water */
            {{sp, own}, {false}},     /* no air handler is fed by it */
            {{air, sp, own, other_sp, other},
             {true, true}}, /* the first feeds the room; what the second does shows there */
        };
        struct layout *l;
        struct site *s;
        struct gate_envelope e;

        (void)state;
        put("site.yaml", site);
        for (size_t k = 0; k < sizeof v / sizeof v[0]; k++) {
                char text[1024] = INLET;
                for (size_t i = 0; i < 5 && v[k].rows[i]; i++)
                        (void)strncat(text, v[k].rows[i], sizeof text - strlen(text) - 1);
                e = envelope_of(HEAD, text, &l, &s);
                assert_true(l->nu >= 1);
                for (size_t j = 0; j < l->nu; j++) {
                        assert_int_equal(e.u[j].unseen, !v[k].seen[j]);
                        assert_int_equal(e.u[j].drives_d, v[k].seen[j]
                                                              ? SAFETY_DRIVES(layout_chilled_water(l, l->y[0].zone))
                                                              : SAFETY_NO_D);
                        if ((strstr(found, UNSEEN) != NULL) == v[k].seen[j])
                                fail_msg("case %zu: %s", k, found);
                }
                gate_envelope_free(&e), layout_free(l), site_free(s);
        }
}

/* Water that feeds nothing but an air handler that is merely logged is judged by nobody. */
static void test_water_of_what_is_only_logged(void **state)
{
        static const char rows[] =
            "s/sat,d,a1,holding,2,uint16,0.1,0,degC,R,,,,,Supply_Air_Temperature_Sensor\n"
            "s/w,d,c1,holding,0,uint16,0.1,0,degC,RW,6,16,,-,"
            "Leaving_Chilled_Water_Temperature_Setpoint\n"
            "s/wt,d,c1,holding,1,uint16,0.1,0,degC,R,,,,,Leaving_Chilled_Water_Temperature_Sensor\n";
        static const char commanded[] = "s/fan,d,a1,holding,4,uint16,0.01,0,ratio,RW,0.2,1,,+,Fan_Speed_Command\n";

        (void)state;
        put_site("", "");
        for (int ours = 0; ours < 2; ours++) {
                struct layout *l;
                struct site *s;
                struct gate_envelope e;
                char text[1024];
                size_t water = 0;

                (void)snprintf(text, sizeof text, "%s%s", rows, ours ? commanded : "");
                e = envelope_of(HEAD, text, &l, &s);
                for (size_t j = 0; j < l->nu; j++)
                        if (l->u[j].kind == U_CHWST) {
                                assert_int_equal(e.u[j].unseen, !ours);
                                water++;
                        }
                assert_int_equal(water, 1);
                gate_envelope_free(&e), layout_free(l), site_free(s);
        }
}

/* What another controller's air handler may do: its supply setpoint as high as it goes; it is no output to be kept. */
static void test_air_handlers_of_others(void **state)
{
        static const char rows[] = "s/sat,d,a1,holding,2,uint16,0.1,0,degC,R,,,,,Supply_Air_Temperature_Sensor\n"
                                   "s/sp,d,a1,holding,3,uint16,0.1,0,degC,R,10,35,,,Supply_Air_Temperature_Setpoint\n"
                                   "s/w,d,c1,holding,0,uint16,0.1,0,degC,RW,6,16,,-,"
                                   "Leaving_Chilled_Water_Temperature_Setpoint\n";
        static const char air[] = "s/sat,d,a1,holding,2,uint16,0.1,0,degC,R,,,,,Supply_Air_Temperature_Sensor\n";
        static const char commanded[] = "s/fan,d,a1,holding,4,uint16,0.01,0,ratio,RW,0.2,1,,+,Fan_Speed_Command\n";
        struct layout *l;
        struct site *s;
        struct gate_envelope e;
        char text[1024];

        (void)state;
        put_site("", "");
        (void)snprintf(text, sizeof text, "%s%s", rows, commanded);
        e = envelope_of(HEAD, text, &l, &s);
        assert_true(e.safety.ncert == 1 && l->y[e.cert[0].row].kind == Y_SAT); /* no inlets: the air we blow */
        for (size_t k = 0; k < l->nd; k++)
                if (l->d[k].kind == D_SAT_SP)
                        assert_true(e.d_max[k] == 35);
        gate_envelope_free(&e), layout_free(l), site_free(s);
        (void)snprintf(text, sizeof text, INLET "%s", rows);
        e = envelope_of(HEAD, text, &l, &s);
        assert_true(e.safety.ncert == 1 && l->y[e.cert[0].row].kind == Y_INLET);
        assert_null(strstr(found, "nothing can be commanded"));
        gate_envelope_free(&e), layout_free(l), site_free(s);
        (void)snprintf(text, sizeof text, "%s%s", strstr(rows, "s/w,"), air);
        e = envelope_of(HEAD, text, &l, &s); /* its air handler is another's, and there is no inlet */
        assert_int_equal(e.safety.ncert, 0);
        if (!strstr(found, NOTHING) || strstr(found, "no model row sees"))
                fail_msg("%s", found);
        gate_envelope_free(&e), layout_free(l), site_free(s);
}

static int setup(void **state)
{
        const char *env = getenv("COOLPLANE_SEED");

        (void)state;
        seed = env ? strtoull(env, NULL, 10) : 20261122;
        (void)printf("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        (void)snprintf(dir, sizeof dir, "/tmp/coolplane-envelope-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        char path[128];

        (void)state;
        (void)snprintf(path, sizeof path, "%s/site.yaml", dir);
        (void)unlink(path);
        (void)snprintf(path, sizeof path, "%s/points.csv", dir);
        (void)unlink(path);
        return rmdir(dir);
}

#define WATER_HEAD                                                                                                     \
        HEAD INLET "s/w,d,p1,holding,0,uint16,0.1,0,degC,RW,6,18,,-,Leaving_Chilled_Water_Temperature_Setpoint\n"
#define TOWER "s/t,d,p1,holding,1,uint16,0.1,0,degC,RW,14,32,,,Entering_Condenser_Water_Temperature_Setpoint\n"

static void put_chillers(const char *first, const char *second, const char *more)
{
        char text[2048];

        (void)snprintf(text, sizeof text,
                       "site: { name: s }\nzones: [ { name: z } ]\nequipment:\n"
                       "  - { name: r1, brick: ICT_Rack, zone: z }\n"
                       "  - { name: p1, brick: Chilled_Water_System }\n"
                       "  - { name: c1, brick: Chiller%s }\n"
                       "  - { name: c2, brick: Chiller%s }\n"
                       "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\npoints: [ points.csv ]\n%s",
                       first, second, more);
        put("site.yaml", text);
}

static void check_lift(size_t n, double min_k, double max_k)
{
        struct site *s = accepted();
        struct layout *l;
        struct gate_envelope e;

        assert_int_equal(layout_create(s, &l), 0);
        assert_int_equal(gate_envelope_build(l, &e), 0);
        assert_int_equal(e.safety.nlift, n);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(l->u[e.lift[i].cw].kind, U_CWST);
                assert_int_equal(l->u[e.lift[i].chw].kind, U_CHWST);
                assert_true(e.lift[i].min_k == min_k && e.lift[i].max_k == max_k);
        }
        gate_envelope_free(&e);
        layout_free(l);
        site_free(s);
}

/* Of the only pair: the greatest lift at no load. */
static void check_surge(double idle_k)
{
        struct site *s = accepted();
        struct layout *l;
        struct gate_envelope e;

        assert_int_equal(layout_create(s, &l), 0);
        assert_int_equal(gate_envelope_build(l, &e), 0);
        assert_int_equal(e.safety.nlift, 1);
        assert_true(fabs(e.lift[0].max_k - e.lift[0].surge_less_k - idle_k) < 1e-9);
        gate_envelope_free(&e);
        layout_free(l);
        site_free(s);
}

/* The narrowest of the machines between two setpoints; none where nobody says, or where there is nothing to compare. */
static void test_lift_of_the_machines(void **state)
{
        (void)state;
        put("points.csv", WATER_HEAD TOWER);
        put_chillers("", "", "");
        check_lift(0, 0, 0);
        put_chillers(", min_lift_k: 5", ", min_lift_k: 7, max_lift_k: 25", "");
        check_lift(1, 7, 25);
        put_chillers(", min_lift_k: 5, max_lift_k: 22", ", min_lift_k: 4.5", "");
        check_lift(1, 5, 22);
        put_chillers(", max_lift_k: 22", "", "");
        check_lift(1, -(double)INFINITY, 22);
        put_chillers(", min_lift_k: 9, max_lift_k: 8.5", "", "");
        refused("site.yaml:6:5: equipment 'c1': min_lift_k 9 is above max_lift_k 8.5");
        put_chillers(", min_lift_k: 26", "", "");
        check_lift(1, 26, (double)INFINITY); /* 32 over 6 */
        put_chillers(", min_lift_k: 26.5", "", "");
        refused("points.csv:4: 's/t' and 's/w': with the chillers' min_lift_k 26.5 and max_lift_k inf the coldest");
        refused("no pair of setpoints is left: a min_lift_k of 26 or less would do");
        put_chillers(", max_lift_k: 8", "", ""); /* 14 over 6 */
        check_lift(1, -(double)INFINITY, 8);
        put_chillers(", max_lift_k: 7.5", "", "");
        refused("points.csv:4: 's/t' and 's/w': with the chillers' min_lift_k -inf and max_lift_k 7.5 the coldest");
        refused("is left: a max_lift_k of 8 or more would do");
        put_chillers(", min_lift_k: 9", ", max_lift_k: 8.5", "");
        refused("is left: a min_lift_k of 8.5 or less would do");
        put_chillers(", max_lift_k: 22, surge_lift_k: 15", "", "");
        check_lift(1, -(double)INFINITY, 22);
        check_surge(15);
        put_chillers(", max_lift_k: 22, surge_lift_k: 15", ", max_lift_k: 20", "");
        check_surge(15);
        put_chillers(", max_lift_k: 22, surge_lift_k: 18", ", max_lift_k: 16", ""); /* the narrowest at either end */
        check_surge(16);
        put_chillers(", min_lift_k: 8.5, max_lift_k: 22, surge_lift_k: 15", ", max_lift_k: 20, surge_lift_k: 8.5", "");
        check_surge(8.5);
        put_chillers(", max_lift_k: 22, surge_lift_k: 22", "", "");
        check_surge(22);
        put_chillers(", max_lift_k: 22, surge_lift_k: 22.5", "", "");
        refused("site.yaml:6:5: equipment 'c1': surge_lift_k 22.5 is above max_lift_k 22");
        put_chillers(", surge_lift_k: 20", "", "");
        refused("site.yaml:6:5: equipment 'c1': surge_lift_k (at no load) needs max_lift_k (at full load)");
        put_chillers(", min_lift_k: 9, max_lift_k: 22, surge_lift_k: 8.5", "", "");
        refused("site.yaml:6:5: equipment 'c1': min_lift_k 9 is above surge_lift_k 8.5");
        put_chillers(", min_lift_k: 9", ", max_lift_k: 22, surge_lift_k: 8.5", ""); /* of two machines */
        refused("points.csv:4: 's/t' and 's/w': with the chillers' min_lift_k 9 and max_lift_k 22 (surge_lift_k 8.5)");
        refused("is left: a surge_lift_k of 9 or more would do");
        put_chillers(", max_lift_k: 22, surge_lift_k: 8", "", ""); /* 14 over 6 */
        check_surge(8);
        put_chillers(", max_lift_k: 22, surge_lift_k: 7.5", "", "");
        refused(
            "points.csv:4: 's/t' and 's/w': with the chillers' min_lift_k -inf and max_lift_k 22 (surge_lift_k 7.5)");
        refused("is left: a surge_lift_k of 8 or more would do");
        put("points.csv", WATER_HEAD);
        put_chillers(", max_lift_k: 22", "", "");
        check_lift(0, 0, 0);
        assert_non_null(strstr(found, "site.yaml:6:5: warning: equipment 'c1': min_lift_k, max_lift_k: without"));
        /* each its own chilled water, towers for both */
        put("points.csv", HEAD INLET TOWER
            "s/w1,d,c1,holding,2,uint16,0.1,0,degC,RW,6,18,,-,Leaving_Chilled_Water_Temperature_Setpoint\n"
            "s/w2,d,c2,holding,3,uint16,0.1,0,degC,RW,6,18,,-,Leaving_Chilled_Water_Temperature_Setpoint\n");
        put_chillers(", min_lift_k: 5", ", max_lift_k: 25", "");
        struct site *s = accepted();
        struct layout *l;
        struct gate_envelope e;
        assert_int_equal(layout_create(s, &l), 0);
        assert_int_equal(gate_envelope_build(l, &e), 0);
        assert_int_equal(e.safety.nlift, 2);
        assert_true(e.lift[0].min_k == 5 && isinf(e.lift[0].max_k));
        assert_true(isinf(e.lift[1].min_k) && e.lift[1].max_k == 25);
        assert_int_equal(l->u[e.lift[1].chw].point, site_find_point(s, "s/w2"));
        gate_envelope_free(&e);
        layout_free(l);
        site_free(s);
        /* a tower for each as well: no lift between one machine's and the other's */
        put("points.csv", HEAD INLET
            "s/t1,d,c1,holding,0,uint16,0.1,0,degC,RW,14,32,,,Entering_Condenser_Water_Temperature_Setpoint\n"
            "s/t2,d,c2,holding,1,uint16,0.1,0,degC,RW,14,32,,,Entering_Condenser_Water_Temperature_Setpoint\n"
            "s/w1,d,c1,holding,2,uint16,0.1,0,degC,RW,6,18,,-,Leaving_Chilled_Water_Temperature_Setpoint\n");
        put_chillers(", min_lift_k: 5", ", min_lift_k: 7", "");
        check_lift(1, 5, (double)INFINITY);
}

/* Both ends of what may be written, and who may write it. */
static void test_keys_of_chillers(void **state)
{
        static const struct {
                const char *good, *bad, *message;
        } end[] = {
            {"max_flow_ramp_per_min: 0.001", "max_flow_ramp_per_min: 0.0009",
             "max_flow_ramp_per_min: 0.0009 is not from "
             "0.001 to 1"},
            {"max_flow_ramp_per_min: 1", "max_flow_ramp_per_min: 10",
             "max_flow_ramp_per_min: 10 is not from 0.001 to 1"},
            {"max_flow_ramp_per_min: 1", "max_flow_ramp_per_min: 1.001", "max_flow_ramp_per_min: 1.001 is not from"},
            {"max_lift_k: 60, surge_lift_k: -30", "max_lift_k: 60, surge_lift_k: -30.5",
             "surge_lift_k: -30.5 is not from "
             "-30 to 60"},
            {"max_lift_k: 60, surge_lift_k: 60", "max_lift_k: 60, surge_lift_k: 60.5",
             "surge_lift_k: 60.5 is not from"},
        };
        static const char *const key[] = {"min_flow_m3s: 0.01", "max_flow_ramp_per_min: 0.1", "min_lift_k: 4",
                                          "max_lift_k: 20", "surge_lift_k: 15"};
        char text[1024], message[128];

        (void)state;
        put("points.csv", WATER_HEAD); /* no condenser water: no pair whose bounds would not do */
        for (size_t i = 0; i < sizeof end / sizeof end[0]; i++) {
                (void)snprintf(text, sizeof text, ", %s", end[i].good);
                put_chillers(text, "", "");
                site_free(accepted());
                (void)snprintf(text, sizeof text, ", %s", end[i].bad);
                put_chillers(text, "", "");
                refused(end[i].message);
        }
        for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
                (void)snprintf(text, sizeof text,
                               "site: { name: s }\nzones: [ { name: z } ]\nequipment:\n"
                               "  - { name: p1, brick: Chilled_Water_System, %s%s }\n"
                               "  - { name: c1, brick: Chiller }\n  - { name: c2, brick: Chiller }\n"
                               "  - { name: r1, brick: ICT_Rack, zone: z }\n"
                               "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\npoints: [ points.csv ]\n",
                               key[i], i == 4 ? ", max_lift_k: 20" : "");
                put("site.yaml", text);
                (void)snprintf(message, sizeof message, "site.yaml:4:5: equipment 'p1': only a chiller has %.*s\n",
                               (int)strcspn(key[i], ":"), key[i]);
                refused(message);
                strstr(text, "System")[1] = 'i'; /* that says enough */
                put("site.yaml", text);
                refused("brick: unknown equipment class 'Chilled_Water_Sistem'");
                assert_null(strstr(found, "only a chiller"));
        }
}

static void told(const char *text, bool yes)
{
        site_free(accepted());
        if ((strstr(found, text) != NULL) != yes)
                fail_msg("'%s' is %sin:\n%s", text, yes ? "not " : "", found);
}

#define ENABLE(n, access) "s/e" n ",d,c" n ",holding,8" n ",uint16,1,0,," access ",0,1,,+,Enable_Command\n"
#define STATUS(n) "s/r" n ",d,c" n ",discrete,6" n ",bit,1,0,,R,,,,,On_Off_Status\n"
#define POWER "s/p,d,r1,input,9,uint16,1,0,W,R,,,,,Electric_Power_Sensor\n"

/* What the greatest lift goes by: each machine by name, whichever of them asks, and the load. */
static void test_surge_that_no_point_tells_about(void **state)
{
        static const char one[] = ", capacity_w: 100000, max_lift_k: 22, surge_lift_k: 15",
                          other[] = ", capacity_w: 1e5",
                          no_load[] = "equipment 'c1': surge_lift_k, but no rack has a power point or a power_w";

        (void)state;
        put_chillers(one, other, "");
        put("points.csv", HEAD INLET ENABLE("1", "RW") STATUS("1") ENABLE("2", "RW") STATUS("2") POWER);
        told(" has no ", false);
        told(no_load, false);
        put("points.csv", HEAD INLET ENABLE("1", "RW") STATUS("1") ENABLE("2", "RW") STATUS("2"));
        told(" has no ", false);
        told(no_load, true);
        put_chillers(", max_lift_k: 22, surge_lift_k: 15", other, "");
        put("points.csv", HEAD INLET ENABLE("1", "RW") STATUS("1") ENABLE("2", "RW") STATUS("2") POWER);
        told("site.yaml:6:5: warning: equipment 'c1' has no capacity_w: what it carries is counted on the others, and "
             "surge_lift_k lets the lift be greater than it should, up to max_lift_k",
             true);
        told("'c2' has no", false);
        put_chillers(one, "", "");
        put("points.csv", HEAD INLET ENABLE("1", "R") STATUS("1") ENABLE("2", "RW") POWER);
        told("site.yaml:6:5: warning: equipment 'c1' has no command (RW): ", true);
        told("site.yaml:7:5: warning: equipment 'c2' has no capacity_w, status: ",
             true); /* a neighbour that asks not */
        put("points.csv", HEAD INLET POWER);
        told("'c1' has no command (RW), status: ", true);
        told("'c2' has no capacity_w, command (RW), status: ", true);
        told("'p1' has no", false);
        put_chillers(", max_lift_k: 22", "", ""); /* none asks */
        put("points.csv", HEAD INLET);
        told(" has no ", false);
        told("surge_lift_k", false);
        put("site.yaml", "site: { name: s }\nzones: [ { name: z } ]\nequipment:\n"
                         "  - { name: r1, brick: ICT_Rack, zone: z, power_w: 8000 }\n"
                         "  - { name: c1, brick: Chiller, max_lift_k: 22, surge_lift_k: 15 }\n"
                         "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\npoints: [ points.csv ]\n");
        told("no rack has", false); /* by rating */
}

/* What is asked for and cannot be known limits nothing, and check-config says so. */
static void test_limits_that_no_point_tells_about(void **state)
{
#define RUNS(equipment) "s/r,d," equipment ",discrete,6,bit,1,0,,R,,,,,On_Off_Status\n"
#define FLOW(equipment) "s/f,d," equipment ",input,5,uint16,0.001,0,m3/s,R,,,,,Chilled_Water_Flow_Sensor\n"
        static const char no_flow[] =
            "site.yaml:6:5: warning: equipment 'c1': min_flow_m3s, but no point tells its flow";
        static const char no_status[] =
            "site.yaml:6:5: warning: equipment 'c1': min_flow_m3s, but no point tells whether it runs";
        static const char no_ramp[] =
            "site.yaml:6:5: warning: equipment 'c1': max_flow_ramp_per_min, but no point tells whether it runs";
        static const char no_dew[] = "dewpoint_margin_k: no point tells the dew point of zone 'z'";
        static const char sat[] = HEAD INLET "s/sat,d,a1,holding,3,int16,0.1,0,degC,RW,14,27,,-,"
                                             "Supply_Air_Temperature_Setpoint\n";
        char text[2048];

        (void)state;
        put_chillers(", min_flow_m3s: 0.01", "", "");
        put("points.csv", HEAD INLET);
        told(no_flow, true);
        told(no_status, true);
        put("points.csv", HEAD INLET RUNS("c2"));
        told(no_status, true);
        put("points.csv", HEAD INLET RUNS("c1"));
        told(no_flow, true);
        told(no_status, false);
        put("points.csv", HEAD INLET FLOW("c2"));
        told(no_flow, true);
        put("points.csv", HEAD INLET FLOW("c1"));
        told(no_flow, false);
        put("points.csv", HEAD INLET FLOW("p1"));
        told(no_flow, false);
        put_chillers(", max_flow_ramp_per_min: 0.1", "", "");
        put("points.csv", HEAD INLET RUNS("c1"));
        told(no_ramp, true);
        put("points.csv", HEAD INLET FLOW("c1"));
        told(no_ramp, true);
        put("points.csv", HEAD INLET RUNS("c1") FLOW("p1"));
        told(no_ramp, true); /* the plant's meter does not tell what each gets */
        put("points.csv", HEAD INLET RUNS("c1") FLOW("c2"));
        told(no_ramp, true); /* nobody knows whether that one runs */
        put("points.csv", HEAD INLET RUNS("c1") FLOW("c1"));
        told(no_ramp, false);
        put("points.csv", HEAD INLET RUNS("c1") FLOW("c2") "s/r2,d,c2,discrete,7,bit,1,0,,R,,,,,On_Off_Status\n");
        told(no_ramp, false);

        put_chillers(", max_flow_ramp_per_min: 0.1, min_flow_m3s: 0.0101", "", ""); /* a count is 0.001 m3/s */
        put("points.csv", HEAD INLET RUNS("c1") FLOW("c1"));
        told("one count", false);
        put_chillers(", max_flow_ramp_per_min: 0.1, min_flow_m3s: 0.0099", "", "");
        told("points.csv:4: warning: point 's/f': one count, 0.001 m3/s, is more than what max_flow_ramp_per_min of "
             "equipment 'c1' lets its min_flow_m3s change in a minute, 0.00099 m3/s",
             true);
        put("points.csv", HEAD INLET RUNS("c1") FLOW("c2")); /* another one's */
        told("one count", false);
        put("points.csv", HEAD INLET RUNS("c1") FLOW("c1"));
        put_chillers(", max_flow_ramp_per_min: 0.1", "", "");
        told("one count", false);
        put_chillers(", min_flow_m3s: 0.0099", "", "");
        told("one count", false);
        put_chillers("", "", "");
        put("points.csv", HEAD INLET);
        told("min_flow_m3s", false);
        told("max_flow_ramp_per_min", false);
        told("surge_lift_k", false);

        put("points.csv", sat);
        put_site("", "");
        told("dewpoint_margin_k", false); /* only where the site file asks for it */
        put_site("", "limits: { dewpoint_margin_k: 3 }\n");
        told(no_dew, true);
        assert_non_null(strstr(found, "site.yaml:9:"));
        (void)snprintf(text, sizeof text, "%ss/dew,d,r1,input,7,int16,0.1,0,degC,R,,,,,Dewpoint_Sensor\n", sat);
        put("points.csv", text);
        told(no_dew, false);
        put("points.csv", HEAD INLET); /* no air to command */
        told(no_dew, false);

        put("points.csv", HEAD INLET); /* counts of 0.1 K */
        put_site("", "limits: { noise_max_k: 0.3 }\n");
        told("noise_max_k", false);
        put_site("", "limits: { noise_max_k: 0.29 }\n");
        told("site.yaml:9:9: warning: limits: noise_max_k 0.29 is less than 3 counts of point 's/inlet'", true);
        put_site("", "limits: { noise_max_k: 0.1 }\n");
        told("noise_max_k 0.1 is less than 3 counts", true);
        put_site("", "limits: { noise_max_k: 0.099 }\n");
        refused("limits: noise_max_k 0.099 is less than one count of point 's/inlet', 0.1 K");

        put_site("", "limits: { chwst_min: 6, chwst_freeze: 5.9 }\n");
        site_free(accepted());
        put_site("", "limits: { chwst_min: 6, chwst_freeze: 6 }\n");
        refused("limits: chwst_freeze 6 is not below chwst_min 6");
}

/* Width of the inlet's learned set after the same hundred readings, uniform noise of 0.15 K in them. */
static double learned_width(void)
{
        struct site *s = accepted();
        struct safety_model m;
        struct layout *l;
        struct arx_row_info info;
        struct rng rng;
        void *member;
        double y[8] = {0}, u[8] = {0}, d[8] = {0}, next[8] = {0};

        assert_int_equal(layout_create(s, &l), 0);
        assert_int_equal(safety_model_create(l, &m), 0);
        assert_int_equal(safety_model_bound_noise(l, m.arx, &member), 0);
        assert_true((member == NULL) == isnan(s->limits.noise_max_k));
        assert_true(l->ny == 1 && l->nu <= 8 && l->nd <= 8);
        rng_seed(&rng, seed, 7);
        for (int k = 0; k < 100; k++) {
                y[0] = uniform(&rng, 20, 24);
                for (size_t j = 0; j < l->nu; j++)
                        u[j] = uniform(&rng, 14, 26);
                for (size_t j = 0; j < l->nd; j++)
                        d[j] = uniform(&rng, 0, 1000);
                next[0] = y[0] + 0.2 * (u[0] - y[0]) + uniform(&rng, -0.15, 0.15);
                (void)arx_add(m.arx, &(struct arx_window){1, y, u, d}, next);
        }
        assert_int_equal(arx_fit(m.arx, 1), 1);
        arx_row_info(m.arx, 0, &info);
        assert_int_equal(info.resets + info.contradictions, 0);
        free(member);
        safety_model_free(&m);
        layout_free(l);
        site_free(s);
        return info.width;
}

static void test_noise_bound_narrows_what_is_learned(void **state)
{
        double without, with;

        (void)state;
        put("points.csv", HEAD INLET "s/sat,d,a1,holding,0,int16,0.1,0,degC,RW,14,27,,-,"
                                     "Supply_Air_Temperature_Setpoint\n");
        put_site("", "");
        without = learned_width();
        put_site("", "limits: { noise_max_k: 0.15 }\n");
        with = learned_width();
        assert_true(with < 0.8 * without);
        put_site("", "limits: { noise_max_k: 10 }\n"); /* leaves of the prior what the sum of the row does */
        assert_true(learned_width() > 0.98 * without);
}

/* What is said of air temperatures is not said of valves: openings at random contradict nothing, inlets at random do.
 */
static void test_noise_bound_is_of_air_temperatures(void **state)
{
        struct site_errors *errors;
        struct safety_model m;
        struct site *s;
        struct layout *l;
        struct rng rng;
        void *member;
        size_t valves = 0, air = 0;

        (void)state;
        assert_int_equal(site_load(SOURCE_DIR "/deploy/examples/hall/site.yaml", &s, &errors), 0);
        site_errors_free(errors);
        s->limits.noise_max_k = 0.3;
        assert_int_equal(layout_create(s, &l), 0);
        assert_int_equal(safety_model_create(l, &m), 0);
        assert_int_equal(safety_model_bound_noise(l, m.arx, &member), 0);
        double *y = calloc(l->ny, sizeof *y), *u = calloc(l->nu + 1, sizeof *u), *d = calloc(l->nd + 1, sizeof *d);
        assert_true(y && u && d);
        rng_seed(&rng, seed, 8);
        for (int k = 0; k < 200; k++) {
                double *next = malloc(l->ny * sizeof *next);

                assert_non_null(next);
                for (size_t i = 0; i < l->ny; i++)
                        next[i] = l->y[i].kind == Y_VALVE ? (double)rng_below(&rng, 2) : uniform(&rng, 15, 35);
                (void)arx_add(m.arx, &(struct arx_window){1, y, u, d}, next);
                memcpy(y, next, l->ny * sizeof *y);
                free(next);
        }
        for (size_t i = 0; i < l->ny; i++) {
                struct arx_row_info info;

                arx_row_info(m.arx, i, &info);
                assert_true(l->y[i].kind == Y_VALVE ? info.contradictions == 0 : info.contradictions > 0);
                valves += l->y[i].kind == Y_VALVE;
                air += l->y[i].kind != Y_VALVE;
        }
        assert_true(valves > 0 && air > 0);
        free(y);
        free(u);
        free(d);
        free(member);
        safety_model_free(&m);
        layout_free(l);
        site_free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_grid_is_the_register_s),
            cmocka_unit_test(test_refuses_what_the_gate_would),
            cmocka_unit_test(test_starts_per_hour),
            cmocka_unit_test(test_more_than_the_messages_carry),
            cmocka_unit_test(test_spans),
            cmocka_unit_test(test_noise_bound_narrows_what_is_learned),
            cmocka_unit_test(test_noise_bound_is_of_air_temperatures),
            cmocka_unit_test(test_worst_disturbance),
            cmocka_unit_test(test_dead_band),
            cmocka_unit_test(test_driven_water),
            cmocka_unit_test(test_air_handlers_of_others),
            cmocka_unit_test(test_water_of_what_is_only_logged),
            cmocka_unit_test(test_lift_of_the_machines),
            cmocka_unit_test(test_keys_of_chillers),
            cmocka_unit_test(test_limits_that_no_point_tells_about),
            cmocka_unit_test(test_surge_that_no_point_tells_about),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
