/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/metrics.h"

#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

static void family(struct text *t, const char *name, const char *type, const char *help)
{
        text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* name{key="value"} v */
static void sample(struct text *t, const char *name, const char *key, const char *label, double v)
{
        text_put(t, name);
        if (key) {
                text_printf(t, "{%s=\"", key);
                text_label(t, label);
                text_put(t, "\"}");
        }
        text_put(t, " ");
        text_prom_number(t, v);
        text_put(t, "\n");
}

static void gauge(struct text *t, const char *name, const char *help, double v)
{
        family(t, name, "gauge", help);
        sample(t, name, NULL, NULL, v);
}

/* --- the gate ---------------------------------------------------------------------------------------------------- */

static void put_mode(const struct view *v, struct text *t)
{
        static const char *const mode[] = {"ACTIVE", "HOLD", "FALLBACK", "RELEASE", "SHADOW"};
        bool up = v->gate.link == GATE_RUNNING, known = false;

        family(t, "coolplane_mode", "gauge", "State set: 1 for the state of the gate; all 0 when it is not up.");
        for (size_t i = 0; i < sizeof mode / sizeof mode[0]; i++) {
                bool is = up && strcmp(v->gate.mode, mode[i]) == 0;

                known = known || is;
                sample(t, "coolplane_mode", "mode", mode[i], is ? 1 : 0);
        }
        if (up && !known)
                sample(t, "coolplane_mode", "mode", v->gate.mode, 1);
}

static void put_devices(const struct gatedoc *g, struct text *t)
{
        static const char name[] = "coolplane_poll_errors_total";

        if (g->ndevice == 0)
                return;
        family(t, "coolplane_device_up", "gauge", "1 when the device answers as it should, 0 when degraded or down.");
        for (size_t i = 0; i < g->ndevice; i++)
                sample(t, "coolplane_device_up", "device", g->device[i].name,
                       strcmp(g->device[i].state, "up") == 0 ? 1 : 0);
        family(t, name, "counter", "Failed requests to a device since the gate started.");
        for (size_t i = 0; i < g->ndevice; i++) {
                const struct gate_device *d = &g->device[i];

                for (size_t k = 0; k < d->nerror; k++) {
                        text_printf(t, "%s{device=\"", name);
                        text_label(t, d->name);
                        text_printf(t, "\",unit_id=\"%lld\",code=\"", (long long)d->unit_id);
                        text_label(t, d->error[k].code);
                        text_printf(t, "\"} %lld\n", (long long)d->error[k].n);
                }
        }
}

static void put_gate(const struct view *v, struct text *t)
{
        bool up = v->gate.link == GATE_RUNNING;

        gauge(t, "coolplane_gate_up", "1 when the gate answers on its status socket.", up ? 1 : 0);
        put_mode(v, t);
        if (!up)
                return;
        gauge(t, "coolplane_planner_up", "1 when a planner is connected to the gate.", v->gate.planner ? 1 : 0);
        if (v->gate.last_cycle_t_ms > 0 && v->gate.step > 0)
                gauge(t, "coolplane_last_cycle_timestamp_seconds", "Time of the last completed control cycle.",
                      (double)v->gate.last_cycle_t_ms / 1000);
        if (isfinite(v->gate.model_rmse_c)) {
                family(t, "coolplane_model_residual_celsius", "gauge",
                       "One-step error of the safety model's inlet rows, over the rows.");
                sample(t, "coolplane_model_residual_celsius", "quantile", "0.5", v->gate.model_rmse_c);
        }
        if (isfinite(v->gate.drift_score))
                gauge(t, "coolplane_drift_score",
                      "Noise bounds by which the worst row of the safety model strays from what it learned, to either "
                      "side; a row 4 above is learned anew.",
                      v->gate.drift_score);
        if (isfinite(v->gate.last_commit_s))
                gauge(t, "coolplane_db_commit_seconds", "Time of the last database commit.", v->gate.last_commit_s);
        if (isfinite(v->gate.last_purge_s))
                gauge(t, "coolplane_db_purge_seconds", "Time of the last piece of retention.", v->gate.last_purge_s);
        if (v->gate.samples_dropped >= 0) {
                family(t, "coolplane_samples_dropped_total", "counter",
                       "Samples lost since the gate started because the database could not take them.");
                sample(t, "coolplane_samples_dropped_total", NULL, NULL, (double)v->gate.samples_dropped);
                gauge(t, "coolplane_db_unstored_seconds", "For how long nothing could be stored; 0 = it can.",
                      isfinite(v->gate.unstored_s) ? v->gate.unstored_s : 0);
        }
        put_devices(&v->gate, t);
}

/* --- the database ------------------------------------------------------------------------------------------------ */

static double hottest(const struct view *v)
{
        double max = (double)NAN;

        for (size_t i = 0; i < v->site->npoint; i++)
                if (v->site->point[i].role == ROLE_INLET_TEMP && view_is_present(v, i))
                        max = isnan(max) ? v->latest[i].value : fmax(max, v->latest[i].value);
        return max;
}

static double kelvin(double v) /* without the noise of a subtraction */
{
        return round(v * 1e6) / 1e6;
}

static void put_slack(const struct view *v, struct text *t)
{
        static const char name[] = "coolplane_safety_slack_celsius";
        double max_c = hottest(v);
        bool up = v->gate.link == GATE_RUNNING;

        if (isfinite(max_c))
                gauge(t, "coolplane_inlet_max_celsius", "Hottest measured inlet.", max_c);
        if (!isfinite(max_c) && !(up && isfinite(v->gate.margin_k)))
                return;
        family(t, name, "gauge", "Distance to a limit; negative = beyond it.");
        if (up && isfinite(v->gate.margin_k))
                sample(t, name, "constraint", "worst_case", v->gate.margin_k);
        if (isfinite(max_c)) {
                sample(t, name, "constraint", "inlet_recommended", kelvin(view_inlet_recommended_c(v->site) - max_c));
                sample(t, name, "constraint", "inlet_allowable", kelvin(view_inlet_allowable_c(v->site) - max_c));
        }
}

static void put_ages(const struct view *v, struct text *t)
{
        static const char name[] = "coolplane_point_age_seconds";

        family(t, name, "gauge", "Time since the last good reading of a point; +Inf = none seen.");
        for (size_t i = 0; i < v->site->npoint; i++) {
                const struct view_latest *l = &v->latest[i];

                if (l->present)
                        sample(t, name, "point", v->site->point[i].name,
                               l->good_t_ms < 0 ? (double)INFINITY : (double)(v->now_t_ms - l->good_t_ms) / 1000);
        }
}

static void put_values(const struct view *v, struct text *t)
{
        static const char name[] = "coolplane_point_value";

        family(t, name, "gauge", "Newest reading of a point while it is good, in SI units (degC, W, ratio, ...).");
        for (size_t i = 0; i < v->site->npoint; i++)
                if (view_is_present(v, i))
                        sample(t, name, "point", v->site->point[i].name, v->latest[i].value);
}

static void put_by_reason(struct text *t, const char *name, const char *key, const char *help, const uint64_t *n)
{
        family(t, name, "counter", help);
        for (int i = 0; i <= DR_WATER; i++)
                sample(t, name, key, decision_reason_str((enum decision_reason)i), (double)n[i]);
}

static void put_solver(const struct counters *c, struct text *t)
{
        static const char name[] = "coolplane_solver_seconds";
        uint64_t sum = 0;

        family(t, name, "histogram", "Time of the safety filter, per control step.");
        for (size_t i = 0; i < COUNTERS_BUCKETS; i++) {
                sum += c->solve_bucket[i];
                text_printf(t, "%s_bucket{le=\"%g\"} %llu\n", name, counters_bound_s[i], (unsigned long long)sum);
        }
        text_printf(t, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name, (unsigned long long)c->solve_n, name);
        text_prom_number(t, c->solve_sum_s);
        text_printf(t, "\n%s_count %llu\n", name, (unsigned long long)c->solve_n);
}

static void put_counters(const struct counters *c, struct text *t)
{
        family(t, "coolplane_decisions_total", "counter", "Decisions of the present run.");
        for (int k = 0; k <= DECISION_FALLBACK; k++)
                sample(t, "coolplane_decisions_total", "kind", decision_kind_str((enum decision_kind)k),
                       (double)c->kind[k]);
        put_by_reason(t, "coolplane_safety_interventions_total", "constraint",
                      "Decisions of the present run that are not the proposal, by reason.", c->intervention);
        put_by_reason(t, "coolplane_failback_total", "reason", "Entries into FALLBACK in the present run, by reason.",
                      c->failback);
        if (c->nwrite > 0)
                family(t, "coolplane_writes_total", "counter", "Writes of the present run by their outcome.");
        for (size_t i = 0; i < c->nwrite; i++) {
                text_put(t, "coolplane_writes_total{point=\"");
                text_label(t, c->write[i].point);
                text_put(t, "\",result=\"");
                text_label(t, c->write[i].result);
                text_printf(t, "\"} %llu\n", (unsigned long long)c->write[i].n + c->write[i].unsettled);
        }
        put_solver(c, t);
}

static void put_store(struct counters *c, const struct view *v, bool values, struct text *t)
{
        struct statvfs fs;

        gauge(t, "coolplane_db_bytes", "Size of the database with its write-ahead log.", (double)v->counts.bytes);
        if (statvfs(v->site->database, &fs) == 0)
                gauge(t, "coolplane_db_free_bytes", "Room left on the disk of the database.",
                      (double)fs.f_bavail * (double)fs.f_frsize);
        family(t, "coolplane_samples_total", "counter", "Samples ever stored in the database, by quality.");
        sample(t, "coolplane_samples_total", "quality", "good", (double)(v->counts.good + v->counts.purged_good));
        sample(t, "coolplane_samples_total", "quality", "bad", (double)(v->counts.bad + v->counts.purged_bad));
        family(t, "coolplane_samples_purged_total", "counter", "Samples deleted because of age or size.");
        sample(t, "coolplane_samples_purged_total", NULL, NULL, (double)(v->counts.purged_good + v->counts.purged_bad));
        put_ages(v, t);
        if (values)
                put_values(v, t);
        if (counters_update(c, v->store, v->run.id, v->counts.last_t_ms) == 0 && c->run_id == v->run.id &&
            v->run.id > 0)
                put_counters(c, t);
}

void metrics_text(struct counters *c, const struct view *v, bool values, struct text *out)
{
        family(out, "coolplane_build_info", "gauge", "Version of the console.");
        sample(out, "coolplane_build_info", "version", COOLPLANE_VERSION, 1);
        put_gate(v, out);
        put_slack(v, out);
        if (v->store)
                put_store(c, v, values, out);
}
