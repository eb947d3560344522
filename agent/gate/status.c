/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/gate/status.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* JSON has no NaN: unknown is null. */
static json_t *number(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

/* How requests failed: {"timeout": n, …}; of the exceptions those that occurred. */
static json_t *poll_errors(const struct device_stats *s)
{
        json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "timeout", (json_int_t)s->timeouts, "no-connection",
                              (json_int_t)s->no_connections, "lost", (json_int_t)s->lost, "bad-reply",
                              (json_int_t)s->bad_replies);
        char name[32];

        for (unsigned k = 0; o && k < sizeof s->exceptions / sizeof s->exceptions[0]; k++) {
                if (s->exceptions[k] == 0)
                        continue;
                (void)snprintf(name, sizeof name, k == 0 ? "exception-other" : "exception-%02u", k);
                (void)json_object_set_new(o, name, json_integer((json_int_t)s->exceptions[k]));
        }
        return o ? o : json_object();
}

static json_t *devices(const struct site *site, const struct modbus_driver *modbus)
{
        static const char *const state[] = {"up", "degraded", "down"};
        json_t *list = json_array();

        for (size_t i = 0; i < site->ndevice; i++) {
                struct device_stats s;
                uint64_t exceptions = 0;

                if (site->device[i].protocol == DEVICE_MQTT)
                        continue;
                modbus_driver_stats(modbus, (int)i, &s);
                for (size_t k = 0; k < sizeof s.exceptions / sizeof s.exceptions[0]; k++)
                        exceptions += s.exceptions[k];
                (void)json_array_append_new(
                    list,
                    json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:s}", "name",
                              site->device[i].name, "state", state[s.state], "unit_id", (int)site->device[i].unit_id,
                              "reads", (json_int_t)s.reads, "read_errors", (json_int_t)s.read_errors, "writes",
                              (json_int_t)s.writes, "write_errors", (json_int_t)s.write_errors, "timeouts",
                              (json_int_t)s.timeouts, "exceptions", (json_int_t)exceptions, "quarantined",
                              (json_int_t)s.quarantined, "scan_period_s", number(s.scan_period_s), "scan_jitter_s",
                              number(s.scan_jitter_s), "poll_errors", poll_errors(&s), "last_error", s.last_error));
        }
        return list;
}

/* Variables that are not ours to move, and why. */
static json_t *fixed(const struct site *site, const struct gate *g, size_t n)
{
        json_t *list = json_array();

        for (size_t j = 0; j < n; j++) {
                size_t point;
                const char *why = gate_fixed(g, j, &point);

                if (why)
                        (void)json_array_append_new(
                            list, json_pack("{s:s, s:s}", "point", site->point[point].name, "reason", why));
        }
        return list;
}

size_t status_cap(const struct site *site)
{
        size_t writable = 0;

        for (size_t i = 0; i < site->npoint; i++)
                writable += site->point[i].writable;
        return 16384 + 2048 * site->ndevice + 256 * writable;
}

size_t status_json(const struct site *site, const struct clk *clk, const struct gate *g,
                   const struct modbus_driver *modbus, const struct mqtt_driver *mqtt, bool planner_connected,
                   char *buf, size_t cap)
{
        struct gate_status s;
        char utc[32];
        json_t *doc;
        size_t n;

        gate_status(g, &s);
        doc = json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:b, s:b, s:I, s:I, s:o, s:f}",
            "site", site->name, "mode", gate_mode_str(s.mode), "decision", decision_kind_str(s.kind), "reason",
            decision_reason_str(s.reason), "binding", s.binding, "step", (json_int_t)s.step, "last_cycle",
            clk_format(s.last_cycle_t_ms, utc), "max_inlet_c", number(s.max_inlet_c), "margin_k", number(s.margin_k),
            "total_power_w", number(s.total_power_w), "predicted_w", number(s.predicted_w), "samples_committed",
            (json_int_t)s.samples_committed, "samples_bad", (json_int_t)s.samples_bad, "last_commit_s",
            number(s.last_commit_s), "last_solve_s", number(s.last_solve_s), "exploring", (int)s.exploring, "planner",
            (int)planner_connected, "model_rows", (json_int_t)s.model_rows, "model_rows_fitted",
            (json_int_t)s.model_rows_fitted, "model_rmse_c", number(s.model_rmse_c), "drift_score", s.drift_score);
        if (doc) {
                (void)json_object_set_new(doc, "watching", json_boolean(s.watching));
                (void)json_object_set_new(doc, "clock_ahead_s", json_real((double)clk_ahead_ms(clk) / 1000.0));
                (void)json_object_set_new(doc, "samples_dropped", json_integer(s.samples_dropped));
                (void)json_object_set_new(doc, "samples_purged", json_integer(s.samples_purged));
                (void)json_object_set_new(doc, "last_purge_s", number(s.last_purge_s));
                (void)json_object_set_new(doc, "samples_waiting", json_integer((json_int_t)s.samples_waiting));
                (void)json_object_set_new(doc, "unstored_s", number(s.unstored_s));
                (void)json_object_set_new(doc, "holdout",
                                          json_pack("{s:o, s:o, s:o, s:o}", "one_step_c", number(s.holdout_c[0]),
                                                    "one_step_persistence_c", number(s.holdout_persistence_c[0]),
                                                    "five_min_c", number(s.holdout_c[1]), "five_min_persistence_c",
                                                    number(s.holdout_persistence_c[1])));
                (void)json_object_set_new(doc, "last_cycle_t_ms", json_integer(s.last_cycle_t_ms));
                (void)json_object_set_new(
                    doc, "decisions",
                    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "accept", (json_int_t)s.steps_by_kind[0], "project",
                              (json_int_t)s.steps_by_kind[1], "hold", (json_int_t)s.steps_by_kind[2], "fallback",
                              (json_int_t)s.steps_by_kind[3], "late", (json_int_t)s.late_proposals, "malformed",
                              (json_int_t)s.malformed_proposals));
                (void)json_object_set_new(doc, "fixed", fixed(site, g, s.variables));
                (void)json_object_set_new(doc, "devices", devices(site, modbus));
        }
        if (doc && mqtt) {
                struct mqtt_stats m;

                mqtt_driver_stats(mqtt, &m);
                (void)json_object_set_new(doc, "mqtt",
                                          json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "connected",
                                                    (int)m.connected, "messages", (json_int_t)m.messages, "samples",
                                                    (json_int_t)m.samples, "rejected", (json_int_t)m.rejected,
                                                    "dropped", (json_int_t)m.dropped, "reconnects",
                                                    (json_int_t)m.reconnects, "last_error", m.last_error));
        }
        n = doc ? json_dumpb(doc, buf, cap - 2, JSON_COMPACT) : 0;
        json_decref(doc);
        if (n == 0 || n > cap - 2)
                return (size_t)snprintf(buf, cap, "{\"error\":\"status does not fit\"}\n");
        buf[n] = '\n';
        buf[n + 1] = '\0';
        return n + 1;
}
