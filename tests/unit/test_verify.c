/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The second checker on its own: both sides of every bound, and its worst case against the model library's. */
#include "tests/unit/test_verify.h"

static void test_continuous_bounds(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        assert_true(judge(&b, 0, 18));
        assert_true(judge(&b, 0, 18.5)); /* rate 0.5 */
        assert_false(judge(&b, 0, 18.6));
        assert_true(judge(&b, 0, 16)); /* more cooling: any distance */
        assert_false(judge(&b, 0, 15.9));
        assert_false(judge(&b, 0, 18.05)); /* off the grid */
        assert_false(judge(&b, 0, (double)NAN));
        assert_false(judge(&b, 0, -(double)INFINITY));
        assert_true(judge(&b, 1, 0.75));
        assert_false(judge(&b, 1, 0.74));
        assert_true(judge(&b, 1, 1));
        assert_false(judge(&b, 1, 1.01));
        b.r.confirmed[0] = 23.8;
        assert_true(judge(&b, 0, 24));
        assert_false(judge(&b, 0, 24.1));
        rig_close(&b.r);
        rig_open(&b.r, rig_default(), 3); /* a grid that does not begin at zero */
        b.r.u[0].origin = 0.03;
        b.r.u[0].nominal = b.r.confirmed[0] = 18.03;
        take_bench(&b);
        assert_true(judge(&b, 0, 17.93));
        assert_false(judge(&b, 0, 17.9) || judge(&b, 0, 17.97));
        rig_close(&b.r);
}

static void test_slow_and_water(void **state)
{
        struct bench b;
        size_t w;

        (void)state;
        open_bench(&b, rig_default());
        w = b.r.nu - 3; /* chilled water setpoint, nominal 8, rate 1 */
        assert_true(judge(&b, w, 9));
        assert_false(judge(&b, w, 9.5));
        b.r.snap.no_warmer_water = true;
        assert_false(judge(&b, w, 8.5));
        assert_true(judge(&b, w, 7));
        b.r.snap.no_warmer_water = false;
        b.r.snap.slow_step = false;
        assert_false(judge(&b, w, 8.5));
        assert_true(judge(&b, w, 7.5));
        rig_close(&b.r);
        rig_open(&b.r, rig_default(), 3);
        b.r.u[1].fast = 0; /* a slow fan is no water, and more of it is more cooling */
        b.r.u[w].safe_dir = 0;
        b.r.confirmed[w] = 9;
        take_bench(&b);
        b.r.snap.no_warmer_water = b.r.snap.slow_step = true;
        assert_true(judge(&b, 1, 0.75));
        assert_true(judge(&b, w, 8)); /* condenser water: colder is allowed, warmer is not */
        assert_false(judge(&b, w, 9.5));
        rig_close(&b.r);
}

static void test_neutral_variable_is_limited_both_ways(void **state)
{
        struct bench b;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0].safe_dir = 0;
        take_bench(&b);
        assert_true(judge(&b, 0, 18.5));
        assert_false(judge(&b, 0, 18.6));
        assert_true(judge(&b, 0, 17.5));
        assert_false(judge(&b, 0, 17.4));
        rig_close(&b.r);
        for (int rate = 0; rate < 2; rate++) { /* beside its grid it goes to the value below, whenever it is */
                rig_open(&b.r, rig_default(), 3);
                b.r.u[0].safe_dir = b.r.u[0].fast = 0;
                b.r.u[0].rate *= rate;
                take_bench(&b);
                b.r.confirmed[0] = 18.07;
                b.r.snap.slow_step = false;
                assert_true(judge(&b, 0, 18));
                assert_false(judge(&b, 0, 18.1) || judge(&b, 0, 17.9));
                for (double below = 1e-12; below < 1e-4;
                     below *= 10) { /* on the grid but for rounding: float registers */
                        b.r.confirmed[0] = 18 - below;
                        assert_true(judge(&b, 0, 18));
                        assert_false(judge(&b, 0, 17.9));
                }
                b.r.confirmed[0] = 18.07;
                (void)rig_decide(&b.r);
                assert_true(decision_certificate(&b.r.s->decision)->verified);
                rig_close(&b.r);
        }
        rig_open(&b.r, rig_default(), 3); /* 3 · 0.1 is more than 0.3, by a rounding: the same value */
        b.r.u[0] = (struct safety_u){.lo = 0.3, .hi = 1, .step = 0.1, .rate = 0.1, .nominal = 0.5};
        take_bench(&b);
        b.r.confirmed[0] = 0.37;
        b.r.snap.slow_step = false;
        assert_true(judge(&b, 0, 0.3));
        assert_false(judge(&b, 0, 0.4));
        rig_close(&b.r);
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0].safe_dir = b.r.u[0].fast = 0;
        b.r.u[0].origin = 0.03; /* a register that does not count from 0 */
        take_bench(&b);
        b.r.confirmed[0] = 18.07;
        b.r.snap.slow_step = false;
        assert_true(judge(&b, 0, 18.03));
        assert_false(judge(&b, 0, 18.13) || judge(&b, 0, 17.93) || judge(&b, 0, 18));
        rig_close(&b.r);
}

