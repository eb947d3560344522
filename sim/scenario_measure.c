/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/scenario_measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define WARM_C 27.0
_Static_assert(SM_COUNT - SM_REASON == DR_WATER + 1, "a measure for every reason of a decision");

static const struct {
        const char *name, *text;
} measures[SM_COUNT] = {
    [SM_MAX_INLET_C] = {"max_inlet_c", "hottest true inlet"},
    [SM_RISE_K] = {"rise_k", "that, above the hottest inlet at the beginning"},
    [SM_DEGMIN27] = {"degmin27", "degree-minutes above 27 °C, summed over the racks"},
    [SM_DEGMIN32] = {"degmin32", "and above 32 °C"},
    [SM_MAX_RISE_15MIN_K] = {"max_rise_15min_k", "of any rack"},
    [SM_MAX_DEWPOINT_C] = {"max_dewpoint_c", "of any room"},
    [SM_COLD_SURFACE_MIN] = {"cold_surface_min",
                             "minutes with a surface that must stay dry near the dew point, a room"},
    [SM_WET_COIL_MIN] = {"wet_coil_min", "minutes with a wet coil, summed over the air handlers"},
    [SM_HARD_VIOLATIONS] = {"hard_violations",
                            "broken rules; of the whole: from take-over on, identification included"},
    [SM_COOLING_KWH] = {"cooling_kwh", "chillers, pumps, towers, fans of air handlers"},
    [SM_IT_KWH] = {"it_kwh", "servers and their fans"},
    [SM_TOTAL_KWH] = {"total_kwh", "both"},
    [SM_PUE] = {"pue", "total over IT"},
    [SM_COP] = {"cop", "IT over what the chillers take"},
    [SM_CHILLER_STARTS] = {"chiller_starts", ""},
    [SM_CHILLERS_MEAN] = {"chillers_mean", "machines that run, in the mean"},
    [SM_FLOW_TRIPS] = {"flow_trips", "machines that tripped by too little water"},
    [SM_MIGRATIONS] = {"migrations", "of VMs"},
    [SM_RESIDUAL] = {"energy_residual_ratio", "of the plant's own balance; of the whole only"},
    [SM_ECON_HOURS] = {"econ_hours", "economiser on"},
    [SM_RECOVERY_S] = {"recovery_s", "from the last event until every inlet stays at most 27 °C; 0: never above since"},
    [SM_LAST_INLET_C] = {"last_inlet_c", "hottest true inlet at the end"},
    [SM_MEAN_INLET_C] = {"mean_inlet_c", "mean over time of the hottest true inlet"},
    [SM_MAX_CHWST_C] = {"max_chwst_c", "warmest chilled water, as the header's instrument reads it"},
    [SM_MIN_LIFT_K] = {"min_lift_k", "least condenser-water setpoint in force minus the chilled water's"},
    [SM_MEAN_SAT_SP_C] = {"mean_sat_sp_c", "supply setpoint in force, mean of air handlers and time"},
    [SM_MEAN_FAN_RATIO] = {"mean_fan_ratio", "and fan command"},
    [SM_FAN_GAP_RATIO] = {"fan_gap_ratio", "how far fans are from what they were told, mean of air handlers and time"},
    [SM_SAT_TRAVEL_K_H] = {"sat_travel_k_per_h", "changes of the supply setpoint, mean of the air handlers"},
    [SM_FAN_TRAVEL_H] = {"fan_travel_per_h", "and of the fan command"},
    [SM_REMOTE_SHARE] = {"remote_share", "air handlers that follow the agent at the end"},
    [SM_MIN_REMOTE_SHARE] = {"min_remote_share", "the fewest"},
    [SM_LOCAL_S] = {"local_s", "until the first of them is local"},
    [SM_FIXED_MAX] = {"fixed_max", "variables that were not the agent's to move, the most at once"},
    [SM_FIXED_LAST] = {"fixed_last", "and at the end"},
    [SM_BAD_SAMPLES] = {"bad_samples", "readings that the agent does not believe, or does not get"},
    [SM_BAD_S] = {"bad_s", "until the first of them"},
    [SM_ACCEPT_SHARE] = {"accept_share", "decisions that are ACCEPT"},
    [SM_PROJECT_SHARE] = {"project_share", ""},
    [SM_HOLD_SHARE] = {"hold_share", ""},
    [SM_FALLBACK_SHARE] = {"fallback_share", ""},
    [SM_FALLBACK_S] = {"fallback_s", "until the first FALLBACK"},
    [SM_ACTIVE_S] = {"active_s", "until the mode stays ACTIVE to the end"},
    [SM_RELEASED] = {"released", "1: the gate ended in RELEASE"},
    [SM_RELEASE_S] = {"release_s", "until RELEASE"},
    [SM_VAIN_WRITES] = {"vain_writes", "of setpoints: refused, or something else reads back"},
    [SM_MARGIN_K] = {"margin_k", "of the certificates, mean; not a number where there is none"},
    [SM_HOLDOUT_C] = {"holdout_c", "error of the gate's forecast of inlets over five minutes, at the end"},
    [SM_REASON + DR_ACCEPTED] = {"reason:accepted", "share of the decisions with this reason; so too below"},
    [SM_REASON + DR_LIMIT] = {"reason:limit", ""},
    [SM_REASON + DR_RATE] = {"reason:rate", ""},
    [SM_REASON + DR_EQUIPMENT] = {"reason:equipment", ""},
    [SM_REASON + DR_WORST_CASE] = {"reason:worst-case", ""},
    [SM_REASON + DR_SLOW_STEP] = {"reason:slow-step", ""},
    [SM_REASON + DR_NO_PROPOSAL] = {"reason:no-proposal", ""},
    [SM_REASON + DR_MALFORMED] = {"reason:malformed", ""},
    [SM_REASON + DR_NOT_FINITE] = {"reason:not-finite", ""},
    [SM_REASON + DR_LOW_CONFIDENCE] = {"reason:low-confidence", ""},
    [SM_REASON + DR_SENSOR] = {"reason:sensor", ""},
    [SM_REASON + DR_NOT_CERTIFIABLE] = {"reason:not-certifiable", ""},
    [SM_REASON + DR_TRIP] = {"reason:trip", ""},
    [SM_REASON + DR_INTERLOCK] = {"reason:interlock", ""},
    [SM_REASON + DR_VERIFY] = {"reason:verify", ""},
    [SM_REASON + DR_RECOVERING] = {"reason:recovering", ""},
    [SM_REASON + DR_WATER] = {"reason:water", ""},
};

