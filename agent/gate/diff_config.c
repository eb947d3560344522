/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Two configurations: which limits of the safety layer are not the same, and which lines of the files. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/text.h"
#include "agent/gate/diff.h"
#include "agent/gate/envelope.h"
#include "agent/points/units.h"

struct made {
        const struct site *site;
        struct layout *layout;
        struct gate_envelope e;
};

static void tell_limit(struct diff_config *c, const char *what, const char *point, const char *unit, double a, double b)
{
        size_t i = 0;

        if (a == b || (isnan(a) && isnan(b)))
                return;
        while (i < c->nlimit && strcmp(c->limit[i].what, what) != 0)
                i++;
        if (i == DIFF_LIMITS)
                return;
        if (i == c->nlimit) {
                c->limit[c->nlimit++] = (struct diff_limit){.what = what, .unit = unit, .v = {a, b}};
                (void)snprintf(c->limit[i].point, sizeof c->limit[i].point, "%s", point);
        }
        c->limit[i].n++;
}

static const char *u_name(const struct made *m, size_t j)
{
        return m->site->point[m->layout->u[j].point].name;
}

static const char *y_name(const struct made *m, size_t k)
{
        return m->site->point[m->layout->y[m->e.cert[k].row].point].name;
}

static const char *u_unit(const struct made *m, size_t j, bool difference)
{
        const char *unit = unit_si_str((enum unit)m->site->point[m->layout->u[j].point].unit);

        return difference ? diff_unit(unit) : unit;
}

static void compare_variable(struct diff_config *c, const struct made *m, size_t j, const struct safety_u *a,
                             const struct safety_u *b)
{
        static const struct {
                const char *what, *unit; /* NULL: the variable's own */
                size_t offset;
                bool difference;
        } field[] = {
            {"lowest value", NULL, offsetof(struct safety_u, lo), false},
            {"highest value", NULL, offsetof(struct safety_u, hi), false},
            {"resolution", NULL, offsetof(struct safety_u, step), true},
            {"largest step toward less cooling", NULL, offsetof(struct safety_u, rate), true},
            {"step of the backup", NULL, offsetof(struct safety_u, backup_rate), true},
            {"what it runs on its own", NULL, offsetof(struct safety_u, nominal), false},
            {"dead band", NULL, offsetof(struct safety_u, dead_band), true},
            {"capacity", "W", offsetof(struct safety_u, capacity_w), false},
            {"minimum on time", "s", offsetof(struct safety_u, min_on_s), false},
            {"minimum off time", "s", offsetof(struct safety_u, min_off_s), false},
            {"starts per hour", "", offsetof(struct safety_u, max_starts_per_h), false},
            {"least evaporator flow", "m3/s", offsetof(struct safety_u, min_flow_m3s), false},
            {"largest evaporator flow ramp", "1/min", offsetof(struct safety_u, max_flow_ramp_per_min), false}};

        for (size_t i = 0; i < sizeof field / sizeof field[0]; i++)
                tell_limit(c, field[i].what, u_name(m, j),
                           field[i].unit ? field[i].unit : u_unit(m, j, field[i].difference),
                           *(const double *)((const char *)a + field[i].offset),
                           *(const double *)((const char *)b + field[i].offset));
}

/* What only one of them has is no limit that differs: the files say so. */
static void compare_limits(struct diff_config *c, const struct made *a, const struct made *b)
{
        const struct safety_envelope *ea = &a->e.safety, *eb = &b->e.safety;

        tell_limit(c, "control step", "", "s", ea->step_s, eb->step_s);
        tell_limit(c, "horizon", "", "steps", (double)ea->horizon, (double)eb->horizon);
        tell_limit(c, "supply air above dew point", "", "K", a->site->limits.dewpoint_margin_k,
                   b->site->limits.dewpoint_margin_k);
        tell_limit(c, "water near freezing", "", "degC", a->site->limits.chwst_freeze_c,
                   b->site->limits.chwst_freeze_c);
        tell_limit(c, "greatest noise of air temperatures", "", "K", a->site->limits.noise_max_k,
                   b->site->limits.noise_max_k);
        tell_limit(c, "valve above which water is not warmed", "", "ratio", a->site->limits.valve_max_ratio,
                   b->site->limits.valve_max_ratio);
        for (size_t j = 0; j < ea->nu; j++)
                for (size_t k = 0; k < eb->nu; k++)
                        if (strcmp(u_name(a, j), u_name(b, k)) == 0)
                                compare_variable(c, a, j, &a->e.u[j], &b->e.u[k]);
        for (size_t j = 0; j < ea->ncert; j++)
                for (size_t k = 0; k < eb->ncert; k++) {
                        const struct safety_y *ya = &a->e.cert[j], *yb = &b->e.cert[k];

                        if (strcmp(y_name(a, j), y_name(b, k)) != 0)
                                continue;
                        tell_limit(c, "hard limit", y_name(a, j), "degC", ya->hi, yb->hi);
                        tell_limit(c, "trip", y_name(a, j), "degC", ya->trip, yb->trip);
                        tell_limit(c, "recommended limit", y_name(a, j), "degC", ya->hi - ya->soft_k,
                                   yb->hi - yb->soft_k);
                }
        for (size_t j = 0; j < ea->nlift; j++)
                for (size_t k = 0; k < eb->nlift; k++) {
                        const struct safety_lift *la = &a->e.lift[j], *lb = &b->e.lift[k];

                        if (strcmp(u_name(a, la->cw), u_name(b, lb->cw)) != 0 ||
                            strcmp(u_name(a, la->chw), u_name(b, lb->chw)) != 0)
                                continue;
                        tell_limit(c, "least lift", u_name(a, la->cw), "K", la->min_k, lb->min_k);
                        tell_limit(c, "greatest lift", u_name(a, la->cw), "K", la->max_k, lb->max_k);
                        tell_limit(c, "greatest lift at no load", u_name(a, la->cw), "K", la->max_k - la->surge_less_k,
                                   lb->max_k - lb->surge_less_k);
                }
}

