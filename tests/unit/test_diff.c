/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The decisions of two databases side by side: what is equal, what is missing, where a difference came from. */
#include "tests/unit/gate_rig.h"

#include <errno.h>

#include "agent/gate/diff.h"
#include "models/num/bytes.h"
#include "agent/store/store_internal.h"
#include "tests/unit/store_fixture.h"

#define T0 1700000000000
enum { STEP = 30000, NU = 2 };

/* --- decisions by hand ------------------------------------------------------------------------------------------- */

struct hand {
        struct fixture *f;
        struct store *s[2];
        int64_t run[2];
};

static int setup(void **state)
{
        struct hand *h = calloc(1, sizeof *h);
        char why[256];

        h->f = fixture_create();
        for (int k = 0; k < 2; k++) {
                struct store_run run = {
                    .mode = "replay", .t_ms = T0, .version = "0.1.0", .config_hash = h->f->site.hash};

                assert_int_equal(store_open(NULL, STORE_WRITE, &h->s[k], why), 0);
                assert_int_equal(store_bind_site(h->s[k], &h->f->site), 0);
                assert_int_equal(store_begin_run(h->s[k], &run, &h->run[k]), 0);
        }
        *state = h;
        return 0;
}

static int teardown(void **state)
{
        struct hand *h = *state;

        store_close(h->s[0]);
        store_close(h->s[1]);
        fixture_free(h->f);
        free(h);
        return 0;
}

/* A decision as all are; a test changes what it wants to. */
struct made {
        struct store_decision d;
        struct safety_certificate cert;
        double proposal[NU], action[NU], confirmed[NU];
};

static struct made usual(void)
{
        return (struct made){
            .d = {.mode = "SHADOW",
                  .kind = DECISION_ACCEPT,
                  .reason = DR_ACCEPTED,
                  .binding = "t/room/rack-1/inlet",
                  .move = "",
                  .predicted_w = 5000,
                  .predicted_std_w = (double)NAN,
                  .worst_inlet_c = 25},
            .cert = {.model_hash = 7, .margin = 1.5, .binding_y = 0, .binding_u = -1, .verified = true},
            .proposal = {20, 0.5},
            .action = {20, 0.5},
            .confirmed = {19, 0.5}};
}

static void put(struct hand *h, int side, uint64_t step, struct made m)
{
        m.d.t_ms = T0 + STEP * (int64_t)step;
        m.d.step = step;
        m.d.cert = &m.cert;
        m.d.proposal = m.proposal;
        m.d.action = m.action;
        m.d.confirmed = m.confirmed;
        m.d.nu = NU;
        assert_int_equal(store_put_decision(h->s[side], h->run[side], &m.d, NULL), 0);
}

static struct diff compare_stores(struct store *a, struct store *b, int64_t from_ms, int64_t to_ms)
{
        struct diff d;
        int side;

        assert_int_equal(diff_run(&(struct diff_args){.store = {a, b}, .from_ms = from_ms, .to_ms = to_ms}, &d, &side),
                         0);
        return d;
}

static struct diff compare(struct hand *h)
{
        return compare_stores(h->s[0], h->s[1], INT64_MIN, INT64_MAX);
}

static void test_nothing(void **state)
{
        struct hand *h = *state;
        struct diff d = compare(h);

        assert_true(d.both == 0 && d.equal == 0 && d.only[0] == 0 && d.before[0] == 0);
        diff_free(&d);
        for (int i = 0; i < DIFF_PARTS; i++)
                assert_non_null(diff_part_str((enum diff_part)i));
        assert_string_equal(diff_part_str(DIFF_PARTS), "unknown");
        put(h, 0, 3, usual());
        d = compare(h);
        assert_true(d.both == 0 && d.after[0] == 1 && d.after[1] == 0); /* B ends before it begins */
        diff_free(&d);
}