const char *scenario_measure_name(enum scenario_measure m)
{
        return measures[m].name;
}

const char *scenario_measure_text(enum scenario_measure m)
{
        return measures[m].text;
}

int book_create(struct book *b, struct plant *plant, struct closed_loop *loop, const struct registers *registers)
{
        const struct plant_spec *s = plant_spec(plant);

        *b = (struct book){.plant = plant, .loop = loop, .registers = registers};
        b->sat_c = malloc(s->ncrah * sizeof(*b->sat_c));
        b->fan_ratio = malloc(s->ncrah * sizeof(*b->fan_ratio));
        b->minute_c = malloc(BOOK_MINUTES * s->nrack * sizeof(*b->minute_c));
        if (b->sat_c == NULL || b->fan_ratio == NULL || b->minute_c == NULL)
                return -ENOMEM;
        for (size_t i = 0; i < s->ncrah; i++)
                b->sat_c[i] = b->fan_ratio[i] = (double)NAN;
        return 0;
}

void book_free(struct book *b)
{
        free(b->sat_c);
        free(b->fan_ratio);
        free(b->minute_c);
        b->sat_c = b->fan_ratio = b->minute_c = NULL;
}

static void mark(const struct book *b, double t_s, struct book_mark *ret)
{
        *ret = (struct book_mark){.t_s = t_s};
        plant_account(b->plant, &ret->account);
        if (b->loop != NULL)
                gate_status(closed_loop_gate(b->loop), &ret->gate);
        for (size_t i = 0; b->registers != NULL && i < b->registers->ndevice; i++)
                ret->vain_writes += b->registers->device[i].vain_writes;
}

/* The plant at one moment. */
struct look {
        double t_s, hottest_c, rise_k, dewpoint_c, chwst_c, lift_k, sat_c, fan_ratio, sat_travel_k, fan_travel,
            remote_share;
        double chillers, fixed, fan_gap;
        struct gate_status gate;
        bool decided;
};