static void *in_filter(struct rig *r, const void *p)
{
        return (char *)r->mem + ((const char *)p - (const char *)r->mem);
}

/* Its envelope is its own: what becomes of the caller's or of the filter's copy changes nothing. */
static void test_envelope_of_its_own(void **state)
{
        struct safety_lift lift[1] = {{9, 8, 9, 12, 0}};
        struct bench b;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[9] = (struct safety_u){.lo = 12, .hi = 30, .step = 0.5, .rate = 2, .nominal = 18};
        b.r.confirmed[9] = 18;
        b.r.env.lift = lift;
        b.r.env.nlift = 1;
        take_bench(&b);
        for (int k = 0; k < 3; k++) { /* as it was; the caller's changed; the filter's, too */
                struct safety_u *u = k == 2 ? in_filter(&b.r, b.r.s->env.u) : b.r.u;
                struct safety_y *cert = k == 2 ? in_filter(&b.r, b.r.s->env.cert) : b.r.cert;
                struct safety_lift *l = k == 2 ? in_filter(&b.r, b.r.s->env.lift) : lift;

                for (size_t j = 0; k > 0 && j < b.r.nu; j++)
                        u[j].hi = u[j].rate = 1000;
                for (size_t i = 0; k > 0 && i < b.r.ninlet; i++)
                        cert[i].hi = 1000;
                l->min_k = k > 0 ? -1000 : 9;
                assert_true(judge(&b, 0, 18.5));
                assert_false(judge(&b, 0, 18.6));
                assert_true(judge(&b, 9, 17));
                assert_false(judge(&b, 9, 16.5));
                b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
                assert_false(judge(&b, 0, 18.1));
                b.r.wy[(RIG_HIST - 1) * b.r.ny] = 22;
        }
        rig_close(&b.r);
}

/* Where the box ends on the register: what lies beyond its last value stays, what lies before it is to be on the grid.
 */
static void test_last_values_of_the_box(void **state)
{
        static const struct {
                double step, origin, lo, hi, before_lo, first, before_hi, last;
        } box[] = {{0, 0, 16.5, 23.5, 16.49, 16.5, 23.51, 23.5},
                   {1, 0, 16.5, 23.5, 16.9, 17, 23.1, 23},
                   {1, 0.25, 16.5, 23.5, 17.1, 17.25, 23.4, 23.25},
                   {0.1, 0.03, 16, 24, 16.01, 16.03, 23.95, 23.93}};

        (void)state;
        for (size_t k = 0; k < sizeof(box) / sizeof(box[0]); k++) {
                for (int dir = -1; dir <= 1; dir++) {
                        const bool below = dir <= 0, above = dir >= 0; /* beyond, not on the side of less cooling */
                        struct bench b;

                        rig_open(&b.r, rig_default(), 3);
                        b.r.u[0].step = box[k].step;
                        b.r.u[0].origin = box[k].origin;
                        b.r.u[0].lo = box[k].lo;
                        b.r.u[0].hi = box[k].hi;
                        b.r.u[0].safe_dir = dir;
                        b.r.u[0].rate = 10;
                        take_bench(&b);
                        b.r.confirmed[0] = box[k].before_lo;
                        assert_int_equal(judge(&b, 0, box[k].before_lo), below);
                        assert_true(judge(&b, 0, box[k].first));
                        b.r.confirmed[0] = box[k].before_hi;
                        assert_int_equal(judge(&b, 0, box[k].before_hi), above);
                        assert_true(judge(&b, 0, box[k].last));
                        if (box[k].step > 0) { /* from the last value on the way back it is off the grid */
                                b.r.confirmed[0] = box[k].first + 0.05 * box[k].step;
                                assert_false(judge(&b, 0, b.r.confirmed[0]));
                                b.r.confirmed[0] = box[k].last - 0.05 * box[k].step;
                                assert_false(judge(&b, 0, b.r.confirmed[0]));
                        }
                        rig_close(&b.r);
                }
        }
}

/* Seventeen variables: what is kept of each of them, in bytes, lies in no other's place. */
static void test_many_variables(void **state)
{
        struct rig_args a = rig_default();
        struct bench b;

        (void)state;
        a.rooms = 1;
        a.crahs = 7;
        open_bench(&b, a);
        assert_int_equal(b.r.nu, 17);
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
        for (size_t j = 0; j < 14; j++) { /* each of the room's */
                assert_true(judge(&b, j, b.r.confirmed[j]));
                assert_false(judge(&b, j, b.r.confirmed[j] - b.r.u[j].safe_dir * b.r.u[j].step));
        }
        rig_close(&b.r);
}

