/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Site files: what they say is built, what is wrong is named with its line. */
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

#include "agent/base/exitcode.h"
#include "sim/plant_text.h"
#include "sim/serve_world.h"

static char dir[] = "/tmp/coolplane-site.XXXXXX";

static int make_dir(void **state)
{
        (void)state;
        return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
        char path[64];

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/site.yaml", dir);
        (void)unlink(path);
        (void)snprintf(path, sizeof(path), "%s/curves.csv", dir);
        (void)unlink(path);
        return rmdir(dir);
}

static void put(const char *name, const char *text)
{
        char path[64];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static const char whole[] = "# a machine room\n"
                            "---\n"
                            "name: cellar-2   # short\n"
                            "rooms: 2\n"
                            "crahs: 5\n"
                            "racks: 20\n"
                            "chillers: 2\n"
                            "rack_design_w: 8e3\n"
                            "crah_airflow_m3s: 2.5\n"
                            "crah_fan_w: 2000\n"
                            "crah_capacity_w: 40e3\n"
                            "chiller_capacity_w: 150e3\n"
                            "containment_ratio: 0.3\n"
                            "economiser: true\n"
                            "hosts_per_rack: 6\n"
                            "vms: 300\n"
                            "loop_volume_m3: 2\n"
                            "seed: 9\r\n";

static void a_whole_site_is_read_and_built(void **state)
{
        struct plant_text t;
        struct weather *weather = NULL;
        struct workload *load = NULL;
        struct plant *p = NULL;
        struct plant_account a;
        char err[256] = "";

        (void)state;
        assert_int_equal(plant_text_parse(whole, "x", &t, err), 0);
        assert_string_equal(t.spec.name, "cellar-2");
        assert_true(t.spec.nroom == 2 && t.spec.ncrah == 5 && t.spec.nrack == 20 && t.spec.nchiller == 2);
        assert_true(t.spec.rack_design_w == 8e3 && t.spec.crah_airflow_m3s == 2.5 && t.spec.crah_fan_w == 2000);
        assert_true(t.spec.crah_capacity_w == 40e3 && t.spec.chiller_capacity_w == 150e3);
        assert_true(t.spec.containment == 0.3 && t.spec.economiser && t.spec.loop_volume_m3 == 2);
        assert_true(t.spec.hosts_per_rack == 6 && t.spec.vms == 300 && t.spec.seed == 9);
        assert_true(t.spec.curves == NULL && t.spec.ncurves == 0);
        assert_int_equal(weather_synthetic(9, &weather), 0);
        assert_int_equal(workload_synthetic(9, 300, &load), 0);
        assert_int_equal(plant_create(&t.spec, weather, load, INT64_C(1649635200000), &p), 0);
        plant_advance(p, 3600);
        plant_account(p, &a);
        assert_true(a.it_kwh > 20 && a.it_kwh < 160 && a.max_inlet_c < 30);
        p = plant_free(p);
        load = workload_free(load);
        weather = weather_free(weather);
}

static void like_takes_the_rest_from_a_named_site(void **state)
{
        struct plant_spec hall;
        struct plant_text t;
        char err[256] = "";

        (void)state;
        assert_int_equal(plant_spec_named("hall", &hall), 0);
        assert_int_equal(hall.nrack, 48);
        assert_true(hall.rack_design_w == 20e3 && hall.chiller_capacity_w == 500e3 && hall.loop_volume_m3 == 6.5);
        assert_true(hall.vms == 1920 && hall.hosts_per_rack == 10 && !hall.economiser && hall.seed == 1);
        assert_int_equal(plant_text_parse("like: hall\n", "x", &t, err), 0);
        assert_memory_equal(&t.spec, &hall, sizeof(hall));
        assert_int_equal(
            plant_text_parse("\n# mine\nlike: \"hall\"\ncontainment_ratio: 1\nname: hall_b\n", "x", &t, err), 0);
        assert_true(t.spec.containment == 1.0 && t.spec.nrack == 48);
        assert_string_equal(t.spec.name, "hall_b");
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
        static const struct {
                const char *text, *why;
        } bad[] = {{"", "s:0: missing: name"},
                   {"like: nowhere\n", "s:1: like: tiny, hall or campus"},
                   {"name: a\nlike: hall\n", "s:2: like: must be the first key"},
                   {"like: hall\nracks: 10\nracks: 11\n", "s:3: given twice: racks"},
                   {"like: hall\nrakcs: 10\n", "s:2: no such key: rakcs"},
                   {"like: hall\nracks 10\n", "s:2: not a line: expected \"key: value\""},
                   {"like: hall\nracks: 0\n", "s:2: racks: a whole number from 1 to 2048"},
                   {"like: hall\nracks: 2049\n", "s:2: racks: a whole number from 1 to 2048"},
                   {"like: hall\nracks: 4.5\n", "s:2: racks: a whole number"},
                   {"like: hall\nracks:\n", "s:2: racks: a whole number"},
                   {"like: hall\nrack_design_w: nan\n", "s:2: rack_design_w: a number from 100 to 1e+06"},
                   {"like: hall\nrack_design_w: 20 kW\n", "s:2: rack_design_w: a number"},
                   {"like: hall\n\ncontainment_ratio: 1.01\n", "s:3: containment_ratio: a number from 0 to 1"},
                   {"like: hall\neconomiser: yes\n", "s:2: economiser: true or false"},
                   {"like: hall\nname: a/b\n", "s:2: name: 1 to 31"},
                   {"like: hall\nname:\n", "s:2: name: 1 to 31"},
                   {"like: hall\nrooms: 13\n", "s:2: rooms: more than CRAHs or racks"},
                   {"like: hall\nloop_volume_m3: 0.05\n",
                    "s:2: loop_volume_m3: at least 0.9954 with these pumps (17 s of their flow)"},
                   {"like: hall\n\ncrahs: 12\nloop_volume_m3: 0.995\n", "s:4: loop_volume_m3: at least 0.9954 with"},
                   {"like: hall\nchiller_capacity_w: 4e6\n", "s:1: loop_volume_m3: at least 7.963 with"},
                   {"like: hall\ncrah_capacity_w: 2e6\n", "s:1: loop_volume_m3: at least 13.65 with"},
                   {"like: hall\nchiller_rows: a\n", "s:2: chiller_rows: without chiller_curves"},
                   {"like: hall\nchiller_curves:\n", "s:2: chiller_curves: empty"}};
        struct plant_text t;
        char err[256];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                err[0] = '\0';
                assert_int_equal(plant_text_parse(bad[i].text, "s", &t, err), -EINVAL);
                if (strstr(err, bad[i].why) != err)
                        fail_msg("\"%s\" instead of \"%s\"", err, bad[i].why);
        }
        /* each key but the optional ones is missed */
        for (const char *line = strstr(whole, "name:"); *line != '\0'; line = strchr(line, '\n') + 1) {
                const size_t len = (size_t)(strchr(line, '\n') - line) + 1;
                char text[sizeof(whole)];

                (void)snprintf(text, sizeof(text), "%.*s%s", (int)(line - whole), whole, line + len);
                assert_int_equal(plant_text_parse(text, "s", &t, err), -EINVAL);
                assert_non_null(strstr(err, "missing: "));
        }
}

