/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Serialised form, little-endian: "CPAR", version, structure hash (u64), row count, term count (u64 each), then per row
 * the scalars, θ, lo, hi, regressor sum and mean, histogram, b and the lower triangles of G and of the ellipsoid's
 * factor (f64), then CRC-32 of all that. The structure itself is not stored: it follows from the site, and its hash
 * must agree.
 * The model set alone (arx_set_save): "CPAS" and the same head, then per row five numbers (fitted, noise, radius),
 * θ, lo, hi, mean regressor and the ellipsoid's factor. Nothing is checked by a sum: arx_hash names what it holds.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/arx/arx_private.h"
#include "models/num/bytes.h"
#include "models/num/num.h"

#define VERSION 3u
#define HEAD_BYTES 32u
#define ROW_SCALARS 13u
#define SET_VERSION 1u
#define SET_SCALARS 5u /* fitted, w_bar, w_step, w_more, radius */

static uint64_t fnv(uint64_t h, uint64_t v)
{
        for (int i = 0; i < 8; i++) {
                h ^= (v >> (8 * i)) & 0xffu;
                h *= 1099511628211ULL;
        }
        return h;
}

static uint64_t bits(double v)
{
        uint64_t u;
        memcpy(&u, &v, sizeof(u));
        return u;
}

static uint64_t structure_hash(const struct arx_structure *st)
{
        uint64_t h = 14695981039346656037ULL;
        h = fnv(fnv(fnv(fnv(h, st->ny), st->nu), st->nd), st->lag_max);
        for (size_t i = 0; i <= st->ny; i++)
                h = fnv(h, st->row_start[i]);
        for (size_t k = 0; k < st->nterm; k++) {
                const struct arx_term *t = &st->term[k];
                h = fnv(h, (uint64_t)t->src | (uint64_t)t->lag << 8 | (uint64_t)t->sum1 << 16 |
                               (uint64_t)(uint8_t)t->sign << 24 | (uint64_t)t->index << 32);
                h = fnv(h, bits(st->scale[k]));
        }
        return h;
}

uint64_t arx_hash(const struct arx *m)
{
        uint64_t h;
        if (m->memo->known)
                return m->memo->hash;
        h = structure_hash(&m->st);
        for (size_t k = 0; k < m->st.nterm; k++)
                h = fnv(fnv(fnv(h, bits(m->theta[k])), bits(m->lo[k])), bits(m->hi[k]));
        for (size_t i = 0; i < m->st.ny; i++) {
                const struct arx_row *r = &m->row[i];
                h = fnv(fnv(fnv(h, bits(r->w_bar)), bits(r->w_step)), bits(r->w_more));
                h = fnv(h, bits(r->radius));
                for (size_t k = 0; k < r->n; k++)
                        h = fnv(h, bits(r->phi0[k]));
                for (size_t a = 0; a < r->m; a++)
                        for (size_t b = 0; b <= a; b++)
                                h = fnv(h, bits(r->factor[a * r->m + b]));
        }
        *m->memo = (struct arx_hash_memo){h, true};
        return h;
}

static size_t row_doubles(const struct arx_row *r)
{
        return ROW_SCALARS + 5 * r->n + ARX_HIST_BINS + r->m + r->m * (r->m + 1);
}

static size_t total_bytes(const struct arx *m)
{
        size_t n = 0;
        for (size_t i = 0; i < m->st.ny; i++)
                n += row_doubles(&m->row[i]);
        return HEAD_BYTES + 8 * n + 4;
}

/* What follows the four magic bytes. */
static uint8_t *put_head(const struct arx *m, uint8_t *p, unsigned version)
{
        (void)bytes_put(p + 4, version, 4);
        (void)bytes_put(p + 8, structure_hash(&m->st), 8);
        (void)bytes_put(p + 16, m->st.ny, 8);
        (void)bytes_put(p + 24, m->st.nterm, 8);
        return p + HEAD_BYTES;
}

static bool same_head(const struct arx *m, const uint8_t *p, unsigned version)
{
        return bytes_get(p + 4, 4) == version && bytes_get(p + 8, 8) == structure_hash(&m->st) &&
               bytes_get(p + 16, 8) == m->st.ny && bytes_get(p + 24, 8) == m->st.nterm;
}

