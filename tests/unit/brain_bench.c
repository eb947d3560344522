/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <dirent.h>
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

#include "tests/unit/brain_bench.h"

static FILE *create(const struct bench *b, const char *name)
{
        char path[128];
        FILE *f;
        (void)snprintf(path, sizeof path, "%s/%s", b->dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        return f;
}

static void row(FILE *f, int *address, const char *path, const char *brick, const char *unit, const char *writable)
{
        fprintf(f, "s/z/%s,plc,holding,%d,float32,%s,%s,%s\n", path, *address, unit, brick, writable);
        *address += 2;
}

static void write_site(struct bench *b)
{
        char path[64];
        int a = 0;
        FILE *f = create(b, "site.yaml");

        fprintf(f, "site: { name: bench, seed: 5, database: t.db, run_dir: run }\n"
                   "zones: [ { name: z } ]\n"
                   "mqtt: { host: 127.0.0.1 }\n"
                   "vm: { topic: bench/vm }\n"
                   "points: [ points.csv ]\n"
                   "devices: [ { name: plc, protocol: modbus-tcp, host: 127.0.0.1, unit_id: 1 } ]\n"
                   "equipment:\n");
        for (int i = 1; i <= CRAHS; i++)
                fprintf(f,
                        "  - { name: crah-%d, brick: Computer_Room_Air_Handler, zone: z, capacity_w: 60000, "
                        "airflow_m3s: 5, fan_power_w: 4000 }\n",
                        i);
        for (int i = 1; i <= RACKS; i++)
                fprintf(f, "  - { name: rack-%d, brick: ICT_Rack, zone: z }\n", i);
        for (int i = 1; i <= 2; i++)
                fprintf(f, "  - { name: chiller-%d, brick: Chiller, capacity_w: 80000 }\n", i);
        fprintf(f, "  - { name: plant, brick: Chilled_Water_System }\n  - { name: weather, brick: Weather_Station }\n");
        assert_int_equal(fclose(f), 0);

        f = create(b, "points.csv");
        fprintf(f, "name,device,table,address,type,unit,brick,access,min,max,default,safe_dir\n");
        for (int i = 1; i <= CRAHS; i++) {
                const struct {
                        const char *point, *brick, *unit, *writable;
                } c[] = {
                    {"sat", "Supply_Air_Temperature_Sensor", "degC", ",,,,"},
                    {"sat_sp", "Supply_Air_Temperature_Setpoint", "degC", "RW,15,26,18,-"},
                    {"fan_cmd", "Fan_Speed_Command", "ratio", "RW,0.3,1,0.8,+"},
                    {"valve", "Chilled_Water_Valve_Position_Sensor", "ratio", ",,,,"},
                    {"power", "Electric_Power_Sensor", "W", ",,,,"},
                };
                for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
                        (void)snprintf(path, sizeof path, "crah-%d/%s", i, c[k].point);
                        row(f, &a, path, c[k].brick, c[k].unit, c[k].writable);
                }
        }
        for (int i = 1; i <= RACKS; i++) {
                (void)snprintf(path, sizeof path, "rack-%d/inlet", i);
                row(f, &a, path, "Intake_Air_Temperature_Sensor", "degC", ",,,,");
                (void)snprintf(path, sizeof path, "rack-%d/power", i);
                row(f, &a, path, "Electric_Power_Sensor", "W", ",,,,");
        }
        for (int i = 1; i <= 2; i++) {
                (void)snprintf(path, sizeof path, "chiller-%d/power", i);
                row(f, &a, path, "Electric_Power_Sensor", "W", ",,,,");
                (void)snprintf(path, sizeof path, "chiller-%d/enable", i);
                row(f, &a, path, "On_Off_Command", "none", "RW,0,1,1,+");
        }
        row(f, &a, "plant/chwst", "Leaving_Chilled_Water_Temperature_Sensor", "degC", ",,,,");
        row(f, &a, "plant/chwst_sp", "Leaving_Chilled_Water_Temperature_Setpoint", "degC", "RW,6,16,8,-");
        row(f, &a, "plant/cwst_sp", "Entering_Condenser_Water_Temperature_Setpoint", "degC", "RW,18,32,27,");
        row(f, &a, "weather/wetbulb", "Outside_Air_Wet_Bulb_Temperature_Sensor", "degC", ",,,,");
        assert_int_equal(fclose(f), 0);
}

