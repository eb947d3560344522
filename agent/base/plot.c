/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/plot.h"

#include <math.h>
#include <string.h>

#include "agent/base/clock.h"

#define LEFT 52.0
#define RIGHT 20.0
#define TOP 18.0
#define BOTTOM 18.0
#define HOUR_MS 3600e3
#define DAY_MS INT64_C(86400000)

struct frame {
        const struct plot *p;
        const struct plot_scale *s;
        double width, hours;
};

static double column(const struct plot_rows *rows, size_t k, size_t offset)
{
        double v;

        memcpy(&v, (const char *)rows->row + k * rows->stride + offset, sizeof v);
        return v;
}

static double value(const struct plot_rows *rows, size_t k, const struct plot_series *of)
{
        return column(rows, k, of->offset) * of->factor;
}

/* --- scales ------------------------------------------------------------------------------------------------------ */

double plot_step(double span)
{
        const double raw = span / 5.0, ten = pow(10.0, floor(log10(raw))), m = raw / ten;

        return ten * (m <= 1.0 ? 1.0 : m <= 2.0 ? 2.0 : m <= 5.0 ? 5.0 : 10.0);
}

double plot_tick_hours(double hours)
{
        static const struct {
                double up_to, every;
        } of[] = {{0.2, 1.0 / 60}, {1, 1.0 / 6}, {3, 0.5}, {6, 1}, {12, 2}, {48, 4}, {96, 12}};

        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
                if (hours <= of[k].up_to)
                        return of[k].every;
        return 24.0 * ceil(hours / 24.0 / 14.0);
}

static void widen(const struct plot *p, const struct plot_rows *rows, double *lo, double *hi)
{
        for (size_t k = 0; k < rows->n; k++) {
                double sum = 0.0;

                for (size_t j = 0; j < p->nseries; j++) {
                        const double v = value(rows, k, &p->series[j]);

                        if (!isfinite(v))
                                continue;
                        sum = p->kind == PLOT_STACK ? sum + v : v;
                        *lo = fmin(*lo, sum);
                        *hi = fmax(*hi, sum);
                }
        }
}

struct plot_scale plot_scale(const struct plot *p, const struct plot_rows *of, size_t n)
{
        double lo = isfinite(p->lo) ? p->lo : (double)INFINITY, hi = isfinite(p->hi) ? p->hi : -(double)INFINITY, step;

        for (size_t i = 0; i < n; i++)
                widen(p, &of[i], &lo, &hi);
        if (!isfinite(lo))
                lo = isfinite(hi) ? hi - 1.0 : 0.0;
        if (!(hi > lo) || !isfinite(hi))
                hi = lo + 1.0;
        step = plot_step(hi - lo);
        return (struct plot_scale){floor(lo / step + 1e-9) * step, ceil(hi / step - 1e-9) * step, step};
}

static double px(const struct frame *f, double t_h)
{
        return LEFT + (f->width - LEFT - RIGHT) * t_h / f->hours;
}

static double py(const struct frame *f, double v)
{
        return TOP + (f->p->height - TOP - BOTTOM) * (f->s->hi - v) / (f->s->hi - f->s->lo);
}

/* --- axes -------------------------------------------------------------------------------------------------------- */

static void draw_values(const struct frame *f, struct text *t)
{
        for (long k = 0; k <= lround((f->s->hi - f->s->lo) / f->s->step); k++) {
                const double v = f->s->lo + (double)k * f->s->step;

                text_printf(t,
                            "<line x1='%g' x2='%g' y1='%.1f' y2='%.1f' stroke='#ddd'/><text x='%g' y='%.1f' "
                            "text-anchor='end'>%g</text>",
                            LEFT, f->width - RIGHT, py(f, v), py(f, v), LEFT - 4, py(f, v) + 3.5,
                            fabs(v) < 1e-9 ? 0.0 : v);
        }
}

/* Ticks at round times: days at midnight, hours on the hour. */
static void draw_times(const struct frame *f, int64_t start_ms, struct text *t)
{
        const bool of_a_day = start_ms == INT64_MIN;
        const int64_t from_ms = of_a_day ? 0 : start_ms;
        const double every_h = plot_tick_hours(f->hours), unit_ms = fmin(every_h, 24.0) * HOUR_MS;
        const double first_h = (ceil((double)from_ms / unit_ms - 1e-9) * unit_ms - (double)from_ms) / HOUR_MS;
        const double bottom = py(f, f->s->lo);

        for (long k = 0; first_h + (double)k * every_h <= f->hours + 1e-9; k++) {
                const double h = first_h + (double)k * every_h;
                const int64_t at_ms = from_ms + llround(h * HOUR_MS);
                const bool date = !of_a_day && (f->hours > 96 || (f->p->dates && at_ms % DAY_MS == 0));
                char at[32];

                (void)clk_format(at_ms, at);
                text_printf(t,
                            "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' stroke='#999'/><text x='%.1f' y='%.1f' "
                            "text-anchor='middle'>%.*s</text>",
                            px(f, h), px(f, h), bottom, bottom + 3, px(f, h), bottom + 14, 5, date ? at + 5 : at + 11);
        }
        text_printf(t, "<text x='%g' y='%.1f' text-anchor='end' fill='#777'>UTC</text>", LEFT - 18, bottom + 14);
}

/* Characters, not bytes, of UTF-8. */
static double letters(const char *s)
{
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return (double)n;
}

