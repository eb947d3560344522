/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* What is said of a room before and along its worst case: comfort, what is missing, inputs and loads of the plan. */
#include "tests/unit/test_safety_filter.h"

static size_t steps; /* of rollouts, and how many rows were active in them */
static size_t rows_active;
void __real_arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u, const double *d,
                             const uint8_t *active, double *y);
void __wrap_arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u, const double *d,
                             const uint8_t *active, double *y);

void __wrap_arx_rollout_step(const struct arx_rollout *ro, size_t t, const double *u, const double *d,
                             const uint8_t *active, double *y)
{
        steps++;
        for (size_t i = 0; i < arx_structure(ro->m)->ny; i++)
                rows_active += active[i] != 0;
        __real_arx_rollout_step(ro, t, u, d, active, y);
}

static size_t turns; /* of the terminal box */
void __real_arx_worst(const struct arx *m, const struct arx_window *w, size_t n, const double *u, const double *d,
                      int dir, const uint8_t *active, double *work, double *y);
void __wrap_arx_worst(const struct arx *m, const struct arx_window *w, size_t n, const double *u, const double *d,
                      int dir, const uint8_t *active, double *work, double *y);

void __wrap_arx_worst(const struct arx *m, const struct arx_window *w, size_t n, const double *u, const double *d,
                      int dir, const uint8_t *active, double *work, double *y)
{
        turns++;
        __real_arx_worst(m, w, n, u, d, dir, active, work, y);
}

static void observe(struct rig *r)
{
        rig_point(r);
        memcpy(r->s->base, r->confirmed, r->nu * sizeof(double));
        tighten_model(r->s);
        tighten_observe(r->s, &r->snap);
}

/* Comfortable: every reading at least half a kelvin below what is recommended, which is the limit less soft_k. */
static void test_comfort_counts_from_the_soft_limit(void **state)
{
        (void)state;
        for (size_t row = 0; row < 6; row++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                r.cert[row].soft_k = 3; /* of 27 */
                rig_create(&r);
                NOW(r, row) = 23.5;
                observe(&r);
                assert_true(r.s->group[0].comfortable && r.s->group[1].comfortable);
                NOW(r, row) = 23.501;
                observe(&r);
                assert_true(r.s->group[0].comfortable == (row >= 3) && r.s->group[1].comfortable == (row < 3));
                NOW(r, row) = 22;
                NOW(r, (row + 1) % 6) = 26.5; /* the others' is the limit itself */
                observe(&r);
                assert_true(r.s->group[0].comfortable && r.s->group[1].comfortable);
                NOW(r, (row + 1) % 6) = 26.501;
                observe(&r);
                assert_true(!r.s->group[0].comfortable || !r.s->group[1].comfortable);
                r.y_ok[(row + 1) % 6] = COND_STALE; /* what is not read says nothing of comfort */
                observe(&r);
                assert_true(r.s->group[0].comfortable && r.s->group[1].comfortable);
                rig_close(&r);
        }
}

/* One coefficient by which a warmer output may cool another, whichever, and its room is neither cooperative nor has it
 * a terminal box; the other room is and has. */
static void test_any_output_that_cools(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.sat_rows = true;
        a.lags = 2;
        rig_open(&r, a, 1);
        rig_create(&r);
        for (size_t i = 0; i < r.ny; i++) {
                for (size_t k = r.row_start[i]; k < r.row_start[i + 1]; k++) {
                        const double was = r.lo[k];
                        const size_t g = r.s->row_group[i];

                        if (r.term[k].src != ARX_SRC_Y)
                                continue;
                        r.term[k].sign = 0;
                        r.lo[k] = -1e-9;
                        rig_model(&r, false);
                        rig_create(&r);
                        observe(&r);
                        assert_true(!r.s->group[g].cooperative && !r.s->group[g].invariant);
                        assert_true(r.s->group[1 - g].cooperative && r.s->group[1 - g].invariant);
                        r.lo[k] = 0;
                        rig_model(&r, false);
                        rig_create(&r);
                        observe(&r);
                        assert_true(r.s->group[g].cooperative && r.s->group[g].invariant);
                        r.lo[k] = was;
                }
        }
        rig_close(&r);
}