/* Without any read-back what was decided last counts, or the nominal action before anything was. */
static void test_no_read_back_at_all(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        for (int decided = 0; decided < 2; decided++) {
                const double now = decided ? 17 : 18;

                b.r.snap.u_confirmed = NULL;
                verify_observe(b.v, &b.r.snap);
                b.act[0] = now + 0.5;
                assert_true(verify_action(b.v, &b.r.snap, b.act));
                b.act[0] = now + 0.6;
                assert_false(verify_action(b.v, &b.r.snap, b.act));
                b.act[0] = 17;
                verify_decided(b.v, b.act);
        }
        rig_close(&b.r);
}

/* Without a read-back the base is the last decision. */
static void test_base_without_read_back(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        b.act[0] = 16.5;
        verify_decided(b.v, b.act);
        b.r.confirmed[0] = (double)NAN;
        assert_true(judge(&b, 0, 17));
        assert_false(judge(&b, 0, 17.1));
        rig_close(&b.r);
}

/* The highest limit of row i that it refuses and the lowest that it passes enclose `bound`: what another way to compute
 * the same may differ by is passed, no more. */
static void encloses(struct rig *r, size_t i, double bound)
{
        static const double off[] = {-1.5e-6, -0.5e-6};

        for (size_t k = 0; k < r->ninlet; k++)
                r->cert[k].hi = r->cert[k].trip = 1e6;
        for (int side = 0; side < 2; side++) {
                double act[64];
                struct verifier *v;

                r->cert[i].hi = bound + off[side];
                for (size_t j = 0; j < r->nu; j++) { /* now and nominal cool more than what is judged */
                        r->u[j].nominal = r->u[j].safe_dir > 0 ? r->u[j].hi : r->u[j].lo;
                        r->u[j].rate = 1000;
                        act[j] = r->prop[j];
                        r->confirmed[j] = r->u[j].nominal;
                }
                act[r->nu - 1] = act[r->nu - 2] = 1;
                rig_create(r);
                v = r->s->verifier;
                r->snap.window.u = r->wu; /* lag 1 comes from act, the older rows stay */
                verify_observe(v, &r->snap);
                if (verify_action(v, &r->snap, act) != side)
                        fail_msg("row %zu, limit %.9f: %s", i, r->cert[i].hi, side ? "refused" : "passed");
        }
}

/* Any window, any action on the grid. */
static void scatter(struct rig *r)
{
        for (size_t k = 0; k < RIG_HIST * r->ny; k++)
                r->wy[k] = rng_range(&r->rng, -5, 40);
        for (size_t k = 0; k < RIG_HIST * r->nd; k++)
                r->wd[k] = rng_range(&r->rng, -1, 15);
        for (size_t k = 0; k < RIG_HIST * r->nu; k++)
                r->wu[k] = rng_range(&r->rng, r->u[k % r->nu].lo, r->u[k % r->nu].hi);
        for (size_t j = 0; j < r->nu; j++)
                r->confirmed[j] = r->prop[j] = limits_quantise(&r->u[j], rng_range(&r->rng, r->u[j].lo, r->u[j].hi), 0);
        rig_point(r);
}

static void agrees(struct rig *r, size_t i)
{
        double y[64], work[4096];
        uint8_t all[64];

        memset(all, 1, sizeof(all));
        arx_worst(r->model, &r->snap.window, 1, r->prop, r->d_hi, 1, all, work, y);
        encloses(r, i, y[i]);
}

/* Its one-step worst case is the model library's, from zero and from what was just seen. */
static void test_one_step_bound_agrees_with_the_model(void **state)
{
        uint64_t seed = rig_seed();

        (void)state;
        for (uint64_t n = 0; n < 400; n++) {
                struct rig_args a = rig_default();
                struct rig r;

                a.lags = 1 + n % 3;
                a.sat_rows = n % 2;
                rig_open(&r, a, seed + n);
                rig_model(&r, n >= 200);
                scatter(&r);
                agrees(&r, rng_below(&r.rng, (uint32_t)r.ninlet));
                rig_close(&r);
        }
}

/* Sets the interval of every sum-to-one term of row 0: own lag, then supply air. */
static void set_sum1(struct rig *r, double own_lo, double own_hi, double air_lo, double air_hi)
{
        for (size_t k = r->row_start[0]; k < r->row_start[1]; k++) {
                if (!r->term[k].sum1)
                        continue;
                r->lo[k] = r->term[k].src == ARX_SRC_Y ? own_lo : air_lo;
                r->hi[k] = r->term[k].src == ARX_SRC_Y ? own_hi : air_hi;
        }
}

