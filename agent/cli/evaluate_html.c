/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The page of coolplane evaluate: its frame, what is needed to go live, energy, and what cannot be told. */
#include "agent/cli/evaluate_html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/cli/evaluate_golive.h"
#include "agent/cli/evaluate_rank.h"
#include "agent/cli/stray.h"

#define KWH_J 3.6e6

static const char style[] =
    "body{font:15px/1.45 system-ui,'Segoe UI',Roboto,'Liberation Sans',Arial,sans-serif;color:#1b1f24;background:#fff;"
    "margin:0 auto;max-width:1060px;padding:28px 28px 48px}"
    "h1{font-size:27px;line-height:1.2;margin:0}h2{font-size:19px;margin:40px 0 8px;padding-bottom:5px;"
    "border-bottom:2px solid #1b1f24}h3{font-size:15px;margin:20px 0 6px}p{margin:8px 0;max-width:88ch}"
    ".what{margin:0 0 4px;font-size:12px;letter-spacing:.08em;text-transform:uppercase;color:#57606a}"
    ".head{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:14px 0 0;font-size:13px}"
    ".head dt{color:#57606a}.head dd{margin:0;overflow-wrap:anywhere}"
    ".verdict{margin:20px 0 14px;padding:12px 16px;border-left:7px solid #d55e00;background:#f6f8fa;font-size:19px;"
    "font-weight:600;max-width:none}.verdict.all{border-color:#009e73}.verdict span{display:block;font-size:14px;"
    "font-weight:400;margin-top:3px}"
    ".tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:14px 0 0}.tile{border:1px solid #d0d7de;"
    "border-radius:5px;padding:9px 13px}.tile b{display:block;font-size:23px;line-height:1.25}"
    ".tile span{font-size:12.5px;color:#57606a}"
    "table{border-collapse:collapse;width:100%;font-size:13px;margin:8px 0}th{font-weight:600;color:#57606a;"
    "vertical-align:bottom;text-align:left;border-bottom:1.5px solid #8c959f;padding:3px 10px 3px 0}"
    "td{border-bottom:1px solid #e2e6ea;padding:4px 10px 4px 0;vertical-align:top;overflow-wrap:anywhere}"
    "th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}td.n,td.w{white-space:nowrap}"
    "td.n+td:not(.n),th.n+th:not(.n){padding-left:12px}td small{display:block;color:#57606a;font-size:12px}"
    ".state{font-weight:600;white-space:nowrap}.s0{color:#00704f}.s1{color:#b34700}.s2,.s3{color:#57606a}"
    "code{font:12px ui-monospace,'Liberation Mono',Menlo,monospace;overflow-wrap:anywhere}"
    "figure{margin:12px 0;break-inside:avoid}figcaption{font-size:13px;margin-bottom:2px;overflow-wrap:anywhere}"
    ".two{display:grid;grid-template-columns:1fr 1fr;gap:4px 22px}.two figure{min-width:0}"
    "svg{display:block;width:100%;height:auto}.note{color:#57606a;font-size:13px}ul{margin:8px 0;padding-left:20px;"
    "max-width:88ch}li{margin:4px 0}.claim{font-size:16px;font-weight:600}"
    "@page{size:A4;margin:14mm}"
    "@media print{body{max-width:none;padding:0;font-size:11px}h1{font-size:21px}h2{font-size:15px;margin:22px 0 6px;"
    "break-after:avoid}h3{break-after:avoid}table{font-size:9.5px}th,td{padding:2px 7px 2px 0}code{font-size:8.5px}"
    "tr,.tile,.verdict{break-inside:avoid}thead{display:table-header-group}.verdict{font-size:15px;"
    "print-color-adjust:exact}.tile b{font-size:17px}h3,.claim{font-size:12.5px}.verdict span{font-size:11px}.tile "
    "span,.what{font-size:10px}.note,figcaption,.head{font-size:10px}td small{font-size:8.5px}}";

/* --- numbers ----------------------------------------------------------------------------------------------------- */

