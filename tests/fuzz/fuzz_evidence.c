/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Evidence of decisions, blobs of a database that somebody may have written to. Input: flags u8, then bytes: taken as a
 * set, as a whole frame and as one that follows another; as a patch (fuzz_patch) on blobs that were written; and as the
 * doubles of a snapshot. Oracles: what is refused leaves the coder fit for the next whole one; what is read is in its
 * range, is written and read again bit for bit, and can be judged (safety_recheck) whatever it holds.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/gate/evidence.h"
#include "tests/fuzz/fuzz.h"

enum { NY = 2, NU = 2, ND = 1, ROWS = 3, NT = 4, FLAG_FOLLOW = 1, FLAG_SET = 2, FLAG_SHORT = 4, FLAG_VALUES = 8 };

static const size_t row_start[] = {0, NT, 2 * NT};
static const struct arx_term term[] = {
    {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_D, 1, 0, 1, 0}, {ARX_SRC_ONE, 1, 0, 0, 0},
    {ARX_SRC_Y, 1, 1, 1, 1}, {ARX_SRC_Y, 1, 1, 1, 0}, {ARX_SRC_U, 1, 1, 1, 0}, {ARX_SRC_D, 1, 0, 1, 0},
};
static const double scale[2 * NT] = {1, 1, 1, 1, 1, 1, 1, 1};
static const double prior_lo[] = {0, 0, 0, -5, 0, 0, 0, 0}, prior_hi[] = {1, 1, 2, 5, 1, 1, 1, 2};
static const struct arx_structure structure = {NY, NU, ND, 1, (size_t)2 * NT, row_start, term, scale};
static const struct safety_u variable[NU] = {
    {.safe_dir = -1, .lo = 16, .hi = 24, .step = 0.1, .rate = 0.5, .backup_rate = 8, .nominal = 18, .fast = 1},
    {.kind = SAFETY_U_ONOFF,
     .safe_dir = 1,
     .hi = 1,
     .step = 1,
     .nominal = 1,
     .capacity_w = 1e5,
     .min_on_s = 300,
     .min_off_s = 600,
     .max_starts_per_h = 3}};
static const struct safety_y cert[NY] = {{.row = 0, .hi = 32, .trip = 32, .soft_k = 5},
                                         {.row = 1, .hi = 32, .trip = 32, .soft_k = 5}};
static const double d_max[ND] = {2};
static const struct safety_envelope envelope = {.nu = NU,
                                                .ny = NY,
                                                .nd = ND,
                                                .ncert = NY,
                                                .u = variable,
                                                .cert = cert,
                                                .d_max = d_max,
                                                .step_s = 30,
                                                .horizon = 4,
                                                .capacity_margin = 0.15,
                                                .hold_steps = 3,
                                                .required_persist = 4};

static struct arx *model;
static struct safety *safety;
static struct evidence_shape shape = {.nu = NU, .ny = NY, .nd = ND, .rows = ROWS};
static double confirmed[NU] = {18, 1};

static void *block(size_t size)
{
        void *p = aligned_alloc(64, (size + 63) / 64 * 64);
        MUST(p);
        return p;
}

static void set_up(void)
{
        struct arx_args args;
        size_t size = arx_memsize(&structure);
        arx_args_default(&args);
        args.anchor = true;
        MUST(arx_create(block(size), size, &structure, &args, prior_lo, prior_hi, &model) == 0);
        size = safety_memsize(&envelope, &structure);
        MUST(safety_create(block(size), size, &envelope, model, &safety) == 0);
        shape.nbasis = safety_basis_save(safety, 0, NULL, 0);
        shape.set_bytes = arx_set_save(model, NULL, 0);
}

static struct evidence *coder(void)
{
        struct evidence *e = NULL;
        MUST(evidence_create(&shape, &e) == 0);
        return e;
}

/* A snapshot and a basis whose doubles are the input's, over and over. */
struct values {
        double y[ROWS * NY], u[ROWS * NU], d[ROWS * ND], d_hi[ND], floor[NU];
        uint8_t fixed[NU], onoff[NU], ok[NY];
        struct safety_snapshot snap;
};

