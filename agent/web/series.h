/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * History for the charts: at most SERIES_ROWS_MAX rows on a fixed grid, computed from the samples once and kept. A
 * row is the mean of each point over its bucket, then summed or averaged over the points of a role; the hottest inlet
 * is the maximum of the bucket. Where a bucket is much longer than a scan, only its last minute or so is read for the
 * means, and the maximum comes from the decisions, which hold the hottest measured inlet of every control step: a peak
 * is never averaged away. What no good sample says is null.
 */
#ifndef COOLPLANE_WEB_SERIES_H
#define COOLPLANE_WEB_SERIES_H

#include "agent/points/site.h"
#include "agent/store/store.h"
#include "agent/base/text.h"

enum { SERIES_ROWS_MAX = 500, SERIES_HOURS_MAX = 168 };

enum series_column {
        SERIES_INLET_MAX,
        SERIES_INLET_MEDIAN,
        SERIES_SAT_MIN, /* supply air setpoints */
        SERIES_SAT_MEAN,
        SERIES_SAT_MAX,
        SERIES_FAN_MEAN,
        SERIES_CHWST_SP,
        SERIES_CHWST,
        SERIES_CWST_SP,
        SERIES_CWST,
        SERIES_IT_W,
        SERIES_CRAH_W,
        SERIES_CHILLER_W,
        SERIES_TOWER_W,
        SERIES_PUMP_W,
        SERIES_COLUMNS_
};
/* "inlet_max_c", … */
const char *series_column_str(enum series_column c);

struct series;
int series_create(const struct site *site, struct series **ret);
struct series *series_free(struct series *s);
void series_forget(struct series *s); /* another database */

/* Grid for a span: seconds between rows. */
int64_t series_bucket_s(int64_t hours);

/* The rows of the last `hours` up to `newest_t_ms` as a JSON object. Spends about budget_ms of real time on rows it
 * has not seen; "complete" false = ask again for the older ones. */
int series_json(struct series *s, struct store *store, int64_t hours, int64_t oldest_t_ms, int64_t newest_t_ms,
                int64_t budget_ms, struct text *out);

/* One row over [from, to) straight from the samples; NaN = unknown. For tests and the live values. */
int series_row(struct series *s, struct store *store, int64_t from_ms, int64_t to_ms, double *ret);

#endif