void page_number(struct text *t, double v, int decimals)
{
        char buf[64];

        if (!isfinite(v)) {
                text_put(t, "–");
                return;
        }
        (void)snprintf(buf, sizeof buf, "%.*f", decimals, fabs(v));
        if (v < 0 && strspn(buf, "0.") != strlen(buf)) /* no −0.00 */
                text_put(t, "−");
        text_put(t, buf);
}

void page_percent(struct text *t, double share, int decimals)
{
        page_number(t, 100 * share, decimals);
        if (isfinite(share))
                text_put(t, " %");
}

void page_cell(struct text *t, double v, int decimals)
{
        text_put(t, "<td class=n>");
        page_number(t, v, decimals);
        text_put(t, "</td>");
}

void page_cell_percent(struct text *t, double share)
{
        text_put(t, "<td class=n>");
        page_percent(t, share, 1);
        text_put(t, "</td>");
}

void page_cell_text(struct text *t, const char *s)
{
        text_put(t, "<td>");
        text_html(t, s);
        text_put(t, "</td>");
}

void page_time(struct text *t, int64_t t_ms)
{
        char utc[32];

        (void)clk_format(t_ms, utc);
        text_printf(t, "%.10s %.5s", utc, utc + 11);
}

void page_duration(struct text *t, double s)
{
        if (s < 120)
                text_printf(t, "%.0f s", s);
        else if (s < 2 * 3600)
                text_printf(t, "%.0f min", s / 60);
        else if (s < 48 * 3600)
                text_printf(t, "%.1f h", s / 3600);
        else
                text_printf(t, "%.1f days", s / 86400);
}

void page_shell(struct text *t, const char *s)
{
        struct text word = {0};

        text_shell(&word, s);
        text_html(t, word.v ? word.v : "");
        t->failed |= word.failed;
        text_free(&word);
}

/* --- head -------------------------------------------------------------------------------------------------------- */

static void entry(struct text *t, const char *name, const char *value)
{
        text_printf(t, "<dt>%s</dt><dd>", name);
        text_html(t, value);
        text_put(t, "</dd>");
}

static void decisions(const struct evaluation *e, struct text *t)
{
        char words[STRAY_WORDS];

        text_printf(t, "<dt>Decisions</dt><dd>%zu; %zu in shadow, %zu with readings and model set", e->decisions,
                    e->shadow, e->evidence);
        if (e->scored > e->shadow)
                text_printf(t, "; %zu were in force", e->scored - e->shadow);
        if (e->unended)
                text_put(t, "; the replay did not end: what it would have gone on with is not here");
        for (size_t k = 0; k < e->nskip; k++)
                text_printf(t, "; %zu not scored, or only in part: %s", e->skip[k].n, e->skip[k].why);
        if (e->stride > 1)
                text_printf(t, "; the model sets are large: forecasts begin at every %zuth decision", e->stride);
        for (int k = 0; k < STORE_ROWS; k++)
                if (e->stray[k].rows > 0) {
                        text_put(t, "; ");
                        text_html(t, stray_words(&e->stray[k], (enum store_rows)k, words));
                }
        text_put(t, "</dd>");
}

static void head(const struct evaluate_page *p, struct text *t)
{
        const struct evaluation *e = p->e;
        char hash[2 * HASH_LEN + 1];

        text_put(t, evrank_in_force(e) ? "<header><p class=what>coolplane evaluate: how did it do in force?</p><h1>"
                                       : "<header><p class=what>coolplane evaluate: may it act?</p><h1>");
        text_html(t, e->site->name);
        text_put(t, "</h1><dl class=head><dt>Record</dt><dd>");
        page_time(t, e->first_ms);
        text_put(t, " to ");
        page_time(t, e->last_ms);
        text_put(t, " UTC (");
        page_duration(t, (double)(e->last_ms - e->first_ms) / 1000 + e->layout->step_s);
        text_put(t, ")</dd>");
        decisions(e, t);
        entry(t, "Database", p->db);
        if (p->log)
                entry(t, p->log_known ? "Samples of" : "Samples of (not known to be the log that was replayed)",
                      p->log);
        entry(t, "Configuration", hash_hex(e->site->hash, HASH_LEN, hash));
        entry(t, "Version", "coolplane " COOLPLANE_VERSION);
        text_put(t, "</dl></header>\n");
}

