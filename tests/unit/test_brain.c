/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The brain on a site of two air handlers and four racks, made of files as any site is, against a small linear plant
 * written here: explores, identifies, saves, places VMs, starts again from the database.
 */
#include <dirent.h>
#include <inttypes.h>
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

#include "agent/gate/gate.h"
#include "agent/planner/brain.h"
#include "models/num/rng.h"

#define CRAHS 2
#define RACKS 4
#define STEP_MS 30000
#define T0_MS INT64_C(1760000010000)

struct plant {
        struct rng rng;
        uint64_t seq;
        double inlet[RACKS], sat[CRAHS], valve[CRAHS], sp[CRAHS], fan[CRAHS], chwst, cwst, chiller[2], rack_w[RACKS];
};

struct bench {
        char dir[64];
        struct site *site;
        struct layout *layout;
        struct store *store; /* writer, when wanted */
        struct plant plant;
        struct ipc_step step;
        struct ipc_proposal proposal;
};

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

static double chiller_w(const struct plant *p)
{
        double it = 0.0;
        for (int i = 0; i < RACKS; i++)
                it += p->rack_w[i];
        return it / 5.0 * (1.0 - 0.025 * (p->chwst - 8.0)) * (1.0 + 0.02 * (p->cwst - 25.0));
}

static void plant_start(struct plant *p)
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
                const double supply = 0.5 * (p->sat[0] + p->sat[1]), fan = 0.5 * (p->fan[0] + p->fan[1]);
                p->inlet[i] +=
                    0.2 * (supply + 4e-4 * p->rack_w[i] - 8.0 * (fan - 0.6) - p->inlet[i]) + 0.01 * rng_normal(&p->rng);
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

static void make_step(struct bench *b, bool explore)
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

static void turn(struct bench *b, struct brain *brain, bool explore)
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

static int setup(void **state)
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

static int teardown(void **state)
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

static struct brain *brain_new(const struct bench *b, struct store *store)
{
        const struct brain_args a = {.site = b->site, .layout = b->layout, .store = store, .seed = 5, .learn = true};
        struct brain *brain = NULL;
        assert_int_equal(brain_create(&a, &brain), 0);
        return brain;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void explores_identifies_and_saves(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        struct brain_info info;
        double before = 0.0, after = 0.0, hottest = 0.0;

        for (int t = 0; t < 360; t++) {
                turn(b, brain, true);
                brain_learn(brain);
                assert_string_equal(b->proposal.move_name, "explore");
        }
        brain_info(brain, &info);
        assert_int_equal(info.steps, 360);
        assert_int_equal(info.rows_fitted, info.rows);
        assert_true(info.inlet_rmse_c < 0.05);
        assert_true(info.energy_samples >= 34);

        const struct plant keep = b->plant;
        plant_start(&b->plant);
        b->plant.seq = keep.seq;
        b->plant.rng = keep.rng;
        before = 4000.0 * 2 * pow(0.8, 3) + chiller_w(&b->plant);
        for (int t = 0; t < 360; t++) {
                turn(b, brain, false);
                brain_learn(brain);
                if (t >= 120)
                        hottest = fmax(hottest, b->step.inlet_max_c);
        }
        for (int c = 0; c < CRAHS; c++)
                after += 4000.0 * pow(b->plant.fan[c], 3);
        for (int i = 0; i < RACKS; i++)
                b->plant.rack_w[i] = 12e3;
        after += chiller_w(&b->plant);
        printf("plant power %.0f -> %.0f W; SAT %.1f, fan %.2f, CHWST %.1f; hottest inlet %.2f C\n", before, after,
               b->plant.sp[0], b->plant.fan[0], b->plant.chwst, hottest);
        assert_true(after < 0.8 * before);
        assert_true(b->plant.chwst > 9.0);
        assert_true(hottest < 26.5);
        assert_true(b->proposal.in_distribution);
        assert_true(isfinite(b->proposal.predicted_w) && isfinite(b->proposal.predicted_max_inlet_c));
        brain_free(brain);
}

static void same_messages_same_answers_whenever_it_learns(void **state)
{
        struct bench *b = *state;
        struct brain *eager = brain_new(b, NULL), *lazy = brain_new(b, NULL);
        struct ipc_proposal other;

        for (int t = 0; t < 200; t++) {
                turn(b, eager, t < 150);
                brain_learn(eager);
                brain_step(lazy, &b->step, &other);
                assert_memory_equal(&b->proposal, &other, sizeof other);
        }
        brain_free(eager);
        brain_free(lazy);
}

static void foreign_step_gets_a_well_formed_non_answer(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        const char *why;

        make_step(b, false);
        b->step.ny++;
        brain_step(brain, &b->step, &b->proposal);
        assert_int_equal(ipc_check(&b->proposal, sizeof b->proposal, IPC_PROPOSAL, b->site->hash, &why), 0);
        assert_false(b->proposal.in_distribution);

        make_step(b, false);
        for (size_t i = 0; i < b->layout->ny; i++)
                b->step.y[i] = (double)NAN;
        for (size_t j = 0; j < b->layout->nu; j++)
                b->step.u[j] = (double)NAN;
        brain_step(brain, &b->step, &b->proposal);
        assert_int_equal(ipc_check(&b->proposal, sizeof b->proposal, IPC_PROPOSAL, b->site->hash, &why), 0);
        for (size_t j = 0; j < b->layout->nu; j++)
                assert_true(isfinite(b->proposal.u[j]));
        assert_false(b->proposal.in_distribution);
        brain_free(brain);
}

static double caution_of(const struct brain *brain)
{
        struct brain_info info;
        brain_info(brain, &info);
        return info.caution_k;
}

static void keeps_its_distance_from_what_the_gate_refuses(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);

