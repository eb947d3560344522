/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "models/energy/energy.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/num/bytes.h"
#include "models/num/num.h"
#include "models/num/rng.h"

#define MEMBERS ENERGY_MEMBERS
#define FEATURES 5
#define FIT_MIN 12         /* samples of a part before data count at all */
#define HOLD_OUT_MIN 40    /* samples before an error on the last 30 % means anything */
#define BLOCK 12           /* samples of one bootstrap block: an hour of 5-min steps stays together */
#define GIVE 0.5           /* how far data pull a coefficient from physics, relative … */
#define GIVE_PART_LOAD 1.0 /* machines differ most in it, and what it cannot say lands on the water */
/* and a chiller's slope over a water temperature: 1 to 4 %/K of it about the mean are known */
#define GIVE_SLOPE 0.25
#define VALVE_FLOW 1.75 /* flow of an equal-percentage valve, about this power of its opening */
#define TOWER_AIR 1.2
#define LEVEL 0.154 /* chillers' power per load where it is not measured */
#define SCALE_MIN 0.2
#define SCALE_MAX 5.0
#define NOISE 0.004 /* expected residual, fraction of capacity: weighs data against physics */
#define OTHER_SET                                                                                                      \
        0.03 /* machines: a sample of another set counts by 1/(1 + (difference/this)²), a thousandth for one */
#define SAME_SET 0.25       /* machines: means over a slow step within this are of one set */
#define CHILLER_PART_LOAD 2 /* this feature; the ones behind it are slopes */
#define SAMPLE_DOUBLES 11
#define VERSION 1u
#define HEAD_BYTES 40u

/* What physics says of one coefficient (power / capacity per unit of feature). */
struct prior {
        double mean, lo, hi;
};

/* Sizes: COP about 6.5 at 10 °C chilled and 27 °C condenser water and half load, power as load there, fans 6 % of
 * capacity at full speed, pumps and towers a few percent. What is measured scales them (prior_scale): only their
 * proportions matter. The chillers' slopes, per 10 K, are shares of what they draw. */
static const struct prior priors[ENERGY_PARTS][FEATURES] = {
    [ENERGY_FANS] = {{0.060, 0.001, 0.5}, {0.005, 0.0, 0.5}, {0.002, 0.0, 0.05}},
    [ENERGY_CHILLERS] =
        {{0.004, 0.0, 0.1}, {0.110, 0.02, 1.0}, {0.120, 0.0, 2.0}, {-0.24, -0.50, -0.08}, {0.22, 0.08, 0.45}},
    [ENERGY_PUMPS] = {{0.005, 0.0, 0.1}, {0.010, 0.0, 0.1}, {0.010, 0.0, 0.2}, {0.010, 0.0, 0.2}},
    [ENERGY_TOWERS] = {{0.0001, 0.0, 0.1}, {0.0001, 0.0, 0.1}, {0.014, 0.0, 0.2}},
};
static const size_t nfeature[ENERGY_PARTS] = {
    [ENERGY_FANS] = 3, [ENERGY_CHILLERS] = 5, [ENERGY_PUMPS] = 4, [ENERGY_TOWERS] = 3};

/* The plant with one number of machines. */
struct fit {
        double chillers_on;
        bool valid[ENERGY_PARTS];
        double coef[MEMBERS][ENERGY_PARTS][FEATURES];
};
enum { NEWEST, ONE_LESS, ONE_MORE, FITS };

struct energy {
        uint64_t seed;
        double capacity_w;
        uint64_t added; /* ever; sample k of the record has serial number added − count + k */
        size_t count, head;
        struct energy_sample ring[ENERGY_SAMPLES];
        struct fit fit[FITS];
        bool fitted[ENERGY_PARTS];
        double spread[ENERGY_STATES];
        double cv_rmse, nmbe;
};

size_t energy_memsize(void)
{
        return (sizeof(struct energy) + 15) & ~(size_t)15;
}

int energy_create(void *mem, size_t size, uint64_t seed, double total_capacity_w, struct energy **ret)
{
        if (!mem || ((uintptr_t)mem & 15u) || size < energy_memsize())
                return -EINVAL;
        if (!(total_capacity_w > 0.0 && total_capacity_w < 1e12))
                return -EINVAL;
        struct energy *e = mem;
        memset(e, 0, sizeof(*e));
        e->seed = seed;
        e->capacity_w = total_capacity_w;
        e->cv_rmse = e->nmbe = (double)NAN;
        *ret = e;
        return 0;
}