/* Row 0 is not certified, and row 1 reads it instead of its load, by that coefficient. */
static void open_read_first(struct rig *r, double by, size_t horizon)
{
        struct rig_args a = rig_default();

        a.horizon = horizon;
        rig_open(r, a, 1);
        for (size_t i = 0; i < 5; i++)
                r->cert[i].row = i + 1;
        r->env.ncert = 5;
        for (size_t k = r->row_start[1]; k < r->row_start[2]; k++) {
                if (r->term[k].src == ARX_SRC_D) {
                        r->term[k].src = ARX_SRC_Y;
                        r->term[k].index = 0;
                        r->term[k].sum1 = 0;
                        r->lo[k] = r->hi[k] = by;
                }
        }
        rig_model(r, false);
        rig_create(r);
}

/* A row that is not certified, the first of all, comes down from above the limits until the rows that read it stay
 * below theirs: 0.84·27 + 2.56 − 0.32 + 0.36 + 0.05 leaves 1.67 K, and 0.055 of it is 2.04 at 37 °C, 1.41 at its own
 * end of 25.6. The box of the others ends at their limits all the same. */
static void test_first_row_comes_down(void **state)
{
        (void)state;
        for (int heavy = 0; heavy < 2; heavy++) {
                struct rig r;

                open_read_first(&r, heavy ? 0.07 : 0.055, 20);
                observe(&r);
                assert_true(r.s->row_group[0] == 0 && r.s->u_group[0] == 0);
                assert_int_equal(r.s->group[0].invariant, !heavy);
                assert_true(r.s->group[1].invariant);
                if (!heavy)
                        assert_true(r.s->box[0] > 25.5 && r.s->box[0] < 1.67 / 0.055);
                assert_true(r.s->box[1] == 27 && r.s->box[2] == 27 && r.s->box[3] == 27);
                rig_close(&r);
        }
}

/* The plan of variable j when act [nu] is taken for one step: is it these, and then the last of them for ever? */
static void plan_is(struct rig *r, size_t j, double value, const double *want, size_t n)
{
        double act[16];

        memcpy(act, r->confirmed, r->nu * sizeof(double));
        act[j] = value;
        observe(r);
        tighten_window(r->s, &r->snap);
        tighten_rollout(r->s, r->d_hi, act, true);
        for (size_t k = 0; k < r->env.horizon; k++) {
                const double got = r->s->u_future[k * r->nu + j], is = want[k < n ? k : n - 1];

                if (!near(got, is))
                        fail_msg("variable %zu, step %zu: %.17g, expected %g", j, k, got, is);
        }
}
#define PLAN(j, value, ...)                                                                                            \
        plan_is(&r, j, value, (const double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double))

/* More cooling comes no faster than the equipment ramps, less at once; a unit counts as on only when it is and stays
 * so, whatever its rates; what has no direction stays. */
static void test_what_the_plan_counts_on(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;
        size_t b;

        (void)state;
        a.towers = true;
        rig_open(&r, a, 1);
        b = r.nu - 1;
        r.u[b].backup_rate = r.u[b].rate = 1;
        r.u[8].backup_rate = 1;
        rig_create(&r);
        PLAN(0, 18, 18, 17, 16);
        PLAN(0, 16, 17, 16); /* from 18 no colder than 17 in the first step */
        PLAN(0, 17.5, 17.5, 16.5, 16);
        PLAN(0, 18.5, 18.5, 17.5, 16.5, 16);
        PLAN(1, 0.8, 0.8, 0.9, 1);
        PLAN(1, 1, 0.9, 1);
        PLAN(1, 0.75, 0.75, 0.85, 0.95, 1);
        PLAN(8, 21, 21); /* condenser water: the rig's, before its chilled water */
        PLAN(8, 19, 19);
        PLAN(b, 1, 1);
        PLAN(b, 0, 0);
        r.confirmed[b] = 0;
        PLAN(b, 1, 0);
        PLAN(b, 0, 0);
        r.confirmed[0] = 14; /* beyond its box: stays, or from the box on */
        PLAN(0, 14, 14);
        PLAN(0, 16, 16);
        rig_close(&r);
}

