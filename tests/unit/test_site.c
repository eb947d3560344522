/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/points/codec.h"
#include "agent/points/site.h"
#include "agent/points/units.h"

static char dir[64];
static char out[65536]; /* what site_errors_print wrote */

static const char *path_to(const char *name)
{
        static char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static void put_bytes(const char *name, const char *text, size_t len)
{
        FILE *f = fopen(path_to(name), "w");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
}

static void put(const char *name, const char *text)
{
        put_bytes(name, text, strlen(text));
}

static void printed(const struct site_errors *e, bool json)
{
        FILE *f = fmemopen(out, sizeof(out) - 1, "w");
        memset(out, 0, sizeof(out));
        if (json)
                site_errors_print_json(e, f);
        else
                site_errors_print(e, f);
        assert_int_equal(fclose(f), 0);
}

/* Loads site.yaml; messages land in out. */
static int load(struct site **ret, size_t *ret_errors)
{
        struct site *s = NULL;
        struct site_errors *e = NULL;
        int rc = site_load(path_to("site.yaml"), &s, &e);
        assert_non_null(e);
        printed(e, false);
        if (ret_errors != NULL)
                *ret_errors = site_errors_count(e);
        assert_int_equal(rc == 0, site_errors_count(e) == 0);
        assert_int_equal(rc == 0, s != NULL);
        site_errors_free(e);
        if (ret != NULL)
                *ret = s;
        else
                site_free(s);
        return rc;
}

static const char profile_csv[] = "# one map a device model\n"
                                  "name,table,address,type,scale,unit,access,min,max,safe_dir,brick,order\n"
                                  "sat,input,0,int16,0.1,degC,,,,,Supply_Air_Temperature_Sensor,\n"
                                  "sat_sp,holding,0,uint16,0.1,degC,RW,18,27,-,Supply_Air_Temperature_Setpoint,\n"
                                  "fan_cmd,holding,1,uint16,0.1,%,RW,20,100,+,Fan_Speed_Command,\n"
                                  "power,input,4,float32,,kW,,,,,Electric_Power_Sensor,CDAB\n"
                                  "hb,holding,9,uint16,,,RW,0,65535,,Heartbeat_Command,\n";
static const char site_yaml[] =
    "site: { name: hall, seed: 7, fast_step: 10s, slow_step: 1m }\n"
    "zones: [ { name: room-1 }, { name: room-2 } ]\n"
    "equipment:\n"
    "  - { name: crah-1, brick: Computer_Room_Air_Handler, zone: room-1, airflow_m3s: 9 }\n"
    "  - { name: crah-2, brick: CRAC, zone: room-2 }\n"
    "  - { name: chiller-1, brick: Chiller, capacity_w: 500000, min_on: 7m }\n"
    "  - { name: weather, brick: Weather_Station }\n"
    "profiles: { crah-a: profile.csv }\n"
    "points: [ points.csv ]\n"
    "devices:\n"
    "  - { name: crah-1, protocol: modbus-tcp, host: 127.0.0.1, port: 1502, unit_id: 255, profile: crah-a,\n"
    "      equipment: crah-1, period: 2s, quirks: { max_gap: 3, pause_between_requests: 20ms } }\n"
    "  - { name: crah-2, protocol: modbus-tcp, host: 127.0.0.1, port: 1502, unit_id: 0, profile: crah-a,\n"
    "      equipment: crah-2, address_style: wire, watchdog: 90s }\n"
    "  - { name: bms, protocol: modbus-rtu, host: /dev/ttyS9, unit_id: 3, parity: E, baud: 19200 }\n";
static const char points_csv[] =
    "name,device,table,address,type,unit,brick,address_style,equipment,invalid\n"
    "hall/plant/chiller-1/chwst,bms,holding,40011,int16,degF,Leaving_Chilled_Water_Temperature_Sensor,modicon5,,\n"
    "hall/plant/chiller-1/run,bms,coil,1,,,On_Off_Status,one_based,,\n"
    "hall/out/"
    "oat,bms,input,0x10,float64,degF,Outside_Air_Temperature_Sensor,,weather,\"[\"\"0x7FF8000000000000\"\",-999]\"\n"
    "hall/log/x/rack_kw,,log,,,kW,,,-,nan;0\n";

static void put_good(void)
{
        put("site.yaml", site_yaml);
        put("profile.csv", profile_csv);
        put("points.csv", points_csv);
}

/* Limits that nobody keeps are told; the others are silent. */
static void test_unenforced_limits_warn(void **state)
{
        static const struct {
                const char *limit, *says;
        } v[] = {{"inlet_min: 17", "inlet_min: not enforced by the gate"},
                 {"tower_approach_k: 4", "tower_approach_k: not enforced by the gate"},
                 {"chwst_max: 17, valve_max_ratio: 0.8", NULL}};
        (void)state;
        for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
                char text[sizeof(site_yaml) + 128];
                struct site *s;
                put_good();
                (void)snprintf(text, sizeof(text), "%s\nlimits: { %s }\n", site_yaml, v[i].limit);
                put("site.yaml", text);
                if (load(&s, NULL) != 0)
                        fail_msg("%s", out);
                site_free(s);
                if (v[i].says != NULL ? strstr(out, v[i].says) == NULL : strstr(out, "not enforced") != NULL)
                        fail_msg("%s: %s", v[i].limit, out);
        }
}

