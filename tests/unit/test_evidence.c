/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The coder of evidence: nothing of a snapshot is lost in it, what the second checker reads of it decides as before,
 * and what it writes fits its memory whatever the bytes are. */
/* agent/points/site.h has another struct of that name */
#define equipment equipment_of_safety
#include "tests/unit/test_safety_common.h"
#undef equipment

#include <errno.h>

#include "agent/gate/evidence.h"
#include "models/num/bytes.h"

enum { HEAD = 10, OVER = 6, BASIS_MAX = 512, CHW = 8, CHILLER = 9 };

/* --- a snapshot in evidence */

struct path {
        struct rig r;
        struct evidence *to, *from;
        double basis[BASIS_MAX], *floor;
        uint8_t *fixed;
        size_t nbasis, set_bytes;
};

static void path_open(struct path *p, struct rig_args a)
{
        memset(p, 0, sizeof *p);
        rig_open(&p->r, a, 1);
        for (size_t j = CHILLER; j < p->r.nu; j++) {
                p->r.u[j].min_flow_m3s = 0.01;
                p->r.u[j].fast = 0;
        }
        rig_create(&p->r);
        p->nbasis = safety_basis_save(p->r.s, 0, NULL, 0);
        assert_true(p->nbasis <= BASIS_MAX);
        (void)safety_basis_save(p->r.s, 0, p->basis, p->nbasis);
        p->set_bytes = arx_set_save(p->r.model, NULL, 0);
        const struct evidence_shape shape = {p->r.nu, p->r.ny, p->r.nd, RIG_HIST, p->nbasis, p->set_bytes};
        assert_int_equal(evidence_create(&shape, &p->to), 0);
        assert_int_equal(evidence_create(&shape, &p->from), 0);
        p->floor = rig_alloc(p->r.nu, sizeof(double));
        p->fixed = rig_alloc(p->r.nu, 1);
        for (size_t j = 0; j < p->r.nu; j++)
                p->floor[j] = (double)NAN;
        p->r.snap.u_floor = p->floor;
        p->r.snap.u_fixed = p->fixed;
        p->r.snap.cooling_load_w = 150e3;
        p->r.snap.chw_flow_m3s = p->r.snap.evap_flow_m3s = 0.05;
}

static void path_close(struct path *p)
{
        evidence_free(p->to);
        evidence_free(p->from);
        free(p->floor);
        free(p->fixed);
        rig_close(&p->r);
}

/* What is read of what is written. */
static void through(struct path *p, struct safety_snapshot *ret)
{
        struct store_evidence out;

        memcpy(evidence_basis(p->to), p->basis, p->nbasis * sizeof(double));
        (void)arx_set_save(p->r.model, evidence_set(p->to), p->set_bytes);
        evidence_pack(p->to, &p->r.snap, 1, &out);
        if (out.set)
                assert_int_equal(evidence_read_base(p->from, out.set, out.set_len), 0);
        assert_int_equal(evidence_read(p->from, out.blob, out.len), 0);
        evidence_stored(p->to, 1);
        evidence_snapshot(p->from, ret);
        ret->t_ms = p->r.snap.t_ms;
        ret->u_confirmed = p->r.snap.u_confirmed;
}

static void same(const double *a, const double *b, size_t n)
{
        assert_memory_equal(a, b, n * sizeof(double));
}

