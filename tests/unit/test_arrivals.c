/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The trace of VMs that come and go: reader, lifetimes, generator. The Azure trace itself when the data folder is
 * there. */
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

#include "sim/arrivals.h"

static char dir[] = "/tmp/coolplane-arrivals.XXXXXX";
enum { FLAVOURS, LIVES, WHAT, LIFE, NFILE };
static const char *const file_name[NFILE] = {"flav_map.txt", "v1.interval_map.txt", "v1.dev.txt",
                                             "v1.dev.c2100000.txt"};
static const char *const good[NFILE] = {"1,1.75 b\n8,64 p\n", "0 0\n300 1\n600 2\n900 2\n1200 3\n",
                                        "600 b,|,p,b,|\n900 \n1200 p,|,\r\n", "600 U0,|,C1,U2,|,\n900 \n1200 U3,|\n"};

static int make_dir(void **state)
{
        (void)state;
        return mkdtemp(dir) == NULL;
}

static void put(const char *const *text)
{
        for (size_t k = 0; k < NFILE; k++) {
                char path[80];
                FILE *f;

                (void)snprintf(path, sizeof(path), "%s/%s", dir, file_name[k]);
                (void)unlink(path);
                if (text[k] == NULL)
                        continue;
                f = fopen(path, "w");
                assert_non_null(f);
                assert_true(fputs(text[k], f) >= 0);
                assert_int_equal(fclose(f), 0);
        }
}

static int remove_dir(void **state)
{
        static const char *const none[NFILE];

        (void)state;
        put(none);
        return rmdir(dir);
}