/* The same for rows of other kinds: a disturbance with two lags, no sum-to-one group, one whose intervals cannot add to
 * 1 from either side, and some that have nothing left to choose. */
static void test_one_step_bound_of_odd_rows(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < 7; kind++) {
                for (unsigned n = 0; n < 12; n++) {
                        const double off = n < 6 ? 1e-12 : 0;
                        struct rig_args a = rig_default();
                        struct rig r;

                        a.lags = kind == 0 ? 2 : 1;
                        rig_open(&r, a, 40 + n);
                        for (size_t k = 0; k < r.nterm; k++) {
                                if (kind == 0 && r.term[k].src == ARX_SRC_D)
                                        r.term[k].lag = 2;
                                if (kind == 1 && k < r.row_start[1])
                                        r.term[k].sum1 = 0;
                        }
                        if (kind == 2)
                                set_sum1(&r, 0.9, 0.95, 0.08, 0.12); /* at least 1.06 */
                        if (kind == 3)
                                set_sum1(&r, 0.5, 0.6, 0.08, 0.12); /* at most 0.84 */
                        if (kind == 4)
                                set_sum1(&r, 0.8 - 5e-10, 0.8 - 5e-10, 0.1, 0.1);
                        if (kind == 5)
                                set_sum1(&r, 0.8 + off, 0.9, 0.1, 0.2); /* the least add to 1, but for a rounding */
                        if (kind == 6)
                                set_sum1(&r, 0.7, 0.8 - off, 0.05, 0.1); /* the largest do */
                        rig_model(&r, false);
                        scatter(&r);
                        if (n % 3) /* below zero the least coefficient is the worst */
                                r.wy[(RIG_HIST - 1) * r.ny] = n % 3 == 1 ? -3 : 0.5;
                        agrees(&r, 0);
                        if (kind == 0)
                                agrees(&r, 3); /* of the other room, and its load */
                        rig_close(&r);
                }
        }
}

/* A coefficient without a lower bound: what it multiplies decides whether anything is known. */
static void test_one_step_bound_without_a_prior(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 3);
        set_sum1(&r, -(double)INFINITY, 0.85, 0.08, 0.12);
        for (size_t k = r.row_start[0]; k < r.row_start[1]; k++) {
                r.term[k].sign = r.term[k].src == ARX_SRC_Y ? 0 : r.term[k].sign;
                if (r.term[k].src == ARX_SRC_D) /* nor this one an upper bound, but there is no load */
                        r.hi[k] = (double)INFINITY;
        }
        r.wd[(RIG_HIST - 1) * r.nd] = r.d_hi[0] = 0;
        rig_model(&r, false);
        /* inlet 22 °C, supply air 18, fans 0.8: 0.85·22 + 2·0.12·18 − 2·0.16·0.8 + 0.36 + 0.05 */
        rig_point(&r);
        encloses(&r, 0, 0.85 * 22 + 0.24 * 18 - 0.256 + 0.36 + 0.05);
        r.wy[(RIG_HIST - 1) * r.ny] = -1; /* minus infinity times minus one */
        r.cert[0].hi = 1e5;
        r.cert[0].trip = (double)NAN;
        r.u[0].nominal = r.confirmed[0] = 17;
        rig_create(&r);
        r.prop[0] = 17.1;
        verify_observe(r.s->verifier, &r.snap);
        assert_false(verify_action(r.s->verifier, &r.snap, r.prop));
        rig_close(&r);
}

/* Anchored: counted from the mean of what was just seen, whose standing heat cancels. Steady at 22 °C and the same
 * action again: 22 and twice the noise, whatever the gains; of transitions that are whole only. */
static void test_bound_from_what_was_just_seen(void **state)
{
        for (unsigned lags = 1; lags <= 3; lags += 2) {
                struct rig_args a = rig_default();
                struct rig r;

                (void)state;
                a.lags = lags;
                rig_open(&r, a, 3);
                rig_model(&r, true);
                for (size_t k = 0; k < RIG_HIST; k++)
                        r.wy[k * r.ny] = 10; /* its neighbour */
                encloses(&r, 1, 22 + 2 * 0.05);
                r.wy[1] = 90; /* no transition that holds it is whole */
                r.wy[r.ny + 1] = (double)NAN;
                encloses(&r, 1, 22 + 2 * 0.05);
                r.wy[r.ny + 1] = 22; /* now the first of 7 is: own gain at least 0.76, as supply air has 0.24 at most */
                if (lags == 1)
                        encloses(&r, 1, 22 + 2 * 0.05 - 0.76 * (90 - 22) / 7);
                rig_close(&r);
        }
}