/* A week of samples (30 bytes) and of what decisions were made on (20 bytes a point) must fit into max_bytes. */
static void test_too_small_a_database_warns(void **state)
{
        static const double week_s = 7 * 86400;
        char text[sizeof(site_yaml) + 128];
        struct site *s;
        double bytes = 0;

        (void)state;
        put_good();
        assert_int_equal(load(&s, NULL), 0);
        for (size_t i = 0; i < s->npoint; i++) {
                bytes += 20 * week_s / 10;
                if (s->point[i].device >= 0 && s->device[s->point[i].device].period_ms > 0)
                        bytes += 30 * week_s * 1000 / (double)s->device[s->point[i].device].period_ms;
        }
        site_free(s);
        for (int more = 0; more < 2; more++) {
                (void)snprintf(text, sizeof(text), "%s\nretention: { max_bytes: %dMiB }\n", site_yaml,
                               (int)(bytes / (1 << 20)) + more);
                put("site.yaml", text);
                assert_int_equal(load(NULL, NULL), 0);
                assert_true((strstr(out, "warning: retention: max_bytes is less than a week") != NULL) == !more);
        }
}

/* What `coolplane points help` prints covers every column. */
static void test_every_column_is_explained(void **state)
{
        const char *help = NULL;
        size_t n = 0;
        (void)state;
        for (; point_column(n, &help) != NULL; n++)
                assert_true(help != NULL && strlen(help) > 5 && strlen(help) < 110);
        assert_int_equal(n, 35);
}

static void test_good_site(void **state)
{
        (void)state;
        struct site *s;
        put_good();
        if (load(&s, NULL) != 0)
                fail_msg("%s", out);
        assert_string_equal(s->name, "hall");
        assert_int_equal(s->seed, 7);
        assert_int_equal(s->fast_step_ms, 10000);
        assert_int_equal(s->slow_step_ms, 60000);
        assert_true(s->limits.inlet_recommended_c == 27 && s->limits.chwst_min_c == 5 && isnan(s->latitude_deg));
        assert_string_equal(s->database, path_to("coolplane.db"));
        assert_int_equal(s->nzone, 2);
        assert_int_equal(s->nequipment, 4);
        assert_int_equal(s->equipment[1].cls, EQ_CRAH);
        assert_int_equal(s->equipment[1].zone, 1);
        assert_true(s->equipment[2].min_on_s == 420 && s->equipment[2].min_off_s == 600);
        assert_true(s->equipment[2].zone == -1 && isnan(s->equipment[2].airflow_m3s));
        assert_int_equal(s->ndevice, 3);
        assert_true(s->device[0].unit_id == 255 && s->device[1].unit_id == 0);
        assert_true(s->device[0].quirks.max_gap == 3 && s->device[0].quirks.pause_between_requests_ms == 20);
        assert_true(s->device[0].watchdog_ms == 60000 && s->device[1].watchdog_ms == 90000);
        assert_true(s->device[0].watchdog_probe && s->device[1].watchdog_probe);
        assert_true(s->device[2].watchdog_ms == 0 && s->device[2].parity == 'E' && s->device[2].baud == 19200);
        assert_int_equal(s->npoint, 5 + 5 + 4);

        int i = site_find_point(s, "hall/room-2/crah-2/sat_sp");
        assert_true(i >= 0);
        const struct point *p = &s->point[i];
        assert_int_equal(p->role, ROLE_SAT_SP);
        assert_true(p->zone == 1 && p->equipment == 1 && p->device == 1 && p->unit_id == 0);
        assert_true(p->min == 18 && p->max == 27 && p->safe_dir == -1 && p->readable && p->writable);
        assert_true(isnan(p->default_value) && isnan(p->max_step));
        /* what reads ten spans beyond what may be written is no setpoint but a wrong word order or register */
        assert_true(fabs(p->valid_min - -72) < 1e-9 && fabs(p->valid_max - 117) < 1e-9);
        assert_true(fabs(p->tol - 0.05) < 1e-12 && p->line == 4);
        assert_int_equal(p->stale_after_ms, 30000);
        assert_int_equal(site_point_of(s, 1, ROLE_SAT_SP), i);
        assert_int_equal(site_point_of(s, 2, ROLE_SAT_SP), -1);
        p = &s->point[site_find_point(s, "hall/room-1/crah-1/power")];
        assert_true(p->type == POINT_FLOAT32 && p->order == ORDER_CDAB && p->role == ROLE_CRAH_POWER &&
                    p->unit_id == 255);
        p = &s->point[site_find_point(s, "hall/room-1/crah-1/fan_cmd")];
        assert_true(p->min == 0.2 && p->max == 1);

        p = &s->point[site_find_point(s, "hall/plant/chiller-1/chwst")];
        assert_true(p->address == 10 && p->role == ROLE_CHWST && p->table == POINT_TABLE_HOLDING);
        p = &s->point[site_find_point(s, "hall/plant/chiller-1/run")];
        assert_true(p->address == 0 && p->role == ROLE_CHILLER_STATUS && p->type == POINT_BIT);
        p = &s->point[site_find_point(s, "hall/out/oat")];
        assert_true(p->address == 16 && p->role == ROLE_OAT && p->ninvalid == 2);
        assert_true(p->invalid[0].kind == INVALID_RAW && p->invalid[0].raw == UINT64_C(0x7FF8000000000000));
        assert_true(p->invalid[1].kind == INVALID_VALUE && p->invalid[1].value == -999);
        p = &s->point[site_find_point(s, "hall/log/x/rack_kw")];
        assert_true(p->device == -1 && p->equipment == -1 && p->table == POINT_TABLE_LOG);
        assert_string_equal(p->key, "rack_kw");
        assert_int_equal(p->stale_after_ms, 600000);
        assert_true(p->invalid[0].kind == INVALID_NAN && p->invalid[1].value == 0);
        for (size_t k = 0; k < s->npoint; k++)
                assert_int_equal(site_find_point(s, s->point[k].name), k);
        assert_int_equal(site_find_point(s, "hall/room-2/crah-2/sat_s"), -1);
        site_free(s);
}

