/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The readers on the published files of the data folder; exits 77 without it. Expected values: counted in the files by
 * other programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/chiller_curves.h"
#include "sim/weather.h"
#include "sim/workload.h"

#define HOUR_MS INT64_C(3600000)
#define STEP_MS INT64_C(300000)
#define Y2022_MS INT64_C(1640995200000) /* 2022-01-01T00:00Z */

static const char *data_path(const char *name, char *buf, size_t size)
{
        const char *dir = getenv("COOLPLANE_DATA");

        (void)snprintf(buf, size, "%s/%s", dir != NULL ? dir : COOLPLANE_DATA_DEFAULT, name);
        return buf;
}

static void epw_hour_is_the_end_of_the_local_hour(void **state)
{
        char path[512], err[256] = "";
        struct weather *w = NULL;
        struct weather_now now;

        (void)state;
        data_path("weather/USA_IL_Chicago.OHare.epw", path, sizeof(path));
        assert_int_equal(weather_load(path, &w, err), 0);
        /* first data row: 1 January hour 1, -4.4 °C, 68 %, 99832 Pa; 01:00 at UTC-6 is 07:00 UTC, in any year */
        weather_at(w, Y2022_MS + 7 * HOUR_MS, &now);
        assert_true(fabs(now.oat_c - -4.4) < 1e-9);
        assert_true(fabs(now.rh_ratio - 0.68) < 1e-9);
        assert_true(fabs(now.pressure_pa - 99832.0) < 1e-6);
        weather_at(w, Y2022_MS + (365 + 365 + 366) * 24 * HOUR_MS + 7 * HOUR_MS, &now);
        assert_true(fabs(now.oat_c - -4.4) < 1e-9);
        w = weather_free(w);
}

static void openmeteo_offset_and_extremes(void **state)
{
        char path[512], err[256] = "";
        struct weather *w = NULL;
        double lo = 99.0, hi = -99.0;

        (void)state;
        data_path("weather/openmeteo/DE-LU_2022.json", path, sizeof(path));
        assert_int_equal(weather_load(path, &w, err), 0);
        for (int h = 0; h < 8760; h++) {
                struct weather_now now;

                weather_at(w, Y2022_MS + (h - 1) * HOUR_MS, &now); /* UTC+1 */
                lo = fmin(lo, now.oat_c);
                hi = fmax(hi, now.oat_c);
        }
        assert_true(fabs(lo - -9.5) < 1e-9 && fabs(hi - 36.6) < 1e-9); /* of the whole year */
        w = weather_free(w);
}

static void published_traces_read(void **state)
{
        char path[512], err[256] = "";
        struct workload *w = NULL;
        double mean = 0.0;

        (void)state;
        data_path("workload/planetlab_20110303_vm_cpu_pct_5min.csv", path, sizeof(path));
        assert_int_equal(workload_load(path, &w, err), 0);
        assert_int_equal(workload_nvm(w), 1052);
        for (size_t vm = 0; vm < 1052; vm++)
                for (int i = 0; i < 288; i++)
                        mean += workload_cpu_ratio(w, vm, i * STEP_MS) / (1052.0 * 288.0);
        assert_true(fabs(mean - 0.123) < 0.001); /* 12.3 % over all VMs and the day */
        w = workload_free(w);
        data_path("workload/azure_v2_month_5min_aggregate.csv", path, sizeof(path));
        assert_int_equal(workload_load(path, &w, err), 0);
        assert_int_equal(workload_nvm(w), 1);
        w = workload_free(w);
        data_path("workload/Alibaba_CPU_Data_Hourly_1.csv", path, sizeof(path));
        assert_int_equal(workload_load(path, &w, err), 0);
        assert_true(fabs(workload_cpu_ratio(w, 0, 0) - 0.38094) < 1e-4);
        w = workload_free(w);
}

/* No published set is more than 10 % off its own nominal COP; ours are those records. */
static void chillers_hold_at_their_rating(void **state)
{
        const struct chiller_curves *ours;
        const size_t nours = chiller_curves_builtin(&ours);
        struct chiller_curves *c = NULL;
        char path[512], err[256] = "";
        size_t n = 0, found = 0;

        (void)state;
        data_path("plant_curves/electric_eir_chillers_carrier_mcquay.csv", path, sizeof(path));
        assert_int_equal(chiller_curves_load(path, &c, &n, err), 0);
        assert_int_equal(n, 69);
        for (size_t i = 0; i < n; i++) {
                const double w =
                    chiller_power_w(&c[i], c[i].capacity_w, c[i].capacity_w, c[i].te_rating_c, c[i].tc_rating_c);

                assert_true(fabs(c[i].capacity_w / w / c[i].cop - 1.0) < 0.1);
                for (size_t k = 0; k < nours; k++)
                        if (c[i].capacity_w == ours[k].capacity_w && c[i].cop == ours[k].cop &&
                            memcmp(c[i].cap, ours[k].cap, sizeof(c[i].cap)) == 0) {
                                assert_memory_equal(c[i].eir, ours[k].eir, sizeof(c[i].eir));
                                assert_memory_equal(c[i].plr, ours[k].plr, sizeof(c[i].plr));
                                assert_true(c[i].plr_unloading == ours[k].plr_unloading);
                                found++;
                        }
        }
        assert_int_equal(found, nours);
        free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(chillers_hold_at_their_rating),
            cmocka_unit_test(epw_hour_is_the_end_of_the_local_hour),
            cmocka_unit_test(openmeteo_offset_and_extremes),
            cmocka_unit_test(published_traces_read),
        };
        char dir[512];

        if (access(data_path("weather", dir, sizeof(dir)), R_OK) != 0) {
                (void)fprintf(stderr, "SKIPPED: %s is missing (set COOLPLANE_DATA)\n", dir);
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
