/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "tests/fuzz/site_oracle.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/gate/envelope.h"
#include "agent/points/codec.h"
#include "agent/points/units.h"
#include "tests/fuzz/fuzz.h"

/* libfyaml 0.7.12 loses 2 KiB for each long key with quotes in it; a site file is read once. Ours show in the
 * unit tests, which suppress nothing. */
const char *__lsan_default_suppressions(void); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *__lsan_default_suppressions(void)  /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
{
        return "leak:libfyaml";
}

static bool text_ok(const char *s, size_t cap)
{
        return strnlen(s, cap) < cap;
}

static bool nan_or_finite(double v)
{
        return isnan(v) || isfinite(v);
}

/* Any registers become a number in its range or a sample that says it is none. */
static void check_decode(const struct point *p)
{
        static const uint16_t pattern[] = {0x0000, 0xffff, 0x7fff, 0x8000, 0x7fc0, 0xff80, 0x0001, 0x1234, 0x7ff0};
        uint16_t regs[125];
        MUST(point_nregs(p) >= 1 && point_nregs(p) <= 125);
        for (size_t i = 0; i < sizeof pattern / sizeof pattern[0]; i++) {
                struct sample s;
                for (size_t k = 0; k < 125; k++)
                        regs[k] = k % 2 ? pattern[(i + k) % 9] : pattern[i];
                codec_decode(p, regs, 77, &s);
                MUST(s.t_ms == 77 && s.quality <= QUALITY_BAD && (s.quality == QUALITY_GOOD) == (s.reason == QR_NONE));
                if (s.quality == QUALITY_GOOD)
                        MUST(isfinite(s.value) && !(s.value < p->valid_min || s.value > p->valid_max));
        }
}

static void check_write(const struct point *p)
{
        MUST(isfinite(p->min) && isfinite(p->max) && p->min <= p->max && p->tol >= 0);
        MUST(isnan(p->default_value) || (p->default_value >= p->min && p->default_value <= p->max));
        MUST(isnan(p->max_step) || p->max_step > 0);
        const double asked[] = {p->min, p->max, p->min / 2 + p->max / 2, -(double)INFINITY, (double)INFINITY, 0};
        for (size_t i = 0; i < 6; i++) {
                uint16_t regs[4];
                double q = 0, v = codec_quantise(p, asked[i]);
                MUST(v >= p->min && v <= p->max);
                MUST(codec_encode(p, v, regs, &q) == 0);
                MUST(q >= p->min && q <= p->max);
        }
        MUST(isnan(codec_quantise(p, (double)NAN)));
}

static void check_point(const struct site *s, size_t i)
{
        const struct point *p = &s->point[i];
        MUST(text_ok(p->name, sizeof p->name) && text_ok(p->key, sizeof p->key) && text_ok(p->brick, sizeof p->brick));
        MUST(site_find_point(s, p->name) == (int)i);
        MUST(p->device >= -1 && p->device < (int)s->ndevice && p->equipment >= -1 && p->equipment < (int)s->nequipment);
        MUST(p->zone >= -1 && p->zone < (int)s->nzone);
        MUST(p->file >= 0 && (size_t)p->file < s->nfile && p->line > 0);
        MUST(isfinite(p->scale) && p->scale != 0 && isfinite(p->offset));
        MUST(nan_or_finite(p->valid_min) && nan_or_finite(p->valid_max) && !(p->valid_min > p->valid_max));
        MUST(!(p->max_rate <= 0) && p->ninvalid <= POINT_INVALID_MAX && p->unit >= 0 && p->unit < UNIT_COUNT_);
        MUST(p->frozen_after_ms >= 0 && p->stale_after_ms >= 0 && p->settle_ms >= 0 && p->lease_ms >= 0);
        MUST(p->safe_dir >= -1 && p->safe_dir <= 1 && p->bit < 16);
        MUST((p->device < 0) == (p->table == POINT_TABLE_LOG));
        if (p->table <= POINT_TABLE_INPUT)
                MUST((size_t)p->address + point_nregs(p) <= 65536);
        check_decode(p);
        if (p->writable)
                check_write(p);
}

static void check_site(const struct site *s)
{
        const struct site_limits *l = &s->limits;
        MUST(s->name[0] && s->fast_step_ms > 0 && s->slow_step_ms >= s->fast_step_ms);
        MUST(s->slow_step_ms % s->fast_step_ms == 0);
        MUST(l->inlet_recommended_c <= l->inlet_allowable_c && l->chwst_min_c <= l->chwst_max_c);
        MUST(l->chwst_ramp_k_per_min > 0 && l->valve_max_ratio > 0 && l->valve_max_ratio <= 1);
        for (size_t i = 0; i < s->ndevice; i++) {
                MUST(site_find_device(s, s->device[i].name) == (int)i);
                MUST(s->device[i].period_ms > 0 && s->device[i].timeout_ms > 0 && s->device[i].watchdog_ms >= 0);
                MUST(s->device[i].quirks.max_word_registers_per_request >= 1);
        }
        for (size_t i = 0; i < s->nequipment; i++) {
                const struct equipment *e = &s->equipment[i];
                MUST(text_ok(e->name, sizeof e->name) && e->zone >= -1 && e->zone < (int)s->nzone);
                MUST(!(e->capacity_w <= 0) && !(e->airflow_m3s <= 0) && nan_or_finite(e->power_w));
        }
        for (size_t i = 0; i < s->npoint; i++)
                check_point(s, i);
}

static void print(const struct site_errors *e)
{
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);
        MUST(f);
        site_errors_print(e, f);
        long plain = ftell(f);
        MUST((plain > 0) == (site_errors_count(e) + site_errors_warnings(e) > 0));
        site_errors_print_json(e, f);
        MUST(fclose(f) == 0 && n >= 2);
        free(text);
}

struct site *site_checked_load(const char *path)
{
        struct site sentinel, *s = &sentinel;
        struct site_errors *e = NULL;
        int r = site_load_checked(path, gate_check_site, &s, &e);
        MUST(e && (r == 0) == (site_errors_count(e) == 0));
        print(e);
        site_errors_free(e);
        if (r < 0) {
                MUST(s == &sentinel && (r == -EINVAL || r == -EIO));
                return NULL;
        }
        check_site(s);
        return s;
}