/* A window without one whole transition leaves the bound from zero. */
static void test_bound_without_a_transition(void **state)
{
        (void)state;
        for (size_t n = 1; n <= 2; n++) {
                struct rig r;
                double act[64];

                rig_open(&r, rig_default(), 3);
                rig_model(&r, true);
                r.cert[0].hi = 22.2; /* from zero 22.4, from what was seen 22.1 */
                rig_create(&r);
                r.snap.window = (struct arx_window){n, r.wy, r.wu, r.wd};
                memcpy(act, r.confirmed, r.nu * sizeof(double));
                act[0] = 18.1;
                verify_observe(r.s->verifier, &r.snap);
                assert_int_equal(verify_action(r.s->verifier, &r.snap, act), n == 2);
                rig_close(&r);
        }
}

/* An output that is only watched for its trip holds nobody back here. */
static void test_trip_only_output(void **state)
{
        struct bench b;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.cert[0].hi = (double)NAN;
        take_bench(&b);
        for (size_t k = 0; k < RIG_HIST; k++)
                b.r.wy[k * b.r.ny] = 40;
        assert_true(judge(&b, 0, 18.5));
        b.r.wy[(RIG_HIST - 1) * b.r.ny + 1] = 40; /* its neighbour is certified */
        assert_false(judge(&b, 0, 18.5));
        rig_close(&b.r);
}

/* A row that is over its limit for certain lets only as much or more cooling through, in its own group. */
static void test_over_the_limit_only_cooler(void **state)
{
        struct bench b;

        (void)state;
        open_bench(&b, rig_default());
        for (size_t k = 0; k < RIG_HIST; k++)
                b.r.wy[k * b.r.ny] = 40;
        b.r.confirmed[0] = b.act[0] = 17; /* cooler than nominal 18 */
        assert_true(judge(&b, 0, 17));
        assert_true(judge(&b, 0, 16.5));
        assert_false(judge(&b, 0, 17.5)); /* as much cooling as the plant on its own, but it is hot */
        b.r.confirmed[0] = b.act[0] = 18;
        assert_false(judge(&b, 0, 18.1));
        assert_true(judge(&b, 4, 18.4)); /* the other room */
        for (size_t k = 0; k < RIG_HIST; k++) {
                b.r.wy[k * b.r.ny] = 22;
                b.r.wy[k * b.r.ny + 5] = 40;
        }
        assert_false(judge(&b, 4, 18.1)); /* now that one */
        assert_true(judge(&b, 0, 18.4));
        for (size_t k = 0; k < RIG_HIST; k++) {
                b.r.wy[k * b.r.ny] = 40;
                b.r.wy[k * b.r.ny + 5] = 22;
        }
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = (double)NAN;
        assert_false(judge(&b, 0, 18.1)); /* not known is not inside */
        assert_true(judge(&b, 0, 18));
        rig_close(&b.r);
}

/* Nothing certifies what the plant does on its own: it counts as safe while readings are comfortable, whatever heat may
 * come, and of the rows that read it only. */
static void test_nominal_while_comfortable(void **state)
{
        struct bench b;
        double soft;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.cert[0].soft_k = 2;
        rig_create(&b.r);
        b.v = b.r.s->verifier;
        memcpy(b.act, b.r.confirmed, b.r.nu * sizeof(double));
        soft = b.r.cert[0].hi - 2 - SAFETY_COMFORT;
        b.r.d_hi[0] = 1e9; /* over the limit for certain */
        b.r.confirmed[0] = b.act[0] = 17.8;
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = soft;
        assert_true(judge(&b, 0, 18) && judge(&b, 0, 17.8));
        assert_false(judge(&b, 0, 18.1));
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = soft + 1e-6;
        assert_false(judge(&b, 0, 17.9));
        assert_true(judge(&b, 0, 17.8));
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = soft;
        b.r.y_ok[0] = COND_STALE;
        assert_false(judge(&b, 0, 17.9));
        rig_close(&b.r);
}

/* Water that no row sees: not warmer than the plant on its own, or than it is. */
static void test_unseen_water(void **state)
{
        struct bench b;
        size_t w;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        w = b.r.nu - 3; /* nominal 8, step 0.5, rate 1 */
        b.r.u[w].unseen = 1;
        rig_create(&b.r);
        b.v = b.r.s->verifier;
        memcpy(b.act, b.r.confirmed, b.r.nu * sizeof(double));
        assert_false(judge(&b, w, 8.5));
        assert_true(judge(&b, w, 7));
        b.r.confirmed[w] = b.act[w] = 7;
        assert_true(judge(&b, w, 8));
        b.r.wy[(RIG_HIST - 1) * b.r.ny + 4] = b.r.cert[4].hi - SAFETY_COMFORT + 1e-6; /* warm, in whichever room */
        assert_false(judge(&b, w, 7.5));
        assert_true(judge(&b, w, 7));
        b.r.wy[(RIG_HIST - 1) * b.r.ny + 4] = 22;
        b.r.y_ok[0] = COND_STALE;
        assert_false(judge(&b, w, 7.5));
        b.r.y_ok[0] = COND_TRUE;
        b.r.confirmed[w] = b.act[w] = 10;
        assert_true(judge(&b, w, 10) && judge(&b, w, 9));
        assert_false(judge(&b, w, 10.5));
        rig_close(&b.r);
}

