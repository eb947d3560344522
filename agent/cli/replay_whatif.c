/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/replay_whatif.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"
#include "agent/cli/log_print.h"

#define HOLD_STEPS 10
#define SLACK_MS ((int64_t)300000) /* as log_print.h: what comes late */

/* What is wrong with the model, and how to get one that is right. */
static int refuse(const struct replay_whatif_args *a, const char *why, const char *more)
{
        struct text command = {0};

        text_put(&command, "coolplane train --db ");
        text_shell(&command, a->log_path);
        text_put(&command, " --config ");
        text_shell(&command, a->config);
        text_put(&command, " --refit --out ");
        text_shell(&command, a->model);
        (void)fprintf(stderr, "coolplane replay: %s %s%s%s. Train it on this log: %s\n", a->model, why,
                      more[0] ? ": " : "", more, command.v ? command.v : "coolplane train --refit");
        text_free(&command);
        return EXIT_DATA;
}

/* Whether the model is of this configuration and this log, as a whole or a span of it. */
static int check_model(const struct replay_whatif_args *a, const struct train_file *model)
{
        const struct log_print of = {
            .from_ms = model->from_ms, .to_ms = model->to_ms, .samples = model->log_samples, .sum = model->log_sum};
        char differs[160];
        int r;

        if (memcmp(model->config_hash, a->site->hash, sizeof a->site->hash) != 0)
                return refuse(a, "was trained with another configuration", "");
        if (!model->told)
                return refuse(a, "is of an earlier version and does not tell which log it knows, and how much of it",
                              "");
        if (!model->refit)
                return refuse(a, "was trained without --refit, on the first part of its log only", "");
        if (model->to_ms <= a->from_ms || model->from_ms >= a->to_ms)
                return refuse(a, "was trained on another time than this log's", "");
        r = log_print_is(a->log, a->site, &of, differs);
        if (r < 0)
                return db_failed("replay", a->log_path, a->log, r);
        return r > 0 ? EXIT_OK : refuse(a, "was trained on another log than this one", differs);
}

/* Whether the model knows every row that is walked. By rows, as training counts them: other samples of a log make none,
 * so a model trained on all of it passes. */
static int check_span(const struct replay_whatif_args *a, const struct train_file *model, const struct dataset *log)
{
        const int64_t step_ms = a->site->fast_step_ms;
        char more[192], from[32], to[32], first[32], last[32];
        int64_t first_ms, last_ms;
        size_t begin = 0, end = log->n;

        while (begin < end && log->t_ms[begin] + step_ms <= a->from_ms)
                begin++;
        while (end > begin && log->t_ms[end - 1] >= a->to_ms)
                end--;
        if (begin == end)
                return EXIT_OK;
        first_ms = log->t_ms[begin] > a->from_ms ? log->t_ms[begin] : a->from_ms;
        last_ms = log->t_ms[end - 1] + step_ms < a->to_ms ? log->t_ms[end - 1] + step_ms : a->to_ms;
        if (model->from_ms <= first_ms + SLACK_MS && model->to_ms >= last_ms - SLACK_MS)
                return EXIT_OK;
        (void)snprintf(more, sizeof more, "it knows %s to %s, and the replay is of %s to %s",
                       clk_format(model->from_ms, from), clk_format(model->to_ms, to), clk_format(first_ms, first),
                       clk_format(last_ms, last));
        return refuse(a, "was trained on a part of what is replayed", more);
}