static double next_value(const uint8_t **at, size_t *left, double other)
{
        double v;
        if (*left < sizeof v)
                return other;
        memcpy(&v, *at, sizeof v);
        *at += sizeof v;
        *left -= sizeof v;
        return v;
}

static void fill(struct values *v, double *basis, const uint8_t *data, size_t size, size_t n)
{
        for (size_t i = 0; i < ROWS * NY; i++)
                v->y[i] = next_value(&data, &size, 21 + (double)i);
        for (size_t i = 0; i < ROWS * NU; i++)
                v->u[i] = next_value(&data, &size, 18);
        for (size_t i = 0; i < ROWS * ND; i++)
                v->d[i] = next_value(&data, &size, 1);
        v->d_hi[0] = next_value(&data, &size, 1.5);
        v->floor[0] = next_value(&data, &size, 12);
        v->floor[1] = (double)NAN;
        for (size_t i = 0; i < shape.nbasis; i++)
                basis[i] = next_value(&data, &size, i == 0);
        basis[0] = 1;
        memset(v->ok, COND_TRUE, NY);
        v->fixed[0] = size > 0 && (*data & 1);
        v->fixed[1] = 0;
        v->onoff[0] = 255;
        v->onoff[1] = 1;
        v->snap = (struct safety_snapshot){.mono_s = 1000,
                                           .window = {n, v->y, v->u, v->d},
                                           .u_fixed = v->fixed,
                                           .d_hi = v->d_hi,
                                           .y_ok = v->ok,
                                           .onoff_status = v->onoff,
                                           .cooling_load_w = 5e4,
                                           .chw_flow_m3s = 0.01,
                                           .evap_flow_m3s = (double)NAN,
                                           .evap_flow_ramp_per_min = 0.07,
                                           .slow_step = true,
                                           .no_colder_water = true,
                                           .u_floor = v->floor};
}

static void same_snapshot(const struct safety_snapshot *a, const struct safety_snapshot *b)
{
        MUST(a->window.n == b->window.n && a->slow_step == b->slow_step && a->interlock == b->interlock &&
             a->no_warmer_water == b->no_warmer_water && a->no_colder_water == b->no_colder_water &&
             fuzz_same(a->mono_s, b->mono_s) && fuzz_same(a->cooling_load_w, b->cooling_load_w) &&
             fuzz_same(a->chw_flow_m3s, b->chw_flow_m3s) && fuzz_same(a->evap_flow_m3s, b->evap_flow_m3s) &&
             fuzz_same(a->evap_flow_ramp_per_min, b->evap_flow_ramp_per_min));
        MUST(memcmp(a->window.y, b->window.y, a->window.n * NY * sizeof(double)) == 0);
        MUST(memcmp(a->window.u, b->window.u, a->window.n * NU * sizeof(double)) == 0);
        MUST(memcmp(a->window.d, b->window.d, a->window.n * ND * sizeof(double)) == 0);
        MUST(memcmp(a->d_hi, b->d_hi, ND * sizeof(double)) == 0);
        MUST(memcmp(a->u_floor, b->u_floor, NU * sizeof(double)) == 0);
        MUST(memcmp(a->u_fixed, b->u_fixed, NU) == 0 && memcmp(a->onoff_status, b->onoff_status, NU) == 0 &&
             memcmp(a->y_ok, b->y_ok, NY) == 0);
}