/* A disturbance that follows a setpoint counts at no less than that, from the first step on; colder water comes too
 * late to be counted on, and the others stay what they are said to be at most. */
static void test_disturbances_of_the_plan(void **state)
{
        static const double order[] = {7, 9, 12}, worst[] = {10, 10, 12};
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.sat_rows = true;
        rig_open(&r, a, 1);
        r.u[8].drives_d = SAFETY_DRIVES(2);
        rig_create(&r);
        r.d_hi[0] = 0.7;
        for (size_t n = 0; n < 3; n++) {
                double act[16];

                memcpy(act, r.confirmed, r.nu * sizeof(double));
                act[8] = order[n];
                if (order[n] < r.confirmed[8])
                        r.confirmed[8] = order[n];
                observe(&r);
                tighten_window(r.s, &r.snap);
                tighten_rollout(r.s, r.d_hi, act, true);
                for (size_t k = 0; k < r.env.horizon; k++) {
                        const double *d = r.s->d_future + k * r.nd;

                        assert_true(d[0] == 0.7 && d[1] == r.d_hi[1] && d[2] == worst[n]);
                }
                r.confirmed[8] = 8;
        }
        rig_close(&r);
}

/* Inputs stay from where the last of the room's does, in whatever order they come; not those of the other room. */
static void test_inputs_stay_from_the_last(void **state)
{
        static const struct {
                double first, second;
                size_t steady;
        } at[] = {{18, 17, 2}, {17, 18, 2}, {16, 18.5, 3}, {18.5, 16, 3}, {16, 16, 0}, {16, 16.5, 1}};
        double act[16];
        struct rig r;

        (void)state;
        open_rig(&r);
        for (size_t j = 1; j < 8; j += 2)
                r.confirmed[j] = 1;
        for (size_t n = 0; n < sizeof(at) / sizeof(at[0]); n++) {
                r.confirmed[0] = at[n].first;
                r.confirmed[2] = at[n].second;
                r.confirmed[4] = r.confirmed[6] = 16;
                observe(&r);
                tighten_window(r.s, &r.snap);
                tighten_rollout(r.s, r.d_hi, r.confirmed, true);
                assert_int_equal(r.s->group[0].steady, at[n].steady);
                assert_int_equal(r.s->group[1].steady, 0);
                r.s->base[0] = r.s->base[2] = 16; /* of this rollout, not of the one before */
                memcpy(act, r.confirmed, r.nu * sizeof(double));
                act[0] = act[2] = 16;
                tighten_rollout(r.s, r.d_hi, act, true);
                assert_int_equal(r.s->group[0].steady, 0);
        }
        rig_close(&r);
}

/* It is done when the inputs have stayed and no row has risen for as many steps as the model has lags, what is measured
 * not counted: not a step before, nor later. */
static void test_when_a_rollout_is_done(void **state)
{
        (void)state;
        for (unsigned kind = 0; kind < 6; kind++) {
                const unsigned lags = kind % 2 ? 3 : 1;
                const size_t steady = kind / 2;                            /* 0 … 2 */
                const size_t done = steady > 0 ? steady + lags - 1 : lags; /* the step after which it is */

                for (size_t n = done; n <= done + 1; n++) {
                        struct rig_args a = rig_default();
                        struct rig r;

                        a.lags = lags;
                        a.horizon = n;
                        rig_open(&r, a, 1);
                        for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                                r.wy[i] = 26; /* falls under any of these inputs */
                        for (size_t k = 0; k < RIG_HIST * r.nu; k++)
                                r.wu[k] = k % r.nu % 2 ? 1 : 16;
                        for (size_t j = 0; j < 8; j++)
                                r.confirmed[j] = j % 2 ? 1 : 16 + (double)steady;
                        rig_create(&r);
                        observe(&r);
                        tighten_window(r.s, &r.snap);
                        r.s->group[0].need = r.s->group[1].need = -(double)INFINITY;
                        tighten_rollout(r.s, r.d_hi, r.confirmed, true);
                        assert_int_equal(r.s->group[0].steady, n > steady ? steady : n);
                        assert_true(r.s->group[0].rolling == (n <= done) && r.s->group[1].rolling == (n <= done));
                        rig_close(&r);
                }
        }
}