static double within(double v, double lo, double hi)
{
        return v >= lo && v <= hi ? v : (double)NAN;
}

static bool clean(const struct energy *e, const struct energy_sample *s, struct energy_sample *ret)
{
        *ret = (struct energy_sample){
            .fan_ratio_cubed = within(s->fan_ratio_cubed, 0.0, 10.0),
            .heat_w = within(s->heat_w, 0.0, 10.0 * e->capacity_w),
            .chwst_c = within(s->chwst_c, -20.0, 60.0),
            .cwst_c = within(s->cwst_c, -20.0, 80.0),
            .wetbulb_c = within(s->wetbulb_c, -60.0, 60.0),
            .chillers_on = within(s->chillers_on, 0.0, 1000.0),
            .valve_mean_ratio = within(s->valve_mean_ratio, -0.1, 1.1),
        };
        bool any = false;
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                ret->power_w[p] = within(s->power_w[p], 0.0, 10.0 * e->capacity_w);
                any |= isfinite(ret->power_w[p]);
        }
        return any;
}

void energy_add(struct energy *e, const struct energy_sample *s)
{
        struct energy_sample v;
        if (!clean(e, s, &v))
                return;
        e->ring[e->head] = v;
        e->head = (e->head + 1) % ENERGY_SAMPLES;
        if (e->count < ENERGY_SAMPLES)
                e->count++;
        e->added++;
}

double energy_capacity_w(const struct energy *e)
{
        return e->capacity_w;
}

const struct energy_sample *energy_sample_at(const struct energy *e, size_t k)
{
        return &e->ring[(e->head + ENERGY_SAMPLES - e->count + k) % ENERGY_SAMPLES];
}

static double or_zero(double v)
{
        return isfinite(v) ? v : 0.0;
}

/* Power of tower fans, share of the rated: the cube of the air asked for, which grows with the load over the approach
 * (x = 1: all of it at 4 K), until they run at full speed. */
static double tower_fan_cubed(double x)
{
        const double ratio = fmin(TOWER_AIR * fmax(x, 0.0), 1.0);

        return ratio * ratio * ratio;
}

/* false: a quantity without which the part means nothing is missing. Others missing drop their feature. */
static bool features(const struct energy *e, enum energy_part part, const struct energy_sample *s, double *z)
{
        double q = s->heat_w / e->capacity_w, n = s->chillers_on;
        memset(z, 0, sizeof(double) * FEATURES);
        switch (part) {
        case ENERGY_FANS:
                z[0] = s->fan_ratio_cubed;
                z[1] = pow(fmax(s->fan_ratio_cubed, 0.0), 2.0 / 3.0);
                z[2] = 1.0;
                return isfinite(s->fan_ratio_cubed);
        case ENERGY_CHILLERS:
                if (!isfinite(q))
                        return false;
                if (n < 0.5)
                        return true; /* none runs: no power, whatever the coefficients */
                z[0] = isfinite(n) ? n : 1.0;
                z[1] = q;
                z[2] = q * q / z[0];
                z[3] = or_zero(q * (s->chwst_c - 10.0) / 10.0);
                z[4] = or_zero(q * ((isfinite(s->cwst_c) ? s->cwst_c : s->wetbulb_c + 5.0) - 27.0) / 10.0);
                return true;
        case ENERGY_PUMPS:
                z[0] = 1.0;
                z[1] = or_zero(n);
                z[2] = pow(fmax(or_zero(s->valve_mean_ratio), 0.0), VALVE_FLOW);
                z[3] = z[2] * z[2] * z[2];
                return true;
        default: {
                double approach = fmin(fmax(s->cwst_c - s->wetbulb_c, 0.7), 20.0);
                if (!isfinite(q) || !isfinite(s->cwst_c) || !isfinite(s->wetbulb_c))
                        return false;
                double x = 4.0 * q / approach;
                z[0] = 1.0;
                z[1] = or_zero(n);
                z[2] = tower_fan_cubed(x);
                return true;
        }
        }
}

/* A stream of random numbers that depends on what it is for and on nothing else. */
static double draw_exponential(const struct energy *e, size_t member, uint64_t block)
{
        struct rng r;
        rng_seed(&r, e->seed ^ (block * 0x9e3779b97f4a7c15ULL), 2 * member + 1);
        return rng_exponential(&r, 1.0);
}