/* R1: one register in all four styles is one wire address; address 0 works; an address outside its style is refused. */
static void r1_address_styles(void **state)
{
        (void)state;
        const struct {
                const char *table, *style, *address;
                int wire; /* −1 = refused */
        } v[] = {
            {"holding", "wire", "99", 99},
            {"holding", "one_based", "100", 99},
            {"holding", "modicon5", "40100", 99},
            {"holding", "modicon6", "400100", 99},
            {"input", "modicon5", "30100", 99},
            {"input", "modicon6", "300100", 99},
            {"coil", "modicon5", "00100", 99},
            {"coil", "modicon6", "000100", 99},
            {"discrete", "modicon5", "10100", 99},
            {"discrete", "modicon6", "100100", 99},
            {"holding", "wire", "0", 0},
            {"holding", "wire", "65535", 65535},
            {"holding", "wire", "65536", -1},
            {"holding", "wire", "-1", -1},
            {"holding", "one_based", "1", 0},
            {"holding", "one_based", "0", -1},
            {"holding", "one_based", "65536", 65535},
            {"holding", "one_based", "65537", -1},
            {"holding", "modicon5", "40001", 0},
            {"holding", "modicon5", "40000", -1},
            {"holding", "modicon5", "49999", 9998},
            {"holding", "modicon5", "50000", -1},
            {"holding", "modicon5", "30001", -1},
            {"input", "modicon5", "40001", -1},
            {"holding", "modicon6", "400001", 0},
            {"holding", "modicon6", "465536", 65535},
            {"holding", "modicon6", "465537", -1},
            {"holding", "modicon6", "40001", -1},
            {"coil", "modicon5", "0", -1},
            {"coil", "modicon5", "1", 0},
            {"holding", "wire", "", -1},
            {"holding", "wire", "12a", -1},
        };
        for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
                char csv[512];
                bool bits = v[i].table[0] == 'c' || v[i].table[0] == 'd';
                struct site *s = NULL;
                put("site.yaml", "site: { name: a }\npoints: [ points.csv ]\n"
                                 "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n");
                (void)snprintf(csv, sizeof(csv),
                               "name,device,table,address,address_style,type\n# x\na/p,d,%s,%s,%s,%s\n", v[i].table,
                               v[i].address, v[i].style, bits ? "bit" : "uint16");
                put("points.csv", csv);
                int rc = load(&s, NULL);
                if (v[i].wire >= 0) {
                        if (rc != 0)
                                fail_msg("%s %s %s: %s", v[i].table, v[i].style, v[i].address, out);
                        assert_int_equal(s->point[0].address, v[i].wire);
                } else {
                        assert_int_equal(rc, -EINVAL);
                        assert_non_null(strstr(out, "points.csv:3: address"));
                }
                site_free(s);
        }
}

struct broken {
        const char *file, *find, *replace; /* first occurrence in a good file */
        const char *expect;                /* in the output */
};

static void replace_in(const char *good, const char *find, const char *replace, char *buf, size_t cap)
{
        const char *at = strstr(good, find);
        if (at == NULL)
                fail_msg("'%s' is not in the good file", find);
        int n = snprintf(buf, cap, "%.*s%s%s", (int)(at - good), good, replace, at + strlen(find));
        assert_in_range(n, 1, cap - 1);
}