/* The fastest rise of any rack in 15 minutes, looked at once a minute; NaN between. */
static double rise(struct book *b, double t_s)
{
        const size_t n = plant_spec(b->plant)->nrack;
        double k_max = 0.0;

        if (fmod(t_s, 60.0) != 0.0)
                return (double)NAN;
        for (size_t i = 0; i < n; i++)
                b->minute_c[b->minutes % BOOK_MINUTES * n + i] = plant_true_inlet_c(b->plant, i);
        b->minutes++;
        for (size_t k = 0; k < BOOK_MINUTES && k < b->minutes; k++)
                for (size_t i = 0; i < n; i++)
                        k_max = fmax(k_max, plant_true_inlet_c(b->plant, i) - b->minute_c[k * n + i]);
        return k_max;
}

static void look_air(struct book *b, struct look *l)
{
        const struct plant_spec *s = plant_spec(b->plant);
        const double n = (double)s->ncrah;

        for (size_t i = 0; i < s->nrack; i++)
                l->hottest_c = fmax(l->hottest_c, plant_true_inlet_c(b->plant, i));
        for (size_t i = 0; i < s->nroom; i++)
                l->dewpoint_c = fmax(l->dewpoint_c, plant_dewpoint_c(b->plant, i));
        for (size_t i = 0; i < s->ncrah; i++) {
                struct plant_crah_meas m;

                plant_crah_meas(b->plant, i, &m);
                if (isfinite(b->sat_c[i])) {
                        l->sat_travel_k += fabs(m.sat_sp_c - b->sat_c[i]) / n;
                        l->fan_travel += fabs(m.fan_cmd_ratio - b->fan_ratio[i]) / n;
                }
                b->sat_c[i] = m.sat_sp_c;
                b->fan_ratio[i] = m.fan_cmd_ratio;
                l->sat_c += m.sat_sp_c / n;
                l->fan_ratio += m.fan_cmd_ratio / n;
                l->fan_gap += fabs(plant_crah_cmd(b->plant, i)->fan_ratio - m.fan_ratio) / n;
                l->remote_share += plant_is_remote(b->plant, PLANT_DEV_CRAH, i) ? 1.0 / n : 0.0;
        }
        l->remote_share = round(l->remote_share * n) / n;
}

static void look_water(const struct book *b, struct look *l)
{
        struct plant_water_meas w;

        plant_water_meas(b->plant, &w);
        l->chwst_c = w.chwst_c;
        l->lift_k = w.cwst_sp_c - w.chwst_sp_c;
        for (size_t i = 0; i < plant_spec(b->plant)->nchiller; i++) {
                struct plant_chiller_meas c;

                plant_chiller_meas(b->plant, i, &c);
                l->chillers += c.running;
        }
}

static void look_gate(struct book *b, struct look *l)
{
        size_t point;

        if (b->loop == NULL)
                return;
        gate_status(closed_loop_gate(b->loop), &l->gate);
        l->decided = l->gate.step != b->step;
        b->step = l->gate.step;
        for (size_t j = 0; j < l->gate.variables; j++)
                l->fixed += gate_fixed(closed_loop_gate(b->loop), j, &point) != NULL;
}

static void state(const struct book *b, struct book_part *p, const struct look *l)
{
        p->hottest_c = fmax(p->hottest_c, l->hottest_c);
        p->max_dewpoint_c = fmax(p->max_dewpoint_c, l->dewpoint_c);
        p->remote_share = l->remote_share;
        p->min_remote_share = fmin(p->min_remote_share, l->remote_share);
        p->fixed_max = fmax(p->fixed_max, l->fixed);
        p->fixed_last = l->fixed;
        p->last_c = l->hottest_c;
        if (b->loop == NULL)
                return;
        if (!(l->remote_share >= 1.0) && isnan(p->local_t_s))
                p->local_t_s = l->t_s;
        if (l->gate.mode == GATE_RELEASE && isnan(p->release_t_s))
                p->release_t_s = l->t_s;
        if (l->gate.mode != GATE_ACTIVE)
                p->inactive_t_s = l->t_s;
        if (l->gate.samples_bad > p->from.gate.samples_bad && isnan(p->bad_t_s))
                p->bad_t_s = l->t_s;
}

static void passed(struct book_part *p, const struct look *l, double dt_s)
{
        p->mean_c += l->hottest_c * dt_s;
        p->sat_c += l->sat_c * dt_s;
        p->fan_ratio += l->fan_ratio * dt_s;
        p->fan_gap += l->fan_gap * dt_s;
        p->chillers += l->chillers * dt_s;
        p->sat_travel_k += l->sat_travel_k;
        p->fan_travel += l->fan_travel;
        p->max_rise_k = fmax(p->max_rise_k, l->rise_k);
        p->max_chwst_c = fmax(p->max_chwst_c, l->chwst_c);
        p->min_lift_k = fmin(p->min_lift_k, l->lift_k);
        if (!l->decided)
                return;
        p->by_reason[l->gate.reason]++;
        if (isfinite(l->gate.margin_k)) {
                p->margin_k += l->gate.margin_k;
                p->margins += 1.0;
        }
        if (l->gate.kind == DECISION_FALLBACK && isnan(p->fallback_t_s))
                p->fallback_t_s = l->t_s;
}