/* Without a register's grid, what the plant has is as safe as with one. */
static void test_over_the_limit_off_any_grid(void **state)
{
        struct bench b;
        struct rig_args a = rig_default();

        (void)state;
        a.step = 0;
        open_bench(&b, a);
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
        b.r.confirmed[0] = b.act[0] = 20; /* warmer than the plant on its own */
        assert_true(judge(&b, 0, 20));
        assert_false(judge(&b, 0, 20.01));
        rig_close(&b.r);
}

/* A box whose end the register has only but for a rounding (57 · 0.01 is more than 0.57): that end is its own value. */
static void test_end_of_the_box_by_a_rounding(void **state)
{
        struct bench b;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[1].hi = b.r.u[1].nominal = b.r.confirmed[1] = 0.57;
        take_bench(&b);
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
        assert_true(judge(&b, 1, 0.57));
        assert_false(judge(&b, 1, 0.56));
        rig_close(&b.r);
}

/* The same at the other end, where the quotient is more than the count (56.00000000000001). */
static void test_start_of_the_box_by_a_rounding(void **state)
{
        struct bench b;

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0] = (struct safety_u){.safe_dir = -1,
                                     .lo = 0.56,
                                     .hi = 1,
                                     .step = 0.01,
                                     .rate = 0.1,
                                     .backup_rate = 1,
                                     .nominal = 0.56,
                                     .fast = 1};
        b.r.confirmed[0] = 0.56;
        take_bench(&b);
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
        assert_true(judge(&b, 0, 0.56));
        assert_false(judge(&b, 0, 0.57));
        rig_close(&b.r);
}

/* A soft floor holds while every certified output is read and half a kelvin below its soft limit: 27 − 3 − 0.5. */
static void test_soft_floor_gives_way(void **state)
{
        struct bench b;
        double floors[16];

        (void)state;
        rig_open(&b.r, rig_default(), 3);
        for (size_t i = 0; i < b.r.ninlet; i++)
                b.r.cert[i].soft_k = 3;
        b.r.cert[1].hi = (double)NAN; /* then its trip counts: 32 */
        take_bench(&b);
        for (size_t j = 0; j < b.r.nu; j++)
                floors[j] = (double)NAN;
        floors[0] = 17.5;
        b.r.snap.u_floor = floors;
        for (size_t i = 0; i < b.r.ninlet; i++) {
                double *now = &b.r.wy[(RIG_HIST - 1) * b.r.ny + i];

                assert_true(judge(&b, 0, 17.5));
                assert_false(judge(&b, 0, 17.4));
                *now = i == 1 ? 28.5 : 23.5;
                assert_false(judge(&b, 0, 17.4));
                *now += 0.001;
                assert_true(judge(&b, 0, 17.4) && judge(&b, 0, 16));
                *now = (double)NAN;
                assert_true(judge(&b, 0, 17.4));
                *now = 22;
                b.r.y_ok[i] = COND_STALE;
                assert_true(judge(&b, 0, 17.4));
                b.r.y_ok[i] = COND_TRUE;
        }
        floors[0] = 17.5 + 1e-8; /* a rounding above a value of the register */
        assert_true(judge(&b, 0, 17.5));
        floors[0] = 17.5 + 1e-6;
        assert_false(judge(&b, 0, 17.5));
        rig_point(&b.r);
        b.act[0] = 17.4;
        b.r.snap.y_ok = NULL;
        verify_observe(b.v, &b.r.snap);
        assert_true(verify_action(b.v, &b.r.snap, b.act));
        rig_point(&b.r);
        b.r.snap.window.n = 0;
        assert_true(verify_action(b.v, &b.r.snap, b.act));
        b.r.snap.u_floor = NULL;
        rig_point(&b.r);
        assert_true(verify_action(b.v, &b.r.snap, b.act));
        rig_close(&b.r);
}

/* No floor asks for warmer than the plant has it, with a grid or without; between two of its values the colder counts,
 * and what differs by a rounding (3 · 0.1 is more than 0.3) is the same. */
