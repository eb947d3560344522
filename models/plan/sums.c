/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The prediction's inner loop: the model's rows as sums over the table of rows, ahead for the values and transposed for
 * the adjoint. Both add in the order of the model's terms, whatever is summed beside them. */
#include "models/plan/plan_impl.h"

#include <string.h>

/* Sorted by length, a block of four wastes at most what the next one is shorter. */
size_t plan_sums_slots(const struct plan *p, size_t longest)
{
        return p->nterm + p->ny + 4 * longest;
}

void plan_order_terms(struct plan *p, const struct arx_structure *st)
{
        size_t n = 0;

        for (size_t i = 0; i < p->ny; i++)
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++)
                        p->row_of[t] = (uint16_t)i;
        for (size_t lag = UINT8_MAX + 1; lag-- > 0;)
                for (size_t t = 0; t < p->nterm; t++)
                        if (st->term[t].lag == lag)
                                p->by_lag[n++] = t;
}

/* Gives every column with terms its place. filler: offset of a finite value. */
static void arrange(struct plan_sums *s, size_t width, int32_t filler)
{
        size_t blocks;

        s->n = 0;
        for (size_t col = 0; col < width; col++) {
                size_t at = s->n;

                s->slot[col] = SIZE_MAX;
                if (s->count[col] == 0)
                        continue;
                s->n++;
                for (; at > 0 && s->count[s->target[at - 1]] < s->count[col]; at--)
                        s->target[at] = s->target[at - 1];
                s->target[at] = col;
        }
        blocks = (s->n + 3) / 4;
        s->first[0] = 0;
        for (size_t b = 0; b < blocks; b++)
                s->first[b + 1] = s->first[b] + s->count[s->target[4 * b]];
        memset(s->coef, 0, 4 * s->first[blocks] * sizeof *s->coef);
        for (size_t t = 0; t < 4 * s->first[blocks]; t++)
                s->off[t] = filler;
        for (size_t k = 0; k < s->n; k++) {
                s->slot[s->target[k]] = k;
                s->count[s->target[k]] = 0; /* anew, as terms are put in */
        }
}

static void put(struct plan_sums *s, size_t col, double coef, ptrdiff_t off)
{
        const size_t k = s->slot[col], t = 4 * (s->first[k / 4] + s->count[col]++) + k % 4;

        s->coef[t] = coef;
        s->off[t] = (int32_t)off;
}

static size_t column(const struct plan *p, const struct arx_term *q)
{
        switch (q->src) {
        case ARX_SRC_Y:
                return q->index;
        case ARX_SRC_U:
                return p->ny + q->index;
        case ARX_SRC_D:
                return p->ny + p->nu + q->index;
        default:
                return p->width - 1;
        }
}

static void compile_ahead(struct plan *p, const struct arx_structure *st)
{
        struct plan_sums *s = &p->ahead;

        memset(s->count, 0, p->width * sizeof *s->count);
        for (size_t i = 0; i < p->ny; i++) {
                s->count[i] = !p->row_ok[i];
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++)
                        s->count[i] += p->theta[t] != 0.0;
        }
        arrange(s, p->width, -1); /* the 1 of the row before */
        for (size_t i = 0; i < p->ny; i++) {
                if (!p->row_ok[i]) /* persistence */
                        put(s, i, 1.0, (ptrdiff_t)i - (ptrdiff_t)p->width);
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++)
                        if (p->theta[t] != 0.0)
                                put(s, i, p->theta[t],
                                    (ptrdiff_t)column(p, &st->term[t]) - (ptrdiff_t)(st->term[t].lag * p->width));
        }
}

/* What reads a column: by lag, then by row, so that the sums are those of rows scattered from the last one on. */
static void compile_back(struct plan *p, const struct arx_structure *st)
{
        struct plan_sums *s = &p->back;

        memset(p->wanted, 0, p->width);
        memset(p->wanted, 1, p->ny);
        for (size_t j = 0; j < p->nu; j++)
                p->wanted[p->ny + j] = p->free[j];
        for (size_t h = 0; h < p->nhandler; h++)
                p->wanted[p->ny + p->nu + p->handler[h].d] = 1;
        memset(s->count, 0, p->width * sizeof *s->count);
        for (size_t t = 0; t < p->nterm; t++)
                s->count[column(p, &st->term[t])] += p->theta[t] != 0.0;
        for (size_t col = 0; col < p->width; col++)
                s->count[col] = p->wanted[col] ? s->count[col] : 0;
        arrange(s, p->width, (int32_t)p->width - 1); /* nobody's adjoint: 0 */
        for (size_t k = 0; k < p->nterm; k++) {
                const size_t t = p->by_lag[k], col = column(p, &st->term[t]);
                if (p->theta[t] != 0.0 && p->wanted[col])
                        put(s, col, p->theta[t], (ptrdiff_t)(st->term[t].lag * p->width) + (ptrdiff_t)p->row_of[t]);
        }
}

void plan_compile(struct plan *p, const struct arx *m)
{
        const struct arx_structure *st = arx_structure(m);

        for (size_t i = 0; i < p->ny; i++) {
                const double *theta, *lo, *hi;
                arx_row(m, i, &theta, &lo, &hi);
                for (size_t t = st->row_start[i]; t < st->row_start[i + 1]; t++, theta++)
                        p->theta[t] = p->row_ok[i] ? *theta : 0.0;
        }
        compile_ahead(p, st);
        compile_back(p, st);
}

void plan_sums_add(const struct plan_sums *s, double *row)
{
        for (size_t b = 0; 4 * b < s->n; b++) {
                const size_t *target = s->target + 4 * b, left = s->n - 4 * b;
                const double *coef = s->coef + 4 * s->first[b], *end = s->coef + 4 * s->first[b + 1];
                const int32_t *off = s->off + 4 * s->first[b];
                /* by name, so that they stay in registers */
                double s0 = row[target[0]], s1 = left > 1 ? row[target[1]] : 0.0;
                double s2 = left > 2 ? row[target[2]] : 0.0, s3 = left > 3 ? row[target[3]] : 0.0;
                for (; coef < end; coef += 4, off += 4) {
                        s0 += coef[0] * row[off[0]];
                        s1 += coef[1] * row[off[1]];
                        s2 += coef[2] * row[off[2]];
                        s3 += coef[3] * row[off[3]];
                }
                row[target[0]] = s0;
                if (left > 1)
                        row[target[1]] = s1;
                if (left > 2)
                        row[target[2]] = s2;
                if (left > 3)
                        row[target[3]] = s3;
        }
}