static double prior_mean(const struct energy *e, size_t member, size_t part, size_t k)
{
        const struct prior *p = &priors[part][k];
        struct rng r;
        rng_seed(&r, e->seed ^ (part * 131 + k), 2 * member);
        double v = p->mean * (1.0 + 0.2 * rng_normal(&r));
        return fmin(fmax(v, p->lo), p->hi);
}

/* How much a sample says of a part with this many machines: another set has another part load and other slopes. Air
 * handlers' fans know nothing of machines. */
static double likeness(enum energy_part part, const struct energy_sample *s, double chillers_on)
{
        if (part == ENERGY_FANS)
                return 1.0;
        const double other = (or_zero(s->chillers_on) - chillers_on) / OTHER_SET;
        return 1.0 / (1.0 + other * other);
}

/* Physics is right in proportion, not in size. A chiller's slopes are shares of what it draws per load where it runs;
 * the other coefficients share one factor, what is measured over what they say. ret [nfeature]: what to multiply by. */
static void prior_scale(const struct energy *e, size_t member, enum energy_part part, double chillers_on, size_t from,
                        size_t to, double *ret)
{
        const size_t n = nfeature[part], base = part == ENERGY_CHILLERS ? CHILLER_PART_LOAD + 1 : n;
        double measured = 0.0, load = 0.0, sum[FEATURES] = {0}, z[FEATURES], said = 0.0, level = LEVEL;
        for (size_t i = from; i < to; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);
                const double y = s->power_w[part] / e->capacity_w;
                if (!isfinite(y) || !features(e, part, s, z))
                        continue;
                const double w = likeness(part, s, chillers_on);
                measured += w * y;
                load += w * or_zero(s->heat_w / e->capacity_w);
                for (size_t k = 0; k < n; k++)
                        sum[k] += w * z[k];
        }
        if (measured > 0.0 && load > 0.0)
                level = fmin(fmax(measured / load, SCALE_MIN * LEVEL), SCALE_MAX * LEVEL);
        for (size_t k = base; k < n; k++)
                measured -= level * sum[k] * prior_mean(e, member, part, k);
        for (size_t k = 0; k < base; k++)
                said += sum[k] * prior_mean(e, member, part, k);
        const double scale = measured > 0.0 && said > 0.0 ? fmin(fmax(measured / said, SCALE_MIN), SCALE_MAX) : 1.0;
        for (size_t k = 0; k < n; k++)
                ret[k] = k < base ? scale : level;
}

static double give(enum energy_part part, size_t k)
{
        return part != ENERGY_CHILLERS || k < CHILLER_PART_LOAD ? GIVE
               : k == CHILLER_PART_LOAD                         ? GIVE_PART_LOAD
                                                                : GIVE_SLOPE;
}

/* Fits one member's part to samples [from, to): minimise Σ weight (y − zᵀc)²/noise² + Σ ((c − prior)/(give·prior))²,
 * the prior scaled to what is measured. */
static void fit_part(const struct energy *e, size_t member, enum energy_part part, double chillers_on, size_t from,
                     size_t to, double *c)
{
        size_t n = nfeature[part];
        double h[FEATURES * FEATURES] = {0}, g[FEATURES] = {0}, lo[FEATURES], hi[FEATURES], z[FEATURES];
        double scale[FEATURES];
        prior_scale(e, member, part, chillers_on, from, to, scale);
        for (size_t k = 0; k < n; k++) {
                double mean = scale[k] * prior_mean(e, member, part, k), tau = give(part, k) * fabs(mean) + 1e-4;
                double ridge = NOISE * NOISE / (tau * tau);
                h[k * n + k] = ridge;
                g[k] = ridge * mean;
                lo[k] = scale[k] * priors[part][k].lo;
                hi[k] = scale[k] * priors[part][k].hi;
                c[k] = mean;
        }
        uint64_t first = e->added - e->count, block = UINT64_MAX;
        double weight = 1.0;
        for (size_t i = from; i < to; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);
                double y = s->power_w[part] / e->capacity_w;
                if (!isfinite(y) || !features(e, part, s, z))
                        continue;
                if ((first + i) / BLOCK != block) {
                        block = (first + i) / BLOCK;
                        weight = draw_exponential(e, member, block);
                }
                const double w = weight * likeness(part, s, chillers_on);
                for (size_t a = 0; a < n; a++) {
                        g[a] += w * z[a] * y;
                        for (size_t b = 0; b < n; b++)
                                h[a * n + b] += w * z[a] * z[b];
                }
        }
        (void)num_box_qp(n, h, g, lo, hi, 1e-9, 20000, c);
}