static void test_equal_with_nan(void **state)
{
        struct hand *h = *state;
        struct made m = usual();
        struct diff d;

        m.confirmed[0] = m.proposal[1] = m.cert.margin = m.action[1] = (double)NAN;
        for (uint64_t t = 0; t < 40; t++)
                for (int k = 0; k < 2; k++)
                        put(h, k, t, t % 2 ? m : usual());
        d = compare(h);
        assert_true(d.both == 40 && d.equal == 40 && d.config.same);
        assert_true(d.begin_ms == T0 && d.end_ms == T0 + 39 * (int64_t)STEP);
        for (int i = 0; i < DIFF_PARTS; i++)
                assert_int_equal(d.part[i].differs, 0);
        assert_int_equal(d.part[DIFF_READINGS].unknown, 40); /* without evidence nobody knows */
        diff_free(&d);
}

static void test_missing_on_either_side(void **state)
{
        struct hand *h = *state;
        struct diff d;

        for (uint64_t t = 0; t < 20; t++)
                if (t >= 2 && t != 7 && t != 8)
                        put(h, 0, t, usual());
        for (uint64_t t = 0; t < 25; t++)
                if (t != 8 && t != 11)
                        put(h, 1, t, usual());
        d = compare(h);
        assert_int_equal(d.both, 15); /* 2 … 19 less 7, 8, 11 */
        assert_int_equal(d.equal, 15);
        assert_true(d.only[0] == 1 && d.only_ms[0] == T0 + 11 * (int64_t)STEP);
        assert_true(d.only[1] == 1 && d.only_ms[1] == T0 + 7 * (int64_t)STEP);
        assert_true(d.before[0] == 0 && d.before[1] == 2 && d.after[0] == 0 && d.after[1] == 5);
        diff_free(&d);
        d = compare_stores(h->s[0], h->s[1], T0 + 9 * (int64_t)STEP, T0 + 13 * (int64_t)STEP);
        assert_true(d.both == 3 && d.only[0] == 1 && d.only[1] == 0); /* 9, 10, 12; 11 */
        diff_free(&d);
}

/* A second run that begins before the first ended, as after a clock set back. */
static void test_times_that_come_twice(void **state)
{
        struct hand *h = *state;
        struct store_run again = {.mode = "replay", .t_ms = T0, .version = "0.1.0", .config_hash = h->f->site.hash};
        struct diff d;

        for (uint64_t t = 0; t < 10; t++)
                for (int k = 0; k < 2; k++)
                        put(h, k, t, usual());
        assert_int_equal(store_begin_run(h->s[1], &again, &h->run[1]), 0);
        for (uint64_t t = 5; t < 15; t++)
                put(h, 1, t, usual());
        d = compare(h);
        assert_true(d.both == 10 && d.equal == 10 && d.again[1] == 5 && d.after[1] == 5 && d.again[0] == 0);
        diff_free(&d);
}