/* R24: each broken configuration gives its line, and exactly that error. */
static void r24_corpus(void **state)
{
        (void)state;
        static const struct broken v[] = {
            {"site.yaml", "seed: 7", "sed: 7", "site.yaml:1:21: unknown key 'sed' in site (did you mean 'seed'?)"},
            {"site.yaml", "seed: 7", "seed: nan", "site.yaml:1:27: seed: 'nan' is not a whole number"},
            {"site.yaml", "seed: 7", "latitude: nan", "site.yaml:1:31: latitude: 'nan' is not a finite number"},
            {"site.yaml", "seed: 7", "latitude: 91", "latitude: 91 is not from -90 to 90"},
            {"site.yaml", "seed: 7", "seed: 7, seed: 8", "site.yaml:1:30: the key is given twice"},
            {"site.yaml", "name: hall", "name: 'ha ll'", "site.yaml:1:15: name: 'ha ll' may hold"},
            {"site.yaml", "name: hall, ", "", "site.yaml:1:7: site: 'name' is missing"},
            {"site.yaml", "fast_step: 10s", "fast_step: 10", "fast_step: '10' is not a duration"},
            {"site.yaml", "slow_step: 1m", "slow_step: 15s", "slow_step must be a whole number of fast_steps"},
            {"site.yaml", "zones: [ { name: room-1 }, { name: room-2 } ]",
             "zones: [ { name: room-1 }, { name: room-1 } ]", "site.yaml:2:28: zone 'room-1' is given twice"},
            {"site.yaml", "brick: Computer_Room_Air_Handler", "brick: Computer_Room_Air_Handlr",
             "site.yaml:4:28: brick: unknown equipment class 'Computer_Room_Air_Handlr' (did you mean "
             "'Computer_Room_Air_Handler'?)"},
            {"site.yaml", "zone: room-2", "zone: room-3",
             "site.yaml:5:5: equipment 'crah-2': zone 'room-3' is not in the site file (did you mean 'room-1'?)"},
            {"site.yaml", "name: weather", "name: crah-1", "site.yaml:7:5: equipment 'crah-1' is given twice"},
            {"site.yaml", "airflow_m3s: 9", "airflow_m3s: -9", "airflow_m3s: -9 is not from"},
            {"site.yaml", "airflow_m3s: 9", "airflow_m3s: 1e999", "airflow_m3s: '1e999' is not a finite number"},
            {"site.yaml", "crah-a: profile.csv", "crah-a: profil.csv", "profil.csv: No such file"},
            {"site.yaml", "profile: crah-a,\n      equipment: crah-2", "profile: crah-b,\n      equipment: crah-2",
             "site.yaml:13:5: device 'crah-2': profile 'crah-b' is not in the site file (did you mean 'crah-a'?)"},
            {"site.yaml", "equipment: crah-2,", "equipment: crah-3,",
             "device 'crah-2': equipment 'crah-3' is not in the site file"},
            {"site.yaml", "name: bms", "name: crah-2", "site.yaml:15:5: device 'crah-2' is given twice"},
            {"site.yaml", "modbus-rtu", "modbus-rtv", "protocol: unknown 'modbus-rtv' (did you mean 'modbus-rtu'?)"},
            {"site.yaml", "unit_id: 255", "unit_id: 256", "unit_id: '256' is not a whole number from 0 to 255"},
            {"site.yaml", "unit_id: 3", "unit_id: 248", "unit_id 248 is not from 1 to 247"},
            {"site.yaml", "max_gap: 3", "max_gap: 125", "max_gap: '125' is not a whole number from 0 to 124"},
            {"site.yaml", "period: 2s", "period: 99ms", "period: '99ms' is not from 100 ms"},
            {"site.yaml", "address_style: wire", "address_style: plc", "address_style: 'plc' is not wire"},
            {"site.yaml", "parity: E", "parity: even", "parity: 'even' is not N, E or O"},
            {"site.yaml", "watchdog: 90s", "watchdog: 0s", "watchdog: '0s' is not from 1 ms"},
            {"site.yaml", "watchdog: 90s", "watchdog_probe: never",
             "watchdog_probe: 'never' is neither true nor false"},
            {"site.yaml", "host: /dev/ttyS9, ", "", "device 'bms': 'host' is missing"},
            {"site.yaml", "protocol: modbus-rtu, host: /dev/ttyS9", "protocol: mqtt, topic: a/b",
             "device 'bms' needs the section mqtt"},
            {"site.yaml", "devices:\n", "mqtt: { host: h, password: x }\ndevices:\n", "password: no secrets"},
            {"site.yaml", "devices:\n", "limits: { inlet_recommended: 33 }\ndevices:\n",
             "site.yaml:10:9: limits: inlet_min 18"},
            {"site.yaml", "devices:\n", "limits: { chwst_min: 18 }\ndevices:\n", "chwst_min 18 is not below"},
            {"site.yaml", "devices:\n", "vm: { topic: x }\ndevices:\n", "site.yaml:10:5: vm needs the section mqtt"},
            {"site.yaml", "devices:\n", "retention: { samples: 6d }\ndevices:\n",
             "samples: '6d' is not from 6.048e+08 ms"},
            {"site.yaml", "devices:\n", "retention: { max_bytes: 2GB }\ndevices:\n",
             "site.yaml:10:25: max_bytes: '2GB' is not a size like 512MiB, 2GiB"},
            {"site.yaml", "devices:\n", "retention: { max_bytes: 1KiB }\ndevices:\n", "is not from 67108864"},
            {"site.yaml", "devices:\n", "retention: { samples: 30d, decisions: 29d }\ndevices:\n",
             "decisions are kept at least as long as samples"},
            {"site.yaml", "devices:\n", "web: { bind: \"${COOLPLANE_NO_SUCH}\" }\ndevices:\n",
             "site.yaml:10:14: bind: the environment has no COOLPLANE_NO_SUCH"},
            {"site.yaml", "devices:\n", "devices: 5\nx:\n", "unknown key 'x' in the site file"},
            {"site.yaml", "zones: [", "zones: [[", "site.yaml:"},
            {"site.yaml", "zones:", "zones: &a", "anchors and tags"},
            {"profile.csv", "scale,", "scal,", "profile.csv:2: unknown column 'scal' (did you mean 'scale'?)"},
            {"profile.csv", "scale,unit", "scale,scale", "profile.csv:2: column 'scale' is given twice"},
            {"profile.csv", "name,table", "nam,table", "profile.csv:2: the header row has no column 'name'"},
            {"profile.csv", "RW,18,27", "RW,27,18", "profile.csv:4: min 27 is above max 18"},
            {"profile.csv", "RW,18,27", "RW,,27", "profile.csv:4: access: a writable number needs both min and max"},
            {"profile.csv", "RW,18,27", "RW,nan,27", "profile.csv:4: min: 'nan' is not a finite number"},
            {"profile.csv", "RW,18,27", "RW,18,9999", "profile.csv:4: min..max does not fit uint16"},
            {"profile.csv", "RW,18,27", "RW,18.01,18.09", "profile.csv:4: no value of the register"},
            {"profile.csv", "degC,RW,18", "degC,W,18",
             "profile.csv:4: access: a writable sat_sp must be RW: what cannot be read back is never moved"},
            {"profile.csv", "%,RW,20", "%,W,20", "profile.csv:5: access: a writable fan_cmd must be RW"},
            {"profile.csv", "hb,holding,9,uint16,,,RW", "hb,holding,9,uint16,,,W", NULL},
            {"profile.csv", "18,27,-", "18,27,", "profile.csv:4: safe_dir: a writable sat_sp needs it (-)"},
            {"profile.csv", "18,27,-", "18,27,+", "profile.csv:4: safe_dir: for a sat_sp the direction"},
            {"profile.csv", "0.1,degC,RW", "0.1,,RW", "profile.csv:4: unit: missing; a sat_sp needs one"},
            {"profile.csv", "0.1,degC,RW", "0.1,deltaF,RW", "profile.csv:4: unit: deltaF is not a unit of sat_sp"},
            {"profile.csv", "0.1,degC,RW", "0.1,kW,RW", "profile.csv:4: unit: kW is not a unit of sat_sp"},
            {"profile.csv", "0.1,degC,RW", "0,degC,RW", "profile.csv:4: scale: 0"},
            {"profile.csv", "float32,,kW,,,,,Electric_Power_Sensor,CDAB", "float32,,kW,,,,,Electric_Power_Sensor,BA",
             "profile.csv:6: order: BA is 2 bytes but float32 is 4"},
            {"profile.csv", "CDAB", "ABDC", "profile.csv:6: order: unknown 'ABDC'"},
            {"profile.csv", "float32", "flaot32", "type: unknown 'flaot32' (did you mean 'float32'?)"},
            {"profile.csv", "sat_sp,holding,0,uint16", "sat_sp,input,0,uint16",
             "only holding registers can be written"},
            {"profile.csv", "sat_sp,holding,0,uint16", "sat_sp,coil,0,bit", "function code 16 only"},
            {"profile.csv", "sat_sp,holding,0,uint16", "sat_sp,holding,0,bit", "function code 16 only"},
            {"profile.csv", "fan_cmd,holding,1", "fan_cmd,holding,0", "writes a register that"},
            {"profile.csv", "fan_cmd,holding,1", "sat_sp,holding,1",
             "point 'hall/room-1/crah-1/sat_sp' is given twice"},
            {"profile.csv", "Supply_Air_Temperature_Sensor", "Suply_Air_Temperature_Sensor",
             "profile.csv:3: brick: unknown class 'Suply_Air_Temperature_Sensor' (did you mean "
             "'Supply_Air_Temperature_Sensor'?)"},
            {"profile.csv", "RW,20,100,+,Fan_Speed_Command", "RW,20,100,+,Supply_Air_Temperature_Setpoint",
             "unit: % is not a unit of sat_sp"},
            {"profile.csv", "power,", "po wer,", "profile.csv:6: name: 'po wer' may hold"},
            {"profile.csv", "power,", "\"power,", "profile.csv:6: a quoted cell is not closed"},
            {"profile.csv", "hb,holding,9,uint16,,,RW", "hb,holding,9,uint16,,,RX", "access: unknown 'RX'"},
            {"points.csv", "chwst,bms", "chwst,bsm", "points.csv:2: device: 'bsm' is not in the site file (did you"},
            {"points.csv", "hall/plant/chiller-1/chwst", "hall/plant/chiller-2/chwst",
             "points.csv:2: equipment: 'chiller-2' is not in the site file (did you mean 'chiller-1'?)"},
            {"points.csv", "chwst,bms", "chwst,", "points.csv:2: device: missing"},
            {"points.csv", "40011", "30011", "points.csv:2: address: '30011' is outside its style (modicon5"},
            {"points.csv", "int16,degF", "float64,degF", NULL},
            {"points.csv", "0x10,float64", "65533,float64", "points.csv:4: address: 65533 with 4 registers"},
            {"points.csv", "nan;0", "nan;zero", "points.csv:5: invalid: 'zero' is neither"},
            {"points.csv", "nan;0", "0x12345678123456781", "points.csv:5: invalid: '0x12345678123456781' does not fit"},
            {"points.csv", "rack_kw,,log", "rack_kw,bms,log", "points.csv:5: device: a log column has no device"},
            {"points.csv", "rack_kw,,log", "rack_kw,bms,mqtt", "device 'bms' does not speak MQTT"},
            {"points.csv", "hall/log/x/rack_kw", "hall//x/rack_kw", "points.csv:5: name: 'hall//x/rack_kw' may hold"},
        };
        char buf[8192];
        int wrong = 0;
        for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
                put_good();
                const char *good = v[i].file[0] == 's' ? site_yaml : v[i].file[1] == 'r' ? profile_csv : points_csv;
                replace_in(good, v[i].find, v[i].replace, buf, sizeof(buf));
                put(v[i].file, buf);
                int rc = load(NULL, NULL);
                if (v[i].expect == NULL ? rc != 0 : rc != -EINVAL || strstr(out, v[i].expect) == NULL) {
                        print_error("case %zu ('%s' for '%s'): %d, expected '%s' in:\n%s", i, v[i].replace, v[i].find,
                                    rc, v[i].expect != NULL ? v[i].expect : "success", out);
                        wrong++;
                }
        }
        assert_int_equal(wrong, 0);
}