/* --- the plant ---------------------------------------------------------------------------------------------------- */

double chiller_w(const struct plant *p)
{
        double it = 0.0;
        for (int i = 0; i < RACKS; i++)
                it += p->rack_w[i];
        return it / 5.0 * (1.0 - 0.025 * (p->chwst - 8.0)) * (1.0 + 0.02 * (p->cwst - 25.0));
}

void plant_start(struct plant *p)
{
        *p = (struct plant){.chwst = 8, .cwst = 25, .chiller = {1, 1}};
        rng_seed(&p->rng, 31, 0);
        for (int c = 0; c < CRAHS; c++) {
                p->sp[c] = p->sat[c] = 18;
                p->fan[c] = 0.8;
                p->valve[c] = 0.5;
        }
        for (int i = 0; i < RACKS; i++) {
                p->rack_w[i] = 12e3;
                p->inlet[i] = 22;
        }
}

static void plant_next(struct plant *p)
{
        for (int i = 0; i < RACKS; i++) {
                const double supply = 0.5 * (p->sat[0] + p->sat[1]), air = 0.5 * (1.0 / p->fan[0] + 1.0 / p->fan[1]);
                p->inlet[i] += 0.2 * (supply + 4e-4 * p->rack_w[i] + 2.9 * (air - 1.0 / 0.6) - p->inlet[i]) +
                               0.01 * rng_normal(&p->rng);
        }
        for (int c = 0; c < CRAHS; c++) {
                p->valve[c] += 0.3 * (0.5 - 0.03 * (p->sp[c] - 20.0) + 0.5 * (p->fan[c] - 0.6) +
                                      0.04 * (p->chwst - 10.0) - p->valve[c]);
                p->sat[c] += 0.4 * (p->sp[c] - p->sat[c]) + 0.01 * rng_normal(&p->rng);
        }
        for (int i = 0; i < RACKS; i++)
                p->rack_w[i] = fmin(fmax(p->rack_w[i] + 300.0 * rng_normal(&p->rng), 8e3), 14e3);
        p->seq++;
}

/* One value of the plant by what the point is; NaN for what is not modelled. */
static double plant_value(const struct bench *b, int point)
{
        const struct plant *p = &b->plant;
        const struct point *q = &b->site->point[point];
        const char *name = b->site->equipment[q->equipment].name;
        const int i = name[strlen(name) - 1] - '1';

        switch (q->role) {
        case ROLE_INLET_TEMP:
                return p->inlet[i];
        case ROLE_RACK_POWER:
                return p->rack_w[i];
        case ROLE_SAT:
                return p->sat[i];
        case ROLE_SAT_SP:
                return p->sp[i];
        case ROLE_FAN_CMD:
                return p->fan[i];
        case ROLE_VALVE:
                return p->valve[i];
        case ROLE_CRAH_POWER:
                return 4000.0 * pow(p->fan[i], 3);
        case ROLE_CHWST:
        case ROLE_CHWST_SP:
                return p->chwst;
        case ROLE_CWST_SP:
                return p->cwst;
        case ROLE_WETBULB:
                return 15.0;
        case ROLE_CHILLER_ENABLE:
                return p->chiller[i];
        case ROLE_CHILLER_POWER:
                return p->chiller[i] * chiller_w(p) / (p->chiller[0] + p->chiller[1]);
        default:
                return (double)NAN;
        }
}

void make_step(struct bench *b, bool explore)
{
        const struct layout *l = b->layout;
        struct ipc_step *s = &b->step;

        memset(s, 0, sizeof *s);
        ipc_head_init(&s->head, IPC_STEP, b->plant.seq, T0_MS + (int64_t)b->plant.seq * STEP_MS, b->site->hash);
        s->nu = (uint32_t)l->nu;
        s->ny = (uint32_t)l->ny;
        s->nd = (uint32_t)l->nd;
        s->slow_step = b->plant.seq % 10 == 0;
        s->explore = explore;
        for (size_t j = 0; j < l->nu; j++)
                s->u[j] = plant_value(b, l->u[j].point);
        for (size_t i = 0; i < l->ny; i++)
                s->y[i] = plant_value(b, l->y[i].point);
        for (size_t k = 0; k < l->nd; k++) {
                if (l->d[k].point >= 0)
                        s->d[k] = plant_value(b, l->d[k].point);
                else
                        for (int i = 0; i < RACKS; i++)
                                s->d[k] += b->plant.rack_w[i];
        }
        for (int c = 0; c < CRAHS; c++)
                s->power_w[0] += 4000.0 * pow(b->plant.fan[c], 3);
        s->power_w[1] = chiller_w(&b->plant);
        s->power_w[2] = s->power_w[3] = (double)NAN;
        s->chillers_on = b->plant.chiller[0] + b->plant.chiller[1];
        s->inlet_max_c = 0.0;
        for (int i = 0; i < RACKS; i++)
                s->inlet_max_c = fmax(s->inlet_max_c, b->plant.inlet[i]);
}

