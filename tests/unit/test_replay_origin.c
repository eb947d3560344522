/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What a replay's database says of itself, and by what a log is known again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/cli/replay_origin.h"
#include "tests/unit/store_fixture.h"

#define T0 INT64_C(1784062800000)
#define STEP_MS 30000
enum { STEPS = 2880 };

static struct store *make_log(const struct fixture *f, const char *name, size_t steps, double bias)
{
        char path[128], why[256];
        struct sample v[FIXTURE_POINTS];
        struct store *s = NULL;

        (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
        assert_int_equal(store_open(path, STORE_WRITE, &s, why), 0);
        assert_int_equal(store_bind_site(s, &f->site), 0);
        (void)store_unsynced(s);
        for (size_t k = 0; k < steps; k++) {
                for (uint32_t p = 0; p < FIXTURE_POINTS; p++)
                        v[p] = fixture_sample(p, T0 + (int64_t)k * STEP_MS + 1000,
                                              p == 7 ? (double)NAN : 20 + bias + (double)(k * (p + 1) % 97) / 50);
                assert_int_equal(store_append_samples(s, v, FIXTURE_POINTS, NULL), 0);
        }
        return s;
}

static void test_a_log_is_known_again(void **state)
{
        struct fixture *f = fixture_create();
        struct store *a = make_log(f, "a.db", STEPS, 0), *same = make_log(f, "b.db", STEPS + 50, 0),
                     *warm = make_log(f, "c.db", STEPS, 1e-9), *half = make_log(f, "d.db", STEPS / 2, 0);
        const int64_t to_ms = T0 + (int64_t)STEPS * STEP_MS;
        struct log_print print, brief;
        struct sample late = fixture_sample(0, to_ms - 60000, 30);
        char differs[160];

        (void)state;
        assert_int_equal(log_print_make(a, &f->site, T0, to_ms, &print), 0);
        /* a bounded part of it: 128 minutes of two steps each */
        assert_int_equal(print.samples, 128 * 2 * FIXTURE_POINTS);
        assert_int_equal(log_print_is(same, &f->site, &print, differs), 1); /* that went on meanwhile */
        assert_int_equal(store_append_samples(a, &late, 1, NULL), 0);       /* or is still filled in */
        assert_int_equal(log_print_is(a, &f->site, &print, differs), 1);
        assert_int_equal(log_print_is(warm, &f->site, &print, differs), 0);
        assert_non_null(strstr(differs, "from 2026-07-14T21:00:00.000Z to "));
        assert_non_null(strstr(differs, "other values"));
        assert_int_equal(log_print_is(half, &f->site, &print, differs), 0);
        assert_non_null(strstr(differs, "that one had 2048"));
        /* less than the minutes together: all of it */
        assert_int_equal(log_print_make(a, &f->site, T0, T0 + 3600000, &brief), 0);
        assert_int_equal(brief.samples, 110 * FIXTURE_POINTS);
        assert_int_equal(log_print_make(a, &f->site, T0, T0 + 60000, &brief), 0);
        assert_int_equal(brief.samples, 2 * FIXTURE_POINTS);
        assert_int_equal(log_print_is(warm, &f->site, &brief, differs), 0);
        store_close(a);
        store_close(same);
        store_close(warm);
        store_close(half);
        fixture_free(f);
}

static void test_a_replay_tells_what_it_is(void **state)
{
        struct fixture *f = fixture_create();
        struct store *s = make_log(f, "a.db", 1, 0);
        struct replay_origin o = {.what_if = true, .log = {T0, T0 + 60000, 77, UINT64_MAX - 1}}, back;
        struct store_run run = {.mode = "shadow", .t_ms = T0, .version = "t", .config_hash = f->site.hash};
        uint8_t blob[99] = {9};
        int64_t id;

        (void)state;
        /* a gate's: no end of its run, and it is no replay */
        assert_int_equal(store_begin_run(s, &run, &id), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_true(!back.replay && back.ended && !back.what_if && !back.logged);
        /* an earlier version's: its end is known, not its log */
        run.mode = "replay";
        assert_int_equal(store_begin_run(s, &run, &id), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_true(back.replay && !back.ended && !back.what_if && !back.logged);
        assert_int_equal(store_end_run(s, id, T0, "stopped"), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_true(back.replay && back.ended && !back.logged);
        /* one that failed: its run has an end */
        assert_int_equal(replay_origin_put(s, &o), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_true(back.replay && !back.ended && back.what_if && back.logged);
        o.ended = true;
        assert_int_equal(replay_origin_put(s, &o), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_true(back.ended && back.what_if);
        assert_true(back.log.from_ms == T0 && back.log.to_ms == T0 + 60000 && back.log.samples == 77 &&
                    back.log.sum == UINT64_MAX - 1);
        /* a later version's record says nothing to this one */
        assert_int_equal(store_put_state(s, "replay", T0, blob, 34), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_true(back.replay && back.ended && !back.what_if && !back.logged);
        assert_int_equal(store_put_state(s, "replay", T0, blob, sizeof blob), 0);
        assert_int_equal(replay_origin_get(s, &back), 0);
        assert_false(back.logged);
        store_close(s);
        fixture_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_log_is_known_again),
            cmocka_unit_test(test_a_replay_tells_what_it_is),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