static void test_all_errors_at_once(void **state)
{
        (void)state;
        put("site.yaml", "site: { name: hall, fast_step: soon }\n"
                         "zonen: []\n"
                         "points: [ points.csv, gone.csv ]\n"
                         "devices: [ { name: d, protocol: modbus-tcp } ]\n");
        put("points.csv",
            "name,device,table,address,type\na,d,hold,1,uint16\nb,e,input,1,uint16\nc,d,input,1,uint17\n");
        size_t n;
        assert_int_equal(load(NULL, &n), -EINVAL);
        const char *expect[] = {"site.yaml:1:32: fast_step",
                                "site.yaml:2:1: unknown key 'zonen'",
                                "site.yaml:3:23: ",
                                "site.yaml:4:12: device 'd': 'host' is missing",
                                "points.csv:2: table: unknown",
                                "points.csv:3: device: 'e'",
                                "points.csv:4: type: unknown 'uint17'"};
        for (size_t i = 0; i < sizeof(expect) / sizeof(expect[0]); i++)
                if (strstr(out, expect[i]) == NULL)
                        fail_msg("'%s' missing in:\n%s", expect[i], out);
        assert_int_equal(n, sizeof(expect) / sizeof(expect[0]));

        struct site *s = NULL;
        struct site_errors *e = NULL;
        assert_int_equal(site_load(path_to("site.yaml"), &s, &e), -EINVAL);
        printed(e, true);
        assert_true(out[0] == '[' && out[strlen(out) - 1] == ']');
        assert_non_null(
            strstr(out, "\"line\":2,\"column\":1,\"severity\":\"error\",\"message\":\"unknown key 'zonen'"));
        site_errors_free(e);
}