static void act(struct bench *b)
{
        for (size_t j = 0; j < b->layout->nu; j++) {
                const struct point *q = &b->site->point[b->layout->u[j].point];
                const char *name = b->site->equipment[q->equipment].name;
                const int i = name[strlen(name) - 1] - '1';
                const double v = b->proposal.u[j];
                assert_true(v >= q->min && v <= q->max);
                if (q->role == ROLE_SAT_SP)
                        b->plant.sp[i] = v;
                else if (q->role == ROLE_FAN_CMD)
                        b->plant.fan[i] = v;
                else if (q->role == ROLE_CHWST_SP)
                        b->plant.chwst = v;
                else if (q->role == ROLE_CWST_SP)
                        b->plant.cwst = v;
                else if (q->role == ROLE_CHILLER_ENABLE)
                        b->plant.chiller[i] = v;
        }
}

void turn(struct bench *b, struct brain *brain, bool explore)
{
        const char *why = "";
        make_step(b, explore);
        brain_step(brain, &b->step, &b->proposal);
        if (ipc_check(&b->proposal, sizeof b->proposal, IPC_PROPOSAL, b->site->hash, &why) < 0)
                fail_msg("malformed: %s", why);
        assert_int_equal(b->proposal.head.seq, b->step.head.seq);
        assert_int_equal(b->proposal.nu, b->layout->nu);
        if (b->store) { /* what the gate would have stored during the step before this one */
                for (size_t i = 0; i < b->site->npoint; i++) {
                        const struct sample s = {.point = (uint32_t)i,
                                                 .t_ms = b->step.head.t_ms - 1000,
                                                 .value = plant_value(b, (int)i),
                                                 .raw = 0};
                        assert_int_equal(store_append_samples(b->store, &s, 1, NULL), 0);
                }
        }
        act(b);
        plant_next(&b->plant);
}

/* --- fixture ------------------------------------------------------------------------------------------------------ */

int bench_setup(void **state)
{
        struct bench *b = calloc(1, sizeof *b);
        struct site_errors *errors = NULL;
        char path[128];

        assert_non_null(b);
        (void)snprintf(b->dir, sizeof b->dir, "/tmp/coolplane-test-XXXXXX");
        assert_non_null(mkdtemp(b->dir));
        *state = b; /* cmocka tears down a setup that failed */
        write_site(b);
        (void)snprintf(path, sizeof path, "%s/site.yaml", b->dir);
        if (site_load(path, &b->site, &errors) < 0) {
                site_errors_print(errors, stdout);
                fail_msg("the site does not load");
        }
        site_errors_free(errors);
        assert_int_equal(layout_create(b->site, &b->layout), 0);
        assert_int_equal(b->layout->nu, 2 * CRAHS + 4);
        assert_int_equal(b->layout->ny, RACKS + 2 * CRAHS);
        plant_start(&b->plant);
        return 0;
}

int bench_teardown(void **state)
{
        struct bench *b = *state;
        struct dirent *e;
        DIR *d = opendir(b->dir);
        char path[512];

        store_close(b->store);
        while (d && (e = readdir(d))) {
                (void)snprintf(path, sizeof path, "%s/%s", b->dir, e->d_name);
                (void)unlink(path);
        }
        if (d)
                closedir(d);
        (void)rmdir(b->dir);
        layout_free(b->layout);
        site_free(b->site);
        free(b);
        return 0;
}

struct brain *brain_new(const struct bench *b, struct store *store)
{
        const struct brain_args a = {.site = b->site, .layout = b->layout, .store = store, .seed = 5, .learn = true};
        struct brain *brain = NULL;
        assert_int_equal(brain_create(&a, &brain), 0);
        return brain;
}
