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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGES "2>&1 >/dev/null"
#define DATA "2>/dev/null"

static char dir[64];
static char out[1 << 20];

/* Runs the coolplane program with these arguments; its exit code. */
static int run(const char *args, const char *what)
{
        char cmd[1024];
        (void)snprintf(cmd, sizeof(cmd), "cd '%s' && '%s' %s %s", dir, COOLPLANE_PROGRAM, args, what);
        FILE *p = popen(cmd, "r");
        assert_non_null(p);
        size_t n = fread(out, 1, sizeof(out) - 1, p);
        out[n] = '\0';
        int status = pclose(p);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void put(const char *name, const char *text)
{
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void has(const char *text)
{
        if (strstr(out, text) == NULL)
                fail_msg("'%s' is not in:\n%s", text, out);
}

/* A device that could not go local after us is named, with what it lacks; a whole set says nothing. */
static void unsupervised_device_is_named(void **state)
{
        static const char site[] =
            "site: { name: s }\n"
            "zones: [ { name: z } ]\n"
            "equipment: [ { name: c, brick: CRAH, zone: z }, { name: r, brick: ICT_Rack, zone: z } ]\n"
            "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n"
            "points: [ points.csv ]\n";
#define HEAD                                                                                                           \
        "name,device,table,address,type,unit,access,min,max,safe_dir,brick,equipment\n"                                \
        "s/z/r/inlet,d,holding,9,uint16,degC,R,,,,Intake_Air_Temperature_Sensor,r\n"                                   \
        "s/z/c/fan,d,holding,0,uint16,percent,RW,0,100,+,Fan_Speed_Command,c\n"                                        \
        "s/z/c/beat,d,holding,1,uint16,none,RW,0,65535,,Heartbeat_Command,\n"                                          \
        "s/z/c/remote,d,holding,2,uint16,none,RW,0,1,,Remote_Enable_Command,\n"                                        \
        "s/z/c/status,d,holding,3,uint16,none,R,,,,Remote_Enable_Status,\n"

        const char *host = strstr(site, "host: h");
        char trusting[sizeof site + 32];

        (void)state;
        put("site.yaml", site);
        put("points.csv", HEAD);
        assert_int_equal(run("check-config site.yaml", MESSAGES), 0);
        has("device 'd' takes setpoints but lacks heartbeat echo: live mode leaves it alone");
        put("points.csv", HEAD "s/z/c/echo,d,holding,4,uint16,none,R,,,,Heartbeat_Status,\n");
        assert_int_equal(run("check-config site.yaml", MESSAGES), 0);
        assert_null(strstr(out, "live mode leaves it alone"));
        assert_null(strstr(out, "watchdog"));
        (void)snprintf(trusting, sizeof trusting, "%.*shost: h, watchdog_probe: false%s", (int)(host - site), site,
                       host + strlen("host: h"));
        put("site.yaml", trusting);
        assert_int_equal(run("check-config site.yaml", MESSAGES), 0);
        has("device 'd': watchdog_probe is false: live mode takes it without having seen that its watchdog acts");
#undef HEAD
}

/* A lease that cannot be kept at the pace of the decisions: both sides of the bound (two fast steps of 30 s). */
static void lease_outlives_two_steps(void **state)
{
        (void)state;
        put("site.yaml", "site: { name: s }\n"
                         "zones: [ { name: z } ]\n"
                         "equipment: [ { name: c, brick: CRAH, zone: z }, { name: r, brick: ICT_Rack, zone: z } ]\n"
                         "devices: [ { name: d, protocol: modbus-tcp, host: h } ]\n"
                         "points: [ points.csv ]\n");
        for (int s = 59; s <= 60; s++) {
                char map[400];

                (void)snprintf(map, sizeof map,
                               "name,device,table,address,type,unit,access,min,max,safe_dir,brick,equipment,lease\n"
                               "s/z/c/fan,d,holding,0,uint16,percent,RW,0,100,+,Fan_Speed_Command,c,%ds\n"
                               "s/z/r/inlet,d,holding,9,uint16,degC,R,,,,Intake_Air_Temperature_Sensor,r,\n",
                               s);
                put("points.csv", map);
                assert_int_equal(run("check-config site.yaml", MESSAGES), s < 60 ? 78 : 0);
                assert_int_equal(strstr(out, "points.csv:2: lease: shorter than two fast steps (60 s)") != NULL,
                                 s < 60);
        }
}

static void r24_check_config(void **state)
{
        (void)state;
        put("site.yaml", "site: { name: s }\n"
                         "devices: [ { name: d, protocol: modbus-tcp, host: h, adress_style: one_based } ]\n"
                         "points: [ points.csv ]\n");
        put("points.csv", "name,device,table,address,type\ns/p,d,holding,0,uint17\ns/q,d,holding,1,uint16\n");
        assert_int_equal(run("check-config site.yaml", MESSAGES), 78);
        has("site.yaml:2:54: unknown key 'adress_style' in device (did you mean 'address_style'?)\n");
        has("points.csv:2: type: unknown 'uint17' (did you mean 'uint16'?)\n");
        has("site.yaml: 2 errors, 0 warnings\n");
        assert_int_equal(run("check-config site.yaml", DATA), 78);
        assert_string_equal(out, "");
        assert_int_equal(run("check-config --json site.yaml", DATA), 78);
        has("{\"file\":\"site.yaml\",\"ok\":false,\"errors\":2,\"warnings\":0,\"messages\":[{\"file\":\"site.yaml\","
            "\"line\":2,");
        assert_int_equal(run("check-config gone.yaml", MESSAGES), 78);
        has("gone.yaml: No such file");
        assert_null(strstr(strstr(out, "gone.yaml: No such file") + 1, "gone.yaml: No such file"));
        assert_int_equal(strncmp(out, "gone.yaml: No", 13), 0); /* named once */
        assert_int_equal(run("check-config .", MESSAGES), 78);
        has(".: a folder, not a file\n");
        assert_int_equal(run("check-config", MESSAGES), 2);
        assert_int_equal(run("check-config --jsn site.yaml", MESSAGES), 2);
        assert_int_equal(run("chek-config site.yaml", MESSAGES), 2);
        assert_int_equal(run("check-config --help", DATA), 0);
        has("coolplane check-config /etc");
}

/* A site file that cannot be parsed has that one error, and not what follows from it. */
static void unreadable_site_has_one_error(void **state)
{
        static const struct {
                const char *text, *want;
        } v[] = {{"", "site.yaml: the file is empty\n"},
                 {"# nothing\n", "site.yaml: the file is empty\n"},
                 {"site: [ { name: s }\n", "site.yaml:2:1: "},
                 {"- 1\n", "site.yaml:1:1: the site file: must be a map"},
                 {"site: \xb4\n", "site.yaml:1:7: not UTF-8\n"}};

        (void)state;
        for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
                put("site.yaml", v[i].text);
                assert_int_equal(run("check-config site.yaml", MESSAGES), 78);
                assert_int_equal(strncmp(out, v[i].want, strlen(v[i].want)), 0);
                has("\nsite.yaml: 1 error, 0 warnings\n");
        }
}

/* A log of another site is refused; one that holds a part of the points is replayed, and that is told. */
static void replay_wants_the_sites_log(void **state)
{
        static const char site[] = "site: { name: s }\n"
                                   "zones: [ { name: z } ]\n"
                                   "equipment: [ { name: ahu, brick: Air_Handler_Unit, zone: z } ]\n"
                                   "points: [ points.csv ]\n";
#define LOG_POINTS(site)                                                                                               \
        "name,table,key,unit,access,min,max,default,safe_dir,brick,equipment\n" site                                   \
        "/z/ahu/sat,log,Supply,degC,,,,,,Supply_Air_Temperature_Sensor,ahu\n" site                                     \
        "/z/ahu/sat-sp,log,Setpoint,degC,RW,10,20,14,-,Supply_Air_Temperature_Setpoint,ahu\n"

        (void)state;
        put("site.yaml", site);
        put("points.csv", LOG_POINTS("s"));
        put("import.yaml", "site: site.yaml\ntime: { column: Time, format: \"%Y-%m-%d %H:%M\", zone: UTC }\n");
        put("log.csv", "Time,Supply,Setpoint\n2026-01-01 00:00,14.5,14\n2026-01-01 00:01,14.4,14\n"
                       "2026-01-01 00:02,14.3,14\n");
        assert_int_equal(run("import log.csv --map import.yaml --db log.db", MESSAGES), 0);
        assert_int_equal(run("replay --config site.yaml --log log.db --out one.db", MESSAGES), 0);
        assert_null(strstr(out, "of the"));
        put("points.csv", LOG_POINTS("s") "s/z/ahu/fan,log,Fan,ratio,RW,0.2,1,1,+,Fan_Speed_Command,ahu\n");
        assert_int_equal(run("replay --config site.yaml --log log.db --out two.db", MESSAGES), 0);
        has("warning: log.db holds 2 of the 3 points that decisions are made from, and not s/z/ahu/fan\n");
        put("points.csv", LOG_POINTS("t"));
        assert_int_equal(run("replay --config site.yaml --log log.db --out three.db", MESSAGES), 65);
        has("log.db holds none of the 2 points that decisions about s are made from: a log of another site?\n");
        assert_int_equal(run("db counts --db three.db", MESSAGES), 69); /* nothing was made */
#undef LOG_POINTS
}

/* What the columns do, as the code does it. */
static void help_tells_what_an_interlock_does(void **state)
{
        (void)state;
        assert_int_equal(run("points help", DATA), 0);
        has("interlock      name of a point: while it reads 1 or cannot be read, full cooling of the whole plant");
}

static void r1_points_check_echoes(void **state)
{
        (void)state;
        put("site.yaml", "site: { name: s }\n"
                         "equipment: [ { name: r1, brick: ICT_Rack } ]\n"
                         "devices: [ { name: d, protocol: modbus-tcp, host: h, address_style: modicon5 } ]\n"
                         "points: [ points.csv ]\n");
        put("points.csv", "name,device,table,address,type,unit,equipment,brick\n"
                          "s/a,d,holding,40100,float32,degF,,\n"
                          "s/b,d,holding,40103,uint16,degC,r1,Intake_Air_Temperature_Sensor\n"
                          "s/c,d,holding,40200,uint16,,,\n");
        assert_int_equal(run("check-config site.yaml", DATA), 0);
        has("site.yaml: ok, site s: 1 device, 1 piece of equipment, 0 zones, 3 points\n");
        assert_int_equal(run("points check --config site.yaml", DATA), 0);
        has("points.csv:2: s/a d holding 99 unit 1 (40100)..100 float32 ABCD scale 1 offset 0 unit degF role none "
            "stale_after 30s\n");
        assert_int_equal(run("points list --config site.yaml", DATA), 0);
        has("s/b");
        assert_int_equal(run("points list --json --config site.yaml", DATA), 0);
        has("{\"name\":\"s/c\",\"role\":\"none\",");
        has("\"table\":\"holding\",\"address\":199,\"registers\":1,");
        assert_int_equal(run("points plan --config site.yaml", DATA), 0);
        has("d: 2 requests for 3 points every 5 s\n");
        has("holding     99..102     4 registers, 2 points\n");
        assert_int_equal(run("points plan --json --config site.yaml", DATA), 0);
        has("{\"unit_id\":1,\"table\":\"holding\",\"address\":99,\"count\":4,\"points\":[\"s/a\",\"s/b\"]}");
        assert_int_equal(run("points help", DATA), 0);
        has("\n  safe_dir       direction of more cooling");
        has("\n  inlet_temp      ICT_Rack                   Intake_Air_Temperature_Sensor\n");
        assert_int_equal(run("points probe --config site.yaml", DATA), 2);
}

static void test_examples_are_clean(void **state)
{
        (void)state;
        assert_int_equal(run("check-config --json " COOLPLANE_SOURCE_DIR "/deploy/examples/hall/site.yaml", DATA), 0);
        has("\"ok\":true,\"errors\":0,\"warnings\":0,\"messages\":[],");
        assert_int_equal(run("check-config --json " COOLPLANE_SOURCE_DIR "/deploy/examples/tiny/site.yaml", DATA), 0);
        has("\"warnings\":0,");
        assert_int_equal(run("check-config --json " COOLPLANE_SOURCE_DIR "/deploy/examples/ahu-mzvav/site.yaml", DATA),
                         0);
        has("\"warnings\":0,");
        has("\"points\":18,");
}

static int setup(void **state)
{
        (void)state;
        (void)snprintf(dir, sizeof(dir), "/tmp/coolplane-points-XXXXXX");
        return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
        char cmd[128];
        (void)state;
        (void)snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
        return system(cmd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(unsupervised_device_is_named),      cmocka_unit_test(r24_check_config),
            cmocka_unit_test(lease_outlives_two_steps),          cmocka_unit_test(r24_check_config),
            cmocka_unit_test(unreadable_site_has_one_error),     cmocka_unit_test(replay_wants_the_sites_log),
            cmocka_unit_test(help_tells_what_an_interlock_does), cmocka_unit_test(r1_points_check_echoes),
            cmocka_unit_test(test_examples_are_clean),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