/* Which of two points of a command's role is used for what. */
static void test_shown_setpoint_is_told(void **state)
{
        (void)state;
        char buf[8192];
        size_t n = 0;
        put_good();
        replace_in(profile_csv, "sat_sp,holding",
                   "sat_sp_fb,input,9,uint16,0.1,degC,,,,,Supply_Air_Temperature_Setpoint,\nsat_sp,holding", buf,
                   sizeof(buf));
        put("profile.csv", buf);
        assert_int_equal(load(NULL, &n), 0);
        assert_int_equal(n, 0);
        assert_non_null(strstr(out, "profile.csv:4: warning: equipment 'crah-1' has two sat_sp: "
                                    "'hall/room-1/crah-1/sat_sp' is commanded and read back, "
                                    "'hall/room-1/crah-1/sat_sp_fb' (not writable) is only stored and shown"));
        put_good(); /* one that only shows, alone: another controller's, and nothing to tell */
        replace_in(profile_csv, "RW,18,27,-", ",,,", buf, sizeof(buf));
        put("profile.csv", buf);
        assert_int_equal(load(NULL, NULL), 0);
        assert_null(strstr(out, "has two"));
}

/* A decimal comma shifts every cell behind it: one error, and who refers to the point is not told that there is none.
 */
static void test_too_many_cells(void **state)
{
        (void)state;
        size_t n = 0;
        put("site.yaml", "site: { name: a }\npoints: [ points.csv ]\n"
                         "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n");
        put("points.csv", "name,device,table,address,type,scale,unit,access,brick,interlock\n"
                          "a/run,d,input,1,uint16,0,1,degC,R,Outside_Air_Temperature_Sensor,\n"
                          "a/oat,d,input,2,uint16,0.1,degC,R,Outside_Air_Temperature_Sensor,a/run\n");
        assert_int_equal(load(NULL, &n), -EINVAL);
        assert_non_null(strstr(out, "points.csv:2: 11 cells, the header has 10 columns"));
        assert_int_equal(n, 1);
        /* the name stands behind the comma: unknown, so nothing is said of references */
        put("points.csv", "scale,name,device,table,address,type,unit,access,brick,interlock\n"
                          "0,1,a/run,d,input,1,uint16,degC,R,Outside_Air_Temperature_Sensor,\n"
                          "0.1,a/oat,d,input,2,uint16,degC,R,Outside_Air_Temperature_Sensor,a/run\n");
        assert_int_equal(load(NULL, &n), -EINVAL);
        assert_int_equal(n, 1);
        /* the same in a profile */
        put_good();
        char buf[8192];
        replace_in(profile_csv, "sat,input,0,int16,0.1,", "sat,input,0,int16,0,1,", buf, sizeof(buf));
        replace_in(buf, ",Supply_Air_Temperature_Sensor,", ",Supply_Air_Temperature_Sensor,,", out, sizeof(out));
        put("profile.csv", out);
        assert_int_equal(load(NULL, &n), -EINVAL);
        assert_non_null(strstr(out, "profile.csv:3: 14 cells, the header has 12 columns"));
        assert_int_equal(n, 1);
}