/* Every field by itself, and its absence: none of them may come back as what another one was. */
static void test_every_field_comes_back(void **state)
{
        struct path p;
        struct rig *r = &p.r;

        (void)state;
        path_open(&p, rig_default());
        for (unsigned turn = 0; turn < 16; turn++) {
                struct safety_snapshot *s = &r->snap, got;

                s->mono_s = 1000 + 30.25 * turn;
                s->cooling_load_w = turn == 3 ? (double)NAN : 1e5 + turn;
                s->chw_flow_m3s = turn == 5 ? (double)NAN : 0.02 + 1e-3 * turn;
                s->evap_flow_m3s = turn == 7 ? (double)NAN : 0.01 + 1e-3 * turn;
                s->evap_flow_ramp_per_min = turn == 11 ? (double)NAN : 0.01 * turn;
                s->slow_step = turn & 1;
                s->interlock = turn >> 1 & 1;
                s->no_warmer_water = turn >> 2 & 1;
                s->no_colder_water = turn >> 3 & 1;
                s->window.n = turn == 9 ? 3 : RIG_HIST;
                for (size_t j = 0; j < r->nu; j++) {
                        p.floor[j] = (j + turn) % 3 ? 12 + 0.1 * (double)(j + turn) : (double)NAN;
                        p.fixed[j] = (j + turn) % 5 == 0;
                        r->status[j] = (j + turn) % 4 == 3 ? 255 : (j + turn) % 2;
                }
                for (size_t i = 0; i < r->ny; i++) {
                        r->y_ok[i] = (uint8_t)((i + turn) % 4);
                        r->wy[i] = 21 + 0.01 * (double)(i + turn);
                }
                for (size_t k = 0; k < r->nd; k++)
                        r->d_hi[k] = 1 + 0.1 * (double)(k + turn);
                through(&p, &got);
                assert_true(got.mono_s == s->mono_s && got.window.n == s->window.n);
                same(&got.cooling_load_w, &s->cooling_load_w, 1);
                same(&got.chw_flow_m3s, &s->chw_flow_m3s, 1);
                same(&got.evap_flow_m3s, &s->evap_flow_m3s, 1);
                same(&got.evap_flow_ramp_per_min, &s->evap_flow_ramp_per_min, 1);
                assert_int_equal(evidence_version(p.from), 2);
                assert_true(got.slow_step == s->slow_step && got.interlock == s->interlock);
                assert_true(got.no_warmer_water == s->no_warmer_water && got.no_colder_water == s->no_colder_water);
                same(got.window.y, s->window.y, s->window.n * r->ny);
                same(got.window.u, s->window.u, s->window.n * r->nu);
                same(got.window.d, s->window.d, s->window.n * r->nd);
                same(got.d_hi, s->d_hi, r->nd);
                same(got.u_floor, s->u_floor, r->nu);
                assert_memory_equal(got.u_fixed, s->u_fixed, r->nu);
                assert_memory_equal(got.onoff_status, s->onoff_status, r->nu);
                assert_memory_equal(got.y_ok, s->y_ok, r->ny);
        }
        path_close(&p);
}

/* --- what the second checker reads of it */

/* The second checker on `act`, of the snapshot as it was and as it was stored: the same. */
static bool passes(struct path *p, const double *act)
{
        struct safety_snapshot got;
        struct safety_recheck live, stored;
        const double *basis = evidence_basis(p->from);

        through(p, &got);
        assert_int_equal(safety_recheck(p->r.s, &p->r.snap, p->basis, p->nbasis, act, &live), 0);
        assert_int_equal(safety_recheck(p->r.s, &got, basis, p->nbasis, act, &stored), 0);
        assert_true(live.verified == stored.verified && live.base_same && stored.base_same);
        same(&live.margin, &stored.margin, 1);
        return stored.verified;
}

static void settle(struct path *p, double y_c)
{
        rig_settle(&p->r, y_c, 0.5);
        p->r.snap.onoff_status = p->r.status;
        p->r.snap.slow_step = true;
}

/* Two hours on, so that no timer forbids anything. */
static void wait(struct path *p)
{
        (void)rig_decide(&p->r);
        p->r.snap.mono_s += 7200;
        (void)rig_decide(&p->r);
        (void)safety_basis_save(p->r.s, p->r.snap.mono_s, p->basis, p->nbasis);
}

static void test_flow_for_a_start(void **state)
{
        struct path p;
        double act[16];

        (void)state;
        path_open(&p, rig_default());
        settle(&p, 22);
        p.r.confirmed[CHILLER + 1] = p.r.prop[CHILLER + 1] = 0;
        p.r.status[CHILLER + 1] = 0;
        p.r.snap.cooling_load_w = 50e3;
        wait(&p);
        memcpy(act, p.r.confirmed, p.r.nu * sizeof(double));
        act[CHILLER + 1] = 1;
        p.r.snap.chw_flow_m3s = 0.03;
        assert_true(passes(&p, act));
        p.r.snap.chw_flow_m3s = 0.015; /* too little for two */
        assert_false(passes(&p, act));
        p.r.snap.chw_flow_m3s = (double)NAN;
        assert_true(passes(&p, act));
        path_close(&p);
}

static void test_flow_for_a_stop(void **state)
{
        struct path p;
        double act[16];

        (void)state;
        path_open(&p, rig_default());
        settle(&p, 22);
        wait(&p);
        memcpy(act, p.r.confirmed, p.r.nu * sizeof(double));
        act[CHILLER] = 0; /* more than the other carries */
        p.r.snap.cooling_load_w = 150e3;
        p.r.snap.evap_flow_m3s = 0.03;
        assert_false(passes(&p, act));
        p.r.snap.evap_flow_m3s = 0.021; /* both are about to trip */
        assert_true(passes(&p, act));
        p.r.snap.evap_flow_m3s = (double)NAN;
        assert_false(passes(&p, act));
        path_close(&p);
}