int replay_whatif_open(const struct replay_whatif_args *a, struct replay_whatif *ret)
{
        int64_t begin_ms, end_ms;
        int code, r = train_file_read(a->model, &ret->model);

        if (r < 0) {
                (void)fprintf(stderr, "coolplane replay: %s: %s\n", a->model,
                              r == -EBADMSG ? "not a model file of this version, or damaged" : strerror(-r));
                return r == -ENOENT ? EXIT_UNAVAILABLE : r == -EIO ? EXIT_IO : EXIT_DATA;
        }
        code = check_model(a, ret->model);
        if (code != EXIT_OK)
                return code;
        begin_ms = ret->model->from_ms < a->from_ms ? ret->model->from_ms : a->from_ms;
        end_ms = ret->model->to_ms > a->to_ms ? ret->model->to_ms : a->to_ms;
        r = dataset_load(a->log, a->layout, begin_ms, end_ms, HOLD_STEPS, &ret->log);
        if (r < 0)
                return db_failed("replay", a->log_path, a->log, r);
        if ((code = check_span(a, ret->model, ret->log)) != EXIT_OK)
                return code;
        r = whatif_create(
            &(struct whatif_args){.layout = a->layout, .model = ret->model, .log = ret->log, .closes_ms = a->closes_ms},
            &ret->plant);
        if (r == -EINVAL && !ret->model->energy) {
                (void)fprintf(stderr, "coolplane replay: %s holds no energy model: nothing was metered\n", a->model);
                return EXIT_CANNOT_EVALUATE;
        }
        if (r < 0)
                (void)fprintf(stderr, "coolplane replay: %s\n", strerror(-r));
        return r < 0 ? EXIT_GENERIC : EXIT_OK;
}

void replay_whatif_close(struct replay_whatif *w)
{
        w->plant = whatif_free(w->plant);
        w->log = dataset_free(w->log);
        w->model = train_file_free(w->model);
}

static const char *const part_name[ENERGY_PARTS] = {"fans", "chillers", "pumps", "towers"};
static const struct {
        const char *name, *key, *unit, *unit_of_change;
        double scale;
} kinds[WHATIF_KINDS] = {
    [U_SAT] = {"supply air", "sat_c", "°C", "K", 1},
    [U_FAN] = {"fans", "fan_ratio", "%", "%", 100},
    [U_CHWST] = {"chilled water", "chwst_c", "°C", "K", 1},
    [U_CWST] = {"condenser water", "cwst_c", "°C", "K", 1},
    [U_CHILLER] = {"machines", "chiller_ratio", "%", "%", 100},
};

static const char *refusal_str(enum whatif_refusal r)
{
        static const char *const name[] = {
            [WHATIF_TOLD] = "told",
            [WHATIF_SHORT] = "too-short",
            [WHATIF_NOT_METERED] = "not-metered",
            [WHATIF_NOT_FITTED] = "not-fitted",
            [WHATIF_NO_EXCITATION] = "no-excitation",
            [WHATIF_NO_RANGE] = "not-known",
            [WHATIF_NOT_JUDGED] = "not-judged",
            [WHATIF_OUTSIDE] = "outside-support",
        };

        return name[r];
}

static void explain(const struct whatif_result *r, char why[512])
{
        const struct whatif_moved *k = &r->moved[r->kind];

        switch (r->refusal) {
        case WHATIF_TOLD:
                why[0] = '\0';
                break;
        case WHATIF_SHORT:
                (void)snprintf(why, 512,
                               "%zu steps with our settings are less than a day; the first hours (--learn, 24 by "
                               "default) are the operator's and do not count",
                               r->steps);
                break;
        case WHATIF_NOT_METERED:
                (void)snprintf(why, 512, "fans or chillers have no power meter");
                break;
        case WHATIF_NOT_FITTED:
                (void)snprintf(why, 512, "the model knows %zu of %zu inlets, supply airs and valves", r->fitted,
                               r->outputs);
                break;
        case WHATIF_NO_EXCITATION:
                (void)snprintf(
                    why, 512,
                    "we would hold %s (by %.2f %s elsewhere than the log) for %.0f %% of the time where this log, nine "
                    "tenths of it between %.2f and %.2f %s, hardly had it: what that does at this plant is not known. "
                    "A "
                    "few days on which the setpoint is stepped by hand, or coolplane's own exploration, would tell",
                    kinds[r->kind].name, k->distance * kinds[r->kind].scale, kinds[r->kind].unit_of_change,
                    100 * (1 - k->inside_ratio), k->log_low * kinds[r->kind].scale, k->log_high * kinds[r->kind].scale,
                    kinds[r->kind].unit);
                break;
        case WHATIF_NO_RANGE:
                (void)snprintf(why, 512,
                               "the end of this log, as long as the energy model remembers, does not know where %s "
                               "was: is it recorded there?",
                               kinds[r->kind].name);
                break;
        case WHATIF_NOT_JUDGED:
                (void)snprintf(
                    why, 512,
                    "too little of this log lies the way we would go for the energy model's error to be judged");
                break;
        case WHATIF_OUTSIDE:
                (void)snprintf(why, 512, "%.0f %% of the time the plant would be where this log never was",
                               100 * r->outside_ratio);
                break;
        }
}

