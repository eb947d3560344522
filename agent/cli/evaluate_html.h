/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The page of coolplane evaluate: what a facility needs to see before it decides whether coolplane may act. One file,
 * nothing loaded, readable without scripts and on paper. Names from outside are escaped; no number that is none. */
#ifndef COOLPLANE_CLI_EVALUATE_HTML_H
#define COOLPLANE_CLI_EVALUATE_HTML_H

#include "agent/base/text.h"
#include "agent/cli/savings_report.h"
#include "agent/gate/evaluate.h"

/* By what a page is known. */
#define EVALUATE_PAGE_BEGINS "<!doctype html>"
#define EVALUATE_PAGE_HOLDS ": coolplane evaluate</title>"

struct evaluate_page {
        const struct evaluation *e;         /* evaluate_refusal() NULL */
        const struct savrep_story *savings; /* --baseline shadow; NULL: not known */
        const char *db, *log;               /* log NULL: the same */
        bool log_known;                     /* it is the log that was replayed */
        const char *command;                /* that made the page */
};

void evaluate_html(const struct evaluate_page *p, struct text *t);

/* --- shared by the files of the page: cells and numbers ---------------------------------------------------------- */
/* "–" where there is no number. */
void page_number(struct text *t, double v, int decimals);
void page_percent(struct text *t, double share, int decimals);
void page_cell(struct text *t, double v, int decimals);
void page_cell_percent(struct text *t, double share);
void page_cell_text(struct text *t, const char *s);
void page_time(struct text *t, int64_t t_ms);   /* 2026-07-15 13:32, UTC */
void page_duration(struct text *t, double s);   /* 90 s, 12 min, 3.5 h, 4.0 days */
void page_shell(struct text *t, const char *s); /* a word of a command, quoted where a shell needs it */

/* Sections of the record. */
void page_limits(const struct evaluate_page *p, struct text *t);
void page_hours(const struct evaluate_page *p, struct text *t);
void page_power(const struct evaluate_page *p, struct text *t);
void page_variable(const struct evaluate_page *p, size_t u, struct text *t); /* one plot */
void page_hours_of_day(const struct evaluate_page *p, struct text *t);       /* one plot */
void page_proposals(const struct evaluate_page *p, struct text *t);
void page_disagreements(const struct evaluate_page *p, struct text *t);
void page_forecast(const struct evaluate_page *p, struct text *t);
void page_quality(const struct evaluate_page *p, struct text *t);

#endif