static const char *name_of(const struct site_text *t)
{
        const char *slash = strrchr(t->path, '/');

        return slash ? slash + 1 : t->path;
}

/* The line at *at, without blanks around it; moves behind it. "" past the end. */
static void take_line(const struct site_text *t, size_t *at, char *ret, size_t cap)
{
        const char *end = t && *at < t->len ? memchr(t->text + *at, '\n', t->len - *at) : NULL;
        size_t from = *at, to = !t ? 0 : end ? (size_t)(end - t->text) : t->len;

        ret[0] = '\0';
        if (!t || *at >= t->len)
                return;
        *at = to + 1;
        while (from < to && (t->text[from] == ' ' || t->text[from] == '\t'))
                from++;
        (void)snprintf(ret, cap, "%.*s", (int)(to - from), t->text + from);
        (void)text_printable(ret);
}

static bool same_text(const struct site_text *a, const struct site_text *b)
{
        return a && b && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Where two texts part, as lines. */
static void compare_file(struct diff_config *c, const struct site_text *a, const struct site_text *b)
{
        struct diff_file *f = &c->file[c->nfile];
        size_t same = 0, line = 0, number = 1;

        if (same_text(a, b) || c->nfile == DIFF_FILES)
                return;
        while (a && b && same < a->len && same < b->len && a->text[same] == b->text[same]) {
                if (a->text[same++] == '\n') {
                        line = same;
                        number++;
                }
        }
        *f = (struct diff_file){.line = number};
        (void)snprintf(f->name, sizeof f->name, "%s", name_of(a ? a : b));
        for (int k = 0; k < 2; k++) {
                size_t at = line;

                take_line(k ? b : a, &at, f->text[k], sizeof f->text[k]);
        }
        c->nfile++;
}

static const struct site_text *find_text(const struct site_text *v, size_t n, const char *name, size_t nth)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(name_of(&v[i]), name) == 0 && nth-- == 0)
                        return &v[i];
        return NULL;
}

/* How many before it have its name. */
static size_t nth_of(const struct site_text *v, size_t i)
{
        size_t n = 0;

        for (size_t k = 0; k < i; k++)
                n += strcmp(name_of(&v[k]), name_of(&v[i])) == 0;
        return n;
}

void diff_sites(const struct site *const site[2], const struct site_text *const text[2], const size_t ntext[2],
                struct diff_config *ret)
{
        struct made m[2] = {{.site = site[0]}, {.site = site[1]}};
        bool made = true;

        *ret = (struct diff_config){.read = {site[0] != NULL, site[1] != NULL}};
        for (size_t i = 0; i < ntext[0]; i++)
                compare_file(ret, &text[0][i],
                             i == 0 && ntext[1] > 0
                                 ? &text[1][0] /* the site file, whatever its name */
                                 : find_text(text[1], ntext[1], name_of(&text[0][i]), nth_of(text[0], i)));
        for (size_t i = 1; i < ntext[1]; i++)
                if (!find_text(text[0], ntext[0], name_of(&text[1][i]), nth_of(text[1], i)))
                        compare_file(ret, NULL, &text[1][i]);
        for (int k = 0; k < 2; k++)
                made = made && site[k] && layout_create(site[k], &m[k].layout) == 0 &&
                       gate_envelope_build(m[k].layout, &m[k].e) == 0;
        if (made)
                compare_limits(ret, &m[0], &m[1]);
        for (int k = 0; k < 2; k++) {
                gate_envelope_free(&m[k].e);
                layout_free(m[k].layout);
        }
}