static void put_number(struct text *t, const char *key, double v)
{
        text_printf(t, ",\"%s\":", key);
        text_json_number(t, v);
}

static double measured_kwh(const struct whatif_result *r)
{
        double wh = 0;

        for (size_t p = 0; p < ENERGY_PARTS; p++)
                if (r->metered[p])
                        wh += r->measured_wh[p];
        return wh / 1e3;
}

static double servers_kwh(const struct whatif_result *r)
{
        return isfinite(r->rise_k) ? r->servers_wh / 1e3 : (double)NAN;
}

/* The interval's lower end, less what servers may draw more. */
static double low_with_servers(const struct whatif_result *r)
{
        return r->saving_ratio - r->half_width_ratio - servers_kwh(r) / measured_kwh(r);
}

static void put_json(const struct whatif_result *r, const char *why, struct text *t)
{
        const double nan = (double)NAN;
        const bool told = r->refusal == WHATIF_TOLD;

        text_printf(t, "{\"result\":\"%s\",\"why\":", refusal_str(r->refusal));
        text_json_string(t, why);
        text_printf(t, ",\"steps\":%zu,\"steps_unknown\":%zu,\"breaks\":%zu,\"outputs\":%zu,\"outputs_fitted\":%zu",
                    r->steps, r->unknown, r->breaks, r->outputs, r->fitted);
        put_number(t, "saving_ratio", told ? r->saving_ratio : nan);
        put_number(t, "low_ratio", told ? r->saving_ratio - r->half_width_ratio : nan);
        put_number(t, "high_ratio", told ? r->saving_ratio + r->half_width_ratio : nan);
        put_number(t, "members_low_ratio", told ? r->member_ratio[0] : nan);
        put_number(t, "members_high_ratio", told ? r->member_ratio[ENERGY_MEMBERS - 1] : nan);
        put_number(t, "robust_ratio", told ? r->robust_ratio : nan);
        put_number(t, "support_ratio", r->support_ratio);
        put_number(t, "transfer_ratio", r->transfer_ratio);
        put_number(t, "outside_ratio", r->outside_ratio);
        put_number(t, "hottest_inlet_log_c", r->hottest_log_c);
        put_number(t, "hottest_inlet_c", r->hottest_ours_c);
        put_number(t, "inlet_rise_k", r->rise_k);
        put_number(t, "servers_kwh_at_most", told ? servers_kwh(r) : nan);
        put_number(t, "low_with_servers_ratio", told ? low_with_servers(r) : nan);
        text_put(t, ",\"energy\":{");
        for (size_t p = 0, any = 0; p < ENERGY_PARTS; p++) {
                if (!r->metered[p])
                        continue;
                text_printf(t, "%s\"%s\":{\"measured_kwh\":", any++ ? "," : "", part_name[p]);
                text_json_number(t, r->measured_wh[p] / 1e3);
                put_number(t, "modelled_kwh", r->log_wh[p] / 1e3);
                put_number(t, "modelled_ours_kwh", told ? r->ours_wh[p] / 1e3 : nan);
                text_put(t, "}");
        }
        text_put(t, "},\"moved\":{");
        for (size_t k = 0, any = 0; k < WHATIF_KINDS; k++) {
                if (r->moved[k].n == 0)
                        continue;
                text_printf(t, "%s\"%s\":{\"log_low\":", any++ ? "," : "", kinds[k].key);
                text_json_number(t, r->moved[k].log_low);
                put_number(t, "log_high", r->moved[k].log_high);
                put_number(t, "inside_ratio", r->moved[k].inside_ratio);
                put_number(t, "mean_change", r->moved[k].mean_change);
                put_number(t, "mean_distance", r->moved[k].distance);
                text_put(t, "}");
        }
        text_put(t, "}}");
}

