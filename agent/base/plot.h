/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Plots of pages that need nothing else: a plot is one inline SVG over time, drawn from rows of the caller's own
 * structs. Lines break where a value is not finite, and no number that is not finite gets into the page. Titles,
 * units and labels are escaped. Colours are told apart by the colour-blind (palette of Okabe and Ito). Pure: no I/O, no
 * clock.
 */
#ifndef COOLPLANE_BASE_PLOT_H
#define COOLPLANE_BASE_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/text.h"

#define PLOT_BLUE "#0072b2"
#define PLOT_SKY "#56b4e9"
#define PLOT_GREEN "#009e73"
#define PLOT_ORANGE "#e69f00"
#define PLOT_RED "#d55e00"
#define PLOT_PINK "#cc79a7"
#define PLOT_GREY "#888888"

enum plot_kind {
        PLOT_LINES,
        PLOT_STACK, /* areas, one on the other */
        PLOT_BARS,  /* of the first series, each one unit of x wide, beginning at its x */
};

/* Column of a row: a double at this offset, times factor. */
struct plot_series {
        const char *label, *colour;
        size_t offset;
        double factor;
        bool dashed;
};
#define PLOT_SERIES(label, colour, row, member, factor)                                                                \
        {                                                                                                              \
                label, colour, offsetof(row, member), factor, false                                                    \
        }

struct plot {
        const char *title, *unit;
        double height; /* of the viewBox, as all lengths */
        enum plot_kind kind;
        bool dates;      /* midnights are told by their date (beyond four days all are) */
        double lo, hi;   /* at least this range; NaN = from the data */
        double limit[2]; /* horizontal lines, their value written at them; NaN = none */
        const struct plot_series *series;
        size_t nseries;
        const char *limit_name[2]; /* NULL: the value alone */
        double width;              /* 0: PLOT_WIDTH */
        size_t x_offset;           /* of the double in a row that says its hours since the start; rising */
};
#define PLOT_WIDTH 860.0

/* row[n], stride bytes each; borrowed while it is drawn. */
struct plot_rows {
        const void *row;
        size_t n, stride;
};

/* From where to where the axis of values goes, and its step. */
struct plot_scale {
        double lo, hi, step;
};
/* One scale for several plots of the same kind. Without a finite value: that of lo and hi, else 0 to 1. */
struct plot_scale plot_scale(const struct plot *p, const struct plot_rows *of, size_t n);

/* 1, 2 or 5 times a power of ten, for about five steps of the span (> 0). */
double plot_step(double span);
/* Hours between the ticks of a time axis of so many hours. */
double plot_tick_hours(double hours);

/* hours > 0: length of the time axis, which begins at start_ms (UTC; ticks at round times of UTC). start_ms INT64_MIN:
 * hours of a day, not of a date. */
void plot_draw(const struct plot *p, const struct plot_scale *s, const struct plot_rows *rows, int64_t start_ms,
               double hours, struct text *t);

#endif