/* The one of the sample's number of machines; that of the newest where the part was hardly ever metered with it. */
static const struct fit *fit_for(const struct energy *e, enum energy_part part, const struct energy_sample *s)
{
        for (size_t k = ONE_LESS; k < FITS; k++)
                if (e->fit[k].valid[part] && fabs(e->fit[k].chillers_on - or_zero(s->chillers_on)) <= SAME_SET)
                        return &e->fit[k];
        return &e->fit[NEWEST];
}

static double part_power(const struct energy *e, size_t member, enum energy_part part, const struct energy_sample *s,
                         bool *ret_known)
{
        double z[FEATURES];
        *ret_known = features(e, part, s, z);
        return *ret_known
                   ? fmax(num_dot(nfeature[part], z, fit_for(e, part, s)->coef[member][part]), 0.0) * e->capacity_w
                   : 0.0;
}

/* Error of the ensemble mean of the metered total over samples [from, to). */
static void judge(struct energy *e, size_t from, size_t to)
{
        double se = 0.0, bias = 0.0, sum = 0.0, n = 0.0;
        for (size_t i = from; i < to; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);
                double measured = 0.0, predicted = 0.0;
                bool any = false;
                for (size_t p = 0; p < ENERGY_PARTS; p++) {
                        bool known = true;
                        double mean = 0.0;
                        if (!e->fitted[p] || !isfinite(s->power_w[p]))
                                continue;
                        for (size_t m = 0; m < MEMBERS && known; m++)
                                mean += part_power(e, m, (enum energy_part)p, s, &known) / MEMBERS;
                        if (!known)
                                continue;
                        measured += s->power_w[p];
                        predicted += mean;
                        any = true;
                }
                if (!any)
                        continue;
                se += (predicted - measured) * (predicted - measured);
                bias += predicted - measured;
                sum += measured;
                n += 1.0;
        }
        e->cv_rmse = sum > 0.0 ? sqrt(se / n) / (sum / n) : (double)NAN;
        e->nmbe = sum > 0.0 ? bias / sum : (double)NAN;
}

void energy_state(const struct energy *e, const struct energy_sample *s, double ret[ENERGY_STATES])
{
        const double v[ENERGY_STATES] = {
            s->fan_ratio_cubed, s->heat_w / e->capacity_w, s->chwst_c, s->cwst_c, s->wetbulb_c,
            s->chillers_on,     s->valve_mean_ratio};
        memcpy(ret, v, sizeof(v));
}

void energy_spread(const struct energy *e, double ret_mean[ENERGY_STATES], double ret_spread[ENERGY_STATES])
{
        static const double floor_of[ENERGY_STATES] = {0.05, 0.05, 1.0, 1.0, 2.0, 0.5, 0.1};
        double sum[ENERGY_STATES] = {0}, sq[ENERGY_STATES] = {0}, n[ENERGY_STATES] = {0}, x[ENERGY_STATES];
        for (size_t i = 0; i < e->count; i++) {
                energy_state(e, energy_sample_at(e, i), x);
                for (size_t k = 0; k < ENERGY_STATES; k++)
                        if (isfinite(x[k])) {
                                sum[k] += x[k];
                                sq[k] += x[k] * x[k];
                                n[k] += 1.0;
                        }
        }
        for (size_t k = 0; k < ENERGY_STATES; k++) {
                double mean = n[k] > 0.0 ? sum[k] / n[k] : 0.0;
                double var = n[k] > 0.0 ? sq[k] / n[k] - mean * mean : 0.0;
                if (ret_mean)
                        ret_mean[k] = mean;
                ret_spread[k] = fmax(sqrt(fmax(var, 0.0)), floor_of[k]);
        }
}

/* Samples of a part that count with this many machines. */
static double weight_of(const struct energy *e, enum energy_part part, double chillers_on, size_t from, size_t to)
{
        double sum = 0.0, z[FEATURES];

        for (size_t i = from; i < to; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);
                if (isfinite(s->chillers_on) && isfinite(s->power_w[part]) && features(e, part, s, z))
                        sum += likeness(part, s, chillers_on);
        }
        return sum;
}

/* Each number of machines by itself where there is data of it: only so does switching one on promise what switching it
 * off again would cost. */