static void test_first_difference(void **state)
{
        struct hand *h = *state;
        struct made b = usual();
        struct diff d;

        for (uint64_t t = 0; t < 10; t++)
                put(h, 0, t, usual());
        for (uint64_t t = 0; t < 10; t++) {
                b = usual();
                if (t >= 3) /* another model from here on … */
                        b.cert.model_hash = 8;
                if (t >= 5) { /* … and by it another decision */
                        b.d.kind = DECISION_PROJECT;
                        b.d.reason = DR_WORST_CASE;
                        b.cert.margin = 0.25;
                        b.action[0] = t == 6 ? 18 : 19.5;
                }
                put(h, 1, t, b);
        }
        d = compare(h);
        assert_true(d.both == 10 && d.equal == 5);
        assert_true(d.kind == 5 && d.reason == 5 && d.binding == 0 && d.action == 5);
        assert_int_equal(d.by_kind[DECISION_ACCEPT][DECISION_PROJECT], 5);
        assert_int_equal(d.by_reason[DR_ACCEPTED][DR_WORST_CASE], 5);
        assert_int_equal(d.first_ms, T0 + 5 * (int64_t)STEP);
        assert_true(d.first[0].kind == DECISION_ACCEPT && d.first[1].kind == DECISION_PROJECT);
        assert_true(d.first[0].margin == 1.5 && d.first[1].margin == 0.25 && d.first[1].step == 5);
        assert_int_equal(d.first_part[DIFF_PROPOSAL], DIFF_EQUAL);
        assert_int_equal(d.first_part[DIFF_CONFIRMED], DIFF_EQUAL);
        assert_int_equal(d.first_part[DIFF_READINGS], DIFF_UNKNOWN);
        assert_int_equal(d.first_part[DIFF_MODEL], DIFF_DIFFERS);
        assert_true(d.part[DIFF_MODEL].differs == 7 && d.part[DIFF_MODEL].first_ms == T0 + 3 * (int64_t)STEP);
        assert_int_equal(d.nvar, 2);
        assert_string_equal(d.var[0].name, "t/room/crah-1/supply-sp");
        assert_string_equal(diff_unit(d.var[0].unit), "K");
        assert_true(d.var[0].n == 5 && d.var[0].most == 2 && d.var[0].most_ms == T0 + 6 * (int64_t)STEP);
        assert_true(d.var[0].at[0] == 20 && d.var[0].at[1] == 18 && d.var[0].first_action[1] == 19.5);
        assert_true(d.var[1].n == 0);
        diff_free(&d);
}

static void test_proposals(void **state)
{
        struct hand *h = *state;
        struct made b = usual();
        struct diff d;

        put(h, 0, 0, usual());
        put(h, 1, 0, usual());
        b.proposal[1] = b.action[1] = 0.45;
        b.confirmed[0] = 18;
        put(h, 0, 1, usual());
        put(h, 1, 1, b);
        d = compare(h);
        assert_true(d.both == 2 && d.equal == 1 && d.action == 1 && d.kind == 0);
        assert_int_equal(d.first_part[DIFF_PROPOSAL], DIFF_DIFFERS);
        assert_int_equal(d.first_part[DIFF_CONFIRMED], DIFF_DIFFERS);
        assert_int_equal(d.first_part[DIFF_MODEL], DIFF_EQUAL);
        assert_true(d.var[1].first_proposal[0] == 0.5 && d.var[1].first_proposal[1] == 0.45);
        diff_free(&d);
}

/* --- what gates recorded ----------------------------------------------------------------------------------------- */

struct change {
        double inlet_allowable_c;                  /* 0: the site's */
        int at;                                    /* step from which on … */
        double reading_k;                          /* … one inlet shows so much more */
        double proposed_k;                         /* … a supply air setpoint is proposed so much higher */
        enum { NONE, FIXED, FLOOR, RUNNING } free; /* … that is not the same of the first variable */
        double ramp_per_min;                       /* … how fast evaporator flow changes; 0: as it is read */
};

static struct rig *record_hall(const struct change *c)
{
        struct rig *r = rig_hall(false);
        struct ipc_proposal p;
        char why[256];
        size_t inlet = 0;
        double *calm;