/* A load that is no number leaves no bound: no margin, whatever the others have, and that row is named. */
static void test_no_bound_is_no_margin(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        for (size_t k = 0; k < r.nterm; k++) {
                if (r.term[k].src == ARX_SRC_D && k >= r.row_start[1] && k < r.row_start[2])
                        r.term[k].index = 2; /* one row of room 0 reads the other disturbance */
        }
        rig_model(&r, false);
        rig_create(&r);
        r.d_hi[2] = (double)NAN;
        observe(&r);
        tighten_window(r.s, &r.snap);
        r.s->group[0].need = -(double)INFINITY;
        tighten_rollout(r.s, r.d_hi, r.confirmed, true);
        assert_false(tighten_judge(r.s, 0));
        assert_true(r.s->group[0].margin == -(double)INFINITY && !r.s->group[0].terminal);
        assert_int_equal(r.s->group[0].binding, 1);
        assert_true(tighten_judge(r.s, 1) && r.s->group[1].margin > 0);
        rig_close(&r);
}

/* What stops a rollout is not that it settled outside of the terminal box: air that is too warm for it at first, while
 * nothing rises, comes into it, and then it is done. */
static void test_air_that_comes_into_the_box(void **state)
{
        struct rig_args a = rig_default();
        struct rig r;

        (void)state;
        a.sat_rows = true;
        a.rooms = 1;
        rig_open(&r, a, 1);
        rig_create(&r);
        for (size_t i = 0; i < RIG_HIST * r.ny; i++)
                r.wy[i] = i % r.ny < r.ninlet ? 26 : 24;
        for (size_t j = 0; j < 4; j++)
                r.confirmed[j] = j % 2 ? 1 : 16;
        observe(&r);
        tighten_window(r.s, &r.snap);
        r.s->group[0].need = 0;
        tighten_rollout(r.s, r.d_hi, r.confirmed, true);
        assert_true(r.s->y_up[r.ny] < r.s->y_up[0] && r.s->y_up[r.ny + 3] < r.s->y_up[3]); /* falls at once … */
        assert_true(r.s->y_up[r.ny + 3] > r.s->box[3]);                                    /* … outside */
        assert_false(r.s->group[0].rolling);
        assert_true(tighten_judge(r.s, 0) && r.s->group[0].terminal);
        rig_close(&r);
}

/* The backup is to be wholly in force at the end for as many steps as the last step reads of it, and every row in its
 * box, the first one too, which nobody certifies here. */
static void test_terminal_at_the_end_of_the_horizon(void **state)
{
        static const double warmest[] = {18, 18, 17}; /* of three steps, by lags: 18, 17, 16 and 17, 16, 16 */

        (void)state;
        for (unsigned lags = 1; lags <= 3; lags++) {
                struct rig_args a = rig_default();
                struct rig r;

                a.lags = lags;
                a.horizon = 3;
                rig_open(&r, a, 1);
                rig_create(&r);
                for (size_t j = 0; j < 8; j++)
                        r.confirmed[j] = j % 2 ? 1 : warmest[lags - 1];
                for (int warm = 0; warm < 2; warm++) {
                        r.confirmed[0] += 0.1 * warm;
                        observe(&r);
                        tighten_window(r.s, &r.snap);
                        tighten_rollout(r.s, r.d_hi, r.confirmed, true);
                        for (size_t g = 0; g < 2; g++) {
                                assert_true(tighten_judge(r.s, g));
                                assert_true(r.s->group[g].terminal == (g == 1 || !warm));
                        }
                }
                rig_close(&r);
        }
        for (int hot = 0; hot < 2; hot++) {
                struct rig r;

                open_read_first(&r, 0.055, 5);
                set_inlets(&r, 22);
                NOW(r, 0) = hot ? 45 : 22;
                for (size_t j = 0; j < 8; j++)
                        r.confirmed[j] = j % 2 ? 1 : 16;
                observe(&r);
                tighten_window(r.s, &r.snap);
                tighten_rollout(r.s, r.d_hi, r.confirmed, true);
                assert_true(r.s->group[0].invariant);
                assert_int_equal(tighten_judge(r.s, 0), !hot);
                assert_true(r.s->group[0].margin > 0 && r.s->group[0].terminal == !hot);
                rig_close(&r);
        }
}