size_t arx_save(const struct arx *m, void *buf, size_t cap)
{
        size_t need = total_bytes(m);
        if (!buf || cap < need)
                return need;
        uint8_t *p = buf;
        memcpy(p, "CPAR", 4); /* NOLINT(bugprone-not-null-terminated-result): magic bytes, no string */
        p = put_head(m, p, VERSION);
        for (size_t i = 0; i < m->st.ny; i++) {
                const struct arx_row *r = &m->row[i];
                const double scalar[ROW_SCALARS] = {r->yy,
                                                    r->weight,
                                                    r->samples,
                                                    r->fitted,
                                                    r->s,
                                                    r->s_hist,
                                                    r->w_bar,
                                                    r->ew_sq,
                                                    r->ew_weight,
                                                    r->hist_weight,
                                                    r->radius,
                                                    r->w_more,
                                                    r->track + m->args.track_floor};
                p = bytes_put_f64(p, scalar, ROW_SCALARS);
                p = bytes_put_f64(p, m->theta + r->t0, r->n);
                p = bytes_put_f64(p, m->lo + r->t0, r->n);
                p = bytes_put_f64(p, m->hi + r->t0, r->n);
                p = bytes_put_f64(p, r->phi_sum, r->n);
                p = bytes_put_f64(p, r->phi0, r->n);
                p = bytes_put_f64(p, r->hist, ARX_HIST_BINS);
                p = bytes_put_f64(p, r->b, r->m);
                for (size_t a = 0; a < r->m; a++)
                        p = bytes_put_f64(p, r->g + a * r->m, a + 1);
                for (size_t a = 0; a < r->m; a++)
                        p = bytes_put_f64(p, r->factor + a * r->m, a + 1);
        }
        (void)bytes_put(p, bytes_crc32(buf, need - 4), 4);
        return need;
}

/* Every number finite and in its range, intervals around θ and inside m's own prior. */
static bool row_acceptable(const struct arx *m, const struct arx_row *r, const uint8_t *p)
{
        double v[ROW_SCALARS], theta[ARX_TERMS_MAX], lo[ARX_TERMS_MAX], hi[ARX_TERMS_MAX];
        p = bytes_get_f64(p, v, ROW_SCALARS);
        for (size_t k = 0; k < ROW_SCALARS; k++)
                if (!(v[k] >= 0.0 && v[k] < (double)INFINITY))
                        return false;
        if (!(v[3] == 0.0 || v[3] == 1.0) || !(v[6] >= m->args.w_min))
                return false;
        p = bytes_get_f64(p, theta, r->n);
        p = bytes_get_f64(p, lo, r->n);
        p = bytes_get_f64(p, hi, r->n);
        for (size_t k = 0; k < r->n; k++)
                if (!isfinite(theta[k]) || !(lo[k] <= theta[k] && theta[k] <= hi[k]) ||
                    !(lo[k] >= m->prior_lo[r->t0 + k] && hi[k] <= m->prior_hi[r->t0 + k]))
                        return false;
        size_t hist = 2 * r->n, rest = hist + ARX_HIST_BINS + r->m + r->m * (r->m + 1) / 2;
        for (size_t k = 0; k < rest; k++) {
                double x;
                p = bytes_get_f64(p, &x, 1);
                if (!isfinite(x) || (k >= hist && k < hist + ARX_HIST_BINS && x < 0.0))
                        return false;
        }
        for (size_t a = 0; a < r->m; a++) {
                double factor[ARX_TERMS_MAX];
                p = bytes_get_f64(p, factor, a + 1);
                if (!num_all_finite(a + 1, factor) || (v[10] > 0.0 && !(factor[a] > 0.0)))
                        return false;
        }
        return true;
}

static void find_width0(struct arx *m, struct arx_row *r)
{
        (void)arx_reduce(m, r, r->phi0, m->scratch);
        r->width0 = r->radius > 0.0 ? arx_ellipsoid_width(r, m->scratch) : 0.0;
}

int arx_load(struct arx *m, const void *buf, size_t len)
{
        const uint8_t *p = buf;
        if (!buf || len != total_bytes(m) || memcmp(p, "CPAR", 4) != 0 || !same_head(m, p, VERSION) ||
            bytes_get(p + len - 4, 4) != bytes_crc32(buf, len - 4))
                return -EINVAL;
        p += HEAD_BYTES;
        for (size_t i = 0; i < m->st.ny; i++) {
                if (!row_acceptable(m, &m->row[i], p))
                        return -EINVAL;
                p += 8 * row_doubles(&m->row[i]);
        }

        p = (const uint8_t *)buf + HEAD_BYTES;
        m->memo->known = false;
        for (size_t i = 0; i < m->st.ny; i++) {
                struct arx_row *r = &m->row[i];
                arx_member_forget(m, i);
                double *scalar[ROW_SCALARS] = {&r->yy,     &r->weight, &r->samples, &r->fitted,    &r->s,
                                               &r->s_hist, &r->w_bar,  &r->ew_sq,   &r->ew_weight, &r->hist_weight,
                                               &r->radius, &r->w_more, &r->track};
                for (size_t k = 0; k < ROW_SCALARS; k++)
                        p = bytes_get_f64(p, scalar[k], 1);
                p = bytes_get_f64(p, m->theta + r->t0, r->n);
                p = bytes_get_f64(p, m->lo + r->t0, r->n);
                p = bytes_get_f64(p, m->hi + r->t0, r->n);
                p = bytes_get_f64(p, r->phi_sum, r->n);
                p = bytes_get_f64(p, r->phi0, r->n);
                p = bytes_get_f64(p, r->hist, ARX_HIST_BINS);
                p = bytes_get_f64(p, r->b, r->m);
                for (size_t a = 0; a < r->m; a++)
                        p = bytes_get_f64(p, r->g + a * r->m, a + 1);
                for (size_t a = 0; a < r->m; a++)
                        p = bytes_get_f64(p, r->factor + a * r->m, a + 1);
                find_width0(m, r);
                r->track -= m->args.track_floor;
                r->track_low = -m->args.track_floor;
                r->w_step = r->w_bar; /* until free runs of this process say otherwise */
                r->drift_weight = 0.0;
                memset(r->drift, 0, sizeof(double) * ARX_HIST_BINS);
                arx_row_check_sum1(m, i);
        }
        return 0;
}