        r->gate = gate_free(r->gate);
        if (c->inlet_allowable_c > 0)
                r->site->limits.inlet_allowable_c = c->inlet_allowable_c;
        assert_int_equal(store_open(NULL, STORE_WRITE, &r->store, why), 0);
        rig_start(r, false, 0);
        while (r->site->point[inlet].role != ROLE_INLET_TEMP)
                inlet++;
        calm = malloc(r->site->npoint * sizeof *calm);
        memcpy(calm, r->value, r->site->npoint * sizeof *calm);
        for (int t = 0; t < 70; t++) {
                for (size_t i = 0; i < r->site->npoint; i++) /* none may look stuck */
                        if (!r->site->point[i].writable && r->value[i] != 0 && r->value[i] != 1)
                                r->value[i] = calm[i] * (1 + 0.0005 * (t % 7));
                r->value[inlet] += t >= c->at ? c->reading_k : 0;
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP - STEP_MS);
                for (size_t i = 0; i < r->site->npoint; i++)
                        gate_samples(r->gate,
                                     &(struct sample){.point = (uint32_t)i,
                                                      .t_ms = clk_t_ms(&r->clk),
                                                      .value = r->value[i],
                                                      .raw = r->value[i]},
                                     1);
                clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
                gate_step_begin(r->gate, &r->step);
                if (t >= c->at && c->free == FIXED)
                        r->gate->u_fixed[0] = 1;
                if (t >= c->at && c->free == FLOOR)
                        r->gate->u_floor[0] = 11.5;
                if (t >= c->at && c->free == RUNNING)
                        r->gate->onoff[0] = 1;
                if (t >= c->at && c->ramp_per_min != 0)
                        r->gate->snap.evap_flow_ramp_per_min = c->ramp_per_min;
                proposal(r, &p);
                p.u[0] += t >= c->at ? c->proposed_k : 0;
                gate_step_end(r->gate, &p, false);
        }
        free(calm);
        return r;
}

static struct diff compare_halls(const struct change *a, const struct change *b)
{
        struct rig *ra = record_hall(a), *rb = record_hall(b);
        struct diff d = compare_stores(ra->store, rb->store, INT64_MIN, INT64_MAX);

        rig_free(ra);
        rig_free(rb);
        return d;
}

static void test_recorded_twice(void **state)
{
        struct diff d = compare_halls(&(struct change){0}, &(struct change){0});

        (void)state;
        assert_true(d.both == 70 && d.equal == 70 && d.config.same && d.config.read[0] && d.config.read[1]);
        for (int i = 0; i < DIFF_PARTS; i++)
                assert_true(d.part[i].differs == 0 && d.part[i].unknown == 0);
        diff_free(&d);
}

static void test_a_reading_differs(void **state)
{
        struct diff d = compare_halls(&(struct change){0}, &(struct change){.at = 66, .reading_k = 0.5});
        const int64_t t_ms = 1752537600000 + 67 * (int64_t)STEP;

        (void)state;
        assert_int_equal(d.part[DIFF_READINGS].differs, 4);
        assert_int_equal(d.part[DIFF_READINGS].first_ms, t_ms);
        assert_int_equal(d.part[DIFF_HISTORY].differs, 3);
        assert_true(d.reading_v[1] > d.reading_v[0]);
        assert_non_null(strstr(d.reading, "inlet"));
        assert_int_equal(d.part[DIFF_PROPOSAL].differs, 0);
        if (d.equal < d.both)
                assert_true(d.first_ms >= t_ms && d.first_part[DIFF_PROPOSAL] == DIFF_EQUAL);
        diff_free(&d);
}

static void test_a_proposal_differs(void **state)
{
        struct diff d = compare_halls(&(struct change){0}, &(struct change){.at = 65, .proposed_k = -1});

        (void)state;
        assert_int_equal(d.both, 70);
        assert_int_equal(d.equal, 65);
        for (int i = 0; i < DIFF_PARTS; i++)
                assert_int_equal(d.first_part[i], i == DIFF_PROPOSAL ? DIFF_DIFFERS : DIFF_EQUAL);
        assert_true(d.action == 5 && d.var[0].n == 5);
        diff_free(&d);
}

static void test_what_may_be_moved_differs(void **state)
{
        (void)state;
        for (int free = FIXED; free <= RUNNING; free++) {
                struct diff d = compare_halls(&(struct change){0}, &(struct change){.at = 66, .free = free});

                assert_int_equal(d.part[DIFF_FREE].differs, 4);
                assert_int_equal(d.part[DIFF_FREE].first_ms, 1752537600000 + 67 * (int64_t)STEP);
                assert_int_equal(d.part[DIFF_FREE].unknown, 0);
                assert_int_equal(d.part[DIFF_READINGS].differs, 0);
                diff_free(&d);
        }
}