#define CSV_HEAD                                                                                                       \
        "name,QEva_flow_nominal_W,COP_nominal,PLRMin,PLRMinUnl,PLRMax,TEvaLvg_nominal_C,TEvaLvgMin_C,TEvaLvgMax_C,"    \
        "TConEnt_nominal_C,TConEntMin_C,TConEntMax_C,cap0,cap1,cap2,cap3,cap4,cap5,eirT0,eirT1,eirT2,eirT3,eirT4,"     \
        "eirT5,plr0,plr1,plr2\n"
#define CSV_ROW(name) name ",-500000,6,0.1,0.2,1.05,7,4,20,27,15,33,1,0,0,0,0,0,1,0,0,0,0,0,0.1,0.5,0.4\n"

static void curves_are_found_beside_the_file(void **state)
{
        struct plant_spec s;
        struct chiller_curves *curves = NULL;
        char path[64], err[256];

        (void)state;
        put("curves.csv", CSV_HEAD CSV_ROW("one") CSV_ROW("two") CSV_ROW("three"));
        (void)snprintf(path, sizeof(path), "%s/site.yaml", dir);
        put("site.yaml", "like: hall\nchiller_curves: curves.csv\n");
        assert_int_equal(plant_spec_load(path, &s, &curves, err), 0);
        assert_true(s.ncurves == 3 && s.curves == curves);
        free(curves);
        put("site.yaml", "like: hall\nchiller_curves: curves.csv\nchiller_rows: three , one\n");
        assert_int_equal(plant_spec_load(path, &s, &curves, err), 0);
        assert_int_equal(s.ncurves, 2);
        assert_string_equal(s.curves[0].name, "three");
        assert_string_equal(s.curves[1].name, "one");
        free(curves);
        put("site.yaml", "like: hall\nchiller_rows: four\nchiller_curves: curves.csv\n");
        assert_int_equal(plant_spec_load(path, &s, &curves, err), -EINVAL);
        assert_non_null(strstr(err, "site.yaml:2: chiller_rows: no row \"four\""));
        put("site.yaml", "like: hall\n\nchiller_curves: nothing.csv\n");
        assert_int_equal(plant_spec_load(path, &s, &curves, err), -EINVAL);
        assert_non_null(strstr(err, "site.yaml:3: chiller_curves: "));
        put("curves.csv", CSV_HEAD "broken\n");
        put("site.yaml", "like: hall\n\nchiller_curves: curves.csv\n");
        assert_int_equal(plant_spec_load(path, &s, &curves, err), -EINVAL);
        assert_non_null(strstr(err, "curves.csv:2: "));
        assert_int_equal(plant_spec_load("/nonexistent/site.yaml", &s, &curves, err), -ENOENT);
        assert_int_equal(plant_spec_load(dir, &s, &curves, err), -EISDIR);
}