static void a_folder_is_read(void **state)
{
        struct arrivals *a = NULL;
        double cores, mem_gib;
        char err[256] = "";
        struct rng rng;
        size_t first;

        (void)state;
        put(good);
        assert_int_equal(arrivals_load(dir, &a, err), 0);
        assert_int_equal(arrivals_nbin(a), 3);
        assert_int_equal(arrivals_in_bin(a, 0, &first), 3);
        assert_int_equal(first, 0);
        assert_int_equal(arrivals_in_bin(a, 1, &first), 0);
        assert_int_equal(arrivals_in_bin(a, 2, &first), 1);
        assert_int_equal(first, 3);
        arrivals_size(a, 1, &cores, &mem_gib);
        assert_true(cores == 8.0 && mem_gib == 64.0);
        arrivals_size(a, 2, &cores, &mem_gib);
        assert_true(cores == 1.0 && mem_gib == 1.75);
        assert_true(arrivals_life_max_s(a) == 1500.0);
        rng_seed(&rng, 1, 1);
        for (int i = 0; i < 200; i++) {
                double s = arrivals_life_s(a, 0, &rng);

                assert_true(s > 0.0 && s <= 300.0);
                s = arrivals_life_s(a, 1, &rng); /* still running at 300-600 s: it did not end there */
                assert_true(s >= 600.0 && s <= 1500.0);
                s = arrivals_life_s(a, 2, &rng);
                assert_true(s >= 600.0 && s <= 1200.0);
        }
        a = arrivals_free(a);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
        static const struct {
                int file;
                const char *text, *why;
        } bad[] = {{FLAVOURS, "", "flav_map.txt:0: no flavour"},
                   {FLAVOURS, "1,2\n", "flav_map.txt:1: expected CORES,GIB LETTER"},
                   {FLAVOURS, "1 b\n", "flav_map.txt:1: expected CORES,GIB LETTER"},
                   {FLAVOURS, "1,1 b\n1,2 b\n", "flav_map.txt:2: too many flavours, or twice the same: b"},
                   {FLAVOURS, "nan,1 b\n", "flav_map.txt:1: expected CORES,GIB LETTER"},
                   {LIVES, "0 0\n", "v1.interval_map.txt:1: fewer than two bins"},
                   {LIVES, "0 0\n300 2\n", "v1.interval_map.txt:2: seconds and bins must rise"},
                   {LIVES, "0 0\n300 1\n300 1\n", "v1.interval_map.txt:3: seconds and bins must rise"},
                   {LIVES, "0 x\n", "v1.interval_map.txt:1: expected SECONDS BIN"},
                   {WHAT, "600 b,|,p,b,|\n900\n1200 p,|\n", "v1.dev.c2100000.txt:2: expected the time stamp"},
                   {WHAT, "600 b,|,z,b,|\n900 \n1200 p,|\n", "v1.dev.txt:1: no such flavour: z"},
                   {WHAT, "600 b,|,p,|\n900 \n1200 p,|\n", "v1.dev.c2100000.txt:1: not as many as in the other file"},
                   {WHAT, "600 b,|,p,b,|\n900 \n", "v1.dev.c2100000.txt:3: goes on after the other file"},
                   {LIFE, "600 U0,|,C1,U2,|\n900 \n", "v1.dev.c2100000.txt:2: ends before the other file"},
                   {LIFE, "600 U0,|,C1,U2,|\n901 \n1200 U3\n", "v1.dev.c2100000.txt:2: expected the time stamp"},
                   {LIFE, "600 U0,|,C1,U4,|\n900 \n1200 U3\n", "v1.dev.c2100000.txt:1: expected U or C and a bin: U4"},
                   {LIFE, "600 U0,|,X1,U2,|\n900 \n1200 U3\n", "v1.dev.c2100000.txt:1: expected U or C and a bin: X1"}};
        struct arrivals *a = NULL;
        char err[256];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                const char *text[NFILE];

                memcpy(text, good, sizeof(text));
                text[bad[i].file] = bad[i].text;
                put(text);
                err[0] = '\0';
                assert_int_equal(arrivals_load(dir, &a, err), -EINVAL);
                if (strstr(err, bad[i].why) == NULL)
                        fail_msg("\"%s\" instead of \"%s\"", err, bad[i].why);
                assert_null(a);
        }
        put((const char *const[]){good[0], good[1], "600 b,|\n901 b,|\n", "600 U0,|\n901 U0,|\n"});
        assert_int_equal(arrivals_load(dir, &a, err), -EINVAL);
        assert_non_null(strstr(err, "v1.dev.txt:2: time stamps must be whole seconds, 300 apart"));
        put((const char *const[]){good[0], good[1], "600 \n", "600 \n"});
        assert_int_equal(arrivals_load(dir, &a, err), -EINVAL);
        assert_non_null(strstr(err, "v1.dev.txt:1: nothing arrives"));
        for (size_t k = 0; k < NFILE; k++) {
                const char *text[NFILE];

                memcpy(text, good, sizeof(text));
                text[k] = NULL;
                put(text);
                assert_int_equal(arrivals_load(dir, &a, err), -ENOENT);
                assert_non_null(strstr(err, file_name[k]));
        }
}

/* Of 1,000 VMs watched for one bin, half leave in it and half are still there; of 1,000 watched for four, a quarter
 * leaves in each. Who outlived the first bin lives on as the others that did: a third of them leaves in each bin after.
 */
static void censored_lives_go_on_as_others_did(void **state)
{
        char what[9000] = "0 ", life[9000] = "0 ";
        struct arrivals *a = NULL;
        double n[4] = {0}, vms, cores;
        char err[256] = "";
        struct rng rng;
        int w = 2, l = 2;

        (void)state;
        for (int i = 0; i < 2000; i++) {
                w += snprintf(what + w, sizeof(what) - (size_t)w, "b,");
                l += snprintf(life + l, sizeof(life) - (size_t)l, "%s%d,", i < 1000 && i % 2 ? "C" : "U",
                              i < 1000 ? 0 : i % 4);
        }
        put((const char *const[]){good[0], good[1], what, life});
        if (arrivals_load(dir, &a, err) != 0)
                fail_msg("%s", err);
        rng_seed(&rng, 7, 7);
        for (int i = 0; i < 30000; i++) {
                const double s = arrivals_life_s(a, 1, &rng);

                n[s < 300 ? 0 : s < 600 ? 1 : s < 1200 ? 2 : 3] += 1.0 / 30000.0;
        }
        assert_true(n[0] == 0.0);
        for (int k = 1; k < 4; k++)
                assert_true(fabs(n[k] - 1.0 / 3.0) < 0.02);
        arrivals_running(a, &vms, &cores);
        /* means of the bins: 150, 450, 900, 1350 s */
        assert_true(fabs(vms * 300.0 - (500 * 150 + 500 * 900 + 250 * (150 + 450 + 900 + 1350))) < 30000);
        a = arrivals_free(a);
}