        assert_int_equal(IPC_MODE_ACTIVE, GATE_ACTIVE);
        for (int t = 0; t < 30; t++)
                turn(b, brain, true);
        assert_true(caution_of(brain) == 0.0);
        b->plant.fan[0] += 0.2; /* as the gate does: more cooling than asked */
        turn(b, brain, true);
        const double once = caution_of(brain);
        assert_true(once > 0.1 && once < 0.2);
        b->plant.fan[0] += 0.2; /* the same episode */
        turn(b, brain, true);
        assert_true(caution_of(brain) == once);
        for (int t = 0; t < 20; t++)
                turn(b, brain, true);
        assert_true(caution_of(brain) < once && caution_of(brain) > 0.5 * once);
        for (int t = 0; t < 50; t++)
                turn(b, brain, true);
        assert_true(caution_of(brain) == 0.0);

        make_step(b, false);
        for (size_t j = 0; j < b->layout->nu; j++)
                b->step.u[j] = j < 4 ? 15.0 : b->step.u[j];
        b->step.mode = GATE_SHADOW; /* nobody follows us there */
        brain_step(brain, &b->step, &b->proposal);
        assert_true(caution_of(brain) == 0.0);
        brain_free(brain);
}

static const char inventory_json[] =
    "{\"timestamp\":%" PRId64 ",\"hosts\":["
    "{\"name\":\"h1\",\"rack\":\"rack-1\",\"cores\":32,\"mem_gib\":256,\"idle_w\":120,\"max_w\":350,"
    "\"reserved\":false,\"asleep\":false},"
    "{\"name\":\"h2\",\"rack\":\"rack-2\",\"cores\":32,\"mem_gib\":256,\"idle_w\":120,\"max_w\":350,"
    "\"reserved\":false,\"asleep\":false}],"
    "\"vms\":[{\"name\":\"v1\",\"host\":\"h1\",\"cores\":4,\"mem_gib\":16,\"cpu_cores\":1.2,\"movable\":true,"
    "\"group\":0},{\"name\":\"v2\",\"host\":\"h2\",\"cores\":4,\"mem_gib\":16,\"cpu_cores\":1.2,\"movable\":false,"
    "\"group\":0}]}";

static void starts_from_the_database_and_places_vms(void **state)
{
        struct bench *b = *state;
        struct brain *brain = brain_new(b, NULL);
        struct store *reader = NULL;
        struct brain_info info;
        struct store_run run = {"sim", T0_MS, "test", b->site->hash};
        char err[256] = "", json[1024];
        int64_t id;

        if (store_open(b->site->database, STORE_WRITE, &b->store, err) < 0)
                fail_msg("%s", err);
        assert_int_equal(store_begin_run(b->store, &run, &id), 0);
        assert_int_equal(store_bind_site(b->store, b->site), 0);
        for (int t = 0; t < 200; t++)
                turn(b, brain, true);
        brain_free(brain);

        assert_int_equal(store_open(b->site->database, STORE_READ, &reader, err), 0);
        assert_int_equal(store_bind_site(reader, b->site), 0);
        brain = brain_new(b, reader);
        brain_info(brain, &info);
        assert_in_range(info.seeded_rows, 198, 201);
        assert_int_equal(info.rows_fitted, info.rows);
        assert_true(info.inlet_rmse_c < 0.1);
        assert_in_range(info.energy_samples, 17, 20);

        (void)snprintf(json, sizeof json, inventory_json, T0_MS + 200 * STEP_MS);
        assert_int_equal(store_put_vm_message(b->store, T0_MS + 200 * STEP_MS, "inventory", json), 0);
        turn(b, brain, false); /* step 200 is a slow one */
        assert_int_equal(b->step.slow_step, 1);
        assert_int_equal(b->proposal.nmove, 1);
        assert_string_equal(b->proposal.move[0].vm, "v1");
        assert_string_equal(b->proposal.move[0].from, "h1");
        assert_string_equal(b->proposal.move[0].to, "h2");
        assert_true(b->proposal.move[0].gain_w > 120.0 && b->proposal.move[0].gain_w < 200.0);
        assert_true(fabs(b->proposal.move[0].power_w - 1.2 / 32.0 * 230.0) < 1e-9);
        for (int t = 0; t < 30; t++)
                turn(b, brain, false);
        assert_int_equal(b->step.slow_step, 1);
        assert_int_equal(b->proposal.nmove, 0); /* the inventory is 15 minutes old */
        brain_free(brain);
        store_close(reader);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(explores_identifies_and_saves, setup, teardown),
            cmocka_unit_test_setup_teardown(same_messages_same_answers_whenever_it_learns, setup, teardown),
            cmocka_unit_test_setup_teardown(keeps_its_distance_from_what_the_gate_refuses, setup, teardown),
            cmocka_unit_test_setup_teardown(foreign_step_gets_a_well_formed_non_answer, setup, teardown),
            cmocka_unit_test_setup_teardown(starts_from_the_database_and_places_vms, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
