/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The verbs import, status, why and db as functions: what they print and with which code they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent/base/exitcode.h"
#include "agent/cli/cli.h"
#include "tests/unit/store_fixture.h"

#define T0 1700000000000

struct ctx {
        struct fixture *f;
        char out[65536], err[8192];
        char site[128], map[128], csv[128], run_dir[96];
};

static void slurp(const char *path, char *ret, size_t cap)
{
        FILE *o = fopen(path, "rb");
        assert_non_null(o);
        size_t n = fread(ret, 1, cap - 1, o);
        ret[n] = '\0';
        fclose(o);
}

/* Runs a verb in a child with stdout and stderr in files; the arguments end with NULL. */
static int verb(struct ctx *c, int (*fn)(int, char **), ...)
{
        char *argv[16] = {NULL}, out[128], err[128];
        int argc = 0, status = 0;
        va_list ap;
        va_start(ap, fn);
        while (argc < 15 && (argv[argc] = va_arg(ap, char *)))
                argc++;
        va_end(ap);
        snprintf(out, sizeof out, "%s/out", c->f->dir);
        snprintf(err, sizeof err, "%s/err", c->f->dir);
        fflush(stdout);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr))
                        _exit(99);
                int code = fn(argc, argv);
                fflush(stdout);
                fflush(stderr);
                _exit(code);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        slurp(out, c->out, sizeof c->out);
        slurp(err, c->err, sizeof c->err);
        return WEXITSTATUS(status);
}

static void assert_has(const char *text, const char *want)
{
        if (!strstr(text, want))
                fail_msg("'%s' is not in:\n%s", want, text);
}

static void assert_json(struct ctx *c)
{
        struct store *s = NULL;
        char *got = NULL;
        struct store_param p = {.is_text = true, .text = c->out};
        assert_int_equal(store_open(c->f->db, STORE_READ, &s, c->f->err), 0);
        assert_int_equal(store_query_json(s, "SELECT json_valid(?1) AS v", &p, 1, &got), 0);
        if (strcmp(got, "[{\"v\":1}]") != 0)
                fail_msg("not JSON: %s", c->out);
        free(got);
        store_close(s);
}

static void write_text(const char *path, const char *text)
{
        FILE *o = fopen(path, "wb");
        assert_non_null(o);
        fputs(text, o);
        fclose(o);
}

static void fill(struct ctx *c)
{
        struct store *s = NULL;
        int64_t run = 0, id = 0, act = 0;
        struct fixture *f = c->f;
        assert_int_equal(store_open(f->db, STORE_WRITE, &s, f->err), 0);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        struct store_run r = {.mode = "live", .t_ms = T0, .version = "0.1.0", .config_hash = f->site.hash};
        assert_int_equal(store_begin_run(s, &r, &run), 0);
        for (int i = 0; i < 20; i++) {
                struct sample v = fixture_sample(0, T0 + i * 1000, i == 19 ? (double)NAN : 24 + 0.1 * i);
                assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
        }
        struct safety_certificate cert = {.model_hash = 0xabc,
                                          .delta = 0.05,
                                          .horizon = 20,
                                          .margin = 0.75,
                                          .binding_u = -1,
                                          .fraction = 0.5,
                                          .terminal = true,
                                          .verified = true};
        assert_int_equal(store_put_event(s, run, T0 - 1, 6, "model", "0 of 24 rows fitted"), 0);
        assert_int_equal(store_put_event(s, run, T0 + 1, 6, "model", "24 of 24 rows fitted"), 0);
        for (uint64_t step = 0; step < 3; step++) {
                cert.margin = step == 0 ? (double)NAN : 0.75;
                double proposal[2] = {24, 0.5}, action[2] = {22, 0.7}, confirmed[2] = {21, (double)0.7f};
                struct store_decision d = {.t_ms = T0 + (int64_t)step * 30000,
                                           .step = step,
                                           .mode = "ACTIVE",
                                           .kind = step == 1 ? DECISION_PROJECT : DECISION_HOLD,
                                           .reason = step == 1 ? DR_WORST_CASE : DR_NO_PROPOSAL,
                                           .binding = step == 1 ? "t/room/rack-1/inlet" : "",
                                           .cert = &cert,
                                           .proposal = step == 1 ? proposal : NULL,
                                           .action = step == 1 ? action : confirmed,
                                           .confirmed = confirmed,
                                           .nu = 2,
                                           .predicted_w = 5000,
                                           .predicted_std_w = 100,
                                           .move = "chwst +0.5 K",
                                           .worst_inlet_c = 25.5,
                                           .solve_s = 0.001};
                assert_int_equal(store_put_decision(s, run, &d, &id), 0);
                if (step != 1)
                        continue;
                struct store_action a = {.decision_id = id, .t_ms = d.t_ms, .point = 3, .value = 22, .why = "decision"};
                struct write_outcome o = {
                    .result = WRITE_MISMATCH, .written = 22, .read_back = 19, .t_ms = d.t_ms + 900};
                assert_int_equal(store_put_actions(s, run, &a, 1, &act), 0);
                assert_int_equal(store_put_outcomes(s, &act, &o, 1), 0);
        }
        assert_int_equal(store_put_event(s, run, T0 + 31000, 4, "modbus", "plc: device down"), 0);
        assert_int_equal(store_put_event(s, run, T0 + 3600000, 4, "planner", "lost, an hour later"), 0);
        store_close(s);
}