/* --- to go live -------------------------------------------------------------------------------------------------- */

static void named(const struct golive *g, enum golive_state state, const char *title, struct text *t)
{
        size_t shown = 0;

        for (size_t k = 0; k < GOLIVE_ITEMS; k++)
                if (g->item[k].state == state) {
                        text_put(t, shown++ > 0 ? " · " : title);
                        text_html(t, g->item[k].what);
                }
}

static void verdict(const struct golive *g, struct text *t)
{
        const size_t asked = GOLIVE_ITEMS - g->n[GOLIVE_NONE];

        text_printf(t, "<p class='verdict%s'>%s%zu of %zu conditions to go live%s are met",
                    g->n[GOLIVE_MET] == asked ? " all" : "", asked < GOLIVE_ITEMS ? "coolplane was in force. " : "",
                    g->n[GOLIVE_MET], asked, asked < GOLIVE_ITEMS ? " that apply to it" : "");
        if (g->n[GOLIVE_NOT_MET] > 0)
                text_printf(t, ", %zu %s not", g->n[GOLIVE_NOT_MET], g->n[GOLIVE_NOT_MET] == 1 ? "is" : "are");
        if (g->n[GOLIVE_NOT_KNOWN] > 0)
                text_printf(t, ", %zu cannot be told", g->n[GOLIVE_NOT_KNOWN]);
        text_put(t, ".<span>");
        named(g, GOLIVE_NOT_MET, "Not met: ", t);
        text_put(t, "</span><span>");
        named(g, GOLIVE_NOT_KNOWN, "Not known: ", t);
        text_put(t, "</span></p>\n");
}

static void tile(struct text *t, double v, int decimals, const char *unit, const char *what)
{
        text_put(t, "<div class=tile><b>");
        page_number(t, v, decimals);
        if (isfinite(v))
                text_put(t, unit);
        text_printf(t, "</b><span>%s</span></div>", what);
}

static double hottest(const struct evaluation *e, enum evaluate_heat h)
{
        return e->all.heat[h].n > 0 ? e->all.heat[h].max_c : (double)NAN;
}

static void tiles(const struct evaluation *e, struct text *t)
{
        text_put(t, "<div class=tiles>");
        tile(t, floor(1000 * score_share(evrank_certified(e), e->scored)) / 10, 1, " %",
             "of the decisions carry a certificate");
        tile(t, hottest(e, HEAT_MEASURED), 1, " °C", "hottest inlet measured");
        tile(t, hottest(e, HEAT_ACTION), 1, " °C", "hottest foreseen under our actions");
        tile(t, series_mean(&e->all.metered) / 1000, 1, " kW", "mean cooling power, measured");
        text_put(t, "</div>\n");
}

static void checklist(const struct golive *g, struct text *t)
{
        static const char *const sign[GOLIVE_STATES] = {"✓", "✗", "?", "–"};
        static const enum golive_state order[GOLIVE_STATES] = {GOLIVE_NOT_MET, GOLIVE_NOT_KNOWN, GOLIVE_MET,
                                                               GOLIVE_NONE};

        text_put(t, "<section id=golive><h2>What would be needed to go live</h2>"
                    "<table><thead><tr><th></th><th>Condition</th><th>In this record</th><th>Needed</th></tr></thead>"
                    "<tbody>\n");
        for (size_t s = 0; s < GOLIVE_STATES; s++)
                for (size_t k = 0; k < GOLIVE_ITEMS; k++) {
                        const struct golive_item *i = &g->item[k];

                        if (i->state != order[s])
                                continue;
                        text_printf(t, "<tr><td class='state s%d'>%s %s</td><td>", (int)i->state, sign[i->state],
                                    golive_str(i->state));
                        text_html(t, i->what);
                        text_put(t, "<small>");
                        text_html(t, i->why);
                        text_put(t, "</small></td>");
                        page_cell_text(t, i->figure);
                        page_cell_text(t, i->limit);
                        text_put(t, "</tr>\n");
                }
        text_put(t, "</tbody></table><p class=note>Facts to decide on, not a decision: coolplane acts only when it is "
                    "started with <code>--mode live</code>, and nothing asks this list.</p></section>\n");
}

