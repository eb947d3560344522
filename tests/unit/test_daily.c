/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/store/daily.h"
#include "tests/unit/store_fixture.h"

#define MINUTE 60000
#define HOUR (60 * (int64_t)MINUTE)
#define DAY (24 * HOUR)
#define T0 (20000 * DAY) /* 2024-10-04, a Friday */
#define near(a, b) assert_true(fabs((a) - (b)) < 1e-6)

enum { INLET, POWER, SUPPLY, SAT_SP, FAN, VALVE, POWER2, RETURN };

static struct store *open_store(struct fixture *f)
{
        struct store *s = NULL;
        assert_int_equal(store_open(f->db, STORE_WRITE, &s, f->err), 0);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        return s;
}

static void put(struct store *s, uint32_t point, int64_t t_ms, double value)
{
        const struct sample v = fixture_sample(point, t_ms, value);
        assert_int_equal(store_append_samples(s, &v, 1, NULL), 0);
}

/* Every minute from t until end. */
static void fill(struct store *s, uint32_t point, int64_t t, int64_t end, double value)
{
        struct sample v[1440];
        while (t < end) {
                size_t n = 0;
                for (; n < 1440 && t < end; t += MINUTE)
                        v[n++] = fixture_sample(point, t, value);
                assert_int_equal(store_append_samples(s, v, n, NULL), 0);
        }
}

static struct daily *load(struct store *s, struct fixture *f, int64_t offset_ms, int64_t skip_ms)
{
        const struct daily_args a = {
            .site = &f->site, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .offset_ms = offset_ms, .skip_ms = skip_ms};
        struct daily *d = NULL;
        assert_int_equal(daily_load(s, &a, &d), 0);
        return d;
}

static void means_are_of_time(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        struct store *s = open_store(f);
        f->site.limits.inlet_recommended_c = 27.0;
        fill(s, POWER, T0, T0 + 12 * HOUR, 4000.0);
        fill(s, POWER, T0 + 12 * HOUR, T0 + 2 * DAY, 8000.0);
        fill(s, INLET, T0, T0 + 2 * DAY, 28.0);
        fill(s, FAN, T0, T0 + DAY - HOUR, 0.5); /* 96 % of the first day with what is held */
        fill(s, VALVE, T0, T0 + 20 * HOUR, 0.5);
        f->point[RETURN].stale_after_ms = 8 * HOUR;
        for (int64_t t = T0; t < T0 + DAY; t += 6 * HOUR) /* held longer */
                put(s, RETURN, t, (double)(t - T0) / (double)HOUR);
        struct daily *d = load(s, f, 0, 0);
        assert_int_equal(d->n, 2);
        assert_int_equal(d->day[0].day, 20000);
        assert_false(d->day[0].weekend);
        assert_true(d->day[1].weekend);
        near(d->mean[POWER], 6000.0);
        near(d->mean[d->npoint + POWER], 8000.0);
        near(d->mean[FAN], 0.5);
        assert_true(isnan(d->mean[VALVE]) && isnan(d->mean[d->npoint + FAN]) && isnan(d->mean[SUPPLY]));
        near(d->mean[RETURN], 9.0);
        assert_true(isnan(d->day[0].power_w[DAILY_RACKS])); /* the other rack is silent */
        assert_true(isnan(d->day[0].power_w[DAILY_SERVER_FANS]));
        near(d->day[0].power_w[DAILY_TOWERS], 0.0); /* there is none */
        near(d->day[0].inlet_c, 28.0);
        near(d->day[0].over_recommended_k_min, 1440.0);
        assert_true(isnan(d->day[0].wetbulb_c));
        daily_free(d);
        fill(s, POWER2, T0, T0 + DAY, 1000.0);
        d = load(s, f, 0, 0);
        near(d->day[0].power_w[DAILY_RACKS], 7000.0);
        assert_true(isnan(d->day[1].power_w[DAILY_RACKS]));
        daily_free(d);
        d = load(s, f, 0, 12 * HOUR); /* the first half of each day left out */
        near(d->mean[POWER], 8000.0);
        daily_free(d);
        d = load(s, f, 6 * HOUR, 0); /* midnight is at 18:00 UTC of the day before */
        assert_int_equal(d->n, 3);
        assert_true(isnan(d->mean[POWER])); /* 18 of 24 hours */
        near(d->mean[d->npoint + POWER], 8000.0);
        daily_free(d);
        store_close(s);
        fixture_free(f);
}