static void test_files(void **state)
{
        (void)state;
        struct site *s = NULL;
        struct site_errors *e = NULL;
        assert_int_equal(site_load(path_to("none.yaml"), &s, &e), -ENOENT);
        assert_int_equal(site_errors_count(e), 1);
        site_errors_free(e);

        put_good();
        put_bytes("points.csv", "name,table\na\0b,log\n", 19);
        assert_int_equal(load(NULL, NULL), -EINVAL);
        assert_non_null(strstr(out, "points.csv:2: a NUL byte"));
        /* an unknown directive with such bytes kept libfyaml 0.7.12 busy for ever */
        put_good();
        put_bytes("site.yaml",
                  "# 20 \xc2\xb0"
                  "C\n%X \xb4\n---\n",
                  18);
        assert_int_equal(load(NULL, NULL), -EINVAL);
        assert_non_null(strstr(out, "site.yaml:2:4: not UTF-8"));

        put_good();
        FILE *f = fopen(path_to("points.csv"), "a");
        assert_non_null(f);
        assert_int_equal(ftruncate(fileno(f), 16 * 1024 * 1024 + 1), 0); /* sparse: one byte over the cap */
        assert_int_equal(fclose(f), 0);
        assert_int_equal(load(NULL, NULL), -EINVAL);
        assert_non_null(strstr(out, "larger than 16 MiB"));

        put("site.yaml", "a: b\n---\nc: d\n");
        assert_int_equal(load(NULL, NULL), -EINVAL);
        put("site.yaml", "");
        assert_int_equal(load(NULL, NULL), -EINVAL);
        put("site.yaml", "- 1\n");
        assert_int_equal(load(NULL, NULL), -EINVAL);
        put("site.yaml", "a: *x\n");
        assert_int_equal(load(NULL, NULL), -EINVAL);
}