static int setup(void **state)
{
        struct ctx *c = calloc(1, sizeof *c);
        c->f = fixture_create();
        fill(c);
        snprintf(c->run_dir, sizeof c->run_dir, "%s/run", c->f->dir);
        assert_int_equal(mkdir(c->run_dir, 0700), 0);
        snprintf(c->site, sizeof c->site, "%s/site.yaml", c->f->dir);
        snprintf(c->map, sizeof c->map, "%s/import.yaml", c->f->dir);
        snprintf(c->csv, sizeof c->csv, "%s/log.csv", c->f->dir);
        char path[128];
        snprintf(path, sizeof path, "%s/points.csv", c->f->dir);
        write_text(path, "name,table,key,unit,brick\n"
                         "t/room/ahu/supply,log,Supply,degF,Supply_Air_Temperature_Sensor\n");
        write_text(c->site, "site: { name: t, database: t.db, run_dir: run }\nzones: [ { name: room } ]\n"
                            "equipment: [ { name: ahu, brick: Air_Handler_Unit, zone: room } ]\n"
                            "points: [ points.csv ]\n");
        write_text(c->map, "site: site.yaml\ntime: { column: Time, format: \"%m/%d/%Y %H:%M\" }\n");
        *state = c;
        return 0;
}

static int teardown(void **state)
{
        struct ctx *c = *state;
        char path[128];
        snprintf(path, sizeof path, "%s/status.sock", c->run_dir);
        (void)unlink(path);
        (void)rmdir(c->run_dir);
        fixture_free(c->f);
        free(c);
        return 0;
}