/* The evaporators' water changes otherwise, or on one side nobody knows how. */
static void test_a_flow_ramp_differs(void **state)
{
        const double ramp[][2] = {{0.05, 0.07}, {(double)NAN, 0.07}, {0.05, (double)NAN}};

        (void)state;
        for (size_t i = 0; i < sizeof ramp / sizeof ramp[0]; i++) {
                struct diff d = compare_halls(&(struct change){.at = 66, .ramp_per_min = ramp[i][0]},
                                              &(struct change){.at = 66, .ramp_per_min = ramp[i][1]});

                assert_int_equal(d.part[DIFF_READINGS].differs, 4);
                assert_int_equal(d.part[DIFF_READINGS].first_ms, 1752537600000 + 67 * (int64_t)STEP);
                assert_string_equal(d.reading, "evaporator flow ramp");
                for (int k = 0; k < 2; k++)
                        assert_true(d.reading_v[k] == ramp[i][k] || (isnan(d.reading_v[k]) && isnan(ramp[i][k])));
                diff_free(&d);
        }
}

static const uint8_t *take_count(const uint8_t *p, size_t *ret)
{
        unsigned shift = 0;

        *ret = 0;
        do
                *ret |= (size_t)(*p & 127) << shift;
        while (shift += 7, *p++ > 127);
        return p;
}

/* The first evidence of r as version 1 wrote it: without the last double of the frame, the ramp. */
static void make_version_1(struct rig *r)
{
        enum { HEAD = 10, CAP = 1 << 20 };
        uint8_t *diff = calloc(1, CAP), *frame = calloc(1, CAP), *out = calloc(1, CAP), *to = out + HEAD;
        char *sql = malloc(2 * CAP);
        size_t packed, n = 0, doubles, len, at;
        const uint8_t *blob, *p;
        sqlite3_stmt *get;

        assert_int_equal(
            sqlite3_prepare_v2(r->store->db, "SELECT blob FROM evidence WHERE decision_id = 1", -1, &get, NULL),
            SQLITE_OK);
        assert_int_equal(sqlite3_step(get), SQLITE_ROW);
        blob = sqlite3_column_blob(get, 0);
        len = (size_t)sqlite3_column_bytes(get, 0);
        assert_true(blob[0] == 2 && blob[1] == 1); /* whole */
        packed = (size_t)bytes_get(blob + 6, 4);
        for (p = blob + HEAD; p < blob + HEAD + packed;) {
                size_t zeros, literals;

                p = take_count(p, &zeros);
                p = take_count(p, &literals);
                memcpy(diff + n + zeros, p, literals);
                p += literals;
                n += zeros + literals;
        }
        doubles = n / 8 - 1;
        *to++ = 0; /* no zeros, and so many literals: */
        for (at = 8 * doubles; at >= 128; at >>= 7)
                *to++ = (uint8_t)(at | 128);
        *to++ = (uint8_t)at;
        for (size_t plane = 0; plane < 8; plane++)
                for (size_t k = 0; k < doubles; k++)
                        *to++ = frame[8 * k + 7 - plane] = diff[plane * (doubles + 1) + k];
        out[0] = out[1] = 1;
        (void)bytes_put(out + 2, bytes_crc32(frame, 8 * doubles), 4);
        (void)bytes_put(out + 6, (uint64_t)(to - out - HEAD), 4);
        memcpy(to, p, len - (size_t)(p - blob)); /* the set, as it was */
        to += len - (size_t)(p - blob);
        (void)sqlite3_finalize(get);
        at = (size_t)sprintf(sql, "UPDATE evidence SET blob = x'");
        for (p = out; p < to; p++)
                at += (size_t)sprintf(sql + at, "%02x", *p);
        (void)sprintf(sql + at, "' WHERE decision_id = 1");
        assert_int_equal(store_exec(r->store, sql), 0);
        free(sql);
        free(out);
        free(frame);
        free(diff);
}