static void test_environment_and_overlay(void **state)
{
        (void)state;
        struct site *s = NULL;
        put_good();
        char buf[8192];
        replace_in(site_yaml, "host: 127.0.0.1, port: 1502", "host: \"${COOLPLANE_TEST_HOST}.lan\", port: 1502", buf,
                   sizeof(buf));
        put("site.yaml", buf);
        assert_int_equal(setenv("COOLPLANE_TEST_HOST", "plc7", 1), 0);
        assert_int_equal(load(&s, NULL), 0);
        assert_string_equal(s->device[0].host, "plc7.lan");
        uint8_t before[32];
        memcpy(before, s->hash, sizeof(before));
        s = site_free(s);
        assert_int_equal(setenv("COOLPLANE_TEST_HOST", "plc8", 1),
                         0); /* the same file elsewhere: another configuration */
        assert_int_equal(load(&s, NULL), 0);
        assert_memory_not_equal(before, s->hash, sizeof(before));
        s = site_free(s);
        assert_int_equal(setenv("COOLPLANE_TEST_HOST", "plc7", 1), 0);

        assert_int_equal(mkdir(path_to("site.d"), 0700), 0);
        put("site.d/20.yaml", "site: { seed: 9 }\nzones: [ { name: room-3 } ]\n");
        put("site.d/10.yaml", "site: { seed: 8 }\n");
        put("site.d/30.txt", "not: read\n");
        assert_int_equal(load(&s, NULL), 0);
        assert_int_equal(s->seed, 9);
        assert_int_equal(s->nzone, 3);
        assert_memory_not_equal(before, s->hash, sizeof(before));
        s = site_free(s);
        put("site.d/20.yaml", "zones: [ { nam: room-3 } ]\n");
        assert_int_equal(load(NULL, NULL), -EINVAL);
        assert_non_null(strstr(out, "site.d/20.yaml:1:12: unknown key 'nam' in zone (did you mean 'name'?)"));
        assert_int_equal(unlink(path_to("site.d/20.yaml")), 0);
        assert_int_equal(unlink(path_to("site.d/10.yaml")), 0);
        assert_int_equal(unlink(path_to("site.d/30.txt")), 0);
        assert_int_equal(rmdir(path_to("site.d")), 0);
        assert_int_equal(load(&s, NULL), 0);
        assert_memory_equal(before, s->hash, sizeof(before)); /* same bytes, same hash */
        site_free(s);
}

/* Paths the site file leaves out: beside it, or where the service manager says; a path given there stays. */
static void test_service_folders(void **state)
{
        (void)state;
        struct site *s = NULL;
        put_good();
        assert_int_equal(setenv("STATE_DIRECTORY", "/var/lib/elsewhere", 1), 0);
        assert_int_equal(setenv("RUNTIME_DIRECTORY", "/run/elsewhere", 1), 0);
        assert_int_equal(load(&s, NULL), 0);
        assert_string_equal(s->database, "/var/lib/elsewhere/coolplane.db");
        assert_string_equal(s->run_dir, "/run/elsewhere");
        s = site_free(s);
        char buf[8192];
        replace_in(site_yaml, "seed: 7,", "seed: 7, database: my.db, run_dir: /tmp/r,", buf, sizeof(buf));
        put("site.yaml", buf);
        assert_int_equal(load(&s, NULL), 0);
        assert_string_equal(s->database, path_to("my.db"));
        assert_string_equal(s->run_dir, "/tmp/r");
        s = site_free(s);
        put_good();
        assert_int_equal(setenv("STATE_DIRECTORY", "not/absolute", 1), 0);
        assert_int_equal(unsetenv("RUNTIME_DIRECTORY"), 0);
        assert_int_equal(load(&s, NULL), 0);
        assert_string_equal(s->database, path_to("coolplane.db"));
        assert_string_equal(s->run_dir, path_to("run"));
        site_free(s);
        assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
}

/* A site that is only an air handler's log: no devices, no water side. */
static void test_nothing_but_air(void **state)
{
        (void)state;
        struct site *s = NULL;
        put("site.yaml", "site: { name: ahu }\nequipment: [ { name: ahu-1, brick: AHU } ]\npoints: [ points.csv ]\n");
        put("points.csv", "name,table,key,unit,brick\n"
                          "ahu/1/ahu-1/sat,log,AHU: Supply Air Temperature,degF,Supply_Air_Temperature_Sensor\n");
        if (load(&s, NULL) != 0)
                fail_msg("%s", out);
        assert_int_equal(s->point[0].role, ROLE_SAT);
        assert_string_equal(s->point[0].key, "AHU: Supply Air Temperature");
        assert_int_equal(s->ndevice, 0);
        site_free(s);
}

static int setup(void **state)
{
        (void)state;
        (void)snprintf(dir, sizeof(dir), "/tmp/coolplane-points-XXXXXX");
        return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
        (void)state;
        (void)unlink(path_to("site.yaml"));
        (void)unlink(path_to("points.csv"));
        (void)unlink(path_to("profile.csv"));
        return rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_unenforced_limits_warn),
            cmocka_unit_test(test_too_small_a_database_warns),
            cmocka_unit_test(test_every_column_is_explained),
            cmocka_unit_test(test_good_site),
            cmocka_unit_test(r1_address_styles),
            cmocka_unit_test(r24_corpus),
            cmocka_unit_test(test_all_errors_at_once),
            cmocka_unit_test(test_shown_setpoint_is_told),
            cmocka_unit_test(test_too_many_cells),
            cmocka_unit_test(test_files),
            cmocka_unit_test(test_environment_and_overlay),
            cmocka_unit_test(test_service_folders),
            cmocka_unit_test(test_nothing_but_air),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