static void test_floor_above_what_the_plant_has(void **state)
{
        struct bench b;

        (void)state;
        for (int grid = 0; grid < 2; grid++) {
                double floors[16];

                rig_open(&b.r, rig_default(), 3);
                b.r.u[0].step = grid ? 0.1 : 0;
                take_bench(&b);
                for (size_t j = 0; j < b.r.nu; j++)
                        floors[j] = 17.5;
                b.r.snap.u_floor = floors;
                b.r.confirmed[0] = 17;
                assert_true(judge(&b, 0, 17) && judge(&b, 0, 17.2));
                assert_false(judge(&b, 0, 16.9));
                b.r.confirmed[0] = 17.07;
                assert_true(judge(&b, 0, grid ? 17 : 17.07));
                assert_false(judge(&b, 0, grid ? 16.9 : 17));
                rig_close(&b.r);
        }
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0] = (struct safety_u){
            .safe_dir = -1, .lo = 0.3, .hi = 1, .step = 0.1, .rate = 0.1, .backup_rate = 1, .nominal = 0.5};
        take_bench(&b);
        b.r.snap.no_colder_water = true;
        b.r.confirmed[0] = 0.3;
        assert_true(judge(&b, 0, 0.3));
        b.r.confirmed[0] = 0.4;
        assert_false(judge(&b, 0, 0.3));
        rig_close(&b.r);
}

/* The shortest window that holds every lag is enough; one row less is not known, so not inside. */
static void test_window_length(void **state)
{
        struct bench b;
        struct rig_args a = rig_default();
        (void)state;
        a.lags = 3;
        open_bench(&b, a);
        for (size_t n = 2; n <= 3; n++) {
                rig_point(&b.r);
                b.r.snap.window =
                    (struct arx_window){n, b.r.wy + (RIG_HIST - n) * b.r.ny, b.r.wu + (RIG_HIST - n) * b.r.nu,
                                        b.r.wd + (RIG_HIST - n) * b.r.nd};
                verify_observe(b.v, &b.r.snap);
                b.act[0] = 18.3; /* warmer than now and than nominal: only a row inside lets it pass */
                assert_int_equal(verify_action(b.v, &b.r.snap, b.act), n == 3);
        }
        rig_close(&b.r);
}

/* What is no number, or no finite one, bounds nothing: however the model counts it, only what is known safe passes. */
static void test_what_is_not_finite_bounds_nothing(void **state)
{
        static const double none[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
        struct rig_args a = rig_default();
        struct bench b;

        (void)state;
        a.lags = 2;
        open_bench(&b, a);
        for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
                double *const at[] = {&b.r.wy[(RIG_HIST - 1) * b.r.ny], &b.r.wy[(RIG_HIST - 2) * b.r.ny],
                                      &b.r.wu[(RIG_HIST - 2) * b.r.nu], &b.r.wu[(RIG_HIST - 2) * b.r.nu + 1],
                                      &b.r.d_hi[0]};

                for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
                        const double was = *at[i];

                        assert_true(judge(&b, 0, 18.1));
                        *at[i] = none[k];
                        assert_false(judge(&b, 0, 18.1) || judge(&b, 1, 0.79));
                        assert_true(judge(&b, 0, 18) && judge(&b, 4, 18.1)); /* no change; the other room */
                        *at[i] = was;
                }
        }
        rig_close(&b.r);
}

/* A lift that is out of its bounds may get worse by what rounding makes of values between two counts, 0.5 and 0.1 K, no
 * more; and of others by nothing. */
static void test_lift_out_of_bounds(void **state)
{
        (void)state;
        for (int high = 0; high < 2; high++) {
                struct safety_lift lift = {9, 8, high ? -(double)INFINITY : 8, high ? 5 : (double)INFINITY, 0};
                struct bench b;

                rig_open(&b.r, rig_default(), 3);
                b.r.u[8].step = 0.1;
                b.r.u[9] = (struct safety_u){.lo = 12, .hi = 30, .step = 0.5, .rate = 2, .nominal = 15};
                b.r.env.lift = &lift;
                b.r.env.nlift = 1;
                b.r.confirmed[8] = 9; /* 6 K */
                b.r.confirmed[9] = 15;
                take_bench(&b);
                assert_true(judge(&b, 8, 9) && judge(&b, 9, high ? 14 : 16));
                assert_false(judge(&b, 8, high ? 8.9 : 9.1));
                b.r.confirmed[8] = 9.02;
                b.r.confirmed[9] = 15.2;
                b.act[9] = 15;
                assert_true(judge(&b, 8, high ? 8.5 : 9.4)); /* 0.52, or 0.38 and the 0.2 of the other */
                assert_false(judge(&b, 8, high ? 8.4 : 9.5));
                rig_close(&b.r);
        }
}