/* --- energy ------------------------------------------------------------------------------------------------------ */

static void savings_row(const struct savrep_story *s, enum savings_part k, struct text *t)
{
        const struct savings_figure *f = &s->r.part[k];

        text_put(t, "<tr>");
        page_cell_text(t, savrep_part_str(s, k));
        if (!f->known) {
                text_put(t, "<td class=n colspan=5>not metered apart: part of IT</td></tr>\n");
                return;
        }
        page_cell(t, f->baseline_j / KWH_J, 0);
        page_cell(t, f->measured_j / KWH_J, 0);
        if (f->given) {
                text_put(t, "<td class=n colspan=3>as measured: no saving is claimed</td></tr>\n");
                return;
        }
        page_cell(t, f->saving_j / KWH_J, 0);
        page_cell_percent(t, f->saving_j / f->baseline_j);
        text_put(t, "<td class=n>");
        page_percent(t, f->low_j / f->baseline_j, 1);
        text_put(t, " to ");
        page_percent(t, f->high_j / f->baseline_j, 1);
        text_put(t, "</td></tr>\n");
}

static void savings_table(const struct savrep_story *s, struct text *t)
{
        static const enum savings_part order[] = {SAVINGS_TOTAL, SAVINGS_COOLING, SAVINGS_IT_FANS, SAVINGS_IT};

        text_put(t, "<table><thead><tr><th>Energy</th><th class=n>adjusted baseline kWh</th><th class=n>measured "
                    "kWh</th><th class=n>saving kWh</th><th class=n>saving</th><th class=n>95 % interval</th></tr>"
                    "</thead><tbody>\n");
        for (size_t k = 0; k < SAVINGS_PARTS; k++)
                savings_row(s, order[k], t);
        text_put(t, "</tbody></table>\n");
}

static void savings_claim(const struct savrep_story *s, struct text *t)
{
        const struct savings_figure *f = &s->r.part[SAVINGS_TOTAL];
        const int rose = savrep_exposure_rose(s);

        text_put(t, "<p class=claim>Total energy saved: ");
        page_percent(t, f->saving_j / f->baseline_j, 1);
        text_put(t, " of the adjusted baseline, 95 % interval ");
        page_percent(t, f->low_j / f->baseline_j, 1);
        text_put(t, " to ");
        page_percent(t, f->high_j / f->baseline_j, 1);
        text_printf(t, ", over %zu days", s->r.m);
        text_put(t, rose > 0    ? "; inlets were above the recommended limit for longer.</p>\n"
                    : rose == 0 ? ".</p>\n"
                                : "; whether inlets were warmer is not known.</p>\n");
}

static void savings_refusal(const struct evaluate_page *p, struct text *t)
{
        const struct savrep_story *s = p->savings;
        const bool never = strcmp(s->refusal, "never-in-force") == 0;

        text_put(t, never
                        ? "<p class=claim>Nothing was changed, so nothing was saved yet.</p><p>coolplane only watched: "
                        : "<p class=claim>No saving can be told.</p><p>The reason: ");
        text_html(t, s->why);
        text_put(t, ".</p>\n");
        if (strcmp(s->refusal, "no-samples") == 0 && !p->log)
                text_put(t, "<p>A replay stores no samples: <code>--log</code> names the database whose readings they "
                            "are.</p>\n");
        if (never)
                text_put(t, "<p>Once coolplane has been in force for seven whole days, <code>coolplane savings "
                            "--baseline shadow</code> compares them with the days on which it watched, of which ten "
                            "whole ones are needed, at equal load and weather. What this log can tell before is "
                            "<code>coolplane replay --what-if</code>: what it would have saved, by a model of this "
                            "plant.</p>\n");
}