static void test_why_step(void **state)
{
        struct ctx *c = *state;
        assert_int_equal(verb(c, verb_why, "why", "1", "--db", c->f->db, NULL), EXIT_OK);
        static const char *const want[] = {
            "step 1 of run 1 (live), 2023-11-14T22:13:50.000Z, mode ACTIVE",
            "decision: project, worst-case at t/room/rack-1/inlet",
            "worst case of the model set",
            "21.0 -> 22.0 degC  proposed 24.0",
            "t/room/crah-1/fan                        stays at 0.7",
            "model set 0000000000000abc, confidence 95.0 %, 20 steps ahead",
            "0.75 K",
            "second checker: agreed",
            "chwst +0.5 K, plant power 5.0 kW predicted +- 0.1 kW",
            "MISMATCH  read back 19.0  decision",
            "plc: device down",
            "allowed by\n  worst case of the model set: 0.75 K below the nearest hard limit",
            "approved by\n  coolplaned by itself, as the site file allows: safety filter "
            "and second checker\n  coolplane 0.1.0, started in live at 2023-",
            "to reverse\n  the left numbers of \"what changed\"",
            "stopping coolplaned hands every device back"};
        for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
                assert_has(c->out, want[i]);
        assert_null(strstr(c->out, "an hour later"));
        assert_int_equal(verb(c, verb_why, "why", "1:1", "--json", "--db", c->f->db, NULL), EXIT_OK);
        assert_json(c);
        assert_has(c->out, "\"result\":\"MISMATCH\"");
        assert_has(c->out, "\"decision\":{\"time\"");
        assert_has(c->out, "\"reverse\":[{\"point\":\"t/room/crah-1/supply-sp\",\"unit\":\"degC\",\"value\":21}]");
        assert_has(c->out, "\"approved\":{\"by\":\"coolplaned by itself");
        assert_has(c->out, "\"allowed\":{\"margin\":0.75,\"output\":\"\",\"limit\":null},\n\"written\":true,\"what_"
                           "if\":false,\"ended\":true}");
        assert_int_equal(verb(c, verb_why, "why", "0", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "least margin to a limit in the worst case: not certified yet: 0 of 24 rows fitted\n");
        assert_int_equal(verb(c, verb_why, "why", "--db", c->f->db, NULL), EXIT_OK); /* latest */
        assert_has(c->out, "step 2 of run 1");
        assert_has(c->out, "what changed\n  nothing");
        assert_has(c->out, "proposal\n  none arrived");
        assert_has(c->out, "to reverse\n  nothing: no write of this step reached a device\n");
        assert_null(strstr(c->out, "action lies")); /* there was no proposal */
        /* a time means the decision in force then */
        static const char *const times[] = {"2023-11-14T22:14:19Z", "2023-11-14T23:13:50+01:00", "1700000030000"};
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(verb(c, verb_why, "why", times[i], "--db", c->f->db, NULL), EXIT_OK);
                assert_has(c->out, "step 1 of run 1");
                assert_int_equal(strlen(c->err), 0);
        }
        assert_int_equal(verb(c, verb_why, "why", "2023-11-14T22:30:00Z", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "step 2 of run 1");
        assert_has(c->err, "the last decision before that is 940 s older");
        assert_int_equal(verb(c, verb_why, "why", "2023-11-14T22:13:19Z", "--db", c->f->db, NULL),
                         EXIT_CANNOT_EVALUATE);
        assert_int_equal(verb(c, verb_why, "why", "99", "--db", c->f->db, NULL), EXIT_CANNOT_EVALUATE);
        assert_int_equal(verb(c, verb_why, "why", "2:1", "--db", c->f->db, NULL), EXIT_CANNOT_EVALUATE);
        /* a change below half a register count (here 1.05 K, then 0.95 K) is none */
        char path[128];
        snprintf(path, sizeof path, "%s/points.csv", c->f->dir);
        write_text(path, "name,device,table,address,type,unit,scale,access,min,max,safe_dir,brick,equipment\n"
                         "t/room/crah-1/supply-sp,plc,holding,1,uint16,degC,2.1,RW,10,30,-,"
                         "Supply_Air_Temperature_Setpoint,crah-1\n");
        write_text(c->site, "site: { name: t, database: t.db, run_dir: run }\nzones: [ { name: room } ]\n"
                            "equipment: [ { name: crah-1, brick: CRAH, zone: room } ]\n"
                            "devices: [ { name: plc, protocol: modbus-tcp, host: h } ]\npoints: [ points.csv ]\n");
        assert_int_equal(verb(c, verb_why, "why", "1", "--config", c->site, NULL), EXIT_OK);
        assert_has(c->out, "what changed\n  nothing");
        write_text(path, "name,device,table,address,type,unit,scale,access,min,max,safe_dir,brick,equipment\n"
                         "t/room/crah-1/supply-sp,plc,holding,1,uint16,degC,1.9,RW,10,30,-,"
                         "Supply_Air_Temperature_Setpoint,crah-1\n");
        assert_int_equal(verb(c, verb_why, "why", "1", "--config", c->site, NULL), EXIT_OK);
        assert_has(c->out, "21.0 -> 22.0 degC  proposed 24.0");
        assert_int_equal(verb(c, verb_why, "why", "supply-sp", "--json", "--config", c->site, NULL), EXIT_OK);
        assert_has(c->out, "\"confirmed\":21,\"proposal\":24");
        /* the decisions of one site are not explained as another's */
        write_text(path, "name,table,key,unit,brick\nu/room/crah-1/supply,log,S,degC,Supply_Air_Temperature_Sensor\n");
        write_text(c->site, "site: { name: u, database: t.db, run_dir: run }\nzones: [ { name: room } ]\n"
                            "equipment: [ { name: crah-1, brick: CRAH, zone: room } ]\npoints: [ points.csv ]\n");
        assert_int_equal(verb(c, verb_why, "why", "1", "--config", c->site, "--db", c->f->db, NULL), EXIT_DATA);
        assert_int_equal(strlen(c->out), 0);
        assert_has(c->err, "t.db holds none of the 1 point of u: a log of another site?");
        assert_int_equal(unlink(c->f->db), 0);
        assert_int_equal(verb(c, verb_why, "why", "--config", c->site, NULL), EXIT_UNAVAILABLE);
        assert_has(c->err, "No such file or directory: no gate has run with this configuration yet");
        assert_int_equal(verb(c, verb_status, "status", "--config", c->site, NULL), EXIT_UNAVAILABLE);
        assert_has(c->err, "no gate has run with this configuration yet");
        assert_int_equal(verb(c, verb_status, "status", "--db", c->f->db, NULL), EXIT_UNAVAILABLE);
        assert_null(strstr(c->err, "no gate has run"));
        assert_int_equal(verb(c, verb_why, "why", "--config", c->site, "--db", "none.db", NULL), EXIT_UNAVAILABLE);
        assert_null(strstr(c->err, "no gate has run")); /* another database than the configuration's */
}

/* Accepted, and yet one command stays: the reason says so. */
static void test_why_accepted(void **state)
{
        struct ctx *c = *state;
        struct store *s = NULL;
        int64_t run = 0, id = 0;
        struct safety_certificate cert = {.binding_u = -1, .verified = true};
        double proposal[2] = {22, 0.5}, action[2] = {22, 0.7}, confirmed[2] = {21, 0.7};
        struct store_decision d = {.t_ms = T0 + 7200000,
                                   .step = 7,
                                   .mode = "ACTIVE",
                                   .kind = DECISION_ACCEPT,
                                   .reason = DR_ACCEPTED,
                                   .binding = "",
                                   .cert = &cert,
                                   .proposal = proposal,
                                   .action = action,
                                   .confirmed = confirmed,
                                   .nu = 2,
                                   .move = ""};
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &s, c->f->err), 0);
        assert_int_equal(store_bind_site(s, &c->f->site), 0);
        struct store_run r = {.mode = "live", .t_ms = d.t_ms, .version = "0.1.0", .config_hash = c->f->site.hash};
        assert_int_equal(store_begin_run(s, &r, &run), 0);
        assert_int_equal(store_put_decision(s, run, &d, &id), 0);
        proposal[1] = 0.7;
        d.step = 8;
        d.t_ms += 30000;
        assert_int_equal(store_put_decision(s, run, &d, &id), 0);
        store_close(s);
        assert_int_equal(verb(c, verb_why, "why", "7", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "was certified, but for 1 command not ours to move or within the dead band\n");
        assert_null(strstr(c->out, "as it stood"));
        assert_has(c->out, "kept where it is, though proposed elsewhere\n  t/room/crah-1/fan ");
        assert_int_equal(verb(c, verb_why, "why", "8", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "was certified as it stood\n");
        assert_null(strstr(c->out, "kept where it is"));
}

/* In shadow nothing is approved, written or to be reversed; a fallback has no certificate; a write that was refused
 * leaves nothing to reverse, one that failed may. */
static void test_why_of_every_kind(void **state)
{
        static const struct {
                const char *run_mode, *mode;
                enum decision_kind kind;
                enum decision_reason reason;
                bool verified;
                double margin;
                enum write_result result;
                const char *want[3];
                const char * not ;
        } kinds[] = {
            {"shadow",
             "SHADOW",
             DECISION_ACCEPT,
             DR_ACCEPTED,
             true,
             1,
             WRITE_NOT_SENT,
             {"what would change (nothing is written here)", "approved by\n  nobody: nothing is written in shadow",
              "writes\n  none: 1 would have been"},
             "stopping coolplaned"},
            {"live",
             "FALLBACK",
             DECISION_FALLBACK,
             DR_TRIP,
             true,
             (double)NAN,
             WRITE_ACCEPTED,
             {"no certificate (the fallback decides without the model)", "a measured output is above its trip value",
              "the left numbers"},
             "nobody"},
            {"live",
             "HOLD",
             DECISION_HOLD,
             DR_MALFORMED,
             true,
             0.25,
             WRITE_TIMED_OUT,
             {"what the planner sent was not a proposal", "TIMED_OUT", "the left numbers"},
             "nobody"},
            {"live",
             "ACTIVE",
             DECISION_PROJECT,
             DR_SENSOR,
             true,
             (double)NAN,
             WRITE_REJECTED_DEVICE_OFFLINE,
             {"no certificate (a room could not be read)", "REJECTED_DEVICE_OFFLINE", "nothing: no write"},
             "left numbers"},
            {"live",
             "ACTIVE",
             DECISION_PROJECT,
             DR_NOT_CERTIFIABLE,
             false,
             -0.5,
             WRITE_MISMATCH,
             {"worst case of the model set: 0.5 K BEYOND the nearest hard limit\n  so only more cooling",
              "the second checker did NOT agree", "MISMATCH"},
             "nobody"},
            {"live",
             "RELEASE",
             DECISION_FALLBACK,
             DR_SENSOR,
             true,
             (double)NAN,
             WRITE_NOT_SENT,
             {"nobody: the devices run on their own controls", "NOT_SENT", "nothing: no write"},
             "left numbers"},
        };
        struct ctx *c = *state;
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
                struct store *s = NULL;
                struct safety_certificate cert = {
                    .margin = kinds[i].margin, .verified = kinds[i].verified, .binding_y = -1, .binding_u = -1};
                double action[2] = {22, 0.7}, confirmed[2] = {21, 0.7};
                int64_t run = 0, id = 0, act = 0, t_ms = T0 + 86400000 * (int64_t)(i + 1);
                char step[16];
                assert_int_equal(store_open(c->f->db, STORE_WRITE, &s, c->f->err), 0);
                assert_int_equal(store_bind_site(s, &c->f->site), 0);
                struct store_run r = {
                    .mode = kinds[i].run_mode, .t_ms = t_ms, .version = "0.1.0", .config_hash = c->f->site.hash};
                assert_int_equal(store_begin_run(s, &r, &run), 0);
                for (int later = 0; later < 2; later++) {
                        struct store_decision d = {.t_ms = t_ms + 300000 * later,
                                                   .step = 100 + i + 10 * (uint64_t)later,
                                                   .mode = kinds[i].mode,
                                                   .kind = kinds[i].kind,
                                                   .reason = kinds[i].reason,
                                                   .binding = "",
                                                   .cert = &cert,
                                                   .action = action,
                                                   .confirmed = confirmed,
                                                   .nu = 2,
                                                   .worst_inlet_c = 25 + later,
                                                   .move = ""};
                        assert_int_equal(store_put_decision(s, run, &d, later ? NULL : &id), 0);
                }
                struct store_action a = {.decision_id = id, .t_ms = t_ms, .point = 3, .value = 22, .why = "decision"};
                struct write_outcome o = {
                    .result = kinds[i].result, .written = 22, .read_back = (double)NAN, .t_ms = t_ms};
                assert_int_equal(store_put_actions(s, run, &a, 1, &act), 0);
                assert_int_equal(store_put_outcomes(s, &act, &o, 1), 0);
                store_close(s);
                snprintf(step, sizeof step, "%d", 100 + (int)i);
                assert_int_equal(verb(c, verb_why, "why", step, "--db", c->f->db, NULL), EXIT_OK);
                for (size_t k = 0; k < 3; k++)
                        assert_has(c->out, kinds[i].want[k]);
                assert_null(strstr(c->out, kinds[i].not ));
                assert_has(c->out, "hottest inlet 300 s later: 26.0 degC");
                assert_int_equal(verb(c, verb_why, "why", step, "--json", "--db", c->f->db, NULL), EXIT_OK);
                assert_json(c);
                assert_has(c->out, "\"afterwards\":{\"time\"");
        }
}

