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

#define AHEAD 64 /* so far lines that both texts have are looked for */

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

struct line {
        const char *v;
        size_t len;
};

/* Up to n lines from *at on, without their ends; how many. */
static size_t lines(const struct site_text *t, size_t at, struct line *ret, size_t n)
{
        size_t k = 0;

        for (; t && k < n && at < t->len; k++) {
                const char *end = memchr(t->text + at, '\n', t->len - at);

                ret[k] = (struct line){t->text + at, end ? (size_t)(end - t->text) - at : t->len - at};
                at += ret[k].len + 1;
        }
        return k;
}

/* Without blanks around it; NULL: "". */
static void put_line(char *ret, size_t cap, const struct line *l)
{
        size_t from = 0;

        while (l && from < l->len && (l->v[from] == ' ' || l->v[from] == '\t'))
                from++;
        (void)snprintf(ret, cap, "%.*s", l ? (int)(l->len - from) : 0, l ? l->v + from : "");
        (void)text_printable(ret);
}

static bool same_text(const struct site_text *a, const struct site_text *b)
{
        return a && b && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static void tell_line(struct diff_config *c, const char *name, size_t nth, size_t number, const struct line *a,
                      const struct line *b)
{
        struct diff_file *f = &c->file[c->nfile];

        if (c->nfile == DIFF_FILES || nth >= DIFF_LINES) {
                c->file[c->nfile - 1].more++;
                return;
        }
        *f = (struct diff_file){.line = number};
        (void)snprintf(f->name, sizeof f->name, "%s", name);
        put_line(f->text[0], sizeof f->text[0], a);
        put_line(f->text[1], sizeof f->text[1], b);
        c->nfile++;
}

static bool same_line(const struct line *a, const struct line *b)
{
        return a->len == b->len && memcmp(a->v, b->v, a->len) == 0;
}

/* How many lines of each stand before the next that both have: the fewest. None within sight: one of each. */
static void find_same(const struct line *a, size_t na, const struct line *b, size_t nb, size_t *ret_a, size_t *ret_b)
{
        *ret_a = na > 0;
        *ret_b = nb > 0;
        for (size_t sum = 1; sum < na + nb; sum++)
                for (size_t i = 0; i <= sum && i < na; i++)
                        if (sum - i < nb && a[i].len > 0 && same_line(&a[i], &b[sum - i])) {
                                *ret_a = i;
                                *ret_b = sum - i;
                                return;
                        }
}

/* Whole lines that both end with are no difference, however many stand before them. */
static void cut_common_end(struct site_text *a, struct site_text *b)
{
        size_t end = 0;

        while (end < a->len && end < b->len && a->text[a->len - 1 - end] == b->text[b->len - 1 - end])
                end++;
        while (end > 0 && ((a->len > end && a->text[a->len - 1 - end] != '\n') ||
                           (b->len > end && b->text[b->len - 1 - end] != '\n')))
                end--;
        if (end == 0)
                return;
        a->len -= end;
        b->len -= end;
        a->len -= a->len > 1; /* the line end before it */
        b->len -= b->len > 1;
}

static void compare_file(struct diff_config *c, const struct site_text *a, const struct site_text *b)
{
        struct site_text begin[2];
        const char *name = name_of(a ? a : b);
        struct line la[AHEAD], lb[AHEAD];
        size_t at[2] = {0}, number[2] = {1, 1}, n[2], told = 0;

        if (same_text(a, b))
                return;
        if (!a || !b) { /* of a file that only one has the first line */
                n[0] = lines(a ? a : b, 0, la, 1);
                tell_line(c, name, told, 1, a && n[0] ? la : NULL, b && n[0] ? la : NULL);
                return;
        }
        begin[0] = *a;
        begin[1] = *b;
        cut_common_end(&begin[0], &begin[1]);
        a = &begin[0];
        b = &begin[1];
        for (;;) {
                size_t skip[2] = {1, 1};

                n[0] = lines(a, at[0], la, 1);
                n[1] = lines(b, at[1], lb, 1);
                if (n[0] + n[1] == 0)
                        break;
                if (!(n[0] && n[1] && same_line(la, lb))) {
                        n[0] = lines(a, at[0], la, AHEAD);
                        n[1] = lines(b, at[1], lb, AHEAD);
                        find_same(la, n[0], lb, n[1], &skip[0], &skip[1]);
                        for (size_t k = 0; k < skip[0] || k < skip[1]; k++)
                                tell_line(c, name, told++, k < skip[0] ? number[0] + k : number[1] + k,
                                          k < skip[0] ? &la[k] : NULL, k < skip[1] ? &lb[k] : NULL);
                }
                for (size_t k = 0; k < skip[0]; k++)
                        at[0] += la[k].len + 1;
                for (size_t k = 0; k < skip[1]; k++)
                        at[1] += lb[k].len + 1;
                number[0] += skip[0];
                number[1] += skip[1];
        }
        if (told == 0) /* the end of the last line */
                tell_line(c, name, told, number[0], NULL, NULL);
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