static void put_saving(const struct whatif_result *r, struct text *t)
{
        text_printf(t, "cooling, metered %.0f kWh: %+.2f %% with our settings, 95 %% interval %+.2f to %+.2f %%\n",
                    measured_kwh(r), -100 * r->saving_ratio, -100 * (r->saving_ratio + r->half_width_ratio),
                    -100 * (r->saving_ratio - r->half_width_ratio));
        text_printf(t, "  corrected by the log's own errors where it was near (%.0f %% of the time): %+.2f %%\n",
                    100 * r->support_ratio, -100 * r->robust_ratio);
        for (size_t p = 0; p < ENERGY_PARTS; p++)
                if (r->metered[p])
                        text_printf(t, "  %-10s %10.0f kWh  %+.0f kWh\n", part_name[p], r->measured_wh[p] / 1e3,
                                    (r->ours_wh[p] - r->log_wh[p]) / 1e3);
        if (isfinite(r->rise_k))
                text_printf(t,
                            "Not in it: server fans, which warmer inlets speed up (inlets %+.2f K). Servers and their "
                            "cooling may draw up to %.0f kWh more (%.1f %% a kelvin); then at least %+.2f %%.\n",
                            r->rise_k, servers_kwh(r), 100 * WHATIF_IT_RESPONSE, -100 * low_with_servers(r));
        else
                text_put(
                    t, "Not in it: server fans, which warmer inlets speed up; racks' power or inlets are not known.\n");
        text_put(t, "VMs stay.\n");
}

static void put_text(const struct whatif_result *r, const char *why, struct text *t)
{
        text_printf(t,
                    "what if        %zu step%s with our settings, %zu not known, %zu gap%s after which it began anew\n",
                    r->steps, PLURAL_S(r->steps), r->unknown, r->breaks, PLURAL_S(r->breaks));
        for (size_t k = 0; k < WHATIF_KINDS; k++)
                if (r->moved[k].n > 0 && isfinite(r->moved[k].log_low + r->moved[k].log_high))
                        text_printf(t,
                                    "  %-15s on average %+.2f %s, distance %.2f; for %.0f %% of the time where the log "
                                    "had them, %.2f to %.2f %s\n",
                                    kinds[k].name, r->moved[k].mean_change * kinds[k].scale, kinds[k].unit_of_change,
                                    r->moved[k].distance * kinds[k].scale, 100 * r->moved[k].inside_ratio,
                                    r->moved[k].log_low * kinds[k].scale, r->moved[k].log_high * kinds[k].scale,
                                    kinds[k].unit);
        if (isfinite(r->hottest_ours_c) && isfinite(r->hottest_log_c))
                text_printf(t, "hottest inlet  %.1f °C, in the log %.1f °C\n", r->hottest_ours_c, r->hottest_log_c);
        if (r->refusal == WHATIF_TOLD)
                put_saving(r, t);
        else
                text_printf(t, "no saving is told (%s): %s\n", refusal_str(r->refusal), why);
}

int replay_whatif_print(const struct replay_whatif *w, bool json)
{
        struct whatif_result r;
        struct text t = {0};
        char why[512];

        whatif_result(w->plant, &r);
        explain(&r, why);
        (json ? put_json : put_text)(&r, why, &t);
        if (t.v)
                (void)fputs(t.v, stdout);
        text_free(&t);
        return r.refusal == WHATIF_TOLD ? EXIT_OK : EXIT_CANNOT_EVALUATE;
}
