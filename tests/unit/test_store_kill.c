/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * kill -9 of a writing process at random instants: what the store acknowledged is there afterwards or was purged on
 * purpose, batches and decisions are whole, counters agree with the rows. The child reports what was acknowledged
 * through shared memory, written only after the call returned 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/store_fixture.h"

#define CYCLES 100
#define BATCH 20
#define NU 3
#define T0 1700000000000

struct acked {
        _Atomic int64_t samples, decisions;
};

static uint64_t seed;

static uint64_t next_random(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed;
}

static _Noreturn void child(struct fixture *f, struct acked *a)
{
        struct store *s = NULL;
        struct store_counts c;
        int64_t run = 0;
        struct store_run info = {.mode = "live", .t_ms = T0, .version = "test", .config_hash = f->site.hash};
        if (store_open(f->db, STORE_WRITE, &s, f->err) < 0 || store_bind_site(s, &f->site) < 0 ||
            store_begin_run(s, &info, &run) < 0 || store_counts(s, &c) < 0)
                _exit(9);
        int64_t n = c.samples + c.purged_good + c.purged_bad;
        for (uint64_t step = 0;; step++) {
                struct sample v[BATCH];
                for (int i = 0; i < BATCH; i++)
                        v[i] = fixture_sample((uint32_t)(i % FIXTURE_POINTS), T0 + n + i, (double)(n + i));
                size_t dup = 0;
                if (store_append_samples(s, v, BATCH, &dup) < 0 || dup != 0)
                        _exit(10);
                n += BATCH;
                atomic_store(&a->samples, n);
                double u[NU] = {1, 2, 3};
                struct store_decision d = {.t_ms = T0 + n, .step = step, .mode = "ACTIVE", .nu = NU, .action = u};
                if (store_put_decision(s, run, &d, NULL) < 0)
                        _exit(11);
                struct store_keep keep = {.samples_ms = T0 + n / 2, .max_bytes = INT64_MAX, .records_ms = INT64_MIN};
                struct store_purged p;
                if (step % 16 == 15 && store_purge(s, &keep, &p) < 0)
                        _exit(12);
                atomic_fetch_add(&a->decisions, 1);
        }
}

static int64_t number(struct store *s, const char *sql)
{
        char *json = NULL;
        assert_int_equal(store_query_json(s, sql, NULL, 0, &json), 0);
        assert_non_null(strchr(json, ':'));
        int64_t v = strtoll(strchr(json, ':') + 1, NULL, 10);
        free(json);
        return v;
}

static void test_kill(void **state)
{
        (void)state;
        struct fixture *f = fixture_create();
        struct acked *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(a != MAP_FAILED);
        atomic_init(&a->samples, 0);
        atomic_init(&a->decisions, 0);
        int64_t productive = 0, before = 0;
        for (int k = 0; k < CYCLES; k++) {
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        child(f, a);
                /* half of the kills fall anywhere from the start on, half after something was acknowledged */
                struct timespec ts = {.tv_nsec = 100000};
                for (int64_t at = atomic_load(&a->samples), i = 0;
                     k % 2 == 1 && atomic_load(&a->samples) == at && i < 50000; i++)
                        nanosleep(&ts, NULL);
                ts.tv_nsec = (long)(next_random() % 8000000);
                nanosleep(&ts, NULL);
                assert_int_equal(kill(pid, SIGKILL), 0);
                int status = 0;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status)); /* exited by itself = one of its calls failed */

                struct store *s = NULL;
                int r = store_open(f->db, STORE_WRITE, &s, f->err); /* recovers; the lock died with the child */
                if (r < 0)
                        fail_msg("cycle %d: %d %s", k, r, f->err);
                int64_t rows = number(s, "SELECT count(*) AS n FROM sample");
                struct store_counts c;
                assert_int_equal(store_counts(s, &c), 0);
                assert_int_equal(rows, c.samples);
                int64_t held = rows, purged = c.purged_good + c.purged_bad;
                assert_true(purged == 0 || c.first_t_ms == T0 + purged); /* nothing but the oldest */
                rows += purged;
                assert_true(rows >= atomic_load(&a->samples)); /* acknowledged rows are there */
                assert_int_equal(rows % BATCH, 0);             /* no torn batch */
                assert_int_equal(held,
                                 number(s, "SELECT count(*) AS n FROM sample WHERE value = t_ms - 1700000000000"));
                int64_t decisions = number(s, "SELECT count(*) AS n FROM decision");
                assert_true(decisions >= atomic_load(&a->decisions));
                assert_int_equal(decisions, c.decisions);
                assert_int_equal(decisions * NU, number(s, "SELECT count(*) AS n FROM decision_var"));
                atomic_store(&a->decisions, decisions);
                productive += rows > before;
                before = rows;
                if (k % 25 == 24)
                        assert_int_equal(number(s, "SELECT count(*) AS n FROM pragma_integrity_check"
                                                   " WHERE integrity_check <> 'ok'"),
                                         0);
                store_close(s);
        }
        print_message("%d kills, %lld of them after new rows; %lld rows, none lost\n", CYCLES, (long long)productive,
                      (long long)before);
        assert_true(productive > CYCLES / 4); /* else the kills came before anything was written */
        munmap(a, sizeof *a);
        fixture_free(f);
}

int main(void)
{
        const char *env = getenv("COOLPLANE_SEED");
        seed = env ? strtoull(env, NULL, 10) : (uint64_t)time(NULL);
        if (seed == 0)
                seed = 1;
        print_message("COOLPLANE_SEED=%llu\n", (unsigned long long)seed);
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