/* Events of plc-2, plc2 and …/supply-sp are not those of plc and …/supply. */
static void test_why_events_of_a_whole_name(void **state)
{
        static const char *const others[] = {
            "plc-2: a", "plc2: b", "my.plc: c", "t/room/crah-1/supply-sp: d", "x/t/room/crah-1/supply: e", "plc.b: f"};
        static const char *const ours[] = {
            "plc: 1", "lost plc.", "lost plc", "h/plc/x: 2", "t/room/crah-1/supply: 3", "plc-2 and plc: 4", "'plc' 5"};
        struct ctx *c = *state;
        struct store *s = NULL;
        int64_t run = 0;
        assert_int_equal(store_open(c->f->db, STORE_WRITE, &s, c->f->err), 0);
        assert_int_equal(store_bind_site(s, &c->f->site), 0);
        struct store_run r = {.mode = "live", .t_ms = T0, .version = "0.1.0", .config_hash = c->f->site.hash};
        assert_int_equal(store_begin_run(s, &r, &run), 0);
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
                assert_int_equal(store_put_event(s, run, T0 + 7200000, 6, "yes", ours[i]), 0);
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
                assert_int_equal(store_put_event(s, run, T0 + 7200000, 6, "no", others[i]), 0);
        store_close(s);
        assert_int_equal(verb(c, verb_why, "why", "crah-1/supply", "--db", c->f->db, NULL), EXIT_OK);
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
                char want[64];
                snprintf(want, sizeof want, "yes: %s\n", ours[i]);
                assert_has(c->out, want);
        }
        if (strstr(c->out, "no: "))
                fail_msg("%s", c->out);
}