static void savings_days(const struct savrep_story *s, struct text *t)
{
        const struct savrep_period *a = &s->period[0], *b = &s->period[1];

        text_printf(t, "<p class=note>Baseline: the days on which coolplane only watched, %zu, of which %zu whole",
                    a->n, a->whole);
        if (isfinite(a->ppue)) {
                text_put(t, ", partial PUE ");
                page_number(t, a->ppue, 3);
        }
        text_printf(t, "; reporting: the days on which it was in force, %zu, of which %zu whole", b->n, b->whole);
        if (isfinite(b->ppue)) {
                text_put(t, ", partial PUE ");
                page_number(t, b->ppue, 3);
        }
        text_put(t, ". Partial PUE is not adjusted for load or weather and is no claim.</p>\n");
}

static void energy(const struct evaluate_page *p, struct text *t)
{
        const struct savrep_story *s = p->savings;

        text_put(t, "<section id=energy><h2>Energy and savings</h2>"
                    "<p>Boundary: cooling (chillers, pumps, towers, fans of air handlers), server fans, other IT, and "
                    "their total. Only a total counts as saved.</p>\n");
        if (s && s->refusal[0])
                savings_refusal(p, t);
        else if (s)
                savings_claim(s, t);
        else
                text_put(t, "<p class=claim>Whether anything was saved is not known: its days could not be read.</p>");
        if (s && s->r.part[SAVINGS_TOTAL].known) {
                savings_table(s, t);
                if (savrep_shift_str(s))
                        text_printf(t, "<p>%s</p>", savrep_shift_str(s));
                text_put(t,
                         "<p class=note>After IPMVP option B/C; not a compliant M&amp;V report. The baseline is what "
                         "ran on its days; whether it was a good one is not judged.</p>\n");
        }
        if (s && s->period[0].n + s->period[1].n > 0)
                savings_days(s, t);
        page_power(p, t);
        text_put(t, "</section>\n");
}

/* --- end --------------------------------------------------------------------------------------------------------- */

static void cannot_tell(const struct evaluate_page *p, struct text *t)
{
        text_put(t, "<section id=untold><h2>What this page cannot tell</h2><ul>");
        text_put(
            t,
            evrank_in_force(p->e)
                ? "<li>What the operator would have run instead.</li>"
                : "<li>Where coolplane would have led the plant. Each shadow action starts from what the operator runs "
                  "at that step: toward less cooling it is one step's rate away from it at most, toward more it may be "
                  "any distance, and it was never tried.</li>");
        text_put(
            t,
            "<li>Skill is hindcast skill: the loads, weather and setpoints that came are given, which no forecast "
            "had.</li>"
            "<li>What is foreseen is the word of the gate's own model, anchored at what was read, five minutes ahead, "
            "with setpoints held. The planner's own forecast of inlets is not stored.</li>"
            "<li>Predicted power is the planner's word for its own proposals, with the energy model's error in it.</li>"
            "<li>A reading that was carried over a step counts as a reading.</li>"
            "<li>Why operators moved a setpoint or left it: whatever moved it counts as the answer to advice.</li>"
            "<li>How the strongest conventional control would have done.</li></ul>"
            "<p>To make this page again:</p><p><code>");
        text_html(t, p->command);
        text_put(t, "</code></p></section>\n");
}

void evaluate_html(const struct evaluate_page *p, struct text *t)
{
        struct golive g;

        golive_judge(p->e, &g);
        text_put(t, EVALUATE_PAGE_BEGINS "<html lang=en><head><meta charset=utf-8><meta name=viewport "
                                         "content='width=device-width'><title>");
        text_html(t, p->e->site->name);
        text_printf(t, EVALUATE_PAGE_HOLDS "<style>%s</style></head><body>\n", style);
        head(p, t);
        verdict(&g, t);
        tiles(p->e, t);
        checklist(&g, t);
        energy(p, t);
        page_limits(p, t);
        page_hours(p, t);
        page_proposals(p, t);
        page_disagreements(p, t);
        page_forecast(p, t);
        page_quality(p, t);
        cannot_tell(p, t);
        text_put(t, "</body></html>\n");
}