static void fit_all(struct energy *e, size_t from, size_t to)
{
        static const double differs[FITS] = {[NEWEST] = 0.0, [ONE_LESS] = -1.0, [ONE_MORE] = 1.0};
        double now = 0.0;

        for (size_t i = from; i < to; i++) {
                const double n = energy_sample_at(e, i)->chillers_on;
                now = fabs(n - round(n)) <= SAME_SET ? round(n) : now; /* else unknown, or switched within the step */
        }
        for (size_t k = 0; k < FITS; k++) {
                struct fit *f = &e->fit[k];
                f->chillers_on = now + differs[k];
                for (size_t p = 0; p < ENERGY_PARTS; p++) {
                        const enum energy_part part = (enum energy_part)p;
                        f->valid[p] = k == NEWEST || (f->chillers_on > 0.5 && part != ENERGY_FANS &&
                                                      weight_of(e, part, f->chillers_on, from, to) >= FIT_MIN);
                        for (size_t m = 0; m < MEMBERS && f->valid[p]; m++)
                                fit_part(e, m, part, f->chillers_on, from, to, f->coef[m][p]);
                }
        }
}

size_t energy_fit(struct energy *e)
{
        size_t enough = 0;
        for (size_t p = 0; p < ENERGY_PARTS; p++) {
                size_t n = 0;
                double z[FEATURES];
                for (size_t i = 0; i < e->count && n < FIT_MIN; i++) {
                        const struct energy_sample *s = energy_sample_at(e, i);
                        n += isfinite(s->power_w[p]) && features(e, (enum energy_part)p, s, z);
                }
                e->fitted[p] = n >= FIT_MIN;
                enough += e->fitted[p];
        }
        if (!enough)
                return 0;
        if (e->count >= HOLD_OUT_MIN) {
                size_t cut = e->count - e->count * 3 / 10;
                fit_all(e, 0, cut);
                judge(e, cut, e->count);
        }
        fit_all(e, 0, e->count);
        energy_spread(e, NULL, e->spread);
        return enough;
}

/* To the nearest sample, in data spreads; half a spread is free. */
static double distance(const struct energy *e, const struct energy_sample *s)
{
        double x[ENERGY_STATES], v[ENERGY_STATES], best = (double)INFINITY;
        energy_state(e, s, x);
        for (size_t i = 0; i < e->count; i++) {
                energy_state(e, energy_sample_at(e, i), v);
                double d2 = 0.0;
                for (size_t k = 0; k < ENERGY_STATES; k++) {
                        double d = (x[k] - v[k]) / e->spread[k];
                        if (isfinite(d))
                                d2 += d * d;
                }
                best = fmin(best, d2);
        }
        return fmax(sqrt(best) - 0.5, 0.0);
}

bool energy_members(const struct energy *e, const struct energy_sample *s, double ret_w[ENERGY_MEMBERS][ENERGY_PARTS])
{
        bool any = false;
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                any |= e->fitted[p];
        if (!any)
                return false;
        struct energy_sample v;
        (void)clean(e, s, &v);
        for (size_t m = 0; m < MEMBERS; m++)
                for (size_t p = 0; p < ENERGY_PARTS; p++) {
                        bool known;
                        ret_w[m][p] = part_power(e, m, (enum energy_part)p, &v, &known);
                        if (!known)
                                ret_w[m][p] = (double)NAN;
                }
        return true;
}

bool energy_predict(const struct energy *e, const struct energy_sample *s, struct energy_estimate *ret)
{
        double part_w[MEMBERS][ENERGY_PARTS];
        if (!energy_members(e, s, part_w))
                return false;
        struct energy_estimate est = {0};
        double total[MEMBERS] = {0}, var = 0.0;
        for (size_t m = 0; m < MEMBERS; m++)
                for (size_t p = 0; p < ENERGY_PARTS; p++) {
                        const double w = isnan(part_w[m][p]) ? 0.0 : part_w[m][p];
                        est.part_w[p] += w / MEMBERS;
                        total[m] += w;
                }
        for (size_t m = 0; m < MEMBERS; m++)
                est.power_w += total[m] / MEMBERS;
        for (size_t m = 0; m < MEMBERS; m++)
                var += (total[m] - est.power_w) * (total[m] - est.power_w) / (MEMBERS - 1);
        est.std_w = sqrt(var);
        struct energy_sample v;
        (void)clean(e, s, &v);
        est.distance = distance(e, &v);
        *ret = est;
        return true;
}