static void draw_legend(const struct frame *f, struct text *t)
{
        double x = LEFT;

        text_printf(t, "<text x='%g' y='11' font-weight='bold'>", x);
        text_html(t, f->p->title);
        text_put(t, "</text>");
        x += 8.0 + 7.0 * letters(f->p->title);
        if (f->p->unit[0]) {
                text_printf(t, "<text x='%g' y='11'>", x);
                text_html(t, f->p->unit);
                text_put(t, "</text>");
        }
        x += 40.0;
        for (size_t j = 0; j < f->p->nseries; j++) {
                const struct plot_series *s = &f->p->series[j];

                if (s->dashed)
                        text_printf(t,
                                    "<line x1='%g' x2='%g' y1='7.5' y2='7.5' stroke='%s' stroke-width='2' "
                                    "stroke-dasharray='4 2'/>",
                                    x - 2, x + 10, s->colour);
                else
                        text_printf(t, "<rect x='%g' y='3' width='9' height='9' fill='%s'/>", x, s->colour);
                text_printf(t, "<text x='%g' y='11'>", x + 12);
                text_html(t, s->label);
                text_put(t, "</text>");
                x += 30.0 + 6.2 * letters(s->label);
        }
}

static void draw_limits(const struct frame *f, struct text *t)
{
        for (size_t i = 0; i < 2; i++) {
                const double v = f->p->limit[i];

                if (!(v >= f->s->lo && v <= f->s->hi))
                        continue;
                text_printf(t,
                            "<line x1='%g' x2='%g' y1='%.1f' y2='%.1f' stroke='#b00' stroke-dasharray='6 "
                            "4'/><text x='%g' y='%.1f' text-anchor='end' fill='#b00'%s>",
                            LEFT, f->width - RIGHT, py(f, v), py(f, v), f->width - RIGHT, py(f, v) - 3,
                            f->p->limit_name[i] ? " paint-order='stroke' stroke='#fff' stroke-width='3'" : "");
                if (f->p->limit_name[i]) {
                        text_html(t, f->p->limit_name[i]);
                        text_put(t, " ");
                }
                text_printf(t, "%g</text>", v);
        }
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static bool drawn(const struct plot_rows *rows, size_t k, const struct plot_series *s)
{
        return k < rows->n && isfinite(value(rows, k, s));
}

/* One line for each stretch without a hole; a value that stands alone is a dot. */
static void draw_line(const struct frame *f, const struct plot_rows *rows, const struct plot_series *s, struct text *t)
{
        for (size_t k = 0; k < rows->n;) {
                const size_t from = k;

                while (drawn(rows, k, s))
                        k++;
                if (k == from + 1)
                        text_printf(t, "<circle cx='%.1f' cy='%.1f' r='2' fill='%s'/>",
                                    px(f, column(rows, from, f->p->x_offset)), py(f, value(rows, from, s)), s->colour);
                if (k > from + 1) {
                        text_printf(t, "<polyline fill='none' stroke='%s' stroke-width='1.4' %spoints='", s->colour,
                                    s->dashed ? "stroke-dasharray='4 2' " : "");
                        for (size_t i = from; i < k; i++)
                                text_printf(t, "%.1f,%.1f ", px(f, column(rows, i, f->p->x_offset)),
                                            py(f, value(rows, i, s)));
                        text_put(t, "'/>");
                }
                k += k == from;
        }
}

static double below(const struct plot_rows *rows, size_t k, const struct plot *p, size_t j)
{
        double sum = 0.0;

        for (size_t i = 0; i < j; i++) {
                const double v = value(rows, k, &p->series[i]);

                sum += isfinite(v) ? v : 0.0;
        }
        return sum;
}

static void draw_stack(const struct frame *f, const struct plot_rows *rows, struct text *t)
{
        for (size_t j = 0; j < f->p->nseries && rows->n > 0; j++) {
                text_printf(t, "<polygon fill='%s' points='", f->p->series[j].colour);
                for (size_t k = 0; k < rows->n; k++)
                        text_printf(t, "%.1f,%.1f ", px(f, column(rows, k, f->p->x_offset)),
                                    py(f, below(rows, k, f->p, j + 1)));
                for (size_t k = rows->n; k-- > 0;)
                        text_printf(t, "%.1f,%.1f ", px(f, column(rows, k, f->p->x_offset)),
                                    py(f, below(rows, k, f->p, j)));
                text_put(t, "'/>");
        }
}

static void draw_bars(const struct frame *f, const struct plot_rows *rows, struct text *t)
{
        const struct plot_series *s = f->p->series;

        for (size_t k = 0; k < rows->n; k++) {
                const double x = column(rows, k, f->p->x_offset), v = value(rows, k, s);

                if (isfinite(v))
                        text_printf(t, "<rect x='%.1f' width='%.1f' y='%.1f' height='%.1f' fill='%s'/>", px(f, x) + 1,
                                    px(f, x + 1) - px(f, x) - 2, py(f, fmax(v, 0)), fabs(py(f, 0) - py(f, v)),
                                    s->colour);
        }
}

void plot_draw(const struct plot *p, const struct plot_scale *s, const struct plot_rows *rows, int64_t start_ms,
               double hours, struct text *t)
{
        const struct frame f = {.p = p, .s = s, .width = p->width > 0 ? p->width : PLOT_WIDTH, .hours = hours};

        text_printf(t,
                    "<svg viewBox='0 0 %g %g' role='img' font-family='sans-serif' "
                    "font-size='10.5' fill='#222'><title>",
                    f.width, p->height);
        text_html(t, p->title);
        text_put(t, "</title>");
        draw_values(&f, t);
        draw_times(&f, start_ms, t);
        draw_legend(&f, t);
        if (p->kind == PLOT_STACK)
                draw_stack(&f, rows, t);
        else if (p->kind == PLOT_BARS)
                draw_bars(&f, rows, t);
        for (size_t j = 0; p->kind == PLOT_LINES && j < p->nseries; j++)
                draw_line(&f, rows, &p->series[j], t);
        draw_limits(&f, t);
        text_put(t, "</svg>\n");
}
