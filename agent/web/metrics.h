/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * GET /metrics, Prometheus text format 0.0.4. Only what is known is said: a family without data is left out.
 *
 *   coolplane_build_info{version}                      gauge    1
 *   coolplane_gate_up                                  gauge    1: the gate answers on its status socket
 *   coolplane_planner_up                               gauge    1: a planner is connected (while the gate is up)
 *   coolplane_mode{mode}                               gauge    state set of the ladder; all 0 = the gate is not up
 *   coolplane_last_cycle_timestamp_seconds             gauge    plant time of the last completed control cycle
 *   coolplane_point_age_seconds{point}                 gauge    since the last good reading; +Inf = none seen
 *   coolplane_inlet_max_celsius                        gauge    hottest measured inlet
 *   coolplane_device_up{device}                        gauge    1 up, 0 degraded or down
 *   coolplane_poll_errors_total{device,unit_id,code}   counter  since the gate started; code: timeout, no-connection,
 *                                                               lost, bad-reply, exception-NN
 *   coolplane_point_value{point}                       gauge    newest good reading, SI; only with /metrics?values=1
 *   coolplane_samples_purged_total                     counter  samples deleted because of age or size
 *   coolplane_db_purge_seconds                         gauge    time of the last piece of retention
 *   coolplane_samples_dropped_total                    counter  samples lost because the database could not take them
 *   coolplane_db_unstored_seconds                      gauge    for how long nothing could be stored; 0 = it can
 *   coolplane_writes_total{point,result}               counter  of the gate's present run (counters.h)
 *   coolplane_decisions_total{kind}                    counter  of the present run
 *   coolplane_safety_interventions_total{constraint}   counter  decisions that changed or refused a proposal, by reason
 *   coolplane_failback_total{reason}                   counter  entries into FALLBACK
 *   coolplane_safety_slack_celsius{constraint}         gauge    worst_case: certified limit − worst case;
 *                                                               inlet_recommended, inlet_allowable: limit − hottest
 *   coolplane_solver_seconds                           histogram time of the safety filter
 *   coolplane_model_residual_celsius{quantile}         gauge    one-step error of the inlet rows, median
 *   coolplane_drift_score                              gauge    0 = none; safety/THEOREM.md, G3
 *   coolplane_db_bytes, coolplane_db_free_bytes        gauge    database with its WAL; room left on its disk
 *   coolplane_db_commit_seconds                        gauge    last commit
 *   coolplane_samples_total{quality}                   counter  stored samples, good and bad, since the database began
 */
#ifndef COOLPLANE_WEB_METRICS_H
#define COOLPLANE_WEB_METRICS_H

#include "agent/web/counters.h"
#include "agent/base/text.h"
#include "agent/web/view.h"

/* c is brought up to date. v is fresh; nothing of the database when it cannot be read. */
void metrics_text(struct counters *c, const struct view *v, bool values, struct text *out);

#endif