static void look(struct book *b, double t_s, struct look *ret)
{
        *ret = (struct look){.t_s = t_s, .hottest_c = -100.0, .dewpoint_c = -100.0};
        look_air(b, ret);
        look_water(b, ret);
        look_gate(b, ret);
}

void book_look(struct book *b, double t_s)
{
        struct look l;

        look(b, t_s, &l);
        l.rise_k = rise(b, t_s);
        if (l.hottest_c > WARM_C)
                b->last_warm_s = t_s;
        for (size_t k = 0; k < SCENARIO_PARTS; k++) {
                struct book_part *p = &b->part[k];

                if (!p->open || p->closed)
                        continue;
                passed(p, &l, t_s - p->to.t_s);
                p->to.t_s = t_s;
                state(b, p, &l);
        }
}

void book_open(struct book *b, enum scenario_part p, double t_s)
{
        struct book_part *to = &b->part[p];
        struct look l;

        *to = (struct book_part){.open = true,
                                 .hottest_c = -100.0,
                                 .max_dewpoint_c = -100.0,
                                 .max_chwst_c = -100.0,
                                 .min_lift_k = 100.0,
                                 .min_remote_share = 1.0,
                                 .local_t_s = (double)NAN,
                                 .bad_t_s = (double)NAN,
                                 .fallback_t_s = (double)NAN,
                                 .release_t_s = (double)NAN,
                                 .inactive_t_s = (double)NAN};
        mark(b, t_s, &to->from);
        to->to.t_s = t_s;
        look(b, t_s, &l);
        to->first_c = l.hottest_c;
        state(b, to, &l);
}

void book_close(struct book *b, enum scenario_part p, double t_s)
{
        mark(b, t_s, &b->part[p].to);
        b->part[p].closed = true;
}

/* Infinite where nothing was spent, NaN where nothing was had either. */
static double over(double had, double spent)
{
        if (spent > 0.0)
                return had / spent;
        return had > 0.0 ? (double)INFINITY : (double)NAN;
}

/* ---- what comes of it ---- */

static void read_plant(const struct book *b, const struct book_part *p, double *m)
{
        const struct plant_account *a = &p->to.account, *z = &p->from.account;
        const double s = p->to.t_s - p->from.t_s, it_kwh = a->it_kwh + a->it_fan_kwh - z->it_kwh - z->it_fan_kwh;

        m[SM_MAX_INLET_C] = p->hottest_c;
        m[SM_RISE_K] = p->hottest_c - p->first_c;
        m[SM_DEGMIN27] = a->degmin27 - z->degmin27;
        m[SM_DEGMIN32] = a->degmin32 - z->degmin32;
        m[SM_MAX_RISE_15MIN_K] = p->max_rise_k;
        m[SM_MAX_DEWPOINT_C] = p->max_dewpoint_c;
        m[SM_COLD_SURFACE_MIN] = a->cold_surface_min - z->cold_surface_min;
        m[SM_WET_COIL_MIN] = a->wet_coil_min - z->wet_coil_min;
        m[SM_HARD_VIOLATIONS] =
            (double)(b->loop != NULL ? a->hard_violations_since_takeover - z->hard_violations_since_takeover
                                     : a->hard_violations - z->hard_violations);
        m[SM_COOLING_KWH] = a->cooling_kwh - z->cooling_kwh;
        m[SM_IT_KWH] = it_kwh;
        m[SM_TOTAL_KWH] = a->total_kwh - z->total_kwh;
        m[SM_PUE] = over(m[SM_TOTAL_KWH], it_kwh);
        m[SM_COP] = over(it_kwh, a->chiller_kwh - z->chiller_kwh);
        m[SM_CHILLER_STARTS] = (double)(a->chiller_starts - z->chiller_starts);
        m[SM_CHILLERS_MEAN] = p->chillers / s;
        m[SM_FLOW_TRIPS] = (double)(a->flow_trips - z->flow_trips);
        m[SM_MIGRATIONS] = (double)(a->migrations - z->migrations);
        m[SM_RESIDUAL] = (double)NAN;
        m[SM_ECON_HOURS] = a->econ_hours - z->econ_hours;
        m[SM_RECOVERY_S] = fmax(b->last_warm_s - b->last_event_s, 0.0);
        m[SM_LAST_INLET_C] = p->last_c;
        m[SM_MEAN_INLET_C] = p->mean_c / s;
        m[SM_MAX_CHWST_C] = p->max_chwst_c;
        m[SM_MIN_LIFT_K] = p->min_lift_k;
        m[SM_MEAN_SAT_SP_C] = p->sat_c / s;
        m[SM_MEAN_FAN_RATIO] = p->fan_ratio / s;
        m[SM_FAN_GAP_RATIO] = p->fan_gap / s;
        m[SM_SAT_TRAVEL_K_H] = p->sat_travel_k * 3600.0 / s;
        m[SM_FAN_TRAVEL_H] = p->fan_travel * 3600.0 / s;
}

