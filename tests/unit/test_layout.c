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
#include <unistd.h>

#include <cmocka.h>

#include "agent/points/layout.h"
#include "agent/points/codec.h"

static char dir[64];

static const char *path_to(const char *name)
{
        static char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static void put(const char *name, const char *text)
{
        FILE *f = fopen(path_to(name), "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static struct site *load(const char *yaml, const char *csv)
{
        struct site *s = NULL;
        struct site_errors *e = NULL;
        put("site.yaml", yaml);
        put("points.csv", csv);
        int rc = site_load(path_to("site.yaml"), &s, &e);
        if (rc != 0)
                site_errors_print(e, stderr);
        site_errors_free(e);
        assert_int_equal(rc, 0);
        return s;
}

static const char *point_name(const struct site *s, const struct layout_var *v)
{
        return v->point < 0 ? "" : s->point[v->point].name;
}

/* Two rooms: two CRAHs and three racks, one CRAH and one rack, a plant with two chillers. */
static const char hall_yaml[] = "site: { name: h, fast_step: 30s }\n"
                                "zones: [ { name: r1 }, { name: r2 } ]\n"
                                "equipment:\n"
                                "  - { name: rk1, brick: ICT_Rack, zone: r1, power_w: 8000 }\n"
                                "  - { name: rk2, brick: ICT_Rack, zone: r1, power_w: 12000 }\n"
                                "  - { name: rk3, brick: ICT_Rack, zone: r2 }\n"
                                "  - { name: ah1, brick: Computer_Room_Air_Handler, zone: r1, airflow_m3s: 4 }\n"
                                "  - { name: ah2, brick: Computer_Room_Air_Handler, zone: r1, airflow_m3s: 6 }\n"
                                "  - { name: ah3, brick: Computer_Room_Air_Handler, zone: r2, airflow_m3s: 5 }\n"
                                "  - { name: ch1, brick: Chiller }\n"
                                "  - { name: plant, brick: Chilled_Water_System }\n"
                                "  - { name: wx, brick: Weather_Station }\n"
                                "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n"
                                "points: [ points.csv ]\n";
static const char hall_csv[] =
    "name,device,table,address,type,unit,scale,access,min,max,safe_dir,brick\n"
    "h/r1/rk1/in,d,input,0,int16,degC,0.1,,,,,Intake_Air_Temperature_Sensor\n"
    "h/r1/rk1/w,d,input,1,uint16,W,1,,,,,Electric_Power_Sensor\n"
    "h/r2/rk3/in,d,input,2,int16,degC,0.1,,,,,Intake_Air_Temperature_Sensor\n"
    "h/r2/rk3/w,d,input,3,uint16,W,1,,,,,Electric_Power_Sensor\n"
    "h/r1/rk2/in,d,input,4,int16,degC,0.1,,,,,Intake_Air_Temperature_Sensor\n"
    "h/r1/rk2/w,d,input,5,uint16,W,1,,,,,Electric_Power_Sensor\n"
    "h/r1/ah2/fan,d,holding,20,uint16,%,0.1,RW,20,100,+,Fan_Speed_Command\n"
    "h/r1/ah2/sp,d,holding,21,uint16,degC,0.1,RW,18,27,-,Supply_Air_Temperature_Setpoint\n"
    "h/r1/ah1/fan,d,holding,10,uint16,%,0.1,RW,20,100,+,Fan_Speed_Command\n"
    "h/r1/ah1/sp,d,holding,11,uint16,degC,0.1,RW,18,27,-,Supply_Air_Temperature_Setpoint\n"
    "h/r1/ah1/sat,d,input,12,int16,degC,0.1,,,,,Supply_Air_Temperature_Sensor\n"
    "h/r1/ah1/rat,d,input,13,int16,degC,0.1,,,,,Return_Air_Temperature_Sensor\n"
    "h/r1/ah1/valve,d,input,14,uint16,%,0.1,,,,,Chilled_Water_Valve_Position_Sensor\n"
    "h/r1/ah1/fanfb,d,input,15,uint16,%,0.1,,,,,Fan_Speed_Sensor\n"
    "h/r1/ah2/sat,d,input,22,int16,degC,0.1,,,,,Supply_Air_Temperature_Sensor\n"
    "h/r2/ah3/sp,d,holding,31,uint16,degC,0.1,RW,18,27,-,Supply_Air_Temperature_Setpoint\n"
    "h/plant/plant/chwst,d,input,40,int16,degC,0.1,,,,,Leaving_Chilled_Water_Temperature_Sensor\n"
    "h/plant/ch1/chwst,d,input,41,int16,degC,0.1,,,,,Leaving_Chilled_Water_Temperature_Sensor\n"
    "h/plant/plant/cwst,d,input,45,int16,degC,0.1,,,,,Entering_Condenser_Water_Temperature_Sensor\n"
    "h/plant/ch1/cwst,d,input,46,int16,degC,0.1,,,,,Entering_Condenser_Water_Temperature_Sensor\n"
    "h/plant/ch1/on,d,holding,42,uint16,,1,RW,0,1,+,On_Off_Command\n"
    "h/plant/plant/cwsp,d,holding,43,uint16,degC,0.1,RW,15,30,-,Entering_Condenser_Water_Temperature_Setpoint\n"
    "h/plant/plant/chwsp,d,holding,44,uint16,degC,0.1,RW,7,16,-,Leaving_Chilled_Water_Temperature_Setpoint\n"
    "h/plant/wx/wb,d,input,50,int16,degC,0.1,,,,,Outside_Air_Wet_Bulb_Temperature_Sensor\n"
    "h/plant/wx/oat,d,input,51,int16,degC,0.1,,,,,Outside_Air_Temperature_Sensor\n";

static void test_order(void **state)
{
        (void)state;
        struct site *s = load(hall_yaml, hall_csv);
        struct layout *l = NULL;
        assert_int_equal(layout_create(s, &l), 0);
        const char *u[] = {"h/r1/ah1/sp", "h/r1/ah1/fan",        "h/r1/ah2/sp",        "h/r1/ah2/fan",
                           "h/r2/ah3/sp", "h/plant/plant/chwsp", "h/plant/plant/cwsp", "h/plant/ch1/on"};
        const int uk[] = {U_SAT, U_FAN, U_SAT, U_FAN, U_SAT, U_CHWST, U_CWST, U_CHILLER};
        assert_int_equal(l->nu, 8);
        for (size_t i = 0; i < 8; i++) {
                assert_string_equal(point_name(s, &l->u[i]), u[i]);
                assert_int_equal(l->u[i].kind, uk[i]);
        }
        const char *y[] = {"h/r1/rk1/in",  "h/r2/rk3/in",  "h/r1/rk2/in",
                           "h/r1/ah1/sat", "h/r1/ah2/sat", "h/r1/ah1/valve"};
        assert_int_equal(l->ny, 6);
        for (size_t i = 0; i < 6; i++)
                assert_string_equal(point_name(s, &l->y[i]), y[i]);
        const char *d[] = {
            "h/r1/rk1/w",         "h/r2/rk3/w",    "h/r1/rk2/w",    "", "", "h/r1/ah1/rat", "h/plant/plant/chwst",
            "h/plant/plant/cwst", "h/plant/wx/wb", "h/plant/wx/oat"};
        const int dk[] = {D_RACK_POWER, D_RACK_POWER, D_RACK_POWER, D_ZONE_POWER, D_ZONE_POWER,
                          D_RAT,        D_CHW_TEMP,   D_CW_TEMP,    D_WETBULB,    D_OAT};
        assert_int_equal(l->nd, 10);
        for (size_t i = 0; i < 10; i++) {
                assert_string_equal(point_name(s, &l->d[i]), d[i]);
                assert_int_equal(l->d[i].kind, dk[i]);
        }
        assert_true(l->d[3].zone == 0 && l->d[4].zone == 1 && l->step_s == 30);
        assert_int_equal(layout_find_u(l, U_FAN, 4), 3);
        assert_int_equal(layout_find_u(l, U_FAN, 5), -1);
        layout_free(l);
        site_free(s);
}

struct expected {
        int src, index, lag, sum1, sign;
        double scale;
};

static void expect_row(const struct arx_structure *st, size_t row, const struct expected *e, size_t n)
{
        assert_int_equal(st->row_start[row + 1] - st->row_start[row], n);
        for (size_t k = 0; k < n; k++) {
                const struct arx_term *t = &st->term[st->row_start[row] + k];
                if (t->src != e[k].src || t->index != e[k].index || t->lag != e[k].lag || t->sum1 != e[k].sum1 ||
                    t->sign != e[k].sign || st->scale[st->row_start[row] + k] != e[k].scale)
                        fail_msg("row %zu term %zu: src %d index %d lag %d sum1 %d sign %d scale %g", row, k, t->src,
                                 t->index, t->lag, t->sum1, t->sign, st->scale[st->row_start[row] + k]);
        }
}

static void test_regressors(void **state)
{
        (void)state;
        enum { Y = ARX_SRC_Y, U = ARX_SRC_U, D = ARX_SRC_D, ONE = ARX_SRC_ONE };
        struct site *s = load(hall_yaml, hall_csv);
        struct layout *l = NULL;
        struct arx_structure *st = NULL;
        assert_int_equal(layout_create(s, &l), 0);
        assert_int_equal(layout_arx_structure(l, 2, 1, &st), 0);
        assert_true(st->ny == 6 && st->nu == 8 && st->nd == 10 && st->lag_max == 2);
        assert_int_equal(st->row_start[st->ny], st->nterm);
        /* rack 1: both air handlers of its room, its own and its room's power; nothing of the other room */
        const struct expected inlet[] = {{Y, 0, 1, 1, 1, 1},    {Y, 0, 2, 1, 1, 1},     {Y, 3, 1, 1, 1, 1},
                                         {U, 1, 1, 0, -1, 0.1}, {Y, 4, 1, 1, 1, 1},     {U, 3, 1, 0, -1, 0.1},
                                         {D, 0, 1, 0, 1, 8000}, {D, 3, 1, 0, 1, 20000}, {ONE, 0, 1, 0, 0, 1}};
        expect_row(st, 0, inlet, 9);
        /* rack 3's air handler measures no supply air and takes no fan command: its setpoint stands in */
        const struct expected other[] = {{Y, 1, 1, 1, 1, 1},    {Y, 1, 2, 1, 1, 1},    {U, 4, 1, 1, 1, 1},
                                         {D, 1, 1, 0, 1, 5000}, {D, 4, 1, 0, 1, 5000}, {ONE, 0, 1, 0, 0, 1}};
        expect_row(st, 1, other, 6);
        const struct expected sat[] = {{Y, 3, 1, 1, 1, 1},   {Y, 3, 2, 1, 1, 1}, {U, 0, 1, 1, 1, 1},
                                       {U, 1, 1, 0, 0, 0.1}, {D, 5, 1, 1, 1, 1}, {D, 6, 1, 1, 1, 1}};
        expect_row(st, 3, sat, 6);
        const struct expected valve[] = {{Y, 5, 1, 0, 0, 0.1}, {Y, 5, 2, 0, 0, 0.1}, {Y, 3, 1, 0, 1, 1},
                                         {U, 0, 1, 0, -1, 1},  {U, 1, 1, 0, 0, 0.1}, {D, 5, 1, 0, 1, 1},
                                         {D, 6, 1, 0, 1, 1},   {ONE, 0, 1, 0, 0, 1}};
        expect_row(st, 5, valve, 8);

        /* Every prior is a box with the sign prior inside it, sums to one where it must, and arx takes it. */
        double *lo = calloc(st->nterm, sizeof(double)), *hi = calloc(st->nterm, sizeof(double));
        layout_arx_prior(l, st, lo, hi);
        for (size_t i = 0; i < st->ny; i++) {
                double sum_lo = 0, sum_hi = 0;
                bool group = false;
                for (size_t k = st->row_start[i]; k < st->row_start[i + 1]; k++) {
                        assert_true(isfinite(lo[k]) && isfinite(hi[k]) && lo[k] < hi[k]);
                        assert_true(st->term[k].sign <= 0 || lo[k] >= 0);
                        assert_true(st->term[k].sign >= 0 || hi[k] <= 0);
                        if (st->term[k].sum1) {
                                group = true;
                                sum_lo += lo[k];
                                sum_hi += hi[k];
                        }
                }
                assert_true(!group || (sum_lo <= 1 && sum_hi >= 1));
        }
        assert_true(lo[0] == 0.5 && hi[0] == 0.96);
        double g = 1 / (1206.0 * 10); /* K/W of 10 m³/s */
        assert_true(fabs(hi[7] - 1.5 * g * 0.5) < 1e-12 && lo[7] == 0);
        assert_true(fabs(hi[6] - 1.5 * 0.3 * 12 / 8000 * 0.5) < 1e-12);
        assert_true(fabs(lo[3] + 1.5 * g * 20000 * 0.5) < 1e-12 && hi[3] == 0); /* 20 kW in 10 m³/s: 1.7 K */

        struct arx_args args;
        arx_args_default(&args);
        size_t size = arx_memsize(st);
        void *mem = aligned_alloc(16, (size + 15) / 16 * 16);
        struct arx *m = NULL;
        assert_int_equal(arx_create(mem, size, st, &args, lo, hi, &m), 0);
        free(mem);
        free(lo);
        free(hi);
        free(st);
        layout_free(l);
        site_free(s);
}

/* Too many air handlers for the row: input lags go first, and when even one lag is too many the site is refused. */
static void test_many_air_handlers(void **state)
{
        (void)state;
        for (int n = 12; n <= 60; n += 48) {
                char yaml[16384] = "site: { name: h }\nzones: [ { name: r } ]\npoints: [ points.csv ]\nequipment:\n"
                                   "  - { name: rk, brick: ICT_Rack, zone: r }\n";
                char csv[32768] = "name,table,unit,brick\nh/r/rk/in,log,degC,Intake_Air_Temperature_Sensor\n";
                for (int i = 0; i < n; i++) {
                        size_t ly = strlen(yaml), lc = strlen(csv);
                        (void)snprintf(yaml + ly, sizeof(yaml) - ly, "  - { name: a%d, brick: AHU, zone: r }\n", i);
                        (void)snprintf(csv + lc, sizeof(csv) - lc,
                                       "h/r/a%d/sat,log,degC,Supply_Air_Temperature_Sensor\n"
                                       "h/r/a%d/fan,log,%%,Fan_Speed_Sensor\n",
                                       i, i);
                }
                struct site *s = load(yaml, csv);
                struct layout *l = NULL;
                struct arx_structure *st = NULL;
                assert_int_equal(layout_create(s, &l), 0);
                int rc = layout_arx_structure(l, 5, 5, &st);
                if (n == 12) { /* 5 + 12 · 2 · nb + 1 ≤ 96: nb = 3 */
                        assert_int_equal(rc, 0);
                        assert_int_equal(st->row_start[1], 5 + 12 * 2 * 3 + 1);
                } else {
                        assert_int_equal(rc, -E2BIG);
                        assert_null(st);
                }
                free(st);
                layout_free(l);
                site_free(s);
        }
}

/* A site nobody here simulates: one air handler in an office with two thermometers, one chiller, imperial units, a
 * vendor's Modicon register list, no racks. */
static void test_foreign_site(void **state)
{
        (void)state;
        struct site *s = load(
            "site: { name: lib, fast_step: 1m, slow_step: 15m }\n"
            "zones: [ { name: reading-room } ]\n"
            "equipment:\n"
            "  - { name: ahu, brick: Air_Handler_Unit, zone: reading-room, airflow_m3s: 2.4 }\n"
            "  - { name: cooler, brick: Chiller, capacity_w: 105000, min_on: 10m }\n"
            "  - { name: roof, brick: Weather_Station }\n"
            "devices:\n"
            "  - { name: jace, protocol: modbus-tcp, host: 10.0.0.9, unit_id: 12, address_style: modicon5, profile: "
            "jace }\n"
            "profiles: { jace: points.csv }\n",
            "name,equipment,table,address,type,order,scale,unit,access,min,max,safe_dir,default,brick\n"
            "DAT,ahu,holding,40101,float32,CDAB,,degF,,,,,,Discharge_Air_Temperature_Sensor\n"
            "DAT-SP,ahu,holding,40103,float32,CDAB,,degF,RW,55,75,-,55,Discharge_Air_Temperature_Setpoint\n"
            "MAT,ahu,holding,40105,float32,CDAB,,degF,,,,,,Mixed_Air_Temperature_Sensor\n"
            "SF-SPD,ahu,input,30007,int16,,,%,,,,,,Fan_Speed_Sensor\n"
            "CLG-V,ahu,input,30008,int16,,,%,,,,,,Cooling_Valve_Position_Sensor\n"
            "CHWS,cooler,input,30021,int16,,0.1,degF,,,,,,Leaving_Chilled_Water_Temperature_Sensor\n"
            "CHWS-SP,cooler,holding,40122,int16,BA,0.1,degF,RW,42,55,-,44,Leaving_Chilled_Water_Temperature_Setpoint\n"
            "GPM,cooler,input,30023,uint16,,,gpm,,,,,,Chilled_Water_Flow_Sensor\n"
            "TONS,cooler,input,30024,uint32,DCBA,0.01,ton,,,,,,Thermal_Power_Sensor\n"
            "KW,cooler,input,30026,uint16,,0.1,kW,,,,,,Electric_Power_Sensor\n"
            "OAT,roof,input,30040,int16,,0.1,degF,,,,,,Outside_Air_Temperature_Sensor\n");
        int i = site_find_point(s, "lib/plant/cooler/TONS");
        assert_true(i >= 0 && s->point[i].address == 23 && s->point[i].unit_id == 12 && s->point[i].role == ROLE_NONE);
        struct sample v = {.point = (uint32_t)i};
        codec_decode(&s->point[i], (uint16_t[]){0xB80B, 0x0000}, 0, &v); /* 3000 → 30.00 tons */
        assert_true(fabs(v.value - 30 * 3516.8528420667) < 1e-6);
        i = site_point_of(s, 0, ROLE_SAT_SP);
        assert_true(fabs(s->point[i].min - 12.777777777777779) < 1e-9 &&
                    fabs(s->point[i].max - 23.888888888888889) < 1e-9);
        uint16_t regs[4];
        double q;
        assert_int_equal(codec_encode(&s->point[i], codec_quantise(&s->point[i], 15), regs, &q), 0); /* 59 °F */
        assert_true(regs[0] == 0x0000 && regs[1] == 0x426C && fabs(q - 15) < 1e-5);
        i = site_point_of(s, 1, ROLE_CHW_FLOW);
        codec_decode(&s->point[i], (uint16_t[]){240}, 0, &v);
        assert_true(fabs(v.value - 240 * 6.30901964e-5) < 1e-9);

        struct layout *l = NULL;
        struct arx_structure *st = NULL;
        assert_int_equal(layout_create(s, &l), 0);
        assert_true(l->nu == 2 && l->u[0].kind == U_SAT && l->u[1].kind == U_CHWST);
        assert_true(l->ny == 2 && l->y[0].kind == Y_SAT && l->y[1].kind == Y_VALVE);
        const int dk[] = {D_MAT, D_FAN, D_CHW_TEMP, D_OAT};
        assert_int_equal(l->nd, 4);
        for (size_t k = 0; k < 4; k++)
                assert_int_equal(l->d[k].kind, dk[k]);
        assert_int_equal(layout_arx_structure(l, 1, 1, &st), 0);
        const struct expected sat[] = {{ARX_SRC_Y, 0, 1, 1, 1, 1},
                                       {ARX_SRC_U, 0, 1, 1, 1, 1},
                                       {ARX_SRC_D, 0, 1, 1, 1, 1},
                                       {ARX_SRC_D, 2, 1, 1, 1, 1},
                                       {ARX_SRC_D, 1, 1, 0, 0, 0.1}};
        expect_row(st, 0, sat, 5);
        free(st);
        layout_free(l);
        site_free(s);
}

/* Another controller's air handler, known from a log: its commands are disturbances. */
static void test_logged_air_handler(void **state)
{
        (void)state;
        struct site *s = load("site: { name: a }\nequipment: [ { name: ahu, brick: AHU } ]\npoints: [ points.csv ]\n",
                              "name,table,unit,brick\n"
                              "a/x/ahu/sat,log,degF,Supply_Air_Temperature_Sensor\n"
                              "a/x/ahu/sp,log,degF,Supply_Air_Temperature_Setpoint\n"
                              "a/x/ahu/rat,log,degF,Return_Air_Temperature_Sensor\n"
                              "a/x/ahu/fan,log,ratio,Fan_Speed_Command\n"
                              "a/x/ahu/oad,log,ratio,Damper_Position_Sensor\n"
                              "a/x/ahu/clg,log,ratio,Cooling_Valve_Position_Sensor\n"
                              "a/x/ahu/htg,log,ratio,Heating_Valve_Position_Sensor\n"
                              "a/x/ahu/oat,log,degF,Outside_Air_Temperature_Sensor\n");
        struct layout *l = NULL;
        struct arx_structure *st = NULL;
        assert_int_equal(layout_create(s, &l), 0);
        assert_true(l->nu == 0 && l->ny == 1 && l->y[0].kind == Y_SAT);
        const int dk[] = {D_RAT, D_DAMPER, D_HEAT_VALVE, D_FAN, D_VALVE, D_SAT_SP, D_OAT};
        assert_int_equal(l->nd, 7);
        for (size_t k = 0; k < 7; k++)
                assert_int_equal(l->d[k].kind, dk[k]);
        assert_int_equal(layout_arx_structure(l, 1, 1, &st), 0);
        const struct expected sat[] = {
            {ARX_SRC_Y, 0, 1, 1, 0, 1},    {ARX_SRC_D, 0, 1, 1, 1, 1},   {ARX_SRC_D, 5, 1, 1, 1, 1},
            {ARX_SRC_D, 4, 1, 0, -1, 0.1}, {ARX_SRC_D, 3, 1, 0, 0, 0.1}, {ARX_SRC_D, 1, 1, 0, 0, 0.1},
            {ARX_SRC_D, 2, 1, 0, 1, 0.1},  {ARX_SRC_D, 6, 1, 1, 1, 1},   {ARX_SRC_ONE, 0, 1, 0, 0, 1}};
        expect_row(st, 0, sat, 9);
        double lo[9], hi[9];
        layout_arx_prior(l, st, lo, hi);
        for (size_t k = 0; k < 9; k++)
                assert_true(lo[k] < hi[k]);
        struct arx_args args;
        arx_args_default(&args);
        size_t size = arx_memsize(st);
        void *mem = aligned_alloc(16, (size + 15) / 16 * 16);
        struct arx *m = NULL;
        assert_int_equal(arx_create(mem, size, st, &args, lo, hi, &m), 0); /* no inputs at all is a model too */
        free(mem);
        free(st);
        st = NULL;
        assert_int_equal(layout_arx_structure(l, 0, 1, &st), -EINVAL);
        assert_int_equal(layout_arx_structure(l, 1, 0, &st), -EINVAL);
        layout_free(l);
        site_free(s);
}

/* A register that shows a setpoint, mapped before or after the one that takes it: the layout commands the latter. */
static void test_feedback_beside_a_setpoint(void **state)
{
        static const char head[] = "name,device,table,address,type,unit,scale,access,min,max,safe_dir,brick\n"
                                   "h/r/ah/sat,d,input,1,int16,degC,0.1,,,,,Supply_Air_Temperature_Sensor\n"
                                   "h/r/ah/valve,d,input,2,uint16,%,0.1,,,,,Chilled_Water_Valve_Position_Sensor\n";
        static const char shown[] = "h/r/ah/sp_fb,d,input,3,uint16,degC,0.1,,,,,Supply_Air_Temperature_Setpoint\n"
                                    "h/r/ah/fan_fb,d,input,4,uint16,%,0.1,,,,,Fan_Speed_Command\n";
        static const char taken[] = "h/r/ah/sp,d,holding,1,uint16,degC,0.1,RW,18,27,-,Supply_Air_Temperature_Setpoint\n"
                                    "h/r/ah/fan,d,holding,2,uint16,%,0.1,RW,20,100,+,Fan_Speed_Command\n";
        (void)state;
        for (int first = 0; first < 2; first++) {
                char csv[2048];
                struct layout *l = NULL;
                (void)snprintf(csv, sizeof(csv), "%s%s%s", head, first ? shown : taken, first ? taken : shown);
                struct site *s = load("site: { name: h }\nzones: [ { name: r } ]\n"
                                      "equipment: [ { name: ah, brick: Computer_Room_Air_Handler, zone: r } ]\n"
                                      "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n"
                                      "points: [ points.csv ]\n",
                                      csv);
                assert_int_equal(layout_create(s, &l), 0);
                assert_int_equal(l->nu, 2);
                assert_string_equal(point_name(s, &l->u[0]), "h/r/ah/sp");
                assert_string_equal(point_name(s, &l->u[1]), "h/r/ah/fan");
                assert_int_equal(l->ny, 2); /* with its valve */
                assert_int_equal(l->nd, 0); /* what only shows our setpoint is nobody else's doing */
                assert_string_equal(s->point[site_point_of(s, 0, ROLE_SAT_SP)].name, "h/r/ah/sp");
                layout_free(l);
                site_free(s);
        }
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
        return rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_order),
            cmocka_unit_test(test_regressors),
            cmocka_unit_test(test_many_air_handlers),
            cmocka_unit_test(test_foreign_site),
            cmocka_unit_test(test_logged_air_handler),
            cmocka_unit_test(test_feedback_beside_a_setpoint),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