static void the_generator_is_seeded_and_has_a_day(void **state)
{
        struct arrivals *a = NULL, *b = NULL;
        double day = 0, night = 0, vms, cores;
        struct rng x, y;
        size_t first;

        (void)state;
        assert_int_equal(arrivals_synthetic(3, &a), 0);
        assert_int_equal(arrivals_synthetic(3, &b), 0);
        assert_int_equal(arrivals_nbin(a), 7 * 288);
        rng_seed(&x, 1, 1);
        rng_seed(&y, 1, 1);
        for (size_t k = 0; k < arrivals_nbin(a); k++) {
                const size_t n = arrivals_in_bin(a, k, &first);

                assert_int_equal(n, arrivals_in_bin(b, k, &first));
                if (n > 0)
                        assert_true(arrivals_life_s(a, first, &x) == arrivals_life_s(b, first, &y));
                day += k % 288 >= 144 && k % 288 < 216 ? (double)n : 0.0;
                night += k % 288 < 72 ? (double)n : 0.0;
        }
        assert_true(day > 1.3 * night);
        arrivals_running(a, &vms, &cores);
        print_message("synthetic: %.0f VMs, %.0f cores at once\n", vms, cores);
        assert_true(cores > vms && vms > 500 && vms < 50000);
        a = arrivals_free(a);
        assert_int_equal(arrivals_synthetic(4, &a), 0);
        assert_true(arrivals_in_bin(a, 0, &first) != arrivals_in_bin(b, 0, &first) ||
                    arrivals_in_bin(a, 1, &first) != arrivals_in_bin(b, 1, &first));
        a = arrivals_free(a);
        b = arrivals_free(b);
}

static void the_azure_trace_is_read(void **state)
{
        const char *env = getenv("COOLPLANE_DATA");
        char path[512], err[256] = "";
        struct arrivals *a = NULL;
        double vms, cores;
        size_t n = 0, first;
        int r;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/workload/azure_v1_arrivals", env ? env : COOLPLANE_DATA_DEFAULT);
        r = arrivals_load(path, &a, err);
        if (r == -ENOENT) {
                print_message("SKIPPED: %s\n", err);
                skip();
        }
        if (r != 0)
                fail_msg("%s", err);
        assert_int_equal(arrivals_nbin(a), 864); /* three whole days of 83.3 h */
        for (size_t k = 0; k < 864; k++)
                n += arrivals_in_bin(a, k, &first);
        arrivals_running(a, &vms, &cores);
        print_message("Azure: %zu arrivals in 72 h, %.0f VMs and %.0f cores at once\n", n, vms, cores);
        assert_true(n > 200000 && n < 259159);
        /* censored VMs counted at their age alone would give about 24,000 cores */
        assert_true(cores > 26000 && cores < 150000);
        assert_true(arrivals_life_max_s(a) == 1728300.0);
        a = arrivals_free(a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_folder_is_read),
            cmocka_unit_test(what_is_wrong_is_named_with_its_line),
            cmocka_unit_test(censored_lives_go_on_as_others_did),
            cmocka_unit_test(the_generator_is_seeded_and_has_a_day),
            cmocka_unit_test(the_azure_trace_is_read),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