/* No step is taken for a room that is done, nor for one that was decided before. */
static void test_steps_of_a_rollout(void **state)
{
        struct rig r;

        (void)state;
        open_rig(&r);
        set_inlets(&r, 26);
        for (size_t k = 0; k < RIG_HIST * r.nu; k++)
                r.wu[k] = k % r.nu % 2 ? 1 : 16;
        for (size_t j = 0; j < 8; j++)
                r.confirmed[j] = j % 2 ? 1 : j < 4 ? 18 : 16; /* room 0 is done after step 2, room 1 after step 1 */
        observe(&r);
        tighten_window(r.s, &r.snap);
        r.s->group[0].need = r.s->group[1].need = -(double)INFINITY;
        for (int all = 0; all < 2; all++) {
                steps = rows_active = 0;
                r.s->group[1].decided = !all;
                tighten_rollout(r.s, r.d_hi, r.confirmed, all);
                assert_int_equal(steps, 3);
                assert_int_equal(rows_active, all ? 3 * 3 + 3 * 2 : 3 * 3);
        }
        r.s->group[0].decided = r.s->group[1].decided = true;
        steps = 0;
        tighten_rollout(r.s, r.d_hi, r.confirmed, false);
        assert_int_equal(steps, 0);
        r.s->group[0].decided = false; /* a margin that is lost is enough, at once */
        r.s->group[0].need = 20;
        tighten_rollout(r.s, r.d_hi, r.confirmed, false);
        assert_true(r.s->group[0].lost && steps == 1);
        rig_close(&r);
}

/* The box takes one turn where every row stays in it at once, or none can come down; as many as row 0 needs to come
 * down where that is enough, a hundred where it is not; and none while neither the model nor what the plant can do
 * changed. */
static void test_turns_of_the_box(void **state)
{
        struct rig r;

        (void)state;
        for (int heavy = 0; heavy < 2; heavy++) {
                rig_open(&r, rig_default(), 1);
                r.d_max[0] = heavy ? 5 : 1;
                rig_create(&r);
                turns = 0;
                observe(&r);
                assert_int_equal(turns, 1);
                assert_int_equal(r.s->group[0].invariant, !heavy);
                observe(&r);
                assert_int_equal(turns, 1);
                r.s->box_changed = true;
                observe(&r);
                assert_int_equal(turns, 2);
                rig_close(&r);
        }
        open_read_first(&r, 0.055, 20);
        turns = 0;
        observe(&r);
        assert_true(r.s->group[0].invariant && turns > 2 && turns < 10);
        rig_close(&r);
        open_read_first(&r, 0.07, 20);
        turns = 0;
        observe(&r);
        assert_true(!r.s->group[0].invariant && turns == 100);
        rig_close(&r);
}

/* A horizon of one step: the box is what it is for any other, with one output certified as with many. */
static void test_box_of_the_shortest_horizon(void **state)
{
        for (size_t n = 1; n <= 20; n += 19) {
                struct rig_args a = rig_default();
                struct rig r;

                (void)state;
                a.horizon = n;
                rig_open(&r, a, 1);
                r.env.ncert = 1;
                rig_create(&r);
                observe(&r);
                assert_true(r.s->group[0].invariant && r.s->box[0] == 27);
                for (size_t i = 1; i < r.ny; i++)
                        assert_true(r.s->box[i] == 37); /* nobody looks at them */
                rig_close(&r);
        }
}