/* Evidence of version 1 does not know the ramp: no difference, on whichever side. */
static void test_a_flow_ramp_that_version_1_does_not_know(void **state)
{
        (void)state;
        for (int k = 0; k < 2; k++) {
                struct rig *r[2] = {record_hall(&(struct change){.ramp_per_min = 0.05}),
                                    record_hall(&(struct change){.ramp_per_min = 0.05})};
                struct diff d;

                make_version_1(r[k]);
                d = compare_stores(r[0]->store, r[1]->store, INT64_MIN, INT64_MAX);
                assert_true(d.both == 70 && d.part[DIFF_READINGS].differs == 0);
                assert_int_equal(d.part[DIFF_READINGS].unknown, 59); /* that follow it; it is known itself */
                diff_free(&d);
                rig_free(r[0]);
                rig_free(r[1]);
        }
}

/* Limits of chillers, each told as itself: from one site to another with all of them otherwise. */
static void test_limits_of_chillers(void **state)
{
        static const struct {
                const char *what, *unit;
                double a, b;
        } expect[] = {{"least evaporator flow", "m3/s", 0.007, 0.008},
                      {"largest evaporator flow ramp", "1/min", 0.1, 0.2},
                      {"least lift", "K", 4, 5},
                      {"greatest lift", "K", 26, 25},
                      {"greatest lift at no load", "K", 19, 21}};
        static const char *const keys[] = {
            "min_flow_m3s: 0.007, max_flow_ramp_per_min: 0.1, min_lift_k: 4, max_lift_k: 26, surge_lift_k: 19 }",
            "min_flow_m3s: 0.008, max_flow_ramp_per_min: 0.2, min_lift_k: 5, max_lift_k: 25, surge_lift_k: 21 }"};
        struct rig *r = record_hall(&(struct change){0});
        struct site_text *text = NULL, other[64];
        struct site *site[2] = {NULL, NULL};
        struct site_errors *errors = NULL;
        struct diff_config c;
        char hash[65];
        size_t n = 0;

        (void)state;
        (void)hash_hex(r->site->hash, 32, hash);
        assert_int_equal(store_get_config(r->store, hash, &text, &n), 0);
        assert_true(n <= 64);
        for (int k = 0; k < 2; k++) {
                char *plain = strndup(text[0].text, text[0].len), *changed = calloc(1, text[0].len + 1024),
                     *to = changed;
                const char *from = plain, *key;

                while ((key = strstr(from, "min_flow_m3s: ")) != NULL) {
                        memcpy(to, from, (size_t)(key - from));
                        to += key - from;
                        to += sprintf(to, "%s", keys[k]);
                        from = strchr(key, '}') + 1;
                }
                (void)sprintf(to, "%s", from);
                memcpy(other, text, n * sizeof *text);
                other[0].text = changed;
                other[0].len = strlen(changed);
                assert_int_equal(site_load_texts(other, n, &site[k], &errors), 0);
                site_errors_free(errors);
                free(changed);
                free(plain);
        }
        diff_sites((const struct site *const[]){site[0], site[1]}, (const struct site_text *const[]){text, text},
                   (const size_t[]){n, n}, &c);
        assert_int_equal(c.nlimit, sizeof expect / sizeof expect[0]);
        for (size_t i = 0; i < c.nlimit; i++) {
                assert_string_equal(c.limit[i].what, expect[i].what);
                assert_string_equal(c.limit[i].unit, expect[i].unit);
                assert_true(fabs(c.limit[i].v[0] - expect[i].a) < 1e-9 && fabs(c.limit[i].v[1] - expect[i].b) < 1e-9);
                assert_int_equal(c.limit[i].n, i < 2 ? 3 : 1);
        }
        site_free(site[0]);
        site_free(site[1]);
        free(text);
        rig_free(r);
}