static void test_ramp_for_a_stop(void **state)
{
        struct path p;
        double act[16];

        (void)state;
        path_open(&p, rig_default());
        settle(&p, 22);
        p.r.u[CHILLER + 1].max_flow_ramp_per_min = 0.1;
        rig_create(&p.r);
        p.r.snap.cooling_load_w = 50e3;
        p.r.snap.evap_flow_m3s = 1;
        wait(&p);
        memcpy(act, p.r.confirmed, p.r.nu * sizeof(double));
        act[CHILLER] = 0;
        p.r.snap.evap_flow_ramp_per_min = 0.09;
        assert_true(passes(&p, act));
        p.r.snap.evap_flow_ramp_per_min = 0.11;
        assert_false(passes(&p, act));
        p.r.snap.evap_flow_ramp_per_min = (double)NAN;
        assert_true(passes(&p, act));
        path_close(&p);
}

static void test_water_near_freezing(void **state)
{
        struct path p;
        double act[16];

        (void)state;
        path_open(&p, rig_default());
        settle(&p, 22);
        p.r.confirmed[CHW] = p.r.prop[CHW] = 9;
        wait(&p);
        memcpy(act, p.r.confirmed, p.r.nu * sizeof(double));
        act[CHW] = 8.5;
        assert_true(passes(&p, act));
        p.r.snap.no_colder_water = true;
        assert_false(passes(&p, act));
        path_close(&p);
}

static void test_soft_floor(void **state)
{
        struct path p;
        double act[16];

        (void)state;
        path_open(&p, rig_default());
        settle(&p, 22);
        wait(&p);
        memcpy(act, p.r.confirmed, p.r.nu * sizeof(double));
        act[0] = 17.5;
        assert_true(passes(&p, act));
        p.floor[0] = 17.8;
        assert_false(passes(&p, act));
        p.floor[0] = 17.4;
        assert_true(passes(&p, act));
        path_close(&p);
}

/* --- what an older version wrote */

/* Version 1 of a frame of one variable of each kind, packed as one run of literals, or (follows) as no change. */
static size_t put_version_1(uint8_t *blob, bool follows)
{
        const double frame[18] = {1, 1000, 5e4, 0.02, 0.01, 1, 0, 0, 0, 21, 18, 1, 1.5, 16, 0, 255, 1, 77};
        uint8_t bytes[sizeof frame], *p = blob + HEAD;

        (void)bytes_put_f64(bytes, frame, 18);
        blob[0] = 1;
        blob[1] = follows ? 0 : 1;
        (void)bytes_put(blob + 2, bytes_crc32(bytes, sizeof bytes), 4);
        memcpy(p, follows ? "\x90\x01\x00" : "\x00\x90\x01", 3); /* 144 zeros, or 144 literals */
        p += 3;
        for (size_t plane = 8; !follows && plane-- > 0;)
                for (size_t k = 0; k < 18; k++)
                        *p++ = bytes[8 * k + plane];
        (void)bytes_put(blob + 6, (uint64_t)(p - blob - HEAD), 4);
        return (size_t)(p - blob);
}

static void test_version_1_is_read(void **state)
{
        const struct evidence_shape shape = {.nu = 1, .ny = 1, .nd = 1, .rows = 1, .nbasis = 1, .set_bytes = 8};
        struct safety_snapshot s;
        struct evidence *e;
        uint8_t blob[256];

        (void)state;
        assert_int_equal(evidence_create(&shape, &e), 0);
        for (int turn = 0; turn < 3; turn++) {
                const size_t len = put_version_1(blob, turn > 0);

                assert_int_equal(evidence_read(e, blob, len), 0);
                evidence_snapshot(e, &s);
                assert_true(s.mono_s == 1000 && s.window.n == 1 && s.window.y[0] == 21 && s.d_hi[0] == 1.5);
                assert_true(s.cooling_load_w == 5e4 && s.evap_flow_m3s == 0.01 && s.slow_step && !s.interlock);
                assert_true(s.onoff_status[0] == 255 && s.y_ok[0] == 1 && evidence_basis(e)[0] == 77);
                assert_true(isnan(s.evap_flow_ramp_per_min)); /* it did not know it */
                assert_int_equal(evidence_version(e), 1);
        }
        for (int version = 0; version < 4; version++) {
                const size_t len = put_version_1(blob, false);

                blob[0] = (uint8_t)version;
                assert_int_equal(evidence_read(e, blob, len), version == 1 ? 0 : -EBADMSG);
        }
        evidence_free(e);
}