void energy_info(const struct energy *e, struct energy_info *ret)
{
        *ret = (struct energy_info){.samples = e->count, .cv_rmse_ratio = e->cv_rmse, .nmbe_ratio = e->nmbe};
}

size_t energy_save(const struct energy *e, void *buf, size_t cap)
{
        size_t need = HEAD_BYTES + 8 * SAMPLE_DOUBLES * e->count + 4;
        if (!buf || cap < need)
                return need;
        uint8_t *p = buf;
        memcpy(p, "CPEN", 4); /* NOLINT(bugprone-not-null-terminated-result): magic bytes, no string */
        p = bytes_put(p + 4, VERSION, 4);
        p = bytes_put(p, e->seed, 8);
        p = bytes_put_f64(p, &e->capacity_w, 1);
        p = bytes_put(p, e->added, 8);
        p = bytes_put(p, e->count, 8);
        for (size_t i = 0; i < e->count; i++) {
                const struct energy_sample *s = energy_sample_at(e, i);
                const double v[SAMPLE_DOUBLES - 4] = {s->fan_ratio_cubed, s->heat_w,      s->chwst_c,         s->cwst_c,
                                                      s->wetbulb_c,       s->chillers_on, s->valve_mean_ratio};
                p = bytes_put_f64(p, v, SAMPLE_DOUBLES - 4);
                p = bytes_put_f64(p, s->power_w, 4);
        }
        (void)bytes_put(p, bytes_crc32(buf, need - 4), 4);
        return need;
}

static const uint8_t *get_sample(const uint8_t *p, struct energy_sample *ret)
{
        double *field[SAMPLE_DOUBLES - 4] = {&ret->fan_ratio_cubed, &ret->heat_w,    &ret->chwst_c,
                                             &ret->cwst_c,          &ret->wetbulb_c, &ret->chillers_on,
                                             &ret->valve_mean_ratio};
        for (size_t k = 0; k < SAMPLE_DOUBLES - 4; k++)
                p = bytes_get_f64(p, field[k], 1);
        return bytes_get_f64(p, ret->power_w, 4);
}

/* Bit for bit what clean() would keep. */
static bool sample_acceptable(const struct energy *e, const struct energy_sample *s)
{
        struct energy_sample v;
        if (!clean(e, s, &v))
                return false;
        double a[ENERGY_STATES], b[ENERGY_STATES];
        energy_state(e, s, a);
        energy_state(e, &v, b);
        for (size_t k = 0; k < ENERGY_STATES; k++)
                if (isnan(a[k]) != isnan(b[k]))
                        return false;
        for (size_t k = 0; k < ENERGY_PARTS; k++)
                if (isnan(s->power_w[k]) != isnan(v.power_w[k]))
                        return false;
        return true;
}

int energy_load(struct energy *e, const void *buf, size_t len)
{
        const uint8_t *p = buf;
        if (!buf || len < HEAD_BYTES + 4 || memcmp(p, "CPEN", 4) != 0 || bytes_get(p + 4, 4) != VERSION ||
            bytes_get(p + len - 4, 4) != bytes_crc32(buf, len - 4))
                return -EINVAL;
        double capacity;
        (void)bytes_get_f64(p + 16, &capacity, 1);
        uint64_t added = bytes_get(p + 24, 8), count = bytes_get(p + 32, 8);
        if (capacity != e->capacity_w || count > ENERGY_SAMPLES || count > added ||
            len != HEAD_BYTES + 8 * SAMPLE_DOUBLES * (size_t)count + 4)
                return -EINVAL;
        const uint8_t *at = p + HEAD_BYTES;
        for (size_t i = 0; i < count; i++) {
                struct energy_sample s;
                at = get_sample(at, &s);
                if (!sample_acceptable(e, &s))
                        return -EINVAL;
        }

        uint64_t seed = bytes_get(p + 8, 8);
        struct energy *fresh = NULL;
        if (energy_create(e, energy_memsize(), seed, capacity, &fresh))
                return -EINVAL; /* cannot happen: same block, same capacity */
        at = p + HEAD_BYTES;
        for (size_t i = 0; i < count; i++)
                at = get_sample(at, &fresh->ring[i]);
        fresh->count = (size_t)count;
        fresh->head = (size_t)count % ENERGY_SAMPLES;
        fresh->added = added;
        (void)energy_fit(fresh);
        return 0;
}