static double after(const struct book_part *p, double t_s)
{
        return isnan(t_s) ? (double)INFINITY : t_s - p->from.t_s;
}

static void read_agent(const struct book *b, const struct book_part *p, double *m)
{
        const struct gate_status *a = &p->to.gate, *z = &p->from.gate;
        double n = 0.0;

        m[SM_REMOTE_SHARE] = p->remote_share;
        m[SM_MIN_REMOTE_SHARE] = p->min_remote_share;
        m[SM_LOCAL_S] = after(p, p->local_t_s);
        m[SM_FIXED_MAX] = p->fixed_max;
        m[SM_FIXED_LAST] = p->fixed_last;
        m[SM_BAD_SAMPLES] = (double)(a->samples_bad - z->samples_bad);
        m[SM_BAD_S] = after(p, p->bad_t_s);
        m[SM_FALLBACK_S] = after(p, p->fallback_t_s);
        m[SM_RELEASE_S] = after(p, p->release_t_s);
        m[SM_ACTIVE_S] = isnan(p->inactive_t_s)   ? 0.0
                         : a->mode == GATE_ACTIVE ? p->inactive_t_s - p->from.t_s
                                                  : (double)INFINITY;
        m[SM_RELEASED] = b->loop != NULL && a->mode == GATE_RELEASE;
        m[SM_VAIN_WRITES] = (double)(p->to.vain_writes - p->from.vain_writes);
        m[SM_MARGIN_K] = p->margins > 0 ? p->margin_k / p->margins : (double)NAN;
        m[SM_HOLDOUT_C] = b->loop != NULL ? a->holdout_c[1] : (double)NAN;
        for (size_t k = 0; k < 4; k++)
                n += (double)(a->steps_by_kind[k] - z->steps_by_kind[k]);
        for (size_t k = 0; k < 4; k++) {
                static const enum scenario_measure share[] = {[DECISION_ACCEPT] = SM_ACCEPT_SHARE,
                                                              [DECISION_PROJECT] = SM_PROJECT_SHARE,
                                                              [DECISION_HOLD] = SM_HOLD_SHARE,
                                                              [DECISION_FALLBACK] = SM_FALLBACK_SHARE};

                m[share[k]] = n > 0.0 ? (double)(a->steps_by_kind[k] - z->steps_by_kind[k]) / n : 0.0;
        }
        for (size_t k = 0; k < SM_COUNT - SM_REASON; k++)
                m[SM_REASON + k] = n > 0.0 ? (double)p->by_reason[k] / n : 0.0;
}

void book_read(const struct book *b, enum scenario_part part, double *ret)
{
        const struct book_part *p = &b->part[part];
        const struct plant_account *a = &p->to.account;

        for (size_t k = 0; k < SM_COUNT; k++)
                ret[k] = (double)NAN;
        if (!p->closed)
                return;
        read_plant(b, p, ret);
        read_agent(b, p, ret);
        if (part != SP_WHOLE)
                return;
        /* the plant's own account was reset when the whole began, and looks at every step */
        ret[SM_MAX_INLET_C] = a->max_inlet_c;
        ret[SM_MAX_RISE_15MIN_K] = a->max_rise_15min_k;
        ret[SM_MAX_DEWPOINT_C] = a->max_dewpoint_c;
        ret[SM_HARD_VIOLATIONS] = (double)(b->loop != NULL ? a->hard_violations_since_takeover : a->hard_violations);
        ret[SM_RESIDUAL] = a->energy_residual_ratio;
}