/* --- what it takes at most */

/* n bytes: `zeros` of them 0, `literals` of them not, over and over. */
static uint8_t byte_at(size_t k, size_t zeros, size_t literals)
{
        return k % (zeros + literals) < zeros ? 0 : (uint8_t)(1 + k % 255);
}

/* Counts that cost more than they save, if they are written: as many of them as there is room for, in every byte plane
 * of the frame, of the set against nothing, and of the set against another. The memory is that of create. */
static void pack_pattern(size_t n, size_t zeros, size_t literals)
{
        const struct evidence_shape shape = {.nu = 1, .ny = 1, .nd = 1, .rows = 1, .nbasis = n, .set_bytes = 8 * n};
        const double one[1] = {1};
        const uint8_t none[1] = {0};
        const struct safety_snapshot snap = {.window = {1, one, one, one},
                                             .d_hi = one,
                                             .u_floor = one,
                                             .u_fixed = none,
                                             .onoff_status = none,
                                             .y_ok = none};
        const size_t frame = 8 * (n + 18);
        struct evidence *w, *r;
        struct store_evidence out;
        uint8_t *set = rig_alloc(8 * n, 1);

        assert_int_equal(evidence_create(&shape, &w), 0);
        assert_int_equal(evidence_create(&shape, &r), 0);
        for (size_t k = 0; k < n; k++)
                memset(set + 8 * k, byte_at(k, zeros, literals), 8);
        for (int turn = 0; turn < 2; turn++) {
                memcpy(evidence_basis(w), set, 8 * n);
                memset(evidence_basis(w), turn, 1); /* another than before */
                memcpy(evidence_set(w), set, 8 * n);
                evidence_set(w)[turn] ^= 1;
                evidence_pack(w, &snap, (uint64_t)turn, &out);
                assert_true(out.len <= HEAD + frame + OVER + 8 * n + OVER);
                if (out.set) {
                        assert_true(out.set_len <= 1 + 8 * n + OVER);
                        assert_int_equal(evidence_read_base(r, out.set, out.set_len), 0);
                }
                assert_true(turn > 0 || out.len <= HEAD + frame + OVER);
                assert_int_equal(evidence_read(r, out.blob, out.len), 0);
                assert_int_equal(evidence_read_set(r, out.blob, out.len), 0);
                assert_memory_equal(evidence_basis(r), evidence_basis(w), 8 * n);
                assert_memory_equal(evidence_set(r), evidence_set(w), 8 * n);
                evidence_stored(w, 1);
        }
        memset(evidence_set(w), 0, 8 * n); /* what it differs from the base is the pattern */
        memset(evidence_basis(w), 0, 8 * n);
        evidence_pack(w, &snap, 2, &out);
        assert_true(out.len <= HEAD + frame + OVER + 8 * n + OVER);
        evidence_free(w);
        evidence_free(r);
        free(set);
}

static void test_never_larger_than_its_memory(void **state)
{
        static const size_t zeros[] = {1, 2, 3, 4, 5, 6, 7, 127, 128}, literals[] = {1, 127, 128, 16383, 16384};

        (void)state;
        for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
                for (size_t k = 0; k < sizeof literals / sizeof *literals; k++)
                        pack_pattern(10 * 1024, zeros[i], literals[k]);
        pack_pattern(40 * (3 + 16384), 3, 16384);          /* 320 counts of 4 bytes for 3 */
        pack_pattern(40 * (6 + 16384), 6, 16384);          /* of 4 for 6 */
        pack_pattern(1 + 2 * ((1 << 21) + 3), 3, 1 << 21); /* of 5 for 3 */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_every_field_comes_back),
            cmocka_unit_test(test_flow_for_a_start),
            cmocka_unit_test(test_flow_for_a_stop),
            cmocka_unit_test(test_water_near_freezing),
            cmocka_unit_test(test_soft_floor),
            cmocka_unit_test(test_never_larger_than_its_memory),
            cmocka_unit_test(test_ramp_for_a_stop),
            cmocka_unit_test(test_version_1_is_read),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