static size_t set_bytes(const struct arx *m)
{
        size_t n = 0;
        for (size_t i = 0; i < m->st.ny; i++)
                n += SET_SCALARS + 4 * m->row[i].n + m->row[i].m * (m->row[i].m + 1) / 2;
        return HEAD_BYTES + 8 * n;
}

size_t arx_set_save(const struct arx *m, void *buf, size_t cap)
{
        size_t need = set_bytes(m);
        if (!buf || cap < need)
                return need;
        uint8_t *p = buf;
        memcpy(p, "CPAS", 4); /* NOLINT(bugprone-not-null-terminated-result): magic bytes, no string */
        p = put_head(m, p, SET_VERSION);
        for (size_t i = 0; i < m->st.ny; i++) {
                const struct arx_row *r = &m->row[i];
                const double scalar[SET_SCALARS] = {r->fitted, r->w_bar, r->w_step, r->w_more, r->radius};
                p = bytes_put_f64(p, scalar, SET_SCALARS);
                p = bytes_put_f64(p, m->theta + r->t0, r->n);
                p = bytes_put_f64(p, m->lo + r->t0, r->n);
                p = bytes_put_f64(p, m->hi + r->t0, r->n);
                p = bytes_put_f64(p, r->phi0, r->n);
                for (size_t a = 0; a < r->m; a++)
                        p = bytes_put_f64(p, r->factor + a * r->m, a + 1);
        }
        return need;
}

/* As row_acceptable, of a set: the prior may be unbounded, and so may what follows from nothing else. */
static bool set_row_acceptable(const struct arx *m, const struct arx_row *r, const uint8_t *p)
{
        double v[SET_SCALARS], theta[ARX_TERMS_MAX], lo[ARX_TERMS_MAX], hi[ARX_TERMS_MAX], x[ARX_TERMS_MAX];
        p = bytes_get_f64(p, v, SET_SCALARS);
        for (size_t k = 0; k < SET_SCALARS; k++)
                if (!(v[k] >= 0.0 && v[k] < (double)INFINITY))
                        return false;
        if (!(v[0] == 0.0 || v[0] == 1.0) || !(v[1] > 0.0))
                return false;
        p = bytes_get_f64(p, theta, r->n);
        p = bytes_get_f64(p, lo, r->n);
        p = bytes_get_f64(p, hi, r->n);
        for (size_t k = 0; k < r->n; k++)
                if (!isfinite(theta[k]) || !(lo[k] <= theta[k] && theta[k] <= hi[k]) ||
                    !(lo[k] >= m->prior_lo[r->t0 + k] && hi[k] <= m->prior_hi[r->t0 + k]))
                        return false;
        p = bytes_get_f64(p, x, r->n);
        if (!num_all_finite(r->n, x))
                return false;
        for (size_t a = 0; a < r->m; a++) {
                p = bytes_get_f64(p, x, a + 1);
                if (!num_all_finite(a + 1, x) || (v[4] > 0.0 && !(x[a] > 0.0)))
                        return false;
        }
        return true;
}

int arx_set_load(struct arx *m, const void *buf, size_t len)
{
        const uint8_t *p = buf;
        if (!buf || len != set_bytes(m) || memcmp(p, "CPAS", 4) != 0 || !same_head(m, p, SET_VERSION))
                return -EINVAL;
        p += HEAD_BYTES;
        for (size_t i = 0; i < m->st.ny; i++) {
                const struct arx_row *r = &m->row[i];
                if (!set_row_acceptable(m, r, p))
                        return -EINVAL;
                p += 8 * (SET_SCALARS + 4 * r->n + r->m * (r->m + 1) / 2);
        }

        p = (const uint8_t *)buf + HEAD_BYTES;
        m->memo->known = false;
        for (size_t i = 0; i < m->st.ny; i++) {
                struct arx_row *r = &m->row[i];
                double *scalar[SET_SCALARS] = {&r->fitted, &r->w_bar, &r->w_step, &r->w_more, &r->radius};
                for (size_t k = 0; k < SET_SCALARS; k++)
                        p = bytes_get_f64(p, scalar[k], 1);
                p = bytes_get_f64(p, m->theta + r->t0, r->n);
                p = bytes_get_f64(p, m->lo + r->t0, r->n);
                p = bytes_get_f64(p, m->hi + r->t0, r->n);
                p = bytes_get_f64(p, r->phi0, r->n);
                for (size_t a = 0; a < r->m; a++)
                        p = bytes_get_f64(p, r->factor + a * r->m, a + 1);
                find_width0(m, r);
                arx_row_check_sum1(m, i);
        }
        return 0;
}
