/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Formats, little-endian.
 * Frame: doubles: rows in the window, mono_s, cooling load, chilled water and evaporator flow, four flags, the window's
 * y, u and d (each `rows` rows, newest last, unused ones 0), d_hi, u_floor, u_fixed, on/off status, y_ok, basis,
 * evaporator flow ramp (from version 2; a frame of version 1 is read as one that did not know it).
 * Packed: of the XOR of two arrays of doubles the bytes, all most significant ones first, as { zeros, literals, bytes
 * }, counts in base 128. Evidence: version, flags, CRC-32 of the frame (u32), length of the packed frame (u32), packed
 * frame, packed set; no packed set: it is the one stored. Set: version, packed set.
 */
#include "agent/gate/evidence.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/num/bytes.h"

enum { VERSION = 2, SET_VERSION = 1, FLAG_KEY = 1, FLAG_SHIFT = 2, HEAD = 10, ZEROS_MIN = 6, PACK_OVER = 6 };
enum { F_ROWS, F_MONO, F_LOAD, F_CHW_FLOW, F_EVAP_FLOW, F_SLOW, F_INTERLOCK, F_NO_WARMER, F_NO_COLDER, SCALARS };

struct part {
        size_t at, n; /* doubles */
};

struct evidence {
        struct evidence_shape shape;
        struct part y, u, d, d_hi, floor, fixed, onoff, ok, basis, ramp;
        size_t count;          /* doubles of a frame */
        uint8_t *past, *now;   /* [8 count] frames */
        uint8_t *told;         /* [8 count] what is foretold of now */
        uint8_t *base, *set;   /* [set_bytes] the set stored whole, and the present one */
        uint8_t *diff;         /* scratch of the larger of both */
        uint8_t *blob, *whole; /* what is written: evidence, set */
        double *v;             /* [count] the present frame */
        uint8_t *byte;         /* [2 nu + ny] fixed, onoff, ok of what was read */
        uint64_t base_hash;
        int64_t base_id;
        size_t since_key;
        int version; /* of the frame that was read */
        bool have_past, have_base, new_base;
};

static size_t larger(size_t a, size_t b)
{
        return a > b ? a : b;
}

static struct part part(size_t *at, size_t n)
{
        struct part p = {*at, n};
        *at += n;
        return p;
}

int evidence_create(const struct evidence_shape *shape, struct evidence **ret)
{
        struct evidence *e = calloc(1, sizeof *e);
        const size_t rows = shape->rows;

        if (!e)
                return -ENOMEM;
        e->shape = *shape;
        e->count = SCALARS;
        e->y = part(&e->count, rows * shape->ny);
        e->u = part(&e->count, rows * shape->nu);
        e->d = part(&e->count, rows * shape->nd);
        e->d_hi = part(&e->count, shape->nd);
        e->floor = part(&e->count, shape->nu);
        e->fixed = part(&e->count, shape->nu);
        e->onoff = part(&e->count, shape->nu);
        e->ok = part(&e->count, shape->ny);
        e->basis = part(&e->count, shape->nbasis);
        e->ramp = part(&e->count, 1);

        const size_t frame = 8 * e->count, most = larger(frame, shape->set_bytes);
        e->past = calloc(1, frame);
        e->now = calloc(1, frame);
        e->told = calloc(1, frame);
        e->base = calloc(1, shape->set_bytes);
        e->set = calloc(1, shape->set_bytes);
        e->diff = calloc(1, most);
        e->blob = calloc(1, HEAD + frame + shape->set_bytes + 2 * PACK_OVER);
        e->whole = calloc(1, 1 + shape->set_bytes + PACK_OVER);
        e->v = calloc(e->count, sizeof *e->v);
        e->byte = calloc(1, 2 * shape->nu + shape->ny);
        if (!e->past || !e->now || !e->told || !e->base || !e->set || !e->diff || !e->blob || !e->whole || !e->v ||
            !e->byte) {
                evidence_free(e);
                return -ENOMEM;
        }
        *ret = e;
        return 0;
}

struct evidence *evidence_free(struct evidence *e)
{
        if (!e)
                return NULL;
        free(e->past);
        free(e->now);
        free(e->told);
        free(e->base);
        free(e->set);
        free(e->diff);
        free(e->blob);
        free(e->whole);
        free(e->v);
        free(e->byte);
        free(e);
        return NULL;
}

/* --- packing ----------------------------------------------------------------------------------------------------- */