static void test_why_point(void **state)
{
        struct ctx *c = *state;
        assert_int_equal(verb(c, verb_why, "why", "t/room/rack-1/inlet", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "no number degC  BAD, comm-fail");
        assert_has(c->out, "25.8 degC  GOOD");
        assert_has(c->out, "decisions it bound\n  2023-11-14T22:13:50.000Z  step 1 of run 1: project, worst-case");
        assert_has(c->out, "plc: device down"); /* its device */
        assert_int_equal(verb(c, verb_why, "why", "supply-sp", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "step 1 of run 1: 21.0 -> 22.0, project");
        assert_has(c->out, "MISMATCH");
        assert_int_equal(verb(c, verb_why, "why", "supply-sp", "--json", "--db", c->f->db, NULL), EXIT_OK);
        assert_json(c);
        assert_int_equal(verb(c, verb_why, "why", "power", "--db", c->f->db, NULL), EXIT_CANNOT_EVALUATE);
        assert_has(c->err, "t/room/rack-1/power\n  t/room/rack-2/power"); /* two of them: which? */
        assert_int_equal(verb(c, verb_why, "why", "supply-s", "--db", c->f->db, NULL), EXIT_CANNOT_EVALUATE);
        assert_has(c->err, "t/room/crah-1/supply-sp");
        assert_int_equal(verb(c, verb_why, "why", "x'); DROP TABLE sample;--", "--db", c->f->db, NULL),
                         EXIT_CANNOT_EVALUATE);
}

static void test_status_from_database(void **state)
{
        struct ctx *c = *state;
        assert_int_equal(verb(c, verb_status, "status", "--db", c->f->db, NULL), EXIT_OK);
        assert_has(c->out, "20, 1 not good");
        assert_has(c->out, "1 (live) since 2023-11-14T22:13:20.000Z, no end recorded");
        assert_has(c->out, "2 of run 1");
        assert_has(c->out, "planner: lost, an hour later");
        assert_int_equal(verb(c, verb_status, "status", "--json", "--config", c->site, NULL), EXIT_OK);
        assert_has(c->err, "does not answer");
        assert_json(c);
        assert_has(c->out, "\"source\":\"database\"");
        assert_has(c->out, "\"samples\":20,\"good\":19,\"bad\":1,\"decisions\":3");
}

static void test_status_from_daemon(void **state)
{
        struct ctx *c = *state;
        static const char doc[] =
            "{\"site\":\"t\",\"mode\":\"ACTIVE\",\"decision\":\"project\",\"reason\":\"worst-case\","
            "\"binding\":\"t/room/rack-1/inlet\",\"step\":7,\"planner\":false,\"max_inlet_c\":25.123,"
            "\"margin_k\":null,\"decisions\":{\"accept\":1,\"project\":2,\"hold\":3,\"fallback\":4},"
            "\"devices\":[{\"name\":\"plc\",\"state\":\"down\",\"reads\":5,\"read_errors\":2,"
            "\"last_error\":\"timed out\"},{\"name\":\"fine\",\"state\":\"up\"}]}\n";
        static const char unfitted[] = "{\"site\":\"t\",\"mode\":\"SHADOW\",\"margin_k\":-56.343,"
                                       "\"model_rows_fitted\":0,\"model_rows\":24}\n";
        static const char fitted[] = "{\"site\":\"t\",\"mode\":\"SHADOW\",\"margin_k\":-0.343,"
                                     "\"model_rows_fitted\":1,\"model_rows\":24}\n";
        const char *const said[] = {doc, doc, unfitted, fitted};
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        snprintf(at.sun_path, sizeof at.sun_path, "%s/status.sock", c->run_dir);
        int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(l, (const struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(l, 4), 0);
        pid_t server = fork();
        if (server == 0) {
                for (int i = 0; i < 4; i++) {
                        int fd = accept(l, NULL, NULL);
                        size_t n = strlen(said[i]);
                        for (size_t k = 0; k < n; k += 50) /* in pieces */
                                if (send(fd, said[i] + k, n - k < 50 ? n - k : 50, 0) < 0)
                                        _exit(1);
                        close(fd);
                }
                _exit(0);
        }
        int json = verb(c, verb_status, "status", "--json", "--config", c->site, NULL);
        char *answer = strdup(c->out);
        int text = verb(c, verb_status, "status", "--config", c->site, NULL);
        char *shown = strdup(c->out);
        int early = verb(c, verb_status, "status", "--config", c->site, NULL);
        char *margin = strdup(c->out);
        int later = verb(c, verb_status, "status", "--config", c->site, NULL);
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
        close(l);
        assert_int_equal(json, EXIT_OK);
        assert_string_equal(answer, doc); /* as it came */
        free(answer);
        assert_int_equal(early, EXIT_OK);
        assert_has(margin, "margin       not certified yet: 0 of 24 rows fitted\n");
        assert_null(strstr(margin, "56.343"));
        free(margin);
        assert_int_equal(later, EXIT_OK);
        assert_has(c->out, "margin       -0.343 K\n");
        assert_int_equal(text, EXIT_OK);
        snprintf(c->out, sizeof c->out, "%s", shown);
        free(shown);
        assert_has(c->out, "project, worst-case at t/room/rack-1/inlet");
        assert_has(c->out, "25.12 degC");
        assert_has(c->out, "NOT connected");
        assert_has(c->out, "1 accept, 2 project, 3 hold, 4 fallback");
        assert_has(c->out, "plc");
        assert_has(c->out, "timed out");
        assert_null(strstr(c->out, "fine"));
        assert_null(strstr(c->out, "margin"));
}

static void test_db(void **state)
{
        struct ctx *c = *state;
        char copy[128];
        snprintf(copy, sizeof copy, "%s/copy.db", c->f->dir);
        assert_int_equal(verb(c, verb_db, "db", "counts", "--json", "--db", c->f->db, NULL), EXIT_OK);
        assert_json(c);
        assert_has(c->out, "\"samples\":20");
        assert_int_equal(verb(c, verb_db, "db", "verify", "--db", c->f->db, NULL), EXIT_OK);
        assert_int_equal(verb(c, verb_db, "db", "backup", copy, "--config", c->site, NULL), EXIT_OK);
        assert_int_equal(verb(c, verb_db, "db", "verify", "--db", copy, NULL), EXIT_OK);
        assert_int_equal(verb(c, verb_db, "db", "backup", copy, "--db", c->f->db, NULL), EXIT_IO);
        assert_int_equal(verb(c, verb_db, "db", "backup", "--db", c->f->db, NULL), EXIT_USAGE_);
        assert_int_equal(verb(c, verb_db, "db", "vacuum", "--db", c->f->db, NULL), EXIT_USAGE_);
        assert_int_equal(verb(c, verb_db, "db", "counts", NULL), EXIT_USAGE_);
        assert_int_equal(verb(c, verb_db, "db", "counts", "--db", "/nonexistent/x.db", NULL), EXIT_UNAVAILABLE);
        assert_int_equal(verb(c, verb_db, "db", "counts", "--db", c->site, NULL), EXIT_DATA); /* not a database */
        assert_int_equal(verb(c, verb_db, "db", "counts", "--config", "/nonexistent.yaml", NULL), EXIT_CONFIG);
}

static void test_import(void **state)
{
        struct ctx *c = *state;
        char db[128];
        snprintf(db, sizeof db, "%s/log.db", c->f->dir);
        write_text(c->csv, "Time,Supply \n8/28/2007 0:00,55\n8/28/2007 0:01,x\nnever,55\n8/28/2007 0:02,\n");
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, NULL), EXIT_USAGE_);
        assert_has(c->err, "--tz");
        assert_int_equal(access(db, F_OK), -1); /* nothing was made */
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "Mars/Base", NULL),
                         EXIT_USAGE_);
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "-05:00", NULL),
                         EXIT_OK);
        assert_has(c->out, "4 = 3 ok + 1 bad + 0 duplicates");
        assert_has(c->out, "2007-08-28T05:00:00.000Z to 2007-08-28T05:02:00.000Z");
        assert_has(c->err, "log.csv:4: unreadable_time: 'never'");
        assert_has(c->out, "    parse             1 (first: line 3, 'Supply' of t/room/ahu/supply: 'x')\n");
        assert_has(c->out, "    source            1 (first: line 5, 'Supply' of t/room/ahu/supply: '')\n");
        assert_int_equal(
            verb(c, verb_import, "import", "--json", c->csv, "--map", c->map, "--db", db, "--tz", "-05:00", NULL),
            EXIT_OK);
        assert_json(c);
        assert_has(c->out, "\"rows\":4,\"ok\":0,\"bad\":1,\"duplicates\":3,\"out_of_order\":0,\"gaps\":0");
        assert_has(c->out, "\"median_interval_s\":60");
        write_text(c->csv, "Time,Supply\n8/29/2007 0:00,55"); /* the only row may be cut: not 0, and not silent */
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
                         EXIT_DATA);
        assert_has(c->err, "log.csv:2: warning: this last row has no line end and may be cut: not imported");
        assert_has(c->err, "--whole");
        write_text(c->csv, "Time,Supply\n8/29/2007 0:00,55\n8/29/2007 0:01,5");
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
                         EXIT_OK);
        assert_has(c->err, "log.csv:3: warning: this last row has no line end");
        assert_int_equal(
            verb(c, verb_import, "import", "--whole", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
            EXIT_OK);
        assert_null(strstr(c->err, "warning"));
        write_text(c->csv, "Time,Supply\n8/30/2007 0:00,\n8/30/2007 0:01,nan?\n8/30/2007 0:02,1,5\n8/30/2007 0:03,1;5\n"
                           "8/30/2007 0:04,55\n");
        assert_int_equal(
            verb(c, verb_import, "import", "--json", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
            EXIT_DATA);
        assert_has(c->err, "log.csv:3: 2 of 3 cells of t/room/ahu/supply are no number, this one the first");
        assert_json(c);
        assert_has(c->out,
                   "\"parse\":{\"line\":3,\"point\":\"t/room/ahu/supply\",\"column\":\"Supply\",\"text\":\"nan?\"}");
        assert_has(c->out, "\"columns_unreadable\":[{\"point\":\"t/room/ahu/supply\",\"cells\":3,\"unreadable\":2,"
                           "\"first_line\":3}]");
        write_text(c->csv, "Time,Supply\n8/30/2007 0:01,55\n");
        assert_int_equal(
            verb(c, verb_import, "import", "--json", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
            EXIT_OK);
        assert_has(c->out, "\"samples_replaced\":1");
        assert_has(c->out, "\"ok\":1,");
        write_text(c->csv, "Time,Supply\nnever,55\n");
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
                         EXIT_DATA);
        assert_int_equal(
            verb(c, verb_import, "import", "/nonexistent.csv", "--map", c->map, "--db", db, "--tz", "UTC", NULL),
            EXIT_IO);
        assert_int_equal(
            verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", "/nonexistent/x.db", "--tz", "UTC", NULL),
            EXIT_IO);
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", "/nonexistent", "--db", db, NULL),
                         EXIT_CONFIG);
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--db", db, NULL), EXIT_USAGE_);
        assert_int_equal(verb(c, verb_import, "import", "--map", c->map, "--db", db, NULL), EXIT_USAGE_);
}