/* An output that is watched for its trip only has no margin that could be the least, or be lost. */
static void test_no_margin_of_a_trip_only_output(void **state)
{
        (void)state;
        for (size_t row = 0; row < 3; row++) {
                struct rig r;

                rig_open(&r, rig_default(), 1);
                r.cert[row].hi = (double)NAN;
                rig_create(&r);
                set_inlets(&r, 24);
                NOW(r, row) = 40;
                observe(&r);
                tighten_window(r.s, &r.snap);
                r.s->group[0].need = r.s->group[1].need = 0;
                tighten_rollout(r.s, r.d_hi, r.confirmed, true);
                assert_false(r.s->group[0].lost);
                assert_true(r.s->least[row] == (double)INFINITY);
                for (size_t i = 0; i < 3; i++) {
                        double least = (double)INFINITY;

                        for (size_t k = 0; k < r.env.horizon && i != row; k++)
                                least = fmin(least, 27 - r.s->y_up[k * r.ny + i]);
                        assert_true(r.s->least[i] == least);
                }
                assert_true(tighten_judge(r.s, 0) && r.s->group[0].margin > 0 && r.s->group[0].margin < 4);
                rig_close(&r);
        }
}

/* A room reads a setpoint where one of its rows reads the disturbance that follows it, in whatever place. */
static void test_who_reads_a_setpoint(void **state)
{
        struct rig r;

        (void)state;
        rig_open(&r, rig_default(), 1);
        r.u[8].drives_d = SAFETY_DRIVES(2);
        rig_create(&r);
        assert_false(tighten_reads(r.s, 0, 8) || tighten_reads(r.s, 1, 8) || tighten_reads(r.s, 0, 0));
        for (size_t i = 0; i < r.ny; i++) {
                const size_t from = r.row_start[i], to = r.row_start[i + 1];

                for (size_t k = from; k < to; k++) { /* its load becomes that disturbance, at place k */
                        struct arx_term was[16];

                        memcpy(was, r.term + from, (to - from) * sizeof(*was));
                        for (size_t m = from; m < to; m++) {
                                if (r.term[m].src == ARX_SRC_D) {
                                        r.term[m] = r.term[k];
                                        r.term[k] = (struct arx_term){ARX_SRC_D, 1, 0, 1, 2};
                                        break;
                                }
                        }
                        for (size_t m = from; m < to; m++) { /* any interval that a sign allows */
                                r.lo[m] = r.term[m].sign > 0 ? 0 : -1;
                                r.hi[m] = r.term[m].sign < 0 ? 0 : 1;
                        }
                        rig_model(&r, false);
                        rig_create(&r);
                        assert_true(tighten_reads(r.s, r.s->row_group[i], 8));
                        assert_false(tighten_reads(r.s, 1 - r.s->row_group[i], 8));
                        assert_false(tighten_reads(r.s, r.s->row_group[i], 9));
                        memcpy(r.term + from, was, (to - from) * sizeof(*was));
                }
        }
        rig_close(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_comfort_counts_from_the_soft_limit),
            cmocka_unit_test(test_any_output_that_cools),
            cmocka_unit_test(test_first_row_comes_down),
            cmocka_unit_test(test_what_the_plan_counts_on),
            cmocka_unit_test(test_disturbances_of_the_plan),
            cmocka_unit_test(test_inputs_stay_from_the_last),
            cmocka_unit_test(test_when_a_rollout_is_done),
            cmocka_unit_test(test_no_margin_of_a_trip_only_output),
            cmocka_unit_test(test_air_that_comes_into_the_box),
            cmocka_unit_test(test_terminal_at_the_end_of_the_horizon),
            cmocka_unit_test(test_no_bound_is_no_margin),
            cmocka_unit_test(test_steps_of_a_rollout),
            cmocka_unit_test(test_turns_of_the_box),
            cmocka_unit_test(test_box_of_the_shortest_horizon),
            cmocka_unit_test(test_who_reads_a_setpoint),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