static struct diff_config lines_of(const char *a, const char *b)
{
        char name[2][16] = {"x/a.yaml", "y/b.yaml"}, copy[2][512];
        struct site_text text[2];
        struct diff_config c;

        for (int k = 0; k < 2; k++) {
                (void)snprintf(copy[k], sizeof copy[k], "%s", k ? b : a);
                text[k] = (struct site_text){.path = name[k], .text = copy[k], .len = strlen(copy[k])};
        }
        diff_sites((const struct site *const[]){NULL, NULL}, (const struct site_text *const[]){&text[0], &text[1]},
                   (const size_t[]){1, 1}, &c);
        return c;
}

static void assert_line(const struct diff_file *f, size_t line, const char *a, const char *b, size_t more)
{
        assert_string_equal(f->name, "a.yaml");
        assert_int_equal(f->line, line);
        assert_string_equal(f->text[0], a);
        assert_string_equal(f->text[1], b);
        assert_int_equal(f->more, more);
}

/* Each line that differs, and what was inserted makes no line behind it differ. */
static void test_lines(void **state)
{
        struct diff_config c = lines_of("a\nb: 1\nc\nd: 4\ne\nf", "a\nb: 2\nc\nnew\nd: 5\ne\n");
        char text[2][400] = {"", ""};

        (void)state;
        assert_int_equal(c.nfile, 4);
        assert_line(&c.file[0], 2, "b: 1", "b: 2", 0);
        assert_line(&c.file[1], 4, "d: 4", "new", 0);
        assert_line(&c.file[2], 5, "", "d: 5", 0);
        assert_line(&c.file[3], 6, "f", "", 0);
        for (int i = 0; i < 70; i++) /* more than is looked ahead */
                (void)strcat(text[1], "#\n");
        c = lines_of("a\nb\n", strcat(text[1], "a\nb\n"));
        assert_int_equal(c.nfile, DIFF_LINES);
        assert_line(&c.file[DIFF_LINES - 1], DIFF_LINES, "", "#", 70 - DIFF_LINES);
        text[1][0] = '\0';
        assert_int_equal(lines_of("\na\n", "a\n").nfile, 1);
        c = lines_of("a\nb\nc\n", "b\nc\n");
        assert_int_equal(c.nfile, 1);
        assert_line(&c.file[0], 1, "a", "", 0);
        c = lines_of("a\nb\n", "a\nb");
        assert_int_equal(c.nfile, 1);
        assert_int_equal(lines_of("", "").nfile, 0);
        for (int i = 0; i < 30; i++)
                for (int k = 0; k < 2; k++)
                        (void)snprintf(text[k] + strlen(text[k]), 32, "%d: %d\n", i, k && i != 4 ? i + 1 : i);
        c = lines_of(text[0], text[1]); /* 29 of 30 */
        assert_int_equal(c.nfile, DIFF_LINES);
        assert_line(&c.file[0], 1, "0: 0", "0: 1", 0);
        assert_line(&c.file[DIFF_LINES - 1], 9, "8: 8", "8: 9", 29 - DIFF_LINES);
}

