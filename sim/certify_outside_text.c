/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <inttypes.h>
#include <math.h>

#include "sim/certify_command.h"

#define BAR_PERCENT 95.0

static double percent(uint64_t part, uint64_t all)
{
        return all > 0 ? 100 * (double)part / (double)all : 0;
}

static double mean(double sum, const struct outside_sum *s)
{
        return s->episodes > 0 ? sum / (double)s->episodes : (double)NAN;
}

static void print_exposure(FILE *f, const struct certify_report *r)
{
        fprintf(f,
                "outside the assumptions: degree-minutes from the event on, an episode, summed over the racks; mean of "
                "the hottest inlet and of the way to full cooling before it\n"
                "                     over 27 C                    over 32 C                  hottest, C           "
                "before, C            before, %%\n"
                "kind       episodes  sensible filtered       pi   sensible filtered       pi");
        for (int c = 0; c < 3; c++)
                fprintf(f, "   sens.  filt.     pi");
        fprintf(f, "\n");
        for (int k = 0; k < OUTSIDE_KINDS; k++) {
                const struct outside_sum s = outside_sum(r->outside, r->outside_n, k);
                const struct outside_run *run = s.run;

                if (s.episodes == 0)
                        continue;
                fprintf(f, "%-10s %8" PRIu64 " ", outside_kind_name[k], s.episodes);
                for (int c = 0; c < OUTSIDE_CONTROLLERS; c++)
                        fprintf(f, " %8.2f", mean(run[c].degmin27, &s));
                fprintf(f, "  ");
                for (int c = 0; c < OUTSIDE_CONTROLLERS; c++)
                        fprintf(f, " %8.2f", mean(run[c].degmin32, &s));
                fprintf(f, " ");
                for (int c = 0; c < OUTSIDE_CONTROLLERS; c++)
                        fprintf(f, " %6.2f", run[c].hottest_c);
                fprintf(f, " ");
                for (int c = 0; c < OUTSIDE_CONTROLLERS; c++)
                        fprintf(f, " %6.2f", mean(run[c].before_c, &s));
                fprintf(f, " ");
                for (int c = 0; c < OUTSIDE_CONTROLLERS; c++)
                        fprintf(f, " %6.1f", 100 * mean(run[c].cooling, &s));
                fprintf(f, "\n");
        }
}

static void print_detection(FILE *f, const struct certify_report *r)
{
        const struct outside_sum all = outside_sum(r->outside, r->outside_n, -1);

        fprintf(f,
                "told within %d steps, ever, %% of episodes; by whom (the first two tell nobody)\n"
                "kind        in time    ever  median",
                OUTSIDE_IN_TIME);
        for (int q = 0; q < OUTSIDE_DETECTORS; q++)
                fprintf(f, "  %13s", outside_detector_name[q]);
        fprintf(f, "\n");
        for (int k = 0; k < OUTSIDE_KINDS; k++) {
                const struct outside_sum s = outside_sum(r->outside, r->outside_n, k);

                if (s.episodes == 0)
                        continue;
                fprintf(f, "%-10s   %6.1f  %6.1f  %6" PRIu32, outside_kind_name[k], percent(s.in_time, s.episodes),
                        percent(s.detected, s.episodes), outside_median_step(&s));
                for (int q = 0; q < OUTSIDE_DETECTORS; q++)
                        fprintf(f, "  %6.1f %6.1f", percent(s.spoke_in_time[q], s.episodes),
                                percent(s.spoke[q], s.episodes));
                fprintf(f, "\n");
        }
        fprintf(f, "false, a day      %8.3f         ", outside_per_day(&all, all.false_alarms));
        for (int q = 0; q < OUTSIDE_DETECTORS; q++)
                fprintf(f, "  %13.3f", outside_per_day(&all, all.onset[q]));
        fprintf(f, "   (%.1f days before events)\n", (double)all.quiet_steps * CERTIFY_STEP_S / 86400);
}

void certify_print_outside(FILE *f, const struct certify_report *r)
{
        print_exposure(f, r);
        print_detection(f, r);
        fprintf(
            f,
            "a violation: behind the filter more degree-minutes than under the baseline alone: over 32 C at all (unit: "
            "by %.0f %%); over 27 C with the baseline's proposals by %.0f %% and %.2f K min an episode\n",
            100 * OUTSIDE_SLACK, 100 * OUTSIDE_SLACK, OUTSIDE_SLACK_KMIN);
        for (int k = OUTSIDE_NONE + 1; k < OUTSIDE_KINDS; k++) {
                const struct outside_sum s = outside_sum(r->outside, r->outside_n, k);

                if (s.episodes > 0 && outside_failed(&s))
                        fprintf(f,
                                "VIOLATION: %s: more degree-minutes behind the filter than under the baseline alone\n",
                                outside_kind_name[k]);
                if (s.episodes > 0 && s.run[OUTSIDE_SENSIBLE].degmin27 > s.run[OUTSIDE_PI].degmin27)
                        fprintf(f, "%s: more degree-minutes over 27 C of sensible proposals than of the baseline\n",
                                outside_kind_name[k]);
                /* what d_hi said certificates count on: nothing to be told */
                if (k != OUTSIDE_LOAD && s.episodes > 0 && percent(s.in_time, s.episodes) < BAR_PERCENT)
                        fprintf(f, "%s: told within %d steps in less than %.0f %%\n", outside_kind_name[k],
                                OUTSIDE_IN_TIME, BAR_PERCENT);
        }
}

static json_t *json_run(const struct outside_run *run, const struct outside_sum *s)
{
        return json_pack("{s:f, s:f, s:f, s:f, s:f}", "degree_minutes_27", mean(run->degmin27, s), "degree_minutes_32",
                         mean(run->degmin32, s), "hottest_c", run->hottest_c, "before_c", mean(run->before_c, s),
                         "before_cooling_ratio", mean(run->cooling, s));
}

static json_t *json_kind(const struct outside_sum *s, const char *name)
{
        json_t *o = json_pack("{s:s, s:I, s:b, s:f, s:f, s:I, s:f}", "kind", name, "episodes", (json_int_t)s->episodes,
                              "failed", outside_failed(s), "told_in_time_percent", percent(s->in_time, s->episodes),
                              "told_percent", percent(s->detected, s->episodes), "told_median_step",
                              (json_int_t)outside_median_step(s), "false_per_day", outside_per_day(s, s->false_alarms));
        json_t *by = json_object();

        for (int c = 0; o && c < OUTSIDE_CONTROLLERS; c++)
                (void)json_object_set_new(o, outside_controller_name[c], json_run(&s->run[c], s));
        for (int q = 0; by && q < OUTSIDE_DETECTORS; q++)
                (void)json_object_set_new(by, outside_detector_name[q],
                                          json_pack("{s:f, s:f, s:f}", "in_time_percent",
                                                    percent(s->spoke_in_time[q], s->episodes), "percent",
                                                    percent(s->spoke[q], s->episodes), "false_per_day",
                                                    outside_per_day(s, s->onset[q])));
        if (o)
                (void)json_object_set_new(o, "detectors", by);
        return o;
}

json_t *certify_json_outside(const struct certify_report *r)
{
        json_t *list = json_array();

        for (int k = 0; k < OUTSIDE_KINDS; k++) {
                const struct outside_sum s = outside_sum(r->outside, r->outside_n, k);

                if (s.episodes > 0)
                        (void)json_array_append_new(list, json_kind(&s, outside_kind_name[k]));
        }
        return list;
}