/* What --site takes. */
static void a_site_is_a_name_or_a_file(void **state)
{
        char path[64];
        struct plant_spec s;
        struct chiller_curves *curves;
        struct world w;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/site.yaml", dir);
        put("curves.csv", CSV_HEAD CSV_ROW("one"));
        put("site.yaml", "like: tiny\nname: mine\nracks: 9\nchiller_curves: curves.csv\nseed: 4\n");
        assert_int_equal(world_spec(&(struct world_args){.site = path, .economiser = true}, &s, &curves), EXIT_OK);
        assert_true(s.nrack == 9 && s.economiser && s.ncurves == 1 && s.curves == curves && s.seed == 4);
        free(curves);
        assert_int_equal(world_create(&(struct world_args){.site = path, .seed = 6, .arrivals = "synthetic"},
                                      INT64_C(1649635200000), &w),
                         EXIT_OK);
        assert_true(plant_spec(w.plant)->nrack == 9 && plant_spec(w.plant)->seed == 6 && plant_nvm(w.plant) > 0);
        plant_advance(w.plant, 600);
        world_free(&w);
        assert_int_equal(world_spec(&(struct world_args){.site = "tiny"}, &s, &curves), EXIT_OK);
        assert_true(s.nrack == 8 && curves == NULL);
        assert_int_equal(world_spec(&(struct world_args){.site = "/nowhere"}, &s, &curves), EXIT_USAGE_);
        put("site.yaml", "like: tiny\nracks: many\n");
        assert_int_equal(world_spec(&(struct world_args){.site = path}, &s, &curves), EXIT_DATA);
        assert_int_equal(world_create(&(struct world_args){.site = "tiny", .arrivals = dir}, 0, &w), EXIT_IO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_whole_site_is_read_and_built),
            cmocka_unit_test(like_takes_the_rest_from_a_named_site),
            cmocka_unit_test(what_is_wrong_is_named_with_its_line),
            cmocka_unit_test(curves_are_found_beside_the_file),
            cmocka_unit_test(a_site_is_a_name_or_a_file),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