/* What a refused import leaves, and into whose database it goes. */
static void test_import_into(void **state)
{
        struct ctx *c = *state;
        char db[128], path[160];
        struct store *s = NULL;
        struct store_counts n;
        static const char *const end[] = {"", "-wal", "-shm", ".lock"};
        snprintf(db, sizeof db, "%s/log.db", c->f->dir);
        static const char *const bad[] = {"Time,Supply\n", "Time,Other\n8/28/2007 0:00,55\n",
                                          "Time,Supply\n8/28/2007 0:00,x\n", ""};
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                write_text(c->csv, bad[i]);
                assert_int_equal(
                    verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
                    EXIT_DATA);
                assert_has(c->err, "log.csv");
                for (size_t k = 0; k < 4; k++) {
                        snprintf(path, sizeof path, "%s%s", db, end[k]);
                        assert_int_equal(access(path, F_OK), -1);
                }
        }
        /* the database of fill() is of another site: t/room/rack-1 .. */
        write_text(c->csv, "Time,Supply\n8/28/2007 0:00,55\n");
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", c->f->db, "--tz", "UTC", NULL),
                         EXIT_DATA);
        assert_has(c->err, "is of another site: it holds 8 points (t/room/rack-1/inlet …) and none of the 1 of t "
                           "(t/room/ahu/supply …)");
        assert_has(c->err, "--add-points");
        assert_int_equal(store_open(c->f->db, STORE_READ, &s, c->f->err), 0);
        assert_int_equal(store_counts(s, &n), 0);
        assert_int_equal(n.samples, 20);
        store_close(s);
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", c->f->db, "--tz", "UTC",
                              "--add-points", NULL),
                         EXIT_OK);
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", c->f->db, "--tz", "UTC", NULL),
                         EXIT_OK);
        /* what is no database stays as it is */
        write_text(db, "note\n");
        assert_int_equal(verb(c, verb_import, "import", c->csv, "--map", c->map, "--db", db, "--tz", "UTC", NULL),
                         EXIT_DATA);
        assert_has(c->err, "log.db: file is not a database\n");
        assert_null(strstr(c->err, "PRAGMA"));
        for (size_t k = 1; k < 4; k++) {
                snprintf(path, sizeof path, "%s%s", db, end[k]);
                assert_int_equal(access(path, F_OK), -1);
        }
        slurp(db, c->out, sizeof c->out);
        assert_string_equal(c->out, "note\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_why_step, setup, teardown),
            cmocka_unit_test_setup_teardown(test_why_point, setup, teardown),
            cmocka_unit_test_setup_teardown(test_why_accepted, setup, teardown),
            cmocka_unit_test_setup_teardown(test_why_of_every_kind, setup, teardown),
            cmocka_unit_test_setup_teardown(test_why_events_of_a_whole_name, setup, teardown),
            cmocka_unit_test_setup_teardown(test_status_from_database, setup, teardown),
            cmocka_unit_test_setup_teardown(test_status_from_daemon, setup, teardown),
            cmocka_unit_test_setup_teardown(test_db, setup, teardown),
            cmocka_unit_test_setup_teardown(test_import, setup, teardown),
            cmocka_unit_test_setup_teardown(test_import_into, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