static void exposure_is_of_the_readings_there_are(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        struct store *s = open_store(f);
        f->site.limits.inlet_recommended_c = 27.0;
        fill(s, INLET, T0, T0 + 23 * HOUR, 28.0);
        fill(s, INLET, T0 + DAY, T0 + DAY + 12 * HOUR, 28.0);
        put(s, POWER, T0 + 3 * DAY - 1, 1.0);
        struct daily *d = load(s, f, 0, 0);
        near(d->day[0].over_recommended_k_min, 1440.0); /* a minute lost is no cooler minute */
        assert_true(isnan(d->day[1].over_recommended_k_min) && isnan(d->day[2].over_recommended_k_min));
        daily_free(d);
        f->point[INLET].role = ROLE_OUTLET_TEMP; /* no inlets at all */
        d = load(s, f, 0, 0);
        assert_true(isnan(d->day[0].over_recommended_k_min));
        daily_free(d);
        store_close(s);
        fixture_free(f);
}

static void a_bad_reading_ends_what_was_held(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        struct store *s = open_store(f);
        f->point[POWER].stale_after_ms = 30 * HOUR;
        put(s, POWER, T0, 100.0);
        put(s, POWER, T0 + 23 * HOUR, (double)NAN); /* 95.8 % are known */
        put(s, POWER2, T0, 5.0);
        put(s, POWER2, T0 + HOUR, (double)NAN);
        struct daily *d = load(s, f, 0, 0);
        near(d->mean[POWER], 100.0);
        assert_true(isnan(d->mean[POWER2]));
        daily_free(d);
        store_close(s);
        fixture_free(f);
}

static void decisions_say_who_was_in_force(void **state)
{
        static const char *const mode[] = {"SHADOW", "ACTIVE", "HOLD", "RELEASE"};
        (void)state;
        struct fixture *f = fixture_create();
        struct store *s = open_store(f);
        struct store_run run = {.mode = "live", .t_ms = T0, .version = "t", .config_hash = f->site.hash};
        int64_t id, decision;
        assert_int_equal(store_begin_run(s, &run, &id), 0);
        f->site.fast_step_ms = 6 * HOUR;
        for (int k = 0; k < 8; k++) {
                const double u[1] = {0.0};
                const struct safety_certificate cert = {0};
                const struct store_decision dec = {.t_ms = T0 + k * 6 * HOUR,
                                                   .step = (uint64_t)k,
                                                   .mode = mode[k % 4],
                                                   .binding = "",
                                                   .cert = &cert,
                                                   .action = u,
                                                   .confirmed = u,
                                                   .nu = 1,
                                                   .move = ""};
                assert_int_equal(store_put_decision(s, id, &dec, &decision), 0);
        }
        put(s, POWER, T0, 1.0);
        put(s, POWER, T0 + 2 * DAY - 1, 1.0);
        struct daily *d = load(s, f, 0, 0);
        for (size_t k = 0; k < 2; k++) {
                near(d->day[k].ours, 0.5);
                near(d->day[k].shadow, 0.25);
                near(d->day[k].decided, 1.0);
        }
        daily_free(d);
        store_close(s);
        fixture_free(f);
}

static void what_is_not_there(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        struct store *s = open_store(f);
        struct daily_args a = {.site = &f->site, .from_ms = INT64_MIN, .to_ms = INT64_MAX};
        struct daily *d = NULL;
        assert_int_equal(daily_load(s, &a, &d), -ENODATA);
        put(s, POWER, T0, 1.0);
        a.from_ms = T0 + 1;
        assert_int_equal(daily_load(s, &a, &d), -ENODATA);
        put(s, POWER, T0 + 30 * 366 * DAY, 1.0);
        a.from_ms = INT64_MIN;
        assert_int_equal(daily_load(s, &a, &d), -ERANGE);
        assert_null(d);
        assert_null(daily_free(NULL));
        f->point[POWER2].equipment = 0;
        assert_string_equal(daily_unmetered(&f->site), "crah-1");
        f->point[RETURN].role = ROLE_CRAH_POWER;
        assert_null(daily_unmetered(&f->site));
        f->equipment[0].cls = EQ_WEATHER;
        assert_null(daily_unmetered(&f->site));
        store_close(s);
        fixture_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(means_are_of_time),
            cmocka_unit_test(exposure_is_of_the_readings_there_are),
            cmocka_unit_test(a_bad_reading_ends_what_was_held),
            cmocka_unit_test(decisions_say_who_was_in_force),
            cmocka_unit_test(what_is_not_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