/* A neutral variable of a row over its limit may stay or go toward nominal, nowhere else. */
static void test_neutral_over_the_limit(void **state)
{
        struct bench b;
        (void)state;
        rig_open(&b.r, rig_default(), 3);
        b.r.u[0].safe_dir = 0;
        b.r.u[0].rate = 2;
        take_bench(&b);
        b.r.confirmed[0] = 19; /* nominal 18, step 0.1 */
        b.r.wy[(RIG_HIST - 1) * b.r.ny] = 40;
        assert_true(judge(&b, 0, 19));
        assert_true(judge(&b, 0, 18.5));
        assert_true(judge(&b, 0, 18));
        assert_true(judge(&b, 0, 17.9) && judge(&b, 0, 19.1));  /* a step of the register beside them, */
        assert_false(judge(&b, 0, 17.8) || judge(&b, 0, 19.2)); /* no more */
        assert_false(judge(&b, 0, 17.5));
        assert_false(judge(&b, 0, 19.5));
        rig_close(&b.r);
}

static void test_fixed_and_driven(void **state)
{
        struct bench b;
        struct rig_args a = rig_default();
        uint8_t fixed[16] = {0};
        size_t w;

        (void)state;
        a.sat_rows = true;
        rig_open(&b.r, a, 3);
        w = b.r.nu - 3;
        b.r.u[w].hi = 40;
        b.r.u[w].rate = 30;
        b.r.u[w].drives_d = SAFETY_DRIVES(2);
        b.r.cert[1].row = b.r.ninlet; /* a supply air temperature, 17 °C with water at 10 */
        b.r.cert[1].hi = 19;
        take_bench(&b);
        assert_false(judge(&b, w, 38));
        assert_true(judge(&b, w, 12));
        b.r.snap.u_fixed = fixed;
        fixed[0] = 1;
        b.r.confirmed[0] = b.act[0] = 18.37;
        assert_true(judge(&b, 0, 18.37));
        assert_false(judge(&b, 0, 18.3)); /* not even toward more cooling */
        assert_false(judge(&b, 0, 16));
        fixed[b.r.nu - 1] = 1;
        assert_true(judge(&b, b.r.nu - 1, 1));
        b.r.snap.mono_s += 4000;
        b.r.snap.cooling_load_w = 0;
        assert_false(judge(&b, b.r.nu - 1, 0));
        fixed[b.r.nu - 1] = 0;
        assert_true(judge(&b, b.r.nu - 1, 0));
        rig_close(&b.r);
}

/* A setpoint that a disturbance follows, whatever its place: it counts for the rows that read the disturbance. */
static void test_first_variable_drives(void **state)
{
        struct bench b;

        (void)state;
        open_free_first(&b);
        b.r.u[0] = (struct safety_u){.safe_dir = -1,
                                     .lo = 7,
                                     .hi = 40,
                                     .step = 0.5,
                                     .rate = 30,
                                     .backup_rate = 1,
                                     .nominal = 8,
                                     .drives_d = SAFETY_DRIVES(2)};
        b.r.confirmed[0] = 8;
        b.r.cert[1] = (struct safety_y){.row = b.r.ninlet, .hi = 19, .trip = 30}; /* supply air */
        take_bench(&b);
        assert_true(judge(&b, 0, 12));
        assert_false(judge(&b, 0, 38));
        rig_close(&b.r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_continuous_bounds),
            cmocka_unit_test(test_slow_and_water),
            cmocka_unit_test(test_neutral_variable_is_limited_both_ways),
            cmocka_unit_test(test_fixed_and_driven),
            cmocka_unit_test(test_envelope_of_its_own),
            cmocka_unit_test(test_last_values_of_the_box),
            cmocka_unit_test(test_many_variables),
            cmocka_unit_test(test_first_variable_drives),
            cmocka_unit_test(test_no_read_back_at_all),
            cmocka_unit_test(test_base_without_read_back),
            cmocka_unit_test(test_one_step_bound_agrees_with_the_model),
            cmocka_unit_test(test_one_step_bound_of_odd_rows),
            cmocka_unit_test(test_one_step_bound_without_a_prior),
            cmocka_unit_test(test_bound_from_what_was_just_seen),
            cmocka_unit_test(test_bound_without_a_transition),
            cmocka_unit_test(test_trip_only_output),
            cmocka_unit_test(test_over_the_limit_only_cooler),
            cmocka_unit_test(test_nominal_while_comfortable),
            cmocka_unit_test(test_unseen_water),
            cmocka_unit_test(test_over_the_limit_off_any_grid),
            cmocka_unit_test(test_end_of_the_box_by_a_rounding),
            cmocka_unit_test(test_start_of_the_box_by_a_rounding),
            cmocka_unit_test(test_soft_floor_gives_way),
            cmocka_unit_test(test_floor_above_what_the_plant_has),
            cmocka_unit_test(test_what_is_not_finite_bounds_nothing),
            cmocka_unit_test(test_lift_out_of_bounds),
            cmocka_unit_test(test_window_length),
            cmocka_unit_test(test_neutral_over_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