/* What was read last is in its range, survives another turn, and can be judged. */
static void check(struct evidence *e)
{
        struct safety_snapshot s, again;
        struct store_evidence out;
        struct safety_recheck r;
        struct evidence *w = coder(), *back = coder();
        const double act[NU] = {18.1, 1};
        evidence_snapshot(e, &s);
        MUST(s.window.n <= ROWS && isfinite(s.mono_s));
        memcpy(evidence_basis(w), evidence_basis(e), shape.nbasis * sizeof(double));
        memcpy(evidence_set(w), evidence_set(e), shape.set_bytes);
        evidence_pack(w, &s, 1, &out);
        MUST(out.set && evidence_read_base(back, out.set, out.set_len) == 0);
        MUST(evidence_read(back, out.blob, out.len) == 0 && evidence_read_set(back, out.blob, out.len) == 0);
        MUST(memcmp(evidence_set(back), evidence_set(e), shape.set_bytes) == 0);
        MUST(memcmp(evidence_basis(back), evidence_basis(e), shape.nbasis * sizeof(double)) == 0);
        evidence_snapshot(back, &again);
        same_snapshot(&s, &again);
        evidence_free(w);
        evidence_free(back);
        s.u_confirmed = confirmed;
        (void)arx_set_load(model, evidence_set(e), shape.set_bytes);
        if (safety_recheck(safety, &s, evidence_basis(e), shape.nbasis, act, &r) == 0)
                MUST(isnan(r.margin) || isfinite(r.margin));
}

static void give_base(struct evidence *e)
{
        struct evidence *w = coder();
        struct values v;
        struct store_evidence out;
        fill(&v, evidence_basis(w), NULL, 0, 1);
        (void)arx_set_save(model, evidence_set(w), shape.set_bytes);
        evidence_pack(w, &v.snap, 1, &out);
        MUST(evidence_read_base(e, out.set, out.set_len) == 0);
        evidence_free(w);
}

static void try_read(struct evidence *e, const uint8_t *data, size_t size)
{
        uint8_t *exact = fuzz_copy(data, size);
        int r = evidence_read(e, exact, size);
        MUST(r == 0 || r == -EBADMSG || r == -ENODATA);
        if (r == 0 && evidence_read_set(e, exact, size) == 0)
                check(e);
        if (r < 0) /* nothing follows it */
                MUST(evidence_read(e, exact, size) < 0);
        free(exact);
}

static void patched(uint8_t flags, const uint8_t *data, size_t size)
{
        struct evidence *w = coder(), *e = coder();
        struct values v;
        struct store_evidence out;
        size_t len;
        uint8_t *blob;
        fill(&v, evidence_basis(w), data, flags & FLAG_VALUES ? size : 0, ROWS);
        MUST(arx_set_save(model, evidence_set(w), shape.set_bytes) == shape.set_bytes);
        evidence_pack(w, &v.snap, 1, &out);
        len = out.set_len;
        blob = fuzz_copy(out.set, out.set_len);
        if (flags & FLAG_SET)
                fuzz_patch(blob, len, data, size);
        if (evidence_read_base(e, blob, len) < 0) { /* as it was, then */
                MUST(flags & FLAG_SET);
                MUST(evidence_read_base(e, out.set, out.set_len) == 0);
        }
        free(blob);
        if (flags & FLAG_FOLLOW) {
                MUST(evidence_read(e, out.blob, out.len) == 0);
                evidence_stored(w, 7);
                memmove(v.y, v.y + NY, (ROWS - 1) * NY * sizeof(double));
                v.y[(ROWS - 1) * NY] += 0.25;
                evidence_set(w)[shape.set_bytes - 1] ^= 1;
                evidence_pack(w, &v.snap, 2, &out);
        }
        len = out.len;
        blob = fuzz_copy(out.blob, out.len);
        if (!(flags & FLAG_SET))
                fuzz_patch(blob, len, data, size);
        if (flags & FLAG_SHORT)
                len--;
        if (!out.set || !(flags & FLAG_FOLLOW))
                try_read(e, blob, len);
        free(blob);
        evidence_free(w);
        evidence_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct evidence *e;
        if (!model)
                set_up();
        if (size == 0)
                return 0;
        uint8_t *exact = fuzz_copy(data, size);
        e = coder();
        (void)evidence_read_base(e, exact, size);
        give_base(e);
        try_read(e, exact, size);
        free(exact);
        evidence_free(e);
        patched(data[0], data + 1, size - 1);
        return 0;
}