/* to [n] ← the XOR of two arrays of n / 8 doubles (told NULL = zeros), all most significant bytes first; and back. */
static void spread(const uint8_t *now, const uint8_t *told, size_t n, uint8_t *to)
{
        for (size_t plane = 8; plane-- > 0;)
                for (size_t at = plane; at < n; at += 8)
                        *to++ = (uint8_t)(now[at] ^ (told ? told[at] : 0));
}

static void gather(const uint8_t *from, const uint8_t *told, size_t n, uint8_t *now)
{
        for (size_t plane = 8; plane-- > 0;)
                for (size_t at = plane; at < n; at += 8)
                        now[at] = (uint8_t)(*from++ ^ (told ? told[at] : 0));
}

static uint8_t *put_count(uint8_t *p, size_t v)
{
        for (; v >= 128; v >>= 7)
                *p++ = (uint8_t)(v | 128);
        *p++ = (uint8_t)v;
        return p;
}

static const uint8_t *get_count(const uint8_t *p, const uint8_t *end, size_t *ret)
{
        size_t v = 0;

        for (unsigned shift = 0; shift < 35; shift += 7) {
                if (p == end)
                        return NULL;
                v |= (size_t)(*p & 127) << shift;
                if (*p++ < 128) {
                        *ret = v;
                        return p;
                }
        }
        return NULL;
}

static size_t zeros_at(const uint8_t *v, size_t from, size_t n)
{
        size_t k = from;

        while (k < n && v[k] == 0)
                k++;
        return k - from;
}

/* n bytes (a multiple of 8, below 2^35) of `now` as they differ from `told`, NULL = zeros; at most n + PACK_OVER bytes
 * come of it. A count below 2^35 takes 5 bytes at most. A token after the first begins with z >= ZEROS_MIN zeros: below
 * 128 they are counted in one byte, and z - 1 - 5 >= 0; from 128 on, z - 5 - 5 > 0: it never takes more than it stands
 * for. The first may have no zeros to save: 1 + 5. diff: scratch [n]. Returns the position behind. */
static uint8_t *pack(const uint8_t *now, const uint8_t *told, size_t n, uint8_t *diff, uint8_t *p)
{
        assert(n >> 35 == 0);
        spread(now, told, n, diff);
        for (size_t k = 0; k < n;) {
                size_t zeros = zeros_at(diff, k, n), from = k + zeros, end = from;

                while (end < n && (diff[end] != 0 || (zeros_at(diff, end, n) < ZEROS_MIN)))
                        end++;
                p = put_count(p, zeros);
                p = put_count(p, end - from);
                memcpy(p, diff + from, end - from);
                p += end - from;
                k = end;
        }
        return p;
}