/* The configuration that the database keeps is the site that was loaded; two of them are told apart limit by limit. */
static void test_configurations(void **state)
{
        struct change none = {0};
        struct rig *r = record_hall(&none);
        struct site_text *text = NULL, other[64];
        struct site *site[2] = {NULL, NULL};
        struct site_errors *errors = NULL;
        struct diff_config c;
        char hash[65], *changed;
        size_t n = 0;

        (void)state;
        assert_int_equal(store_get_config(r->store, "no such hash", &text, &n), -ENOENT);
        (void)hash_hex(r->site->hash, 32, hash);
        assert_int_equal(store_get_config(r->store, hash, &text, &n), 0);
        assert_true(n == r->site->nfile && n < 64);
        for (int k = 0; k < 2; k++) {
                memcpy(other, text, n * sizeof *text);
                changed = strndup(text[0].text, text[0].len);
                if (k == 1)
                        memcpy(strstr(changed, "inlet_allowable: 32"), "inlet_allowable: 30", 19);
                other[0].text = changed;
                assert_int_equal(site_load_texts(other, n, &site[k], &errors), 0);
                site_errors_free(errors);
                assert_true((memcmp(site[k]->hash, r->site->hash, 32) == 0) == (k == 0));
                diff_sites((const struct site *const[]){r->site, site[k]},
                           (const struct site_text *const[]){text, other}, (const size_t[]){n, n}, &c);
                assert_true(c.read[0] && c.read[1] && c.nfile == (size_t)k);
                assert_int_equal(c.nlimit, k == 0 ? 0 : 2); /* the hard limit, and full cooling above it */
                if (k == 0) {
                        free(changed);
                        continue;
                }
                assert_string_equal(c.limit[0].what, "hard limit");
                assert_true(c.limit[0].v[0] == 32 && c.limit[0].v[1] == 30 && c.limit[0].n == 96);
                assert_string_equal(c.file[0].name, "site.yaml");
                assert_string_equal(c.file[0].text[0], "inlet_allowable: 32");
                assert_string_equal(c.file[0].text[1], "inlet_allowable: 30");
                free(changed);
        }
        /* a file that is gone, and one that cannot be read again */
        diff_sites((const struct site *const[]){r->site, NULL}, (const struct site_text *const[]){text, text},
                   (const size_t[]){n, n - 1}, &c);
        assert_true(c.read[0] && !c.read[1] && c.nfile == 1 && c.nlimit == 0 && c.file[0].text[1][0] == '\0');
        site_free(site[1]);
        assert_int_equal(site_load_texts(text, n - 1, &site[1], &errors), -EINVAL);
        site_errors_free(errors);
        site_free(site[0]);
        free(text);
        rig_free(r);
}

/* Damaged evidence: what was made on is unknown from there on, to the next that stands alone; decisions are compared.
 */
static void test_damaged_evidence(void **state)
{
        struct change none = {0};
        struct rig *a = record_hall(&none), *b = record_hall(&none);
        struct diff d;

        (void)state;
        assert_int_equal(store_exec(b->store, "UPDATE evidence SET blob = x'01' WHERE decision_id = 11"), 0);
        d = compare_stores(a->store, b->store, INT64_MIN, INT64_MAX);
        assert_true(d.both == 70 && d.equal == 70 && d.part[DIFF_READINGS].unknown == 50); /* 11 … 60 */
        assert_true(d.part[DIFF_READINGS].differs == 0 && d.part[DIFF_PROPOSAL].unknown == 0);
        diff_free(&d);
        rig_free(a);
        rig_free(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
            cmocka_unit_test_setup_teardown(test_equal_with_nan, setup, teardown),
            cmocka_unit_test_setup_teardown(test_missing_on_either_side, setup, teardown),
            cmocka_unit_test_setup_teardown(test_times_that_come_twice, setup, teardown),
            cmocka_unit_test_setup_teardown(test_first_difference, setup, teardown),
            cmocka_unit_test_setup_teardown(test_proposals, setup, teardown),
            cmocka_unit_test(test_recorded_twice),
            cmocka_unit_test(test_a_reading_differs),
            cmocka_unit_test(test_a_proposal_differs),
            cmocka_unit_test(test_what_may_be_moved_differs),
            cmocka_unit_test(test_a_flow_ramp_differs),
            cmocka_unit_test(test_a_flow_ramp_that_version_1_does_not_know),
            cmocka_unit_test(test_limits_of_chillers),
            cmocka_unit_test(test_lines),
            cmocka_unit_test(test_configurations),
            cmocka_unit_test(test_damaged_evidence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