/* The reverse, of exactly [p, end) into exactly n bytes of `ret`. */
static int unpack(const uint8_t *p, const uint8_t *end, const uint8_t *told, size_t n, uint8_t *diff, uint8_t *ret)
{
        for (size_t k = 0; k < n;) {
                size_t zeros, literals;

                p = get_count(p, end, &zeros);
                if (p)
                        p = get_count(p, end, &literals);
                if (!p || zeros > n - k || literals > n - k - zeros || literals > (size_t)(end - p) ||
                    zeros + literals == 0)
                        return -EBADMSG;
                memset(diff + k, 0, zeros);
                memcpy(diff + k + zeros, p, literals);
                p += literals;
                k += zeros + literals;
        }
        if (p != end)
                return -EBADMSG;
        gather(diff, told, n, ret);
        return 0;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

double *evidence_basis(struct evidence *e)
{
        return e->v + e->basis.at;
}

uint8_t *evidence_set(struct evidence *e)
{
        return e->set;
}

bool evidence_knows(const struct evidence *e, uint64_t set_hash)
{
        return e->have_base && e->base_hash == set_hash;
}

/* The newest n rows of a window to the end of its part. */
static void put_rows(double *v, struct part p, size_t rows, size_t n, const double *from)
{
        const size_t width = p.n / rows;

        memset(v + p.at, 0, p.n * sizeof *v);
        if (width > 0)
                memcpy(v + p.at + (rows - n) * width, from, n * width * sizeof *v);
}

static void put_bytes(double *v, struct part p, const uint8_t *from)
{
        for (size_t k = 0; k < p.n; k++)
                v[p.at + k] = from[k];
}

static void put_frame(struct evidence *e, const struct safety_snapshot *s)
{
        double *v = e->v;
        const size_t rows = e->shape.rows;

        v[F_ROWS] = (double)s->window.n;
        v[F_MONO] = s->mono_s;
        v[F_LOAD] = s->cooling_load_w;
        v[F_CHW_FLOW] = s->chw_flow_m3s;
        v[F_EVAP_FLOW] = s->evap_flow_m3s;
        v[F_SLOW] = s->slow_step;
        v[F_INTERLOCK] = s->interlock;
        v[F_NO_WARMER] = s->no_warmer_water;
        v[F_NO_COLDER] = s->no_colder_water;
        put_rows(v, e->y, rows, s->window.n, s->window.y);
        put_rows(v, e->u, rows, s->window.n, s->window.u);
        put_rows(v, e->d, rows, s->window.n, s->window.d);
        memcpy(v + e->d_hi.at, s->d_hi, e->d_hi.n * sizeof *v);
        memcpy(v + e->floor.at, s->u_floor, e->floor.n * sizeof *v);
        put_bytes(v, e->fixed, s->u_fixed);
        put_bytes(v, e->onoff, s->onoff_status);
        put_bytes(v, e->ok, s->y_ok);
        v[e->ramp.at] = s->evap_flow_ramp_per_min;
        (void)bytes_put_f64(e->now, v, e->count);
}

static void shift(uint8_t *frame, struct part p, size_t rows)
{
        const size_t row = 8 * (p.n / rows);

        memmove(frame + 8 * p.at, frame + 8 * p.at + row, 8 * p.n - row);
}

/* told ← the frame before, its window a row on: the row that is new looks like the newest. */
static void foretell(struct evidence *e, bool shifted)
{
        memcpy(e->told, e->past, 8 * e->count);
        if (!shifted)
                return;
        shift(e->told, e->y, e->shape.rows);
        shift(e->told, e->u, e->shape.rows);
        shift(e->told, e->d, e->shape.rows);
}

/* A step soon after another takes the same window again. */
static bool has_shifted(const struct evidence *e)
{
        return memcmp(e->now + 8 * e->y.at, e->past + 8 * e->y.at, 8 * e->y.n) != 0;
}

/* The set, as what it differs from the base; a new base where that is not worth it. Returns the position behind. */
static uint8_t *pack_set(struct evidence *e, uint64_t set_hash, uint8_t *p, struct store_evidence *ret)
{
        const size_t n = e->shape.set_bytes;
        uint8_t *end = p;

        e->new_base = false;
        if (evidence_knows(e, set_hash))
                return p;
        if (e->have_base)
                end = pack(e->set, e->base, n, e->diff, p);
        if (e->have_base && (size_t)(end - p) < n / 8)
                return end;
        e->new_base = true;
        e->base_hash = set_hash;
        memcpy(e->base, e->set, n);
        e->whole[0] = SET_VERSION;
        ret->set_len = (size_t)(pack(e->set, NULL, n, e->diff, e->whole + 1) - e->whole);
        ret->set = e->whole;
        ret->set_hash = set_hash;
        return p;
}

void evidence_pack(struct evidence *e, const struct safety_snapshot *snap, uint64_t set_hash,
                   struct store_evidence *ret)
{
        uint8_t *p = e->blob + HEAD;
        bool key, shifted;

        *ret = (struct store_evidence){.set_id = e->base_id, .blob = e->blob};
        put_frame(e, snap);
        key = !e->have_past || e->since_key + 1 >= EVIDENCE_KEY;
        shifted = !key && has_shifted(e);
        if (!key)
                foretell(e, shifted);
        p = pack(e->now, key ? NULL : e->told, 8 * e->count, e->diff, p);
        e->blob[0] = VERSION;
        e->blob[1] = (uint8_t)((key ? FLAG_KEY : 0) | (shifted ? FLAG_SHIFT : 0));
        (void)bytes_put(e->blob + 2, bytes_crc32(e->now, 8 * e->count), 4);
        (void)bytes_put(e->blob + 6, (uint64_t)(p - e->blob - HEAD), 4);
        e->since_key = key ? 0 : e->since_key + 1;
        p = pack_set(e, set_hash, p, ret);
        ret->len = (size_t)(p - e->blob);
}

void evidence_stored(struct evidence *e, int64_t set_id)
{
        uint8_t *now = e->now;

        e->now = e->past;
        e->past = now;
        e->have_past = e->have_base = true;
        e->base_id = set_id;
}

void evidence_lost(struct evidence *e)
{
        e->have_past = e->have_base = false;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

int evidence_read_base(struct evidence *e, const void *blob, size_t len)
{
        const uint8_t *p = blob;

        e->have_base =
            len > 1 && p[0] == SET_VERSION && unpack(p + 1, p + len, NULL, e->shape.set_bytes, e->diff, e->base) == 0;
        return e->have_base ? 0 : -EBADMSG;
}

static bool all_bytes(const double *v, struct part p)
{
        for (size_t k = 0; k < p.n; k++)
                if (!(v[p.at + k] >= 0 && v[p.at + k] <= 255))
                        return false;
        return true;
}

static void get_bytes(const double *v, struct part p, uint8_t *to)
{
        for (size_t k = 0; k < p.n; k++)
                to[k] = (uint8_t)v[p.at + k];
}

/* e->now as the present frame; what it counts and flags is in its range. */
static int take_frame(struct evidence *e)
{
        double *v = e->v;

        (void)bytes_get_f64(e->now, v, e->count);
        if (!(v[F_ROWS] >= 0 && v[F_ROWS] <= (double)e->shape.rows) || !isfinite(v[F_MONO]) ||
            !all_bytes(v, e->fixed) || !all_bytes(v, e->onoff) || !all_bytes(v, e->ok))
                return -EBADMSG;
        get_bytes(v, e->fixed, e->byte);
        get_bytes(v, e->onoff, e->byte + e->fixed.n);
        get_bytes(v, e->ok, e->byte + e->fixed.n + e->onoff.n);
        return 0;
}

static int read_frame(struct evidence *e, const uint8_t *p, size_t len)
{
        const double unknown = (double)NAN;
        const uint8_t *told = NULL;
        size_t packed, n = 8 * e->count;

        if (len < HEAD || p[0] < 1 || p[0] > VERSION || (p[1] & ~(FLAG_KEY | FLAG_SHIFT)) != 0)
                return -EBADMSG;
        if (p[0] == 1)
                n = 8 * e->ramp.at;
        packed = (size_t)bytes_get(p + 6, 4);
        if (packed > len - HEAD)
                return -EBADMSG;
        if (!(p[1] & FLAG_KEY)) {
                if (!e->have_past)
                        return -ENODATA;
                foretell(e, p[1] & FLAG_SHIFT);
                told = e->told;
        }
        if (unpack(p + HEAD, p + HEAD + packed, told, n, e->diff, e->now) < 0 ||
            bytes_crc32(e->now, n) != bytes_get(p + 2, 4))
                return -EBADMSG;
        if (p[0] == 1)
                (void)bytes_put_f64(e->now + n, &unknown, 1);
        e->version = p[0];
        return take_frame(e);
}

int evidence_read(struct evidence *e, const void *blob, size_t len)
{
        int r = read_frame(e, blob, len);

        e->have_past = r == 0;
        if (r == 0)
                memcpy(e->past, e->now, 8 * e->count);
        return r;
}

int evidence_version(const struct evidence *e)
{
        return e->version;
}

int evidence_read_set(struct evidence *e, const void *blob, size_t len)
{
        const uint8_t *end = (const uint8_t *)blob + len,
                      *set = (const uint8_t *)blob + HEAD + bytes_get((const uint8_t *)blob + 6, 4);

        assert(e->have_past && e->have_base);
        if (set < end)
                return unpack(set, end, e->base, e->shape.set_bytes, e->diff, e->set);
        memcpy(e->set, e->base, e->shape.set_bytes);
        return 0;
}

void evidence_snapshot(const struct evidence *e, struct safety_snapshot *ret)
{
        const double *v = e->v;
        const size_t n = (size_t)v[F_ROWS], skip = e->shape.rows - n;

        *ret = (struct safety_snapshot){.mono_s = v[F_MONO],
                                        .window = {.n = n,
                                                   .y = v + e->y.at + skip * e->shape.ny,
                                                   .u = v + e->u.at + skip * e->shape.nu,
                                                   .d = v + e->d.at + skip * e->shape.nd},
                                        .u_fixed = e->byte,
                                        .d_hi = v + e->d_hi.at,
                                        .y_ok = e->byte + e->fixed.n + e->onoff.n,
                                        .onoff_status = e->byte + e->fixed.n,
                                        .cooling_load_w = v[F_LOAD],
                                        .chw_flow_m3s = v[F_CHW_FLOW],
                                        .evap_flow_m3s = v[F_EVAP_FLOW],
                                        .evap_flow_ramp_per_min = v[e->ramp.at],
                                        .slow_step = v[F_SLOW] != 0,
                                        .interlock = v[F_INTERLOCK] != 0,
                                        .no_warmer_water = v[F_NO_WARMER] != 0,
                                        .no_colder_water = v[F_NO_COLDER] != 0,
                                        .u_floor = v + e->floor.at};
}
